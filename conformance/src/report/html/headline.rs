//! The verdict in words, the numbers, and the server they are about.

use super::Page;
use super::findings::cards;
use super::format::{cut, duration, meaning, moment, plural, tone};
use crate::report::tables::Tally;
use crate::scenario::Need;
use crate::verdict::{JudgeVerdict, Outcome};
use maud::{Markup, html as markup};
use std::collections::BTreeSet;

/// Facts of the run shown at the top.
const FACTS: usize = 20;

/// The verdict in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Headline {
    /// The class that colours it: `good`, `warn` or `bad`.
    pub(super) tone: &'static str,
    /// The worst of it.
    pub(super) words: String,
    /// Other facts.
    pub(super) more: Vec<String>,
}

/// The order in which outcomes are shown, from good to bad.
const ORDER: [Outcome; 9] = [
    Outcome::Pass,
    Outcome::Inconclusive,
    Outcome::Unsupported,
    Outcome::Note,
    Outcome::Warn,
    Outcome::Blocked,
    Outcome::Misadvertised,
    Outcome::Fail,
    Outcome::Error,
];

impl Page<'_> {
    /// The result of the run. Requirements are counted as shown: one per card.
    pub(super) fn verdict(&self) -> Headline {
        let report = self.report;
        let found = cards(self.found());
        let of = |outcome| {
            found.iter().filter(|card| card.outcome == outcome).count()
                + self
                    .judges_with_findings()
                    .filter(|judge| judge.outcome == outcome)
                    .count()
        };
        let refused = self
            .found()
            .filter(|row| row.verdict.outcome == Outcome::Misadvertised);
        let refused: BTreeSet<&str> = refused
            .map(|row| {
                let lacks = row.verdict.lacks.as_ref();
                lacks.map_or(row.verdict.scenario.as_str(), Need::as_str)
            })
            .collect();
        let unjudged = |outcome| {
            let rows = self.unjudged().map(|row| &row.verdict);
            let rows = rows.filter(|verdict| verdict.outcome == outcome);
            rows.map(|verdict| &verdict.scenario)
                .collect::<BTreeSet<_>>()
                .len()
        };
        let stale = report.scenarios.iter().filter(|row| row.is_stale()).count()
            + report.judges.iter().filter(|row| is_stale(row)).count();

        let mut bad: Vec<String> = Vec::new();
        let mut tell = |count: usize, one: &str, many: &str| {
            if count > 0 {
                bad.push(plural(count, one, many));
            }
        };
        let untested = unjudged(Outcome::Blocked);
        let mostly_untested = self.mostly_untested();
        let not_tested = [
            "scenario could not be tested",
            "scenarios could not be tested",
        ];
        if mostly_untested {
            tell(untested, not_tested[0], not_tested[1]);
        }
        tell(
            of(Outcome::Fail),
            "MUST requirement is broken",
            "MUST requirements are broken",
        );
        tell(
            refused.len(),
            "advertised feature is refused",
            "advertised features are refused",
        );
        tell(
            unjudged(Outcome::Error),
            "scenario could not be played to the end",
            "scenarios could not be played to the end",
        );
        if !mostly_untested {
            tell(untested, not_tested[0], not_tested[1]);
        }
        tell(
            stale,
            "known deviation no longer fails",
            "known deviations no longer fail",
        );
        tell(
            report.invalid_scenarios.len(),
            "scenario file cannot be read",
            "scenario files cannot be read",
        );
        let warnings = of(Outcome::Warn);
        if self.strict {
            tell(
                warnings,
                "SHOULD requirement is broken",
                "SHOULD requirements are broken",
            );
        }
        let mut mild = Vec::new();
        if warnings > 0 && !self.strict {
            mild.push(plural(warnings, "warning", "warnings"));
        }
        if of(Outcome::Note) > 0 {
            mild.push(plural(of(Outcome::Note), "note", "notes"));
        }
        if report.interrupted {
            bad.insert(0, "Interrupted before its end".into());
        }
        if report.scenarios.is_empty() {
            bad.insert(0, "Nothing was played".into());
        }
        if bad.is_empty() {
            let words = match warnings {
                0 => "Conforms".to_owned(),
                _ => format!("Conforms, with {}", mild.remove(0)),
            };
            let tone = if warnings == 0 { "good" } else { "warn" };
            return Headline {
                tone,
                words,
                more: mild,
            };
        }
        let words = bad.remove(0);
        bad.extend(mild);
        Headline {
            tone: "bad",
            words,
            more: bad,
        }
    }

    /// Where most was never tried, the little that was seen comes second.
    pub(super) fn mostly_untested(&self) -> bool {
        let unjudged = self.unjudged();
        let untested = unjudged.filter(|row| row.verdict.outcome == Outcome::Blocked);
        untested.count() * 2 > self.report.scenarios.len()
    }

    pub(super) fn headline(&self) -> Markup {
        let report = self.report;
        let verdict = self.verdict();
        let mut tally = Tally::default();
        report.outcomes().for_each(|outcome| tally.add(outcome));
        let excused = report
            .scenarios
            .iter()
            .filter(|row| {
                row.known.is_some()
                    && row.verdict.outcome.fails(self.strict)
                    && !row.fails(self.strict)
            })
            .count();
        let missing = report.missing_parts();
        markup! {
            header class=(verdict.tone) {
                p.target { "FTP conformance of " code { (cut(&report.target.url)) } }
                h1 { (verdict.words) }
                @if !verdict.more.is_empty() { p.more { (verdict.more.join(" · ")) } }
                @if !report.target.greeting.is_empty() {
                    p.greeting { span.label { "It greets with " } q { (cut(&report.target.greeting)) } }
                }
                (bar(&tally))
                p.played {
                    (report.played()) ", "
                    (duration(report.duration_ms))
                    @if let Some(moment) = moment(report.started) { ", " (moment) }
                    "."
                    @if excused > 0 { " A baseline excuses " (excused) " of them." }
                }
                @if !missing.is_empty() {
                    p.notice { "This is only a part of the run: "
                        (plural(missing.len(), "part is", "parts are")) " missing." }
                }
                @for fact in report.notices.iter().take(FACTS) { p.notice { (cut(fact)) } }
                @if report.notices.len() > FACTS { p.notice { "and " (report.notices.len() - FACTS) " more" } }
                @for path in report.invalid_scenarios.iter().take(FACTS) {
                    p.notice { "Cannot be read: " code { (cut(path)) } }
                }
            }
        }
    }
}

pub(super) fn is_stale(judge: &JudgeVerdict) -> bool {
    crate::verdict::Accepted::is_stale(judge.known.as_ref(), judge.outcome)
}

/// The outcomes as one thin bar, and what its parts are, in words and numbers.
fn bar(tally: &Tally) -> Markup {
    let shown = || {
        let counted = ORDER
            .into_iter()
            .map(|outcome| (outcome, tally.of(outcome)));
        counted.filter(|(_, count)| *count > 0)
    };
    markup! {
        @if tally.all() > 0 {
            div.bar aria-hidden="true" {
                @for (outcome, count) in shown() { span class=(tone(outcome)) style={ "flex-grow:" (count) } {} }
            }
            ul.legend aria-label="Outcomes" {
                @for (outcome, count) in shown() {
                    li title=(meaning(outcome)) { span.swatch.(tone(outcome)) aria-hidden="true" {} b { (count) } " " (outcome.word()) }
                }
            }
        }
    }
}

/// The same, small, for a line of a table.
pub(super) fn small_bar(tally: &Tally) -> Markup {
    markup! {
        span.bar.small aria-hidden="true" {
            @for outcome in ORDER {
                @if tally.of(outcome) > 0 { span class=(tone(outcome)) style={ "flex-grow:" (tally.of(outcome)) } {} }
            }
        }
    }
}

/// As in `3 PASS, 1 FAIL`.
pub(super) fn tally_text(tally: &Tally) -> String {
    let counts: Vec<String> = tally
        .iter()
        .map(|(outcome, count)| format!("{count} {}", outcome.word()))
        .collect();
    counts.join(", ")
}
