//! `ftpspec coverage`: shows what the suite covers of the requirement catalogue.

use super::exit_code::{CommandError, ExitCode};
use super::output::finish;
use crate::catalogue::{Catalogue, Requirement};
use crate::client;
use crate::client::judge::RULES;
use crate::coverage::{Coverage as Covered, Threshold, human, json, levels, markdown, shown, word};
use crate::judge::JUDGES;
use crate::suite::{Suite, selects};
use clap::{Args, ValueEnum};

pub(super) const HELP: &str = "\
A requirement is covered if a scenario names it, or if an always-on judge does.
Requirements that cannot be tested from outside are listed with the reason and
are left out of the percentage that --require checks.

Examples:
  ftpspec coverage                              the table, and the untestable
  ftpspec coverage rfc3659                      the requirements of a document
  ftpspec coverage --uncovered                  requirements without a scenario
  ftpspec coverage --levels                     differing levels, and why
  ftpspec coverage --clients                    requirements on clients
  ftpspec coverage --require must=95,should=85  exit code 1 if less is covered";

#[derive(Debug, Args)]
pub(super) struct Coverage {
    /// Only these requirements, each with what covers it: a document, a part of the id or a glob.
    patterns: Vec<String>,
    /// The format of stdout; json and md contain every requirement.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Also lists the requirements that nothing covers.
    #[arg(long)]
    uncovered: bool,
    /// Lists where a requirement and the scenarios that cover it have different levels, and why.
    #[arg(long, conflicts_with_all = ["uncovered", "format"])]
    levels: bool,
    /// The requirements on clients, covered by the scenarios and rules of `check-client`.
    #[arg(long, conflicts_with = "levels")]
    clients: bool,
    /// Minimum percentage of the testable requirements of a level that must be covered.
    #[arg(long, value_name = "LEVEL=PERCENT", value_delimiter = ',')]
    require: Vec<Threshold>,
}

/// `coverage --format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for people.
    Human,
    /// JSON for programs; versioned.
    Json,
    /// Markdown.
    Md,
}

impl Coverage {
    pub(super) fn run(self) -> Result<ExitCode, CommandError> {
        let suite = Suite::embedded();
        let catalogue = Catalogue::built_in();
        let selected = |requirement: &Requirement| is_selected(&self.patterns, requirement);
        let rules = RULES.iter().map(|rule| (rule.name, rule.covers));
        let clients = client::suite::Suite::embedded();
        let coverage = match self.clients {
            false => Covered::of(catalogue, &suite.scenarios, JUDGES, selected),
            true => Covered::of_clients(
                catalogue,
                &clients.covered().collect::<Vec<_>>(),
                &rules.collect::<Vec<_>>(),
                selected,
            ),
        };
        if coverage.is_empty() {
            return Err(CommandError::nothing_selected(format!(
                "coverage: no requirement matches {}\n\
                 A pattern is a document (rfc959), a part of an id (stou) or a glob; \
                 `ftpspec coverage` shows the documents.",
                self.patterns.join(" ")
            )));
        }
        let text = match self.format {
            Format::Human if self.levels => levels(&shown(catalogue, &suite.scenarios, selected)),
            Format::Human => human(&coverage, !self.patterns.is_empty(), self.uncovered),
            Format::Json => json(&coverage),
            Format::Md => markdown(&coverage),
        };
        let below = coverage.below(&self.require);
        for (threshold, count) in &below {
            anstream::eprintln!(
                "coverage: {} of {} testable {} are covered, {} % are required; see --uncovered",
                count.covered(),
                count.testable(),
                word(threshold.level),
                threshold.percent
            );
        }
        let code = match below.is_empty() {
            true => ExitCode::Success,
            false => ExitCode::NotAsExpected,
        };
        finish(&text, code)
    }
}

/// Requirements are selected like scenarios, by their id after the name of the document:
/// `rfc3659`, `*-feat-*`, `hash`.
fn is_selected(patterns: &[String], requirement: &Requirement) -> bool {
    let document = requirement.document.to_lowercase().replace(' ', "");
    let id = format!("{document}/{}", requirement.id);
    patterns.is_empty() || patterns.iter().any(|pattern| selects(pattern, &id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(pattern: &str, require: &[&str]) -> ExitCode {
        let coverage = Coverage {
            patterns: vec![pattern.to_owned()],
            format: Format::Human,
            uncovered: false,
            levels: false,
            clients: false,
            require: require.iter().filter_map(|one| one.parse().ok()).collect(),
        };
        coverage.run().unwrap_or_else(|error| error.code)
    }

    #[test]
    fn a_document_or_a_part_of_an_id_selects_requirements() {
        let selected = |pattern: &str| {
            let patterns = [pattern.to_owned()];
            let all = Catalogue::built_in().iter();
            all.filter(|one| is_selected(&patterns, one))
                .map(|one| one.document.as_str())
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(selected("rfc959"), ["RFC 959"].into());
        assert_eq!(selected("rang-3-350"), ["draft-bryan-ftp-range-09"].into());
        assert!(selected("*").len() > 10);
    }

    #[test]
    fn the_exit_code_says_whether_enough_is_covered() {
        let required = &["must=100"];
        assert_eq!(code("959-5.4-noop-replies", required), ExitCode::Success);
        assert_eq!(code("c959-4.2-multiline", required), ExitCode::Success);
        assert_eq!(code("no-such-requirement", &[]), ExitCode::NothingSelected);
    }
}
