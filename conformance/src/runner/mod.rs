//! Plays scenarios; never judges.
//!
//! ```text
//!  scenarios --plan--> jobs --run_all--> play --> Played { transcript, stop }
//!                                         |
//!                          driver::{control, data} or driver::suppaftp
//! ```
//!
//! It records what was played and how far; the judge decides what that means. A job that fails does
//! not end the run: its [`Stop`] gives the reason, and all other jobs go on.

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

pub(crate) use crate::verdict::Stop;
pub use listing::{Form, entries};
pub(crate) use plan::Plan;
pub use plan::{Selection, SkipReason, Skipped, plan};
pub(crate) use play::PlayOptions;
pub use play::{CancelToken, Canceller, play};
pub(crate) use prerequisites::{PrerequisiteStages, blocked};
pub(crate) use recheck::Prerequisites;
pub(crate) use scheduler::{Schedule, run_all};

use std::sync::Arc;
use std::time::Duration;

use crate::scenario::{Scenario, TestCase, Variant};
use crate::transcript::Transcript;

/// The prefix of the ids of prerequisites: scenarios that other scenarios depend on.
pub(crate) const PREREQUISITES: &str = "sanity/";

/// One scenario to be played in one variant.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its index in the plan; determines the name of its directory.
    pub number: usize,
    /// The scenario that is played.
    pub scenario: Arc<Scenario>,
    /// How.
    pub variant: Variant,
}

impl Job {
    /// The scenario and the variant.
    #[must_use]
    pub fn case(&self) -> TestCase {
        TestCase {
            scenario: self.scenario.id.0.clone(),
            variant: self.variant,
        }
    }
}

/// The result of playing a job, in full or in part.
#[derive(Debug, Clone)]
pub struct Played {
    /// The job.
    pub job: Job,
    /// The events.
    pub transcript: Transcript,
    /// The number of events when the dialogue ended; the later ones belong to clean-up.
    pub ended: usize,
    /// Why the dialogue was not played to its end; `None` if it was.
    pub stop: Option<Stop>,
    /// The duration, including clean-up.
    pub took: Duration,
    /// The directory that could not be removed.
    pub left: Option<String>,
}

/// An event of a run in progress.
#[derive(Debug, Clone)]
pub(crate) enum RunEvent {
    /// A job is being played. Reported in the order of starting.
    Started(Job),
    /// A job was played. Reported in the order of the plan; a prerequisite that no longer holds is
    /// reported a second time.
    Finished(Box<Played>),
    /// Something about the run or the target as a whole, as text.
    Fact(String),
}
