//! Where events are written down while a scenario is played.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::scenario::Connection;
use crate::transcript::{Event, Transcript, What};

/// The transcript in the making. Its clones write into the same one, so that whatever a task was doing when it was cut
/// short is kept.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    line: AtomicU32,
    events: Mutex<Vec<Event>>,
    variables: Mutex<BTreeMap<String, String>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self(Arc::new(Inner {
            began: Instant::now(),
            line: AtomicU32::new(0),
            events: Mutex::default(),
            variables: Mutex::default(),
        }))
    }
}

impl Recorder {
    /// From now on events belong to this line of the scenario; 0 is the runner's own doing.
    pub fn at_line(&self, line: u32) {
        self.0.line.store(line, Ordering::Relaxed);
    }

    /// The line that is being played.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.0.line.load(Ordering::Relaxed)
    }

    /// Writes down what happened on this connection, now.
    pub fn record(&self, connection: &Connection, what: What) {
        let at = u64::try_from(self.0.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let line = self.line();
        self.events().push(Event {
            at,
            connection: connection.clone(),
            line,
            what,
        });
    }

    /// The variables the dialogue begins with.
    pub fn begin_with(&self, variables: BTreeMap<String, String>) {
        *self
            .0
            .variables
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = variables;
    }

    /// How many events there are so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.events().len()
    }

    /// Everything so far.
    #[must_use]
    pub fn transcript(&self, name: &str, variant: &str) -> Transcript {
        Transcript {
            name: name.to_owned(),
            variant: variant.to_owned(),
            variables: self
                .0
                .variables
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            events: self.events().clone(),
        }
    }

    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        // A list of finished events stays usable whoever panicked while holding it.
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
