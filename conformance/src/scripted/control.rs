//! One control connection of the scripted server.

use super::data::DataSide;
use crate::transcript::{End, Event, Manner, Side, What};
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// A control connection in the clear or under TLS.
enum Link {
    Clear(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

impl Link {
    fn reader(&mut self) -> Pin<&mut (dyn AsyncRead + Send)> {
        match self {
            Self::Clear(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }

    fn writer(&mut self) -> Pin<&mut (dyn AsyncWrite + Send)> {
        match self {
            Self::Clear(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }
}

/// Plays one connection's events to the end, or to where the client leaves the script.
pub(super) async fn play(stream: TcpStream, events: Vec<Event>, tls: Arc<ServerConfig>) {
    let played = async { Part::new(stream, tls)?.play(events).await };
    // Whatever goes wrong here shows at the client, and the client is the one that reports.
    if let Err(error) = played.await {
        tracing::debug!(%error, "the client left the script");
    }
}

struct Part {
    link: Option<Link>,
    tls: Arc<ServerConfig>,
    local: SocketAddr,
    /// Lines of the client that no event has asked for yet.
    ahead: Vec<u8>,
    data: DataSide,
}

impl Part {
    fn new(stream: TcpStream, tls: Arc<ServerConfig>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        Ok(Self {
            link: Some(Link::Clear(stream)),
            data: DataSide::new(local.ip(), Arc::clone(&tls)),
            tls,
            local,
            ahead: Vec::new(),
        })
    }

    async fn play(mut self, events: Vec<Event>) -> io::Result<()> {
        for event in events {
            match event.what {
                What::Sent { octets } => {
                    let heard = self.hear(&octets).await?;
                    self.data.heard(&heard);
                }
                What::Received { octets } => self.say(&octets).await?,
                What::TlsEstablished(facts) if facts.data => self.data.handshake().await?,
                What::TlsEstablished(_) => self.start_tls().await?,
                What::TlsEnded { .. } => self.end_tls().await?,
                What::DataOpened { .. } => self.data.open().await?,
                What::DataSent { octets } => self.data.take(octets.len()).await?,
                What::DataReceived { octets } => self.data.give(&octets).await?,
                What::DataClosed(end) => self.data.end(end).await?,
                What::DataFailed { .. } => self.data.refuse(),
                What::Closed(End { by: Side::Server, how }) => return self.leave(how).await,
                What::Closed(End { by: Side::Us, .. }) => break,
                _ => {}
            }
        }
        self.until_the_client_leaves().await
    }

    /// Waits for as many lines as the transcript's client sent here (ports and names may differ), or as many octets
    /// where it sent no whole line.
    async fn hear(&mut self, model: &[u8]) -> io::Result<Vec<u8>> {
        let lines = memchr::memchr_iter(b'\n', model).count();
        loop {
            let end = match lines {
                0 => (self.ahead.len() >= model.len()).then_some(model.len()),
                _ => memchr::memchr_iter(b'\n', &self.ahead).nth(lines - 1).map(|at| at + 1),
            };
            if let Some(end) = end {
                return Ok(self.ahead.drain(..end).collect());
            }
            let mut piece = [0; 4096];
            let got = self.link()?.reader().read(&mut piece).await?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.ahead.extend_from_slice(&piece[..got]);
        }
    }

    async fn say(&mut self, octets: &[u8]) -> io::Result<()> {
        let octets = self.data.announce(octets, self.local).await?;
        let link = self.link()?;
        link.writer().write_all(&octets).await?;
        link.writer().flush().await
    }

    async fn start_tls(&mut self) -> io::Result<()> {
        let Some(Link::Clear(stream)) = self.link.take() else {
            return Err(io::Error::other("the script starts TLS twice"));
        };
        self.ahead.clear();
        let stream = TlsAcceptor::from(Arc::clone(&self.tls)).accept(stream).await?;
        self.link = Some(Link::Tls(Box::new(stream)));
        Ok(())
    }

    async fn end_tls(&mut self) -> io::Result<()> {
        let Some(Link::Tls(mut stream)) = self.link.take() else {
            return Err(io::Error::other("the script ends TLS that never began"));
        };
        // Our close_notify goes out without closing TCP; the client's is the next thing it sends.
        stream.get_mut().1.send_close_notify();
        stream.flush().await?;
        let mut rest = [0; 256];
        while stream.read(&mut rest).await? > 0 {}
        self.link = Some(Link::Clear(stream.into_inner().0));
        Ok(())
    }

    async fn leave(mut self, how: Manner) -> io::Result<()> {
        match (how, self.link.take()) {
            (Manner::Reset, Some(Link::Clear(stream))) => stream.set_zero_linger(),
            (Manner::Reset | Manner::NoCloseNotify, _) => Ok(()),
            (Manner::Clean, Some(mut link)) => link.writer().shutdown().await,
            (Manner::Clean, None) => Ok(()),
        }
    }

    async fn until_the_client_leaves(mut self) -> io::Result<()> {
        let mut piece = [0; 4096];
        while self.link()?.reader().read(&mut piece).await? > 0 {}
        Ok(())
    }

    fn link(&mut self) -> io::Result<&mut Link> {
        self.link.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}
