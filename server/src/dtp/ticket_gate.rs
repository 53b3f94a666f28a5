//! The TCP connection below the TLS of a data connection: it delays session tickets until they do
//! no harm.
//!
//! A TLS 1.3 server sends its tickets right after the handshake (RFC 8446 §4.6.1). On an upload
//! that loses data: most clients send, close, and never read. When a socket is closed with unread
//! octets, the client's kernel drops what it has not sent yet and sends RST in place of FIN: the
//! end of the upload is lost. Without tickets on data connections a client that uses each ticket
//! once (RFC 8446 Appendix C.4) runs out of them, and is refused where resumption is required.
//!
//! So tickets wait here for the next octets of the server. In a download these are the data, which
//! the client reads anyway. In an upload they are close_notify, which is sent after everything has
//! come: a client that reads to the end of the connection has new tickets, and one that has closed
//! already answers RST when nothing is left to lose. A client that closes without waiting for the
//! server's close_notify gets none, though it may read what is there before it closes (curl 7.88):
//! whether that is so cannot be seen in time, and a refusal (522) is better than lost data. vsftpd
//! 3.0.3 with `require_ssl_reuse=YES` sends its tickets at once: in 18 of 23 runs of curl 7.88 with
//! five uploads in one invocation, files were stored empty or cut. TLS 1.3 would allow a new ticket
//! on the control connection, which every client reads, but rustls 0.23 makes tickets only at the
//! end of a handshake.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The content type of an encrypted TLS 1.3 record (RFC 8446 §5.2). No handshake of TLS 1.2 sends
/// one.
const APPLICATION_DATA: u8 = 23;

/// A TCP connection that sends session tickets together with what follows them.
#[derive(Debug)]
pub(crate) struct TicketGate {
    stream: TcpStream,
    issuing: Arc<AtomicBool>,
    /// Tickets that are still to be sent; there are few, and they are small.
    held: Vec<u8>,
}

impl TicketGate {
    /// `issuing` is true from the moment TLS makes tickets to the end of the handshake: what is
    /// written meanwhile is held.
    pub(super) fn new(stream: TcpStream, issuing: Arc<AtomicBool>) -> Self {
        Self {
            stream,
            issuing,
            held: Vec::new(),
        }
    }

    /// The TCP connection.
    pub(super) fn tcp(&self) -> &TcpStream {
        &self.stream
    }

    /// The TCP connection; tickets that were held are dropped.
    pub(super) fn into_tcp(self) -> TcpStream {
        self.stream
    }

    /// Whether these octets are tickets. TLS 1.2 stores its session in the middle of the handshake,
    /// and the records that follow are of other types.
    fn holds(&self, octets: &[IoSlice<'_>]) -> bool {
        let mut all = octets.iter().flat_map(|slice| slice.iter());
        self.issuing.load(Ordering::Relaxed)
            && (!self.held.is_empty() || all.next() == Some(&APPLICATION_DATA))
    }

    /// Sends what was held and `slices` after it; how many octets of `slices`. With one call: by
    /// the Nagle algorithm a second one could wait for the client to acknowledge the first.
    fn poll_release(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        while !self.held.is_empty() {
            let held = IoSlice::new(&self.held);
            let all: Vec<_> = std::iter::once(held)
                .chain(slices.iter().copied())
                .collect();
            let sent = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &all))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let tickets = sent.min(self.held.len());
            self.held.drain(..tickets);
            if self.held.is_empty() {
                // Nothing is kept for the rest of the transfer.
                self.held = Vec::new();
            }
            if sent > tickets {
                return Poll::Ready(Ok(sent - tickets));
            }
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}

impl AsyncRead for TicketGate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, to)
    }
}

impl AsyncWrite for TicketGate {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(octets)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let gate = &mut *self;
        if gate.holds(slices) {
            let before = gate.held.len();
            slices
                .iter()
                .for_each(|slice| gate.held.extend_from_slice(slice));
            return Poll::Ready(Ok(gate.held.len() - before));
        }
        gate.poll_release(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
