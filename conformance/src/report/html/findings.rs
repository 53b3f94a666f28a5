//! What is wrong, the worst first: one card for each requirement, its variants folded.

use super::format::{badge, cut, level};
use super::{Page, Section, anchor};
use crate::catalogue::{Catalogue, Requirement, RequirementSide};
use crate::report::Row;
use crate::report::tables::{Group, Obstacle, entries, obstacles};
use crate::verdict::{Finding, JudgeVerdict, Located, Outcome};
use maud::{Markup, html as markup};
use std::cmp::Reverse;

/// Sights told of one scenario or judge.
const SIGHTS: usize = 5;
/// Lines of the wire.
const LINES: usize = 40;
/// Scenarios named where one reason stopped many.
const NAMED: usize = 200;

/// Scenarios about the same requirement, at least one of which is not as it should be.
pub(super) struct Card<'a> {
    /// What they are about; `None` where a scenario names no requirement we know.
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
        // What is refused though advertised says nothing of the requirement itself.
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

/// The requirements a scenario is about, as far as we know them; those that hold are left out.
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
            let told = matches!(
                row.verdict.outcome,
                Outcome::Fail | Outcome::Misadvertised | Outcome::Warn | Outcome::Note
            );
            told && row.known.is_none()
        })
    }

    /// Judges that found something a baseline does not know.
    pub(super) fn sighted(&self) -> impl Iterator<Item = &'a JudgeVerdict> {
        let judges = self.report.judges.iter();
        judges.filter(|judge| judge.known.is_none() && judge.outcome != Outcome::Pass)
    }

    /// An ERROR is told even where a baseline knows the scenario.
    pub(super) fn stopped(&self) -> impl Iterator<Item = &'a Row> {
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
        let obstacles = obstacles(self.stopped());
        let cards = cards(self.found());
        let judges: Vec<&JudgeVerdict> = self.sighted().collect();
        if self.report.scenarios.is_empty() {
            return None;
        }
        let mut headings = [
            (Outcome::Error, "Trouble"),
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
            @if obstacles.is_empty() && cards.is_empty() && judges.is_empty() {
                p.calm { "Nothing: everything that was tested holds." }
            }
            @for (outcome, heading) in headings {
                @let of_outcome = cards.iter().filter(|card| card.outcome == outcome);
                @let judges: Vec<&&JudgeVerdict> = judges.iter().filter(|judge| judge.outcome == outcome).collect();
                @let stopped: Vec<&Obstacle<'_>> = obstacles.iter().filter(|it| it.outcome == outcome).collect();
                @let count = of_outcome.clone().count() + judges.len() + stopped.len();
                @if count > 0 {
                    h3 { (heading) " " span.count { (count) } }
                    @for judge in judges { (self.judge(judge)) }
                    @for obstacle in stopped { (self.obstacle(obstacle)) }
                    @for card in of_outcome { (self.card(card)) }
                }
            }
        };
        Some(Section {
            id: "findings",
            short: "Findings",
            title: "What was found",
            body,
        })
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
        let sights = entry.sights();
        let worst = sights.first().map(|sight| sight.finding);
        let clause = worst.map_or_else(|| first.cites.join(", "), |finding| finding.clause.clone());
        let worth = worst.map_or(first.level, |finding| finding.level);
        let claim = worst.map_or(&first.title, |finding| &finding.requirement);
        let variants = entry.variants();
        // The wire is kept around the worst finding of a variant; one variant speaks for all.
        let told = entry.witness();
        let id = self.anchors.take(anchor::scenario(&first.verdict.scenario));
        markup! {
            div.entry id=[id] {
                p.eyebrow { (cut(&clause)) " · " (level(worth)) }
                h4 { (badge(entry.outcome)) " " (cut(claim)) }
                @if let Some(reason) = reason { p.means { b { "Accepted: " } (cut(reason)) } }
                @if !first.verdict.reason.is_empty() { p { (cut(&first.verdict.reason)) } }
                @for sight in sights.iter().take(SIGHTS) {
                    @if sight.finding.requirement != *claim { p.also { (cut(&sight.finding.requirement)) } }
                    (compared(sight.finding))
                    @if sight.variants.len() < variants.len() { p.where { "In " (list(&sight.variants)) } }
                }
                @if sights.len() > SIGHTS { p.where { "and " (sights.len() - SIGHTS) " more" } }
                @if !first.impact.is_empty() { p.means { b { "What it means: " } (cut(&first.impact)) } }
                details {
                    summary { "Evidence, and how to repeat it" (self.where_played(first, &variants)) }
                    (excerpt(&told.excerpt))
                    (repeat(&told.reproduce))
                    (self.covered(first))
                }
            }
        }
    }

    /// The scenario, the variants in which it came to this, and those in which it holds.
    fn where_played(&self, row: &Row, variants: &[&str]) -> Markup {
        let same = self.report.scenarios.iter().filter(|other| {
            other.verdict.scenario == row.verdict.scenario && other.verdict.outcome == Outcome::Pass
        });
        let held: Vec<&str> = same.map(|other| other.verdict.variant.as_str()).collect();
        markup! {
            span.meta {
                code { (cut(&row.verdict.scenario)) }
                " in " (list(variants))
                @if !held.is_empty() { "; holds in " (list(&held)) }
            }
        }
    }

    /// The rules behind a scenario.
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
        let told = worst_first.len().min(SIGHTS);
        markup! {
            article.card id=[self.anchors.take(anchor::judge(&judge.judge))] {
                div.entry {
                    p.eyebrow { (cut(&judge.clause)) " · in every transcript" }
                    h4 { (badge(judge.outcome)) " " (cut(&judge.statement)) }
                    p.meta { code { (cut(&judge.judge)) } " saw it " (times(judge.count)) }
                    @for located in worst_first.into_iter().take(told) {
                        p.also { (cut(&located.finding.requirement)) }
                        (compared(&located.finding))
                        details {
                            summary { "Evidence" span.meta { code { (cut(&located.scenario)) } " in " span.variant { (cut(&located.variant)) } } }
                            (excerpt(&located.excerpt))
                        }
                    }
                    @if !judge.impact.is_empty() { p.means { b { "What it means: " } (cut(&judge.impact)) } }
                    @if judge.count > told { p.where { "and " (judge.count - told) " more; report.json tells more" } }
                }
            }
        }
    }

    fn obstacle(&self, obstacle: &Obstacle<'_>) -> Markup {
        let witness = obstacle.witness();
        let reason = match obstacle.reason {
            "" => "no reason was told",
            reason => reason,
        };
        markup! {
            article.card {
                div.entry {
                    p.eyebrow { (obstacle.scale()) }
                    h4 { (badge(obstacle.outcome)) " " (cut(reason)) }
                    details {
                        summary { "Which, and how to repeat it" }
                        ul.rules {
                            @for row in obstacle.rows.iter().take(NAMED) {
                                li { (self.scenario_link(&row.verdict.scenario)) " " (cut(&row.verdict.variant)) }
                            }
                            @if obstacle.rows.len() > NAMED { li { "and " (obstacle.rows.len() - NAMED) " more" } }
                        }
                        (excerpt(&witness.excerpt))
                        (repeat(&witness.reproduce))
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
pub(super) fn list(names: &[&str]) -> Markup {
    markup! {
        @for (at, name) in names.iter().enumerate() {
            @if at > 0 { ", " }
            span.variant { (cut(name)) }
        }
    }
}
