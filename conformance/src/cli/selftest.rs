//! `ftpspec selftest`: tests the suite with single-fault mutants and conforming variants.

use super::exit_code::{CommandError, ExitCode};
use super::output::finish;
use super::signals::StopSignals;
use crate::driver::Timeouts;
use crate::runner::{Job, Selection, plan};
use crate::scenario::DriverKind;
use crate::selftest::{Harness, Proof};
use crate::subject::{Embedded, probe};
use crate::suite::Suite;
use crate::suite::suggest::unmatched_pattern;
use crate::text::counted;
use clap::Args;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use tokio::task::JoinSet;

#[derive(Debug, Args)]
pub(super) struct Selftest {
    /// Only scenarios whose id matches; without a pattern all, and the always-on judges.
    patterns: Vec<String>,
    /// Number of scenarios tested at the same time.
    #[arg(long, value_name = "N", default_value_t = 8)]
    jobs: usize,
}

impl Selftest {
    /// Prints the mutation score. The exit code is 1 if a mutant survived or a conforming variant
    /// was rejected.
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        let failure =
            |error: &dyn std::fmt::Display| CommandError::failure(format!("selftest: {error}"));
        let nothing = |message| CommandError::nothing_selected(format!("selftest: {message}"));
        if let Some(message) = unmatched_pattern(&Suite::embedded(), &self.patterns) {
            return Err(nothing(message));
        }
        let mut stop = StopSignals::listen().map_err(|error| failure(&error))?;
        let (embedded, harness) = harness().await.map_err(|error| failure(&error))?;
        let jobs = jobs(&self.patterns, &harness);
        if jobs.is_empty() {
            let patterns = self.patterns.join(" ");
            return Err(nothing(format!(
                "no scenario of {patterns} can be played here"
            )));
        }
        let everything = async {
            let mut proof = prove_all(&harness, &jobs, self.jobs).await;
            if self.patterns.is_empty() {
                let judges = harness.prove_judges(&jobs).await;
                proof.mutants += judges.mutants;
                proof.survived += judges.survived;
                proof.problems.extend(judges.problems);
            }
            proof
        };
        let proof = tokio::select! {
            proof = everything => proof,
            () = stop.next() => return Ok(ExitCode::Interrupted),
        };
        embedded.stop().await;
        let code = match proof.problems.is_empty() {
            true => ExitCode::Success,
            false => ExitCode::NotAsExpected,
        };
        finish(&summary(&proof, jobs.len()), code)
    }
}

/// The bundled server, and a harness whose conforming transcripts come from it.
///
/// # Errors
/// Why the server does not start.
pub(super) async fn harness() -> Result<(Embedded, Harness), String> {
    let embedded = Embedded::start().await?;
    let harness = Harness {
        target: Arc::clone(embedded.target()),
        facts: probe(embedded.target(), Timeouts::default()).await,
    };
    Ok((embedded, harness))
}

/// Each scenario once, in the first variant the raw driver plays.
pub(super) fn jobs(patterns: &[String], harness: &Harness) -> Vec<Job> {
    let suite = Suite::embedded();
    let scenarios: Vec<_> = suite
        .select(patterns)
        .into_iter()
        .cloned()
        .map(Arc::new)
        .collect();
    let selection = Selection {
        profiles: vec!["security".into(), "slow".into()],
        drivers: vec![DriverKind::Raw],
        ..Selection::default()
    };
    let mut seen = BTreeSet::new();
    let mut jobs = plan(&scenarios, &selection, &harness.target, &harness.facts).jobs;
    jobs.retain(|job| seen.insert(job.scenario.id.clone()));
    jobs
}

async fn prove_all(harness: &Harness, jobs: &[Job], at_once: usize) -> Proof {
    let mut waiting: VecDeque<Job> = jobs.iter().cloned().collect();
    let mut running = JoinSet::new();
    let mut all = Proof::default();
    loop {
        while running.len() < at_once.max(1)
            && let Some(job) = waiting.pop_front()
        {
            let harness = harness.clone();
            running.spawn(async move { (harness.prove(&job).await, job) });
        }
        match running.join_next().await {
            None => return all,
            Some(Ok((proof, job))) => {
                all.mutants += proof.mutants;
                all.survived += proof.survived;
                all.variants += proof.variants;
                let named = |problem| format!("{}: {problem}", job.scenario.id);
                all.problems.extend(proof.problems.into_iter().map(named));
            }
            Some(Err(error)) => all.problems.push(format!("a task failed: {error}")),
        }
    }
}

fn summary(proof: &Proof, scenarios: usize) -> String {
    let noticed = proof.mutants - proof.survived;
    let problems = proof.problems.iter();
    let mut text: String = problems.map(|problem| format!("{problem}\n\n")).collect();
    text += &format!(
        "{}, {} mutants, {noticed} detected: mutation score {}\n\
         {} conforming variants accepted\n",
        counted(scenarios, "scenario"),
        proof.mutants,
        score(noticed, proof.mutants),
        proof.variants
    );
    text
}

/// A percentage with one decimal, rounded down, so that 100 % means all.
fn score(noticed: usize, mutants: usize) -> String {
    let thousandths = noticed * 1000 / mutants.max(1);
    match thousandths % 10 {
        0 => format!("{} %", thousandths / 10),
        tenth => format!("{}.{tenth} %", thousandths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::score;

    #[test]
    fn one_surviving_mutant_is_not_rounded_away() {
        assert_eq!(score(9999, 10_000), "99.9 %");
        assert_eq!(score(3, 4), "75 %");
        assert_eq!(score(7, 7), "100 %");
    }
}
