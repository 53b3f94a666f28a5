//! The failures, each reported once and with its evidence.

use super::{Look, Writer, shortened};
use crate::catalogue::Catalogue;
use crate::report::Row;
use crate::report::tables::{Group, GroupedFinding, ReasonGroup, entries};
use crate::scenario::{Variant, shown_case};
use crate::text::joined;
use crate::verdict::{Finding, JudgeVerdict, Outcome};
use anstyle::Style;

/// How many findings are shown per scenario, and per judge.
const MOST: usize = 5;
/// Scenarios named that one reason stopped.
const NAMED: usize = 5;
/// A scenario's row in full, without colours.
pub(in crate::report) fn row_text(row: &Row) -> String {
    let outcome = row.verdict.outcome;
    let rows = vec![row];
    entry_text(&Group { outcome, rows })
}

/// A scenario with its variants in full, without colours.
pub(in crate::report) fn entry_text(entry: &Group<'_>) -> String {
    let mut writer = Writer::new(Look::default());
    writer.entry(entry);
    writer.styled.text
}

/// The scenarios with one reason, without colours.
pub(in crate::report) fn reason_group_text(reason_group: &ReasonGroup<'_>) -> String {
    let mut writer = Writer::new(Look::default());
    writer.reason_group(reason_group);
    writer.styled.text
}

/// A judge's row in full, without colours.
pub(in crate::report) fn judge_text(row: &JudgeVerdict) -> String {
    let mut writer = Writer::new(Look::default());
    writer.judge(row);
    writer.styled.text
}

impl Writer {
    /// A scenario and its outcome in these variants.
    pub(super) fn entry(&mut self, entry: &Group<'_>) {
        let row = entry.representative();
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
        let grouped_findings = entry.grouped_findings();
        for grouped_finding in grouped_findings.iter().take(MOST) {
            self.grouped_finding(grouped_finding, &row.title, variants.len());
        }
        self.more(grouped_findings.len(), MOST);
        if !row.impact.is_empty() {
            self.line(format!("  means     {}", row.impact));
        }
        self.excerpt(&row.excerpt);
        self.line(format!("  again     {}", row.reproduce));
        self.line("");
    }

    /// The scenarios with one reason, as one group.
    pub(super) fn reason_group(&mut self, reason_group: &ReasonGroup<'_>) {
        let row = reason_group.representative();
        if reason_group.rows.len() == 1 {
            self.heading(
                reason_group.outcome,
                &row.verdict.scenario,
                &[row.verdict.variant],
            );
            self.line(format!("  {}", row.title));
        } else {
            let outcome = self.outcome(reason_group.outcome);
            self.line(format!("{outcome} {}", reason_group.scale()));
        }
        if !reason_group.reason.is_empty() {
            self.line(format!("  because   {}", shortened(reason_group.reason)));
        }
        if reason_group.rows.len() > 1 {
            let named = entries(reason_group.rows.iter().copied());
            for (index, entry) in named.iter().take(NAMED).enumerate() {
                let label = if index == 0 { "of these" } else { "" };
                let id = &entry.rows[0].verdict.scenario;
                let variants = joined(&entry.variants());
                self.line(format!("  {label:<9} {id} [{variants}]"));
            }
            self.more(named.len(), NAMED);
        }
        self.excerpt(&row.excerpt);
        self.line(format!("  again     {}", row.reproduce));
        self.line("");
    }

    fn heading(&mut self, outcome: Outcome, scenario: &str, variants: &[Variant]) {
        let outcome = self.outcome(outcome);
        let id = self.painted(scenario, Style::new().bold());
        self.line(format!("{outcome} {id} [{}]", joined(variants)));
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
            let case = shown_case(&sighting.scenario, sighting.variant);
            self.line(format!("  seen in   {case}"));
            self.excerpt(&sighting.excerpt);
            self.line("");
        }
        if self.more(row.count, worst_first.len().min(MOST)) {
            self.line("");
        }
    }

    /// A finding, and in which variants it was made if that is not all of them.
    fn grouped_finding(
        &mut self,
        grouped_finding: &GroupedFinding<'_>,
        title: &str,
        variants: usize,
    ) {
        self.finding(grouped_finding.finding, title);
        if grouped_finding.variants.len() < variants {
            self.line(format!("  in        {}", joined(&grouped_finding.variants)));
        }
    }

    /// A finding below a title, which is not repeated.
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

    fn more(&mut self, found: usize, shown: usize) -> bool {
        if found > shown {
            self.line(format!(
                "  … and {} more; see them in the other report formats (--html, --report-json)",
                found - shown
            ));
        }
        found > shown
    }

    fn excerpt(&mut self, excerpt: &[String]) {
        for (index, line) in excerpt.iter().enumerate() {
            let label = if index == 0 { "wire" } else { "" };
            let line = self.painted(line, Style::new().dimmed());
            self.line(format!("  {label:<9} {line}"));
        }
    }
}
