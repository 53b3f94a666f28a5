//! Gives the TLS stack one record at a time, so that what follows the last one is not lost (RFC
//! 4217 §5, CCC).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Content types of TLS records: `change_cipher_spec` to `heartbeat`. Nothing on a clear control
/// connection begins so.
const RECORD_TYPES: std::ops::RangeInclusive<u8> = 20..=24;

/// A stream that returns at most one TLS record from each read.
///
/// A TLS stack takes whatever the socket has. When close_notify and clear text arrive together the
/// clear text would end up in its buffer, where it cannot be taken from. So the octets after a
/// record wait here; reads from the socket stay large, without an extra system call for each
/// record.
#[derive(Debug)]
pub(crate) struct RecordGate<S> {
    inner: S,
    record: Record,
    /// Octets read from the socket after the current record.
    buffered: Vec<u8>,
    /// After CCC: what does not begin like a record is clear text, even without a close_notify
    /// before it.
    ending: bool,
}

/// Where in a record we are.
#[derive(Debug, Default)]
struct Record {
    header: [u8; 5],
    have: usize,
    left: usize,
}

impl Record {
    /// How many of `octets` belong to the record at hand.
    fn take(&mut self, octets: &[u8]) -> usize {
        let header = (5 - self.have).min(octets.len());
        self.header[self.have..self.have + header].copy_from_slice(&octets[..header]);
        self.have += header;
        if header > 0 && self.have == 5 {
            self.left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
        }
        let body = self.left.min(octets.len() - header);
        self.left -= body;
        if self.have == 5 && self.left == 0 {
            self.have = 0;
        }
        header + body
    }
}

impl<S> RecordGate<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self {
            inner,
            record: Record::default(),
            buffered: Vec::new(),
            ending: false,
        }
    }

    /// From now on clear text ends the TLS stream.
    pub(crate) fn end_at_clear_text(&mut self) {
        self.ending = true;
    }

    /// The stream, and the octets that were read after the last record.
    pub(crate) fn into_parts(self) -> (S, Vec<u8>) {
        (self.inner, self.buffered)
    }

    /// Whether the next octets are not a record.
    pub(crate) fn clear_text_is_next(&self) -> bool {
        self.ending
            && self.record.have == 0
            && self
                .buffered
                .first()
                .is_some_and(|first| !RECORD_TYPES.contains(first))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RecordGate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let gate = &mut *self;
        if !gate.buffered.is_empty() {
            if gate.clear_text_is_next() {
                return Poll::Ready(Ok(()));
            }
            let room = gate.buffered.len().min(to.remaining());
            let taken = gate.record.take(&gate.buffered[..room]);
            to.put_slice(&gate.buffered[..taken]);
            if taken == gate.buffered.len() {
                // Nothing is kept while a connection is idle.
                gate.buffered = Vec::new();
            } else {
                gate.buffered.drain(..taken);
            }
            return Poll::Ready(Ok(()));
        }
        let before = to.filled().len();
        std::task::ready!(Pin::new(&mut gate.inner).poll_read(cx, to))?;
        let fresh = &to.filled()[before..];
        if gate.ending && gate.record.have == 0 && !fresh.is_empty() {
            // Look at it before it counts as a record.
            gate.buffered = fresh.to_vec();
            to.set_filled(before);
            if gate.clear_text_is_next() {
                return Poll::Ready(Ok(()));
            }
            let taken = gate.record.take(&gate.buffered);
            to.put_slice(&gate.buffered[..taken]);
            gate.buffered.drain(..taken);
            return Poll::Ready(Ok(()));
        }
        let taken = gate.record.take(fresh);
        if taken < fresh.len() {
            gate.buffered = fresh[taken..].to_vec();
            to.set_filled(before + taken);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RecordGate<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// The end of TLS is not the end of the connection.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    use tokio::io::AsyncReadExt;

    const TWO: &[u8] = b"\x17\x03\x03\x00\x03abc\x15\x03\x03\x00\x02\x01\x00NOOP\r\n";

    #[tokio::test]
    async fn each_read_ends_at_the_end_of_a_record_and_the_rest_waits() {
        let mut gate = RecordGate::new(TWO);
        let mut to = [0; 64];
        assert_eq!(gate.read(&mut to).await.unwrap(), 8);
        assert_eq!(gate.read(&mut to).await.unwrap(), 7);
        assert_eq!(gate.into_parts().1, b"NOOP\r\n");
    }

    #[tokio::test]
    async fn a_record_may_come_octet_by_octet() {
        let mut gate = RecordGate::new(TWO);
        let mut to = [0; 1];
        for expected in &TWO[..15] {
            assert_eq!(gate.read(&mut to).await.unwrap(), 1);
            assert_eq!(to[0], *expected);
        }
        assert_eq!(gate.record.have, 0);
    }

    #[tokio::test]
    async fn after_ccc_clear_text_without_close_notify_is_the_end_of_tls() {
        let mut gate = RecordGate::new(&b"NOOP\r\n"[..]);
        gate.end_at_clear_text();
        assert_eq!(gate.read(&mut [0; 64]).await.unwrap(), 0);
        assert_eq!(gate.into_parts().1, b"NOOP\r\n");
    }
}
