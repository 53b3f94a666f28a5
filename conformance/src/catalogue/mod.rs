//! What the RFCs say, as data: the requirement catalogue and the registry of commands.
//!
//! Both are TOML files under `scenarios/`, so that a person can check them against the RFC without
//! reading any Rust, and both travel inside the binary.

mod level;
mod registry;
mod requirement;
mod summary;

pub(crate) use level::Level;
pub use registry::Registry;
pub(crate) use registry::{CommandRecord, Kind, Standing};
pub(crate) use requirement::{Catalogue, Gate, Requirement, RequirementSide};
pub(crate) use summary::{RequirementsSummary, SummaryGroup, SummaryLevel, SummaryRow};

/// A file of the catalogue or the registry that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct CatalogueError {
    /// Which file.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}
