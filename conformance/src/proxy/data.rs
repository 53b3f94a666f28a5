//! One data connection through the proxy: two TCP connections, and what flows between them.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::faults::{StreamFaults, TransferFaults};
use super::observer::{Channel, Leg, Observer, Sighting};
use super::pump::{Pump, Pumped};
use super::stream::Stream;
use super::tls::SessionTls;
use crate::transcript::{CloseKind, DataMode};

/// The TLS record of the fatal alert handshake_failure (RFC 8446 §6.2).
pub(crate) const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

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
    EndPassedOn,
    /// A fault of the plan has ended it.
    Spoiled(Spoiled),
}

/// How a fault has ended a data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoiled {
    /// It was closed before its time.
    Broken,
    /// The client did not resume a TLS session.
    NoReuse,
}

impl Spoiled {
    /// The completion of the transfer.
    pub(crate) fn reply(self) -> &'static [u8] {
        match self {
            Self::Broken => b"426 Connection closed; transfer aborted.\r\n",
            Self::NoReuse => b"522 The data connection must resume the TLS session.\r\n",
        }
    }
}

/// What lets the octets of a transfer flow.
#[derive(Debug)]
struct Start {
    protection: Protection,
    faults: TransferFaults,
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
    start: Option<oneshot::Sender<Start>>,
    progress: mpsc::UnboundedReceiver<Progress>,
    /// Whether both connections stand.
    pub(crate) established: bool,
    /// Whether an end of what one side sends has been passed on, or both connections have ended.
    pub(crate) ended: bool,
    /// How a fault has ended it.
    pub(crate) spoiled: Option<Spoiled>,
    /// Whether a fault may stop it without an end; the fault has a time limit of its own.
    pub(crate) stalls: bool,
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
            spoiled: None,
            stalls: false,
            carried,
        }
    }

    /// Octets carried so far in both directions.
    pub(crate) fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// Lets octets flow: the transfer command has been passed on. TLS of the server's side begins
    /// only now, because some servers open their side no earlier.
    pub(crate) fn start(&mut self, protection: Protection, faults: TransferFaults) {
        if let Some(start) = self.start.take() {
            self.stalls = (faults.stream.as_ref()).is_some_and(StreamFaults::stalls);
            let _gone = start.send(Start { protection, faults });
        }
    }

    /// Ready when it has come further.
    pub(crate) fn poll_progress(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.ended && self.progress.is_closed() {
            return Poll::Pending;
        }
        match ready!(self.progress.poll_recv(context)) {
            Some(Progress::Established) => self.established = true,
            Some(Progress::EndPassedOn) | None => self.ended = true,
            Some(Progress::Spoiled(how)) => {
                self.spoiled = Some(how);
                self.ended = true;
            }
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
    async fn carry(self, setup: Setup, started: oneshot::Receiver<Start>, tls: &SessionTls) {
        let Some((mut client, mut server)) = self.open(setup).await else {
            return;
        };
        let Start { protection, faults } = tokio::select! {
            start = started => match start {
                Ok(start) => start,
                Err(_) => return,
            },
            // A client that has closed already does not shake hands either.
            () = has_closed(&client) => Start {
                protection: UNPROTECTED,
                faults: TransferFaults::default(),
            },
        };
        let shaken = self.protect(Leg::Client, &mut client, protection.client, tls);
        let Ok(resumed) = shaken.await else {
            return refuse(server, protection.server).await;
        };
        if faults.require_reuse && protection.client && !resumed {
            client.close();
            self.report(Progress::Spoiled(Spoiled::NoReuse));
            return refuse(server, protection.server).await;
        }
        let shaken = self.protect(Leg::Server, &mut server, protection.server, tls);
        if shaken.await.is_err() {
            return client.reset();
        }
        self.report(Progress::Established);
        let pump = Pump {
            channel: self.channel,
            observer: Arc::clone(&self.observer),
            carried: Arc::clone(&self.carried),
        };
        let end_passed_on = || self.report(Progress::EndPassedOn);
        let pumped = pump.run(client, server, faults, end_passed_on).await;
        if pumped == Pumped::Faulty {
            self.report(Progress::Spoiled(Spoiled::Broken));
        }
    }

    fn report(&self, progress: Progress) {
        let _unwatched = self.reporter.send(progress);
    }

    /// Makes both connections. When one fails the other is reset, so that this is not an end of data.
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

    /// Begins TLS where it is wanted; whether a session was resumed. An error has been observed.
    async fn protect(
        &self,
        leg: Leg,
        stream: &mut Stream,
        wanted: bool,
        tls: &SessionTls,
    ) -> Result<bool, ()> {
        if !wanted {
            return Ok(false);
        }
        let shaken = tls.begin(leg, stream, true).await;
        let sighting = match &shaken {
            Ok(facts) => Sighting::TlsStarted(facts),
            Err(error) => Sighting::Failed(error),
        };
        self.observer.see(leg, self.channel, &sighting);
        shaken.map(|facts| facts.resumed).map_err(drop)
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
    if protected {
        let _gone = poll_fn(|context| server.poll_write(context, &HANDSHAKE_FAILURE)).await;
        let _gone = poll_fn(|context| server.poll_end(context, CloseKind::Clean)).await;
    } else {
        server.reset();
    }
}
