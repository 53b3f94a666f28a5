//! Tests the suite itself: every scenario and judge detects the faults it is written for, and none
//! reports a fault where there is none.
//!
//! ```text
//!  job --play--> recorded transcript (against the reference server)
//!                  |--> replayed unchanged by a script:    must pass
//!                  |--> mutants, one for each expectation: each must be detected
//!                  |--> conforming variants:               none may fail
//!                  '--> violations, for the judges:        each must be detected
//! ```
//!
//! The faulty servers are scripted from transcripts ([`crate::scripted`]) and share no code with
//! the reference server.

mod conforming_variants;
pub(crate) mod mutants;
mod violations;
mod wrong_replies;

pub(crate) use conforming_variants::ConformingVariant;
pub(crate) use violations::VIOLATIONS;

use crate::driver::{Timeouts, Trust};
use crate::judge::RunJudge;
use crate::runner::{Job, PlayOptions, Played, play};
use crate::scenario::{Action, Scenario};
use crate::scripted::{Delivery, Scripted};
use crate::subject::{Target, TargetFacts};
use crate::transcript::{Transcript, redact};
use crate::verdict::{JudgeVerdict, Outcome, Verdict};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for a script that conforms.
const CONFORMING: Duration = Duration::from_secs(5);

/// How long to wait for a mutant. Its fault may be that nothing comes, and a script on the same
/// machine answers fast.
const MUTANT: Duration = Duration::from_millis(700);

/// The server that transcripts are recorded from, which conforms, and what it advertises.
#[derive(Debug, Clone)]
pub struct Harness {
    /// The server.
    pub target: Arc<Target>,
    /// What it advertises.
    pub facts: TargetFacts,
}

/// The longest `@silent`: a scenario that waits for minutes is tested with this.
const SILENCE: Duration = Duration::from_secs(2);

/// The result for one scenario, or for the judges.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// Mutants that were played.
    pub mutants: usize,
    /// Mutants that were not detected.
    pub survived: usize,
    /// Conforming variants that were played.
    pub variants: usize,
    /// What is wrong, each in a sentence: a mutant that survived, or a conforming variant that
    /// failed.
    pub problems: Vec<String>,
}

impl Harness {
    /// What was played, judged: the scenario's own verdict, and those of the always-on judges.
    #[must_use]
    pub fn verdict(&self, played: &Played) -> (Verdict, Vec<JudgeVerdict>) {
        let mut judging = RunJudge::knowing(&self.facts.transcript);
        let variant = played.job.variant;
        let (scenario, stop) = (&played.job.scenario, played.stop.as_ref());
        let verdict = judging.judge(scenario, variant, stop, &played.transcript);
        (verdict, judging.judges())
    }

    /// How jobs are played in tests of the suite: no `@silent` takes longer than two seconds.
    #[must_use]
    pub fn play_options() -> PlayOptions {
        let timeouts = Timeouts {
            longest_silence: SILENCE,
            ..Timeouts::default()
        };
        PlayOptions {
            timeouts,
            ..PlayOptions::default()
        }
    }

    /// The job, played against the server that conforms.
    pub async fn record(&self, job: &Job) -> Played {
        play(job.clone(), &self.target, &Self::play_options()).await
    }

    /// The job, played against a server that replays this transcript, which may be a mutant.
    ///
    /// # Errors
    /// When the server cannot be started, as text.
    pub async fn play_against(&self, job: &Job, script: &Transcript) -> Result<Played, String> {
        self.against(job, script, Delivery::default(), MUTANT).await
    }

    /// Plays the recorded transcript, its mutants and its conforming variants.
    pub async fn prove(&self, job: &Job) -> Proof {
        let recorded = self.record(job).await;
        let mut proof = Proof::default();
        // A scenario that legally ended early (`!ends`) is INCONCLUSIVE: it is tested as far as it
        // was played.
        let (verdict, _) = self.verdict(&recorded);
        if verdict.outcome > Outcome::Unsupported {
            proof.problem(format!(
                "it fails against the reference server: {verdict:#?}"
            ));
            return proof;
        }
        self.unchanged(job, &recorded.transcript, &mut proof).await;
        self.mutants(job, &recorded.transcript, &mut proof).await;
        self.variants(job, &recorded.transcript, &mut proof).await;
        proof
    }

    async fn unchanged(&self, job: &Job, recorded: &Transcript, proof: &mut Proof) {
        let delivery = Delivery::default();
        match self.against(job, recorded, delivery, CONFORMING).await {
            Ok(played) => {
                let (verdict, judges) = self.verdict(&played);
                if verdict.outcome > Outcome::Unsupported || worst(&judges) > Outcome::Note {
                    let dialogue = redact(&played.transcript);
                    proof.problem(format!(
                        "it fails against the recorded transcript: {verdict:#?}\n{dialogue}"
                    ));
                }
            }
            Err(error) => proof.problem(error),
        }
    }

    async fn mutants(&self, job: &Job, recorded: &Transcript, proof: &mut Proof) {
        let mutants = mutants::all(&job.scenario, recorded);
        if mutants.is_empty() {
            proof.problem(
                "no expectation of this scenario can be mutated: it checks nothing".into(),
            );
        }
        for mutant in mutants {
            proof.mutants += 1;
            let from = shows_from(&job.scenario, mutant.line);
            let is_detected = self.is_detected(job, &mutant.transcript, |verdict, judges| {
                let mut lines = verdict.findings.iter().map(|finding| finding.line);
                worst(judges) >= Outcome::Warn || lines.any(|line| line >= from || line == 0)
            });
            match is_detected.await {
                Ok(true) => {}
                Ok(false) => {
                    proof.survived += 1;
                    proof.problem(format!(
                        "it does not detect a server that, at line {}, {}",
                        mutant.line, mutant.mutation
                    ));
                }
                Err(error) => proof.problem(error),
            }
        }
    }

    /// Whether a fault is detected. On a busy machine a part that conforms may come too late and
    /// hide it, so what is not detected is played again with longer time-outs.
    async fn is_detected(
        &self,
        job: &Job,
        script: &Transcript,
        is_detected: impl Fn(&Verdict, &[JudgeVerdict]) -> bool,
    ) -> Result<bool, String> {
        for patience in [MUTANT, CONFORMING] {
            let played = self.against(job, script, Delivery::default(), patience);
            let (verdict, judges) = self.verdict(&played.await?);
            if is_detected(&verdict, &judges) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn variants(&self, job: &Job, recorded: &Transcript, proof: &mut Proof) {
        for variant in ConformingVariant::ALL {
            let Some(changed) = variant.apply(recorded) else {
                continue;
            };
            proof.variants += 1;
            match self
                .against(job, &changed, variant.delivery(), CONFORMING)
                .await
            {
                Ok(played) => {
                    let (verdict, judges) = self.verdict(&played);
                    if verdict.outcome > Outcome::Warn || worst(&judges) > Outcome::Note {
                        let judges = judges.iter().flat_map(|judge| &judge.findings);
                        let findings: Vec<_> = judges.map(|located| &located.finding).collect();
                        let dialogue = redact(&played.transcript);
                        proof.problem(format!(
                            "it fails against a conforming variant, {variant}: {verdict:#?}\n{findings:#?}\n{dialogue}"
                        ));
                    }
                }
                Err(error) => proof.problem(error),
            }
        }
    }

    /// Plays each of [`VIOLATIONS`], in the first of these jobs where it is possible: the always-on
    /// judges have to detect it.
    pub async fn prove_judges(&self, jobs: &[Job]) -> Proof {
        let mut proof = Proof::default();
        let mut open: Vec<_> = VIOLATIONS.iter().collect();
        for job in jobs {
            if open.is_empty() {
                break;
            }
            let recorded = self.record(job).await;
            let mut left = Vec::new();
            for violation in open {
                let Some(planted) = violation.apply(&recorded.transcript) else {
                    left.push(violation);
                    continue;
                };
                proof.mutants += 1;
                let is_detected = self.is_detected(job, &planted, |_, judges| {
                    let mut judges = judges.iter();
                    judges.any(|judge| judge.judge == violation.judge && judge.count > 0)
                });
                match is_detected.await {
                    Ok(true) => {}
                    Ok(false) => {
                        proof.survived += 1;
                        proof.problem(format!(
                            "{} does not detect a server that {} (in {})",
                            violation.judge, violation.what, job.scenario.id
                        ));
                    }
                    Err(error) => proof.problem(error),
                }
            }
            open = left;
        }
        for violation in open {
            proof.problem(format!(
                "{}: no scenario can be played against a server that {}",
                violation.judge, violation.what
            ));
        }
        proof
    }

    /// The job, played against a script.
    async fn against(
        &self,
        job: &Job,
        script: &Transcript,
        delivery: Delivery,
        patience: Duration,
    ) -> Result<Played, String> {
        let failed = "there is no local address for a scripted server";
        let on = self.target.address(job.variant.ipv6).ok_or(failed)?.ip();
        let scripted = Scripted::start(script, delivery, on)
            .await
            .map_err(|error| format!("a scripted server cannot be started: {error}"))?;
        let target = Arc::new(Target {
            addresses: vec![scripted.address()],
            // The script has a certificate of its own.
            trust: Trust::Anything,
            ..Target::clone(&self.target)
        });
        let mut options = Self::play_options();
        // The script names the directory that was used when it was recorded.
        let run = script.variables.get("dir");
        if let Some(run) = run.and_then(|directory| PlayOptions::run_of(directory, job)) {
            options.run = run;
        }
        options.timeouts = Timeouts {
            connect: patience,
            reply: patience,
            data: patience,
            handshake: patience,
            ..options.timeouts
        };
        let played = play(job.clone(), &target, &options).await;
        scripted.stop();
        Ok(played)
    }
}

impl Proof {
    fn problem(&mut self, what: String) {
        self.problems.push(what);
    }
}

/// The first line at which a fault in `line` can show. A script does not wait where the client only
/// listens: what it sends next may be received there.
fn shows_from(scenario: &Scenario, line: u32) -> u32 {
    // A fault in one turn can show in the next.
    let line = scenario.repeated(line).map_or(line, |lines| *lines.start());
    let before = scenario.steps.iter().rev().filter(|step| step.line < line);
    before
        .take_while(|step| matches!(step.action, Action::Silent(_)))
        .last()
        .map_or(line, |step| step.line)
}

/// The worst outcome of the judges.
fn worst(judges: &[JudgeVerdict]) -> Outcome {
    let outcomes = judges.iter().map(|judge| judge.outcome);
    outcomes.max().unwrap_or(Outcome::Pass)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::runner::testing::job;
    use crate::subject::{Embedded, probe};

    async fn proof_of(front: &str, dialogue: &str) -> Proof {
        let server = Embedded::start().await.unwrap();
        let harness = Harness {
            target: Arc::clone(server.target()),
            facts: probe(server.target(), Timeouts::default()).await,
        };
        let proof = harness.prove(&job("pasv", front, dialogue)).await;
        server.stop().await;
        proof
    }

    #[tokio::test]
    async fn a_correct_scenario_detects_its_mutants_and_passes_conforming_variants() {
        let proof = proof_of("", "> NOOP\n< 200").await;
        assert_eq!(proof.problems, Vec::<String>::new());
        assert!(proof.mutants >= 2 && proof.variants >= 4, "{proof:?}");
    }

    #[tokio::test]
    async fn a_fault_in_the_first_or_last_turn_is_detected() {
        let proof = proof_of("", "@repeat 3\n> NOOP\n< 200\n@end").await;
        assert_eq!(proof.problems, Vec::<String>::new());
        assert_eq!(
            proof.mutants, 3,
            "a code in two turns, and the last reply twice"
        );
    }

    #[tokio::test]
    async fn a_scenario_that_checks_nothing_is_reported() {
        let proof = proof_of("barrier = false", "> NOOP\n< 1yz | 2yz | 3yz | 4yz | 5yz").await;
        assert!(proof.problems[0].contains("checks nothing"), "{proof:?}");
    }

    #[tokio::test]
    async fn a_scenario_that_expects_an_unspecified_text_is_reported() {
        let server_says = "> TYPE I\n< 200 /(?i)type|binary|image|set|ok/";
        let proof = proof_of("", server_says).await;
        let alarm = |problem: &String| problem.contains("conforming variant, other texts");
        assert!(proof.problems.iter().any(alarm), "{proof:#?}");
    }
}
