//! Verdicts on played scenarios, and of always-on judges.
//!
//! Requirement level and outcome are two facts; [`Outcome`] is what is shown.

use crate::scenario::{Connection, Level, Need, ScenarioId, TestCase, Variant, optional_variant};
use crate::transcript::Excess;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// One failure with its evidence. No renderer ever parses a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The judge that found it: `expectation`, `reply-syntax`, `reply-code` …
    pub judge: String,
    /// The level.
    pub level: Level,
    /// The requirement in our words.
    pub requirement: String,
    /// The clause.
    pub clause: String,
    /// Ids of the requirements it is about, where the scenario says so; empty if it is about all
    /// that the scenario covers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<String>,
    /// The expectation.
    pub expected: String,
    /// The observation.
    pub observed: String,
    /// The control connection.
    pub connection: Connection,
    /// The line of the scenario; 0 where it was not in the dialogue.
    pub line: u32,
    /// Index into the transcript's events where it shows.
    pub event: usize,
    /// Whether what was observed has the impact that the scenario's `impact` describes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shows_impact: bool,
}

/// The outcome of one scenario in one variant, or of one judge.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Holds.
    Pass,
    /// The server answered in another legal way, so the rest could not be tested.
    Inconclusive,
    /// MAY or practice not followed.
    Note,
    /// An optional feature, absent and not advertised.
    Unsupported,
    /// A SHOULD is broken.
    Warn,
    /// A prerequisite failed (login, no write access).
    Blocked,
    /// A MUST is broken.
    Fail,
    /// Advertised in FEAT, then refused.
    Misadvertised,
    /// An internal error, or the target is not reachable any more.
    Error,
}

impl Outcome {
    /// All, in the order of summaries.
    pub const ALL: [Self; 9] = [
        Self::Pass,
        Self::Fail,
        Self::Misadvertised,
        Self::Error,
        Self::Blocked,
        Self::Warn,
        Self::Note,
        Self::Unsupported,
        Self::Inconclusive,
    ];

    /// The word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Note => "NOTE",
            Self::Unsupported => "UNSUPPORTED",
            Self::Warn => "WARN",
            Self::Blocked => "BLOCKED",
            Self::Fail => "FAIL",
            Self::Misadvertised => "MISADVERTISED",
            Self::Error => "ERROR",
        }
    }

    /// Whether it fails the run.
    #[must_use]
    pub fn fails(self, strict: bool) -> bool {
        match self {
            Self::Pass | Self::Inconclusive | Self::Note | Self::Unsupported => false,
            Self::Warn => strict,
            Self::Blocked | Self::Fail | Self::Misadvertised | Self::Error => true,
        }
    }

    /// What outcomes of the same thing come to: the worst of those that are bad; otherwise a NOTE,
    /// a PASS, and only where there is neither that it is absent or that nothing was left to test.
    /// `None` without any.
    #[must_use]
    pub fn together(outcomes: impl IntoIterator<Item = Self>) -> Option<Self> {
        let weight = |outcome: &Self| match outcome {
            Self::Inconclusive => 0,
            Self::Unsupported => 1,
            Self::Pass => 2,
            Self::Note => 3,
            Self::Warn => 4,
            Self::Blocked => 5,
            Self::Fail => 6,
            Self::Misadvertised => 7,
            Self::Error => 8,
        };
        outcomes.into_iter().max_by_key(weight)
    }

    /// The outcome of a broken expectation of this level.
    #[must_use]
    pub fn of_broken(level: Level) -> Self {
        match level {
            Level::Must => Self::Fail,
            Level::Should => Self::Warn,
            Level::May | Level::Practice => Self::Note,
        }
    }
}

/// A word that is not an outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeError {
    /// An outcome of earlier versions.
    #[error("the outcome `{0}` was renamed to `{1}`")]
    Renamed(&'static str, &'static str),
    /// No outcome of any version.
    #[error("`{}` is not an outcome; the outcomes are {}", .0.escape_debug(), Outcome::ALL.map(Outcome::word).join(", "))]
    Unknown(String),
}

/// The words of earlier versions, and those that replace them.
const RENAMED_OUTCOMES: [(&str, &str); 3] = [
    ("N/A", "INCONCLUSIVE"),
    ("NOT-TESTABLE", "BLOCKED"),
    ("FALSE-AD", "MISADVERTISED"),
];

/// Reads the word in reports, in any case.
impl FromStr for Outcome {
    type Err = OutcomeError;

    fn from_str(word: &str) -> Result<Self, OutcomeError> {
        let mut outcomes = Self::ALL.into_iter();
        if let Some(outcome) = outcomes.find(|outcome| outcome.word().eq_ignore_ascii_case(word)) {
            return Ok(outcome);
        }
        let mut renamed = RENAMED_OUTCOMES.into_iter();
        match renamed.find(|(old, _)| old.eq_ignore_ascii_case(word)) {
            Some((old, new)) => Err(OutcomeError::Renamed(old, new)),
            None => Err(OutcomeError::Unknown(word.chars().take(40).collect())),
        }
    }
}

/// Why a dialogue was not played to its end, reported by the player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The dialogue cannot continue: a reply of another class, no address in a 227, a refused user
    /// step.
    Mismatch {
        /// The statement that did not hold.
        line: u32,
    },
    /// The awaited event did not happen in time.
    TimedOut {
        /// The statement that waited.
        line: u32,
    },
    /// The control connection ended while something was expected of it.
    ConnectionLost {
        /// The statement that needed it.
        line: u32,
    },
    /// The server sent more than the runner takes.
    LimitExceeded {
        /// The statement during which it did.
        line: u32,
        /// Which limit.
        excess: Excess,
    },
    /// Login, the scenario's directory or a `@given` failed, so nothing was tested.
    Prerequisite(String),
    /// The server refuses one more control connection (421), also after waiting.
    Busy(String),
    /// An internal error.
    Internal(String),
    /// The target does not accept connections any more.
    TargetGone(String),
}

impl Stop {
    /// The line of the statement at which it ended; 0 for the barrier at the end. `None` where it
    /// is about none.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        match self {
            Self::Mismatch { line }
            | Self::TimedOut { line }
            | Self::ConnectionLost { line }
            | Self::LimitExceeded { line, .. } => Some(*line),
            Self::Prerequisite(_) | Self::Busy(_) | Self::Internal(_) | Self::TargetGone(_) => None,
        }
    }
}

/// The verdict on one scenario in one variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Which scenario.
    pub scenario: ScenarioIdText,
    /// In which variant, as shown.
    #[schemars(with = "String")]
    pub variant: Variant,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason where one is needed (a failed prerequisite, an internal error); else empty.
    pub reason: String,
    /// The need the server does not have, where that decided: a FEAT label or a verb.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub lacks: Option<Need>,
    /// The findings.
    pub findings: Vec<Finding>,
    /// Ids of the requirements that no finding is about, and that were not looked at to the end
    /// because of one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<String>,
}

impl Verdict {
    /// The scenario and the variant.
    #[must_use]
    pub fn case(&self) -> TestCase {
        TestCase {
            scenario: self.scenario.clone(),
            variant: self.variant,
        }
    }

    /// Whether a finding has the impact that the scenario describes.
    #[must_use]
    pub fn has_impact(&self) -> bool {
        let judged = self.outcome != Outcome::Misadvertised;
        judged && self.findings.iter().any(|finding| finding.shows_impact)
    }

    /// The outcome for one of the covered requirements; `None` if it was not judged to the end.
    #[must_use]
    pub fn of_requirement(&self, id: &str) -> Option<Outcome> {
        let by_findings = matches!(self.outcome, Outcome::Fail | Outcome::Warn | Outcome::Note);
        if !by_findings || self.findings.iter().all(|it| it.about.is_empty()) {
            return Some(self.outcome);
        }
        let about = |it: &&Finding| it.about.is_empty() || it.about.iter().any(|it| it == id);
        let broken = self.findings.iter().filter(about);
        match broken.map(|it| Outcome::of_broken(it.level)).max() {
            None if self.unjudged.iter().any(|it| it == id) => None,
            None => Some(Outcome::Pass),
            broken => broken,
        }
    }
}

/// A known deviation that is accepted for a reason.
///
/// It does not fail the run. An ERROR is never excused; an entry that no longer fails is stale and
/// fails the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Known")]
pub struct Accepted {
    /// Why it is accepted, in the words of the baseline.
    pub reason: String,
}

impl Accepted {
    /// Whether an outcome fails the run, given what is known of it.
    #[must_use]
    pub fn fails(known: Option<&Self>, outcome: Outcome, strict: bool) -> bool {
        match known {
            None => outcome.fails(strict),
            Some(_) => outcome == Outcome::Error || Self::is_stale(known, outcome),
        }
    }

    /// Whether a known deviation no longer fails.
    #[must_use]
    pub fn is_stale(known: Option<&Self>, outcome: Outcome) -> bool {
        known.is_some() && outcome == Outcome::Pass
    }
}

/// A scenario id in a report.
pub(crate) type ScenarioIdText = String;

impl From<ScenarioId> for ScenarioIdText {
    fn from(id: ScenarioId) -> Self {
        id.0
    }
}

/// The verdict of one always-on judge on all transcripts of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JudgeVerdict {
    /// Its name.
    pub judge: String,
    /// Its rule, in one sentence.
    pub statement: String,
    /// The consequence for users of the server when the rule is broken; empty in reports of older
    /// versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub impact: String,
    /// The clause.
    pub clause: String,
    /// The outcome: that of its worst finding.
    pub outcome: Outcome,
    /// How many findings there were.
    pub count: usize,
    /// The first of them, those of another rule or another command before repetitions.
    pub findings: Vec<Located>,
    /// Every rule that is broken, however many there are; empty in reports of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<BrokenRule>,
    /// Set if a baseline lists the deviation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Accepted>,
}

/// A rule of a judge that is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrokenRule {
    /// The requirement, in the words of its findings.
    pub requirement: String,
    /// The outcome of its worst finding.
    pub outcome: Outcome,
    /// How many findings there were.
    pub count: usize,
}

impl JudgeVerdict {
    /// The rules that are broken: requirement, outcome and how often, each once.
    pub fn broken(&self) -> impl Iterator<Item = (&str, Outcome, usize)> {
        let rules = self.rules.iter();
        let rules = rules.map(|rule| (rule.requirement.as_str(), rule.outcome, rule.count));
        // Older reports only have the findings themselves.
        let old = self.rules.is_empty();
        let findings = self.findings.iter().filter(move |_| old);
        let findings = findings.map(|located| {
            let finding = &located.finding;
            (
                finding.requirement.as_str(),
                Outcome::of_broken(finding.level),
                1,
            )
        });
        rules.chain(findings)
    }

    /// Counts findings of a rule.
    pub(crate) fn count_rule(&mut self, requirement: &str, outcome: Outcome, count: usize) {
        let known = self.rules.iter_mut();
        match known
            .into_iter()
            .find(|rule| rule.requirement == requirement)
        {
            Some(rule) => {
                rule.outcome = rule.outcome.max(outcome);
                rule.count = rule.count.saturating_add(count);
            }
            None => self.rules.push(BrokenRule {
                requirement: requirement.to_owned(),
                outcome,
                count,
            }),
        }
    }
}

/// A finding of an always-on judge and the transcript it is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Located {
    /// The scenario that was played.
    pub scenario: String,
    /// In which variant, as shown.
    #[serde(with = "optional_variant")]
    #[schemars(with = "String")]
    pub variant: Option<Variant>,
    /// The findings.
    #[serde(flatten)]
    pub finding: Finding,
    /// The dialogue before it, as a person reads it; what the report shows as evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excerpt: Vec<String>,
}
