//! Results of jobs, in the order of the plan, and the memory they hold until they are judged.

use std::collections::BTreeMap;

use super::{Played, RunEvent};
use crate::driver::{Large, Recorder};

/// The memory that the transcript of a job holds.
#[derive(Default)]
pub(super) struct Held {
    octets: u64,
    /// Released when the job has been judged.
    _large: Option<Large>,
}

impl Held {
    pub(super) fn by(recorder: &Recorder) -> Self {
        Self {
            octets: recorder.held(),
            _large: recorder.take_large(),
        }
    }
}

/// Delivers results in order: holds each back until all earlier ones are complete.
#[derive(Default)]
pub(super) struct InOrder {
    next: usize,
    waiting: BTreeMap<usize, (Played, Held)>,
    /// The memory held by the waiting transcripts.
    pub(super) octets: u64,
}

impl InOrder {
    pub(super) fn add(
        &mut self,
        place: usize,
        played: Played,
        held: Held,
        on_event: &mut impl FnMut(RunEvent),
    ) {
        self.octets += held.octets;
        self.waiting.insert(place, (played, held));
        while let Some((played, held)) = self.waiting.remove(&self.next) {
            on_event(RunEvent::Finished(Box::new(played)));
            self.octets -= held.octets;
            self.next += 1;
        }
    }

    /// Delivers the remaining results although earlier ones are missing.
    pub(super) fn release(&mut self, on_event: &mut impl FnMut(RunEvent)) {
        for (played, _) in std::mem::take(&mut self.waiting).into_values() {
            on_event(RunEvent::Finished(Box::new(played)));
        }
    }
}
