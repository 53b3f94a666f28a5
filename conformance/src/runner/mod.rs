//! Plays scenarios; never judges.
//!
//! ```text
//!  scenarios --plan--> jobs --run_all--> play --> Played { transcript, stop }
//!                                         |
//!                          driver::{control, data} or driver::suppaftp
//! ```
//!
//! It records what was played and how far; the judge decides what that means. A job that goes wrong
//! does not end the run: its [`Stop`] says why, and all others go on.

mod clean_up;
#[cfg(test)]
mod foreign_files;
mod listing;
mod names;
mod plan;
mod play;
mod player;
mod prerequisites;
mod recheck;
mod requirements_of_scenario;
mod results;
mod sandbox;
mod scheduler;
mod steps;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod user;

pub use crate::verdict::Stop;
pub use listing::{Form, ListedName, entries};
pub use plan::{Plan, Selection, Skipped, plan};
pub use play::{CancelToken, Canceller, PlayOptions, play};
pub use prerequisites::{Sanity, blocked};
pub use recheck::Prerequisites;
pub use scheduler::{Schedule, run_all};

use std::sync::Arc;
use std::time::Duration;

use crate::scenario::{Scenario, Variant};
use crate::transcript::Transcript;

/// What the ids of prerequisites begin with: scenarios that other scenarios rest on.
pub const PREREQUISITES: &str = "sanity/";

/// One scenario to be played in one variant.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its place in the plan, from 0; names the directory it works in.
    pub number: usize,
    /// What is played.
    pub scenario: Arc<Scenario>,
    /// How.
    pub variant: Variant,
}

/// A scenario that was played, or as much of it as could be.
#[derive(Debug, Clone)]
pub struct Played {
    /// What was played, and how.
    pub job: Job,
    /// What happened.
    pub transcript: Transcript,
    /// How many of its events there were when the dialogue ended; those after them are clean-up.
    pub ended: usize,
    /// Why the dialogue was not played to its end; `None` if it was.
    pub stop: Option<Stop>,
    /// How long it took, clean-up included.
    pub took: Duration,
    /// The directory that could not be removed.
    pub left: Option<String>,
}

/// Reported while a run goes on.
#[derive(Debug, Clone)]
pub enum RunEvent {
    /// A job is being played. Comes in the order of starting.
    Started(Job),
    /// A job was played. Reported in the order of the plan, whichever ended first; a prerequisite
    /// that no longer holds is reported a second time.
    Finished(Box<Played>),
    /// Something about the run or the target as a whole, as text.
    Fact(String),
}
