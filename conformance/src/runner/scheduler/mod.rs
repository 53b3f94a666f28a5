//! Many jobs at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::play::{CancelToken, PlayOptions, finished, play_into};
use super::recheck::{Prerequisites, Recheck};
use super::requirements_of_scenario::{connections, wants_directory, weight};
use super::results::{Held, InOrder};
use super::{Job, Played, RunEvent, Stop};
use crate::driver::{Budget, Recorder};
use crate::subject::{Supervisor, Target, answers};

/// So often a server may die in one run.
const DEATHS: usize = 3;
/// So often a job is turned away with 421 while nothing else is played, before that is its result.
const ALONE: u32 = 4;
/// How many names are told of what was played beside a job.
const BESIDE: usize = 8;
/// The number of the first job that is played again; directories are named by it.
const AGAIN: usize = 1_000_000;
/// So long players may clean up when a run is cut.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// No job begins while results of so many octets wait for an earlier one.
const HELD_BACK: u64 = 32 << 20;

/// The files of the jobs that are played at once are no larger together, unless one alone is.
const FILES: u64 = 48 << 20;

/// How a run is conducted.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// So many jobs at once.
    pub at_once: usize,
    /// So many control connections at once, whatever `at_once` says.
    pub connections: Option<usize>,
    /// Jobs, by number, that rest on something that does not hold, and on what. They are finished without being played.
    pub blocked: BTreeMap<usize, String>,
    /// What the jobs rest on, to be tried again when it seems to be lost in mid-run.
    pub prerequisites: Prerequisites,
    /// Whether the run is to end early.
    pub cut: CancelToken,
}

impl Schedule {
    /// So many jobs at once, to the end.
    #[must_use]
    pub fn at_once(at_once: usize) -> Self {
        Self {
            at_once,
            connections: None,
            blocked: BTreeMap::new(),
            prerequisites: Prerequisites::default(),
            cut: CancelToken::never(),
        }
    }
}

/// Plays all jobs and tells of them. Every job is finished exactly once, in the order given, unless the run is cut:
///
/// * one whose task dies becomes [`Stop::Trouble`];
/// * one that is turned away with 421 is played again later, with fewer beside it, and is [`Stop::Busy`] if that does not
///   help when it is alone;
/// * what is played while the server dies becomes [`Stop::TargetGone`]; then the keeper is asked for help, and when there
///   is none the rest become that too.
///
/// Played out of turn, in clean-up or not at all: whatever happens is told as [`RunEvent::Fact`].
pub async fn run_all(
    jobs: Vec<Job>,
    target: &Arc<Target>,
    manner: &PlayOptions,
    conduct: Schedule,
    keeper: &mut impl Supervisor,
    on_event: impl FnMut(RunEvent),
) {
    let (oldest, says_oldest) = watch::channel(0);
    let mut run = Run {
        budget: Budget::new(says_oldest),
        oldest,
        allowed: conduct.connections.unwrap_or(usize::MAX),
        recheck: Recheck::new(conduct.prerequisites.clone()),
        conduct,
        target,
        manner,
        waiting: jobs.into_iter().enumerate().collect(),
        running: JoinSet::new(),
        known: BTreeMap::new(),
        turned_away: BTreeMap::new(),
        too_many: usize::MAX,
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
                    if deaths > DEATHS {
                        break Some(format!("the server died {deaths} times: {why}"));
                    }
                    match keeper.restart().await {
                        Ok(fact) => (run.on_event)(RunEvent::Fact(fact)),
                        Err(why) => break Some(why),
                    }
                }
                None if run.recheck.is_due() => run.play_again(keeper).await,
                // Only what needs more connections than there may be waits for nothing.
                None if run.waiting.is_empty() || run.conduct.cut.is_made() => break None,
                None => {}
            }
            continue;
        }
        let mut cut = run.conduct.cut.clone();
        tokio::select! {
            ended = run.running.join_next() => {
                // The outer task only waits; it cannot panic and nobody aborts it.
                if let Some(Ok((place, ended))) = ended {
                    run.ended(place, ended, keeper).await;
                }
            }
            () = cut.made() => {
                run.drain().await;
                return;
            }
        }
    };
    if run.conduct.cut.is_made() {
        run.drain().await;
    } else if let Some(why) = lost {
        for doubtful in run.recheck.take() {
            run.finish(doubtful.place, doubtful.played);
        }
        run.give_up(&why);
    }
}

type Ended = Result<(Played, bool), tokio::task::JoinError>;

/// A job that is being played.
struct Known {
    recorder: Recorder,
    job: Job,
    began: Instant,
    connections: usize,
    /// What was played at the same time, some of it.
    beside: Vec<String>,
    weight: u64,
}

struct Run<'a, F> {
    budget: Budget,
    /// The first of the jobs that are played.
    oldest: watch::Sender<usize>,
    conduct: Schedule,
    target: &'a Arc<Target>,
    manner: &'a PlayOptions,
    waiting: VecDeque<(usize, Job)>,
    running: JoinSet<(usize, Ended)>,
    known: BTreeMap<usize, Known>,
    /// How often a job was turned away while it was alone.
    turned_away: BTreeMap<usize, u32>,
    /// So many control connections the server takes, as far as we know.
    allowed: usize,
    /// So many it does not take, although nothing else is played.
    too_many: usize,
    /// How the server died, until nothing is played any more.
    death: Option<String>,
    recheck: Recheck,
    /// How often something was played again.
    again: usize,
    /// What the transcripts hold of jobs that were played and are not finished.
    held: BTreeMap<usize, Held>,
    results: InOrder,
    on_event: F,
}

impl<F: FnMut(RunEvent)> Run<'_, F> {
    /// Starts as many jobs as there is room for.
    fn start(&mut self) {
        while self.death.is_none()
            && !self.recheck.is_due()
            && !self.conduct.cut.is_made()
            && self.running.len() < self.conduct.at_once.max(1)
            && (self.results.octets < HELD_BACK || self.running.is_empty())
        {
            let Some(index) = self.first_that_fits() else {
                return;
            };
            let Some((_, job)) = self.waiting.get(index) else {
                return;
            };
            let needed = connections(&job.scenario, self.target);
            let untestable = self.untestable(job, needed);
            let used: usize = self.known.values().map(|known| known.connections).sum();
            // One alone is tried whatever the server said before.
            if untestable.is_none() && used > 0 && used.saturating_add(needed) > self.allowed {
                return;
            }
            let Some((place, job)) = self.waiting.remove(index) else {
                return;
            };
            if let Some(stop) = untestable {
                self.finish(place, unplayed(job, stop));
                continue;
            }
            self.play(place, job, needed);
        }
    }

    /// The first of the jobs that wait whose files fit beside those of the jobs that are played.
    fn first_that_fits(&self) -> Option<usize> {
        let taken: u64 = self.known.values().map(|known| known.weight).sum();
        let fits = |(_, job): &(usize, Job)| {
            self.known.is_empty() || taken.saturating_add(weight(&job.scenario)) <= FILES
        };
        self.waiting.iter().position(fits)
    }

    fn untestable(&self, job: &Job, needed: usize) -> Option<Stop> {
        if let Some(reason) = self.conduct.blocked.get(&job.number) {
            return Some(Stop::Prerequisite(reason.clone()));
        }
        if let Some(reason) = self.recheck.blocks(job) {
            return Some(Stop::Prerequisite(reason.clone()));
        }
        if let Some(most) = self.conduct.connections.filter(|most| needed > *most) {
            return Some(Stop::Prerequisite(format!(
                "it needs {needed} control connections at once, and --max-connections allows {most}"
            )));
        }
        (needed >= self.too_many).then(|| {
            Stop::Busy(format!(
                "it needs {needed} control connections at once, and the server answers one of {} with 421",
                self.too_many
            ))
        })
    }

    fn play(&mut self, place: usize, job: Job, connections: usize) {
        (self.on_event)(RunEvent::Started(job.clone()));
        let recorder = Recorder::of_run(self.budget.clone(), place);
        let mut beside = Vec::new();
        for other in self.known.values_mut() {
            beside.push(named(&other.job));
            if other.beside.len() < BESIDE {
                other.beside.push(named(&job));
            }
        }
        let known = Known {
            recorder: recorder.clone(),
            job: job.clone(),
            began: Instant::now(),
            connections,
            beside,
            weight: weight(&job.scenario),
        };
        self.known.insert(place, known);
        self.tell_oldest();
        let (target, manner) = (self.target.clone(), self.manner.clone());
        let cut = self.conduct.cut.clone();
        // A task of its own, so that its death is an answer and not ours.
        let playing =
            tokio::spawn(async move { play_into(recorder, job, &target, &manner, cut).await });
        self.running.spawn(async move { (place, playing.await) });
    }

    /// One job has ended: it is finished, or waits to be played again.
    async fn ended(&mut self, place: usize, ended: Ended, keeper: &mut impl Supervisor) {
        let Some(known) = self.known.remove(&place) else {
            return;
        };
        self.tell_oldest();
        self.held.insert(place, Held::by(&known.recorder));
        let (mut played, was_cut) = ended.unwrap_or_else(|error| {
            let stop = Stop::Trouble(format!("the player died: {error}"));
            let played = finished(&known.recorder, known.job, Some(stop), known.began);
            (played, false)
        });
        if was_cut {
            self.leave_behind(played.left.as_deref());
            return;
        }
        if let Some(Stop::Busy(words)) = &played.stop {
            let words = words.clone();
            if self.comes_again(place, known.connections, &words).await {
                self.held.remove(&place);
                self.leave_behind(played.left.as_deref());
                self.waiting.push_front((place, played.job));
                return;
            }
        }
        if self.death.is_none() {
            self.death = keeper.death();
        }
        if self.death.is_none() && may_be_its_death(played.stop.as_ref()) {
            let patience = self.manner.timeouts.connect;
            if !answers(self.target, patience).await {
                let why = keeper.last_words().await;
                let unknown = || "the target takes no connection any more".into();
                self.death = Some(why.unwrap_or_else(unknown));
            }
        }
        if let Some(why) = &self.death
            && !matches!(played.stop, None | Some(Stop::Trouble(_)))
        {
            played.stop = Some(Stop::TargetGone(format!("while this was played: {why}")));
        }
        if let Some(played) = self.recheck.weigh(place, played, known.beside) {
            self.finish(place, played);
        }
    }

    /// Nothing else is played now: what is in question is played again.
    async fn play_again(&mut self, keeper: &mut impl Supervisor) {
        for mut doubtful in self.recheck.take() {
            for prerequisite in doubtful.question.clone() {
                // The most basic one comes first, and what rests on it need not be tried.
                if self.recheck.lost(&doubtful.question).is_some() {
                    break;
                }
                let Some(job) = self.recheck.begin(prerequisite) else {
                    continue;
                };
                let Some(again) = self.alone(job, keeper).await else {
                    continue;
                };
                let lost = self.recheck.end(prerequisite, &again, &doubtful.played.job);
                if let Some(fact) = lost {
                    (self.on_event)(RunEvent::Fact(fact));
                    (self.on_event)(RunEvent::Finished(Box::new(again)));
                }
            }
            if let Some(lost) = self.recheck.lost(&doubtful.question) {
                doubtful.played.stop = Some(Stop::Prerequisite(lost.clone()));
            } else if doubtful.again
                && let Some(again) = self.alone(doubtful.played.job.clone(), keeper).await
                && again.stop.is_none()
            {
                let beside = match doubtful.beside.as_slice() {
                    [] => "nothing".to_owned(),
                    some => some.join(", "),
                };
                let fact = format!(
                    "{} was not the same twice: it could not be played to its end with {beside} beside it, and could when it \
                     was played again alone, which is what is reported",
                    named(&again.job)
                );
                (self.on_event)(RunEvent::Fact(fact));
                doubtful.played = again;
            }
            self.finish(doubtful.place, doubtful.played);
        }
    }

    /// Plays a job once more while nothing else is played, in a directory of another name. `None`
    /// if the run was cut or the server died.
    async fn alone(&mut self, mut job: Job, keeper: &mut impl Supervisor) -> Option<Played> {
        if self.death.is_some() || self.conduct.cut.is_made() {
            return None;
        }
        let number = job.number;
        self.again += 1;
        job.number = AGAIN + self.again;
        let cut = self.conduct.cut.clone();
        let playing = play_into(Recorder::default(), job, self.target, self.manner, cut);
        let (mut played, was_cut) = playing.await;
        self.leave_behind(played.left.take().as_deref());
        played.job.number = number;
        if may_be_its_death(played.stop.as_ref()) {
            self.death = keeper.death();
        }
        (!was_cut && self.death.is_none()).then_some(played)
    }

    /// The oldest job never waits for room, so that there is always one that goes on.
    fn tell_oldest(&self) {
        if let Some(place) = self.known.keys().next() {
            self.oldest.send_replace(*place);
        }
    }

    /// Whether a job that was turned away is worth another attempt.
    async fn comes_again(&mut self, place: usize, needed: usize, words: &str) -> bool {
        let beside: usize = self.known.values().map(|known| known.connections).sum();
        if beside > 0 {
            if beside < self.allowed {
                self.allowed = beside;
                let fact = format!(
                    "the server turned a connection away ({words}); from then on at most {beside} control connections were \
                     used at once"
                );
                (self.on_event)(RunEvent::Fact(fact));
            }
            return true;
        }
        let attempt = self.turned_away.entry(place).or_default();
        *attempt += 1;
        if *attempt > ALONE {
            self.too_many = self.too_many.min(needed);
            return false;
        }
        // Twice as long each time; what we closed may not be closed there yet.
        let pause = self.manner.timeouts.quiet * (1 << (*attempt - 1));
        let mut cut = self.conduct.cut.clone();
        tokio::select! {
            () = sleep(pause) => {}
            () = cut.made() => {}
        }
        true
    }

    fn finish(&mut self, place: usize, played: Played) {
        self.leave_behind(played.left.as_deref());
        let held = self.held.remove(&place).unwrap_or_default();
        self.results.add(place, played, held, &mut self.on_event);
    }

    fn leave_behind(&mut self, left: Option<&str>) {
        if let Some(left) = left {
            let fact = format!("{left} could not be removed and is still on the server");
            (self.on_event)(RunEvent::Fact(fact));
        }
    }

    /// The run was cut: players clean up, for a while.
    async fn drain(&mut self) {
        let mut cut = self.conduct.cut.clone();
        let cleaning = async {
            while let Some(ended) = self.running.join_next().await {
                let Ok((place, Ok((played, was_cut)))) = ended else {
                    continue;
                };
                self.known.remove(&place);
                if was_cut {
                    self.leave_behind(played.left.as_deref());
                } else {
                    self.finish(place, played);
                }
            }
        };
        tokio::select! {
            _ = timeout(CLEAN_UP, cleaning) => {}
            () = cut.made_again() => {}
        }
        for doubtful in self.recheck.take() {
            self.finish(doubtful.place, doubtful.played);
        }
        for known in std::mem::take(&mut self.known).into_values() {
            if wants_directory(&known.job.scenario, self.target) {
                let left = self.manner.directory(&known.job);
                self.leave_behind(Some(&left));
            }
        }
        self.results.release(&mut self.on_event);
    }

    /// Nobody answers any more.
    fn give_up(&mut self, why: &str) {
        for (place, job) in std::mem::take(&mut self.waiting) {
            let stop = match self.conduct.blocked.get(&job.number) {
                Some(reason) => Stop::Prerequisite(reason.clone()),
                None => Stop::TargetGone(format!("not played: {why}")),
            };
            self.finish(place, unplayed(job, stop));
        }
    }
}

/// Whether a server that dies could look like this.
fn may_be_its_death(stop: Option<&Stop>) -> bool {
    match stop {
        Some(Stop::TargetGone(_) | Stop::ConnectionLost { .. } | Stop::Prerequisite(_)) => true,
        // A data connection that was refused, a reply that never came.
        Some(Stop::Mismatch { .. } | Stop::TimedOut { .. }) => true,
        Some(Stop::Busy(_) | Stop::Trouble(_) | Stop::LimitExceeded { .. }) | None => false,
    }
}

/// A job as it is called in a report.
fn named(job: &Job) -> String {
    format!("{} [{}]", job.scenario.id, job.variant)
}

fn unplayed(job: Job, stop: Stop) -> Played {
    finished(&Recorder::default(), job, Some(stop), Instant::now())
}

#[cfg(test)]
mod tests;
