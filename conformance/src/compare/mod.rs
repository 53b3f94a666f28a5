//! Compares two runs, a run with saved snapshots, and live replies with recorded ones.

pub(crate) mod difference;
pub(crate) mod replies;
pub(crate) mod snapshot;
