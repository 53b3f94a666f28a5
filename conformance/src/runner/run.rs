//! Many jobs at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::play::{Manner, finished, play_into};
use super::{Job, Played, RunEvent, Stop};
use crate::driver::Recorder;
use crate::target::Target;

/// So many jobs one after the other without a connection mean that the target is gone.
const GONE: usize = 2;

/// Plays all jobs, so many at once, and tells of them. Every job is finished exactly once, in the order given: one
/// whose task dies becomes [`Stop::Trouble`], and when the target is gone the rest become [`Stop::TargetGone`].
pub async fn run_all(
    jobs: Vec<Job>,
    target: &Arc<Target>,
    manner: &Manner,
    at_once: usize,
    mut on_event: impl FnMut(RunEvent),
) {
    let mut waiting: VecDeque<(usize, Job)> = jobs.into_iter().enumerate().collect();
    let mut running = JoinSet::new();
    let mut known = BTreeMap::new();
    let mut results = InOrder::default();
    let mut gone = 0;
    loop {
        while running.len() < at_once.max(1) && gone < GONE {
            let Some((place, job)) = waiting.pop_front() else {
                break;
            };
            on_event(RunEvent::Started(job.clone()));
            let recorder = Recorder::default();
            known.insert(place, (recorder.clone(), job.clone(), Instant::now()));
            let (target, manner) = (target.clone(), manner.clone());
            // A task of its own, so that its death is an answer and not ours.
            let playing =
                tokio::spawn(async move { play_into(recorder, job, &target, &manner).await });
            running.spawn(async move { (place, playing.await) });
        }
        let Some(ended) = running.join_next().await else {
            break;
        };
        // The outer task only waits; it cannot panic and nobody aborts it.
        let Ok((place, ended)) = ended else { continue };
        let Some((recorder, job, began)) = known.remove(&place) else {
            continue;
        };
        let played = ended.unwrap_or_else(|error| {
            let stop = Stop::Trouble(format!("the player died: {error}"));
            finished(&recorder, job, Some(stop), began)
        });
        gone = if matches!(played.stop, Some(Stop::TargetGone(_))) {
            gone + 1
        } else {
            0
        };
        results.add(place, played, &mut on_event);
    }
    for (place, job) in waiting {
        let stop = Stop::TargetGone("the target does not answer any more".into());
        let played = finished(&Recorder::default(), job, Some(stop), Instant::now());
        results.add(place, played, &mut on_event);
    }
}

/// Holds results back until all before them are there.
#[derive(Default)]
struct InOrder {
    next: usize,
    held: BTreeMap<usize, Played>,
}

impl InOrder {
    fn add(&mut self, place: usize, played: Played, on_event: &mut impl FnMut(RunEvent)) {
        self.held.insert(place, played);
        while let Some(played) = self.held.remove(&self.next) {
            on_event(RunEvent::Finished(Box::new(played)));
            self.next += 1;
        }
    }
}
