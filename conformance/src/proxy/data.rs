//! One data connection through the proxy: two TCP connections, and what flows between them.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::observer::{Channel, Leg, Observer, Sighting};
use super::stream::Stream;
use super::tls::SessionTls;
use crate::transcript::{CloseKind, DataMode};

/// Octets held of each direction.
const BUFFER: usize = 128 << 10;

/// How the two connections are made.
#[derive(Debug)]
pub(crate) enum Setup {
    /// The client connects to us, and we connect to the server (PASV, EPSV).
    Passive {
        /// Where the client connects to.
        listener: TcpListener,
        /// The client's address: nobody else is served.
        client: IpAddr,
        /// Where the server listens.
        server: SocketAddr,
    },
    /// The server connects to us, and then we connect to the client (PORT, EPRT).
    Active {
        /// Where the server connects to.
        listener: TcpListener,
        /// The server's address: nobody else is served.
        server: IpAddr,
        /// Where the client listens.
        client: SocketAddr,
    },
}

/// What is to be protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protection {
    /// The connection with the client.
    pub(crate) client: bool,
    /// The connection with the server.
    pub(crate) server: bool,
}

/// How far a data connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Both connections stand, and TLS where it is wanted.
    Established,
    /// The end of what one side sends has been passed on.
    EndPassedOn(Leg),
}

/// Nothing is protected.
pub(crate) const UNPROTECTED: Protection = Protection {
    client: false,
    server: false,
};

/// A data connection that is being made or used.
#[derive(Debug)]
pub(crate) struct DataConnection {
    task: tokio::task::JoinHandle<()>,
    start: Option<oneshot::Sender<Protection>>,
    progress: mpsc::UnboundedReceiver<Progress>,
    /// Whether both connections stand.
    pub(crate) established: bool,
    /// Whether an end of what one side sends has been passed on, or both connections have ended.
    pub(crate) ended: bool,
    /// Octets carried so far: whether it still moves.
    carried: Arc<AtomicU64>,
}

impl DataConnection {
    /// Begins to make the connections.
    pub(crate) fn begin(
        setup: Setup,
        (number, mode): (u32, DataMode),
        tls: Arc<SessionTls>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let (start, started) = oneshot::channel();
        let carried = Arc::new(AtomicU64::new(0));
        let (reporter, progress) = mpsc::unbounded_channel();
        let carrier = Carrier {
            channel: Channel::Data(number),
            mode,
            observer,
            carried: Arc::clone(&carried),
            reporter,
        };
        let task = tokio::spawn(async move { carrier.carry(setup, started, &tls).await });
        Self {
            task,
            start: Some(start),
            progress,
            established: false,
            ended: false,
            carried,
        }
    }

    /// Octets carried so far in both directions.
    pub(crate) fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// Lets octets flow: the transfer command has been passed on. TLS of the server's side begins
    /// only now, because some servers open their side no earlier.
    pub(crate) fn start(&mut self, protection: Protection) {
        if let Some(start) = self.start.take() {
            let _gone = start.send(protection);
        }
    }

    /// Ready when it has come further.
    pub(crate) fn poll_progress(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.ended && self.progress.is_closed() {
            return Poll::Pending;
        }
        match ready!(self.progress.poll_recv(context)) {
            Some(Progress::Established) => self.established = true,
            Some(Progress::EndPassedOn(_)) | None => self.ended = true,
        }
        Poll::Ready(())
    }
}

/// A transfer that has begun goes on to its end, as one does after REIN or QUIT.
impl Drop for DataConnection {
    fn drop(&mut self) {
        if !self.established {
            self.task.abort();
        }
    }
}

struct Carrier {
    channel: Channel,
    mode: DataMode,
    observer: Arc<dyn Observer>,
    carried: Arc<AtomicU64>,
    reporter: mpsc::UnboundedSender<Progress>,
}

impl Carrier {
    async fn carry(self, setup: Setup, started: oneshot::Receiver<Protection>, tls: &SessionTls) {
        let Some((mut client, mut server)) = self.open(setup).await else {
            return;
        };
        let protection = tokio::select! {
            protection = started => match protection {
                Ok(protection) => protection,
                Err(_) => return,
            },
            // A client that has closed already does not shake hands either.
            () = has_closed(&client) => UNPROTECTED,
        };
        let client_stands = self.protect(Leg::Client, &mut client, protection.client, tls);
        if !client_stands.await {
            return refuse(server, protection.server).await;
        }
        if !self
            .protect(Leg::Server, &mut server, protection.server, tls)
            .await
        {
            return client.reset();
        }
        let _unwatched = self.reporter.send(Progress::Established);
        self.pump(&mut client, &mut server).await;
    }

    /// Makes both connections. When one fails the other is reset, so that it is no end of data.
    async fn open(&self, setup: Setup) -> Option<(Stream, Stream)> {
        match setup {
            Setup::Passive {
                listener,
                client,
                server,
            } => {
                // Not before the client: a server can see that nobody has connected (425).
                let accepted = accept_from(listener, client);
                let mut client = self.opened(Leg::Client, accepted).await?;
                let connecting = connect(server);
                let server = self.opened(Leg::Server, connecting).await;
                if server.is_none() {
                    client.reset();
                }
                Some((client, server?))
            }
            Setup::Active {
                listener,
                server,
                client,
            } => {
                let accepted = accept_from(listener, server);
                let mut server = self.opened(Leg::Server, accepted).await?;
                let client = self.opened(Leg::Client, connect(client)).await;
                if client.is_none() {
                    server.reset();
                }
                Some((client?, server))
            }
        }
    }

    async fn opened(
        &self,
        leg: Leg,
        opening: impl Future<Output = io::Result<(TcpStream, SocketAddr)>>,
    ) -> Option<Stream> {
        let opened = opening.await.and_then(|(tcp, theirs)| {
            let ours = tcp.local_addr()?;
            Ok((tcp, ours, theirs))
        });
        match opened {
            Ok((tcp, ours, theirs)) => {
                let _gone = tcp.set_nodelay(true);
                let mode = Some(self.mode);
                let sighting = Sighting::Opened { ours, theirs, mode };
                self.observer.see(leg, self.channel, &sighting);
                Some(Stream::Clear(tcp))
            }
            Err(error) => {
                let error = error.to_string();
                self.observer
                    .see(leg, self.channel, &Sighting::Failed(&error));
                None
            }
        }
    }

    async fn protect(&self, leg: Leg, stream: &mut Stream, wanted: bool, tls: &SessionTls) -> bool {
        if !wanted {
            return true;
        }
        let shaken = tls.begin(leg, stream, true).await;
        match shaken {
            Ok(facts) => {
                self.observer
                    .see(leg, self.channel, &Sighting::TlsStarted(&facts));
                true
            }
            Err(error) => {
                self.observer
                    .see(leg, self.channel, &Sighting::Failed(&error));
                false
            }
        }
    }

    /// Carries octets both ways until both directions have ended.
    async fn pump(&self, client: &mut Stream, server: &mut Stream) {
        let mut upload = Direction::new(Leg::Client);
        let mut download = Direction::new(Leg::Server);
        poll_fn(|context| {
            let up = upload.advance(self, context, client, server);
            let down = download.advance(self, context, server, client);
            match (up, down) {
                (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(()),
                // One side is gone: nothing that comes from the other can be passed on.
                (Poll::Ready(Err(())), _) | (_, Poll::Ready(Err(()))) => {
                    client.reset();
                    server.reset();
                    Poll::Ready(())
                }
                _ => Poll::Pending,
            }
        })
        .await;
    }
}

/// One direction of a data connection.
struct Direction {
    from: Leg,
    buffer: Vec<u8>,
    /// What of the buffer is still to be written.
    held: std::ops::Range<usize>,
    flushed: bool,
    ended: Option<CloseKind>,
    done: bool,
}

impl Direction {
    fn new(from: Leg) -> Self {
        Self {
            from,
            buffer: vec![0; BUFFER],
            held: 0..0,
            flushed: true,
            ended: None,
            done: false,
        }
    }

    /// Carries what can be carried. Ready when the end has been passed on.
    fn advance(
        &mut self,
        carrier: &Carrier,
        context: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
    ) -> Poll<Result<(), ()>> {
        let observer = &carrier.observer;
        loop {
            if self.done {
                return Poll::Ready(Ok(()));
            }
            if !self.held.is_empty() {
                let written = ready!(to.poll_write(context, &self.buffer[self.held.clone()]));
                let Ok(written) = written else {
                    return Poll::Ready(Err(()));
                };
                carrier.carried.fetch_add(written as u64, Ordering::Relaxed);
                self.held.start += written;
                self.flushed = false;
            } else if let Some(how) = self.ended {
                if ready!(to.poll_end(context, how)).is_err() || how == CloseKind::Reset {
                    return Poll::Ready(Err(()));
                }
                self.done = true;
                let _unwatched = carrier.reporter.send(Progress::EndPassedOn(self.from));
            } else {
                match from.poll_read(context, &mut self.buffer) {
                    Poll::Ready(Ok(octets)) => {
                        self.held = 0..octets;
                        let sighting = Sighting::Received(&self.buffer[..octets]);
                        observer.see(self.from, carrier.channel, &sighting);
                    }
                    Poll::Ready(Err(how)) => {
                        self.ended = Some(how);
                        observer.see(self.from, carrier.channel, &Sighting::Ended(how));
                    }
                    Poll::Pending => {
                        if !self.flushed {
                            self.flushed = ready!(to.poll_flush(context)).is_ok();
                        }
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

/// The first connection that comes from this address; others are closed.
async fn accept_from(listener: TcpListener, peer: IpAddr) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        let (tcp, from) = listener.accept().await?;
        if from.ip().to_canonical() == peer.to_canonical() {
            return Ok((tcp, from));
        }
    }
}

async fn connect(to: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
    Ok((TcpStream::connect(to).await?, to))
}

/// Ready when the peer has ended its direction and sent nothing.
async fn has_closed(stream: &Stream) {
    let ended = match stream.tcp() {
        Ok(tcp) => tcp.peek(&mut [0]).await.is_ok_and(|octets| octets == 0),
        Err(_) => false,
    };
    if !ended {
        std::future::pending().await
    }
}

/// Ends the connection with the server because the client's handshake failed: with the alert
/// handshake_failure (RFC 8446 §6.2) where the server waits for a handshake, so that it learns what
/// it would have learned from the client.
async fn refuse(mut server: Stream, protected: bool) {
    const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];
    if protected {
        let _gone = poll_fn(|context| server.poll_write(context, &HANDSHAKE_FAILURE)).await;
        let _gone = poll_fn(|context| server.poll_end(context, CloseKind::Clean)).await;
    } else {
        server.reset();
    }
}
