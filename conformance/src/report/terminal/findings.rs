//! What is wrong, each thing told once and with its evidence.

use super::{Writer, shortened};
use crate::catalogue::Catalogue;
use crate::report::Row;
use crate::report::tables::{Group, Obstacle, Sight, entries};
use crate::verdict::{Finding, JudgeVerdict, Outcome};
use anstyle::Style;

/// Findings told of one scenario, sightings of one judge.
const MOST: usize = 5;
/// Scenarios named that one reason stopped.
const NAMED: usize = 5;
/// A scenario's row in full, without colours.
pub(in crate::report) fn row_told(row: &Row) -> String {
    let outcome = row.verdict.outcome;
    let rows = vec![row];
    entry_told(&Group { outcome, rows })
}

/// A scenario with its variants in full, without colours.
pub(in crate::report) fn entry_told(entry: &Group<'_>) -> String {
    let mut writer = Writer::plain();
    writer.entry(entry);
    writer.text
}

/// What one reason stopped, without colours.
pub(in crate::report) fn obstacle_told(obstacle: &Obstacle<'_>) -> String {
    let mut writer = Writer::plain();
    writer.obstacle(obstacle);
    writer.text
}

/// A judge's row in full, without colours.
pub(in crate::report) fn judge_told(row: &JudgeVerdict) -> String {
    let mut writer = Writer::plain();
    writer.judge(row);
    writer.text
}

impl Writer {
    /// A scenario, and what it came to in these variants.
    pub(super) fn entry(&mut self, entry: &Group<'_>) {
        let row = entry.witness();
        let variants = entry.variants();
        self.heading(entry.outcome, &row.verdict.scenario, &variants);
        self.line(format!("  {}", row.title));
        for rule in entry
            .concerns()
            .into_iter()
            .filter_map(|id| Catalogue::built_in().get(id))
        {
            self.line(format!(
                "  rule      {} ({}, {})",
                rule.statement, rule.clause, rule.id
            ));
        }
        if !row.verdict.reason.is_empty() {
            self.line(format!("  because   {}", shortened(&row.verdict.reason)));
        }
        let sights = entry.sights();
        for sight in sights.iter().take(MOST) {
            self.sight(sight, &row.title, variants.len());
        }
        self.more(sights.len(), MOST);
        if !row.impact.is_empty() {
            self.line(format!("  means     {}", row.impact));
        }
        self.excerpt(&row.excerpt);
        self.line(format!("  again     {}", row.reproduce));
        self.line("");
    }

    /// What one reason stopped: once, however much that is.
    pub(super) fn obstacle(&mut self, obstacle: &Obstacle<'_>) {
        let row = obstacle.witness();
        if obstacle.rows.len() == 1 {
            self.heading(
                obstacle.outcome,
                &row.verdict.scenario,
                &[&row.verdict.variant],
            );
            self.line(format!("  {}", row.title));
        } else {
            let outcome = self.outcome(obstacle.outcome);
            self.line(format!("{outcome} {}", obstacle.scale()));
        }
        if !obstacle.reason.is_empty() {
            self.line(format!("  because   {}", shortened(obstacle.reason)));
        }
        if obstacle.rows.len() > 1 {
            let named = entries(obstacle.rows.iter().copied());
            for (index, entry) in named.iter().take(NAMED).enumerate() {
                let label = if index == 0 { "of these" } else { "" };
                let id = &entry.rows[0].verdict.scenario;
                let variants = entry.variants().join(", ");
                self.line(format!("  {label:<9} {id} [{variants}]"));
            }
            self.more(named.len(), NAMED);
        }
        self.excerpt(&row.excerpt);
        self.line(format!("  again     {}", row.reproduce));
        self.line("");
    }

    fn heading(&mut self, outcome: Outcome, scenario: &str, variants: &[&str]) {
        let outcome = self.outcome(outcome);
        let id = self.painted(scenario, Style::new().bold());
        self.line(format!("{outcome} {id} [{}]", variants.join(", ")));
    }

    pub(super) fn judge(&mut self, row: &JudgeVerdict) {
        let name = self.painted(&row.judge, Style::new().bold());
        let outcome = self.outcome(row.outcome);
        self.line(format!("{outcome} {name} (in every transcript)"));
        self.line(format!("  {}", row.statement));
        if !row.impact.is_empty() {
            self.line(format!("  means     {}", row.impact));
        }
        let mut worst_first: Vec<_> = row.findings.iter().collect();
        worst_first.sort_by_key(|sighting| sighting.finding.level);
        for sighting in worst_first.iter().take(MOST) {
            self.finding(&sighting.finding, &row.statement);
            self.line(format!(
                "  seen in   {} [{}]",
                sighting.scenario, sighting.variant
            ));
            self.excerpt(&sighting.excerpt);
            self.line("");
        }
        if self.more(row.count, worst_first.len().min(MOST)) {
            self.line("");
        }
    }

    /// A finding, and in which variants it was made if that is not all of them.
    fn sight(&mut self, sight: &Sight<'_>, title: &str, variants: usize) {
        self.finding(sight.finding, title);
        if sight.variants.len() < variants {
            self.line(format!("  in        {}", sight.variants.join(", ")));
        }
    }

    /// A finding below a title: what that said is not said again.
    fn finding(&mut self, finding: &Finding, title: &str) {
        let level = finding.level.word();
        if finding.requirement == title {
            self.line(format!("  clause    {} ({level})", finding.clause));
        } else {
            self.line(format!(
                "  {}: {} ({level})",
                finding.clause, finding.requirement
            ));
        }
        self.line(format!("  expected  {}", shortened(&finding.expected)));
        self.line(format!("  observed  {}", shortened(&finding.observed)));
        if finding.line > 0 {
            self.line(format!("  at        line {} of the scenario", finding.line));
        }
    }

    fn more(&mut self, found: usize, told: usize) -> bool {
        if found > told {
            self.line(format!(
                "  … and {} more; the other forms of the report (--html, --report-json) tell them",
                found - told
            ));
        }
        found > told
    }

    fn excerpt(&mut self, excerpt: &[String]) {
        for (index, line) in excerpt.iter().enumerate() {
            let label = if index == 0 { "wire" } else { "" };
            let line = self.painted(line, Style::new().dimmed());
            self.line(format!("  {label:<9} {line}"));
        }
    }
}
