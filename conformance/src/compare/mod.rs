//! Compares two runs, and a run with what was kept of an earlier one.

pub mod difference;
pub mod snapshot;
