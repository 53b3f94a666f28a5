//! Verdicts of the always-on judges: one per judge for the whole run.

use super::conclude::worst;
use super::{Context, JUDGES, Judge};
use crate::transcript::Transcript;
use crate::verdict::{Finding, JudgeVerdict, Located, Outcome};

/// The number of findings kept per judge; all are counted.
const KEPT: usize = 20;

/// The always-on judges of a run, transcript by transcript.
#[derive(Debug, Clone)]
pub struct JudgeTally(Vec<JudgeVerdict>);

impl Default for JudgeTally {
    fn default() -> Self {
        let begin = |judge: &Judge| JudgeVerdict {
            judge: judge.name.into(),
            statement: judge.statement.into(),
            impact: judge.impact.into(),
            clause: judge.clause.into(),
            outcome: Outcome::Pass,
            count: 0,
            findings: Vec::new(),
            rules: Vec::new(),
            known: None,
        };
        Self(JUDGES.iter().map(begin).collect())
    }
}

impl JudgeTally {
    /// Lets every judge look at one transcript.
    pub fn look(&mut self, scenario: &str, variant: &str, context: &Context<'_>) {
        for (judge, verdict) in JUDGES.iter().zip(&mut self.0) {
            let findings = (judge.judge)(context);
            record(verdict, findings, scenario, variant, context.transcript);
        }
    }

    /// Their verdicts on the run, in their order.
    #[must_use]
    pub fn verdicts(self) -> Vec<JudgeVerdict> {
        self.0
    }
}

/// Adds what a judge found in one transcript to its verdict.
pub(crate) fn record(
    verdict: &mut JudgeVerdict,
    findings: Vec<Finding>,
    scenario: &str,
    variant: &str,
    transcript: &Transcript,
) {
    verdict.outcome = verdict.outcome.max(worst(&findings));
    verdict.count += findings.len();
    for finding in findings {
        let outcome = Outcome::of_broken(finding.level);
        verdict.count_rule(&finding.requirement, outcome, 1);
        let known = verdict.findings.iter().any(|known| {
            known.finding.requirement == finding.requirement
                && known.finding.expected == finding.expected
        });
        if !known && verdict.findings.len() < KEPT {
            let excerpt = crate::report::excerpt(transcript, finding.event);
            let (scenario, variant) = (scenario.to_owned(), variant.to_owned());
            verdict.findings.push(Located {
                scenario,
                variant,
                finding,
                excerpt,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Registry;
    use crate::scenario::Connection;
    use crate::transcript::{Conversation, Event, EventKind};

    fn transcript(replies: &[&str]) -> Transcript {
        let event = |what| Event {
            at: 0,
            channel: crate::transcript::Channel::Control,
            connection: Connection::main(),
            line: 1,
            what,
        };
        let octets = |text: &str| format!("{text}\r\n").into_bytes();
        let connected = EventKind::Connected {
            local: String::new(),
            peer: String::new(),
        };
        let mut events = vec![
            connected,
            EventKind::FromServer {
                octets: octets("220 hi"),
            },
        ];
        for reply in replies {
            events.push(EventKind::FromClient {
                octets: octets("NOOP"),
            });
            events.push(EventKind::FromServer {
                octets: octets(reply),
            });
        }
        Transcript {
            events: events.into_iter().map(event).collect(),
            ..Transcript::default()
        }
    }

    #[test]
    fn a_judge_counts_every_finding_and_keeps_one_of_each_sort() {
        let mut tally = JudgeTally::default();
        for (name, replies) in [("a", &["200 x"][..]), ("b", &["250 x", "250 y", "350 z"])] {
            let transcript = transcript(replies);
            let conversations = Conversation::all(&transcript);
            let registry = Registry::built_in();
            let context = Context {
                transcript: &transcript,
                conversations: &conversations,
                registry,
            };
            tally.look(name, "pasv", &context);
        }
        let verdicts = tally.verdicts();
        let codes = verdicts
            .iter()
            .find(|verdict| verdict.judge == "reply-code");
        let codes = codes.expect("the judge is always on");
        assert_eq!(
            (codes.outcome, codes.count, codes.findings.len()),
            (Outcome::Fail, 3, 2)
        );
        assert_eq!(codes.findings[0].scenario, "b");
        let rules: Vec<_> = codes
            .broken()
            .map(|(_, outcome, count)| (outcome, count))
            .collect();
        assert_eq!(rules.iter().map(|(_, count)| count).sum::<usize>(), 3);
        assert!(rules.iter().any(|(outcome, _)| *outcome == Outcome::Fail));
        assert!(!codes.findings[0].excerpt.is_empty());
        let others = verdicts
            .iter()
            .filter(|verdict| verdict.judge != "reply-code");
        assert!(
            others
                .into_iter()
                .all(|verdict| verdict.outcome == Outcome::Pass)
        );
    }
}
