#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use super::*;
use crate::report::tests::{finding, of_every_outcome, report};

#[test]
fn a_failure_is_shown_with_its_evidence_and_the_command_that_repeats_it() {
    let mut report = report(&[Outcome::Pass, Outcome::Fail]);
    report.target.url = "ftp://127.0.0.1:2121".into();
    let row = &mut report.scenarios[1];
    row.excerpt = vec!["C: NOOP".into(), "S: 500 What?".into()];
    row.covers = vec!["959-5.4-greeting-code".into(), "gone".into()];
    row.verdict.findings.push(finding("500 What?"));
    insta::assert_snapshot!(terminal(&Sanitized::of(&report), Look::default()), @r"
    ftpspec 0.0.0 · ftp://127.0.0.1:2121

    FAIL rfc959/noop-200 [pasv]
      NOOP is answered 200
      rule      A new control connection is answered with 220, or 120 now and 220 when ready, or 421 if service is refused. (RFC 959 §5.4, 959-5.4-greeting-code)
      clause    RFC 959 §4.1.3 (must)
      expected  200
      observed  500 What?
      at        line 8 of the scenario
      wire      C: NOOP
                S: 500 What?
      again     ftpspec check --select rfc959/noop-200

      RFC 959     2  1 PASS  1 FAIL

    1 scenario in 2 variants and 0 judges in 1.5 s: 1 PASS, 1 FAIL
    Not as expected: 1 FAIL
    ");
}

#[test]
fn failures_come_first_and_the_summary_last() {
    let text = terminal(&Sanitized::of(&of_every_outcome()), Look::default());
    insta::assert_snapshot!("every_outcome", text);
}

#[test]
fn a_failure_in_many_variants_is_shown_once() {
    let mut report = report(&[Outcome::Fail; 3]);
    for (row, variant) in report.scenarios.iter_mut().zip(["pasv", "epsv", "port"]) {
        row.verdict.variant = variant.parse().expect("a variant");
        row.verdict.findings.push(finding(variant));
    }
    report.scenarios[2].verdict.findings[0].expected = "226".into();
    let text = terminal(&Sanitized::of(&report), Look::default());
    insta::assert_snapshot!(text.split("\n\n").nth(1).unwrap(), @r"
    FAIL rfc959/noop-200 [pasv, epsv, port]
      NOOP is answered 200
      clause    RFC 959 §4.1.3 (must)
      expected  200
      observed  pasv
      at        line 8 of the scenario
      in        pasv, epsv
      clause    RFC 959 §4.1.3 (must)
      expected  226
      observed  port
      at        line 8 of the scenario
      in        port
      again     ftpspec check --select rfc959/noop-200
    ");
}

#[test]
fn scenarios_blocked_for_one_reason_are_shown_once() {
    let mut report = report(&[Outcome::Blocked; 40]);
    for (index, row) in report.scenarios.iter_mut().enumerate() {
        row.verdict.scenario = format!("rfc959/{:02}", index / 2);
        row.verdict.variant = ["pasv", "epsv"][index % 2].parse().expect("a variant");
        row.verdict.reason = "login: 530 No.".into();
    }
    report.scenarios[3].excerpt = vec!["S: 530 No.".into()];
    let text = terminal(&Sanitized::of(&report), Look::default());
    insta::assert_snapshot!(text.split("\n\n").nth(1).unwrap(), @r"
    BLOCKED 20 scenarios in 40 variants
      because   login: 530 No.
      of these  rfc959/00 [pasv, epsv]
                rfc959/01 [pasv, epsv]
                rfc959/02 [pasv, epsv]
                rfc959/03 [pasv, epsv]
                rfc959/04 [pasv, epsv]
      … and 15 more; see them in the other report formats (--html, --report-json)
      wire      S: 530 No.
      again     ftpspec check --select rfc959/noop-200
    ");
    assert_eq!(text.matches("530 No.").count(), 2, "{text}");
}

#[test]
fn the_slowest_scenarios_of_a_long_run_are_shown() {
    let mut report = report(&[Outcome::Pass, Outcome::Pass]);
    report.scenarios[0].duration_ms = 4321;
    let expected = "Slowest\n    4.3 s  rfc959/noop-200 [pasv]\n\n";
    assert!(!terminal(&Sanitized::of(&report), Look::default()).contains("Slowest"));
    report.duration_ms = 10_000;
    let text = terminal(&Sanitized::of(&report), Look::default());
    assert!(text.contains(expected), "{text}");
}

#[test]
fn where_nothing_was_played_no_judge_says_that_all_is_well() {
    let mut report = report(&[]);
    report.judges = of_every_outcome().judges;
    report.judges[0].outcome = Outcome::Pass;
    insta::assert_snapshot!(terminal(&Sanitized::of(&report), Look::default()), @r"
    ftpspec 0.0.0 ·

    0 scenarios in 1.5 s
    Nothing was played
    ");
}

#[test]
fn nothing_a_server_sends_acts_on_the_terminal() {
    let text = terminal(&Sanitized::of(&of_every_outcome()), Look::default());
    let acting = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(acting, None);
    assert!(text.contains("\\u{1b}[0m"), "{text}");
}

#[test]
fn colours_come_only_when_asked_for() {
    let report = report(&[Outcome::Fail]);
    assert!(!terminal(&Sanitized::of(&report), Look::default()).contains('\u{1b}'));
    assert!(
        terminal(
            &Sanitized::of(&report),
            Look {
                colour: true,
                strict: false
            }
        )
        .contains('\u{1b}')
    );
}
