//! Reports: they see verdicts and findings, and never parse a message.
//!
//! [`Report`] holds facts only; how they look is decided by [`terminal`] and [`json`].

mod json;
mod terminal;
mod wire;

pub use json::json;
pub use terminal::{Look, terminal};
pub use wire::excerpt;

use crate::scenario::Level;
use crate::verdict::{JudgeVerdict, Outcome, Verdict};
use serde::{Deserialize, Serialize};

/// The version of the JSON form. Fields are only ever added within one.
pub const VERSION: u32 = 1;

/// Everything a run found out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Always `ftpspec-report`.
    pub schema: String,
    /// [`VERSION`].
    pub version: u32,
    /// The version of ftpspec that made it.
    pub ftpspec: String,
    /// What was tested.
    pub target: Tested,
    /// When the run began, as seconds since 1970-01-01 UTC.
    pub started: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Whether it was interrupted before its end.
    pub interrupted: bool,
    /// One row for each scenario and variant that was played, in the order of the plan.
    pub scenarios: Vec<Row>,
    /// One row for each always-on judge.
    pub judges: Vec<JudgeVerdict>,
    /// What was not played, and why.
    pub skipped: Vec<SkippedRow>,
    /// Scenario files that could not be read.
    pub broken_files: Vec<String>,
}

/// The server that was tested.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tested {
    /// As a URL without password; `embedded` for the bundled reference server.
    pub url: String,
    /// The text of its greeting.
    pub greeting: String,
    /// What FEAT lists; `None` if FEAT is unknown there.
    pub features: Option<Vec<String>>,
}

/// One scenario in one variant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    /// What it comes to.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The claim.
    pub title: String,
    /// What a broken expectation is worth.
    pub level: Level,
    /// Clauses.
    pub cites: Vec<String>,
    /// Requirement ids.
    pub covers: Vec<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The wire around the first finding.
    pub wire: Vec<String>,
    /// The command that plays it alone.
    pub again: String,
}

/// A scenario, or a variant of it, that was not played.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SkippedRow {
    /// Which scenario.
    pub scenario: String,
    /// Which variant; empty for all.
    pub variant: String,
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

    /// 0 as expected, 1 nonconformance, 2 a scenario file is broken, 3 trouble, 4 nothing was played, 130 interrupted.
    #[must_use]
    pub fn exit_code(&self, strict: bool) -> i32 {
        if self.interrupted {
            130
        } else if self.outcomes().any(|outcome| outcome == Outcome::Error) {
            3
        } else if self.outcomes().any(|outcome| outcome.fails(strict)) {
            1
        } else if !self.broken_files.is_empty() {
            2
        } else if self.scenarios.is_empty() {
            4
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    pub(super) fn report(outcomes: &[Outcome]) -> Report {
        let row = |outcome: &Outcome| Row {
            verdict: Verdict {
                scenario: "rfc959/noop-200".into(),
                variant: "pasv".into(),
                outcome: *outcome,
                reason: String::new(),
                findings: Vec::new(),
            },
            title: "NOOP is answered 200".into(),
            level: Level::Must,
            cites: vec!["RFC 959 §4.1.3".into()],
            covers: Vec::new(),
            took_ms: 1,
            wire: Vec::new(),
            again: "ftpspec check --select rfc959/noop-200".into(),
        };
        Report {
            schema: "ftpspec-report".into(),
            version: VERSION,
            ftpspec: "0.0.0".into(),
            target: Tested::default(),
            started: 0,
            took_ms: 1500,
            interrupted: false,
            scenarios: outcomes.iter().map(row).collect(),
            judges: Vec::new(),
            skipped: Vec::new(),
            broken_files: Vec::new(),
        }
    }

    #[rstest]
    #[case(&[Outcome::Pass, Outcome::Note, Outcome::Unsupported], false, 0)]
    #[case(&[Outcome::Pass, Outcome::Warn], false, 0)]
    #[case(&[Outcome::Pass, Outcome::Warn], true, 1)]
    #[case(&[Outcome::Pass, Outcome::Fail], false, 1)]
    #[case(&[Outcome::FalseAd], false, 1)]
    #[case(&[Outcome::NotTestable], false, 1)]
    #[case(&[Outcome::Fail, Outcome::Error], false, 3)]
    #[case(&[], false, 4)]
    fn the_worst_outcome_decides_the_exit_code(
        #[case] outcomes: &[Outcome],
        #[case] strict: bool,
        #[case] code: i32,
    ) {
        assert_eq!(report(outcomes).exit_code(strict), code);
    }

    #[test]
    fn an_interrupted_run_says_so() {
        let interrupted = Report {
            interrupted: true,
            ..report(&[Outcome::Fail])
        };
        assert_eq!(interrupted.exit_code(false), 130);
    }
}
