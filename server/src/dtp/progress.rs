//! The progress of a transfer, shared by the data connection and the control connection.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::stream::DataStream;
use crate::auth::Rate;
use crate::observe::journal::{DataMode, EventKind};
use crate::observe::sessions::SessionRecord;
use crate::observe::tap::Channel;
use crate::pi::RestartMarker;
use crate::text::hexadecimal;

/// The progress of a transfer.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    moved: AtomicU64,
    channel: OnceLock<Arc<Channel>>,
    committing: AtomicBool,
    /// Whether the client kept a download open until its completion reply.
    kept_open: AtomicBool,
    /// Restart markers whose 110 was not sent yet; there are never many.
    marks: Mutex<Vec<RestartMarker>>,
    marked: AtomicBool,
    watch: Option<ProgressWatch>,
    /// The rate limit.
    rate: Option<Arc<Rate>>,
}

/// The session, and what is recorded for its journal.
#[derive(Debug)]
struct ProgressWatch {
    entry: Arc<SessionRecord>,
    mode: DataMode,
    digest: Option<Mutex<Sha256>>,
}

impl Progress {
    /// The progress of a transfer of this session.
    pub(crate) fn of(entry: &Arc<SessionRecord>, mode: DataMode) -> Self {
        let digest = entry.hashes().then(Mutex::default);
        Self {
            watch: Some(ProgressWatch {
                entry: Arc::clone(entry),
                mode,
                digest,
            }),
            ..Self::default()
        }
    }

    /// The same with a rate limit.
    pub(crate) fn at(self, rate: Option<Arc<Rate>>) -> Self {
        Self { rate, ..self }
    }

    /// Octets that may be moved before a [`rest`](Self::rest).
    pub(super) fn piece(&self) -> usize {
        self.rate.as_ref().map_or(usize::MAX, |rate| rate.piece())
    }

    /// Waits after `octets` were moved, as the rate limit demands.
    pub(super) async fn rest(&self, octets: usize) {
        if let Some(rate) = &self.rate {
            let now = tokio::time::Instant::now();
            let time = rate.moved(octets, now.into_std());
            tokio::time::sleep_until(now + time).await;
        }
    }

    /// Octets over the data connection so far.
    pub(crate) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// The data connection, if there was one.
    pub(crate) fn channel(&self) -> Option<&Channel> {
        self.channel.get().map(|channel| &**channel)
    }

    /// Whether everything has moved, and an upload is being made the file: too late to abort.
    pub(crate) fn is_committing(&self) -> bool {
        self.committing.load(Ordering::Relaxed)
    }

    /// The client has not closed the data connection in the time it was given.
    pub(super) fn set_kept_open(&self) {
        self.kept_open.store(true, Ordering::Relaxed);
    }

    /// Whether the client has not closed a download in the time it was given.
    pub(crate) fn was_kept_open(&self) -> bool {
        self.kept_open.load(Ordering::Relaxed)
    }

    /// SHA-256 over what was moved, if the journal wants it.
    pub(crate) fn sha256(&self) -> Option<String> {
        let digest = self.watch.as_ref()?.digest.as_ref()?;
        let digest = digest.lock().unwrap_or_else(PoisonError::into_inner);
        Some(hexadecimal(&digest.clone().finalize()))
    }

    /// The transfer has its data connection.
    pub(super) fn opened(&self, stream: &DataStream) {
        let channel = self.channel.get_or_init(|| Arc::clone(stream.channel()));
        if let Some(watch) = &self.watch {
            watch.entry.note(|| EventKind::DataOpened {
                connection: channel.number(),
                mode: watch.mode,
                peer: stream.peer(),
                tls: stream.tls_facts().map(Box::new),
            });
        }
    }

    /// The first `octets` of `pieces` were sent.
    pub(super) fn sent<'a>(&self, pieces: impl IntoIterator<Item = &'a Bytes>, octets: usize) {
        self.add(octets);
        let mut left = octets;
        self.digest(|digest| {
            for piece in pieces {
                let part = piece.len().min(left);
                digest.update(&piece[..part]);
                left -= part;
            }
        });
    }

    /// Whether every octet has to be seen, because they are hashed.
    pub(super) fn sees_octets(&self) -> bool {
        self.watch
            .as_ref()
            .is_some_and(|watch| watch.digest.is_some())
    }

    /// Counts octets that were sent and need not [be seen](Self::sees_octets).
    pub(super) fn sent_unseen(&self, octets: usize) {
        self.add(octets);
    }

    /// The last `octets` of `buffer` were received.
    pub(super) fn received(&self, buffer: &[u8], octets: usize) {
        self.add(octets);
        self.digest(|digest| digest.update(&buffer[buffer.len() - octets..]));
    }

    /// Whether there are [`marks`](Self::take_marks).
    pub(crate) fn is_marked(&self) -> bool {
        self.marked.load(Ordering::Relaxed)
    }

    /// Takes the restart markers that have come, in order.
    pub(crate) fn take_marks(&self) -> Vec<RestartMarker> {
        if !self.marked.swap(false, Ordering::Relaxed) {
            return Vec::new();
        }
        std::mem::take(&mut *self.marks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn mark(&self, mark: RestartMarker) {
        self.marks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(mark);
        self.marked.store(true, Ordering::Relaxed);
    }

    /// From here on it is too late to abort.
    pub(super) fn set_committing(&self) {
        self.committing.store(true, Ordering::Relaxed);
    }

    fn add(&self, octets: usize) {
        self.moved.fetch_add(octets as u64, Ordering::Relaxed);
    }

    fn digest(&self, update: impl FnOnce(&mut Sha256)) {
        if let Some(digest) = self.watch.as_ref().and_then(|watch| watch.digest.as_ref()) {
            update(&mut digest.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn transfers_that_share_a_rate_rest_together() {
        let rate = Arc::new(Rate::per_second(1000.try_into().unwrap()));
        let one = Progress::default().at(Some(Arc::clone(&rate)));
        let other = Progress::default().at(Some(rate));
        let free = Progress::default();
        assert_eq!((one.piece(), free.piece()), (125, usize::MAX));
        let begin = Instant::now();
        free.rest(1_000_000).await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
        tokio::join!(one.rest(500), other.rest(1000));
        assert_eq!(begin.elapsed(), Duration::from_millis(1500));
    }
}
