//! Queries for tests.

use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, EventKind, Outcome, TransferFacts};
use super::{Journal, Notice};
use crate::storage::Change;
use crate::text::escaped;

impl Journal {
    /// The events that are kept, the oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Arc<Event>> {
        self.store().events.iter().cloned().collect()
    }

    /// Those of one session.
    #[must_use]
    pub fn session(&self, id: u64) -> Vec<Arc<Event>> {
        let store = self.store();
        let of_session = |event: &&Arc<Event>| event.session == id;
        store.events.iter().filter(of_session).cloned().collect()
    }

    /// The lines of the clients, as text with `\xNN` for what is not printable ASCII.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        self.pick(|what| match what {
            EventKind::Command { line } => Some(escaped(line)),
            _ => None,
        })
    }

    /// The codes of the replies, preliminary replies and greetings included.
    #[must_use]
    pub fn codes(&self) -> Vec<u16> {
        self.pick(|what| match what {
            EventKind::Reply { code, .. } => Some(*code),
            _ => None,
        })
    }

    /// The transfers that ended, however they did.
    #[must_use]
    pub fn transfers(&self) -> Vec<TransferFacts> {
        self.pick(|what| match what {
            EventKind::TransferEnded(facts) => Some(TransferFacts::clone(facts)),
            _ => None,
        })
    }

    /// The uploads that completed: STOR, APPE, STOU.
    #[must_use]
    pub fn uploads(&self) -> Vec<TransferFacts> {
        let mut transfers = self.transfers();
        transfers.retain(|facts| facts.stores() && facts.outcome == Outcome::Complete);
        transfers
    }

    /// The changes to the storage, in order.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.pick(|what| match what {
            EventKind::Changed(change) => Some(change.clone()),
            _ => None,
        })
    }

    /// The faults that were injected, in order, as they are written in the plan.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.pick(|what| match what {
            EventKind::FaultInjected { fault, .. } => Some(fault.clone()),
            _ => None,
        })
    }

    /// Waits for an event that satisfies `wanted`, past or future. `None` if there is none in
    /// `time`, or the server ends without one. It waits without polling.
    pub async fn wait_for(
        &self,
        wanted: impl Fn(&Event) -> bool,
        time: Duration,
    ) -> Option<Arc<Event>> {
        let mut subscription = self.subscribe();
        let found = async {
            loop {
                match subscription.next().await? {
                    Notice::Event(event) if wanted(&event) => return Some(event),
                    Notice::Event(_) | Notice::Lagged(_) => {}
                }
            }
        };
        tokio::time::timeout(time, found).await.ok().flatten()
    }

    fn pick<T>(&self, choose: impl Fn(&EventKind) -> Option<T>) -> Vec<T> {
        let store = self.store();
        store
            .events
            .iter()
            .filter_map(|event| choose(&event.what))
            .collect()
    }
}

impl TransferFacts {
    /// Whether it is an upload.
    #[must_use]
    pub fn stores(&self) -> bool {
        matches!(self.verb.as_str(), "STOR" | "APPE" | "STOU")
    }
}
