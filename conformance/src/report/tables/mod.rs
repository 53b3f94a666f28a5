//! What follows from the rows of a report: pure functions of the report and the catalogue inside the binary.
//!
//! Nothing here is stored. A report that is read again, or merged of parts, has the tables of its rows.

mod clauses;
mod commands;
mod documents;
mod features;
mod summary;

pub use clauses::{DocumentClauses, RequirementLine, Section, clauses};
pub use commands::{CommandLine, commands};
pub(super) use documents::name as document_name;
pub use documents::{DocumentSummary, Tally, documents};
pub use features::{FeatureTruth, Seen, Truth, feature_truth};
pub use summary::{Answer, FilledGroup, FilledRow, requirements_summary};

use super::Row;
use crate::verdict::Outcome;
use std::collections::BTreeMap;

/// What outcomes of rows about the same thing come to; `None` without a row.
fn together<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Option<Outcome> {
    Outcome::together(rows.into_iter().map(|row| row.verdict.outcome))
}

/// The rows of each requirement id, in their order.
fn by_requirement(rows: &[Row]) -> BTreeMap<&str, Vec<&Row>> {
    let mut by_id: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        for id in &row.covers {
            by_id.entry(id).or_default().push(row);
        }
    }
    by_id
}
