//! Updates a baseline from a report. Comments, order and reasons of remaining entries are kept.

use super::apply::{excuses_row, excuses_rule, is_stale};
use super::{BadBaseline, Baseline, KnownDeviation};
use crate::report::{Report, Row};
use crate::scenario::Variant;
use crate::verdict::Outcome;
use std::collections::BTreeMap;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

/// The result of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Update {
    /// The new text of the file.
    pub text: String,
    /// Descriptions of the added entries.
    pub added: Vec<String>,
    /// Descriptions of the removed entries.
    pub removed: Vec<String>,
}

/// A deviation without an entry.
struct New {
    table: Table,
    shown: String,
}

/// Adds entries with `reason` for unknown failures of a report and removes stale entries. An ERROR
/// is never added; a WARN only with `strict`.
///
/// # Errors
/// The text is not a baseline.
pub(crate) fn update(
    file: &str,
    text: &str,
    report: &Report,
    reason: &str,
    strict: bool,
) -> Result<Update, BadBaseline> {
    let baseline = Baseline::read(file, text)?;
    // It was read before, so it can be read again.
    let mut document: DocumentMut =
        text.parse()
            .map_err(|error: toml_edit::TomlError| BadBaseline::KnownDeviation {
                file: file.into(),
                line: 1,
                what: error.to_string(),
            })?;
    let needed = |entry: &KnownDeviation| {
        let rows = report.scenarios.iter().map(|row| &row.verdict);
        let mut rows = rows.filter(|verdict| {
            excuses_row(entry, &verdict.scenario, verdict.variant, verdict.outcome)
        });
        rows.next().is_some() || !is_stale(entry, report)
    };
    let removed: Vec<usize> = (0..baseline.entries.len())
        .filter(|index| !needed(&baseline.entries[*index]))
        .collect();
    let new = new_rows(&baseline, report, reason, strict)
        .into_iter()
        .chain(new_rules(&baseline, report, reason, strict));
    let new: Vec<_> = new.collect();

    let mut left = None;
    let known = document
        .entry("known")
        .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    if let Some(inline) = known.as_array() {
        // `known = [{…}]` becomes what it means.
        let tables = inline.iter().filter_map(|one| one.as_inline_table());
        let tables: ArrayOfTables = tables.map(|table| table.clone().into_table()).collect();
        *known = Item::ArrayOfTables(tables);
    }
    if let Some(tables) = known.as_array_of_tables_mut() {
        for index in removed.iter().rev() {
            remove(tables, *index, &mut left);
        }
        for new in &new {
            tables.push(new.table.clone());
        }
    }
    if let Some(left) = left {
        document.set_trailing(format!("{left}\n"));
    }
    let mut text = document.to_string();
    if baseline.entries.len() == removed.len() && new.is_empty() && baseline.entries.is_empty() {
        // Nothing to say: an empty array of tables is not written.
        text = text.trim_start_matches('\n').to_owned();
    }
    Ok(Update {
        text,
        added: new.into_iter().map(|new| new.shown).collect(),
        removed: removed
            .iter()
            .map(|index| baseline.entries[*index].about.to_string())
            .collect(),
    })
}

/// Removes an entry and the comment directly above it. Comments above that, after a blank line, are
/// kept: with the next entry, or in `left` if there is none.
fn remove(tables: &mut ArrayOfTables, index: usize, left: &mut Option<String>) {
    let prefix = |table: Option<&Table>| {
        let prefix = table.and_then(|table| table.decor().prefix()?.as_str());
        prefix.unwrap_or_default().to_owned()
    };
    let above = prefix(tables.get(index));
    tables.remove(index);
    let Some((stays, _)) = above.rsplit_once("\n\n") else {
        return;
    };
    if !stays.contains('#') {
        return;
    }
    let own = prefix(tables.get(index));
    match tables.get_mut(index) {
        Some(next) => {
            let own = own.trim_start_matches('\n');
            next.decor_mut().set_prefix(format!("{stays}\n\n{own}"));
        }
        None => *left = Some(stays.to_owned()),
    }
}

/// Unknown failures of scenarios: one entry for all variants if all of them have the same outcome.
fn new_rows(baseline: &Baseline, report: &Report, reason: &str, strict: bool) -> Vec<New> {
    let mut by_scenario = BTreeMap::<&str, Vec<&Row>>::new();
    for row in &report.scenarios {
        by_scenario
            .entry(&row.verdict.scenario)
            .or_default()
            .push(row);
    }
    let mut new = Vec::new();
    for (scenario, rows) in by_scenario {
        let is_new = |row: &&&Row| {
            let verdict = &row.verdict;
            let known = baseline
                .entries
                .iter()
                .any(|entry| excuses_row(entry, scenario, verdict.variant, verdict.outcome));
            !known && verdict.outcome != Outcome::Error && verdict.outcome.fails(strict)
        };
        let failed: Vec<_> = rows.iter().filter(is_new).collect();
        let Some(first) = failed.first().map(|row| row.verdict.outcome) else {
            continue;
        };
        let alike = failed.len() == rows.len()
            && failed.iter().all(|row| row.verdict.outcome == first)
            && !report.filters.variants;
        if alike {
            new.push(entry_of(scenario, None, first, reason));
            continue;
        }
        for row in failed {
            let verdict = &row.verdict;
            new.push(entry_of(
                scenario,
                Some(verdict.variant),
                verdict.outcome,
                reason,
            ));
        }
    }
    new
}

fn entry_of(scenario: &str, variant: Option<Variant>, outcome: Outcome, reason: &str) -> New {
    let mut table = begun();
    table.insert("scenario", value(scenario));
    let variant = variant.map(|variant| variant.to_string());
    if let Some(variant) = &variant {
        table.insert("variant", value(variant));
    }
    table.insert("outcome", value(outcome.word()));
    table.insert("reason", value(reason));
    New {
        table,
        shown: format!(
            "{} {scenario} [{}]",
            outcome.word(),
            variant.as_deref().unwrap_or("*")
        ),
    }
}

/// Unknown broken rules of the always-on judges.
fn new_rules(baseline: &Baseline, report: &Report, reason: &str, strict: bool) -> Vec<New> {
    let mut new = Vec::new();
    for row in &report.judges {
        for (rule, outcome, _) in row.broken() {
            let known = |entry: &KnownDeviation| excuses_rule(entry, &row.judge, rule, outcome);
            if !outcome.fails(strict) || baseline.entries.iter().any(known) {
                continue;
            }
            let mut table = begun();
            table.insert("judge", value(&row.judge));
            table.insert("requirement", value(rule));
            table.insert("outcome", value(outcome.word()));
            table.insert("reason", value(reason));
            new.push(New {
                table,
                shown: format!("{} {}: {rule}", outcome.word(), row.judge),
            });
        }
    }
    new
}

/// A table with a blank line before it.
fn begun() -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    table
}
