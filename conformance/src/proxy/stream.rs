//! One connection of the proxy, in clear or under TLS, as client or as server.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::faults::Breakable;
use crate::driver::{RecordGate, TlsClient, facts};
use crate::transcript::{CloseKind, TlsFacts};

/// How long a handshake may take. Longer than clients and servers themselves wait.
const HANDSHAKE: Duration = Duration::from_secs(120);

/// Octets that are read at a time from a data connection under TLS.
const READ: usize = 128 << 10;

/// How long a peer may take to end TLS.
const PARTING: Duration = Duration::from_secs(10);

/// One connection, in clear or under TLS.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Octets as they are.
    Clear(TcpStream),
    /// Octets under TLS.
    Tls(Box<TlsStream<Transport>>),
    /// No connection any more.
    Closed,
}

/// What TLS reads from and writes to.
#[derive(Debug)]
pub(crate) enum Transport {
    /// A control connection may go on in clear, so nothing is read beyond TLS.
    Gated(RecordGate),
    /// A data connection is read in large pieces.
    Buffered(BufReader<TcpStream>),
}

impl Transport {
    fn new(tcp: TcpStream, data: bool) -> Self {
        match data {
            true => Self::Buffered(BufReader::with_capacity(READ, tcp)),
            false => Self::Gated(RecordGate::new(tcp)),
        }
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Gated(gate) => gate.tcp(),
            Self::Buffered(reader) => reader.get_ref(),
        }
    }

    fn tcp_mut(&mut self) -> &mut TcpStream {
        match self {
            Self::Gated(gate) => gate.tcp_mut(),
            Self::Buffered(reader) => reader.get_mut(),
        }
    }

    fn into_tcp(self) -> TcpStream {
        match self {
            Self::Gated(gate) => gate.into_tcp(),
            Self::Buffered(reader) => reader.into_inner(),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Gated(gate) => Pin::new(gate).poll_read(context, into),
            Self::Buffered(reader) => Pin::new(reader).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.get_mut().tcp_mut()).poll_write(context, octets)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.get_mut().tcp_mut()).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().tcp_mut()).poll_flush(context)
    }

    /// Keeps TCP open; a FIN is sent through the stream itself.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Stream {
    /// The address of the other end.
    pub(crate) fn peer(&self) -> io::Result<SocketAddr> {
        self.tcp()?.peer_addr()
    }

    /// The address of this end.
    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        self.tcp()?.local_addr()
    }

    /// The TCP connection below.
    pub(crate) fn tcp(&self) -> io::Result<&TcpStream> {
        match self {
            Self::Clear(tcp) => Ok(tcp),
            Self::Tls(tls) => Ok(tls.get_ref().0.tcp()),
            Self::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Whether TLS is on.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Shakes hands as a client; `data` where it is a data connection.
    ///
    /// # Errors
    /// In words. The connection is closed then.
    pub(crate) async fn connect_tls(
        &mut self,
        client: &TlsClient,
        data: bool,
    ) -> Result<TlsFacts, String> {
        let transport = self.transport(data)?;
        let connector = TlsConnector::from(client.config());
        let shaken = timeout(HANDSHAKE, connector.connect(client.name(), transport)).await;
        let tls = shaken
            .map_err(|_| "the TLS handshake took too long".to_owned())?
            .map_err(|error| crate::driver::handshake_error(&error))?;
        let facts = facts(tls.get_ref().1, data);
        *self = Self::Tls(Box::new(tls.into()));
        Ok(facts)
    }

    /// Shakes hands as a server; `data` where it is a data connection.
    ///
    /// # Errors
    /// In words. The connection is closed then.
    pub(crate) async fn accept_tls(
        &mut self,
        config: &Arc<ServerConfig>,
        data: bool,
    ) -> Result<TlsFacts, String> {
        let transport = self.transport(data)?;
        let shaken = timeout(
            HANDSHAKE,
            TlsAcceptor::from(Arc::clone(config)).accept(transport),
        )
        .await;
        let tls = shaken
            .map_err(|_| "the TLS handshake took too long".to_owned())?
            .map_err(|error| error.to_string())?;
        let facts = facts(tls.get_ref().1, data);
        *self = Self::Tls(Box::new(tls.into()));
        Ok(facts)
    }

    fn transport(&mut self, data: bool) -> Result<Transport, String> {
        match std::mem::replace(self, Self::Closed) {
            Self::Clear(tcp) => Ok(Transport::new(tcp, data)),
            _ => Err("the connection is not in clear".into()),
        }
    }

    /// Goes on in clear after TLS has ended (CCC, RFC 4217 §12.3): sends close_notify.
    pub(crate) async fn end_tls(&mut self) {
        if let Self::Tls(mut tls) = std::mem::replace(self, Self::Closed) {
            // The transport keeps TCP open: this is close_notify alone, and then that of the peer.
            let ending = async {
                tls.shutdown().await?;
                let mut unread = [0; 1024];
                while tls.read(&mut unread).await? > 0 {}
                io::Result::Ok(())
            };
            let _too_slow = timeout(PARTING, ending).await;
            let transport = match *tls {
                TlsStream::Client(tls) => tls.into_inner().0,
                TlsStream::Server(tls) => tls.into_inner().0,
            };
            *self = Self::Clear(transport.into_tcp());
        }
    }

    /// Reads some octets, at least one.
    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Result<usize, CloseKind>> {
        poll_read(self, context, into)
    }

    /// Reads some octets of a control connection, at least one. A read of TCP ends before an urgent
    /// octet, after which tokio would wait for more to come: what is there is read all the same.
    pub(crate) fn poll_read_control(
        &mut self,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Result<usize, CloseKind>> {
        let Self::Clear(tcp) = self else {
            return self.poll_read(context, into);
        };
        loop {
            if ready!(tcp.poll_read_ready(context)).is_err() {
                return Poll::Ready(Err(CloseKind::Reset));
            }
            return Poll::Ready(match tcp.try_read(into) {
                Ok(0) => Err(CloseKind::Clean),
                Ok(octets) => Ok(octets),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => Err(CloseKind::Reset),
            });
        }
    }

    /// Writes some of the octets.
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Clear(tcp) => Pin::new(tcp).poll_write(context, octets),
            Self::Tls(tls) => Pin::new(tls).poll_write(context, octets),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Hands everything written to TCP.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Ends our direction in the way the other side ended its own.
    pub(crate) fn poll_end(
        &mut self,
        context: &mut Context<'_>,
        how: CloseKind,
    ) -> Poll<io::Result<()>> {
        match (how, &mut *self) {
            (CloseKind::Reset, _) => {
                self.reset();
                Poll::Ready(Ok(()))
            }
            (_, Self::Clear(tcp)) => Pin::new(tcp).poll_shutdown(context),
            (CloseKind::Clean, Self::Tls(tls)) => {
                // close_notify, and then FIN: the transport keeps TCP open by itself.
                ready!(Pin::new(&mut *tls).poll_shutdown(context))?;
                Pin::new(tls.get_mut().0.tcp_mut()).poll_shutdown(context)
            }
            (CloseKind::NoCloseNotify, Self::Tls(tls)) => {
                Pin::new(tls.get_mut().0.tcp_mut()).poll_shutdown(context)
            }
            (_, Self::Closed) => Poll::Ready(Ok(())),
        }
    }

    /// Ends the connection with a TCP reset.
    pub(crate) fn reset(&mut self) {
        if let Ok(tcp) = self.tcp() {
            let _refused = tcp.set_zero_linger();
        }
        *self = Self::Closed;
    }

    /// Ends our direction as a whole and discards what still comes, in the background: closing with
    /// unread octets would send a reset.
    pub(crate) fn close(mut self) {
        let closing = async move {
            poll_fn(|context| self.poll_end(context, CloseKind::Clean)).await?;
            let mut unread = [0; 4096];
            while self.read(&mut unread).await? > 0 {}
            io::Result::Ok(())
        };
        tokio::spawn(timeout(PARTING, closing));
    }

    /// Sends the last octet as urgent data (RFC 854 Synch), those before it as they are.
    pub(crate) async fn send_urgent(&mut self, octets: &[u8]) -> io::Result<()> {
        match (self, octets.split_last()) {
            (Self::Clear(tcp), Some((last, before))) => {
                tcp.write_all(before).await?;
                let last = [*last];
                tcp.async_io(tokio::io::Interest::WRITABLE, || {
                    socket2::SockRef::from(&*tcp).send_out_of_band(&last)
                })
                .await
                .map(drop)
            }
            // Under TLS there is no urgent data: the octets go like any other.
            (Self::Tls(tls), _) => {
                tls.write_all(octets).await?;
                tls.flush().await
            }
            _ => Ok(()),
        }
    }
}

/// Reads some octets, at least one; or how the peer ended its direction.
pub(crate) fn poll_read(
    from: &mut (impl AsyncRead + Unpin),
    context: &mut Context<'_>,
    into: &mut [u8],
) -> Poll<Result<usize, CloseKind>> {
    let mut buffer = ReadBuf::new(into);
    Poll::Ready(
        match ready!(Pin::new(from).poll_read(context, &mut buffer)) {
            Ok(()) if buffer.filled().is_empty() => Err(CloseKind::Clean),
            Ok(()) => Ok(buffer.filled().len()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(CloseKind::NoCloseNotify)
            }
            Err(_) => Err(CloseKind::Reset),
        },
    )
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(tcp) => Pin::new(tcp).poll_read(context, into),
            Self::Tls(tls) => Pin::new(tls).poll_read(context, into),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write(context, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_end(context, CloseKind::Clean)
    }
}

impl Breakable for Stream {
    fn reset(mut self) {
        Self::reset(&mut self);
    }

    fn close(self) {
        Self::close(self);
    }

    fn poll_shutdown_without_close_notify(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(context))?;
        self.poll_end(context, CloseKind::NoCloseNotify)
    }
}
