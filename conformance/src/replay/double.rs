//! A stand-in for a server, for tests: its own thread, so that blocking and asynchronous clients can
//! use it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::dialogue::Session;
use super::matcher::Deviation;
use super::server::{Settings, StandIn, Unexpected};
use super::{PATIENCE, Recording, sessions_of_server};

/// How long clients that are still connected may take at the end.
const PARTING: Duration = Duration::from_secs(2);

/// The server of a recording, played to any client: a test double on a free port of 127.0.0.1. It
/// stops when dropped.
#[derive(Debug)]
pub struct ReplayServer {
    address: SocketAddr,
    url: String,
    ca_pem: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Vec<Deviation>>>,
}

/// What a client did that is not in the recording, and what it did not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", in_words(.0))]
pub struct Deviations(pub Vec<Deviation>);

fn in_words(deviations: &[Deviation]) -> String {
    let all: Vec<String> = deviations.iter().map(Deviation::to_string).collect();
    all.join("\n")
}

impl Recording {
    /// Plays the server's side to any client. Its sessions are given out in the order in which
    /// clients connect.
    ///
    /// # Errors
    /// There is no free port, or no certificate can be made.
    pub fn replay_server(&self) -> io::Result<ReplayServer> {
        let sessions = sessions_of_server(std::slice::from_ref(self));
        let settings = Settings {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            unexpected: Unexpected::Refuse,
            patience: PATIENCE,
            recorded_pace: false,
        };
        ReplayServer::start(sessions, settings)
    }
}

impl ReplayServer {
    fn start(sessions: Vec<Session>, settings: Settings) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let stand_in = {
            let _inside = runtime.enter();
            StandIn::start(&sessions, settings)?
        };
        let (address, url) = (stand_in.address(), stand_in.url());
        let ca_pem = stand_in.ca_pem().to_owned();
        let thread = thread::Builder::new()
            .name("replay".into())
            .spawn(move || {
                runtime.block_on(async {
                    let _dropped = stopped.await;
                    stand_in.finish(PARTING).await
                })
            })?;
        Ok(Self {
            address,
            url,
            ca_pem,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `ftp://127.0.0.1:port/`; `ftps://` if the recording begins with TLS.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate that clients have to trust, in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Stops it. Clients that are still connected may go on for two seconds.
    ///
    /// # Errors
    /// Clients did something that is not in the recording, or not all of it.
    pub fn finish(mut self) -> Result<(), Deviations> {
        match self.join() {
            none if none.is_empty() => Ok(()),
            deviations => Err(Deviations(deviations)),
        }
    }

    fn join(&mut self) -> Vec<Deviation> {
        drop(self.stop.take());
        let thread = self.thread.take().map(JoinHandle::join);
        thread.and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for ReplayServer {
    fn drop(&mut self) {
        self.join();
    }
}
