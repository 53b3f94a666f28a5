//! Judges a scenario as it was played: its expectations, and rules that hold for every client in
//! every scenario. Pure: what they find follows from what was observed.

mod expectation;
mod rules;

pub(crate) use rules::{RULES, Rule};

use super::language::Scenario;
use super::outcome::{Exit, TaskRun};
use super::task::UNKNOWN_TASK;
use super::variant::Variant;
use crate::judge::record;
use crate::scenario::{Need, ScenarioId};
use crate::transcript::{Conversation, Event, EventKind, Transcript};
use std::net::SocketAddr;

use crate::verdict::{Finding, JudgeVerdict, Outcome, Stop, Verdict};

/// What was observed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// What was played.
    pub scenario: &'a Scenario,
    /// In which variant.
    pub variant: Variant,
    /// What the server and the runner observed.
    pub transcript: &'a Transcript,
    /// The same, as commands and replies.
    pub conversations: &'a [Conversation],
    /// The tasks that were carried out.
    pub tasks: &'a [TaskRun],
}

/// The verdict on one scenario in one variant.
#[must_use]
pub(crate) fn judge(context: &Context<'_>, stop: Option<&Stop>) -> Verdict {
    let verdict = |outcome, reason: String, findings| Verdict {
        scenario: context.scenario.id.clone().into(),
        variant: context.variant.into(),
        outcome,
        reason,
        lacks: None,
        findings,
        unjudged: Vec::new(),
    };
    match stop {
        Some(Stop::Internal(reason) | Stop::TargetGone(reason)) => {
            return verdict(Outcome::Error, reason.clone(), Vec::new());
        }
        Some(Stop::Prerequisite(reason) | Stop::Busy(reason)) => {
            return verdict(Outcome::Blocked, reason.clone(), Vec::new());
        }
        _ => {}
    }
    for run in context.tasks {
        match &run.exit {
            Exit::Code(UNKNOWN_TASK) => {
                let task = task_at(context, run.line);
                let reason = format!("the client has no task `{task}`");
                return Verdict {
                    lacks: Some(Need::Feature(task.to_owned())),
                    ..verdict(Outcome::Unsupported, reason, Vec::new())
                };
            }
            Exit::NotStarted(why) => {
                let reason = format!("the client could not be started: {why}");
                return verdict(Outcome::Error, reason, Vec::new());
            }
            _ => {}
        }
    }
    let findings = expectation::findings(context);
    let levels = findings
        .iter()
        .map(|finding| Outcome::of_broken(finding.level));
    let outcome = levels.max().unwrap_or(Outcome::Pass);
    verdict(outcome, String::new(), findings)
}

fn task_at(context: &Context<'_>, line: u32) -> &'static str {
    let steps = context.scenario.steps();
    let step = steps.iter().find(|step| step.line == line);
    step.map_or("", |step| step.task.kind.name())
}

/// The verdicts on the rules, transcript by transcript.
#[derive(Debug, Clone)]
pub(crate) struct Tally(Vec<JudgeVerdict>);

impl Default for Tally {
    fn default() -> Self {
        let begin = |rule: &Rule| JudgeVerdict {
            judge: rule.name.into(),
            statement: rule.statement.into(),
            impact: rule.impact.into(),
            clause: rule.clause.into(),
            outcome: Outcome::Pass,
            count: 0,
            findings: Vec::new(),
            rules: Vec::new(),
            known: None,
        };
        Self(RULES.iter().map(begin).collect())
    }
}

impl Tally {
    /// Applies every rule to what was observed.
    pub(crate) fn look(&mut self, context: &Context<'_>) {
        let (scenario, variant) = (&context.scenario.id.0, Some(context.variant.into()));
        for (rule, verdict) in RULES.iter().zip(&mut self.0) {
            let findings = rule.findings(context);
            record(verdict, findings, scenario, variant, context.transcript);
        }
    }

    /// Applies every rule to a recorded session, of which no scenario is known: what was asked of the
    /// client, such as TLS, is not judged.
    pub(crate) fn look_at_recording(&mut self, name: &str, transcript: &Transcript) {
        let conversations = Conversation::all(transcript);
        let is_ipv6 = |event: &Event| {
            let EventKind::Connected { peer, .. } = &event.what else {
                return false;
            };
            let address = peer.parse::<SocketAddr>();
            address.is_ok_and(|address| address.ip().to_canonical().is_ipv6())
        };
        let variant = Variant {
            ipv6: transcript.events.iter().any(is_ipv6),
            ..Variant::default()
        };
        self.look(&Context {
            scenario: &Scenario::without_statements(ScenarioId(name.to_owned())),
            variant,
            transcript,
            conversations: &conversations,
            tasks: &[],
        });
    }

    /// The verdicts, in the order of the rules.
    #[must_use]
    pub(crate) fn verdicts(self) -> Vec<JudgeVerdict> {
        self.0
    }
}

/// What every rule finds in one transcript.
#[must_use]
pub(crate) fn rule_findings(context: &Context<'_>) -> Vec<Finding> {
    let rules = RULES.iter();
    rules.flat_map(|rule| rule.findings(context)).collect()
}
