//! Tests of the content of reports and of untrusted text in them.

mod untrusted_text;

use super::*;
use crate::scenario::Connection;
use crate::verdict::{Finding, Located};
use rstest::rstest;

pub(super) fn report(outcomes: &[Outcome]) -> Report {
    let row = |outcome: &Outcome| Row {
        verdict: Verdict {
            scenario: "rfc959/noop-200".into(),
            variant: "pasv".parse().expect("a variant"),
            outcome: *outcome,
            reason: String::new(),
            lacks: None,
            findings: Vec::new(),
            unjudged: Vec::new(),
        },
        title: "NOOP is answered 200".into(),
        level: Level::Must,
        cites: vec!["RFC 959 §4.1.3".into()],
        covers: Vec::new(),
        commands: Vec::new(),
        needs: Vec::new(),
        duration_ms: 1,
        excerpt: Vec::new(),
        reproduce: "ftpspec check --select rfc959/noop-200".into(),
        impact: String::new(),
        known: None,
    };
    Report {
        schema: "ftpspec-report".into(),
        version: VERSION,
        ftpspec: "0.0.0".into(),
        target: Tested::default(),
        started: 0,
        duration_ms: 1500,
        interrupted: false,
        scenarios: outcomes.iter().map(row).collect(),
        judges: Vec::new(),
        skipped: Vec::new(),
        invalid_scenarios: Vec::new(),
        notices: Vec::new(),
        parts: Vec::new(),
        filters: Filters::default(),
        baseline_errors: Vec::new(),
    }
}

/// A broken MUST, as a judge reports it.
pub(super) fn finding(observed: &str) -> Finding {
    Finding {
        judge: "expectation".into(),
        level: Level::Must,
        requirement: "NOOP is answered 200".into(),
        clause: "RFC 959 §4.1.3".into(),
        about: Vec::new(),
        expected: "200".into(),
        observed: observed.into(),
        connection: Connection::main(),
        line: 8,
        event: 3,
        shows_impact: true,
    }
}

/// A small report that contains everything a renderer shows, once.
pub(super) fn of_every_outcome() -> Report {
    let mut outcomes = Outcome::ALL.to_vec();
    // One that is known, one that is stale, one of a user's own scenario.
    outcomes.extend([Outcome::Fail, Outcome::Pass, Outcome::Fail]);
    let mut report = report(&outcomes);
    for (row, name) in report
        .scenarios
        .iter_mut()
        .zip(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"])
    {
        row.verdict.scenario = format!("rfc{}/{name}", if name < "g" { 959 } else { 3659 });
        row.reproduce = format!(
            "ftpspec check --select {} --variant pasv",
            row.verdict.scenario
        );
        row.covers = vec!["959-5.4-noop-replies".into()];
        match row.verdict.outcome {
            Outcome::Pass => {}
            Outcome::Unsupported | Outcome::Misadvertised => {
                row.needs = vec!["SIZE".into()];
                row.verdict.lacks = Some("SIZE".into());
                row.verdict.reason = "`SIZE a` was answered 500".into();
            }
            Outcome::Fail | Outcome::Warn | Outcome::Note => {
                let mut finding = finding("500 \"What <b>?\u{1b}[0m\"");
                finding.level = match row.verdict.outcome {
                    Outcome::Fail => Level::Must,
                    Outcome::Warn => Level::Should,
                    _ => Level::May,
                };
                row.verdict.findings.push(finding);
                row.excerpt = vec!["C: NOOP".into(), "S: 500 What?".into()];
                row.impact = "Clients that keep a session alive with NOOP lose it.".into();
            }
            _ => row.verdict.reason = "login: 530 Not today.".into(),
        }
    }
    for at in [9, 10] {
        report.scenarios[at].known = Some(Accepted {
            reason: "ticket 7".into(),
        });
    }
    report.scenarios[11].verdict.scenario = "mine/l".into();
    report.scenarios[11].reproduce = "ftpspec run mine/l.ftpt --variant pasv".into();
    report.target = Tested {
        url: "ftp://127.0.0.1:2121".into(),
        greeting: "Welcome\u{7}".into(),
        features: Some(vec!["SIZE".into(), "MDTM".into()]),
        implemented: vec!["EPSV".into(), "MDTM".into(), "NOOP".into()],
        not_implemented: vec!["SIZE".into(), "SMNT".into()],
    };
    report.judges = vec![JudgeVerdict {
        judge: "reply-syntax".into(),
        statement: "replies have the form of RFC 959".into(),
        impact: "Clients wait for the end of a line that never comes.".into(),
        clause: "RFC 959 §4.2".into(),
        outcome: Outcome::Fail,
        count: 3,
        findings: vec![Located {
            scenario: "rfc959/a".into(),
            variant: "pasv".parse().ok(),
            finding: finding("20 Okay"),
            excerpt: vec!["S: 20 Okay".into()],
        }],
        rules: Vec::new(),
        known: None,
    }];
    report.skipped = vec![SkippedRow {
        scenario: "rfc4217/m".into(),
        variant: "pasv tls".parse().ok(),
        reason: "the target has no TLS".into(),
    }];
    report.invalid_scenarios = vec!["mine/broken.ftpt".into()];
    report
}

#[rstest]
#[case(&[Outcome::Pass, Outcome::Note, Outcome::Unsupported], false, RunStatus::AsExpected)]
#[case(&[Outcome::Pass, Outcome::Warn], false, RunStatus::AsExpected)]
#[case(&[Outcome::Pass, Outcome::Warn], true, RunStatus::NotAsExpected)]
#[case(&[Outcome::Pass, Outcome::Fail], false, RunStatus::NotAsExpected)]
#[case(&[Outcome::Misadvertised], false, RunStatus::NotAsExpected)]
#[case(&[Outcome::Blocked], false, RunStatus::NotAsExpected)]
#[case(&[Outcome::Fail, Outcome::Error], false, RunStatus::Error)]
#[case(&[], false, RunStatus::NothingPlayed)]
fn the_worst_outcome_decides_the_status(
    #[case] outcomes: &[Outcome],
    #[case] strict: bool,
    #[case] status: RunStatus,
) {
    assert_eq!(report(outcomes).status(strict), status);
}

#[rstest]
#[case::excused(Outcome::Fail, false, RunStatus::AsExpected)]
#[case::excused_when_strict(Outcome::Warn, true, RunStatus::AsExpected)]
#[case::not_testable(Outcome::Blocked, false, RunStatus::AsExpected)]
#[case::stale(Outcome::Pass, false, RunStatus::NotAsExpected)]
#[case::nothing_was_tested(Outcome::Unsupported, false, RunStatus::AsExpected)]
#[case::never_excused(Outcome::Error, false, RunStatus::Error)]
fn what_a_baseline_knows_does_not_fail_the_run_until_it_is_stale(
    #[case] outcome: Outcome,
    #[case] strict: bool,
    #[case] status: RunStatus,
) {
    let mut report = report(&[Outcome::Pass, outcome]);
    report.scenarios[1].known = Some(Accepted {
        reason: "ticket 7".into(),
    });
    assert_eq!(report.status(strict), status);
    assert_eq!(report.scenarios[1].is_stale(), outcome == Outcome::Pass);
}

#[test]
fn one_part_of_a_run_may_be_empty_and_the_whole_may_not() {
    let part = |number| Part { number, of: 2 };
    let mut report = report(&[]);
    report.parts = vec![part(1)];
    assert_eq!(report.status(false), RunStatus::AsExpected);
    report.parts.push(part(2));
    assert_eq!(report.status(false), RunStatus::NothingPlayed);
}

#[test]
fn an_interrupted_run_says_so() {
    let interrupted = Report {
        interrupted: true,
        ..report(&[Outcome::Fail])
    };
    assert_eq!(interrupted.status(false), RunStatus::Interrupted);
}
