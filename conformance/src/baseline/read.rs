//! Reads the file: TOML with `[[known]]` tables.

use super::{About, Baseline, KnownDeviation, Pattern};
use crate::verdict::Outcome;
use serde::Deserialize;
use toml::Spanned;

/// The maximum number of entries in a file.
const MOST: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<Spanned<Written>>,
}

/// An entry as written in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    scenario: Option<String>,
    variant: Option<String>,
    judge: Option<String>,
    requirement: Option<String>,
    outcome: String,
    reason: String,
    since: Option<toml::Value>,
    issue: Option<String>,
    #[serde(default)]
    sometimes: bool,
}

/// Why a file is not a baseline. The message names file and line.
#[derive(Debug, thiserror::Error)]
pub enum BadBaseline {
    /// It is not TOML, or has unknown keys.
    #[error("{file}: {error}")]
    Toml {
        /// The file.
        file: String,
        /// With line and column.
        error: Box<toml::de::Error>,
    },
    /// An entry is invalid.
    #[error("{file}:{line}: {what}")]
    KnownDeviation {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

impl Baseline {
    /// Reads a file.
    ///
    /// # Errors
    /// Invalid TOML, unknown keys, an entry without subject or reason, an outcome that cannot be
    /// excused.
    pub fn read(file: &str, text: &str) -> Result<Self, BadBaseline> {
        let read: File = toml::from_str(text).map_err(|error| BadBaseline::Toml {
            file: file.into(),
            error: Box::new(error),
        })?;
        if read.known.len() > MOST {
            return Err(BadBaseline::KnownDeviation {
                file: file.into(),
                line: 1,
                what: format!("there are more than {MOST} entries"),
            });
        }
        let entries = read.known.into_iter().map(|written| {
            let start = written.span().start.min(text.len());
            let before = text.as_bytes()[..start].iter();
            let line = before.filter(|octet| **octet == b'\n').count() + 1;
            entry(written.into_inner(), line).map_err(|what| BadBaseline::KnownDeviation {
                file: file.into(),
                line,
                what,
            })
        });
        Ok(Self {
            file: file.into(),
            entries: entries.collect::<Result<_, _>>()?,
        })
    }
}

fn entry(written: Written, line: usize) -> Result<KnownDeviation, String> {
    let about = match (written.scenario, written.judge) {
        (Some(scenario), None) => {
            if written.requirement.is_some() {
                return Err("`requirement` goes with `judge`; a scenario has a `variant`".into());
            }
            let variant = written.variant.unwrap_or_else(|| "*".into());
            let pattern = |text: &str| Pattern::new(text).map_err(|error| error.to_string());
            About::Scenario {
                scenario: pattern(&scenario)?,
                variant: pattern(&variant)?,
            }
        }
        (None, Some(judge)) => {
            if written.variant.is_some() {
                return Err("`variant` goes with `scenario`; a judge has a `requirement`".into());
            }
            About::Judge {
                judge,
                requirement: written.requirement.filter(|requirement| requirement != "*"),
            }
        }
        _ => return Err("say either `scenario` or `judge`".into()),
    };
    if written.reason.trim().is_empty() {
        return Err(format!(
            "{about}: the reason is empty; say why it is accepted"
        ));
    }
    let outcome: Outcome = written
        .outcome
        .parse()
        .map_err(|error| format!("{about}: {error}"))?;
    let known = [
        Outcome::Warn,
        Outcome::Fail,
        Outcome::Misadvertised,
        Outcome::Blocked,
    ];
    if !known.contains(&outcome) {
        let why = match outcome {
            Outcome::Error => "an ERROR is never excused",
            _ => "this outcome never fails a run",
        };
        return Err(format!(
            "{about}: outcome `{}`: {why}; WARN, FAIL, MISADVERTISED and BLOCKED can be known",
            written.outcome
        ));
    }
    Ok(KnownDeviation {
        about,
        outcome,
        reason: written.reason.trim().to_owned(),
        since: written.since.map(|since| match since {
            toml::Value::String(text) => text,
            other => other.to_string(),
        }),
        issue: written.issue,
        sometimes: written.sometimes,
        line,
    })
}
