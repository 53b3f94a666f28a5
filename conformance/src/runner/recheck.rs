//! Plays prerequisites again when they seem to be lost during a run: their loss is one finding
//! about the server and not a failure of each scenario that depends on them.
//!
//! A job that could not be prepared puts the prerequisites it may have lacked in question. They
//! held when the run began; each is played again, alone. One that no longer holds is reported, and
//! jobs that depend on it are blocked from then on, all for the same reason.
//!
//! A time-out or the end of a connection can be caused by another job played at the same time: such
//! a job is also played again alone, and the second result counts if it is better.

use std::collections::BTreeMap;

use super::{Job, PREREQUISITES, Played, Stop};
use crate::catalogue::Catalogue;
use crate::scenario::{Action, Connection, DataMode, DriverKind, Scenario};
use crate::transcript::{Event, EventKind};

/// How many times a prerequisite is played again in one run.
const RECHECKS: u32 = 3;
/// How many jobs are played again alone in one run.
const REPLAYS: usize = 20;

/// Prerequisites that held when the run began, and the jobs that depend on them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prerequisites {
    all: Vec<Job>,
    /// Indices into `all`, by number of the job.
    of: BTreeMap<usize, Vec<usize>>,
}

impl Prerequisites {
    pub(super) fn new(all: Vec<Job>, of: BTreeMap<usize, Vec<usize>>) -> Self {
        Self { all, of }
    }

    fn under(&self, job: &Job) -> &[usize] {
        self.of.get(&job.number).map_or(&[], Vec::as_slice)
    }

    /// Those whose loss would explain why this job stopped where it did.
    fn in_question(&self, played: &Played) -> Vec<usize> {
        let Some(lacked) = Lacked::by(played) else {
            return vec![];
        };
        let mut question = self.under(&played.job).to_vec();
        let variant = played.job.variant;
        let moves_data = |job: &Job| match lacked {
            Lacked::DataConnection(mode) => {
                (job.variant.data, job.variant.ipv6) == (mode, variant.ipv6)
            }
            Lacked::Preparation => true,
        };
        let is_transfer = |job: &&Job| job.scenario.steps.iter().any(|it| is_data(&it.action));
        let transfer = self
            .all
            .iter()
            .position(|job| is_transfer(&job) && moves_data(job));
        question.extend(transfer);
        question.dedup();
        question
    }
}

fn is_data(action: &Action) -> bool {
    matches!(action, Action::Data(_))
}

/// What a job lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lacked {
    /// A login, a directory, a file.
    Preparation,
    /// A data connection of this mode.
    DataConnection(DataMode),
}

impl Lacked {
    fn by(played: &Played) -> Option<Self> {
        let scenario = &played.job.scenario;
        let line = match played.stop.as_ref()? {
            Stop::Prerequisite(_) | Stop::Busy(_) => return Some(Self::Preparation),
            // The server sent too much, which is not a sign of a lost prerequisite.
            Stop::LimitExceeded { .. } | Stop::Internal(_) | Stop::TargetGone(_) => return None,
            Stop::Mismatch { line } | Stop::TimedOut { line } | Stop::ConnectionLost { line } => {
                *line
            }
        };
        if line == 0 {
            let has_begun = dialogue(played).iter().any(|event| event.line > 0);
            return (!has_begun).then_some(Self::Preparation);
        }
        let step = scenario.steps.iter().find(|step| step.line == line)?;
        match step.action {
            Action::Open | Action::Login => return Some(Self::Preparation),
            Action::User { .. } if played.job.variant.driver == DriverKind::Suppaftp => {
                return Some(Self::DataConnection(played.job.variant.data));
            }
            _ => {}
        }
        let verb = last_verb(dialogue(played), &step.connection)?;
        let mode = DataMode::of(&verb)?;
        (!is_about(scenario, &verb)).then_some(Self::DataConnection(mode))
    }
}

/// Whether a scenario covers a requirement of this command.
fn is_about(scenario: &Scenario, verb: &str) -> bool {
    let commands = Catalogue::built_in().commands(&scenario.about.covers);
    commands.iter().any(|it| it == verb)
}

/// The events before clean-up.
fn dialogue(played: &Played) -> &[Event] {
    let events = &played.transcript.events;
    &events[..played.ended.min(events.len())]
}

fn last_verb(events: &[Event], connection: &Connection) -> Option<String> {
    events.iter().rev().find_map(|event| match &event.what {
        EventKind::FromClient { octets } if event.connection == *connection => {
            let verb = octets.split(|octet| !octet.is_ascii_alphabetic()).next()?;
            Some(String::from_utf8_lossy(verb).to_ascii_uppercase())
        }
        _ => None,
    })
}

/// Why a prerequisite does not hold, without names that differ between attempts.
fn why(played: &Played) -> String {
    match &played.stop {
        Some(Stop::Prerequisite(why) | Stop::Busy(why)) => return why.clone(),
        Some(_) => {}
        None => return String::new(),
    }
    let (events, main) = (dialogue(played), Connection::main());
    let verb = last_verb(events, &main).unwrap_or_else(|| "the connection".into());
    let after = events.iter().rev().filter(|event| event.connection == main);
    let after = after.take_while(|event| !matches!(event.what, EventKind::FromClient { .. }));
    let shown = after.map(|event| &event.what).find_map(|what| match what {
        EventKind::FromServer { octets } => {
            let code = octets.get(..3).unwrap_or_default();
            Some(format!(
                "{verb} was answered {}",
                String::from_utf8_lossy(code)
            ))
        }
        EventKind::DataFailed { .. } => Some(format!("no data connection after {verb}")),
        EventKind::Closed(_) => Some(format!(
            "the server closed the control connection at {verb}"
        )),
        _ => None,
    });
    shown.unwrap_or_else(|| format!("{verb}: no answer in time"))
}

/// The state of the prerequisites during a run.
#[derive(Debug, Default)]
pub(super) struct Recheck {
    prerequisites: Prerequisites,
    /// Those that no longer hold, and why.
    lost: BTreeMap<usize, String>,
    /// How many times each was played again.
    rechecks: BTreeMap<usize, u32>,
    /// How many jobs were played again.
    replays: usize,
    unconfirmed: Vec<Unconfirmed>,
}

/// A job whose result depends on jobs that are played again.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    pub(super) place: usize,
    pub(super) played: Played,
    /// The names of the jobs that were played at the same time.
    pub(super) concurrent: Vec<String>,
    /// The prerequisites it may have lacked.
    pub(super) question: Vec<usize>,
    /// Whether the job itself is played again.
    pub(super) again: bool,
}

impl Recheck {
    pub(super) fn new(prerequisites: Prerequisites) -> Self {
        Self {
            prerequisites,
            ..Self::default()
        }
    }

    /// Why a job is not played: one of its prerequisites was lost.
    pub(super) fn blocks(&self, job: &Job) -> Option<&String> {
        let under = self.prerequisites.under(job);
        under.iter().find_map(|it| self.lost.get(it))
    }

    /// Whether anything waits to be played again.
    pub(super) fn is_due(&self) -> bool {
        !self.unconfirmed.is_empty()
    }

    /// What waits to be played again.
    pub(super) fn take(&mut self) -> Vec<Unconfirmed> {
        std::mem::take(&mut self.unconfirmed)
    }

    /// Returns the result if it is final, and keeps it if something has to be played again first.
    pub(super) fn weigh(
        &mut self,
        place: usize,
        mut played: Played,
        concurrent: Vec<String>,
    ) -> Option<Played> {
        let mut question = self.prerequisites.in_question(&played);
        if let Some(lost) = question.iter().find_map(|it| self.lost.get(it)) {
            played.stop = Some(Stop::Prerequisite(lost.clone()));
            return Some(played);
        }
        question.retain(|it| self.rechecks.get(it).is_none_or(|times| *times < RECHECKS));
        let is_prerequisite = played.job.scenario.id.0.starts_with(PREREQUISITES);
        let again = self.replays < REPLAYS
            && match played.stop {
                Some(Stop::Mismatch { .. }) => is_prerequisite,
                Some(
                    Stop::TimedOut { .. } | Stop::ConnectionLost { .. } | Stop::Prerequisite(_),
                ) => is_prerequisite || !concurrent.is_empty(),
                _ => false,
            };
        if question.is_empty() && !again {
            return Some(played);
        }
        self.replays += usize::from(again);
        self.unconfirmed.push(Unconfirmed {
            place,
            played,
            concurrent,
            question,
            again,
        });
        None
    }

    /// A prerequisite to be played again now; `None` if its loss is known already.
    pub(super) fn begin(&mut self, prerequisite: usize) -> Option<Job> {
        let times = self.rechecks.entry(prerequisite).or_default();
        if self.lost.contains_key(&prerequisite) || *times >= RECHECKS {
            return None;
        }
        *times += 1;
        self.prerequisites.all.get(prerequisite).cloned()
    }

    /// Takes its result; returns the message to report if it no longer holds.
    pub(super) fn end(
        &mut self,
        prerequisite: usize,
        again: &Played,
        for_what: &Job,
    ) -> Option<String> {
        again.stop.as_ref()?;
        let (id, variant) = (&again.job.scenario.id, again.job.variant);
        let lost = format!(
            "{id} [{variant}] held when the run began, and no longer holds: {}",
            why(again)
        );
        self.lost.insert(prerequisite, lost.clone());
        let (first, variant) = (&for_what.scenario.id, for_what.variant);
        Some(format!(
            "{lost}; {first} [{variant}] was the first to lack it"
        ))
    }

    /// Why one of these prerequisites was lost, if one was.
    pub(super) fn lost(&self, question: &[usize]) -> Option<&String> {
        question.iter().find_map(|it| self.lost.get(it))
    }
}
