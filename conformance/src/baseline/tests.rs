#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use super::*;
use crate::report::testing::{judge, row};
use crate::report::{FaultKind, Filters, Report, Row, RunStatus, SkippedRow};
use rstest::rstest;

const SCENARIOS: [&str; 3] = ["rfc959/abor-idle", "rfc959/noop-says-200", "rfc3659/size"];

/// Rows as `scenario [variant] OUTCOME`.
fn report(rows: &[&str]) -> Report {
    let mut report = crate::report::testing::report(&[]);
    for text in rows {
        let (scenario, rest) = text.split_once(" [").unwrap();
        let (variant, outcome) = rest.split_once("] ").unwrap();
        report
            .scenarios
            .push(row(scenario, variant, outcome.parse().unwrap()));
    }
    report
}

fn applied(baseline: &str, report: &mut Report, strict: bool) -> Vec<(FaultKind, usize)> {
    let baseline = Baseline::read("known.toml", baseline).unwrap();
    let names = Names {
        scenarios: &SCENARIOS,
        judges: &["reply-syntax", "reply-code"],
    };
    apply(&[baseline], report, names, strict);
    report
        .baseline_errors
        .iter()
        .map(|fault| (fault.fault, fault.line))
        .collect()
}

const ABOR: &str =
    "[[known]]\nscenario = \"rfc959/abor-idle\"\noutcome = \"FAIL\"\nreason = \"ticket 7\"\n";

#[test]
fn a_known_deviation_does_not_fail_the_run_and_is_shown_with_its_reason() {
    let mut report = report(&[
        "rfc959/abor-idle [pasv] FAIL",
        "rfc959/noop-says-200 [pasv] PASS",
    ]);
    assert_eq!(report.status(true), RunStatus::NotAsExpected);
    let with_issue = format!("{ABOR}issue = \"https://example.org/7\"\nsince = 2026-01-02\n");
    assert_eq!(applied(&with_issue, &mut report, true), []);
    assert_eq!(report.status(true), RunStatus::AsExpected);
    let known = report.scenarios[0].known.as_ref().unwrap();
    assert_eq!(known.reason, "ticket 7 (https://example.org/7)");
    assert_eq!(report.scenarios[1].known, None);
}

#[rstest]
#[case("FAIL", "FAIL", true)]
#[case("FAIL", "WARN", true)]
#[case("MISADVERTISED", "FAIL", true)]
#[case("WARN", "WARN", true)]
#[case("BLOCKED", "BLOCKED", true)]
#[case("WARN", "FAIL", false)]
#[case("FAIL", "MISADVERTISED", false)]
#[case("FAIL", "BLOCKED", false)]
#[case("BLOCKED", "FAIL", false)]
#[case("FAIL", "ERROR", false)]
#[case("MISADVERTISED", "ERROR", false)]
fn what_is_worse_than_known_is_not_excused(
    #[case] known: &str,
    #[case] observed: &str,
    #[case] excused: bool,
) {
    let mut report = report(&[&format!("rfc959/abor-idle [pasv] {observed}")]);
    assert_ne!(report.status(true), RunStatus::AsExpected);
    let baseline = ABOR.replace("FAIL", known);
    assert_eq!(applied(&baseline, &mut report, true), []);
    assert_eq!(report.status(true) == RunStatus::AsExpected, excused);
    assert_eq!(report.scenarios[0].known.is_some(), excused);
}

#[test]
fn only_the_variants_that_are_named_are_known() {
    let mut report = report(&[
        "rfc959/abor-idle [pasv] FAIL",
        "rfc959/abor-idle [epsv tls] FAIL",
    ]);
    let baseline = format!("{ABOR}variant = \"*tls\"\n");
    assert_eq!(applied(&baseline, &mut report, false), []);
    assert!(report.scenarios[0].known.is_none() && report.scenarios[1].known.is_some());
    assert_eq!(report.status(false), RunStatus::NotAsExpected);
}

#[test]
fn what_shows_sometimes_is_known_when_it_does_and_not_stale_when_it_does_not() {
    let sometimes = format!("{ABOR}sometimes = true\n");
    let mut shows = report(&["rfc959/abor-idle [pasv] FAIL"]);
    assert_eq!(applied(&sometimes, &mut shows, false), []);
    assert_eq!(shows.status(false), RunStatus::AsExpected);
    let mut holds = report(&["rfc959/abor-idle [pasv] PASS"]);
    assert_eq!(applied(&sometimes, &mut holds, false), []);
    assert_eq!(holds.status(false), RunStatus::AsExpected);
}

#[test]
fn what_holds_in_every_variant_is_stale_and_fails() {
    let mut stale = report(&[
        "rfc959/abor-idle [pasv] PASS",
        "rfc959/abor-idle [epsv] PASS",
    ]);
    assert_eq!(applied(ABOR, &mut stale, false), [(FaultKind::Stale, 1)]);
    assert_eq!(stale.status(false), RunStatus::NotAsExpected);
    assert!(stale.scenarios.iter().all(Row::is_stale));

    let mut still = report(&[
        "rfc959/abor-idle [pasv] PASS",
        "rfc959/abor-idle [epsv] FAIL",
    ]);
    assert_eq!(applied(ABOR, &mut still, false), []);
    assert_eq!(still.status(false), RunStatus::AsExpected);
}

#[rstest]
#[case::not_played(&["rfc959/noop-says-200 [pasv] PASS"])]
#[case::nothing_was_tested(&["rfc959/abor-idle [pasv] UNSUPPORTED"])]
#[case::nothing_left(&["rfc959/abor-idle [pasv] INCONCLUSIVE"])]
#[case::one_deviates_less(&["rfc959/abor-idle [pasv] PASS", "rfc959/abor-idle [epsv] WARN"])]
fn what_was_not_seen_to_hold_is_not_stale(#[case] rows: &[&str]) {
    let mut report = report(rows);
    assert_eq!(applied(ABOR, &mut report, false), []);
    assert_eq!(report.status(false), RunStatus::AsExpected);
}

#[test]
fn of_a_part_of_the_suite_nothing_is_said_of_the_rest() {
    let rows = ["rfc959/abor-idle [pasv] PASS"];
    let variants = Filters {
        variants: true,
        ..Filters::default()
    };
    let scenarios = Filters {
        scenarios: true,
        ..Filters::default()
    };
    let filters = |filters| Report {
        filters,
        ..report(&rows)
    };
    let all = ABOR.replace("abor-idle", "*");
    let pasv = format!("{ABOR}variant = \"pasv\"\n");
    assert_eq!(applied(ABOR, &mut filters(variants), false), []);
    assert_eq!(
        applied(&pasv, &mut filters(variants), false),
        [(FaultKind::Stale, 1)]
    );
    assert_eq!(applied(&all, &mut filters(scenarios), false), []);
    assert_eq!(
        applied(ABOR, &mut filters(scenarios), false),
        [(FaultKind::Stale, 1)]
    );
    assert_eq!(
        applied(&all, &mut report(&rows), false),
        [(FaultKind::Stale, 1)]
    );

    let mut skipped = report(&rows);
    skipped.skipped.push(SkippedRow {
        scenario: "rfc959/abor-idle".into(),
        variant: "epsv ipv6".parse().ok(),
        reason: "the target has no IPv6 address".into(),
    });
    assert_eq!(applied(ABOR, &mut skipped, false), []);
    let mut interrupted = Report {
        interrupted: true,
        ..report(&rows)
    };
    assert_eq!(applied(ABOR, &mut interrupted, false), []);
}

#[rstest]
#[case(
    "scenario = \"rfc959/abor-idel\"",
    "there is no scenario `rfc959/abor-idel`; did you mean `rfc959/abor-idle`?"
)]
#[case("scenario = \"rfc9590/*\"", "there is no scenario `rfc9590/*`")]
#[case(
    "scenario = \"rfc959/abor-idle\"\nvariant = \"psav\"",
    "there is no variant `psav`"
)]
#[case(
    "scenario = \"rfc959/abor-idle\"\nvariant = \"tls epsv\"",
    "did you mean `epsv tls`?"
)]
#[case(
    "judge = \"reply-sintax\"",
    "there is no judge `reply-sintax`; did you mean `reply-syntax`?"
)]
fn an_entry_about_nothing_fails_the_run_and_says_what_could_be_meant(
    #[case] about: &str,
    #[case] message: &str,
) {
    let mut report = report(&["rfc959/noop-says-200 [pasv] PASS"]);
    let baseline = format!("# known\n\n[[known]]\n{about}\noutcome = \"FAIL\"\nreason = \"x\"\n");
    assert_eq!(
        applied(&baseline, &mut report, false),
        [(FaultKind::Unknown, 3)]
    );
    assert!(
        report.baseline_errors[0].message.contains(message),
        "{:?}",
        report.baseline_errors
    );
    assert_eq!(report.status(false), RunStatus::NotAsExpected);
}

const SYNTAX: &str = "[[known]]\njudge = \"reply-syntax\"\nrequirement = \"CR LF\"\noutcome = \"FAIL\"\nreason = \"old\"\n";

#[test]
fn a_judge_is_known_when_everything_it_finds_is() {
    let judged = |rules: &[(&str, Outcome)]| {
        let mut report = report(&["rfc959/noop-says-200 [pasv] PASS"]);
        report.judges.push(judge("reply-syntax", rules));
        report
    };
    let mut known = judged(&[("CR LF", Outcome::Fail), ("length", Outcome::Note)]);
    assert_eq!(known.status(false), RunStatus::NotAsExpected);
    assert_eq!(applied(SYNTAX, &mut known, false), []);
    assert_eq!(known.status(false), RunStatus::AsExpected);
    assert_eq!(known.judges[0].known.as_ref().unwrap().reason, "old");

    let mut more = judged(&[("CR LF", Outcome::Fail), ("NUL", Outcome::Fail)]);
    assert_eq!(applied(SYNTAX, &mut more, false), []);
    assert_eq!(
        (more.status(false), &more.judges[0].known),
        (RunStatus::NotAsExpected, &None)
    );

    let warned = [("CR LF", Outcome::Fail), ("digit", Outcome::Warn)];
    let mut lenient = judged(&warned);
    applied(SYNTAX, &mut lenient, false);
    assert_eq!(lenient.status(false), RunStatus::AsExpected);
    let mut strict = judged(&warned);
    applied(SYNTAX, &mut strict, true);
    assert_eq!(strict.status(true), RunStatus::NotAsExpected);

    let mut stale = judged(&[]);
    assert_eq!(applied(SYNTAX, &mut stale, false), [(FaultKind::Stale, 1)]);
    assert_eq!(stale.status(false), RunStatus::NotAsExpected);
    let mut other = judged(&[("NUL", Outcome::Fail)]);
    assert_eq!(applied(SYNTAX, &mut other, false), [(FaultKind::Stale, 1)]);
}

#[rstest]
#[case("scenario = \"a\"\noutcome = \"FAIL\"", "missing field `reason`")]
#[case(
    "scenario = \"a\"\noutcome = \"FAIL\"\nreason = \" \"",
    "known.toml:1: a [*]: the reason is empty"
)]
#[case(
    "scenario = \"a\"\noutcome = \"ERROR\"\nreason = \"x\"",
    "an ERROR is never excused"
)]
#[case(
    "scenario = \"a\"\noutcome = \"PASS\"\nreason = \"x\"",
    "this outcome never fails a run"
)]
#[case(
    "scenario = \"a\"\noutcome = \"BAD\"\nreason = \"x\"",
    "is not an outcome"
)]
#[case(
    "scenario = \"a\"\noutcome = \"NOT-TESTABLE\"\nreason = \"x\"",
    "the outcome `NOT-TESTABLE` was renamed to `BLOCKED`"
)]
#[case(
    "scenario = \"a\"\njudge = \"b\"\noutcome = \"FAIL\"\nreason = \"x\"",
    "say either `scenario` or `judge`"
)]
#[case(
    "outcome = \"FAIL\"\nreason = \"x\"",
    "say either `scenario` or `judge`"
)]
#[case(
    "judge = \"a\"\nvariant = \"b\"\noutcome = \"FAIL\"\nreason = \"x\"",
    "`variant` goes with `scenario`"
)]
#[case(
    "scenario = \"a\"\nrequirement = \"b\"\noutcome = \"FAIL\"\nreason = \"x\"",
    "`requirement` goes with `judge`"
)]
#[case(
    "scenario = \"a\"\noutcom = \"FAIL\"\nreason = \"x\"",
    "unknown field `outcom`"
)]
fn a_file_that_cannot_be_meant_is_refused(#[case] entry: &str, #[case] message: &str) {
    let error = Baseline::read("known.toml", &format!("[[known]]\n{entry}\n")).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
}

const KEPT: &str = r#"# EventKind we live with.
[[known]]
scenario = "rfc959/noop-says-200" # odd
outcome = "WARN"
reason = "since ever"

# Gone with the next release.
[[known]]
scenario = "rfc959/abor-idle"
outcome  = "FAIL"
reason   = "ticket 7"

[[known]]
judge = "reply-syntax"
outcome = "FAIL"
reason = "old"
"#;

#[test]
fn an_update_adds_what_is_new_removes_what_is_stale_and_keeps_the_rest_as_it_is_written() {
    let mut report = report(&[
        "rfc959/noop-says-200 [pasv] WARN",
        "rfc959/abor-idle [pasv] PASS",
        "rfc3659/size [pasv] FAIL",
        "rfc3659/size [epsv] FAIL",
        "rfc3659/mdtm [pasv] PASS",
        "rfc3659/mdtm [epsv] MISADVERTISED",
        "rfc3659/mlst [pasv] ERROR",
        "rfc3659/mlsd [pasv] WARN",
    ]);
    report
        .judges
        .push(judge("reply-syntax", &[("CR LF", Outcome::Fail)]));
    report.judges.push(judge(
        "reply-code",
        &[("codes", Outcome::Fail), ("style", Outcome::Note)],
    ));
    let update = update("known.toml", KEPT, &report, "accepted \"today\"", false).unwrap();
    assert_eq!(update.removed, ["rfc959/abor-idle [*]"]);
    insta::assert_snapshot!(update.text, @r#"
    # EventKind we live with.
    [[known]]
    scenario = "rfc959/noop-says-200" # odd
    outcome = "WARN"
    reason = "since ever"

    [[known]]
    judge = "reply-syntax"
    outcome = "FAIL"
    reason = "old"

    [[known]]
    scenario = "rfc3659/mdtm"
    variant = "epsv"
    outcome = "MISADVERTISED"
    reason = 'accepted "today"'

    [[known]]
    scenario = "rfc3659/size"
    outcome = "FAIL"
    reason = 'accepted "today"'

    [[known]]
    judge = "reply-code"
    requirement = "codes"
    outcome = "FAIL"
    reason = 'accepted "today"'
    "#);
    let reproduce = super::update("known.toml", &update.text, &report, "again", false).unwrap();
    assert_eq!(
        (
            reproduce.text,
            reproduce.added.len(),
            reproduce.removed.len()
        ),
        (update.text.clone(), 0, 0)
    );

    let mut names: Vec<_> = report
        .scenarios
        .iter()
        .map(|row| row.verdict.scenario.clone())
        .collect();
    names.dedup();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let baseline = Baseline::read("known.toml", &update.text).unwrap();
    let names = Names {
        scenarios: &names,
        judges: &["reply-syntax", "reply-code"],
    };
    report
        .scenarios
        .retain(|row| row.verdict.outcome != Outcome::Error);
    apply(&[baseline], &mut report, names, false);
    assert_eq!(
        (report.status(false), &report.baseline_errors[..]),
        (RunStatus::AsExpected, &[][..])
    );
}

#[test]
fn a_new_file_is_made_of_nothing_and_an_inline_list_is_gone_on_with() {
    let report = report(&["rfc959/abor-idle [pasv] FAIL"]);
    for text in [
        "",
        "known = [{ scenario = \"rfc3659/size\", outcome = \"FAIL\", reason = \"x\" }]\n",
    ] {
        let update = update("known.toml", text, &report, "y", false).unwrap();
        let read = Baseline::read("known.toml", &update.text).unwrap();
        assert_eq!(
            read.entries.len(),
            usize::from(!text.is_empty()) + 1,
            "{}",
            update.text
        );
        assert_eq!(update.added, ["FAIL rfc959/abor-idle [*]"]);
    }
}

#[test]
fn strict_takes_a_warning_for_a_deviation_and_one_variant_says_nothing_of_the_others() {
    let warned = report(&["rfc959/abor-idle [pasv] WARN"]);
    assert_eq!(update("k", "", &warned, "y", false).unwrap().added, [""; 0]);
    assert_eq!(
        update("k", "", &warned, "y", true).unwrap().added,
        ["WARN rfc959/abor-idle [*]"]
    );
    let filters = Report {
        filters: Filters {
            variants: true,
            ..Filters::default()
        },
        ..warned
    };
    assert_eq!(
        update("k", "", &filters, "y", true).unwrap().added,
        ["WARN rfc959/abor-idle [pasv]"]
    );
}

#[test]
fn a_comment_goes_with_the_entry_right_below_it_and_the_head_of_the_file_stays() {
    let abor = "# About ABOR.\n[[known]]\nscenario = \"rfc959/abor-idle\"\noutcome = \"FAIL\"\nreason = \"x\"\n";
    let noop = "# About NOOP.\n[[known]]\nscenario = \"rfc959/noop-says-200\"\noutcome = \"WARN\"\nreason = \"x\"\n";
    let played = report(&[
        "rfc959/abor-idle [pasv] PASS",
        "rfc959/noop-says-200 [pasv] WARN",
    ]);
    let updated = |text: &str| update("k", text, &played, "y", true).unwrap().text;
    assert_eq!(
        updated(&format!("# Ours.\n\n{abor}\n{noop}")),
        format!("# Ours.\n\n{noop}")
    );
    assert_eq!(
        updated(&format!("# Ours.\n\n{noop}\n{abor}")),
        format!("# Ours.\n\n{noop}")
    );
    let nothing = report(&["rfc959/abor-idle [pasv] PASS"]);
    let text = format!("# Ours.\n\n{abor}");
    assert_eq!(
        update("k", &text, &nothing, "y", true).unwrap().text,
        "# Ours.\n"
    );
}
