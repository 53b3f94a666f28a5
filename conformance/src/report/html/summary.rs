//! The table of RFC 1123 §4.1.5, filled in.

use super::{Page, Section, anchor};
use crate::catalogue::{Catalogue, RequirementSide, RequirementsSummary};
use crate::report::tables::{Answer, FilledRow, requirements_summary, summary_counts};
use maud::{Markup, html as markup};

impl Page<'_> {
    pub(super) fn summary(&self) -> Option<Section> {
        if self.report.scenarios.is_empty() {
            return None;
        }
        let groups = requirements_summary(self.report, RequirementsSummary::built_in());
        let rows = || groups.iter().flat_map(|group| &group.rows);
        let counts: Vec<String> = summary_counts(&groups)
            .into_iter()
            .map(|(answer, count)| format!("{count} {}", answer.words()))
            .collect();
        let against = rows().filter(|filled| filled.against).count();
        let body = markup! {
            p.lead {
                "The RFC’s own table of requirements, as far as it binds servers: " (counts.join(", ")) "."
                @if against > 0 { " What goes against the RFC is marked: " b { (against) } "." }
            }
            div.columns {
                @for group in &groups {
                    table {
                        caption { (group.heading) }
                        thead { tr {
                            th scope="col" { "Feature" }
                            th scope="col" { "Level" }
                            th scope="col" { "Here" }
                        } }
                        tbody { @for filled in &group.rows { (self.summary_row(filled)) } }
                    }
                }
            }
        };
        Some(Section::of(
            "rfc1123",
            "RFC 1123",
            "RFC 1123 §4.1.5, filled in",
            body,
        ))
    }

    fn summary_row(&self, filled: &FilledRow<'_>) -> Markup {
        let row = filled.row;
        let (class, mark) = match (filled.answer, filled.against) {
            (_, true) => ("bad", "✗"),
            (Answer::Kept, false) => ("good", "✓"),
            (Answer::Broken, false) => ("warn", "!"),
            (_, false) => ("none", "–"),
        };
        let answer =
            markup! { span.mark aria-hidden="true" { (mark) } " " (filled.answer.words()) };
        markup! {
            tr.against[filled.against] {
                th scope="row" {
                    (row.feature)
                    @if let Some(only) = &row.only_where { ", where " (only) }
                    " " span.section { (row.clause().trim_start_matches("RFC 1123 ")) }
                    @if let (Answer::Unseen, Some(why)) = (filled.answer, &row.unseen) { span.why { (why) } }
                }
                td.level { (row.level.word()) }
                td.answer.(class) {
                    @match evidence(filled) {
                        Some(href) => a href=(href) { (answer) },
                        None => (answer),
                    }
                }
            }
        }
    }
}

/// The link to the evidence: the worst scenario or judge, or else the requirement.
fn evidence(filled: &FilledRow<'_>) -> Option<String> {
    let scenario = filled.scenarios.iter().map(|row| {
        let id = anchor::scenario(&row.verdict.scenario);
        (row.verdict.outcome, id)
    });
    let judge = filled
        .judges
        .iter()
        .map(|judge| (judge.outcome, anchor::judge(&judge.judge)));
    // Of several that are as bad the first.
    let worst = scenario
        .chain(judge)
        .reduce(|worst, other| if other.0 > worst.0 { other } else { worst });
    let asked = || {
        let mut ids = filled.row.requirements.iter();
        ids.find(|id| {
            let rule = Catalogue::built_in().get(id);
            rule.is_some_and(|rule| rule.side == RequirementSide::Server)
        })
        .map(|id| anchor::requirement(id))
    };
    worst
        .map(|(_, id)| id)
        .or_else(asked)
        .map(|id| anchor::to(&id))
}
