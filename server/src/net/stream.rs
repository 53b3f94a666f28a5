//! A control connection, protected or not.

use std::cell::RefCell;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::record_gate::RecordGate;
use crate::wire::LineReader;

/// Octets taken from a control connection at once.
const SCRATCH: usize = 16 << 10;

thread_local! {
    /// Ten thousand idle connections hold no buffer: all that are served by a thread read through its one.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

/// An open control connection (RFC 959 §2.3; RFC 4217).
#[derive(Debug)]
pub(crate) enum ControlStream {
    /// In the clear.
    Clear(TcpStream),
    /// Protected.
    Tls(Box<TlsStream<RecordGate<TcpStream>>>),
    /// Between the two, or closed.
    Gone,
}

impl ControlStream {
    /// Feeds what has come to the reader: how many octets, 0 at the end.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut LineReader,
    ) -> Poll<io::Result<usize>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(match self {
                Self::Clear(stream) => Pin::new(&mut *stream).poll_read(cx, &mut buffer),
                Self::Tls(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
                Self::Gone => Poll::Ready(Ok(())),
            })?;
            if let Self::Clear(stream) = self {
                read_past_the_urgent_mark(stream, &mut buffer);
            }
            reader.feed(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }

    /// Sends what is to be sent, until nothing is left of it.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        replies: &mut Vec<u8>,
    ) -> Poll<io::Result<()>> {
        let mut sent = 0;
        let outcome = loop {
            let rest = &replies[sent..];
            if rest.is_empty() {
                break Poll::Ready(Ok(()));
            }
            let wrote = match self {
                Self::Clear(stream) => Pin::new(stream).poll_write(cx, rest),
                Self::Tls(stream) => Pin::new(stream).poll_write(cx, rest),
                Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            };
            match wrote {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(octets)) => sent += octets,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        if sent == replies.len() {
            // Freed, not cleared: most connections are idle most of the time.
            *replies = Vec::new();
        } else {
            replies.drain(..sent);
        }
        ready!(outcome)?;
        match self {
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Clear(_) | Self::Gone => Poll::Ready(Ok(())),
        }
    }

    /// Ends what we send: close_notify if protected, then FIN. What is left to read is in the clear, or of no interest.
    pub(crate) async fn finish(&mut self) -> io::Result<TcpStream> {
        let mut tcp = match std::mem::replace(self, Self::Gone) {
            Self::Clear(stream) => stream,
            Self::Tls(mut stream) => {
                stream.shutdown().await?;
                stream.into_inner().0.into_parts().0
            }
            Self::Gone => return Err(io::ErrorKind::NotConnected.into()),
        };
        tcp.shutdown().await?;
        Ok(tcp)
    }
}

/// Reads on where a read may have stopped short although there is more.
///
/// A read never passes the mark of urgent data, even when that is read in line: `ABOR CR` comes alone, and the LF is still
/// there (RFC 959 §4.1.3). tokio takes a short read for an empty socket and would wait for the next octet to arrive.
fn read_past_the_urgent_mark(stream: &TcpStream, buffer: &mut ReadBuf<'_>) {
    let socket = socket2::SockRef::from(stream);
    while !matches!(buffer.filled().last(), None | Some(b'\n')) && buffer.remaining() > 0 {
        match (&*socket).read(buffer.initialize_unfilled()) {
            // Whether it is the end or a failure, the next read finds it out.
            Ok(0) | Err(_) => return,
            Ok(octets) => buffer.advance(octets),
        }
    }
}
