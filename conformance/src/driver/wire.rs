//! One TCP connection, in clear or under TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls::{TlsClient, facts};
use crate::transcript::{CloseKind, End, Side, TlsFacts};

/// One TCP connection, in clear or under TLS.
#[derive(Debug)]
pub(super) enum Wire {
    /// Octets as they are.
    Clear(TcpStream),
    Tls(Box<TlsStream<RecordGate>>),
    Closed,
}

impl Wire {
    /// Reads some octets, at least one. Cancel safe.
    pub(super) async fn read(&mut self, into: &mut [u8]) -> Result<usize, End> {
        let read = match self {
            Self::Clear(tcp) => tcp.read(into).await,
            Self::Tls(tls) => tls.read(into).await,
            Self::Closed => {
                return Err(End {
                    by: Side::Client,
                    how: CloseKind::Clean,
                });
            }
        };
        let how = match read {
            Ok(0) => CloseKind::Clean,
            Ok(octets) => return Ok(octets),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => CloseKind::NoCloseNotify,
            Err(_) => CloseKind::Reset,
        };
        Err(End {
            by: Side::Server,
            how,
        })
    }

    /// Writes some of the octets. Cancel safe.
    pub(super) async fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.write(octets).await,
            Self::Tls(tls) => tls.write(octets).await,
            Self::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Writes all octets and flushes them, in one segment if they fit.
    pub(super) async fn write_all(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Clear(tcp) => tcp.write_all(octets).await,
            Self::Tls(tls) => {
                tls.write_all(octets).await?;
                tls.flush().await
            }
            Self::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Flushes everything written to TCP.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(tls) => tls.flush().await,
            Self::Clear(_) | Self::Closed => Ok(()),
        }
    }

    /// Performs the TLS handshake. Closes the connection if that fails.
    pub(super) async fn handshake(
        &mut self,
        client: &TlsClient,
        data: bool,
        patience: Duration,
    ) -> Result<TlsFacts, Handshake> {
        let Self::Clear(tcp) = std::mem::replace(self, Self::Closed) else {
            return Err(Handshake::Failed("the connection is not in clear".into()));
        };
        let connector = TlsConnector::from(client.config());
        match timeout(
            patience,
            connector
                .connect(client.name(), RecordGate::new(tcp))
                .into_fallible(),
        )
        .await
        {
            Err(_) => Err(Handshake::TimedOut),
            Ok(Err((error, gate))) => Err(Handshake::Failed(gate.explains(&error))),
            Ok(Ok(tls)) => {
                let facts = facts(tls.get_ref().1, data);
                *self = Self::Tls(Box::new(tls));
                Ok(facts)
            }
        }
    }

    /// Whether the connection is under TLS.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Returns to clear text (RFC 4217 §12.3): sends close_notify and waits for the peer's. Returns
    /// whether it arrived.
    pub(super) async fn back_to_clear(&mut self, patience: Duration) -> bool {
        let Self::Tls(mut tls) = std::mem::replace(self, Self::Closed) else {
            return false;
        };
        let farewell = async {
            // `RecordGate` keeps TCP open: this sends close_notify only.
            tls.shutdown().await?;
            let mut late = [0; 1024];
            while tls.read(&mut late).await? > 0 {}
            io::Result::Ok(())
        };
        let clean = matches!(timeout(patience, farewell).await, Ok(Ok(())));
        *self = Self::Clear(tls.into_inner().0.tcp);
        clean
    }

    /// Ends our direction: close_notify under TLS, then FIN.
    pub(super) async fn finish(&mut self, patience: Duration) -> io::Result<()> {
        let end = async {
            match self {
                Self::Clear(tcp) => tcp.shutdown().await,
                Self::Tls(tls) => {
                    tls.shutdown().await?;
                    tls.get_mut().0.tcp.shutdown().await
                }
                Self::Closed => Ok(()),
            }
        };
        timeout(patience, end)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Ends our direction with a FIN alone: under TLS the peer cannot distinguish that from
    /// truncation.
    pub(super) async fn cut(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(tcp) => tcp.shutdown().await,
            Self::Tls(tls) => tls.get_mut().0.tcp.shutdown().await,
            Self::Closed => Ok(()),
        }
    }

    /// Reads and discards in the background until the peer closes or the time is over. Closing a
    /// socket with unread octets (such as TLS 1.3 tickets) causes a reset, which may destroy the
    /// octets that we sent last.
    pub(super) fn linger(&mut self, patience: Duration) {
        let mut wire = std::mem::replace(self, Self::Closed);
        tokio::spawn(timeout(patience, async move {
            let mut unseen = [0; 4096];
            while wire.read(&mut unseen).await.is_ok() {}
        }));
    }

    /// Ends the connection with a TCP reset.
    pub(super) fn reset(&mut self) -> io::Result<()> {
        match std::mem::replace(self, Self::Closed) {
            Self::Clear(tcp) => tcp.set_zero_linger(),
            Self::Tls(tls) => tls.get_ref().0.tcp.set_zero_linger(),
            Self::Closed => Ok(()),
        }
    }
}

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handshake {
    /// The peer did not answer in time.
    TimedOut,
    /// The error of rustls or the operating system.
    Failed(String),
}

/// Prevents the TLS stack from reading beyond the current record. Otherwise clear text that follows
/// close_notify in the same segment would be lost (RFC 4217 §12.3).
#[derive(Debug)]
pub(crate) struct RecordGate {
    tcp: TcpStream,
    header: [u8; HEADER],
    have: usize,
    left: usize,
}

/// Content type, version, length (RFC 8446 §5.1).
const HEADER: usize = 5;

impl RecordGate {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            header: [0; HEADER],
            have: 0,
            left: 0,
        }
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    pub(crate) fn tcp_mut(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// The connection below, to go on in clear.
    pub(crate) fn into_tcp(self) -> TcpStream {
        self.tcp
    }

    /// Why a handshake failed. The usual cause is a server without TLS that answers in clear, which
    /// the error of TLS does not explain.
    fn explains(&self, error: &io::Error) -> String {
        let header = &self.header;
        if header.first().is_some_and(u8::is_ascii_digit) {
            let words = String::from_utf8_lossy(header);
            return format!(
                "the server continues in clear: its answer begins with `{}`",
                words.trim()
            );
        }
        super::tls::in_words(error)
    }

    fn passed(&mut self, octets: &[u8]) {
        if self.left > 0 {
            self.left -= octets.len();
            return;
        }
        for octet in octets {
            self.header[self.have] = *octet;
            self.have += 1;
        }
        if self.have == HEADER {
            self.left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
            self.have = 0;
        }
    }
}

impl AsyncRead for RecordGate {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        let wanted = if gate.left > 0 {
            gate.left
        } else {
            HEADER - gate.have
        };
        let mut part = ReadBuf::new(into.initialize_unfilled_to(wanted.min(into.remaining())));
        ready!(Pin::new(&mut gate.tcp).poll_read(context, &mut part))?;
        gate.passed(part.filled());
        let read = part.filled().len();
        into.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for RecordGate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    /// Keeps TCP open; a FIN is sent through the stream itself.
    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::super::tls::Trust;
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_server_that_continues_in_clear_is_recognised() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(b"500 Invalid command\r\n").await.unwrap();
            tcp
        };
        let client = TlsClient::new(&Trust::Anything, "localhost", address.ip()).unwrap();
        let shaking = async {
            let mut wire = Wire::Clear(TcpStream::connect(address).await.unwrap());
            wire.handshake(&client, false, Duration::from_secs(5)).await
        };
        let (_tcp, shaken) = tokio::join!(server, shaking);
        let message = "the server continues in clear: its answer begins with `500 I`";
        assert_eq!(shaken.err(), Some(Handshake::Failed(message.into())));
    }
}
