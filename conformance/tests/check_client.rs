//! Scenarios for clients, played by conforming and by faulty clients.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use ftpspec::client::selftest::selftest;
use ftpspec::client::suite::Suite;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_expectation_and_rule_is_broken_by_a_fault_and_by_no_conforming_client() {
    let suite = Suite::embedded();
    assert!(suite.broken.is_empty());
    let found = selftest(&suite.scenarios, 64).await;
    let mut weak = found.alarms.clone();
    let survivors = found.survivors.iter();
    weak.extend(survivors.map(|at| format!("{at}: no fault breaks this expectation")));
    let rules = found.unbroken_rules().into_iter();
    weak.extend(rules.map(|rule| format!("{rule}: no fault breaks this rule")));
    assert!(weak.is_empty(), "{}", weak.join("\n"));
    assert!(found.played > suite.scenarios.len() * 4);
}
