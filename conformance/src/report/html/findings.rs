//! The failures, the worst first: one card per requirement, with its variants grouped.

use super::format::{badge, cut, level};
use super::{Page, Section, anchor};
use crate::catalogue::{Catalogue, Requirement, RequirementSide};
use crate::report::Row;
use crate::report::tables::{Group, ReasonGroup, entries, reason_groups};
use crate::scenario::Variant;
use crate::verdict::{Finding, JudgeVerdict, Located, Outcome};
use maud::{Markup, html as markup};
use std::cmp::Reverse;

/// How many findings are shown per scenario or judge.
const MOST_FINDINGS: usize = 5;
/// Lines of the wire.
const LINES: usize = 40;
/// Scenarios named where one reason stopped many.
const NAMED: usize = 200;

/// Scenarios about the same requirement, at least one of which is not as it should be.
pub(super) struct Card<'a> {
    /// The requirements; `None` if a scenario names no known requirement.
    rule: Option<&'a Requirement>,
    /// The worst of them.
    pub(super) outcome: Outcome,
    /// The worst first.
    entries: Vec<Group<'a>>,
}

/// Cards of these rows, the worst first, in the order of the plan where they are as bad.
pub(super) fn cards<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Card<'a>> {
    let mut cards: Vec<Card<'a>> = Vec::new();
    for entry in entries(rows) {
        let rule = rules(entry.rows[0]).next();
        // A refusal of an advertised feature does not decide the requirement itself.
        let refused = |outcome| outcome == Outcome::Misadvertised;
        let known = cards.iter_mut().find(|card| {
            rule.is_some()
                && card.rule.map(|rule| &rule.id) == rule.map(|rule| &rule.id)
                && refused(card.outcome) == refused(entry.outcome)
        });
        match known {
            Some(card) => {
                card.outcome = card.outcome.max(entry.outcome);
                card.entries.push(entry);
            }
            None => cards.push(Card {
                rule,
                outcome: entry.outcome,
                entries: vec![entry],
            }),
        }
    }
    for card in &mut cards {
        card.entries.sort_by_key(|entry| Reverse(entry.outcome));
    }
    cards.sort_by_key(|card| Reverse(card.outcome));
    cards
}

/// The known requirements a scenario is about, without those that hold.
fn rules(row: &Row) -> impl Iterator<Item = &'static Requirement> {
    let known = row
        .concerns()
        .filter_map(|id| Catalogue::built_in().get(id));
    known.filter(|rule| rule.side == RequirementSide::Server)
}

impl<'a> Page<'a> {
    /// Rows that are cards: those a baseline does not know, and that could be judged.
    pub(super) fn found(&self) -> impl Iterator<Item = &'a Row> {
        self.report.scenarios.iter().filter(|row| {
            let shown = matches!(
                row.verdict.outcome,
                Outcome::Fail | Outcome::Misadvertised | Outcome::Warn | Outcome::Note
            );
            shown && row.known.is_none()
        })
    }

    /// Judges with findings that no baseline lists.
    pub(super) fn judges_with_findings(&self) -> impl Iterator<Item = &'a JudgeVerdict> {
        let judges = self.report.judges.iter();
        judges.filter(|judge| judge.known.is_none() && judge.outcome != Outcome::Pass)
    }

    /// An ERROR is shown even if a baseline lists the scenario.
    pub(super) fn unjudged(&self) -> impl Iterator<Item = &'a Row> {
        self.report
            .scenarios
            .iter()
            .filter(|row| match row.verdict.outcome {
                Outcome::Error => true,
                Outcome::Blocked => row.known.is_none(),
                _ => false,
            })
    }

    pub(super) fn findings(&self) -> Option<Section> {
        let reason_groups = reason_groups(self.unjudged());
        let cards = cards(self.found());
        let judges: Vec<&JudgeVerdict> = self.judges_with_findings().collect();
        if self.report.scenarios.is_empty() {
            return None;
        }
        let mut headings = [
            (Outcome::Error, "Errors"),
            (Outcome::Misadvertised, "Advertised, then refused"),
            (Outcome::Fail, "Broken requirements"),
            (Outcome::Blocked, "Could not be tested"),
            (Outcome::Warn, "Warnings"),
            (Outcome::Note, "Notes"),
        ];
        if self.mostly_untested() {
            headings[..4].rotate_right(1);
        }
        let body = markup! {
            @if reason_groups.is_empty() && cards.is_empty() && judges.is_empty() {
                p.calm { "No failures: everything that was tested passed." }
            }
            @for (outcome, heading) in headings {
                @let of_outcome = cards.iter().filter(|card| card.outcome == outcome);
                @let judges: Vec<&&JudgeVerdict> = judges.iter().filter(|judge| judge.outcome == outcome).collect();
                @let unjudged: Vec<&ReasonGroup<'_>> = reason_groups.iter().filter(|it| it.outcome == outcome).collect();
                @let count = of_outcome.clone().count() + judges.len() + unjudged.len();
                @if count > 0 {
                    h3 { (heading) " " span.count { (count) } }
                    @for judge in judges { (self.judge(judge)) }
                    @for reason_group in unjudged { (self.reason_group(reason_group)) }
                    @for card in of_outcome { (self.card(card)) }
                }
            }
        };
        Some(Section::of("findings", "Findings", "What was found", body))
    }

    fn card(&self, card: &Card<'_>) -> Markup {
        let shared = card.rule.filter(|_| card.entries.len() > 1);
        markup! {
            article.card {
                @if let Some(rule) = shared {
                    p.shared { (rule.statement) " " span.level { (rule.clause) } }
                }
                @for entry in &card.entries { (self.entry(entry, None)) }
            }
        }
    }

    /// One scenario; with `reason`, why a baseline accepts it.
    pub(super) fn entry(&self, entry: &Group<'_>, reason: Option<&str>) -> Markup {
        let first = entry.rows[0];
        let grouped_findings = entry.grouped_findings();
        let worst = grouped_findings
            .first()
            .map(|grouped_finding| grouped_finding.finding);
        let clause = worst.map_or_else(|| first.cites.join(", "), |finding| finding.clause.clone());
        let worth = worst.map_or(first.level, |finding| finding.level);
        let claim = worst.map_or(&first.title, |finding| &finding.requirement);
        let variants = entry.variants();
        // The wire is kept around the worst finding of a variant; one variant speaks for all.
        let shown = entry.representative();
        let id = self.anchors.take(anchor::scenario(&first.verdict.scenario));
        markup! {
            div.entry id=[id] {
                p.eyebrow { (cut(&clause)) " · " (level(worth)) }
                h4 { (badge(entry.outcome)) " " (cut(claim)) }
                @if let Some(reason) = reason { p.means { b { "Accepted: " } (cut(reason)) } }
                @if !first.verdict.reason.is_empty() { p { (cut(&first.verdict.reason)) } }
                @for grouped_finding in grouped_findings.iter().take(MOST_FINDINGS) {
                    @if grouped_finding.finding.requirement != *claim { p.also { (cut(&grouped_finding.finding.requirement)) } }
                    (compared(grouped_finding.finding))
                    @if grouped_finding.variants.len() < variants.len() { p.where { "In " (list(&grouped_finding.variants)) } }
                }
                @if grouped_findings.len() > MOST_FINDINGS { p.where { "and " (grouped_findings.len() - MOST_FINDINGS) " more" } }
                @if !first.impact.is_empty() { p.means { b { "What it means: " } (cut(&first.impact)) } }
                details {
                    summary { "Evidence, and how to repeat it" (self.where_played(first, &variants)) }
                    (excerpt(&shown.excerpt))
                    (repeat(&shown.reproduce))
                    (self.covered(first))
                }
            }
        }
    }

    /// The scenario, the variants in which it came to this, and those in which it holds.
    fn where_played(&self, row: &Row, variants: &[Variant]) -> Markup {
        let same = self.report.scenarios.iter().filter(|other| {
            other.verdict.scenario == row.verdict.scenario && other.verdict.outcome == Outcome::Pass
        });
        let held: Vec<Variant> = same.map(|other| other.verdict.variant).collect();
        markup! {
            span.meta {
                code { (cut(&row.verdict.scenario)) }
                " in " (list(variants))
                @if !held.is_empty() { "; holds in " (list(&held)) }
            }
        }
    }

    /// The requirements that a scenario covers.
    fn covered(&self, row: &Row) -> Markup {
        let rules: Vec<_> = rules(row).collect();
        markup! {
            @if !rules.is_empty() {
                p.label { "What it rests on" }
                ul.rules {
                    @for rule in rules {
                        li {
                            (rule.statement) " "
                            a href=(anchor::to(&anchor::requirement(&rule.id))) { (rule.clause) " · " (level(rule.level)) }
                        }
                    }
                }
            }
        }
    }

    fn judge(&self, judge: &JudgeVerdict) -> Markup {
        let mut worst_first: Vec<&Located> = judge.findings.iter().collect();
        worst_first.sort_by_key(|located| located.finding.level);
        let shown = worst_first.len().min(MOST_FINDINGS);
        markup! {
            article.card id=[self.anchors.take(anchor::judge(&judge.judge))] {
                div.entry {
                    p.eyebrow { (cut(&judge.clause)) " · in every transcript" }
                    h4 { (badge(judge.outcome)) " " (cut(&judge.statement)) }
                    p.meta { code { (cut(&judge.judge)) } " found it " (times(judge.count)) }
                    @for located in worst_first.into_iter().take(shown) {
                        p.also { (cut(&located.finding.requirement)) }
                        (compared(&located.finding))
                        details {
                            summary { "Evidence" span.meta { code { (cut(&located.scenario)) } @if let Some(variant) = located.variant { " in " span.variant { (variant) } } } }
                            (excerpt(&located.excerpt))
                        }
                    }
                    @if !judge.impact.is_empty() { p.means { b { "What it means: " } (cut(&judge.impact)) } }
                    @if judge.count > shown { p.where { "and " (judge.count - shown) " more; see report.json" } }
                }
            }
        }
    }

    fn reason_group(&self, reason_group: &ReasonGroup<'_>) -> Markup {
        let representative = reason_group.representative();
        let reason = match reason_group.reason {
            "" => "no reason given",
            reason => reason,
        };
        markup! {
            article.card {
                div.entry {
                    p.eyebrow { (reason_group.scale()) }
                    h4 { (badge(reason_group.outcome)) " " (cut(reason)) }
                    details {
                        summary { "Which, and how to repeat it" }
                        ul.rules {
                            @for row in reason_group.rows.iter().take(NAMED) {
                                li { (self.scenario_link(&row.verdict.scenario)) " " (row.verdict.variant) }
                            }
                            @if reason_group.rows.len() > NAMED { li { "and " (reason_group.rows.len() - NAMED) " more" } }
                        }
                        (excerpt(&representative.excerpt))
                        (repeat(&representative.reproduce))
                    }
                }
            }
        }
    }

    pub(super) fn scenario_link(&self, id: &str) -> Markup {
        markup! { a href=(anchor::to(&anchor::scenario(id))) { code { (cut(id)) } } }
    }
}

fn compared(finding: &Finding) -> Markup {
    markup! {
        dl.compared {
            div { dt { "Expected" } dd { code { (cut(&finding.expected)) } } }
            div.observed { dt { "Observed" } dd { code { (cut(&finding.observed)) } } }
        }
    }
}

fn excerpt(lines: &[String]) -> Markup {
    let last = lines.len().saturating_sub(1);
    markup! {
        @if !lines.is_empty() {
            p.label { "The wire" }
            pre.excerpt tabindex="0" role="region" aria-label="The wire" {
                @for (at, line) in lines.iter().enumerate().take(LINES) {
                    span.line.client[line.contains("C: ") && !line.contains("S: ")].aside[line.starts_with("--")].last[at == last] {
                        (cut(line))
                    }
                    "\n"
                }
                @if lines.len() > LINES { "… and " (lines.len() - LINES) " more\n" }
            }
        }
    }
}

pub(super) fn repeat(command: &str) -> Markup {
    markup! {
        @if !command.is_empty() {
            // All of it: it is there to be pasted.
            p.label { "Repeat it" }
            pre.command tabindex="0" role="region" aria-label="Command" { (command) }
        }
    }
}

/// As in `once`, `3 times`.
pub(super) fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}

/// As in `pasv, epsv, port`.
pub(super) fn list(variants: &[Variant]) -> Markup {
    markup! {
        @for (at, variant) in variants.iter().enumerate() {
            @if at > 0 { ", " }
            span.variant { (variant) }
        }
    }
}
