//! Results clause by clause: document, section, requirement, scenarios.

use super::{Said, by_requirement};
use crate::catalogue::{Catalogue, Requirement, RequirementSide};
use crate::report::Report;
use crate::verdict::Outcome;

/// One document of the catalogue.
#[derive(Debug, Clone)]
pub(crate) struct DocumentClauses<'a> {
    /// As in `RFC 959`.
    pub document: &'a str,
    /// In the order of the catalogue.
    pub sections: Vec<Section<'a>>,
}

/// One section of a document.
#[derive(Debug, Clone)]
pub(crate) struct Section<'a> {
    /// As in `RFC 959 §5.4`.
    pub clause: &'a str,
    /// In the order of the catalogue.
    pub requirements: Vec<RequirementLine<'a>>,
}

/// One requirement and its result.
#[derive(Debug, Clone)]
pub(crate) struct RequirementLine<'a> {
    /// The rule.
    pub requirement: &'a Requirement,
    /// The combined outcome of the scenarios that cover it; `None` if none was played.
    pub outcome: Option<Outcome>,
    /// What those scenarios say of it.
    pub said: Vec<Said<'a>>,
}

/// Every requirement on servers, by document and section. A scenario that covers several
/// requirements speaks for each, but for those its findings are not about (`!about`).
pub(crate) fn clauses<'a>(
    report: &'a Report,
    catalogue: &'a Catalogue,
) -> Vec<DocumentClauses<'a>> {
    let mut by_id = by_requirement(&report.scenarios);
    let mut documents: Vec<DocumentClauses<'a>> = Vec::new();
    let on_servers = catalogue
        .iter()
        .filter(|requirement| requirement.side == RequirementSide::Server);
    for requirement in on_servers {
        let said = by_id.remove(requirement.id.as_str()).unwrap_or_default();
        let line = RequirementLine {
            requirement,
            outcome: Outcome::together(said.iter().map(|said| said.outcome)),
            said,
        };
        let at = documents
            .iter()
            .position(|known| known.document == requirement.document);
        let at = at.unwrap_or_else(|| {
            documents.push(DocumentClauses {
                document: &requirement.document,
                sections: Vec::new(),
            });
            documents.len() - 1
        });
        let sections = &mut documents[at].sections;
        match sections
            .iter_mut()
            .find(|section| section.clause == requirement.clause)
        {
            Some(section) => section.requirements.push(line),
            None => sections.push(Section {
                clause: &requirement.clause,
                requirements: vec![line],
            }),
        }
    }
    documents.sort_by_key(|document| number(document.document));
    documents
}

/// RFCs by number, then other documents.
fn number(document: &str) -> u32 {
    let number = document
        .strip_prefix("RFC ")
        .and_then(|number| number.parse().ok());
    number.unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::report::tests::{finding, report};

    #[test]
    fn a_requirement_is_what_its_scenarios_come_to() {
        let mut report = report(&[Outcome::Pass, Outcome::Warn, Outcome::Pass]);
        for (row, id) in report.scenarios.iter_mut().zip([
            "959-5.4-noop-replies",
            "959-5.4-noop-replies",
            "gone",
        ]) {
            row.covers = vec![id.into()];
        }
        let catalogue = Catalogue::built_in();
        let table = clauses(&report, catalogue);
        assert_eq!(table[0].document, "RFC 854");
        let lines = || {
            table
                .iter()
                .flat_map(|document| &document.sections)
                .flat_map(|section| &section.requirements)
        };
        let noop = lines()
            .find(|line| line.requirement.id == "959-5.4-noop-replies")
            .unwrap();
        assert_eq!((noop.outcome, noop.said.len()), (Some(Outcome::Warn), 2));
        assert_eq!(lines().filter(|line| line.outcome.is_some()).count(), 1);
        let on_servers = catalogue
            .iter()
            .filter(|rule| rule.side == RequirementSide::Server);
        assert_eq!(lines().count(), on_servers.count());
    }

    /// What a failing scenario says of three of its requirements, given what its findings are
    /// about.
    fn of_three(about: &[&str], unjudged: &[&str]) -> [Option<Outcome>; 3] {
        const IDS: [&str; 3] = [
            "959-5.4-noop-replies",
            "959-5.4-retr-replies",
            "959-5.4-stor-replies",
        ];
        let mut report = report(&[Outcome::Fail]);
        let row = &mut report.scenarios[0];
        row.covers = IDS.map(str::to_owned).to_vec();
        row.verdict.findings = vec![finding("500 What?")];
        row.verdict.findings[0].about = about.iter().map(|id| (*id).to_owned()).collect();
        row.verdict.unjudged = unjudged.iter().map(|id| (*id).to_owned()).collect();
        let table = clauses(&report, Catalogue::built_in());
        IDS.map(|id| {
            let sections = table.iter().flat_map(|document| &document.sections);
            let mut lines = sections.flat_map(|section| &section.requirements);
            lines
                .find(|line| line.requirement.id == id)
                .unwrap()
                .outcome
        })
    }

    #[test]
    fn a_finding_that_says_what_it_is_about_is_against_that_alone() {
        let (fail, pass) = (Some(Outcome::Fail), Some(Outcome::Pass));
        assert_eq!(of_three(&[], &[]), [fail, fail, fail]);
        let retr = "959-5.4-retr-replies";
        assert_eq!(of_three(&[retr], &[]), [pass, fail, pass]);
        let stor = "959-5.4-stor-replies";
        assert_eq!(of_three(&[retr], &[stor]), [pass, fail, None]);
        assert_eq!(of_three(&[retr, stor], &[]), [pass, fail, fail]);
    }
}
