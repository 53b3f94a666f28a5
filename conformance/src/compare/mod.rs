//! Compares two runs, a run with saved snapshots, and live replies with recorded ones.

pub mod difference;
pub mod replies;
pub mod snapshot;
