//! Tests every scenario and every always-on judge: it passes against a server that replays the
//! recorded transcript, detects each mutant of it, and accepts each conforming variant.

mod support;

use ftpspec::internals::scenario::DriverKind;
use ftpspec::internals::selftest::Proof;
use ftpspec::internals::subject::Embedded;
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeSet;
use std::sync::Arc;
use support::Fixture;

fn main() {
    let fixture = Fixture::start(async {
        let embedded = Embedded::start()
            .await
            .expect("the reference server starts");
        (Arc::clone(embedded.target()), embedded)
    });
    let mut seen = BTreeSet::new();
    let raw = fixture
        .jobs
        .iter()
        .filter(|job| job.variant.driver == DriverKind::Raw);
    let first = raw.filter(|job| seen.insert(job.scenario.id.clone()));
    let jobs: Vec<_> = first.cloned().collect();
    let mut trials: Vec<_> = jobs
        .iter()
        .map(|job| {
            let (fixture, job) = (Arc::clone(&fixture), job.clone());
            Trial::test(job.scenario.id.0.clone(), move || {
                verdict(fixture.runtime.block_on(fixture.harness.prove(&job)))
            })
        })
        .collect();
    trials.extend(fixture.ignored(false));
    trials.push(Trial::test("the always-on judges", move || {
        verdict(
            fixture
                .runtime
                .block_on(fixture.harness.prove_judges(&jobs)),
        )
    }));
    support::run(trials);
}

fn verdict(proof: Proof) -> Result<(), Failed> {
    if proof.problems.is_empty() {
        Ok(())
    } else {
        Err(proof.problems.join("\n").into())
    }
}
