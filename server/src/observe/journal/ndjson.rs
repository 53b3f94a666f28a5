//! The journal as lines of JSON.

use std::io::{self, Write};

use serde::Serialize;
use tokio::task::JoinHandle;

use super::{Event, Journal, Notice};

/// The version of the lines. Fields and events are only ever added to it.
const VERSION: u32 = 1;

/// The first line.
#[derive(Serialize)]
struct Head {
    journal: u32,
}

/// In place of events that were dropped before they were written.
#[derive(Serialize)]
struct Lagged {
    event: &'static str,
    events: u64,
}

impl Event {
    /// The event as one line of JSON, without a line end.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self)
            .expect("an event has text keys only, and no value that JSON lacks")
    }
}

impl Journal {
    /// Writes everything that is kept, and then what happens, as lines of JSON (NDJSON) until the
    /// server has ended. The first line is `{"journal":1}`, the version. Writing happens on a
    /// thread for it; `to` may block.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn write_to(&self, mut to: impl Write + Send + 'static) -> JoinHandle<io::Result<()>> {
        let mut subscription = self.subscribe();
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            line(&mut to, &Head { journal: VERSION })?;
            loop {
                let next = match subscription.try_next() {
                    Some(notice) => Some(notice),
                    None => {
                        // A reader of the file sees everything up to here.
                        to.flush()?;
                        runtime.block_on(subscription.next())
                    }
                };
                match next {
                    Some(Notice::Event(event)) => line(&mut to, &*event)?,
                    Some(Notice::Lagged(events)) => {
                        let event = "lagged";
                        line(&mut to, &Lagged { event, events })?;
                    }
                    None => return to.flush(),
                }
            }
        })
    }
}

fn line(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}
