//! Groups equal rows: variants of a scenario, and scenarios with the same reason or missing
//! feature.

use crate::report::{Report, Row};
use crate::scenario::{Need, Variant};
use crate::verdict::{Finding, Outcome};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A scenario, with all the variants in which it came to the same.
#[derive(Debug, Clone)]
pub(crate) struct Group<'a> {
    /// What it came to.
    pub outcome: Outcome,
    /// At least one, in the order of the plan.
    pub rows: Vec<&'a Row>,
}

/// A finding, and the variants that have it.
#[derive(Debug, Clone)]
pub(crate) struct GroupedFinding<'a> {
    /// As it was found in the first of them.
    pub finding: &'a Finding,
    /// In the order of the plan.
    pub variants: Vec<Variant>,
}

/// Why scenarios were not judged, and which ones.
#[derive(Debug, Clone)]
pub(crate) struct ReasonGroup<'a> {
    /// What that made of them.
    pub outcome: Outcome,
    /// In words.
    pub reason: &'a str,
    /// At least one, in the order of the plan.
    pub rows: Vec<&'a Row>,
}

/// The rows, those of the same scenario and outcome together.
pub(crate) fn entries<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Group<'a>> {
    let mut entries: Vec<Group<'a>> = Vec::new();
    let mut places: BTreeMap<(&str, Outcome), usize> = BTreeMap::new();
    for row in rows {
        let key = (row.verdict.scenario.as_str(), row.verdict.outcome);
        let place = *places.entry(key).or_insert(entries.len());
        match entries.get_mut(place) {
            Some(entry) => entry.rows.push(row),
            None => entries.push(Group {
                outcome: row.verdict.outcome,
                rows: vec![row],
            }),
        }
    }
    entries
}

/// The rows grouped by outcome and reason: the worst first, then the largest group.
pub(crate) fn reason_groups<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<ReasonGroup<'a>> {
    let mut reason_groups: Vec<ReasonGroup<'a>> = Vec::new();
    let mut places: BTreeMap<(&str, Outcome), usize> = BTreeMap::new();
    for row in rows {
        let verdict = &row.verdict;
        let key = (verdict.reason.as_str(), verdict.outcome);
        let place = *places.entry(key).or_insert(reason_groups.len());
        match reason_groups.get_mut(place) {
            Some(reason_group) => reason_group.rows.push(row),
            None => reason_groups.push(ReasonGroup {
                outcome: verdict.outcome,
                reason: &verdict.reason,
                rows: vec![row],
            }),
        }
    }
    reason_groups
        .sort_by_key(|reason_group| Reverse((reason_group.outcome, reason_group.rows.len())));
    reason_groups
}

/// The optional features that are absent and not advertised, each with the scenarios that would
/// have been about it.
pub(crate) fn absent(report: &Report) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut absent: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for verdict in report.scenarios.iter().map(|row| &row.verdict) {
        if verdict.outcome == Outcome::Unsupported {
            let lacks = verdict
                .lacks
                .as_ref()
                .map_or("something optional", Need::as_str);
            absent.entry(lacks).or_default().insert(&verdict.scenario);
        }
    }
    absent
}

impl<'a> Group<'a> {
    /// Why a baseline accepts it; empty if it does not.
    pub(crate) fn accepted(&self) -> &'a str {
        let known = self.rows.iter().find_map(|row| row.known.as_ref());
        known.map_or("", |known| &known.reason)
    }

    pub(crate) fn variants(&self) -> Vec<Variant> {
        self.rows.iter().map(|row| row.verdict.variant).collect()
    }

    /// The requirements it is about in any of its variants.
    pub(crate) fn concerns(&self) -> Vec<&'a str> {
        let mut ids: Vec<&str> = Vec::new();
        for id in self.rows.iter().flat_map(|row| row.concerns()) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    /// The row that speaks for all: the first with a wire to show.
    pub(crate) fn representative(&self) -> &'a Row {
        representative(&self.rows)
    }

    /// Its findings, each once, those of the highest level first.
    pub(crate) fn grouped_findings(&self) -> Vec<GroupedFinding<'a>> {
        let mut grouped_findings: Vec<GroupedFinding<'a>> = Vec::new();
        for row in &self.rows {
            for finding in &row.verdict.findings {
                // An observation may contain a port or a directory of its run.
                let same = |grouped_finding: &&mut GroupedFinding<'a>| {
                    let known = grouped_finding.finding;
                    (known.line, &known.expected, &known.requirement)
                        == (finding.line, &finding.expected, &finding.requirement)
                };
                match grouped_findings.iter_mut().find(same) {
                    Some(grouped_finding) => {
                        if !grouped_finding.variants.contains(&row.verdict.variant) {
                            grouped_finding.variants.push(row.verdict.variant);
                        }
                    }
                    None => grouped_findings.push(GroupedFinding {
                        finding,
                        variants: vec![row.verdict.variant],
                    }),
                }
            }
        }
        grouped_findings.sort_by_key(|grouped_finding| grouped_finding.finding.level);
        grouped_findings
    }
}

impl<'a> ReasonGroup<'a> {
    /// How much it stopped: `1 scenario`, `3 scenarios in 8 variants`.
    pub(crate) fn scale(&self) -> String {
        let rows = self.rows.iter();
        let scenarios: BTreeSet<&str> = rows.map(|row| row.verdict.scenario.as_str()).collect();
        match (scenarios.len(), self.rows.len()) {
            (1, 1) => "1 scenario".into(),
            (1, rows) => format!("1 scenario in {rows} variants"),
            (scenarios, rows) if scenarios == rows => format!("{scenarios} scenarios"),
            (scenarios, rows) => format!("{scenarios} scenarios in {rows} variants"),
        }
    }

    /// The row that speaks for all: the first with a wire to show.
    pub(crate) fn representative(&self) -> &'a Row {
        representative(&self.rows)
    }
}

fn representative<'a>(rows: &[&'a Row]) -> &'a Row {
    let with_wire = rows.iter().find(|row| !row.excerpt.is_empty());
    with_wire.unwrap_or(&rows[0])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::report::tests::{finding, report};
    use crate::text::joined;

    #[test]
    fn variants_that_come_to_the_same_are_one_entry() {
        let mut report = report(&[Outcome::Fail, Outcome::Pass, Outcome::Fail, Outcome::Fail]);
        for (row, variant) in report
            .scenarios
            .iter_mut()
            .zip(["pasv", "epsv", "port", "eprt"])
        {
            row.verdict.variant = variant.parse().unwrap();
            if variant != "epsv" {
                row.verdict.findings.push(finding(variant));
            }
        }
        report.scenarios[3].verdict.findings[0].line = 9;
        report.scenarios[2].excerpt = vec!["S: 500 What?".into()];
        let entries = entries(&report.scenarios);
        let variants: Vec<_> = entries.iter().map(|it| joined(&it.variants())).collect();
        assert_eq!(variants, ["pasv, port, eprt", "epsv"]);
        // Another line is another finding, another text is not.
        let grouped_findings: Vec<_> = entries[0]
            .grouped_findings()
            .into_iter()
            .map(|it| joined(&it.variants))
            .collect();
        assert_eq!(grouped_findings, ["pasv, port", "eprt"]);
        let representatives = [0, 1].map(|at| entries[at].representative().verdict.variant);
        assert_eq!(joined(&representatives), "port, epsv");
    }

    #[test]
    fn what_one_reason_stopped_is_one_obstacle_and_the_greatest_comes_first() {
        let mut report = report(&[Outcome::Blocked; 5]);
        let groups = [
            ("a", "no login"),
            ("b", "x"),
            ("b", "x"),
            ("c", "x"),
            ("c", "y"),
        ];
        for (row, (scenario, reason)) in report.scenarios.iter_mut().zip(groups) {
            row.verdict.scenario = scenario.into();
            row.verdict.reason = reason.into();
        }
        report.scenarios[4].verdict.outcome = Outcome::Error;
        let reason_groups = reason_groups(&report.scenarios);
        let groups: Vec<_> = reason_groups
            .iter()
            .map(|it| (it.reason, it.scale()))
            .collect();
        let expected = [
            ("x", "2 scenarios in 3 variants"),
            ("no login", "1 scenario"),
        ];
        assert_eq!(
            groups[1..],
            expected.map(|(reason, scale)| (reason, scale.to_owned()))
        );
        assert_eq!(
            (reason_groups[0].outcome, reason_groups[0].reason),
            (Outcome::Error, "y")
        );
    }

    #[test]
    fn a_feature_is_absent_once_however_many_scenarios_are_about_it() {
        let mut report = report(&[Outcome::Unsupported; 3]);
        for (row, scenario) in report.scenarios.iter_mut().zip(["b", "a", "a"]) {
            row.verdict.scenario = scenario.into();
            row.verdict.lacks = Some("HASH".into());
        }
        let absent = absent(&report);
        assert_eq!(absent.len(), 1);
        assert_eq!(absent["HASH"].iter().collect::<Vec<_>>(), [&"a", &"b"]);
    }
}
