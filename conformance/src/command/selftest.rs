//! `ftpspec selftest`: whether the suite notices what it is there for.

use super::signals::StopSignals;
use super::suggest::stray;
use super::{INTERRUPTED, NOT_AS_EXPECTED, NOTHING, OK, TROUBLE, stdout};
use crate::driver::Timeouts;
use crate::runner::{Job, Selection, plan};
use crate::scenario::DriverKind;
use crate::selftest::{Harness, Proof};
use crate::subject::{Embedded, probe};
use crate::suite::Suite;
use crate::text::counted;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Proves the scenarios that any of the patterns selects, and without a pattern the always-on judges too; so many at once.
/// What is wrong and the mutation score are on stdout. Returns the exit code: 0, 1 if a mutant survived or a conforming variant failed,
/// 3 if there is no server to record from, 4 if nothing is selected, 130 if interrupted.
pub async fn selftest(patterns: &[String], at_once: usize) -> i32 {
    if let Some(why) = stray(&Suite::embedded(), patterns) {
        anstream::eprintln!("selftest: {why}");
        return NOTHING;
    }
    let mut stop = match StopSignals::listen() {
        Ok(stop) => stop,
        Err(error) => {
            anstream::eprintln!("selftest: no handler for signals: {error}");
            return TROUBLE;
        }
    };
    let (embedded, harness) = match harness().await {
        Ok(both) => both,
        Err(error) => {
            anstream::eprintln!("selftest: {error}");
            return TROUBLE;
        }
    };
    let jobs = jobs(patterns, &harness);
    if jobs.is_empty() {
        anstream::eprintln!(
            "selftest: nothing of {} can be tested here",
            patterns.join(" ")
        );
        return NOTHING;
    }
    let everything = async {
        let mut proof = prove_all(&harness, &jobs, at_once).await;
        if patterns.is_empty() {
            let judges = harness.prove_judges(&jobs).await;
            proof.mutants += judges.mutants;
            proof.survived += judges.survived;
            proof.troubles.extend(judges.troubles);
        }
        proof
    };
    let proof = tokio::select! {
        proof = everything => proof,
        () = stop.next() => return INTERRUPTED,
    };
    embedded.stop().await;
    let code = if proof.troubles.is_empty() {
        OK
    } else {
        NOT_AS_EXPECTED
    };
    stdout::say(&told(&proof, jobs.len()), code)
}

/// The bundled server, and a harness that records from it.
///
/// # Errors
/// When it does not start, in words.
pub(super) async fn harness() -> Result<(Embedded, Harness), String> {
    let embedded = Embedded::start().await?;
    let harness = Harness {
        target: Arc::clone(embedded.target()),
        facts: probe(embedded.target(), Timeouts::default()).await,
    };
    Ok((embedded, harness))
}

/// Each scenario once, as the raw driver plays it first.
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
                let named = |trouble| format!("{}: {trouble}", job.scenario.id);
                all.troubles.extend(proof.troubles.into_iter().map(named));
            }
            Some(Err(error)) => all.troubles.push(format!("the tester died: {error}")),
        }
    }
}

fn told(proof: &Proof, scenarios: usize) -> String {
    let noticed = proof.mutants - proof.survived;
    let troubles = proof.troubles.iter();
    let mut text: String = troubles.map(|trouble| format!("{trouble}\n\n")).collect();
    text += &format!(
        "{}, {} mutants, {noticed} detected: mutation score {}\n\
         {} conforming variants played\n",
        counted(scenarios, "scenario"),
        proof.mutants,
        score(noticed, proof.mutants),
        proof.variants
    );
    text
}

/// Per cent with one decimal, rounded down: 100 % is everything.
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
    fn one_surviving_mutant_is_never_rounded_away() {
        assert_eq!(score(9999, 10_000), "99.9 %");
        assert_eq!(score(3, 4), "75 %");
        assert_eq!(score(7, 7), "100 %");
    }
}
