//! Reports: they see verdicts and findings, and never parse a message.
//!
//! [`Report`] holds facts only. Everything that follows from them (sums, tables) is worked out by
//! [`tables`], so that a report that is read again or merged says the same; how it looks is decided
//! by the renderers.

mod conclusion;
mod evidence;
mod formats;
mod html;
mod json;
mod junit;
mod markdown;
mod merge;
mod partition;
mod sanitize;
mod schema;
pub(crate) mod tables;
mod terminal;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use evidence::excerpt;
pub(crate) use formats::{FORMATS, FileFormat, MARKDOWN};
pub use html::html;
pub use json::{json, read};
pub use junit::junit;
pub use markdown::markdown;
pub use merge::merge;
pub(crate) use partition::Part;
pub use sanitize::Sanitized;
pub(crate) use schema::schema;
pub use terminal::{Look, terminal};

use crate::scenario::{Level, Need, Variant, optional_variant};
use crate::verdict::{Accepted, JudgeVerdict, Outcome, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What [`Report::schema`] says.
pub(crate) const SCHEMA: &str = "ftpspec-report";

/// The version of the JSON form. Fields are only ever added within one.
pub(crate) const VERSION: u32 = 1;

/// Everything a run found out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Always `ftpspec-report`.
    pub schema: String,
    /// The version of the form; fields are only ever added within one.
    pub version: u32,
    /// The version of ftpspec that made it.
    pub ftpspec: String,
    /// What was tested.
    pub target: Tested,
    /// When the run began, as seconds since 1970-01-01 UTC.
    pub started: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Whether it was interrupted before its end.
    pub interrupted: bool,
    /// One row for each scenario and variant that was played, in the order of the plan.
    pub scenarios: Vec<Row>,
    /// One row for each always-on judge.
    pub judges: Vec<JudgeVerdict>,
    /// Scenarios that were not played, and the reasons.
    pub skipped: Vec<SkippedRow>,
    /// Scenario files that could not be read.
    pub invalid_scenarios: Vec<String>,
    /// Notices about the run or the target as a whole: 421, a crashed server, files that could not
    /// be removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    /// The parts of a run over several machines that it contains; empty for a complete run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Whether only a part of the suite was asked for.
    #[serde(default)]
    pub filters: Filters,
    /// Errors in the baselines of the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baseline_errors: Vec<BaselineFault>,
}

/// Which parts of the suite were not selected, so that the report cannot judge them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Filters {
    /// Only some scenarios.
    pub scenarios: bool,
    /// Only some of the variants that are usual.
    pub variants: bool,
}

/// An entry of a baseline that is not true (any more). It fails the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineFault {
    /// The file, as it was named.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// The scenario or judge of the entry.
    pub entry: String,
    /// What is wrong with it.
    pub fault: FaultKind,
    /// The same in words, with a next step.
    pub message: String,
}

/// What is wrong with an entry of a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// It holds now.
    Stale,
    /// There is no such scenario, variant or judge.
    Unknown,
}

/// The server that was tested.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Tested {
    /// As a URL without password; `embedded` for the bundled reference server.
    pub url: String,
    /// The text of its greeting.
    pub greeting: String,
    /// What FEAT lists; `None` if FEAT is unknown there.
    pub features: Option<Vec<String>>,
    /// Verbs it answered with anything but "not implemented" at least once, sorted.
    #[serde(default)]
    pub implemented: Vec<String>,
    /// Verbs it only ever answered 500 or 502, sorted.
    #[serde(default)]
    pub not_implemented: Vec<String>,
}

/// One scenario in one variant.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// The outcome.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The claim.
    pub title: String,
    /// The level of a broken expectation.
    pub level: Level,
    /// Clauses.
    pub cites: Vec<String>,
    /// Requirement ids.
    pub covers: Vec<String>,
    /// The verbs those requirements are about.
    #[serde(default)]
    pub commands: Vec<String>,
    /// FEAT labels and verbs it depends on, those of its variant included.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub needs: Vec<Need>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The wire around the first finding.
    pub excerpt: Vec<String>,
    /// The command that plays it alone.
    pub reproduce: String,
    /// The consequence of a failure for users of the server; empty if the scenario does not state
    /// it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub impact: String,
    /// Set if a baseline lists the deviation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Accepted>,
}

impl Row {
    /// Whether it fails the run.
    #[must_use]
    pub fn fails(&self, strict: bool) -> bool {
        Accepted::fails(self.known.as_ref(), self.verdict.outcome, strict)
    }

    /// The covered requirements that are broken or undecided; all of them if nothing is broken.
    pub fn concerns(&self) -> impl Iterator<Item = &str> {
        let kept = |id: &str| self.verdict.of_requirement(id) == Some(Outcome::Pass);
        let holds = self.verdict.outcome == Outcome::Pass;
        let ids = self.covers.iter().map(String::as_str);
        ids.filter(move |id| holds || !kept(id))
    }

    /// Whether a known deviation of this row no longer fails.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        Accepted::is_stale(self.known.as_ref(), self.verdict.outcome)
    }
}

/// A scenario, or a variant of it, that was not played.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SkippedRow {
    /// Which scenario.
    pub scenario: String,
    /// Which variant; empty for all.
    #[serde(with = "optional_variant")]
    #[schemars(with = "String")]
    pub variant: Option<Variant>,
    /// Why.
    pub reason: String,
}

impl Report {
    /// Every outcome, of scenarios and judges.
    pub fn outcomes(&self) -> impl Iterator<Item = Outcome> {
        let scenarios = self.scenarios.iter().map(|row| row.verdict.outcome);
        scenarios.chain(self.judges.iter().map(|row| row.outcome))
    }

    /// How many of the outcomes are this one.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.outcomes().filter(|other| *other == outcome).count()
    }

    /// Whether anything in it fails the run.
    #[must_use]
    pub fn fails(&self, strict: bool) -> bool {
        let judge = |row: &JudgeVerdict| Accepted::fails(row.known.as_ref(), row.outcome, strict);
        self.scenarios.iter().any(|row| row.fails(strict))
            || self.judges.iter().any(judge)
            || !self.baseline_errors.is_empty()
    }

    /// The parts of a run over several machines that are not in it.
    #[must_use]
    pub fn missing_parts(&self) -> Vec<Part> {
        let of = self.parts.iter().map(|part| part.of).max().unwrap_or(0);
        let all = (1..=of).map(|number| Part { number, of });
        all.filter(|part| !self.parts.contains(part)).collect()
    }

    /// How the run ended; with `strict` a WARN fails it.
    #[must_use]
    pub fn status(&self, strict: bool) -> RunStatus {
        if self.interrupted {
            RunStatus::Interrupted
        } else if self.outcomes().any(|outcome| outcome == Outcome::Error) {
            RunStatus::Error
        } else if self.fails(strict) {
            RunStatus::NotAsExpected
        } else if !self.invalid_scenarios.is_empty() {
            RunStatus::InvalidScenarios
        } else if self.scenarios.is_empty() && self.missing_parts().is_empty() {
            // One part of many may be empty.
            RunStatus::NothingPlayed
        } else {
            RunStatus::AsExpected
        }
    }
}

/// How a run ended. The worst that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// Nothing fails the run.
    AsExpected,
    /// A nonconformance, or a stale or unknown entry of a baseline.
    NotAsExpected,
    /// A scenario file has errors.
    InvalidScenarios,
    /// An outcome is ERROR.
    Error,
    /// No scenario was played.
    NothingPlayed,
    /// The run was interrupted.
    Interrupted,
}
