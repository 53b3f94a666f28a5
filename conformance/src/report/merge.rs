//! One report out of the parts of a run, or out of several runs against one server.

use super::{Report, Row};
use crate::scenario::TestCase;
use crate::verdict::JudgeVerdict;
use std::collections::{BTreeMap, BTreeSet};

/// The number of findings kept per judge in a merged report; all are counted.
const KEPT: usize = 20;

/// Why reports cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is none.
    #[error("there is no report to merge")]
    Nothing,
    /// They are about different servers.
    #[error(
        "these reports are about different servers, {0} and {1}: merge those of one server, each"
    )]
    OtherTarget(String, String),
    /// They are parts of differently split runs.
    #[error(
        "these reports are parts of differently split runs, {0} and {1}: play them with the same --partition"
    )]
    OtherSplit(String, String),
}

/// Merges reports about one server, in any order: the result is the same.
///
/// Rows are those of all, in the order of scenario and variant; of one that is there twice the
/// worse is kept. Times are added, the beginning is the earliest. What was played somewhere is not
/// skipped.
///
/// # Errors
/// There is none, or they are about different servers or parts of differently split runs.
pub fn merge(reports: Vec<Report>) -> Result<Report, MergeError> {
    let mut reports = reports;
    // Facts that occur once are those of the earliest report, whatever the order of the arguments.
    reports.sort_by(|one, other| {
        let key = |report: &Report| (report.started, report.parts.clone(), report.duration_ms);
        key(one).cmp(&key(other))
    });
    let mut reports = reports.into_iter();
    let mut merged = reports.next().ok_or(MergeError::Nothing)?;
    for report in reports {
        add(&mut merged, report)?;
    }
    tidy(&mut merged);
    Ok(merged)
}

fn add(merged: &mut Report, report: Report) -> Result<(), MergeError> {
    if merged.target.url != report.target.url {
        let urls = (merged.target.url.clone(), report.target.url);
        return Err(MergeError::OtherTarget(urls.0, urls.1));
    }
    if let (Some(one), Some(other)) = (merged.parts.first(), report.parts.first())
        && one.of != other.of
    {
        return Err(MergeError::OtherSplit(one.to_string(), other.to_string()));
    }
    let (one, other) = (&mut merged.target, report.target);
    if one.greeting.is_empty() {
        one.greeting = other.greeting;
    }
    one.features = match (one.features.take(), other.features) {
        (Some(mut lines), Some(others)) => {
            lines.extend(
                others
                    .into_iter()
                    .filter(|line| !lines.contains(line))
                    .collect::<Vec<_>>(),
            );
            Some(lines)
        }
        (lines, others) => lines.or(others),
    };
    one.implemented.extend(other.implemented);
    one.not_implemented.extend(other.not_implemented);
    merged.duration_ms = merged.duration_ms.saturating_add(report.duration_ms);
    merged.interrupted |= report.interrupted;
    merged.scenarios.extend(report.scenarios);
    for judge in report.judges {
        match merged
            .judges
            .iter_mut()
            .find(|known| known.judge == judge.judge)
        {
            Some(known) => look(known, judge),
            None => merged.judges.push(judge),
        }
    }
    merged.skipped.extend(report.skipped);
    merged.invalid_scenarios.extend(report.invalid_scenarios);
    merged.notices.extend(report.notices);
    merged.parts.extend(report.parts);
    merged.filters.scenarios |= report.filters.scenarios;
    merged.filters.variants |= report.filters.variants;
    for fault in report.baseline_errors {
        if !merged.baseline_errors.contains(&fault) {
            merged.baseline_errors.push(fault);
        }
    }
    Ok(())
}

fn look(known: &mut JudgeVerdict, judge: JudgeVerdict) {
    known.outcome = known.outcome.max(judge.outcome);
    known.count = known.count.saturating_add(judge.count);
    known.known = known.known.take().or(judge.known);
    for rule in judge.rules {
        known.count_rule(&rule.requirement, rule.outcome, rule.count);
    }
    for located in judge.findings {
        let reproduce = known.findings.iter().any(|other| {
            other.finding.requirement == located.finding.requirement
                && other.finding.expected == located.finding.expected
        });
        if !reproduce && known.findings.len() < KEPT {
            known.findings.push(located);
        }
    }
}

fn tidy(merged: &mut Report) {
    let mut rows: BTreeMap<TestCase, Row> = BTreeMap::new();
    for row in std::mem::take(&mut merged.scenarios) {
        let case = row.verdict.case();
        match rows.get(&case) {
            Some(there) if there.verdict.outcome >= row.verdict.outcome => {}
            _ => drop(rows.insert(case, row)),
        }
    }
    let played: BTreeSet<TestCase> = rows.keys().cloned().collect();
    merged.scenarios = rows.into_values().collect();

    merged.skipped.sort_by(|one, other| {
        (&one.scenario, &one.variant, &one.reason).cmp(&(
            &other.scenario,
            &other.variant,
            &other.reason,
        ))
    });
    merged
        .skipped
        .dedup_by(|one, other| one.scenario == other.scenario && one.variant == other.variant);
    merged.skipped.retain(|row| {
        let is_it = |case: &TestCase| {
            case.scenario == row.scenario && row.variant.is_none_or(|it| it == case.variant)
        };
        !played.iter().any(is_it)
    });
    sort(&mut merged.invalid_scenarios);
    sort(&mut merged.parts);
    let target = &mut merged.target;
    sort(&mut target.implemented);
    sort(&mut target.not_implemented);
    let implemented = &target.implemented;
    target
        .not_implemented
        .retain(|verb| implemented.binary_search(verb).is_err());
}

fn sort<T: Ord>(list: &mut Vec<T>) {
    list.sort();
    list.dedup();
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::report::json;
    use crate::report::tests::report;
    use crate::report::{Part, SkippedRow};
    use crate::verdict::Outcome;

    fn part(number: u32, scenario: &str, outcome: Outcome) -> Report {
        let mut report = report(&[outcome]);
        report.scenarios[0].verdict.scenario = scenario.into();
        report.parts = vec![Part { number, of: 3 }];
        report.target.implemented = vec!["NOOP".into()];
        report
    }

    #[test]
    fn parts_become_one_report_whatever_their_order() {
        let one = part(1, "rfc959/a", Outcome::Pass);
        let mut two = part(2, "rfc959/b", Outcome::Fail);
        two.target.not_implemented = vec!["NOOP".into(), "SMNT".into()];
        let merged = merge(vec![one.clone(), two.clone()]).unwrap();
        assert_eq!(json(&merged), json(&merge(vec![two, one]).unwrap()));
        assert_eq!(merged.scenarios.len(), 2);
        assert_eq!((merged.duration_ms, merged.fails(false)), (3000, true));
        assert_eq!(merged.target.not_implemented, ["SMNT"]);
        assert_eq!(merged.missing_parts(), [Part { number: 3, of: 3 }]);
    }

    #[test]
    fn of_a_scenario_that_was_played_twice_the_worse_is_kept() {
        let (good, bad) = (part(1, "a", Outcome::Pass), part(1, "a", Outcome::Fail));
        for reports in [vec![good.clone(), bad.clone()], vec![bad, good]] {
            let merged = merge(reports).unwrap();
            assert_eq!(merged.scenarios.len(), 1);
            assert_eq!(merged.count(Outcome::Fail), 1);
        }
    }

    #[test]
    fn what_was_played_somewhere_is_not_skipped() {
        let mut other = part(2, "b", Outcome::Pass);
        let skipped = |scenario: &str, variant: &str| SkippedRow {
            scenario: scenario.into(),
            variant: variant.parse().ok(),
            reason: "no TLS".into(),
        };
        other.skipped = vec![
            skipped("a", "pasv"),
            skipped("a", "pasv tls"),
            skipped("c", "all"),
        ];
        let merged = merge(vec![part(1, "a", Outcome::Pass), other.clone(), other]).unwrap();
        let left = merged.skipped.iter();
        let left: Vec<_> = left
            .map(|row| (row.scenario.as_str(), row.variant))
            .collect();
        assert_eq!(left, [("a", "pasv tls".parse().ok()), ("c", None)]);
    }

    #[test]
    fn reports_that_do_not_belong_together_are_not_merged() {
        let mut other = part(2, "b", Outcome::Pass);
        other.target.url = "ftp://elsewhere".into();
        assert!(matches!(
            merge(vec![part(1, "a", Outcome::Pass), other]),
            Err(MergeError::OtherTarget(..))
        ));
        let mut other = part(2, "b", Outcome::Pass);
        other.parts[0].of = 4;
        assert!(matches!(
            merge(vec![part(1, "a", Outcome::Pass), other]),
            Err(MergeError::OtherSplit(..))
        ));
        assert_eq!(merge(Vec::new()).unwrap_err(), MergeError::Nothing);
    }
}
