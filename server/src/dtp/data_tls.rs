//! The TLS of data connections: the sessions they resume, and what is required of them (RFC 4217
//! §10.2, §15.1.2).

use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use rustls::server::StoresServerSessions;
use rustls::{HandshakeKind, ServerConfig, ServerConnection};
use sha2::{Digest as _, Sha256};
use tokio_rustls::{Accept, TlsAcceptor};

use super::error::DataConnectionError;
use super::stream::{Accepted, DataStream};
use super::ticket_gate::TicketGate;
use crate::observe::tap::{OpenChannel, Side, StreamEnd};
use crate::pi::SessionOffered;

/// Sessions that the handshake of a control connection may make, and how many tickets a client may
/// ask for (RFC 9149).
pub(crate) const CONTROL_SESSIONS: usize = 32;
/// Sessions of its data connections that are kept. Clients keep ten tickets at most, and get two
/// for the one they use.
const DATA_SESSIONS: usize = 32;
/// Tickets sent on a data connection: one for the ticket it has used, and one because a transfer
/// may break off.
const DATA_TICKETS: usize = 2;

/// Whether data connections have to resume the TLS session of their control connection (RFC 4217
/// §10.2).
///
/// It shows that both come from the same client. But many clients cannot do it (Python's ftplib,
/// Java, Erlang), so it is not required by default.
///
/// Under TLS 1.3 a client that uses each ticket once needs new ones. It gets two on each data
/// connection: before the data of a download, and after the end of an upload. A client that does
/// not read the latter runs out of tickets (curl 7.88 does, in its second upload of one session).
/// It has those of its control connection, ten or as many as it asks for (RFC 9149), up to 32.
/// TLS 1.2 has no such limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionReuse {
    /// Resumption is optional.
    #[default]
    Off,
    /// Connections without resumption are logged, with the reason.
    Warn,
    /// Transfers without resumption are answered 522, with the reason.
    Require,
}

/// What is required of a data connection besides a successful handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Terms {
    pub(crate) reuse: SessionReuse,
    /// An upload may end without close_notify.
    pub(crate) lenient: bool,
    /// The fingerprint of the client's certificate on the control connection: a data connection may
    /// not show another.
    pub(crate) client: Option<[u8; 32]>,
}

/// The protection of the data connections of one control connection.
#[derive(Debug)]
pub(crate) struct DataProtection {
    config: ServerConfig,
    sessions: Arc<Sessions>,
    terms: Terms,
}

impl DataProtection {
    pub(crate) fn new(mut config: ServerConfig, sessions: Arc<Sessions>, terms: Terms) -> Self {
        config.send_tls13_tickets = DATA_TICKETS;
        Self {
            config,
            sessions,
            terms,
        }
    }

    /// Begins the handshake. The FTP server is the TLS server, whichever side connected (RFC 4217
    /// §7).
    pub(crate) fn begin(self: &Arc<Self>, connection: Accepted) -> Handshake {
        let Accepted { stream, channel } = connection;
        let offered_sessions = Arc::new(OfferedSessions::of(Arc::clone(&self.sessions)));
        let mut config = self.config.clone();
        config.session_storage = Arc::clone(&offered_sessions) as _;
        let gate = TicketGate::new(stream, Arc::clone(&offered_sessions.issuing));
        Handshake {
            accept: TlsAcceptor::from(Arc::new(config)).accept(gate),
            protection: Arc::clone(self),
            offered_sessions,
            channel: Some(channel),
        }
    }

    fn judge(
        &self,
        connection: &ServerConnection,
        offered_sessions: &OfferedSessions,
    ) -> Result<(), DataConnectionError> {
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        if let (Some(client), Some(shown)) = (self.terms.client, shown)
            && <[u8; 32]>::from(Sha256::digest(shown)) != client
        {
            tracing::warn!("a data connection showed another client's certificate");
            return Err(DataConnectionError::OtherClient);
        }
        let kind = connection.handshake_kind();
        tracing::debug!(?kind, "a data connection is protected");
        if self.terms.reuse == SessionReuse::Off || kind == Some(HandshakeKind::Resumed) {
            return Ok(());
        }
        let offered = offered_sessions.offered();
        tracing::warn!(
            ?offered,
            "a data connection did not resume the session of its control connection"
        );
        if self.terms.reuse == SessionReuse::Require {
            return Err(DataConnectionError::NotResumed(offered));
        }
        Ok(())
    }
}

/// A handshake in progress; its result is the data connection.
pub(crate) struct Handshake {
    accept: Accept<TicketGate>,
    protection: Arc<DataProtection>,
    offered_sessions: Arc<OfferedSessions>,
    /// Given to the data connection at the end.
    channel: Option<OpenChannel>,
}

impl Handshake {
    /// Records that it took too long.
    pub(crate) fn timed_out(&self) {
        if let Some(channel) = &self.channel {
            channel.ended(Side::Server, StreamEnd::TimedOut);
        }
    }
}

impl Future for Handshake {
    type Output = Result<DataStream, DataConnectionError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = match ready!(Pin::new(&mut self.accept).poll(cx)) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "the TLS handshake of a data connection failed");
                if let Some(channel) = &self.channel {
                    channel.handshake_failed(&error);
                }
                // 522 is for a negotiation that failed (RFC 4217 §10.2). A reset is none: the
                // client may have finished its handshake before it, and then reset before we had
                // read that.
                return Poll::Ready(Err(match error.kind() {
                    ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe => DataConnectionError::Lost,
                    _ => DataConnectionError::Protection,
                }));
            }
        };
        self.offered_sessions
            .issuing
            .store(false, Ordering::Relaxed);
        let judged = self
            .protection
            .judge(stream.get_ref().1, &self.offered_sessions);
        let Some(channel) = self.channel.take() else {
            return Poll::Ready(Err(DataConnectionError::Protection));
        };
        let stream = DataStream::protected(stream, self.protection.terms.lenient, channel);
        Poll::Ready(match judged {
            Ok(()) => Ok(stream),
            Err(why) => {
                // Without close_notify, so that it does not look like an empty file.
                stream.break_off();
                Err(why)
            }
        })
    }
}

/// The TLS sessions of all control connections of a server, each with its owner: a session of
/// another client can be distinguished from an unknown one.
#[derive(Debug, Default)]
pub(crate) struct SessionMap {
    sessions: Mutex<HashMap<Vec<u8>, Owned>>,
    owners: AtomicU64,
}

/// A session and its owner.
type Owned = (u64, Vec<u8>);

/// The sessions of one control connection and its data connections. No other connection can resume
/// them, and they end with it.
#[derive(Debug)]
pub(crate) struct Sessions {
    map: Arc<SessionMap>,
    owner: u64,
    keys: Mutex<Keys>,
}

/// Where the sessions of one control connection are in the [`SessionMap`].
#[derive(Debug, Default)]
struct Keys {
    /// Those of the control connection stay: OpenSSL clients present its ticket for every data
    /// connection.
    control: Vec<Vec<u8>>,
    /// Those of data connections, the oldest first.
    data: VecDeque<Vec<u8>>,
}

impl Sessions {
    pub(crate) fn of_a_new_owner(map: &Arc<SessionMap>) -> Self {
        Self {
            owner: map.owners.fetch_add(1, Ordering::Relaxed),
            map: Arc::clone(map),
            keys: Mutex::default(),
        }
    }

    fn look_up(&self, key: &[u8]) -> (SessionOffered, Option<Vec<u8>>) {
        match locked(&self.map.sessions).get(key) {
            None => (SessionOffered::Unknown, None),
            Some((owner, value)) if *owner == self.owner => {
                (SessionOffered::Own, Some(value.clone()))
            }
            Some(_) => (SessionOffered::Foreign, None),
        }
    }

    /// Stores a session of a data connection; the oldest of them goes if there are too many.
    fn put_of_data(&self, key: Vec<u8>, value: Vec<u8>) {
        let mut keys = locked(&self.keys);
        let mut sessions = locked(&self.map.sessions);
        if keys.data.len() == DATA_SESSIONS
            && let Some(oldest) = keys.data.pop_front()
        {
            sessions.remove(&oldest);
        }
        keys.data.push_back(key.clone());
        sessions.insert(key, (self.owner, value));
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        let mut sessions = locked(&self.map.sessions);
        let keys = locked(&self.keys);
        for key in keys.control.iter().chain(&keys.data) {
            sessions.remove(key);
        }
    }
}

/// As the control connection uses them.
impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let mut keys = locked(&self.keys);
        if keys.control.len() == CONTROL_SESSIONS {
            return false;
        }
        keys.control.push(key.clone());
        locked(&self.map.sessions).insert(key, (self.owner, value));
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.look_up(key).1
    }

    /// Returns the session and keeps it: OpenSSL clients present the ticket of the control
    /// connection once for every data connection.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// The sessions as the handshake of one data connection uses them.
#[derive(Debug)]
struct OfferedSessions {
    sessions: Arc<Sessions>,
    /// What the client has offered: a [`SessionOffered`].
    offered: AtomicU8,
    /// Whether TLS is making tickets. For the [`TicketGate`].
    issuing: Arc<AtomicBool>,
}

impl OfferedSessions {
    fn of(sessions: Arc<Sessions>) -> Self {
        Self {
            sessions,
            offered: AtomicU8::new(SessionOffered::None as u8),
            issuing: Arc::default(),
        }
    }

    fn offered(&self) -> SessionOffered {
        let offered = self.offered.load(Ordering::Relaxed);
        [
            SessionOffered::Unknown,
            SessionOffered::Foreign,
            SessionOffered::Own,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == offered)
        .unwrap_or(SessionOffered::None)
    }
}

impl StoresServerSessions for OfferedSessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.issuing.store(true, Ordering::Relaxed);
        self.sessions.put_of_data(key, value);
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let (offered, session) = self.sessions.look_up(key);
        // Of several that were offered the most specific is kept.
        self.offered.fetch_max(offered as u8, Ordering::Relaxed);
        session
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// No code panics while it holds one of these locks, and an incomplete change would only cost a
/// full handshake.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_can_be_resumed_more_than_once_and_the_oldest_of_data_connections_is_forgotten() {
        let map = Arc::default();
        let control = Arc::new(Sessions::of_a_new_owner(&map));
        assert!(control.put(b"control".to_vec(), b"first".to_vec()));
        let data = OfferedSessions::of(Arc::clone(&control));
        for number in 0..=DATA_SESSIONS {
            assert!(data.put(number.to_be_bytes().to_vec(), b"secret".to_vec()));
        }
        let last = DATA_SESSIONS.to_be_bytes();
        assert_eq!(control.take(&last), Some(b"secret".to_vec()));
        assert_eq!(control.take(&last), Some(b"secret".to_vec()));
        assert_eq!(control.get(&0_usize.to_be_bytes()), None);
        assert_eq!(data.take(b"control"), Some(b"first".to_vec()));
    }

    #[test]
    fn a_control_connection_makes_no_more_sessions_than_its_limit() {
        let map = Arc::default();
        let control = Sessions::of_a_new_owner(&map);
        let put = |number: usize| control.put(number.to_be_bytes().to_vec(), Vec::new());
        assert!((0..CONTROL_SESSIONS).all(put));
        assert!(!put(CONTROL_SESSIONS));
    }

    #[test]
    fn a_session_of_another_client_is_recognized_and_not_given_out() {
        let map = Arc::default();
        let [mine, yours] = [0, 1].map(|_| Arc::new(Sessions::of_a_new_owner(&map)));
        yours.put(b"key".to_vec(), b"secret".to_vec());
        let offered_sessions = OfferedSessions::of(mine);
        assert_eq!(offered_sessions.offered(), SessionOffered::None);
        assert_eq!(offered_sessions.take(b"nonsense"), None);
        assert_eq!(offered_sessions.offered(), SessionOffered::Unknown);
        assert_eq!(offered_sessions.take(b"key"), None);
        assert_eq!(offered_sessions.offered(), SessionOffered::Foreign);
        drop(yours);
        assert!(locked(&map.sessions).is_empty());
    }
}
