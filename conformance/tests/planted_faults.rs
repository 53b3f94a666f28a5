//! Tests every scenario and every always-on judge: it passes against a server that replays the
//! recorded transcript, detects each mutant of it, and accepts each conforming variant.

mod support;

use ftpspec::scenario::DriverKind;
use ftpspec::selftest::Proof;
use ftpspec::subject::Embedded;
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeSet;
use std::sync::Arc;
use support::House;

fn main() {
    let house = House::around(async {
        let embedded = Embedded::start()
            .await
            .expect("the reference server starts");
        (Arc::clone(embedded.target()), embedded)
    });
    let mut seen = BTreeSet::new();
    let raw = house
        .jobs
        .iter()
        .filter(|job| job.variant.driver == DriverKind::Raw);
    let first = raw.filter(|job| seen.insert(job.scenario.id.clone()));
    let jobs: Vec<_> = first.cloned().collect();
    let mut trials: Vec<_> = jobs
        .iter()
        .map(|job| {
            let (house, job) = (Arc::clone(&house), job.clone());
            Trial::test(job.scenario.id.0.clone(), move || {
                told(house.runtime.block_on(house.harness.prove(&job)))
            })
        })
        .collect();
    trials.extend(house.ignored(false));
    trials.push(Trial::test("the always-on judges", move || {
        told(house.runtime.block_on(house.harness.prove_judges(&jobs)))
    }));
    support::run(trials);
}

fn told(proof: Proof) -> Result<(), Failed> {
    if proof.troubles.is_empty() {
        Ok(())
    } else {
        Err(proof.troubles.join("\n").into())
    }
}
