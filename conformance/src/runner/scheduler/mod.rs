//! Plays many jobs at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::play::{CancelToken, PlayOptions, finished, play_into};
use super::recheck::{Prerequisites, Recheck};
use super::requirements_of_scenario::{connections, needs_directory, weight};
use super::results::{Held, InOrder};
use super::{Job, Played, RunEvent, Stop};
use crate::driver::{Budget, Recorder};
use crate::subject::{Supervisor, Target, answers};

/// The number of times that a server may die in one run.
const MAX_SERVER_DEATHS: usize = 3;
/// The number of times that a job is refused with 421 while nothing else is played, before that
/// becomes its result.
const MAX_REFUSALS_ALONE: u32 = 4;
/// How many jobs that were played at the same time are named.
const MAX_CONCURRENT_NAMES: usize = 8;
/// The number of the first job that is played again; directories are named by number.
const FIRST_REPEAT_NUMBER: usize = 1_000_000;
/// The time that players have to clean up when a run is cancelled.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// No job begins while waiting results hold this many octets.
const MAX_WAITING_RESULT_OCTETS: u64 = 32 << 20;

/// The maximum total size of the files of the jobs played at once, unless a single job exceeds it.
const MAX_FILE_OCTETS: u64 = 48 << 20;

/// How the jobs of a run are scheduled.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// The maximum number of simultaneous jobs.
    pub at_once: usize,
    /// The maximum number of simultaneous control connections, which may limit the jobs further.
    pub connections: Option<usize>,
    /// Jobs, by number, whose prerequisite does not hold, and why. They are finished without being
    /// played.
    pub blocked: BTreeMap<usize, String>,
    /// The prerequisites of the jobs, to be played again when they seem to be lost.
    pub prerequisites: Prerequisites,
    /// Cancels the run.
    pub cancel: CancelToken,
}

/// Plays all jobs and reports them. Every job is finished exactly once, in the given order, unless
/// the run is cancelled:
///
/// * one whose task panics becomes [`Stop::Internal`];
/// * one that is refused with 421 is played again later, with fewer at the same time, and becomes
///   [`Stop::Busy`] if it is refused even alone;
/// * one that is played while the server dies becomes [`Stop::TargetGone`]; then the supervisor
///   restarts the server, and if that fails the remaining jobs become the same.
///
/// What else happens, in clean-up and between jobs, is reported as [`RunEvent::Fact`].
pub(crate) async fn run_all(
    jobs: Vec<Job>,
    target: &Arc<Target>,
    options: &PlayOptions,
    schedule: Schedule,
    supervisor: &mut impl Supervisor,
    on_event: impl FnMut(RunEvent),
) {
    let (oldest, oldest_sender) = watch::channel(0);
    let mut run = Run {
        budget: Budget::new(oldest_sender),
        oldest,
        connections_allowed: schedule.connections.unwrap_or(usize::MAX),
        recheck: Recheck::new(schedule.prerequisites.clone()),
        schedule,
        target,
        options,
        waiting: jobs.into_iter().enumerate().collect(),
        running: JoinSet::new(),
        running_jobs: BTreeMap::new(),
        refusals_alone: BTreeMap::new(),
        connections_refused_at: usize::MAX,
        again: 0,
        held: BTreeMap::new(),
        results: InOrder::default(),
        death: None,
        on_event,
    };
    let mut deaths = 0;
    let lost = loop {
        run.start();
        if run.running.is_empty() {
            match run.death.take() {
                Some(why) => {
                    deaths += 1;
                    if deaths > MAX_SERVER_DEATHS {
                        break Some(format!("the server died {deaths} times: {why}"));
                    }
                    match supervisor.restart().await {
                        Ok(fact) => (run.on_event)(RunEvent::Fact(fact)),
                        Err(why) => break Some(why),
                    }
                }
                None if run.recheck.is_due() => run.play_again(supervisor).await,
                // Only jobs that need more connections than are allowed are left.
                None if run.waiting.is_empty() || run.schedule.cancel.is_cancelled() => break None,
                None => {}
            }
            continue;
        }
        let mut cancel = run.schedule.cancel.clone();
        tokio::select! {
            ended = run.running.join_next() => {
                // The outer task only waits; it cannot panic and is never aborted.
                if let Some(Ok((place, ended))) = ended {
                    run.ended(place, ended, supervisor).await;
                }
            }
            () = cancel.cancelled() => {
                run.drain().await;
                return;
            }
        }
    };
    if run.schedule.cancel.is_cancelled() {
        run.drain().await;
    } else if let Some(why) = lost {
        for unconfirmed in run.recheck.take() {
            run.finish(unconfirmed.place, unconfirmed.played);
        }
        run.give_up(&why);
    }
}

type Ended = Result<(Played, bool), tokio::task::JoinError>;

/// A job that is being played.
struct RunningJob {
    recorder: Recorder,
    job: Job,
    began: Instant,
    connections: usize,
    /// Some of the jobs that were played at the same time.
    concurrent: Vec<String>,
    weight: u64,
}

struct Run<'a, F> {
    budget: Budget,
    /// The number of the oldest job that is being played.
    oldest: watch::Sender<usize>,
    schedule: Schedule,
    target: &'a Arc<Target>,
    options: &'a PlayOptions,
    waiting: VecDeque<(usize, Job)>,
    running: JoinSet<(usize, Ended)>,
    running_jobs: BTreeMap<usize, RunningJob>,
    /// How many times a job was refused while it was alone.
    refusals_alone: BTreeMap<usize, u32>,
    /// The number of control connections that the server accepts, as far as is known.
    connections_allowed: usize,
    /// A number of connections that it refuses even if nothing else is played.
    connections_refused_at: usize,
    /// How the server died; reset when no job is being played.
    death: Option<String>,
    recheck: Recheck,
    /// The number of jobs that were played again.
    again: usize,
    /// The memory held by the transcripts of jobs that are not finished.
    held: BTreeMap<usize, Held>,
    results: InOrder,
    on_event: F,
}

impl<F: FnMut(RunEvent)> Run<'_, F> {
    /// Starts as many jobs as the limits allow.
    fn start(&mut self) {
        while self.death.is_none()
            && !self.recheck.is_due()
            && !self.schedule.cancel.is_cancelled()
            && self.running.len() < self.schedule.at_once.max(1)
            && (self.results.octets < MAX_WAITING_RESULT_OCTETS || self.running.is_empty())
        {
            let Some(index) = self.first_that_fits() else {
                return;
            };
            let Some((_, job)) = self.waiting.get(index) else {
                return;
            };
            let needed = connections(&job.scenario, self.target);
            let stop_before_start = self.stop_before_start(job, needed);
            let used: usize = self
                .running_jobs
                .values()
                .map(|running_job| running_job.connections)
                .sum();
            // A single job is always tried, whatever the server replied before.
            if stop_before_start.is_none()
                && used > 0
                && used.saturating_add(needed) > self.connections_allowed
            {
                return;
            }
            let Some((place, job)) = self.waiting.remove(index) else {
                return;
            };
            if let Some(stop) = stop_before_start {
                self.finish(place, not_played(job, stop));
                continue;
            }
            self.play(place, job, needed);
        }
    }

    /// The first waiting job whose files fit within the limit together with those of the jobs being
    /// played.
    fn first_that_fits(&self) -> Option<usize> {
        let taken: u64 = self
            .running_jobs
            .values()
            .map(|running_job| running_job.weight)
            .sum();
        let fits = |(_, job): &(usize, Job)| {
            self.running_jobs.is_empty()
                || taken.saturating_add(weight(&job.scenario)) <= MAX_FILE_OCTETS
        };
        self.waiting.iter().position(fits)
    }

    fn stop_before_start(&self, job: &Job, needed: usize) -> Option<Stop> {
        if let Some(reason) = self.schedule.blocked.get(&job.number) {
            return Some(Stop::Prerequisite(reason.clone()));
        }
        if let Some(reason) = self.recheck.blocks(job) {
            return Some(Stop::Prerequisite(reason.clone()));
        }
        if let Some(most) = self.schedule.connections.filter(|most| needed > *most) {
            return Some(Stop::Prerequisite(format!(
                "it needs {needed} control connections at once, and --max-connections allows {most}"
            )));
        }
        (needed >= self.connections_refused_at).then(|| {
            Stop::Busy(format!(
                "it needs {needed} control connections at once, and the server answers one of {} with 421",
                self.connections_refused_at
            ))
        })
    }

    fn play(&mut self, place: usize, job: Job, connections: usize) {
        (self.on_event)(RunEvent::Started(job.clone()));
        let recorder = Recorder::of_run(self.budget.clone(), place);
        let mut concurrent = Vec::new();
        for other in self.running_jobs.values_mut() {
            concurrent.push(other.job.case().to_string());
            if other.concurrent.len() < MAX_CONCURRENT_NAMES {
                other.concurrent.push(job.case().to_string());
            }
        }
        let running_job = RunningJob {
            recorder: recorder.clone(),
            job: job.clone(),
            began: Instant::now(),
            connections,
            concurrent,
            weight: weight(&job.scenario),
        };
        self.running_jobs.insert(place, running_job);
        self.publish_oldest();
        let (target, options) = (self.target.clone(), self.options.clone());
        let cancel = self.schedule.cancel.clone();
        // A task of its own, so that its panic is a result and does not end the run.
        let playing =
            tokio::spawn(async move { play_into(recorder, job, &target, &options, cancel).await });
        self.running.spawn(async move { (place, playing.await) });
    }

    /// Handles the end of one job: it is finished, or waits to be played again.
    async fn ended(&mut self, place: usize, ended: Ended, supervisor: &mut impl Supervisor) {
        let Some(running_job) = self.running_jobs.remove(&place) else {
            return;
        };
        self.publish_oldest();
        self.held.insert(place, Held::by(&running_job.recorder));
        let (mut played, was_cancelled) = ended.unwrap_or_else(|error| {
            let stop = Stop::Internal(format!("the player died: {error}"));
            let played = finished(
                &running_job.recorder,
                running_job.job,
                Some(stop),
                running_job.began,
            );
            (played, false)
        });
        if was_cancelled {
            self.report_left(played.left.as_deref());
            return;
        }
        if let Some(Stop::Busy(words)) = &played.stop {
            let words = words.clone();
            if self
                .should_retry(place, running_job.connections, &words)
                .await
            {
                self.held.remove(&place);
                self.report_left(played.left.as_deref());
                self.waiting.push_front((place, played.job));
                return;
            }
        }
        if self.death.is_none() {
            self.death = supervisor.death();
        }
        if self.death.is_none() && may_be_server_death(played.stop.as_ref()) {
            let patience = self.options.timeouts.connect;
            if !answers(self.target, patience).await {
                let why = supervisor.last_words().await;
                let unknown = || "the target no longer accepts connections".into();
                self.death = Some(why.unwrap_or_else(unknown));
            }
        }
        if let Some(why) = &self.death
            && !matches!(played.stop, None | Some(Stop::Internal(_)))
        {
            played.stop = Some(Stop::TargetGone(format!("while this was played: {why}")));
        }
        if let Some(played) = self.recheck.weigh(place, played, running_job.concurrent) {
            self.finish(place, played);
        }
    }

    /// Plays the unconfirmed jobs and prerequisites again, now that nothing else is being played.
    async fn play_again(&mut self, supervisor: &mut impl Supervisor) {
        for mut unconfirmed in self.recheck.take() {
            for prerequisite in unconfirmed.question.clone() {
                // The most basic one comes first; what depends on it is not tried if it fails.
                if self.recheck.lost(&unconfirmed.question).is_some() {
                    break;
                }
                let Some(job) = self.recheck.begin(prerequisite) else {
                    continue;
                };
                let Some(again) = self.alone(job, supervisor).await else {
                    continue;
                };
                let lost = self
                    .recheck
                    .end(prerequisite, &again, &unconfirmed.played.job);
                if let Some(fact) = lost {
                    (self.on_event)(RunEvent::Fact(fact));
                    (self.on_event)(RunEvent::Finished(Box::new(again)));
                }
            }
            if let Some(lost) = self.recheck.lost(&unconfirmed.question) {
                unconfirmed.played.stop = Some(Stop::Prerequisite(lost.clone()));
            } else if unconfirmed.again
                && let Some(again) = self.alone(unconfirmed.played.job.clone(), supervisor).await
                && again.stop.is_none()
            {
                let concurrent = match unconfirmed.concurrent.as_slice() {
                    [] => "nothing".to_owned(),
                    some => some.join(", "),
                };
                let fact = format!(
                    "{} was not the same twice: it could not be played to its end with {concurrent} at the same time, and could when it \
                     was played again alone, which is what is reported",
                    again.job.case()
                );
                (self.on_event)(RunEvent::Fact(fact));
                unconfirmed.played = again;
            }
            self.finish(unconfirmed.place, unconfirmed.played);
        }
    }

    /// Plays a job once more, alone, in a directory of another name. `None` if the run was
    /// cancelled or the server died.
    async fn alone(&mut self, mut job: Job, supervisor: &mut impl Supervisor) -> Option<Played> {
        if self.death.is_some() || self.schedule.cancel.is_cancelled() {
            return None;
        }
        let number = job.number;
        self.again += 1;
        job.number = FIRST_REPEAT_NUMBER + self.again;
        let cancel = self.schedule.cancel.clone();
        let playing = play_into(Recorder::default(), job, self.target, self.options, cancel);
        let (mut played, was_cancelled) = playing.await;
        self.report_left(played.left.take().as_deref());
        played.job.number = number;
        if may_be_server_death(played.stop.as_ref()) {
            self.death = supervisor.death();
        }
        (!was_cancelled && self.death.is_none()).then_some(played)
    }

    /// Publishes the oldest job, which never waits for memory, so that one job can always proceed.
    fn publish_oldest(&self) {
        if let Some(place) = self.running_jobs.keys().next() {
            self.oldest.send_replace(*place);
        }
    }

    /// Whether a refused job is tried again.
    async fn should_retry(&mut self, place: usize, needed: usize, words: &str) -> bool {
        let concurrent: usize = self
            .running_jobs
            .values()
            .map(|running_job| running_job.connections)
            .sum();
        if concurrent > 0 {
            if concurrent < self.connections_allowed {
                self.connections_allowed = concurrent;
                let fact = format!(
                    "the server turned a connection away ({words}); from then on at most {concurrent} control connections were \
                     used at once"
                );
                (self.on_event)(RunEvent::Fact(fact));
            }
            return true;
        }
        let attempt = self.refusals_alone.entry(place).or_default();
        *attempt += 1;
        if *attempt > MAX_REFUSALS_ALONE {
            self.connections_refused_at = self.connections_refused_at.min(needed);
            return false;
        }
        // The delay doubles each time; the server may not have closed our connections yet.
        let pause = self.options.timeouts.quiet * (1 << (*attempt - 1));
        let mut cancel = self.schedule.cancel.clone();
        tokio::select! {
            () = sleep(pause) => {}
            () = cancel.cancelled() => {}
        }
        true
    }

    fn finish(&mut self, place: usize, played: Played) {
        self.report_left(played.left.as_deref());
        let held = self.held.remove(&place).unwrap_or_default();
        self.results.add(place, played, held, &mut self.on_event);
    }

    fn report_left(&mut self, left: Option<&str>) {
        if let Some(left) = left {
            let fact = format!("{left} could not be removed and is still on the server");
            (self.on_event)(RunEvent::Fact(fact));
        }
    }

    /// The run was cancelled: waits a limited time for the players to clean up.
    async fn drain(&mut self) {
        let mut cancel = self.schedule.cancel.clone();
        let cleaning = async {
            while let Some(ended) = self.running.join_next().await {
                let Ok((place, Ok((played, was_cancelled)))) = ended else {
                    continue;
                };
                self.running_jobs.remove(&place);
                if was_cancelled {
                    self.report_left(played.left.as_deref());
                } else {
                    self.finish(place, played);
                }
            }
        };
        tokio::select! {
            _ = timeout(CLEAN_UP, cleaning) => {}
            () = cancel.cancelled_at_once() => {}
        }
        for unconfirmed in self.recheck.take() {
            self.finish(unconfirmed.place, unconfirmed.played);
        }
        for running_job in std::mem::take(&mut self.running_jobs).into_values() {
            if needs_directory(&running_job.job.scenario, self.target) {
                let left = self.options.directory(&running_job.job);
                self.report_left(Some(&left));
            }
        }
        self.results.release(&mut self.on_event);
    }

    /// Finishes all remaining jobs: the server no longer answers.
    fn give_up(&mut self, why: &str) {
        for (place, job) in std::mem::take(&mut self.waiting) {
            let stop = match self.schedule.blocked.get(&job.number) {
                Some(reason) => Stop::Prerequisite(reason.clone()),
                None => Stop::TargetGone(format!("not played: {why}")),
            };
            self.finish(place, not_played(job, stop));
        }
    }
}

/// Whether a dying server could be the cause of this stop.
fn may_be_server_death(stop: Option<&Stop>) -> bool {
    match stop {
        Some(Stop::TargetGone(_) | Stop::ConnectionLost { .. } | Stop::Prerequisite(_)) => true,
        // A refused data connection, or a missing reply.
        Some(Stop::Mismatch { .. } | Stop::TimedOut { .. }) => true,
        Some(Stop::Busy(_) | Stop::Internal(_) | Stop::LimitExceeded { .. }) | None => false,
    }
}

fn not_played(job: Job, stop: Stop) -> Played {
    finished(&Recorder::default(), job, Some(stop), Instant::now())
}

#[cfg(test)]
mod tests;
