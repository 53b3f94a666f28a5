//! How it stands command by command.

use super::{Tally, together};
use crate::catalogue::Registry;
use crate::report::{Report, Row};
use crate::verdict::Outcome;

/// One command.
#[derive(Debug, Clone)]
pub struct CommandLine<'a> {
    /// In capitals.
    pub verb: &'a str,
    /// Whether the server has it; `None` if it was never sent.
    pub implemented: Option<bool>,
    /// What the scenarios about it come to together; `None` if none was played.
    pub outcome: Option<Outcome>,
    /// How often each outcome is there.
    pub tally: Tally,
    /// Those scenarios.
    pub rows: Vec<&'a Row>,
}

/// Every command of which the run says something, in the order of the registry; those it does not know come last.
#[must_use]
pub fn commands<'a>(report: &'a Report, registry: &'a Registry) -> Vec<CommandLine<'a>> {
    let target = &report.target;
    let mut verbs: Vec<&str> = registry.verbs().collect();
    let about = report.scenarios.iter().flat_map(|row| &row.commands);
    for verb in about {
        if !verbs.contains(&verb.as_str()) {
            verbs.push(verb);
        }
    }
    let line = |verb: &'a str| {
        let has = |list: &[String]| list.iter().any(|other| other == verb);
        let rows: Vec<&Row> = report
            .scenarios
            .iter()
            .filter(|row| has(&row.commands))
            .collect();
        let mut tally = Tally::default();
        for row in &rows {
            tally.add(row.verdict.outcome);
        }
        let implemented = match (has(&target.implemented), has(&target.not_implemented)) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        CommandLine {
            verb,
            implemented,
            outcome: together(rows.iter().copied()),
            tally,
            rows,
        }
    };
    let lines = verbs.into_iter().map(line);
    lines
        .filter(|line| line.implemented.is_some() || line.outcome.is_some())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn commands_are_told_with_whether_they_are_there_and_what_was_found() {
        let mut report = report(&[Outcome::Pass, Outcome::Fail]);
        report.scenarios[0].commands = vec!["RETR".into(), "USER".into()];
        report.scenarios[1].commands = vec!["RETR".into(), "XYZZY".into()];
        report.target.implemented = vec!["RETR".into()];
        report.target.not_implemented = vec!["SMNT".into()];
        let table = commands(&report, Registry::built_in());
        let told: Vec<_> = table
            .iter()
            .map(|line| (line.verb, line.implemented, line.outcome))
            .collect();
        assert_eq!(
            told,
            [
                ("USER", None, Some(Outcome::Pass)),
                ("SMNT", Some(false), None),
                ("RETR", Some(true), Some(Outcome::Fail)),
                ("XYZZY", None, Some(Outcome::Fail)),
            ]
        );
        assert_eq!(table[2].tally.all(), 2);
    }
}
