//! Scenarios that were not tested, and the reasons.

use super::format::{cut, plural};
use super::{Page, Section};
use crate::report::tables::absent;
use crate::scenario::Variant;
use crate::verdict::Outcome;
use maud::html as markup;
use std::collections::{BTreeMap, BTreeSet};

/// How many names are shown per reason.
const NAMED: usize = 500;
/// Reasons shown.
const REASONS: usize = 200;

impl Page<'_> {
    pub(super) fn untested(&self) -> Option<Section> {
        let report = self.report;
        let mut skipped: BTreeMap<&str, Vec<(&str, Option<Variant>)>> = BTreeMap::new();
        for row in &report.skipped {
            let names = skipped.entry(&row.reason).or_default();
            names.push((&row.scenario, row.variant));
        }
        let absent = absent(report);
        let rows = report.scenarios.iter().map(|row| &row.verdict);
        let otherwise: BTreeSet<&str> = rows
            .filter(|verdict| verdict.outcome == Outcome::Inconclusive)
            .map(|verdict| verdict.scenario.as_str())
            .collect();
        if skipped.is_empty() && absent.is_empty() && otherwise.is_empty() {
            return None;
        }
        let body = markup! {
            @if !absent.is_empty() {
                h3 { "Optional, absent and not advertised" }
                p { "A server need not have these." }
                @for (lacks, ids) in absent.iter().take(REASONS) {
                    details {
                        summary { code { (cut(lacks)) } " " span.numbers { (plural(ids.len(), "scenario", "scenarios")) } }
                        ul.plain { @for id in ids.iter().take(NAMED) { li { (self.scenario_link(id)) } } }
                        @if ids.len() > NAMED { p.where { "and " (ids.len() - NAMED) " more" } }
                    }
                }
            }
            @if !otherwise.is_empty() {
                h3 { "Answered in another legal way" }
                details {
                    summary { (plural(otherwise.len(), "scenario", "scenarios")) " had nothing left to test" }
                    ul.plain { @for id in otherwise.iter().take(NAMED) { li { (self.scenario_link(id)) } } }
                    @if otherwise.len() > NAMED { p.where { "and " (otherwise.len() - NAMED) " more" } }
                }
            }
            @if !skipped.is_empty() {
                h3 { "Not played" }
                @for (reason, names) in skipped.iter().take(REASONS) {
                    details {
                        summary { (cut(reason)) " " span.numbers { (names.len()) } }
                        ul.plain {
                            @for (scenario, variant) in names.iter().take(NAMED) {
                                li { code { (cut(scenario)) } @if let Some(variant) = variant { " " span.variant { (variant) } } }
                            }
                        }
                        @if names.len() > NAMED { p.where { "and " (names.len() - NAMED) " more" } }
                    }
                }
            }
        };
        Some(Section::of(
            "untested",
            "Not tested",
            "What was not tested, and why",
            body,
        ))
    }
}
