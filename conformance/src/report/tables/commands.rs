//! Results by command.

use super::{Said, Tally};
use crate::catalogue::{Catalogue, Registry};
use crate::report::{Report, Row};
use crate::verdict::Outcome;

/// One command.
#[derive(Debug, Clone)]
pub(crate) struct CommandLine<'a> {
    /// In capitals.
    pub verb: &'a str,
    /// Whether the server has it; `None` if it was never sent.
    pub implemented: Option<bool>,
    /// The combined outcome of its scenarios; `None` if none was played.
    pub outcome: Option<Outcome>,
    /// How often each outcome is there.
    pub tally: Tally,
    /// Those scenarios and the outcome of each for the command.
    pub said: Vec<Said<'a>>,
}

/// Every command with a result, in the order of the registry; unknown commands come last. A
/// scenario about several commands speaks for each, but for those its findings are not about
/// (`!about`).
pub(crate) fn commands<'a>(
    report: &'a Report,
    registry: &'a Registry,
    catalogue: &Catalogue,
) -> Vec<CommandLine<'a>> {
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
        let about = report.scenarios.iter().filter(|row| has(&row.commands));
        let said: Vec<Said<'a>> = about
            .filter_map(|row| of_command(row, verb, catalogue).map(|outcome| Said { row, outcome }))
            .collect();
        let mut tally = Tally::default();
        for said in &said {
            tally.add(said.outcome);
        }
        let implemented = match (has(&target.implemented), has(&target.not_implemented)) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        CommandLine {
            verb,
            implemented,
            outcome: Outcome::together(said.iter().map(|said| said.outcome)),
            tally,
            said,
        }
    };
    let lines = verbs.into_iter().map(line);
    lines
        .filter(|line| line.implemented.is_some() || line.outcome.is_some())
        .collect()
}

/// The outcome of a row for this command; `None` if it was not judged that far.
fn of_command(row: &Row, verb: &str, catalogue: &Catalogue) -> Option<Outcome> {
    let is_of_verb = |id: &&String| {
        let requirement = catalogue.get(id);
        requirement.is_some_and(|it| it.commands.iter().any(|other| other == verb))
    };
    let mut own = row.covers.iter().filter(is_of_verb).peekable();
    // A report of another version may know requirements that this one does not.
    if own.peek().is_none() {
        return Some(row.verdict.outcome);
    }
    Outcome::together(own.filter_map(|id| row.verdict.of_requirement(id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{finding, report};

    #[test]
    fn a_command_is_not_charged_with_what_a_scenario_says_of_another() {
        let mut report = report(&[Outcome::Fail]);
        let row = &mut report.scenarios[0];
        row.covers = vec![
            "959-5.4-noop-replies".into(),
            "959-5.4-user-replies".into(),
            "959-5.4-rnto-needs-rnfr".into(),
        ];
        row.commands = Catalogue::built_in().commands(&row.covers);
        row.verdict.unjudged = vec!["959-5.4-rnto-needs-rnfr".into()];
        let mut finding = finding("500");
        finding.about = vec!["959-5.4-noop-replies".into()];
        row.verdict.findings = vec![finding];
        let table = commands(&report, Registry::built_in(), Catalogue::built_in());
        let listed: Vec<_> = table.iter().map(|line| (line.verb, line.outcome)).collect();
        assert_eq!(
            listed,
            [("USER", Some(Outcome::Pass)), ("NOOP", Some(Outcome::Fail))]
        );
    }

    #[test]
    fn a_command_is_listed_with_its_presence_and_its_findings() {
        let mut report = report(&[Outcome::Pass, Outcome::Fail]);
        report.scenarios[0].commands = vec!["RETR".into(), "USER".into()];
        report.scenarios[1].commands = vec!["RETR".into(), "XYZZY".into()];
        report.target.implemented = vec!["RETR".into()];
        report.target.not_implemented = vec!["SMNT".into()];
        let table = commands(&report, Registry::built_in(), Catalogue::built_in());
        let listed: Vec<_> = table
            .iter()
            .map(|line| (line.verb, line.implemented, line.outcome))
            .collect();
        assert_eq!(
            listed,
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
