//! The table of RFC 1123 §4.1.5, filled in.

use super::{Said, by_requirement};
use crate::catalogue::{RequirementsSummary, SummaryGroup, SummaryLevel, SummaryRow};
use crate::report::{Report, Row};
use crate::verdict::{JudgeVerdict, Outcome};
use serde::Serialize;
use std::collections::BTreeMap;

/// The result of a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// The server conforms to the row.
    Kept,
    /// It does not.
    Broken,
    /// The feature is not there.
    NotImplemented,
    /// No played scenario decides it.
    NotTested,
    /// It cannot be seen from outside.
    Unseen,
}

/// In the order they are shown.
const ANSWERS: [Answer; 5] = [
    Answer::Kept,
    Answer::Broken,
    Answer::NotImplemented,
    Answer::NotTested,
    Answer::Unseen,
];

impl Answer {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken => "broken",
            Self::NotImplemented => "not implemented",
            Self::NotTested => "not tested",
            Self::Unseen => "not testable",
        }
    }
}

/// The rows below one heading.
#[derive(Debug, Clone)]
pub(crate) struct FilledGroup<'a> {
    /// The heading.
    pub heading: &'a str,
    /// In the order of the table.
    pub rows: Vec<FilledRow<'a>>,
}

/// One row of the table, filled in.
#[derive(Debug, Clone)]
pub(crate) struct FilledRow<'a> {
    /// What it asks.
    pub row: &'a SummaryRow,
    /// The result.
    pub answer: Answer,
    /// Whether that is against the row: a MUST or SHOULD that is broken, or not implemented where
    /// it binds.
    pub against: bool,
    /// The scenarios it rests on.
    pub scenarios: Vec<&'a Row>,
    /// The always-on judges it rests on.
    pub judges: Vec<&'a JudgeVerdict>,
}

/// Fills the table in.
pub(crate) fn requirements_summary<'a>(
    report: &'a Report,
    table: &'a RequirementsSummary,
) -> Vec<FilledGroup<'a>> {
    let by_id = by_requirement(&report.scenarios);
    let filled = |group: &'a SummaryGroup| FilledGroup {
        heading: &group.heading,
        rows: group
            .rows
            .iter()
            .map(|row| fill(row, report, &by_id))
            .collect(),
    };
    table.groups.iter().map(filled).collect()
}

/// How many rows of the table have each answer that is given at all.
pub(crate) fn summary_counts(groups: &[FilledGroup<'_>]) -> Vec<(Answer, usize)> {
    let count = |answer| {
        let rows = groups.iter().flat_map(|group| &group.rows);
        rows.filter(|filled| filled.answer == answer).count()
    };
    let all = ANSWERS.into_iter().map(|answer| (answer, count(answer)));
    all.filter(|(_, count)| *count > 0).collect()
}

fn fill<'a>(
    row: &'a SummaryRow,
    report: &'a Report,
    by_id: &BTreeMap<&str, Vec<Said<'a>>>,
) -> FilledRow<'a> {
    let asked = row.requirements.iter();
    let said: Vec<Said<'a>> = asked
        .filter_map(|id| by_id.get(id.as_str()))
        .flatten()
        .copied()
        .collect();
    let mut scenarios: Vec<&Row> = Vec::new();
    for said in &said {
        if !scenarios.iter().any(|known| std::ptr::eq(*known, said.row)) {
            scenarios.push(said.row);
        }
    }
    let judges: Vec<&JudgeVerdict> = match report.scenarios.is_empty() {
        // A judge without a transcript has no verdict.
        true => Vec::new(),
        false => report
            .judges
            .iter()
            .filter(|judge| row.judges.contains(&judge.judge))
            .collect(),
    };
    let judged = Outcome::together(judges.iter().map(|judge| judge.outcome));
    let outcome = Outcome::together(said.iter().map(|said| said.outcome).chain(judged));
    let absent = row
        .command
        .as_ref()
        .is_some_and(|verb| report.target.not_implemented.contains(verb));
    let answer = match outcome {
        _ if absent => Answer::NotImplemented,
        Some(Outcome::Pass | Outcome::Note) => Answer::Kept,
        Some(Outcome::Warn | Outcome::Fail | Outcome::Misadvertised) => Answer::Broken,
        Some(Outcome::Unsupported) => Answer::NotImplemented,
        Some(Outcome::Inconclusive | Outcome::Blocked | Outcome::Error) => Answer::NotTested,
        None if row.unseen.is_some() => Answer::Unseen,
        None => Answer::NotTested,
    };
    let binds = row.level != SummaryLevel::May;
    let against = match answer {
        Answer::Broken => binds,
        Answer::NotImplemented => {
            matches!(row.level, SummaryLevel::Must | SummaryLevel::Should)
                && row.only_where.is_none()
        }
        Answer::Kept | Answer::NotTested | Answer::Unseen => false,
    };
    FilledRow {
        row,
        answer,
        against,
        scenarios,
        judges,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::report::tests::report;
    use rstest::rstest;

    fn filled(report: &Report, feature: &str) -> (Answer, bool) {
        let table = requirements_summary(report, RequirementsSummary::built_in());
        let mut rows = table.iter().flat_map(|group| &group.rows);
        let row = rows.find(|filled| filled.row.feature == feature).unwrap();
        (row.answer, row.against)
    }

    #[rstest]
    #[case(&[Outcome::Pass], Answer::Kept, false)]
    #[case(&[Outcome::Pass, Outcome::Fail], Answer::Broken, true)]
    #[case(&[Outcome::Pass, Outcome::Unsupported], Answer::Kept, false)]
    #[case(&[Outcome::Unsupported], Answer::NotImplemented, true)]
    #[case(&[Outcome::Blocked], Answer::NotTested, false)]
    #[case(&[], Answer::NotTested, false)]
    fn a_row_is_what_its_scenarios_come_to(
        #[case] outcomes: &[Outcome],
        #[case] answer: Answer,
        #[case] against: bool,
    ) {
        let mut report = report(outcomes);
        for row in &mut report.scenarios {
            row.covers = vec!["959-5.4-retr-replies".into()];
        }
        assert_eq!(filled(&report, "RETR"), (answer, against));
    }

    #[test]
    fn a_verb_that_is_never_understood_is_not_implemented_however_well_it_is_refused() {
        let mut report = report(&[Outcome::Pass, Outcome::Pass]);
        report.scenarios[0].covers = vec!["959-5.4-smnt-replies".into()];
        report.scenarios[1].covers = vec!["959-5.4-stat-replies".into()];
        report.target.not_implemented = vec!["SMNT".into(), "STAT".into()];
        assert_eq!(filled(&report, "SMNT"), (Answer::NotImplemented, false));
        assert_eq!(filled(&report, "STAT"), (Answer::NotImplemented, true));
    }

    #[test]
    fn a_row_that_cannot_be_observed_is_reported_as_such() {
        assert_eq!(
            filled(&report(&[]), "How long idle is can be set"),
            (Answer::Unseen, false)
        );
    }

    #[test]
    fn always_on_judges_answer_rows_too() {
        let mut report = report(&[Outcome::Pass]);
        report.judges.push(JudgeVerdict {
            judge: "reply-syntax".into(),
            statement: String::new(),
            impact: String::new(),
            clause: String::new(),
            outcome: Outcome::Fail,
            count: 1,
            findings: Vec::new(),
            rules: Vec::new(),
            known: None,
        });
        assert_eq!(
            filled(&report, "Only replies of the right form are sent"),
            (Answer::Broken, true)
        );
    }
}
