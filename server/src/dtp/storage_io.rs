//! The file side of a transfer: access to a storage that may block from a task that must not.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::{AsciiDecoder, AsciiEncoder, Encoder};
use crate::pi::{Coding, Representation};
use crate::storage::{ReadHandle, Storage, WriteHandle};

/// Octets that are requested from a storage at once.
const PIECE: usize = 256 << 10;
/// Octets that go through an encoder at once.
const CODED_PIECE: usize = 64 << 10;
/// Pieces sent with one system call, and read by one blocking job.
pub(crate) const PIECES: usize = 4;

/// Runs a storage call: at once if the storage never blocks, else on a thread for it.
///
/// # Errors
/// The error of the job, or that the storage panicked.
pub(crate) async fn on_storage<T: Send + 'static>(
    storage: &Arc<dyn Storage>,
    job: impl FnOnce(&dyn Storage) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    if storage.abilities().never_blocks {
        return job(&**storage);
    }
    on_a_thread(storage, job).await
}

/// Runs a storage call on a thread for it, even if it never blocks: for work whose time grows with
/// the size of a file.
///
/// # Errors
/// The error of the job, or that the storage panicked.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    storage: &Arc<dyn Storage>,
    job: impl FnOnce(&dyn Storage) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let storage = Arc::clone(storage);
    tokio::task::spawn_blocking(move || job(&*storage))
        .await
        .map_err(io::Error::other)?
}

/// Reads the octets of a file or a listing.
///
/// A storage that blocks is read one batch ahead, by a job for each batch: a client that does not
/// read occupies no thread.
pub(crate) struct Source {
    state: Reading,
    encoding: Encoding,
    host_sends: bool,
}

/// How pieces are encoded.
pub(crate) enum Encoding {
    AsItIs,
    Ascii(AsciiEncoder),
    Coded(Box<Coded>),
}

/// Pieces on their way through an encoder.
pub(crate) struct Coded {
    encoder: Option<Encoder>,
    pieces: VecDeque<Bytes>,
}

impl Encoding {
    /// For a file that is read from `offset` on.
    pub(crate) fn new(coding: &Coding, offset: u64) -> Self {
        match coding.representation {
            _ if !coding.is_plain() => Self::Coded(Box::new(Coded {
                encoder: Some(Encoder::new(coding, offset)),
                pieces: VecDeque::new(),
            })),
            Representation::Ascii => Self::Ascii(AsciiEncoder::new()),
            Representation::Ebcdic | Representation::Image => Self::AsItIs,
        }
    }
}

/// What a reading job returns.
type ReadBatch = (Box<dyn ReadHandle>, io::Result<Vec<Bytes>>);

enum Reading {
    Inline(Box<dyn ReadHandle>),
    /// The storage blocks, and the first batch was read when the file was opened.
    Opened(Box<dyn ReadHandle>, io::Result<Vec<Bytes>>),
    Ahead(JoinHandle<ReadBatch>),
    /// The rest is left to sendfile(2).
    Left(Box<dyn ReadHandle>),
    Ended,
}

impl Source {
    /// Opens what `open` does. Where the storage blocks, its first batch is read by the same job: a
    /// small file needs no other.
    ///
    /// # Errors
    /// The errors of `open`.
    pub(crate) async fn open(
        storage: &Arc<dyn Storage>,
        encoding: Encoding,
        open: impl FnOnce(&dyn Storage) -> io::Result<Box<dyn ReadHandle>> + Send + 'static,
    ) -> io::Result<Self> {
        let inline = storage.abilities().never_blocks;
        let state = on_storage(storage, move |storage| {
            let mut handle = open(storage)?;
            if inline {
                return Ok(Reading::Inline(handle));
            }
            let first = read_batch(&mut *handle);
            Ok(Reading::Opened(handle, first))
        });
        Ok(Self {
            state: state.await?,
            encoding,
            host_sends: false,
        })
    }

    /// Leaves to sendfile(2) what it can send, where octets are not changed.
    #[cfg(target_os = "linux")]
    pub(super) fn let_host_send(&mut self) {
        self.host_sends = matches!(self.encoding, Encoding::AsItIs);
    }

    /// The rest of the file for sendfile(2), after what was read was returned. Nothing more is
    /// returned until [`read_on_from`](Self::read_on_from).
    #[cfg(target_os = "linux")]
    pub(super) fn left_to_host(&mut self) -> Option<Box<dyn ReadHandle>> {
        match std::mem::replace(&mut self.state, Reading::Ended) {
            Reading::Left(handle) => Some(handle),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Reads on after sendfile(2) has not sent everything.
    #[cfg(target_os = "linux")]
    pub(super) fn read_on_from(&mut self, handle: Box<dyn ReadHandle>) {
        self.host_sends = false;
        self.state = read_ahead(handle);
    }

    /// Whether it is known, without reading, that nothing more comes.
    pub(super) fn is_at_end(&self) -> bool {
        matches!(
            (&self.state, &self.encoding),
            (Reading::Ended, Encoding::AsItIs | Encoding::Ascii(_))
        )
    }

    /// The next pieces, none of them empty; no pieces at the end.
    ///
    /// # Errors
    /// The error of the storage.
    pub(crate) async fn next(&mut self) -> io::Result<Vec<Bytes>> {
        if matches!(self.encoding, Encoding::Coded(_)) {
            return self.next_coded().await;
        }
        let mut pieces = self.read().await?;
        if let Encoding::Ascii(encoder) = &mut self.encoding {
            for piece in &mut pieces {
                *piece = encoder.encode(std::mem::take(piece));
            }
        }
        Ok(pieces)
    }

    /// One piece at a time: compressing takes a while, and other tasks want their turn.
    async fn next_coded(&mut self) -> io::Result<Vec<Bytes>> {
        let mut data = Vec::new();
        while data.is_empty() {
            let Encoding::Coded(coded) = &mut self.encoding else {
                break;
            };
            if let Some(mut piece) = coded.pieces.pop_front() {
                let now = piece.split_to(piece.len().min(CODED_PIECE));
                if !piece.is_empty() {
                    coded.pieces.push_front(piece);
                }
                if let Some(encoder) = &mut coded.encoder {
                    encoder.encode(now, &mut data);
                }
                tokio::task::yield_now().await;
                continue;
            }
            let pieces = self.read().await?;
            let Encoding::Coded(coded) = &mut self.encoding else {
                break;
            };
            if !pieces.is_empty() {
                coded.pieces = pieces.into();
                continue;
            }
            if let Some(encoder) = coded.encoder.take() {
                encoder.finish(&mut data);
            }
            break;
        }
        Ok(if data.is_empty() {
            Vec::new()
        } else {
            vec![data.into()]
        })
    }

    async fn read(&mut self) -> io::Result<Vec<Bytes>> {
        let pieces = match std::mem::replace(&mut self.state, Reading::Ended) {
            Reading::Inline(mut handle) => {
                let pieces = read_batch(&mut *handle)?;
                self.state = Reading::Inline(handle);
                pieces
            }
            Reading::Opened(handle, pieces) => self.read_on(handle, pieces)?,
            Reading::Ahead(job) => {
                let (handle, pieces) = job.await.map_err(io::Error::other)?;
                self.read_on(handle, pieces)?
            }
            Reading::Left(_) | Reading::Ended => Vec::new(),
        };
        // Fewer pieces than asked for is the end.
        if pieces.len() < PIECES {
            self.state = Reading::Ended;
        }
        Ok(pieces)
    }

    /// A batch has been read: the next one is read while it is sent.
    fn read_on(
        &mut self,
        mut handle: Box<dyn ReadHandle>,
        pieces: io::Result<Vec<Bytes>>,
    ) -> io::Result<Vec<Bytes>> {
        let pieces = pieces?;
        if pieces.len() == PIECES {
            self.state = if self.host_sends && handle.host_file().is_some() {
                Reading::Left(handle)
            } else {
                read_ahead(handle)
            };
        }
        Ok(pieces)
    }
}

fn read_batch(handle: &mut dyn ReadHandle) -> io::Result<Vec<Bytes>> {
    let mut pieces = Vec::new();
    while pieces.len() < PIECES {
        let piece = handle.read_chunk(PIECE)?;
        if piece.is_empty() {
            break;
        }
        pieces.push(piece);
    }
    Ok(pieces)
}

fn read_ahead(mut handle: Box<dyn ReadHandle>) -> Reading {
    Reading::Ahead(tokio::task::spawn_blocking(move || {
        let pieces = read_batch(&mut *handle);
        (handle, pieces)
    }))
}

/// Takes the octets of a file that is being stored. Dropped without [`commit`](Self::commit) the
/// file stays as it was.
pub(crate) struct Sink {
    state: Writing,
    /// Octets of content it may still take.
    room: u64,
    decoder: Option<AsciiDecoder>,
}

enum Writing {
    Inline(Box<dyn WriteHandle>),
    /// The storage blocks, and nothing is being written.
    Idle(Box<dyn WriteHandle>),
    /// The storage blocks, and a piece is being written while the next one comes in.
    Busy(JoinHandle<io::Result<Box<dyn WriteHandle>>>),
    /// Writing has failed, or everything was committed: no more octets are taken.
    Closed,
}

impl Sink {
    pub(crate) fn new(handle: Box<dyn WriteHandle>, inline: bool, ascii: bool, room: u64) -> Self {
        Self {
            state: if inline {
                Writing::Inline(handle)
            } else {
                Writing::Idle(handle)
            },
            room,
            decoder: ascii.then(AsciiDecoder::new),
        }
    }

    /// Takes the next octets. The failure of a storage that blocks is reported with the next piece.
    ///
    /// # Errors
    /// The error of the storage; `FileTooLarge` if there is no room.
    pub(crate) async fn write(&mut self, octets: Bytes) -> io::Result<()> {
        let octets = match &mut self.decoder {
            Some(decoder) => decoder.decode(octets),
            None => octets,
        };
        self.write_content(octets).await
    }

    /// Octets of content it may still take.
    pub(crate) fn room(&self) -> u64 {
        self.room
    }

    /// Makes what was written the file.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(crate) async fn commit(self) -> io::Result<()> {
        self.commit_with(Bytes::new()).await
    }

    /// Takes the last octets and makes what was written the file, by one job.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(crate) async fn commit_with(mut self, last: Bytes) -> io::Result<()> {
        let pieces = match self.decoder.take() {
            Some(mut decoder) => [decoder.decode(last), decoder.finish()],
            None => [last, Bytes::new()],
        };
        for piece in &pieces {
            self.take_room(piece)?;
        }
        let commit = move |mut handle: Box<dyn WriteHandle>| {
            for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
                handle.write_chunk(piece)?;
            }
            handle.commit()
        };
        let inline = matches!(self.state, Writing::Inline(_));
        let handle = self.idle_handle().await?;
        if inline {
            return commit(handle);
        }
        tokio::task::spawn_blocking(move || commit(handle))
            .await
            .map_err(io::Error::other)?
    }

    /// Octets of content come.
    fn take_room(&mut self, octets: &Bytes) -> io::Result<()> {
        let Some(left) = self.room.checked_sub(octets.len() as u64) else {
            self.state = Writing::Closed;
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        self.room = left;
        Ok(())
    }

    /// Makes what was written so far the file. Nothing more can be written to this sink.
    ///
    /// # Errors
    /// The error of the storage.
    pub(crate) async fn commit_so_far(&mut self) -> io::Result<()> {
        let ended = Self {
            room: self.room,
            state: std::mem::replace(&mut self.state, Writing::Closed),
            decoder: self.decoder.take(),
        };
        ended.commit().await
    }

    async fn write_content(&mut self, octets: Bytes) -> io::Result<()> {
        if octets.is_empty() {
            return Ok(());
        }
        self.take_room(&octets)?;
        if let Writing::Inline(handle) = &mut self.state {
            let written = handle.write_chunk(octets);
            if written.is_err() {
                self.state = Writing::Closed;
            }
            return written;
        }
        let mut handle = self.idle_handle().await?;
        self.state = Writing::Busy(tokio::task::spawn_blocking(move || {
            handle.write_chunk(octets)?;
            Ok(handle)
        }));
        Ok(())
    }

    /// The handle of a storage that blocks, after the piece that is being written. Until there is a
    /// new state the sink has failed.
    ///
    /// # Errors
    /// The error of the storage; `BrokenPipe` if the sink has failed before.
    async fn idle_handle(&mut self) -> io::Result<Box<dyn WriteHandle>> {
        match std::mem::replace(&mut self.state, Writing::Closed) {
            Writing::Inline(handle) | Writing::Idle(handle) => Ok(handle),
            Writing::Busy(job) => job.await.map_err(io::Error::other)?,
            Writing::Closed => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses the second piece.
    struct Full(u32);

    impl WriteHandle for Full {
        fn write_chunk(&mut self, _: Bytes) -> io::Result<()> {
            self.0 += 1;
            if self.0 == 2 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        }

        fn commit(self: Box<Self>) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_sink_that_has_failed_takes_no_more_octets_and_commits_nothing() {
        for inline in [true, false] {
            let mut sink = Sink::new(Box::new(Full(0)), inline, false, 100);
            let mut outcomes = Vec::new();
            // A storage that blocks reports its failure with the next piece.
            for _ in 0..4 {
                let written = sink.write(Bytes::from_static(b"x")).await;
                outcomes.push(written.err().map(|error| error.kind()));
            }
            let refused = Some(io::ErrorKind::BrokenPipe);
            let full = Some(io::ErrorKind::StorageFull);
            assert!(outcomes.contains(&full), "{outcomes:?}");
            assert_eq!(outcomes[3], refused, "{outcomes:?}");
            let committed = sink.commit().await;
            assert_eq!(committed.err().map(|error| error.kind()), refused);
        }
    }
}
