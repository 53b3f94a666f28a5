//! The suite, tested: every scenario and judge notices the lies it is there for, and none raises a false alarm.
//!
//! ```text
//!  job --play--> truth (against the reference server)
//!                  |--> the same, told by a script:        must pass
//!                  |--> mutants, one for each expectation: each must be noticed
//!                  |--> disguises, no less right:          none may fail
//!                  '--> offences, for the judges:          each must be noticed
//! ```
//!
//! The lying servers are scripted from transcripts ([`crate::scripted`]); they share no code with the reference server.

mod conforming_variants;
pub mod mutants;
mod violations;
mod wrong_replies;

pub use conforming_variants::ConformingVariant;
pub use violations::{VIOLATIONS, Violation};

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

/// How long an honest script may keep silent.
const HONEST: Duration = Duration::from_secs(5);

/// A lie can also be a silence; nobody has to wait long for a script on the same machine.
const LYING: Duration = Duration::from_millis(700);

/// Where the truth comes from: a server that does everything right, and what it says of itself.
#[derive(Debug, Clone)]
pub struct Harness {
    /// The server.
    pub target: Arc<Target>,
    /// What it says of itself.
    pub facts: TargetFacts,
}

/// The longest silence: a scenario that waits for minutes is proven without them.
const SILENCE: Duration = Duration::from_secs(2);

/// What became of one scenario.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// Lies that were told.
    pub lies: usize,
    /// Those that were believed.
    pub believed: usize,
    /// Disguises that were worn.
    pub disguises: usize,
    /// What is wrong with the scenario, each in a sentence: a lie it believed, a truth it doubted.
    pub troubles: Vec<String>,
}

impl Harness {
    /// What was played, judged: the scenario's own verdict, and those of the always-on judges.
    #[must_use]
    pub fn verdict(&self, played: &Played) -> (Verdict, Vec<JudgeVerdict>) {
        let mut judging = RunJudge::knowing(&self.facts.transcript);
        let variant = played.job.variant.to_string();
        let (scenario, stop) = (&played.job.scenario, played.stop.as_ref());
        let verdict = judging.judge(scenario, &variant, stop, &played.transcript);
        (verdict, judging.judges())
    }

    /// How jobs are played in tests of the suite: no `@silent` takes longer than two seconds.
    #[must_use]
    pub fn manner() -> PlayOptions {
        let timeouts = Timeouts {
            longest_silence: SILENCE,
            ..Timeouts::default()
        };
        PlayOptions {
            timeouts,
            ..PlayOptions::default()
        }
    }

    /// The job, played against the server that does everything right.
    pub async fn truth(&self, job: &Job) -> Played {
        play(job.clone(), &self.target, &Self::manner()).await
    }

    /// The job, played against a server that says what stands in this transcript, which need not be true.
    ///
    /// # Errors
    /// When there is no such server; in words.
    pub async fn lied_to(&self, job: &Job, script: &Transcript) -> Result<Played, String> {
        self.against(job, script, Delivery::default(), LYING).await
    }

    /// Everything a scenario has to show.
    pub async fn prove(&self, job: &Job) -> Proof {
        let truth = self.truth(job).await;
        let mut proof = Proof::default();
        // A scenario that legally ended early (`!ends`) is INCONCLUSIVE: it is proven as far as it was played.
        let (verdict, _) = self.verdict(&truth);
        if verdict.outcome > Outcome::Unsupported {
            proof.trouble(format!("not even the truth passes: {verdict:#?}"));
            return proof;
        }
        self.honest(job, &truth.transcript, &mut proof).await;
        self.lies(job, &truth.transcript, &mut proof).await;
        self.disguises(job, &truth.transcript, &mut proof).await;
        proof
    }

    async fn honest(&self, job: &Job, truth: &Transcript, proof: &mut Proof) {
        let delivery = Delivery::default();
        match self.against(job, truth, delivery, HONEST).await {
            Ok(told) => {
                let (verdict, judges) = self.verdict(&told);
                if verdict.outcome > Outcome::Unsupported || worst(&judges) > Outcome::Note {
                    let dialogue = redact(&told.transcript);
                    proof.trouble(format!(
                        "the honest script is doubted: {verdict:#?}\n{dialogue}"
                    ));
                }
            }
            Err(error) => proof.trouble(error),
        }
    }

    async fn lies(&self, job: &Job, truth: &Transcript, proof: &mut Proof) {
        let mutants = mutants::all(&job.scenario, truth);
        if mutants.is_empty() {
            proof.trouble("nothing in this scenario can be broken: it checks nothing".into());
        }
        for mutant in mutants {
            proof.lies += 1;
            let from = shows_from(&job.scenario, mutant.line);
            let noticed = self.noticed(job, &mutant.transcript, |verdict, judges| {
                let mut lines = verdict.findings.iter().map(|finding| finding.line);
                worst(judges) >= Outcome::Warn || lines.any(|line| line >= from || line == 0)
            });
            match noticed.await {
                Ok(true) => {}
                Ok(false) => {
                    proof.believed += 1;
                    proof.trouble(format!(
                        "it believes a server that, at line {}, {}",
                        mutant.line, mutant.lie
                    ));
                }
                Err(error) => proof.trouble(error),
            }
        }
    }

    /// Whether a lie is noticed. On a busy machine an honest part may come too late, and hide it: what is not noticed is
    /// told again to somebody with more patience.
    async fn noticed(
        &self,
        job: &Job,
        script: &Transcript,
        noticed: impl Fn(&Verdict, &[JudgeVerdict]) -> bool,
    ) -> Result<bool, String> {
        for patience in [LYING, HONEST] {
            let told = self.against(job, script, Delivery::default(), patience);
            let (verdict, judges) = self.verdict(&told.await?);
            if noticed(&verdict, &judges) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn disguises(&self, job: &Job, truth: &Transcript, proof: &mut Proof) {
        for disguise in ConformingVariant::ALL {
            let Some(dressed) = disguise.dress(truth) else {
                continue;
            };
            proof.disguises += 1;
            match self
                .against(job, &dressed, disguise.delivery(), HONEST)
                .await
            {
                Ok(told) => {
                    let (verdict, judges) = self.verdict(&told);
                    if verdict.outcome > Outcome::Warn || worst(&judges) > Outcome::Note {
                        let judges = judges.iter().flat_map(|judge| &judge.findings);
                        let findings: Vec<_> = judges.map(|located| &located.finding).collect();
                        let dialogue = redact(&told.transcript);
                        proof.trouble(format!(
                            "it raises a false alarm over {disguise}: {verdict:#?}\n{findings:#?}\n{dialogue}"
                        ));
                    }
                }
                Err(error) => proof.trouble(error),
            }
        }
    }

    /// What the always-on judges have to show: each of [`VIOLATIONS`], planted into the first of these jobs it fits.
    pub async fn prove_judges(&self, jobs: &[Job]) -> Proof {
        let mut proof = Proof::default();
        let mut open: Vec<_> = VIOLATIONS.iter().collect();
        for job in jobs {
            if open.is_empty() {
                break;
            }
            let truth = self.truth(job).await;
            let mut left = Vec::new();
            for offence in open {
                let Some(planted) = offence.plant(&truth.transcript) else {
                    left.push(offence);
                    continue;
                };
                proof.lies += 1;
                let noticed = self.noticed(job, &planted, |_, judges| {
                    let mut judges = judges.iter();
                    judges.any(|judge| judge.judge == offence.judge && judge.count > 0)
                });
                match noticed.await {
                    Ok(true) => {}
                    Ok(false) => {
                        proof.believed += 1;
                        proof.trouble(format!(
                            "{} believes a server that {} (in {})",
                            offence.judge, offence.what, job.scenario.id
                        ));
                    }
                    Err(error) => proof.trouble(error),
                }
            }
            open = left;
        }
        for offence in open {
            proof.trouble(format!(
                "{}: in no scenario can a server be one that {}",
                offence.judge, offence.what
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
        let failed = "the tester has no address to put a scripted server on";
        let on = self.target.address(job.variant.ipv6).ok_or(failed)?.ip();
        let scripted = Scripted::start(script, delivery, on)
            .await
            .map_err(|error| format!("the tester cannot start a scripted server: {error}"))?;
        let target = Arc::new(Target {
            addresses: vec![scripted.address()],
            // The script has a certificate of its own.
            trust: Trust::Anything,
            ..Target::clone(&self.target)
        });
        let mut manner = Self::manner();
        // The script names the directory that was worked in when it was written down.
        let run = script.variables.get("dir");
        if let Some(run) = run.and_then(|directory| PlayOptions::run_of(directory, job)) {
            manner.run = run;
        }
        manner.timeouts = Timeouts {
            connect: patience,
            reply: patience,
            data: patience,
            handshake: patience,
            ..manner.timeouts
        };
        let played = play(job.clone(), &target, &manner).await;
        scripted.stop();
        Ok(played)
    }
}

impl Proof {
    fn trouble(&mut self, what: String) {
        self.troubles.push(what);
    }
}

/// The first line at which a lie of `line` can show. A script does not wait where the client only listens: what it has to
/// say next may be heard there.
fn shows_from(scenario: &Scenario, line: u32) -> u32 {
    // A lie in one turn can show in the next.
    let line = scenario.repeated(line).map_or(line, |lines| *lines.start());
    let before = scenario.steps.iter().rev().filter(|step| step.line < line);
    before
        .take_while(|step| matches!(step.action, Action::Silent(_)))
        .last()
        .map_or(line, |step| step.line)
}

/// The worst that the judges say.
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
    async fn a_sound_scenario_notices_its_lies_and_raises_no_alarm() {
        let proof = proof_of("", "> NOOP\n< 200").await;
        assert_eq!(proof.troubles, Vec::<String>::new());
        assert!(proof.lies >= 2 && proof.disguises >= 4, "{proof:?}");
    }

    #[tokio::test]
    async fn a_lie_in_the_first_turn_is_noticed_and_one_in_the_last() {
        let proof = proof_of("", "@repeat 3\n> NOOP\n< 200\n@end").await;
        assert_eq!(proof.troubles, Vec::<String>::new());
        assert_eq!(
            proof.lies, 3,
            "a code in two turns, and the last reply twice"
        );
    }

    #[tokio::test]
    async fn a_scenario_that_checks_nothing_is_no_proof() {
        let proof = proof_of("barrier = false", "> NOOP\n< 1yz | 2yz | 3yz | 4yz | 5yz").await;
        assert!(proof.troubles[0].contains("checks nothing"), "{proof:?}");
    }

    #[tokio::test]
    async fn a_scenario_that_asks_for_a_text_nobody_prescribes_raises_a_false_alarm() {
        let server_says = "> TYPE I\n< 200 /(?i)type|binary|image|set|ok/";
        let proof = proof_of("", server_says).await;
        let alarm = |trouble: &String| trouble.contains("false alarm over other texts");
        assert!(proof.troubles.iter().any(alarm), "{proof:#?}");
    }
}
