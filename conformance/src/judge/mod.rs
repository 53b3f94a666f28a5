//! Judges: they see transcripts, never sockets.
//!
//! ```text
//!  Transcript --Conversation::all--> exchanges --+--> always-on judges --> Findings of the whole run
//!                                                +--> expectation(scenario) --> Findings of that scenario
//! ```
//!
//! A judge is a pure function. It finds fault only where an RFC is normative, and it looks only at
//! exchanges that are whole: what was cut short by a time-out or by the end of a scenario proves
//! nothing about the server.

mod conclude;
mod expectation;
mod rules;
mod run_judge;
mod tally;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use conclude::{Evidence, conclude, needs};
pub(crate) use expectation::{Assessment, Ending, expectation};
pub(crate) use rules::Judge;
pub use rules::{Context, JUDGES};
pub(crate) use run_judge::RunJudge;
pub(crate) use tally::JudgeTally;
pub(crate) use tally::record;

use rules::{quoted, shown, shown_data};
