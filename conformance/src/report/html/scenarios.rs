//! Everything that was played: each scenario and each judge, so that a link to it always leads
//! somewhere.

use super::format::{badge, cut};
use super::headline::{small_bar, tally_text};
use super::{Page, Section, anchor};
use crate::report::Row;
use crate::report::tables::documents;
use crate::verdict::Outcome;
use maud::{Markup, html as markup};

impl Page<'_> {
    pub(super) fn scenarios(&self) -> Option<Section> {
        let report = self.report;
        if report.scenarios.is_empty() && report.judges.is_empty() {
            return None;
        }
        let directory = |row: &Row| {
            let id = &row.verdict.scenario;
            id.rsplit_once('/')
                .map_or(String::new(), |(directory, _)| directory.to_owned())
        };
        let body = markup! {
            @for document in documents(report, self.strict).iter().filter(|document| document.name != JUDGES) {
                details.document {
                    summary {
                        h3 { (cut(&document.name)) }
                        span.numbers { (tally_text(&document.tally)) }
                        (small_bar(&document.tally))
                    }
                    ul.scenarios {
                        @for scenario in folded(report.scenarios.iter().filter(|row| directory(row) == document.directory)) {
                            (self.scenario(&scenario))
                        }
                    }
                }
            }
            @if !report.judges.is_empty() {
                details.document open="open" {
                    summary { h3 { "In every transcript" } span.numbers { "the always-on judges" } }
                    ul.scenarios {
                        @for judge in &report.judges {
                            li id=[self.anchors.take(anchor::judge(&judge.judge))] {
                                span.outcomes { (badge(judge.outcome)) }
                                div {
                                    p { (cut(&judge.statement)) }
                                    p.meta { a.id href=(anchor::to(&anchor::judge(&judge.judge))) { (cut(&judge.judge)) } " " (cut(&judge.clause)) }
                                }
                            }
                        }
                    }
                }
            }
        };
        Some(Section::of(
            "scenarios",
            "Scenarios",
            "Everything that was played",
            body,
        ))
    }

    /// One scenario with all its variants.
    fn scenario(&self, rows: &[&Row]) -> Markup {
        let id = &rows[0].verdict.scenario;
        let outcomes: Vec<Outcome> = Outcome::ALL
            .into_iter()
            .filter(|outcome| rows.iter().any(|row| row.verdict.outcome == *outcome))
            .collect();
        markup! {
            li id=[self.anchors.take(anchor::scenario(id))] {
                span.outcomes { @for outcome in &outcomes { (badge(*outcome)) " " } }
                div {
                    p { (cut(&rows[0].title)) }
                    p.meta {
                        a.id href=(anchor::to(&anchor::scenario(id))) { (cut(id)) }
                        @for row in rows {
                            " " span.variant {
                                (row.verdict.variant)
                                @if outcomes.len() > 1 { " " (row.verdict.outcome.word()) }
                            }
                        }
                        @if !rows[0].verdict.reason.is_empty() { span.by { (cut(&rows[0].verdict.reason)) } }
                    }
                }
            }
        }
    }
}

/// The label of the judges in the table of documents.
const JUDGES: &str = "every transcript";

/// Rows of the same scenario together, in the order of the plan.
fn folded<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<Vec<&'a Row>> {
    let mut folded: Vec<Vec<&Row>> = Vec::new();
    for row in rows {
        let same = |rows: &&mut Vec<&Row>| rows[0].verdict.scenario == row.verdict.scenario;
        match folded.iter_mut().find(same) {
            Some(rows) => rows.push(row),
            None => folded.push(vec![row]),
        }
    }
    folded
}
