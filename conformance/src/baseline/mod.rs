//! Known deviations of a server, each with a reason. Pure.
//!
//! ```text
//!  baseline.toml --read--> Baseline --apply--> Report with known deviations and baseline errors
//!                             ^-----update----- Report
//! ```

mod apply;
mod read;
#[cfg(test)]
mod tests;
mod update;

pub(crate) use apply::{Names, apply};
pub(crate) use read::BadBaseline;
pub(crate) use update::update;

use crate::verdict::Outcome;
use globset::{Glob, GlobMatcher};
use std::fmt;

/// The entries of one file.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// The path of the file, for messages.
    pub file: String,
    /// In the order of the file.
    pub entries: Vec<KnownDeviation>,
}

/// A known deviation, or several described by a glob.
#[derive(Debug, Clone)]
pub struct KnownDeviation {
    /// What it refers to.
    pub about: About,
    /// The worst outcome it excuses.
    pub outcome: Outcome,
    /// Why it is accepted.
    pub reason: String,
    /// Since when, as free text.
    pub since: Option<String>,
    /// The URL of an issue.
    pub issue: Option<String>,
    /// Whether the deviation occurs in some runs only; then the entry is never stale.
    pub sometimes: bool,
    /// The line of the entry in the file, from 1.
    pub line: usize,
}

/// What an entry refers to.
#[derive(Debug, Clone)]
pub enum About {
    /// Scenarios.
    Scenario {
        /// Their ids.
        scenario: Pattern,
        /// Their variants.
        variant: Pattern,
    },
    /// A judge of all transcripts.
    Judge {
        /// The name of the always-on judge.
        judge: String,
        /// The broken requirement; `None` for any.
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

/// A text or a glob; `*` matches slashes too.
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

    /// Whether it matches the whole text.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.is_match(text),
            None => self.text == text,
        }
    }

    /// Whether it matches one text only.
    fn is_literal(&self) -> bool {
        self.glob.is_none()
    }
}

/// Whether an entry with the first outcome excuses a deviation with the second one.
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
