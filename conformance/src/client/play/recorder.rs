//! What the server and the runner observe, as one transcript with the seat of the server.

use crate::data::Data;
use crate::transcript::{Channel, Connection, Event, EventKind, ObservationKind, Seat, Transcript};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Events that are recorded; a client that causes more is ended.
const EVENTS: usize = 50_000;
/// Octets that are recorded; a client that causes more is ended.
const OCTETS: u64 = 256 << 20;

/// Collects the events of all sessions of a server.
#[derive(Debug)]
pub(super) struct Recorder {
    started: Instant,
    state: Mutex<State>,
    /// Something was added.
    changed: Notify,
    /// The line of the task that is being carried out.
    line: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    octets: u64,
    /// The numbers of the sessions, in the order of their first events.
    sessions: Vec<u64>,
    /// The sessions that have not ended.
    open: Vec<u64>,
    full: bool,
}

impl Recorder {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            state: Mutex::default(),
            changed: Notify::new(),
            line: AtomicU32::new(0),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event of a session of the server.
    pub(super) fn take(&self, session: u64, mut event: Event) {
        let mut state = self.state();
        let index = match state.sessions.iter().position(|known| *known == session) {
            Some(index) => index,
            None => {
                state.sessions.push(session);
                state.sessions.len() - 1
            }
        };
        match event.what {
            EventKind::Connected { .. } => state.open.push(session),
            EventKind::Closed(_) => state.open.retain(|open| *open != session),
            _ => {}
        }
        event.connection = match index {
            0 => Connection::main(),
            _ => Connection(format!("session {}", index + 1)),
        };
        event.line = self.line.load(Ordering::Relaxed);
        state.add(event);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Adds an observation of the runner.
    pub(super) fn note(&self, kind: ObservationKind, fact: String, ok: bool) {
        let event = Event {
            at: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            connection: Connection::runner(),
            channel: Channel::Control,
            line: self.line.load(Ordering::Relaxed),
            what: EventKind::Observed {
                kind,
                fact,
                octets: Data::default(),
                ok,
            },
        };
        self.state().add(event);
        self.changed.notify_waiters();
    }

    /// The task at this line begins.
    pub(super) fn begin(&self, line: u32) {
        self.line.store(line, Ordering::Relaxed);
    }

    /// Waits until every session has ended, but not longer than `limit`.
    pub(super) async fn all_closed(&self, limit: Duration) {
        let closed = self.until(|state| state.open.is_empty());
        let _ = timeout(limit, closed).await;
    }

    /// Waits until more happens than is recorded.
    pub(super) async fn flooded(&self) {
        self.until(|state| state.full).await;
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if holds(&self.state()) {
                return;
            }
            changed.await;
        }
    }

    /// What was recorded.
    pub(super) fn finish(&self, name: &str, variant: &str) -> Transcript {
        Transcript {
            name: name.to_owned(),
            variant: variant.to_owned(),
            seat: Seat::Server,
            events: std::mem::take(&mut self.state().events),
            ..Transcript::default()
        }
    }
}

impl State {
    fn add(&mut self, event: Event) {
        self.octets += match &event.what {
            EventKind::FromClient { octets } | EventKind::FromServer { octets } => {
                octets.len() as u64
            }
            EventKind::DataFromClient { octets } | EventKind::DataFromServer { octets } => {
                octets.len()
            }
            _ => 0,
        };
        self.full |= self.events.len() >= EVENTS || self.octets > OCTETS;
        if !self.full {
            self.events.push(event);
        }
    }
}
