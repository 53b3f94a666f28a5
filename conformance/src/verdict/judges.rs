//! Verdicts of the always-on judges: one for the whole run, whatever was played.

use super::conclude::worst;
use super::{Finding, Known, Outcome};
use crate::check::{Context, JUDGES};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// So many findings of a judge are kept; all are counted.
const KEPT: usize = 20;

/// What one always-on judge says of all transcripts of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JudgeVerdict {
    /// Its name.
    pub judge: String,
    /// What it wants, in one sentence.
    pub statement: String,
    /// What it means for somebody who uses the server when that does not hold; empty in reports of versions without it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub matters: String,
    /// Where that stands.
    pub clause: String,
    /// What it comes to: its worst finding.
    pub outcome: Outcome,
    /// How many findings there were.
    pub count: usize,
    /// The first of them, those of another rule or another command before repetitions.
    pub findings: Vec<Located>,
    /// Every rule that is broken, however many there are; empty in reports of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<BrokenRule>,
    /// Set where a baseline knows that the server deviates here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

/// A rule of a judge that is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrokenRule {
    /// The requirement, in the words of its findings.
    pub requirement: String,
    /// What its worst finding comes to.
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
    pub variant: String,
    /// What does not hold.
    #[serde(flatten)]
    pub finding: Finding,
    /// The dialogue before it, as a person reads it; what the report shows as evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wire: Vec<String>,
}

/// The always-on judges of a run, transcript by transcript.
#[derive(Debug, Clone)]
pub struct JudgeTally(Vec<JudgeVerdict>);

impl Default for JudgeTally {
    fn default() -> Self {
        let begin = |judge: &crate::check::Judge| JudgeVerdict {
            judge: judge.name.into(),
            statement: judge.statement.into(),
            matters: judge.matters.into(),
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
                    let wire = crate::report::excerpt(context.transcript, finding.event);
                    let (scenario, variant) = (scenario.to_owned(), variant.to_owned());
                    verdict.findings.push(Located {
                        scenario,
                        variant,
                        finding,
                        wire,
                    });
                }
            }
        }
    }

    /// What they say of the run, in their order.
    #[must_use]
    pub fn verdicts(self) -> Vec<JudgeVerdict> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Registry;
    use crate::scenario::Connection;
    use crate::transcript::{Conversation, Event, Transcript, What};

    fn transcript(replies: &[&str]) -> Transcript {
        let event = |what| Event {
            at: 0,
            connection: Connection::main(),
            line: 1,
            what,
        };
        let octets = |text: &str| format!("{text}\r\n").into_bytes();
        let connected = What::Connected {
            local: String::new(),
            peer: String::new(),
        };
        let mut events = vec![
            connected,
            What::Received {
                octets: octets("220 hi"),
            },
        ];
        for reply in replies {
            events.push(What::Sent {
                octets: octets("NOOP"),
            });
            events.push(What::Received {
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
        assert!(!codes.findings[0].wire.is_empty());
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
