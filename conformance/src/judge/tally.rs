//! Verdicts of the always-on judges: one per judge for the whole run.

use super::conclude::worst;
use super::{Context, JUDGES, Judge};
use crate::scenario::Variant;
use crate::transcript::Transcript;
use crate::verdict::{Finding, JudgeVerdict, Located, Outcome};

/// The number of findings kept per judge; all are counted.
const KEPT: usize = 20;

/// The always-on judges of a run, transcript by transcript.
#[derive(Debug, Clone)]
pub(crate) struct JudgeTally(Vec<JudgeVerdict>);

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
    pub(crate) fn look(&mut self, scenario: &str, variant: Option<Variant>, context: &Context<'_>) {
        for (judge, verdict) in JUDGES.iter().zip(&mut self.0) {
            let findings = judge.findings(context);
            record(verdict, findings, scenario, variant, context.transcript);
        }
    }

    /// Their verdicts on the run, in their order.
    pub(crate) fn verdicts(self) -> Vec<JudgeVerdict> {
        self.0
    }
}

/// Adds what a judge found in one transcript to its verdict.
pub(crate) fn record(
    verdict: &mut JudgeVerdict,
    findings: Vec<Finding>,
    scenario: &str,
    variant: Option<Variant>,
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
            verdict.findings.push(Located {
                scenario: scenario.to_owned(),
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

    use crate::judge::testing::transcript;
    use crate::transcript::Conversation;

    #[test]
    fn a_judge_counts_every_finding_and_keeps_one_of_each_sort() {
        let mut tally = JudgeTally::default();
        let replies = ["S: 250 x", "C: NOOP", "S: 250 y", "C: NOOP", "S: 350 z"];
        for (name, replies) in [("a", &["S: 200 x"][..]), ("b", &replies)] {
            let transcript = transcript(&[&["S: 220 hi", "C: NOOP"], replies].concat());
            let conversations = Conversation::all(&transcript);
            let registry = Registry::built_in();
            let context = Context {
                transcript: &transcript,
                conversations: &conversations,
                registry,
            };
            tally.look(name, Some(Variant::PLAIN), &context);
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
