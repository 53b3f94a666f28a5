//! A stand-in for the server of a recording, which any client can talk to.

mod data;
mod session;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::dialogue;
use super::matcher::{Cast, Deviation};
use crate::proxy::{Authority, Stream};
use session::Session;

/// How long a client may send nothing.
const IDLE: Duration = Duration::from_secs(300);
/// Clients at a time.
const MOST_CLIENTS: usize = 1000;

/// What a client gets for a command that the recording does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Unexpected {
    /// A 5yz reply that says what was expected.
    #[default]
    Refuse,
    /// A 421 reply, and the end of the connection.
    Close,
}

/// How a stand-in is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Address and port; port 0 is any free port.
    pub(crate) listen: SocketAddr,
    pub(crate) unexpected: Unexpected,
    /// How long nothing may happen while something is waited for.
    pub(crate) patience: Duration,
    /// Whether replies take as long as they were recorded, each at most a minute.
    pub(crate) recorded_pace: bool,
}

/// A stand-in that is running; it stops when dropped.
pub(crate) struct StandIn {
    address: SocketAddr,
    ca_pem: String,
    is_implicit: bool,
    shared: Arc<Shared>,
    ended: watch::Receiver<Clients>,
    stop: watch::Sender<bool>,
    task: JoinSet<()>,
}

/// Clients that came, and that left.
#[derive(Debug, Clone, Copy, Default)]
struct Clients {
    came: usize,
    left: usize,
}

struct Shared {
    cast: Mutex<Cast>,
    authority: Authority,
    unexpected: Unexpected,
    patience: Duration,
    idle: Duration,
    recorded_pace: bool,
}

impl Shared {
    fn cast(&self) -> MutexGuard<'_, Cast> {
        self.cast.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StandIn {
    /// Starts to listen.
    ///
    /// # Errors
    /// It cannot listen, or no certificate can be made.
    pub(crate) fn start(sessions: &[dialogue::Session], settings: Settings) -> io::Result<Self> {
        let listener = if settings.listen.port() == 0 {
            crate::driver::listen(settings.listen)?
        } else {
            let listener = std::net::TcpListener::bind(settings.listen)?;
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)?
        };
        let address = listener.local_addr()?;
        let names = ["localhost".to_owned(), address.ip().to_string()];
        let authority = Authority::new(names.to_vec())?;
        let shared = Arc::new(Shared {
            cast: Mutex::new(Cast::new(sessions)),
            authority: authority.clone(),
            unexpected: settings.unexpected,
            patience: settings.patience,
            idle: IDLE,
            recorded_pace: settings.recorded_pace,
        });
        let (counter, ended) = watch::channel(Clients::default());
        let (stop, stopped) = watch::channel(false);
        let mut task = JoinSet::new();
        task.spawn(accept(listener, Arc::clone(&shared), counter, stopped));
        Ok(Self {
            address,
            ca_pem: authority.pem().to_owned(),
            is_implicit: sessions.iter().any(dialogue::Session::is_implicit),
            shared,
            ended,
            stop,
            task,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a user.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.is_implicit { "ftps" } else { "ftp" };
        format!("{scheme}://{}/", self.address)
    }

    /// The certificate that clients have to trust, in PEM.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// How many sessions the recordings have.
    pub(crate) fn sessions(&self) -> usize {
        self.shared.cast().len()
    }

    /// Ready when this many clients have left.
    pub(crate) async fn left(&mut self, clients: usize) {
        let _stopped = self.ended.wait_for(|it| it.left >= clients).await;
    }

    /// Accepts no more clients, lets those that are there end for at most this long, and reports
    /// what was not as recorded.
    pub(crate) async fn finish(mut self, patience: Duration) -> Vec<Deviation> {
        let _gone = self.stop.send(true);
        let ending = self.ended.wait_for(|it| it.left >= it.came);
        let _too_slow = tokio::time::timeout(patience, ending).await;
        self.task.abort_all();
        self.shared.cast().deviations()
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    counter: watch::Sender<Clients>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut sessions = JoinSet::new();
    let mut number = 0;
    let mut listener = Some(listener);
    loop {
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = accepted => {
                let Ok((tcp, peer)) = accepted else { continue };
                let Ok(local) = tcp.local_addr() else { continue };
                let _gone = tcp.set_nodelay(true);
                // Urgent octets stay in their place among the others.
                let _gone = socket2::SockRef::from(&tcp).set_out_of_band_inline(true);
                if sessions.len() < MOST_CLIENTS {
                    number += 1;
                    counter.send_modify(|clients| clients.came += 1);
                    let ends = (local, peer.ip());
                    let stream = Stream::Clear(tcp);
                    let session = Session::new(Arc::clone(&shared), number, stream, ends);
                    sessions.spawn(session.run());
                }
            }
            Some(_) = sessions.join_next() => counter.send_modify(|clients| clients.left += 1),
            Ok(()) = stopped.changed(), if listener.is_some() => listener = None,
        }
    }
}
