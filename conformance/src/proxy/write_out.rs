//! The file of a recording. Events are written on a thread for blocking work, so that a session
//! never waits for a disk or for a digest.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::recording::BlobFolder;
use crate::transcript::{Event, EventKind, Header, INLINE_LIMIT, Writer, digest_of};

/// Octets that may wait before no more are read from data connections.
const WAITING: u64 = 4 << 20;

type RecordingFile = Writer<BufWriter<File>, BlobFolder>;

/// A file that takes events.
#[derive(Debug)]
pub(super) struct WriteOut {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Notified when nothing is being written any more.
    idle: Condvar,
    writer: Mutex<RecordingFile>,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    /// Octets of data connections that are not written yet.
    octets: u64,
    /// Whether a thread is writing.
    writing: bool,
    /// The first error. Nothing is written after it.
    error: Option<io::Error>,
    failed: bool,
    /// Those that wait for room.
    waiting: Vec<Waker>,
}

impl WriteOut {
    /// Creates the file, or replaces it, and writes its header.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn create(path: &Path, header: Header) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        let mut writer = Writer::new(file, BlobFolder::beside(path), header)?;
        writer.flush()?;
        Ok(Self {
            shared: Arc::new(Shared {
                queue: Mutex::default(),
                idle: Condvar::new(),
                writer: Mutex::new(writer),
            }),
        })
    }

    /// Writes an event soon, after those before it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(super) fn push(&self, event: Event) {
        let mut queue = self.shared.queue();
        if queue.failed {
            return;
        }
        queue.octets += octets(&event);
        queue.events.push_back(event);
        if !std::mem::replace(&mut queue.writing, true) {
            let shared = Arc::clone(&self.shared);
            tokio::task::spawn_blocking(move || shared.write());
        }
    }

    /// Ready when there is room for more octets of data connections.
    pub(super) fn poll_room(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.shared.queue();
        if queue.octets < WAITING || queue.failed {
            return Poll::Ready(());
        }
        if !queue.waiting.iter().any(|it| it.will_wake(context.waker())) {
            queue.waiting.push(context.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until everything is written, and reports the first error there was.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn finish(&self) -> io::Result<()> {
        let mut queue = self.shared.queue();
        while queue.writing {
            let woken = self.shared.idle.wait(queue);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
        }
        queue.error.take().map_or(Ok(()), Err)
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes until nothing is left.
    fn write(&self) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let events = {
                let mut queue = self.queue();
                if queue.events.is_empty() {
                    queue.writing = false;
                    self.idle.notify_all();
                    return;
                }
                std::mem::take(&mut queue.events)
            };
            let written = self.write_events(&mut writer, &events);
            if let Err(error) = written.and_then(|()| writer.flush()) {
                let mut queue = self.queue();
                queue.failed = true;
                queue.error.get_or_insert(error);
                queue.events.clear();
                queue.waiting.drain(..).for_each(Waker::wake);
            }
        }
    }
}

impl Shared {
    /// Writes these events. While one is written the digest of the next is computed.
    fn write_events(&self, writer: &mut RecordingFile, events: &VecDeque<Event>) -> io::Result<()> {
        let mut digest = events.front().and_then(digest_of);
        for (index, event) in events.iter().enumerate() {
            let next = events.get(index + 1);
            let digested = next.filter(|next| octets(next) > INLINE_LIMIT);
            let written = std::thread::scope(|scope| {
                let digesting = digested.map(|next| scope.spawn(|| digest_of(next)));
                let written = writer.event_with_digest(event, digest.take());
                digest = digesting.and_then(|thread| thread.join().ok().flatten());
                written
            });
            written?;
            let octets = octets(event);
            if octets > 0 {
                let mut queue = self.queue();
                queue.octets -= octets;
                queue.waiting.drain(..).for_each(Waker::wake);
            }
        }
        Ok(())
    }
}

/// Octets of a data connection in an event.
fn octets(event: &Event) -> u64 {
    match &event.what {
        EventKind::DataFromClient { octets } | EventKind::DataFromServer { octets } => octets.len(),
        _ => 0,
    }
}
