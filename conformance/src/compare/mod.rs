//! Compares two runs, and a run with saved snapshots.

pub mod difference;
pub mod snapshot;
