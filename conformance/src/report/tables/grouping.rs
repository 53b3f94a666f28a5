//! Rows that say the same, told once: the variants of a scenario, what one reason stopped, what one feature would be for.

use crate::report::{Report, Row};
use crate::verdict::{Finding, Outcome};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A scenario, with all the variants in which it came to the same.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// What it came to.
    pub outcome: Outcome,
    /// At least one, in the order of the plan.
    pub rows: Vec<&'a Row>,
}

/// What does not hold, and in which variants it does not.
#[derive(Debug, Clone)]
pub struct Sight<'a> {
    /// As it was found in the first of them.
    pub finding: &'a Finding,
    /// In the order of the plan.
    pub variants: Vec<&'a str>,
}

/// What kept scenarios from being judged, and which ones.
#[derive(Debug, Clone)]
pub struct Obstacle<'a> {
    /// What that made of them.
    pub outcome: Outcome,
    /// In words.
    pub reason: &'a str,
    /// At least one, in the order of the plan.
    pub rows: Vec<&'a Row>,
}

/// The rows, those of the same scenario and outcome together.
#[must_use]
pub fn entries<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Group<'a>> {
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

/// The rows, those of the same outcome and reason together: the worst first, and what stopped the most.
#[must_use]
pub fn obstacles<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Obstacle<'a>> {
    let mut obstacles: Vec<Obstacle<'a>> = Vec::new();
    let mut places: BTreeMap<(&str, Outcome), usize> = BTreeMap::new();
    for row in rows {
        let verdict = &row.verdict;
        let key = (verdict.reason.as_str(), verdict.outcome);
        let place = *places.entry(key).or_insert(obstacles.len());
        match obstacles.get_mut(place) {
            Some(obstacle) => obstacle.rows.push(row),
            None => obstacles.push(Obstacle {
                outcome: verdict.outcome,
                reason: &verdict.reason,
                rows: vec![row],
            }),
        }
    }
    obstacles.sort_by_key(|obstacle| Reverse((obstacle.outcome, obstacle.rows.len())));
    obstacles
}

/// The optional features that are absent and not advertised, each with the scenarios that would have been about it.
#[must_use]
pub fn absent(report: &Report) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut absent: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for verdict in report.scenarios.iter().map(|row| &row.verdict) {
        if verdict.outcome == Outcome::Unsupported {
            let lacks = verdict.lacks.as_deref().unwrap_or("something optional");
            absent.entry(lacks).or_default().insert(&verdict.scenario);
        }
    }
    absent
}

impl<'a> Group<'a> {
    /// Why a baseline accepts it; empty if it does not.
    #[must_use]
    pub fn accepted(&self) -> &'a str {
        let known = self.rows.iter().find_map(|row| row.known.as_ref());
        known.map_or("", |known| &known.reason)
    }

    /// The variants.
    #[must_use]
    pub fn variants(&self) -> Vec<&'a str> {
        let rows = self.rows.iter();
        rows.map(|row| row.verdict.variant.as_str()).collect()
    }

    /// The requirements it is about in any of its variants.
    #[must_use]
    pub fn concerns(&self) -> Vec<&'a str> {
        let mut ids: Vec<&str> = Vec::new();
        for id in self.rows.iter().flat_map(|row| row.concerns()) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    /// The row that speaks for all: the first with a wire to show.
    #[must_use]
    pub fn witness(&self) -> &'a Row {
        witness(&self.rows)
    }

    /// Its findings, each once, those of the highest level first.
    #[must_use]
    pub fn sights(&self) -> Vec<Sight<'a>> {
        let mut sights: Vec<Sight<'a>> = Vec::new();
        for row in &self.rows {
            for finding in &row.verdict.findings {
                // What was observed may hold a port or a directory of its own.
                let same = |sight: &&mut Sight<'a>| {
                    let known = sight.finding;
                    (known.line, &known.expected, &known.requirement)
                        == (finding.line, &finding.expected, &finding.requirement)
                };
                match sights.iter_mut().find(same) {
                    Some(sight) => {
                        if !sight.variants.contains(&row.verdict.variant.as_str()) {
                            sight.variants.push(&row.verdict.variant);
                        }
                    }
                    None => sights.push(Sight {
                        finding,
                        variants: vec![&row.verdict.variant],
                    }),
                }
            }
        }
        sights.sort_by_key(|sight| sight.finding.level);
        sights
    }
}

impl<'a> Obstacle<'a> {
    /// How much it stopped: `1 scenario`, `3 scenarios in 8 variants`.
    #[must_use]
    pub fn scale(&self) -> String {
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
    #[must_use]
    pub fn witness(&self) -> &'a Row {
        witness(&self.rows)
    }
}

fn witness<'a>(rows: &[&'a Row]) -> &'a Row {
    let with_wire = rows.iter().find(|row| !row.excerpt.is_empty());
    with_wire.unwrap_or(&rows[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{finding, report};

    #[test]
    fn variants_that_come_to_the_same_are_one_entry() {
        let mut report = report(&[Outcome::Fail, Outcome::Pass, Outcome::Fail, Outcome::Fail]);
        for (row, variant) in report
            .scenarios
            .iter_mut()
            .zip(["pasv", "epsv", "port", "eprt"])
        {
            row.verdict.variant = variant.into();
            if variant != "epsv" {
                row.verdict.findings.push(finding(variant));
            }
        }
        report.scenarios[3].verdict.findings[0].line = 9;
        report.scenarios[2].excerpt = vec!["S: 500 What?".into()];
        let entries = entries(&report.scenarios);
        let variants: Vec<_> = entries.iter().map(Group::variants).collect();
        assert_eq!(variants, [vec!["pasv", "port", "eprt"], vec!["epsv"]]);
        // Another line is another finding, another text is not.
        let sights: Vec<_> = entries[0]
            .sights()
            .into_iter()
            .map(|it| it.variants)
            .collect();
        assert_eq!(sights, [vec!["pasv", "port"], vec!["eprt"]]);
        assert_eq!(entries[0].witness().verdict.variant, "port");
        assert_eq!(entries[1].witness().verdict.variant, "epsv");
    }

    #[test]
    fn what_one_reason_stopped_is_one_obstacle_and_the_greatest_comes_first() {
        let mut report = report(&[Outcome::Blocked; 5]);
        let told = [
            ("a", "no login"),
            ("b", "x"),
            ("b", "x"),
            ("c", "x"),
            ("c", "y"),
        ];
        for (row, (scenario, reason)) in report.scenarios.iter_mut().zip(told) {
            row.verdict.scenario = scenario.into();
            row.verdict.reason = reason.into();
        }
        report.scenarios[4].verdict.outcome = Outcome::Error;
        let obstacles = obstacles(&report.scenarios);
        let told: Vec<_> = obstacles.iter().map(|it| (it.reason, it.scale())).collect();
        let expected = [
            ("x", "2 scenarios in 3 variants"),
            ("no login", "1 scenario"),
        ];
        assert_eq!(
            told[1..],
            expected.map(|(reason, scale)| (reason, scale.to_owned()))
        );
        assert_eq!(
            (obstacles[0].outcome, obstacles[0].reason),
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
