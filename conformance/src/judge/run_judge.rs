//! A run as the judges see it: one transcript after the other.

use super::{Evidence, JudgeTally, conclude};
use crate::catalogue::Registry;
use crate::judge::{Context, expectation};
use crate::scenario::{Scenario, Variant};
use crate::transcript::Features;
use crate::transcript::{Conversation, Transcript};
use crate::verdict::{JudgeVerdict, Stop, Verdict};

/// Judges every transcript of a run, and remembers facts that concern other transcripts.
#[derive(Debug, Clone)]
pub(crate) struct RunJudge {
    registry: &'static Registry,
    features: Features,
    judges: JudgeTally,
}

impl RunJudge {
    /// Begins with what is known before anything is played: the transcript of a first look at the
    /// server.
    pub(crate) fn knowing(first_look: &Transcript) -> Self {
        Self {
            registry: Registry::built_in(),
            features: Features::of(&Conversation::all(first_look)),
            judges: JudgeTally::default(),
        }
    }

    /// The verdict on one scenario as it was played in one variant; the always-on judges look at it
    /// too.
    pub(crate) fn judge(
        &mut self,
        scenario: &Scenario,
        variant: Variant,
        stop: Option<&Stop>,
        transcript: &Transcript,
    ) -> Verdict {
        let conversations = Conversation::all(transcript);
        self.features.learn(&conversations);
        let context = Context {
            transcript,
            conversations: &conversations,
            registry: self.registry,
        };
        self.judges.look(&scenario.id.0, Some(variant), &context);
        let evidence = Evidence {
            scenario,
            variant,
            stop,
            conversations: &conversations,
            features: &self.features,
            registry: self.registry,
        };
        let judgement = expectation(scenario, stop, &context, &self.features);
        conclude(&evidence, judgement)
    }

    /// What the server advertises, as far as it is known so far.
    pub(crate) fn features(&self) -> &Features {
        &self.features
    }

    /// The verdicts of the always-on judges on all transcripts.
    pub(crate) fn judges(self) -> Vec<JudgeVerdict> {
        self.judges.verdicts()
    }
}
