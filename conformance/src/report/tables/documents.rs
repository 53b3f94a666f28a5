//! Results by document.

use crate::report::Report;
use crate::verdict::{Accepted, Outcome};
use std::collections::BTreeMap;

/// How often each outcome is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally(BTreeMap<Outcome, usize>);

impl Tally {
    /// One more.
    pub(crate) fn add(&mut self, outcome: Outcome) {
        *self.0.entry(outcome).or_default() += 1;
    }

    /// How often this one is there.
    pub(crate) fn of(&self, outcome: Outcome) -> usize {
        self.0.get(&outcome).copied().unwrap_or(0)
    }

    pub(crate) fn all(&self) -> usize {
        self.0.values().sum()
    }

    /// Those that are there, with how often, in the order of [`Outcome::ALL`].
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Outcome, usize)> {
        let shown = Outcome::ALL
            .into_iter()
            .map(|outcome| (outcome, self.of(outcome)));
        shown.filter(|(_, count)| *count > 0)
    }
}

/// The scenarios of one document, or the always-on judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocumentSummary {
    /// As it is shown: `RFC 959`, `hash`; `every transcript` for the judges.
    pub name: String,
    /// The directory of the scenarios below `scenarios/`, as in `rfc959`; empty for the judges.
    pub directory: String,
    /// Scenarios and variants that were played, by outcome.
    pub tally: Tally,
    /// How many of them a baseline excuses.
    pub known: usize,
    /// How many of them fail the run.
    pub failing: usize,
}

/// One line for each directory of scenarios, RFCs first and by number, the always-on judges last.
pub(crate) fn documents(report: &Report, strict: bool) -> Vec<DocumentSummary> {
    let mut found: Vec<DocumentSummary> = Vec::new();
    for row in &report.scenarios {
        let id = row.verdict.scenario.as_str();
        let directory = id.rsplit_once('/').map_or("", |(directory, _)| directory);
        let summary = summary_of(&mut found, name(directory), directory);
        count(summary, row.verdict.outcome, row.known.as_ref(), strict);
    }
    found.sort_by_cached_key(|summary| order(&summary.directory));
    // A judge without a transcript has no verdict.
    let judges = match report.scenarios.is_empty() {
        true => [].iter(),
        false => report.judges.iter(),
    };
    for row in judges {
        let summary = summary_of(&mut found, "every transcript".into(), "");
        count(summary, row.outcome, row.known.as_ref(), strict);
    }
    found
}

fn summary_of<'a>(
    found: &'a mut Vec<DocumentSummary>,
    name: String,
    directory: &str,
) -> &'a mut DocumentSummary {
    let at = found.iter().position(|summary| summary.name == name);
    let at = at.unwrap_or_else(|| {
        found.push(DocumentSummary {
            name,
            directory: directory.to_owned(),
            tally: Tally::default(),
            known: 0,
            failing: 0,
        });
        found.len() - 1
    });
    &mut found[at]
}

fn count(summary: &mut DocumentSummary, outcome: Outcome, known: Option<&Accepted>, strict: bool) {
    summary.tally.add(outcome);
    let fails = Accepted::fails(known, outcome, strict);
    summary.failing += usize::from(fails);
    summary.known += usize::from(known.is_some() && !fails);
}

/// How the scenarios in a directory are called: `rfc959` is `RFC 959`; any other directory is
/// called as it is.
pub(in crate::report) fn name(directory: &str) -> String {
    match rfc(directory) {
        Some(number) => format!("RFC {number}"),
        None if directory.is_empty() => "your own".to_owned(),
        None => directory.to_owned(),
    }
}

fn rfc(directory: &str) -> Option<u32> {
    directory.strip_prefix("rfc")?.parse().ok()
}

fn order(directory: &str) -> (u32, String) {
    (rfc(directory).unwrap_or(u32::MAX), directory.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn documents_are_counted_in_the_order_of_their_numbers() {
        let mut report = report(&[Outcome::Pass, Outcome::Fail, Outcome::Fail, Outcome::Warn]);
        for (row, id) in
            report
                .scenarios
                .iter_mut()
                .zip(["hash/a", "rfc3659/b", "rfc959/c", "rfc959/d"])
        {
            row.verdict.scenario = id.into();
        }
        report.scenarios[2].known = Some(Accepted { reason: "x".into() });
        let table = documents(&report, false);
        let lines: Vec<_> = table
            .iter()
            .map(|line| (line.name.as_str(), line.failing, line.known))
            .collect();
        assert_eq!(
            lines,
            [("RFC 959", 0, 1), ("RFC 3659", 1, 0), ("hash", 0, 0)]
        );
        assert_eq!(table[0].tally.all(), 2);
        assert_eq!(
            table[0].tally.iter().collect::<Vec<_>>(),
            [(Outcome::Fail, 1), (Outcome::Warn, 1)]
        );
    }
}
