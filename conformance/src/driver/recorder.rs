//! Records events while a scenario is played.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::error::Elapsed;
use tokio::time::timeout_at;

use super::budget::{Budget, Large, Share};
use crate::transcript::Connection;
use crate::transcript::{ChannelNumbers, Event, EventKind, Excess, Seat, Transcript};

/// A transcript that is being recorded. All clones record into the same one, so that nothing is
/// lost when a task is cancelled.
#[derive(Debug, Clone)]
pub(crate) struct Recorder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    line: AtomicU32,
    started: jiff::Timestamp,
    events: Mutex<Events>,
    variables: Mutex<BTreeMap<String, String>>,
    share: Share,
    /// Octets that were uploaded over data connections.
    uploaded: AtomicU64,
}

/// The events so far.
#[derive(Debug, Default)]
struct Events {
    all: Vec<Event>,
    numbers: ChannelNumbers,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::with(Share::default())
    }
}

impl Recorder {
    /// A recorder for the job with this index, within the budget of the run.
    pub(crate) fn of_run(budget: Budget, place: usize) -> Self {
        Self::with(Share::of(budget, place))
    }

    fn with(share: Share) -> Self {
        Self(Arc::new(Inner {
            began: Instant::now(),
            line: AtomicU32::new(0),
            started: jiff::Timestamp::now(),
            events: Mutex::default(),
            variables: Mutex::default(),
            share,
            uploaded: AtomicU64::new(0),
        }))
    }

    /// Allows this many octets that the scenario requires to be stored.
    pub(crate) fn allow(&self, octets: u64) {
        self.0.share.allow(octets);
    }

    /// Counts received octets that have to be stored, and waits until the budget permits them;
    /// returns the duration of the wait.
    ///
    /// # Errors
    /// If they are more than one job may store.
    pub(super) async fn hold(&self, octets: u64) -> Result<Duration, Excess> {
        self.0.share.hold(octets).await
    }

    /// The number of stored octets from the server.
    pub(crate) fn held(&self) -> u64 {
        self.0.share.held()
    }

    /// Counts octets that a client which records no octets of its own uploaded.
    pub(super) fn add_upload(&self, octets: u64) {
        self.0.uploaded.fetch_add(octets, Ordering::Relaxed);
    }

    /// How many octets were uploaded so far: a file on the server may have as many.
    pub(super) fn uploaded(&self) -> u64 {
        self.0.uploaded.load(Ordering::Relaxed)
    }

    /// A time-out that excludes waiting for the budget.
    ///
    /// # Errors
    /// If the time is over.
    pub(crate) async fn timeout<T>(
        &self,
        patience: Duration,
        doing: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let share = &self.0.share;
        let end = tokio::time::Instant::now() + patience;
        let before = share.waited();
        let mut doing = pin!(doing);
        loop {
            let deadline = end + share.waited().saturating_sub(before);
            match timeout_at(deadline, &mut doing).await {
                Err(_) if end + share.waited().saturating_sub(before) > deadline => {}
                done => return done,
            }
        }
    }

    /// The permission to store much, if it was needed. Must be kept as long as the transcript.
    pub(crate) fn take_large(&self) -> Option<Large> {
        self.0.share.take_large()
    }

    /// Sets the line of the scenario for later events; 0 for the runner's own commands.
    pub(crate) fn at_line(&self, line: u32) {
        self.0.line.store(line, Ordering::Relaxed);
    }

    pub(crate) fn line(&self) -> u32 {
        self.0.line.load(Ordering::Relaxed)
    }

    /// Records an event on this connection with the current time.
    pub(crate) fn record(&self, connection: &Connection, what: EventKind) {
        let at = u64::try_from(self.0.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let EventKind::DataFromClient { octets } = &what {
            self.add_upload(octets.len());
        }
        let line = self.line();
        let mut events = self.events();
        let channel = events.numbers.channel(connection, &what);
        events.all.push(Event {
            at,
            connection: connection.clone(),
            channel,
            line,
            what,
        });
    }

    /// Sets the initial variables of the dialogue.
    pub(crate) fn begin_with(&self, variables: BTreeMap<String, String>) {
        *self
            .0
            .variables
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = variables;
    }

    /// The number of events so far.
    pub(crate) fn count(&self) -> usize {
        self.events().all.len()
    }

    /// Calls a function with the events so far.
    pub(crate) fn with_events<T>(&self, look: impl FnOnce(&[Event]) -> T) -> T {
        look(&self.events().all)
    }

    /// Takes the transcript at the end of the job.
    pub(crate) fn finish(&self, name: &str, variant: &str) -> Transcript {
        let variables = self.0.variables.lock();
        let mut variables = variables.unwrap_or_else(PoisonError::into_inner);
        Transcript {
            name: name.to_owned(),
            variant: variant.to_owned(),
            seat: Seat::Client,
            started: Some(self.0.started),
            variables: std::mem::take(&mut *variables),
            events: std::mem::take(&mut *self.events()).all,
        }
    }

    fn events(&self) -> MutexGuard<'_, Events> {
        // The list stays valid after a panic: each event in it is complete.
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
