//! Results by document and by command, and whether FEAT is correct.

use super::format::{badge, cut, level, plural};
use super::headline::{small_bar, tally_text};
use super::{Page, Section, anchor};
use crate::catalogue::{Catalogue, Registry};
use crate::report::tables::{
    DocumentClauses, RequirementLine, Seen, Tally, Truth, clauses, commands, feature_truth,
};
use crate::verdict::Outcome;
use maud::{Markup, html as markup};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Rows of a table that a server can make as long as it likes.
const ROWS: usize = 300;
/// Scenarios named of one requirement.
const NAMED: usize = 60;

impl Page<'_> {
    pub(super) fn documents(&self) -> Option<Section> {
        let documents = clauses(self.report, Catalogue::built_in());
        let body = markup! {
            p.lead { "Every requirement on servers that the suite knows, what it came to, and the scenarios that ask for it." }
            @for document in &documents { (self.document(document)) }
        };
        Some(Section::of(
            "documents",
            "Clauses",
            "Clause by clause",
            body,
        ))
    }

    fn document(&self, document: &DocumentClauses<'_>) -> Markup {
        let lines = || {
            document
                .sections
                .iter()
                .flat_map(|section| &section.requirements)
        };
        let mut tally = Tally::default();
        lines()
            .filter_map(|line| line.outcome)
            .for_each(|outcome| tally.add(outcome));
        let all = lines().count();
        markup! {
            details.document {
                summary {
                    h3 { (document.document) }
                    span.numbers {
                        @if tally.all() == 0 { (plural(all, "requirement", "requirements")) ", none tested" }
                        @else { (tally.all()) " of " (plural(all, "requirement", "requirements")) ": " (tally_text(&tally)) }
                    }
                    (small_bar(&tally))
                }
                @for section in &document.sections {
                    h4 { (section.clause) }
                    ul.requirements { @for line in &section.requirements { (self.requirement(line)) } }
                }
            }
        }
    }

    fn requirement(&self, line: &RequirementLine<'_>) -> Markup {
        let rule = line.requirement;
        let scenarios: BTreeSet<(Reverse<Outcome>, &str)> = line
            .said
            .iter()
            .map(|said| (Reverse(said.outcome), said.row.verdict.scenario.as_str()))
            .collect();
        let mut seen = BTreeSet::new();
        // A scenario with several outcomes is named once, at its worst.
        let scenarios: Vec<_> = scenarios
            .into_iter()
            .filter(|(_, id)| seen.insert(*id))
            .collect();
        markup! {
            li id=[self.anchors.take(anchor::requirement(&rule.id))] {
                @match line.outcome {
                    Some(outcome) => (badge(outcome)),
                    None if rule.untestable.is_some() => span.state { "not testable" },
                    None => span.state { "not tested" },
                }
                div {
                    p { (rule.statement) " " span.level { (level(rule.level)) } }
                    @if let (None, Some(why)) = (line.outcome, &rule.untestable) { p.why { (why) } }
                    p.meta {
                        a.id href=(anchor::to(&anchor::requirement(&rule.id))) { (rule.id) }
                        @for (outcome, id) in scenarios.iter().take(NAMED) {
                            span.by {
                                (self.scenario_link(id))
                                @if Some(outcome.0) != line.outcome { " " (outcome.0.word()) }
                            }
                        }
                        @if scenarios.len() > NAMED { "and " (scenarios.len() - NAMED) " more" }
                    }
                }
            }
        }
    }

    pub(super) fn commands(&self) -> Option<Section> {
        let commands = commands(self.report, Registry::built_in(), Catalogue::built_in());
        if commands.is_empty() {
            return None;
        }
        let body = markup! {
            p.lead { "What the scenarios about each command came to. A command that only ever was answered 500 or 502 is not there." }
            table.commands {
                thead { tr {
                    th scope="col" { "Command" }
                    th scope="col" { "There" }
                    th scope="col" { "Verdict" }
                    th scope="col" { "Played" }
                } }
                tbody {
                    @for line in commands.iter().take(ROWS) {
                        tr {
                            th scope="row" { code { (cut(line.verb)) } }
                            td { (match line.implemented { Some(true) => "yes", Some(false) => "no", None => "not sent" }) }
                            td {
                                @if let Some(outcome) = line.outcome {
                                    @match line.said.iter().find(|said| said.outcome == outcome) {
                                        Some(said) if outcome > Outcome::Unsupported => {
                                            a href=(anchor::to(&anchor::scenario(&said.row.verdict.scenario))) { (badge(outcome)) }
                                        },
                                        _ => (badge(outcome)),
                                    }
                                } @else { "–" }
                            }
                            td.played { (small_bar(&line.tally)) span.numbers { (tally_text(&line.tally)) } }
                        }
                    }
                }
            }
            @if commands.len() > ROWS { p.where { "and " (commands.len() - ROWS) " more" } }
        };
        Some(Section::of(
            "commands",
            "Commands",
            "Command by command",
            body,
        ))
    }

    pub(super) fn features(&self) -> Option<Section> {
        let mut truths = feature_truth(self.report, Registry::built_in());
        truths.sort_by_key(|truth| !truth.truth.misleads());
        let (absent, truths): (Vec<_>, Vec<_>) = truths
            .into_iter()
            .partition(|truth| truth.truth == Truth::Absent);
        let misleading = truths.iter().filter(|truth| truth.truth.misleads()).count();
        let body = markup! {
            p.lead {
                @match (&self.report.target.features, misleading) {
                    (None, _) => "FEAT is unknown there, so the server says nothing of what it serves.",
                    (Some(_), 0) => "What FEAT lists is there, and what is there is listed.",
                    (Some(_), 1) => "FEAT misleads a client about one feature.",
                    (Some(_), _) => { "FEAT misleads a client about " (misleading) " features." },
                }
            }
            @if !truths.is_empty() {
                table.feat {
                    thead { tr {
                        th scope="col" { "Feature" }
                        th scope="col" { "FEAT says" }
                        th scope="col" { "It is" }
                        th scope="col" { "So FEAT is" }
                    } }
                    tbody {
                        @for truth in truths.iter().take(ROWS) {
                            tr.against[truth.truth.misleads()] {
                                th scope="row" { (cut(&truth.label)) }
                                td { @match &truth.advertised {
                                    Some(line) => code { (cut(line)) },
                                    None => span.nothing { "nothing" },
                                } }
                                td {
                                    (seen(truth.seen))
                                    @if let Some(id) = truth.refused_in.first() {
                                        @if truth.truth.misleads() { " " span.by { "by " (self.scenario_link(id)) } }
                                    }
                                }
                                td class={ "answer " (truth_class(truth.truth)) } { (truth_words(truth.truth)) }
                            }
                        }
                    }
                }
                @if truths.len() > ROWS { p.where { "and " (truths.len() - ROWS) " more" } }
            }
            @if !absent.is_empty() {
                p.lead {
                    "Neither advertised nor there: "
                    @for (at, truth) in absent.iter().enumerate() { @if at > 0 { ", " } code { (cut(&truth.label)) } }
                    "."
                }
            }
        };
        Some(Section::of("feat", "FEAT", "Is FEAT true?", body))
    }
}

fn seen(seen: Seen) -> &'static str {
    match seen {
        Seen::Served => "served",
        Seen::Refused => "refused",
        Seen::Partly => "partly implemented",
        Seen::Untested => "not tested",
    }
}

fn truth_class(truth: Truth) -> &'static str {
    match truth {
        Truth::Truthful => "good",
        Truth::AdvertisedAndRefused | Truth::ServedAndHidden => "bad",
        Truth::Absent | Truth::Untested | Truth::NoFeat => "none",
    }
}

fn truth_words(truth: Truth) -> &'static str {
    match truth {
        Truth::Truthful => "✓ true",
        Truth::AdvertisedAndRefused => "✗ advertised and refused",
        Truth::ServedAndHidden => "✗ served and hidden",
        Truth::Absent => "true",
        Truth::Untested => "not tested",
        Truth::NoFeat => "not there",
    }
}
