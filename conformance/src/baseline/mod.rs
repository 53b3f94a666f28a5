//! Known deviations, each with a reason: what they excuse of a report, and what of them is not true any more. Pure.
//!
//! ```text
//!  baseline.toml --read--> Baseline --apply--> Report: rows that are known, and what is wrong with the baseline itself
//!                             ^-----update----- Report
//! ```

mod apply;
mod read;
#[cfg(test)]
mod tests;
mod update;

pub use apply::{Names, apply};
pub use read::BadBaseline;
pub use update::{Update, update};

use crate::verdict::Outcome;
use globset::{Glob, GlobMatcher};
use std::fmt;

/// What one file knows.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// The file, as it was named.
    pub file: String,
    /// In the order of the file.
    pub entries: Vec<KnownDeviation>,
}

/// One deviation that is known, or several of a kind.
#[derive(Debug, Clone)]
pub struct KnownDeviation {
    /// Where it is.
    pub about: About,
    /// What it comes to there. Anything worse is not known.
    pub outcome: Outcome,
    /// Why it is accepted.
    pub reason: String,
    /// Since when, in any form.
    pub since: Option<String>,
    /// Where it is being worked on.
    pub issue: Option<String>,
    /// Whether it shows in some runs only, for a reason that no scenario can do anything about: then it is not stale when
    /// it does not.
    pub sometimes: bool,
    /// The line of the file it begins on, from 1.
    pub line: usize,
}

/// Where a deviation is.
#[derive(Debug, Clone)]
pub enum About {
    /// In scenarios.
    Scenario {
        /// Their ids.
        scenario: Pattern,
        /// Their variants.
        variant: Pattern,
    },
    /// In any transcript.
    Judge {
        /// The always-on judge that finds it.
        judge: String,
        /// The requirement it finds broken; `None` for any.
        requirement: Option<String>,
    },
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario { scenario, variant } => {
                write!(f, "{} [{}]", scenario.text, variant.text)
            }
            Self::Judge {
                judge,
                requirement: None,
            } => f.write_str(judge),
            Self::Judge {
                judge,
                requirement: Some(requirement),
            } => write!(f, "{judge}: {requirement}"),
        }
    }
}

/// A text, or a glob for the whole of it: `*` crosses slashes.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    /// `None` for a text without wildcards.
    glob: Option<GlobMatcher>,
}

impl Pattern {
    fn new(text: &str) -> Result<Self, globset::Error> {
        let glob = if text.contains(['*', '?', '[', '{']) {
            Some(Glob::new(text)?.compile_matcher())
        } else {
            None
        };
        Ok(Self {
            text: text.to_owned(),
            glob,
        })
    }

    /// Whether it fits.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.is_match(text),
            None => self.text == text,
        }
    }

    /// Whether it fits one text only.
    fn is_literal(&self) -> bool {
        self.glob.is_none()
    }
}

/// Whether a deviation that is known to come to the first excuses one that comes to the second.
fn excuses(known: Outcome, observed: Outcome) -> bool {
    match observed {
        Outcome::Warn => matches!(
            known,
            Outcome::Warn | Outcome::Fail | Outcome::Misadvertised
        ),
        Outcome::Fail => matches!(known, Outcome::Fail | Outcome::Misadvertised),
        Outcome::Misadvertised | Outcome::Blocked => known == observed,
        // Nothing to excuse, or never excused.
        Outcome::Pass
        | Outcome::Inconclusive
        | Outcome::Note
        | Outcome::Unsupported
        | Outcome::Error => false,
    }
}
