//! What a played scenario or an always-on judge comes to.
//!
//! Requirement level and outcome are two facts; [`Outcome`] is what is shown.

mod conclude;
mod judges;

pub use conclude::{Evidence, conclude};
pub use judges::{JudgeTally, JudgeVerdict, Located};

use crate::scenario::{Connection, Level, ScenarioId};
use serde::{Deserialize, Serialize};

/// One thing that does not hold, with its evidence. No renderer ever parses a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The judge that found it: `expectation`, `reply-syntax`, `reply-code` …
    pub judge: String,
    /// What it is worth.
    pub level: Level,
    /// The requirement in our words.
    pub requirement: String,
    /// The clause.
    pub clause: String,
    /// What had to be.
    pub expected: String,
    /// What was.
    pub observed: String,
    /// The control connection.
    pub connection: Connection,
    /// The line of the scenario; 0 where it was not in the dialogue.
    pub line: u32,
    /// Index into the transcript's events where it shows.
    pub event: usize,
}

/// What is shown for one scenario in one variant, or for one judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Holds.
    Pass,
    /// MAY or practice not followed.
    Note,
    /// An optional feature, absent and not advertised.
    Unsupported,
    /// A SHOULD is broken.
    Warn,
    /// A prerequisite failed (login, no write access).
    NotTestable,
    /// A MUST is broken.
    Fail,
    /// Advertised in FEAT, then refused.
    FalseAd,
    /// The tester's own trouble, or the target vanished.
    Error,
}

impl Outcome {
    /// The word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Note => "NOTE",
            Self::Unsupported => "UNSUPPORTED",
            Self::Warn => "WARN",
            Self::NotTestable => "NOT-TESTABLE",
            Self::Fail => "FAIL",
            Self::FalseAd => "FALSE-AD",
            Self::Error => "ERROR",
        }
    }

    /// Whether it fails the run.
    #[must_use]
    pub fn fails(self, strict: bool) -> bool {
        match self {
            Self::Pass | Self::Note | Self::Unsupported => false,
            Self::Warn => strict,
            Self::NotTestable | Self::Fail | Self::FalseAd | Self::Error => true,
        }
    }

    /// What a broken expectation of this level is worth.
    #[must_use]
    pub fn of_broken(level: Level) -> Self {
        match level {
            Level::Must => Self::Fail,
            Level::Should => Self::Warn,
            Level::May | Level::Practice => Self::Note,
        }
    }
}

/// Why a dialogue was not played to its end. The player says it, [`Outcome`] follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// What came cannot be gone on with: a reply of another class, no address in a 227, a refused user step.
    Mismatch {
        /// The statement that did not hold.
        line: u32,
    },
    /// What a statement waited for did not come.
    TimedOut {
        /// The statement that waited.
        line: u32,
    },
    /// The control connection ended while something was expected of it.
    ConnectionLost {
        /// The statement that needed it.
        line: u32,
    },
    /// Login, the scenario's directory or a `@given` failed, so nothing was tested.
    Prerequisite(String),
    /// The tester's own trouble.
    Trouble(String),
    /// No connection can be made to the target any more.
    TargetGone(String),
}

impl Stop {
    /// The line of the statement at which it ended; 0 for the barrier at the end. `None` where it is about none.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        match self {
            Self::Mismatch { line } | Self::TimedOut { line } | Self::ConnectionLost { line } => {
                Some(*line)
            }
            Self::Prerequisite(_) | Self::Trouble(_) | Self::TargetGone(_) => None,
        }
    }
}

/// The verdict on one scenario in one variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which scenario.
    pub scenario: ScenarioIdText,
    /// In which variant, as shown.
    pub variant: String,
    /// What it comes to.
    pub outcome: Outcome,
    /// Why, where that needs words (a prerequisite that failed, the tester's trouble); else empty.
    pub reason: String,
    /// What does not hold.
    pub findings: Vec<Finding>,
}

/// A scenario id in a report.
pub type ScenarioIdText = String;

impl From<ScenarioId> for ScenarioIdText {
    fn from(id: ScenarioId) -> Self {
        id.0
    }
}
