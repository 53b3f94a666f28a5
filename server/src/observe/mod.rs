//! What an embedder can see and decide: the journal, the tap, the list of sessions, and hooks.

pub mod hooks;
pub mod journal;
pub(crate) mod sessions;
pub mod tap;
mod wire_facts;
