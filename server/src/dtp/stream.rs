//! A data connection, protected or not. It records how each side ends it.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::HandshakeKind;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::ticket_gate::TicketGate;
use crate::fault_stream::Breakable;
use crate::observe::tap::{Channel, OpenChannel, Side, StreamEnd, TlsFacts, WireFact};

/// Octets a client may still send after its transfer was refused, before the connection is reset.
const REFUSED_OCTETS: usize = 4 << 20;
/// How long it may take for that.
const REFUSED_TIME: Duration = Duration::from_secs(2);

/// A TCP connection that will carry data, before any TLS.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) channel: OpenChannel,
}

/// An open data connection (RFC 959 §3.2; RFC 4217 §9).
#[derive(Debug)]
pub(crate) struct DataStream {
    transport: Transport,
    channel: OpenChannel,
}

#[derive(Debug)]
enum Transport {
    /// PROT C.
    Clear(TcpStream),
    /// PROT P.
    Tls {
        stream: Box<TlsStream<TicketGate>>,
        /// The client may end it without close_notify.
        lenient: bool,
    },
}

impl From<Accepted> for DataStream {
    fn from(Accepted { stream, channel }: Accepted) -> Self {
        Self {
            transport: Transport::Clear(stream),
            channel,
        }
    }
}

impl DataStream {
    /// A connection whose TLS handshake is complete.
    pub(super) fn protected(
        stream: TlsStream<TicketGate>,
        lenient: bool,
        channel: OpenChannel,
    ) -> Self {
        let stream = Box::new(stream);
        if channel.is_tapped() {
            channel.report(WireFact::TlsStarted(&TlsFacts::of(stream.get_ref().1)));
        }
        Self {
            transport: Transport::Tls { stream, lenient },
            channel,
        }
    }

    /// The record of this connection.
    pub(super) fn channel(&self) -> &Arc<Channel> {
        &self.channel
    }

    /// The address of the client; `None` if it is gone.
    pub(super) fn peer(&self) -> Option<std::net::SocketAddr> {
        self.tcp().peer_addr().ok()
    }

    /// What TLS has agreed on, if it is protected.
    pub(super) fn tls_facts(&self) -> Option<TlsFacts> {
        match &self.transport {
            Transport::Clear(_) => None,
            Transport::Tls { stream, .. } => Some(TlsFacts::of(stream.get_ref().1)),
        }
    }

    /// The TCP connection, where its octets are those of the transfer and nobody has to see them.
    #[cfg(target_os = "linux")]
    pub(super) fn bare_tcp(&self) -> Option<&TcpStream> {
        match &self.transport {
            Transport::Clear(stream) if !self.channel.is_tapped() => Some(stream),
            _ => None,
        }
    }

    /// Whether it is protected by a TLS session that began on another connection, or not protected.
    pub(super) fn resumes(&self) -> bool {
        match &self.transport {
            Transport::Clear(_) => true,
            Transport::Tls { stream, .. } => {
                stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
            }
        }
    }

    fn is_protected(&self) -> bool {
        matches!(self.transport, Transport::Tls { .. })
    }

    fn tcp(&self) -> &TcpStream {
        match &self.transport {
            Transport::Clear(stream) => stream,
            Transport::Tls { stream, .. } => stream.get_ref().0.tcp(),
        }
    }

    /// Ends a connection whose octets are not wanted any more, in an orderly way, in the
    /// background.
    ///
    /// Closing a socket with unread octets sends RST, and clients that receive RST may not read the
    /// reply. So the server ends its side, and reads on for a little while.
    pub(crate) fn refuse(mut self) {
        self.channel.finished(Side::Server, self.is_protected());
        tokio::spawn(async move {
            let drain = async {
                if self.shutdown().await.is_err() {
                    return;
                }
                let mut discarded = vec![0; 16 << 10];
                let mut drained = 0;
                while let Ok(octets @ 1..) = self.read(&mut discarded).await {
                    drained += octets;
                    if drained > REFUSED_OCTETS {
                        return;
                    }
                }
            };
            let _ = tokio::time::timeout(REFUSED_TIME, drain).await;
        });
    }

    /// As [`refuse`](Self::refuse), but without close_notify. Under TLS its absence says that this
    /// is not the whole file; in the clear only the reply does.
    pub(super) fn break_off(self) {
        let transport = match self.transport {
            Transport::Clear(stream) => Transport::Clear(stream),
            Transport::Tls { stream, .. } => {
                let missing = StreamEnd::MissingCloseNotify;
                self.channel.ended(Side::Server, missing);
                Transport::Clear(stream.into_inner().0.into_tcp())
            }
        };
        let channel = self.channel;
        Self { transport, channel }.refuse();
    }

    /// Records the outcome of a write.
    fn wrote(&self, slices: &[IoSlice<'_>], outcome: &io::Result<usize>) {
        match outcome {
            Err(error) => self.channel.failed(error, self.is_protected()),
            Ok(octets) if self.channel.is_tapped() => {
                let mut left = *octets;
                for slice in slices {
                    let part = slice.len().min(left);
                    self.channel.octets(Side::Server, &slice[..part]);
                    left -= part;
                }
            }
            Ok(_) => {}
        }
    }
}

impl Breakable for DataStream {
    fn reset(self) {
        // Closing then sends RST in place of FIN.
        if socket2::SockRef::from(self.tcp())
            .set_linger(Some(Duration::ZERO))
            .is_ok()
        {
            self.channel.ended(Side::Server, StreamEnd::Reset);
        }
    }

    fn close(self) {
        self.refuse();
    }

    fn poll_shutdown_without_close_notify(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Transport::Tls { stream, .. } = &mut self.transport else {
            return Pin::new(self).poll_shutdown(cx);
        };
        ready!(Pin::new(&mut *stream).poll_flush(cx))?;
        ready!(Pin::new(stream.get_mut().0).poll_shutdown(cx))?;
        let missing = StreamEnd::MissingCloseNotify;
        self.channel.ended(Side::Server, missing);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for DataStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = to.filled().len();
        let read = ready!(match &mut this.transport {
            Transport::Clear(stream) => Pin::new(stream).poll_read(cx, to),
            Transport::Tls { stream, .. } => Pin::new(stream).poll_read(cx, to),
        });
        let protected = this.is_protected();
        if let Err(error) = read {
            this.channel.failed(&error, protected);
            return Poll::Ready(match &this.transport {
                // Whether the data was cut short cannot be known then.
                Transport::Tls { lenient: true, .. }
                    if error.kind() == ErrorKind::UnexpectedEof =>
                {
                    Ok(())
                }
                _ => Err(error),
            });
        }
        let octets = &to.filled()[before..];
        if octets.is_empty() && to.remaining() > 0 {
            this.channel.finished(Side::Client, protected);
        }
        this.channel.octets(Side::Client, octets);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for DataStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(octets)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = ready!(match &mut this.transport {
            Transport::Clear(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Transport::Tls { stream, .. } => Pin::new(stream).poll_write_vectored(cx, slices),
        });
        this.wrote(slices, &outcome);
        Poll::Ready(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls { stream, .. } => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Ends what the server sends: close_notify if protected, then FIN.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let protected = this.is_protected();
        let outcome = ready!(match &mut this.transport {
            Transport::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls { stream, .. } => Pin::new(stream).poll_shutdown(cx),
        });
        match &outcome {
            Ok(()) => this.channel.finished(Side::Server, protected),
            Err(error) => this.channel.failed(error, protected),
        }
        Poll::Ready(outcome)
    }
}
