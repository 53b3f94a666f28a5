//! A data connection, protected or not.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::fault_stream::FaultyStream;
use super::ticket_gate::TicketGate;
use crate::observe::journal::{DataMode, EventKind, TlsFacts};

/// What a client that was refused may still send before its connection is reset.
const REFUSED_OCTETS: usize = 4 << 20;
/// How long it may take for that.
const REFUSED_TIME: Duration = Duration::from_secs(2);

/// An open data connection (RFC 959 §3.2; RFC 4217 §9).
#[derive(Debug)]
pub(crate) enum DataStream {
    /// PROT C.
    Clear(TcpStream),
    /// PROT P.
    Tls {
        stream: Box<TlsStream<TicketGate>>,
        /// The client may end it without close_notify.
        lenient: bool,
    },
    /// One that misbehaves as planned.
    Faulty(Box<FaultyStream>),
}

impl DataStream {
    /// What happened, for those who watch.
    pub(crate) fn opened(&self, mode: DataMode) -> EventKind {
        let (peer, tls) = match self {
            Self::Clear(stream) => (stream.peer_addr().ok(), None),
            Self::Tls { stream, .. } => {
                let (stream, tls) = stream.get_ref();
                (
                    stream.tcp().peer_addr().ok(),
                    Some(Box::new(TlsFacts::of(tls))),
                )
            }
            // It is told of before it is spoiled.
            Self::Faulty(_) => (None, None),
        };
        EventKind::DataOpened { mode, peer, tls }
    }

    /// Closes a connection whose octets are not wanted, in the background.
    ///
    /// Closing with unread octets sends a reset, and a reset takes clients down that would have read the reply instead.
    /// So our side is closed, and what still comes is read for a little while.
    pub(crate) fn refuse(mut self) {
        tokio::spawn(async move {
            let drain = async {
                if self.shutdown().await.is_err() {
                    return;
                }
                let mut scrap = vec![0; 16 << 10];
                let mut drained = 0;
                while let Ok(octets @ 1..) = self.read(&mut scrap).await {
                    drained += octets;
                    if drained > REFUSED_OCTETS {
                        return;
                    }
                }
            };
            let _ = tokio::time::timeout(REFUSED_TIME, drain).await;
        });
    }
}

impl AsyncRead for DataStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_read(cx, to),
            Self::Tls { stream, lenient } => match Pin::new(stream).poll_read(cx, to) {
                // Somebody may have cut it short.
                Poll::Ready(Err(error)) if *lenient && error.kind() == ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                read => read,
            },
            Self::Faulty(stream) => Pin::new(stream).poll_read(cx, to),
        }
    }
}

impl AsyncWrite for DataStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Tls { stream, .. } => Pin::new(stream).poll_write(cx, octets),
            Self::Faulty(stream) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls { stream, .. } => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Faulty(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls { stream, .. } => Pin::new(stream).poll_flush(cx),
            Self::Faulty(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Ends what we send: close_notify if protected, then FIN.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls { stream, .. } => Pin::new(stream).poll_shutdown(cx),
            Self::Faulty(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
