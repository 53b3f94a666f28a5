//! `ftpspec coverage`: what the suite covers of the requirement catalogue.

use super::{NOT_AS_EXPECTED, NOTHING, OK, stdout};
use crate::catalogue::{Catalogue, Requirement};
use crate::coverage::{Coverage, Threshold, human, json, levels, markdown, shown, word};
use crate::judge::JUDGES;
use crate::suite::{Suite, selects};

/// How the table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Human,
    /// For programs.
    Json,
    /// For documents.
    Markdown,
}

/// What `coverage` is asked for.
#[derive(Debug, Clone)]
pub struct CoverageWish {
    /// Only these requirements: documents, parts of ids or globs; none is all.
    pub patterns: Vec<String>,
    /// How it is written.
    pub form: Form,
    /// Those that nothing covers are listed, too.
    pub uncovered: bool,
    /// Where the levels of requirements and scenarios differ, in place of the table.
    pub levels: bool,
    /// What has to be covered at least.
    pub require: Vec<Threshold>,
}

/// Shows what the suite covers of the catalogue. Returns the exit code: 0, 1 if less is covered than required, or 4 if no
/// requirement is selected.
#[must_use]
pub fn coverage(wish: &CoverageWish) -> i32 {
    let suite = Suite::embedded();
    let wanted = |requirement: &Requirement| is_selected(&wish.patterns, requirement);
    let coverage = Coverage::of(Catalogue::built_in(), &suite.scenarios, JUDGES, wanted);
    let text = match wish.form {
        Form::Human if wish.levels => {
            levels(&shown(Catalogue::built_in(), &suite.scenarios, wanted))
        }
        Form::Human => human(&coverage, !wish.patterns.is_empty(), wish.uncovered),
        Form::Json => json(&coverage),
        Form::Markdown => markdown(&coverage),
    };
    if coverage.is_empty() {
        let patterns = wish.patterns.join(" ");
        anstream::eprintln!(
            "coverage: no requirement is selected by {patterns}\nA document (rfc959), a part of an id (stou) or a glob will do; `ftpspec coverage` shows the documents."
        );
        return NOTHING;
    }
    let below = coverage.below(&wish.require);
    for (threshold, count) in &below {
        anstream::eprintln!(
            "coverage: {} of {} {} that can be tested are covered, {} % are required; see --uncovered",
            count.covered(),
            count.testable(),
            word(threshold.level),
            threshold.percent
        );
    }
    let code = if below.is_empty() {
        OK
    } else {
        NOT_AS_EXPECTED
    };
    stdout::say(&text, code)
}

/// A requirement is selected as a scenario is, by its id below the name of its document: `rfc3659`, `*-feat-*`, `hash`.
fn is_selected(patterns: &[String], requirement: &Requirement) -> bool {
    let document = requirement.document.to_lowercase().replace(' ', "");
    let id = format!("{document}/{}", requirement.id);
    patterns.is_empty() || patterns.iter().any(|pattern| selects(pattern, &id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(patterns: &[&str], require: &[&str]) -> i32 {
        coverage(&CoverageWish {
            patterns: patterns.iter().map(|one| (*one).to_owned()).collect(),
            form: Form::Human,
            uncovered: false,
            levels: false,
            require: require.iter().filter_map(|one| one.parse().ok()).collect(),
        })
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
        assert_eq!(code(&["959-5.4-noop-replies"], &["must=100"]), OK);
        assert_eq!(code(&["c959-4.2-multiline"], &["must=100"]), OK);
        assert_eq!(code(&["no-such-requirement"], &[]), NOTHING);
    }
}
