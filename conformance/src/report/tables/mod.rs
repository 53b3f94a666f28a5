//! What follows from the rows of a report: pure functions of the report and the catalogue inside
//! the binary.
//!
//! Nothing here is stored. A report that is read again, or merged of parts, has the tables of its
//! rows.

mod clauses;
mod commands;
mod documents;
mod features;
mod grouping;
mod slowest;
mod summary;

pub(crate) use clauses::{DocumentClauses, RequirementLine, clauses};
pub(crate) use commands::commands;
pub(super) use documents::name as document_name;
pub(crate) use documents::{Tally, documents};
pub(crate) use features::{Seen, Truth, feature_truth, misleading_features};
pub(crate) use grouping::{Group, GroupedFinding, ReasonGroup, absent, entries, reason_groups};
pub(crate) use slowest::slowest;
pub(crate) use summary::{Answer, FilledRow, requirements_summary, summary_counts};

use super::Row;
use crate::verdict::Outcome;
use std::collections::BTreeMap;

/// The outcome of a row for one requirement or one command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    /// The row.
    pub row: &'a Row,
    /// Of this requirement: with `!about`, other requirements of the row may have a worse outcome.
    pub outcome: Outcome,
}

/// The outcomes for each requirement id, in the order of the rows.
fn by_requirement(rows: &[Row]) -> BTreeMap<&str, Vec<Said<'_>>> {
    let mut by_id: BTreeMap<&str, Vec<Said<'_>>> = BTreeMap::new();
    for row in rows {
        for id in &row.covers {
            if let Some(outcome) = row.verdict.of_requirement(id) {
                by_id.entry(id).or_default().push(Said { row, outcome });
            }
        }
    }
    by_id
}
