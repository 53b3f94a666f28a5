//! One control connection of the scripted server.

use super::Delivery;
use super::data::DataSide;
use super::stream::Stream;
use crate::transcript::{CloseKind, End, Event, EventKind, Side};
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

/// Plays the events of one connection to the end, or until the client deviates from the script.
pub(super) async fn play(
    stream: TcpStream,
    events: Vec<Event>,
    delivery: Delivery,
    tls: Arc<ServerConfig>,
) {
    let played = async { Part::new(stream, delivery, tls)?.play(events).await };
    // Errors here are visible to the client, which reports them.
    if let Err(error) = played.await {
        tracing::debug!(%error, "the client left the script");
    }
}

struct Part {
    link: Option<Stream>,
    tls: Arc<ServerConfig>,
    delivery: Delivery,
    local: SocketAddr,
    /// Lines of the client that no event has consumed yet.
    ahead: Vec<u8>,
    data: DataSide,
    /// The TLS certificate that the server of the transcript used on the control connection.
    certificate: Option<String>,
}

impl Part {
    fn new(stream: TcpStream, delivery: Delivery, tls: Arc<ServerConfig>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (local, owner) = (stream.local_addr()?, stream.peer_addr()?.ip());
        Ok(Self {
            link: Some(Stream::Clear(stream)),
            data: DataSide::new(local.ip(), owner, delivery, Arc::clone(&tls)),
            delivery,
            tls,
            local,
            ahead: Vec::new(),
            certificate: None,
        })
    }

    async fn play(mut self, events: Vec<Event>) -> io::Result<()> {
        let mut events = events.into_iter();
        while let Some(event) = events.next() {
            match event.what {
                EventKind::FromClient { octets } => {
                    let heard = self.hear(&octets).await?;
                    self.data.heard(&heard);
                }
                EventKind::FromServer { octets } => self.say(&octets).await?,
                EventKind::TlsEstablished(facts) if facts.data => {
                    let same = self.certificate == facts.certificate;
                    self.data.handshake(same).await?;
                }
                EventKind::TlsEstablished(facts) => {
                    self.certificate = facts.certificate;
                    self.start_tls().await?;
                }
                EventKind::TlsEnded { .. } => self.end_tls().await?,
                EventKind::DataOpened { peer, .. } => self.data.open(&peer).await?,
                EventKind::DataFromClient { octets } => self.data.take(octets.len()).await?,
                EventKind::DataFromServer { octets } => self.data.give(&octets).await?,
                EventKind::DataClosed(end) => self.data.end(end).await?,
                EventKind::DataFailed { .. } => self.data.refuse(),
                EventKind::Closed(End {
                    by: Side::Server,
                    how,
                }) => {
                    self.leave(how).await?;
                    // If a later connection fails in the transcript, the passive port closes with
                    // the session.
                    if !events.any(|event| matches!(event.what, EventKind::DataFailed { .. })) {
                        self.data.listen_on().await;
                    }
                    return Ok(());
                }
                EventKind::Closed(End {
                    by: Side::Client, ..
                }) => self.until_the_client_leaves().await?,
                _ => {}
            }
        }
        self.until_the_client_leaves().await?;
        // A data connection that the script does not end stays open until the scripted server
        // stops.
        if self.data.is_open() {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    /// Waits for as many lines as the client of the transcript sent here (ports and names may
    /// differ), or as many octets if it sent no whole line.
    async fn hear(&mut self, model: &[u8]) -> io::Result<Vec<u8>> {
        let lines = memchr::memchr_iter(b'\n', model).count();
        loop {
            let end = match lines {
                0 => (self.ahead.len() >= model.len()).then_some(model.len()),
                _ => memchr::memchr_iter(b'\n', &self.ahead)
                    .nth(lines - 1)
                    .map(|at| at + 1),
            };
            if let Some(end) = end {
                return Ok(self.ahead.drain(..end).collect());
            }
            let mut piece = [0; 4096];
            let got = self.link()?.read(&mut piece).await?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.ahead.extend_from_slice(&piece[..got]);
        }
    }

    async fn say(&mut self, octets: &[u8]) -> io::Result<()> {
        let octets = self.data.announce(octets, self.local).await?;
        tokio::time::sleep(self.delivery.pause).await;
        let most = if self.delivery.bytewise {
            1
        } else {
            usize::MAX
        };
        let link = self.link()?;
        for piece in octets.chunks(most) {
            link.write(piece).await?;
        }
        Ok(())
    }

    async fn start_tls(&mut self) -> io::Result<()> {
        self.ahead.clear();
        self.link = Some(self.taken()?.start_tls(&self.tls).await?);
        Ok(())
    }

    async fn end_tls(&mut self) -> io::Result<()> {
        self.link = Some(self.taken()?.end_tls().await?);
        Ok(())
    }

    async fn leave(&mut self, how: CloseKind) -> io::Result<()> {
        let mut link = self.taken()?;
        match how {
            CloseKind::Clean => link.shutdown().await,
            CloseKind::NoCloseNotify => Ok(()),
            CloseKind::Reset => link.reset(),
        }
    }

    async fn until_the_client_leaves(&mut self) -> io::Result<()> {
        let mut piece = [0; 4096];
        while self.link()?.read(&mut piece).await? > 0 {}
        Ok(())
    }

    fn taken(&mut self) -> io::Result<Stream> {
        self.link
            .take()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn link(&mut self) -> io::Result<&mut Stream> {
        self.link
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}
