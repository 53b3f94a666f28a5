//! The journal: what the server decided and did, as ordered events that tests query and programs
//! follow.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ftpspec_server::StartError> {
//! use ftpspec_server::Server;
//! use ftpspec_server::observe::journal::Journal;
//!
//! let journal = Journal::new();
//! let server = Server::builder().user("test", "secret").journal(&journal).start().await?;
//! // … the client under test …
//! assert!(journal.uploads().is_empty());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! A server without a journal creates no events. A journal keeps the newest: their number and their
//! octets are limited, and a reader that is too slow learns how many it has missed. Passwords are
//! never in it.

mod event;
mod ndjson;
mod queries;
mod secret;

pub use super::wire_facts::{DataMode, Side, StreamEnd, TlsFacts};
pub use crate::storage::Change;
pub use event::{CloseReason, Event, EventKind, MAX_TEXT, Outcome, TransferFacts};

pub(crate) use secret::{open_part, without_secrets};

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::Notify;

/// Events that are kept by default.
const EVENTS: usize = 100_000;
/// The most octets of events that are kept.
const OCTETS: usize = 64 << 20;

/// What happened on one server. A handle: clones see the same events.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Mutex<Store>,
    /// Somebody may wait for an event, or for the end.
    changed: Notify,
    capacity: usize,
    hashes: bool,
}

#[derive(Debug, Default)]
struct Store {
    events: VecDeque<Arc<Event>>,
    octets: usize,
    /// Events so far.
    last: u64,
    closed: bool,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            store: Mutex::default(),
            changed: Notify::new(),
            capacity: EVENTS,
            hashes: false,
        }
    }
}

impl Journal {
    /// An empty journal that keeps the newest 100 000 events, and no more than 64 MiB of them.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty journal that keeps the newest `events`, at least one.
    #[must_use]
    pub fn keeping(events: usize) -> Self {
        Self(Arc::new(Inner {
            capacity: events.max(1),
            ..Inner::default()
        }))
    }

    /// An empty journal like this one that also takes the SHA-256 of everything that is
    /// transferred. That costs time in proportion to what is moved.
    #[must_use]
    pub fn hashing(self) -> Self {
        Self(Arc::new(Inner {
            capacity: self.0.capacity,
            hashes: true,
            ..Inner::default()
        }))
    }

    /// Follows the events: those that are kept, and then those to come.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        Subscription {
            journal: self.clone(),
            read: 0,
        }
    }

    /// Whether the digests of transfers are wanted.
    pub(crate) fn hashes(&self) -> bool {
        self.0.hashes
    }

    /// Adds an event. `order` is that of its session.
    pub(crate) fn record(&self, session: u64, order: u64, what: EventKind) {
        let time = SystemTime::now();
        let mut store = self.store();
        store.last += 1;
        store.octets += what.weight();
        let event = Event {
            number: store.last,
            session,
            order,
            time,
            what,
        };
        store.events.push_back(Arc::new(event));
        while store.events.len() > self.0.capacity
            || (store.octets > OCTETS && store.events.len() > 1)
        {
            if let Some(oldest) = store.events.pop_front() {
                store.octets -= oldest.what.weight();
            }
        }
        drop(store);
        self.0.changed.notify_waiters();
    }

    /// The server has ended: subscriptions end after the last event.
    pub(crate) fn close(&self) {
        self.store().closed = true;
        self.0.changed.notify_waiters();
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows a [`Journal`] at its own pace. What it has missed is reported as [`Notice::Lagged`].
#[derive(Debug)]
pub struct Subscription {
    journal: Journal,
    /// The number of the last event that was read.
    read: u64,
}

/// What a [`Subscription`] returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// This happened.
    Event(Arc<Event>),
    /// This many events were dropped before they were read.
    Lagged(u64),
}

impl Subscription {
    /// The next notice; `None` when the server has ended and everything was read.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            let journal = self.journal.clone();
            let mut changed = std::pin::pin!(journal.0.changed.notified());
            // After this no change is missed.
            changed.as_mut().enable();
            if let Some(notice) = self.try_next() {
                return Some(notice);
            }
            if journal.store().closed {
                // It may have been closed between the two looks.
                return self.try_next();
            }
            changed.await;
        }
    }

    /// The next notice, if there is one now.
    pub fn try_next(&mut self) -> Option<Notice> {
        let store = self.journal.store();
        let first = store.last - store.events.len() as u64 + 1;
        if self.read + 1 < first {
            let missed = first - 1 - self.read;
            self.read = first - 1;
            return Some(Notice::Lagged(missed));
        }
        let index = usize::try_from(self.read + 1 - first).ok()?;
        let event = Arc::clone(store.events.get(index)?);
        self.read += 1;
        Some(Notice::Event(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(journal: &Journal) -> Vec<u64> {
        journal.events().iter().map(|event| event.number).collect()
    }

    #[test]
    fn the_newest_events_are_kept_and_their_numbers_go_on() {
        let journal = Journal::keeping(2);
        for order in 1..=5 {
            journal.record(7, order, EventKind::TlsEnded);
        }
        assert_eq!(numbers(&journal), [4, 5]);
        assert_eq!(journal.events()[1].order, 5);
    }

    #[test]
    fn a_flood_of_octets_pushes_old_events_out() {
        let journal = Journal::new();
        for order in 1..=80 {
            let text = vec![0; 1 << 20];
            journal.record(1, order, EventKind::Reply { code: 211, text });
        }
        let kept = journal.events().len();
        assert!((60..=64).contains(&kept), "{kept}");
        assert!(journal.store().octets <= OCTETS);
    }

    #[tokio::test]
    async fn a_slow_subscriber_receives_the_number_of_missed_events() {
        let journal = Journal::keeping(2);
        let mut subscription = journal.subscribe();
        journal.record(1, 1, EventKind::TlsEnded);
        assert!(
            matches!(subscription.next().await, Some(Notice::Event(event)) if event.number == 1)
        );
        for order in 2..=6 {
            journal.record(1, order, EventKind::TlsEnded);
        }
        assert_eq!(subscription.next().await, Some(Notice::Lagged(3)));
        assert!(
            matches!(subscription.next().await, Some(Notice::Event(event)) if event.number == 5)
        );
        journal.close();
        assert!(
            matches!(subscription.next().await, Some(Notice::Event(event)) if event.number == 6)
        );
        assert_eq!(subscription.next().await, None);
    }
}
