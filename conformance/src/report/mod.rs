//! Reports: they see verdicts and findings, and never parse a message.
//!
//! [`Report`] holds facts only. Everything that follows from them (sums, tables) is worked out by [`tables`], so that a
//! report that is read again or merged says the same; how it looks is decided by the renderers.

mod conclusion;
#[cfg(test)]
mod hostile;
mod html;
mod json;
mod junit;
mod markdown;
mod merge;
mod part;
mod schema;
pub mod tables;
mod tame;
mod terminal;
#[cfg(test)]
pub(crate) mod testing;
mod wire;

pub use html::html;
pub use json::{NotAReport, json, read};
pub use junit::junit;
pub use markdown::markdown;
pub use merge::{NoMerge, merge};
pub use part::{NoPart, Part};
pub use schema::schema;
pub use terminal::{Look, terminal};
pub use wire::excerpt;

use crate::scenario::Level;
use crate::verdict::{JudgeVerdict, Known, Outcome, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What [`Report::schema`] says.
pub const SCHEMA: &str = "ftpspec-report";

/// The version of the JSON form. Fields are only ever added within one.
pub const VERSION: u32 = 1;

/// Everything a run found out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// [`SCHEMA`].
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
    /// What happened to the run or the target as a whole, in words: 421, a server that died, what is left behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// Which parts of a run over several machines are in it; empty if it is a whole run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Whether only a part of the suite was asked for.
    #[serde(default)]
    pub narrowed: Narrowed,
    /// What is wrong with the baselines of the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baseline_faults: Vec<BaselineFault>,
}

/// What was left out because nobody asked for it: of that nothing can be said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Narrowed {
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
    /// What the entry is about.
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
    /// The verbs those requirements are about.
    #[serde(default)]
    pub commands: Vec<String>,
    /// FEAT labels and verbs it depends on, those of its variant included.
    #[serde(default)]
    pub needs: Vec<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The wire around the first finding.
    pub wire: Vec<String>,
    /// The command that plays it alone.
    pub again: String,
    /// What a broken scenario means for somebody who uses the server, in plain words; empty if nobody wrote it down.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub matters: String,
    /// Set where a baseline knows that the server deviates here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

impl Row {
    /// Whether it fails the run.
    #[must_use]
    pub fn fails(&self, strict: bool) -> bool {
        Known::fails(self.known.as_ref(), self.verdict.outcome, strict)
    }

    /// The requirements it is against, or says nothing of, among those it covers; all of them where nothing is broken.
    pub fn concerns(&self) -> impl Iterator<Item = &str> {
        let kept = |id: &str| self.verdict.of_requirement(id) == Some(Outcome::Pass);
        let holds = self.verdict.outcome == Outcome::Pass;
        let ids = self.covers.iter().map(String::as_str);
        ids.filter(move |id| holds || !kept(id))
    }

    /// Whether a baseline knows a deviation here that is not there any more.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        Known::is_stale(self.known.as_ref(), self.verdict.outcome)
    }
}

/// A scenario, or a variant of it, that was not played.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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

    /// Whether anything in it fails the run.
    #[must_use]
    pub fn fails(&self, strict: bool) -> bool {
        let judge = |row: &JudgeVerdict| Known::fails(row.known.as_ref(), row.outcome, strict);
        self.scenarios.iter().any(|row| row.fails(strict))
            || self.judges.iter().any(judge)
            || !self.baseline_faults.is_empty()
    }

    /// The parts of a run over several machines that are not in it.
    #[must_use]
    pub fn missing_parts(&self) -> Vec<Part> {
        let of = self.parts.iter().map(|part| part.of).max().unwrap_or(0);
        let all = (1..=of).map(|number| Part { number, of });
        all.filter(|part| !self.parts.contains(part)).collect()
    }

    /// 0 as expected, 1 nonconformance or a stale baseline, 2 a scenario file is broken, 3 trouble, 4 nothing was played, 130 interrupted.
    #[must_use]
    pub fn exit_code(&self, strict: bool) -> i32 {
        if self.interrupted {
            130
        } else if self.outcomes().any(|outcome| outcome == Outcome::Error) {
            3
        } else if self.fails(strict) {
            1
        } else if !self.broken_files.is_empty() {
            2
        } else if self.scenarios.is_empty() && self.missing_parts().is_empty() {
            // One part of many may be empty.
            4
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Connection;
    use crate::verdict::{Finding, Located};
    use rstest::rstest;

    pub(super) fn report(outcomes: &[Outcome]) -> Report {
        let row = |outcome: &Outcome| Row {
            verdict: Verdict {
                scenario: "rfc959/noop-200".into(),
                variant: "pasv".into(),
                outcome: *outcome,
                reason: String::new(),
                lacks: None,
                findings: Vec::new(),
                unjudged: Vec::new(),
            },
            title: "NOOP is answered 200".into(),
            level: Level::Must,
            cites: vec!["RFC 959 §4.1.3".into()],
            covers: Vec::new(),
            commands: Vec::new(),
            needs: Vec::new(),
            took_ms: 1,
            wire: Vec::new(),
            again: "ftpspec check --select rfc959/noop-200".into(),
            matters: String::new(),
            known: None,
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
            facts: Vec::new(),
            parts: Vec::new(),
            narrowed: Narrowed::default(),
            baseline_faults: Vec::new(),
        }
    }

    /// A broken MUST, as a judge tells it.
    pub(super) fn finding(observed: &str) -> Finding {
        Finding {
            judge: "expectation".into(),
            level: Level::Must,
            requirement: "NOOP is answered 200".into(),
            clause: "RFC 959 §4.1.3".into(),
            about: Vec::new(),
            expected: "200".into(),
            observed: observed.into(),
            connection: Connection::main(),
            line: 8,
            event: 3,
            impact: true,
        }
    }

    /// A small report in which everything a renderer tells is there once.
    pub(super) fn of_every_outcome() -> Report {
        let mut outcomes = Outcome::ALL.to_vec();
        // One that is known, one that is stale, one of a scenario of somebody's own.
        outcomes.extend([Outcome::Fail, Outcome::Pass, Outcome::Fail]);
        let mut report = report(&outcomes);
        for (row, name) in report
            .scenarios
            .iter_mut()
            .zip(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"])
        {
            row.verdict.scenario = format!("rfc{}/{name}", if name < "g" { 959 } else { 3659 });
            row.again = format!(
                "ftpspec check --select {} --variant pasv",
                row.verdict.scenario
            );
            row.covers = vec!["959-5.4-noop-replies".into()];
            match row.verdict.outcome {
                Outcome::Pass => {}
                Outcome::Unsupported | Outcome::FalseAd => {
                    row.needs = vec!["SIZE".into()];
                    row.verdict.lacks = Some("SIZE".into());
                    row.verdict.reason = "`SIZE a` was answered 500".into();
                }
                Outcome::Fail | Outcome::Warn | Outcome::Note => {
                    let mut finding = finding("500 \"What <b>?\u{1b}[0m\"");
                    finding.level = match row.verdict.outcome {
                        Outcome::Fail => Level::Must,
                        Outcome::Warn => Level::Should,
                        _ => Level::May,
                    };
                    row.verdict.findings.push(finding);
                    row.wire = vec!["C: NOOP".into(), "S: 500 What?".into()];
                    row.matters = "Clients that keep a session alive with NOOP lose it.".into();
                }
                _ => row.verdict.reason = "login: 530 Not today.".into(),
            }
        }
        for at in [9, 10] {
            report.scenarios[at].known = Some(Known {
                reason: "ticket 7".into(),
            });
        }
        report.scenarios[11].verdict.scenario = "mine/l".into();
        report.scenarios[11].again = "ftpspec run mine/l.ftpt --variant pasv".into();
        report.target = Tested {
            url: "ftp://127.0.0.1:2121".into(),
            greeting: "Welcome\u{7}".into(),
            features: Some(vec!["SIZE".into(), "MDTM".into()]),
            implemented: vec!["EPSV".into(), "MDTM".into(), "NOOP".into()],
            not_implemented: vec!["SIZE".into(), "SMNT".into()],
        };
        report.judges = vec![JudgeVerdict {
            judge: "reply-syntax".into(),
            statement: "replies have the form of RFC 959".into(),
            matters: "Clients wait for the end of a line that never comes.".into(),
            clause: "RFC 959 §4.2".into(),
            outcome: Outcome::Fail,
            count: 3,
            findings: vec![Located {
                scenario: "rfc959/a".into(),
                variant: "pasv".into(),
                finding: finding("20 Okay"),
                wire: vec!["S: 20 Okay".into()],
            }],
            rules: Vec::new(),
            known: None,
        }];
        report.skipped = vec![SkippedRow {
            scenario: "rfc4217/m".into(),
            variant: "pasv tls".into(),
            reason: "the target has no TLS".into(),
        }];
        report.broken_files = vec!["mine/broken.ftpt".into()];
        report
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

    #[rstest]
    #[case::excused(Outcome::Fail, false, 0)]
    #[case::excused_when_strict(Outcome::Warn, true, 0)]
    #[case::not_testable(Outcome::NotTestable, false, 0)]
    #[case::stale(Outcome::Pass, false, 1)]
    #[case::nothing_was_tested(Outcome::Unsupported, false, 0)]
    #[case::never_excused(Outcome::Error, false, 3)]
    fn what_a_baseline_knows_does_not_fail_the_run_until_it_is_stale(
        #[case] outcome: Outcome,
        #[case] strict: bool,
        #[case] code: i32,
    ) {
        let mut report = report(&[Outcome::Pass, outcome]);
        report.scenarios[1].known = Some(Known {
            reason: "ticket 7".into(),
        });
        assert_eq!(report.exit_code(strict), code);
        assert_eq!(report.scenarios[1].is_stale(), outcome == Outcome::Pass);
    }

    #[test]
    fn one_part_of_a_run_may_be_empty_and_the_whole_may_not() {
        let part = |number| Part { number, of: 2 };
        let mut report = report(&[]);
        report.parts = vec![part(1)];
        assert_eq!(report.exit_code(false), 0);
        report.parts.push(part(2));
        assert_eq!(report.exit_code(false), 4);
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
