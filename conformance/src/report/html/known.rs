//! Known deviations, with the reasons to accept them.

use super::findings::times;
use super::format::{badge, cut, plural};
use super::headline::is_stale;
use super::{Page, Section, anchor};
use crate::report::Row;
use crate::report::tables::entries;
use crate::verdict::{JudgeVerdict, Outcome};
use maud::{Markup, html as markup};

impl Page<'_> {
    pub(super) fn known(&self) -> Option<Section> {
        let rows = || {
            self.report
                .scenarios
                .iter()
                .filter(|row| row.known.is_some())
        };
        let judges = || {
            self.report
                .judges
                .iter()
                .filter(|judge| judge.known.is_some())
        };
        if rows().next().is_none() && judges().next().is_none() {
            return None;
        }
        let stale: Vec<&Row> = rows().filter(|row| row.is_stale()).collect();
        // An ERROR is never excused; it is among the findings.
        let accepted: Vec<&Row> = rows()
            .filter(|row| !row.is_stale() && row.verdict.outcome != Outcome::Error)
            .collect();
        let count = accepted.len() + judges().filter(|judge| !is_stale(judge)).count();
        let body = markup! {
            p.lead {
                "A baseline accepts " (plural(count, "deviation", "deviations")) ". They are played, but do not fail the run."
            }
            @if count > 0 { h3 { "Accepted" } }
            @for entry in entries(accepted) {
                article.card { (self.entry(&entry, Some(entry.accepted()))) }
            }
            @for judge in judges().filter(|judge| !is_stale(judge)) { (self.known_judge(judge)) }
            @if !stale.is_empty() || judges().any(is_stale) {
                h3 { "Stale entries of the baseline" }
                p { "These deviations no longer fail. Remove them from the baseline: until then the run fails." }
                ul.plain {
                    @for row in &stale {
                        li {
                            (self.scenario_link(&row.verdict.scenario)) " " span.variant { (row.verdict.variant) }
                            @if let Some(known) = &row.known { ": " (cut(&known.reason)) }
                        }
                    }
                    @for judge in judges().filter(|judge| is_stale(judge)) {
                        li {
                            a href=(anchor::to(&anchor::judge(&judge.judge))) { code { (cut(&judge.judge)) } }
                            @if let Some(known) = &judge.known { ": " (cut(&known.reason)) }
                        }
                    }
                }
            }
        };
        Some(Section::of("known", "Known", "Known deviations", body))
    }

    fn known_judge(&self, judge: &JudgeVerdict) -> Markup {
        markup! {
            article.card { div.entry {
                p.eyebrow { (cut(&judge.clause)) " · in every transcript" }
                h4 { (badge(judge.outcome)) " " (cut(&judge.statement)) }
                @if let Some(known) = &judge.known { p.means { b { "Accepted: " } (cut(&known.reason)) } }
                p.meta { a href=(anchor::to(&anchor::judge(&judge.judge))) { code { (cut(&judge.judge)) } } " found it " (times(judge.count)) }
            } }
        }
    }
}
