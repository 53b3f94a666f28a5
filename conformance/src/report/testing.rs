//! Reports for the tests of other modules.

use super::{Report, Row};
use crate::verdict::{BrokenRule, JudgeVerdict, Outcome};

/// A report of rows with these outcomes, all of the same scenario.
pub(crate) fn report(outcomes: &[Outcome]) -> Report {
    super::tests::report(outcomes)
}

/// A row.
pub(crate) fn row(scenario: &str, variant: &str, outcome: Outcome) -> Row {
    let mut row = report(&[outcome]).scenarios.remove(0);
    row.verdict.scenario = scenario.into();
    row.verdict.variant = variant.parse().expect("a variant");
    row
}

/// A judge that finds these rules broken.
pub(crate) fn judge(name: &str, rules: &[(&str, Outcome)]) -> JudgeVerdict {
    let broken = |(requirement, outcome): &(&str, Outcome)| BrokenRule {
        requirement: (*requirement).into(),
        outcome: *outcome,
        count: 1,
    };
    let worst = rules.iter().map(|(_, outcome)| *outcome).max();
    JudgeVerdict {
        judge: name.into(),
        statement: String::new(),
        impact: String::new(),
        clause: String::new(),
        outcome: worst.unwrap_or(Outcome::Pass),
        count: rules.len(),
        findings: Vec::new(),
        rules: rules.iter().map(broken).collect(),
        known: None,
    }
}
