//! What an embedder can see and decide: the journal, the list of sessions, and hooks.

pub mod hooks;
pub mod journal;
pub(crate) mod sessions;
