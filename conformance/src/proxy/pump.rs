//! Octets of a data connection on their way from one side to the other.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::AsyncWrite as _;

use super::faults::{FaultStream, StreamFaults, TransferFaults};
use super::observer::{Channel, Leg, Observer, Sighting};
use super::stream::{Stream, poll_read};
use crate::transcript::CloseKind;

/// Octets that are read at most at a time.
const BUFFER: usize = 512 << 10;
/// A buffer with less free space is replaced by another. It is used again when all octets that were
/// read into it have been sent and recorded.
const LEAST: usize = 64 << 10;
/// Buffers of one direction that are kept to be used again.
const KEPT: usize = 16;

/// How octets stopped flowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pumped {
    /// Both sides have ended their direction.
    Whole,
    /// One side is gone.
    Lost,
    /// A fault of the plan has ended it.
    Faulty,
}

/// What octets pass on their way.
pub(super) struct Pump {
    pub(super) channel: Channel,
    pub(super) observer: Arc<dyn Observer>,
    /// Octets carried so far in both directions.
    pub(super) carried: Arc<AtomicU64>,
}

impl Pump {
    /// Carries octets both ways until both directions have ended; `end_passed_on` is called when the
    /// first end has been passed on.
    pub(super) async fn run(
        &self,
        client: Stream,
        server: Stream,
        faults: TransferFaults,
        end_passed_on: impl FnOnce(),
    ) -> Pumped {
        let stalls = faults.stream.as_ref().is_some_and(StreamFaults::stalls);
        let mut client = Side {
            stream: FaultStream::new(client, faults.stream),
            faulty_reads: faults.upload,
        };
        let mut server = Side {
            stream: FaultStream::new(server, None),
            faulty_reads: false,
        };
        let mut upload = Direction::new(Leg::Client);
        let mut download = Direction::new(Leg::Server);
        let mut end_passed_on = Some(end_passed_on);
        let pumping = poll_fn(|context| {
            let up = upload.advance(self, context, &mut client, &mut server);
            let down = download.advance(self, context, &mut server, &mut client);
            let has_ended = [up, down].contains(&Poll::Ready(Ok(())));
            if let Some(end_passed_on) = end_passed_on.take_if(|_| has_ended) {
                end_passed_on();
            }
            match (up, down) {
                (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(true),
                // One side is gone: nothing that comes from the other can be passed on.
                (Poll::Ready(Err(())), _) | (_, Poll::Ready(Err(()))) => Poll::Ready(false),
                _ => Poll::Pending,
            }
        });
        let whole = tokio::select! {
            whole = pumping => whole,
            () = self.stands_still(faults.hold), if stalls => false,
        };
        if whole {
            return Pumped::Whole;
        }
        let faulty = stalls || client.stream.unaffected().is_none();
        if stalls && let Some(stream) = client.stream.unaffected() {
            let end = poll_fn(|context| stream.poll_end(context, CloseKind::NoCloseNotify));
            let _gone = end.await;
            *stream = Stream::Closed;
        }
        for side in [&mut client, &mut server] {
            if let Some(stream) = side.stream.unaffected() {
                stream.reset();
            }
        }
        match faulty {
            true => Pumped::Faulty,
            false => Pumped::Lost,
        }
    }

    /// Ready when nothing has moved for this long.
    async fn stands_still(&self, time: Duration) {
        let mut carried = None;
        loop {
            let now = self.carried.load(Ordering::Relaxed);
            if carried.replace(now) == Some(now) {
                return;
            }
            tokio::time::sleep(time).await;
        }
    }
}

/// One side of a data connection, with faults in one direction.
struct Side {
    stream: FaultStream<Stream>,
    /// Whether they concern what is read; else what is written.
    faulty_reads: bool,
}

impl Side {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Result<usize, CloseKind>> {
        match self.stream.unaffected() {
            Some(stream) if !self.faulty_reads => stream.poll_read(context, into),
            _ => poll_read(&mut self.stream, context, into),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.stream.unaffected() {
            Some(stream) if self.faulty_reads => stream.poll_write(context, octets),
            _ => Pin::new(&mut self.stream).poll_write(context, octets),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_end(&mut self, context: &mut Context<'_>, how: CloseKind) -> Poll<io::Result<()>> {
        match self.stream.unaffected() {
            Some(stream) if how != CloseKind::Clean => stream.poll_end(context, how),
            _ => Pin::new(&mut self.stream).poll_shutdown(context),
        }
    }
}

/// One direction of a data connection.
struct Direction {
    from: Leg,
    /// Room for what is read.
    buffer: BytesMut,
    /// Buffers without room, the oldest first.
    used: VecDeque<BytesMut>,
    /// What is still to be written.
    held: Bytes,
    flushed: bool,
    ended: Option<CloseKind>,
    done: bool,
}

impl Direction {
    fn new(from: Leg) -> Self {
        Self {
            from,
            buffer: BytesMut::new(),
            used: VecDeque::new(),
            held: Bytes::new(),
            flushed: true,
            ended: None,
            done: false,
        }
    }

    /// Carries what can be carried. Ready when the end has been passed on.
    fn advance(
        &mut self,
        pump: &Pump,
        context: &mut Context<'_>,
        from: &mut Side,
        to: &mut Side,
    ) -> Poll<Result<(), ()>> {
        let observer = &pump.observer;
        loop {
            if self.done {
                return Poll::Ready(Ok(()));
            }
            if !self.held.is_empty() {
                let written = ready!(to.poll_write(context, &self.held));
                let Ok(written) = written else {
                    return Poll::Ready(Err(()));
                };
                pump.carried.fetch_add(written as u64, Ordering::Relaxed);
                self.held.advance(written);
                self.flushed = false;
            } else if let Some(how) = self.ended {
                if ready!(to.poll_end(context, how)).is_err() || how == CloseKind::Reset {
                    return Poll::Ready(Err(()));
                }
                self.done = true;
            } else {
                if observer.poll_ready(context).is_pending() {
                    return self.wait(context, to);
                }
                if self.buffer.len() < LEAST {
                    self.renew_buffer();
                }
                match from.poll_read(context, &mut self.buffer) {
                    Poll::Ready(Ok(octets)) => {
                        self.held = self.buffer.split_to(octets).freeze();
                        observer.see(self.from, pump.channel, &Sighting::Data(&self.held));
                    }
                    Poll::Ready(Err(how)) => {
                        self.ended = Some(how);
                        observer.see(self.from, pump.channel, &Sighting::Ended(how));
                    }
                    Poll::Pending => return self.wait(context, to),
                }
            }
        }
    }

    /// Replaces the buffer by the oldest one that nobody uses any more, or by a new one.
    fn renew_buffer(&mut self) {
        let used = std::mem::take(&mut self.buffer);
        if used.capacity() > 0 && self.used.len() < KEPT {
            self.used.push_back(used);
        }
        let is_free = |buffer: &mut BytesMut| buffer.try_reclaim(BUFFER);
        self.buffer = if self.used.front_mut().is_some_and(is_free) {
            self.used.pop_front().unwrap_or_default()
        } else {
            BytesMut::new()
        };
        self.buffer.resize(BUFFER, 0);
    }

    /// Nothing can be read now: what was written is sent.
    fn wait(&mut self, context: &mut Context<'_>, to: &mut Side) -> Poll<Result<(), ()>> {
        if !self.flushed {
            self.flushed = ready!(to.poll_flush(context)).is_ok();
        }
        Poll::Pending
    }
}
