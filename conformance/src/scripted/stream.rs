//! A connection of the scripted server, in the clear or under TLS.

use rustls::ServerConfig;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A control or data connection.
pub(super) enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) async fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(into).await,
            Self::Tls(stream) => stream.read(into).await,
        }
    }

    pub(super) async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.write_all(octets).await,
            Self::Tls(stream) => {
                stream.write_all(octets).await?;
                stream.flush().await
            }
        }
    }

    /// Sends close_notify under TLS, and FIN.
    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
        }
    }

    /// Ends the connection with a TCP reset.
    pub(super) fn reset(self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.set_zero_linger(),
            Self::Tls(stream) => stream.get_ref().0.set_zero_linger(),
        }
    }

    pub(super) async fn start_tls(self, config: &Arc<ServerConfig>) -> io::Result<Self> {
        let Self::Clear(stream) = self else {
            return Err(io::Error::other("the script starts TLS twice"));
        };
        let stream = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Waits for the client's close_notify, answers it, and continues in clear. If it were sent
    /// first, clear text of the client could follow its close_notify in one segment, and TLS would
    /// consume it.
    pub(super) async fn end_tls(self) -> io::Result<Self> {
        let Self::Tls(mut stream) = self else {
            return Err(io::Error::other("the script ends TLS that never began"));
        };
        let mut rest = [0; 256];
        while stream.read(&mut rest).await? > 0 {}
        stream.get_mut().1.send_close_notify();
        stream.flush().await?;
        Ok(Self::Clear(stream.into_inner().0))
    }
}
