//! The TLS of data connections: whose sessions they resume, and what is asked of them (RFC 4217 §10.2, §15.1.2).

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use rustls::server::StoresServerSessions;
use rustls::{HandshakeKind, ServerConfig, ServerConnection};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::{Accept, TlsAcceptor};

use super::port::NoStream;
use super::stream::DataStream;
use crate::pi::SessionOffered;

/// Sessions one control connection may keep for its data connections. A client needs one or two.
const SESSIONS_PER_CONNECTION: usize = 32;

/// Whether data connections have to resume the TLS session of their control connection (RFC 4217 §10.2).
///
/// It shows that both come from the same client. But many clients cannot do it (Python's ftplib, Java, Erlang), so it is
/// never asked for by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionReuse {
    /// Those that do resume, others do not.
    #[default]
    Off,
    /// Those that do not are logged, with the reason.
    Warn,
    /// Those that do not are answered 522, with the reason.
    Require,
}

/// What is asked of a data connection beside a good handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Terms {
    pub(crate) reuse: SessionReuse,
    /// An upload may end without close_notify.
    pub(crate) lenient: bool,
    /// The fingerprint of the client's certificate on the control connection: a data connection may not show another.
    pub(crate) client: Option<[u8; 32]>,
}

/// The protection of the data connections of one control connection.
#[derive(Debug)]
pub(crate) struct DataProtection {
    config: Arc<ServerConfig>,
    sessions: Arc<Sessions>,
    terms: Terms,
}

impl DataProtection {
    pub(crate) fn new(config: ServerConfig, sessions: Arc<Sessions>, terms: Terms) -> Self {
        Self {
            config: Arc::new(config),
            sessions,
            terms,
        }
    }

    /// Begins the handshake. We are the TLS server whoever connected (RFC 4217 §7).
    pub(crate) fn begin(self: &Arc<Self>, stream: TcpStream) -> Handshake {
        let witness = (self.terms.reuse != SessionReuse::Off).then(|| {
            Arc::new(Witness {
                sessions: Arc::clone(&self.sessions),
                offered: AtomicU8::new(SessionOffered::None as u8),
            })
        });
        let config = match &witness {
            None => Arc::clone(&self.config),
            Some(witness) => {
                let mut config = ServerConfig::clone(&self.config);
                config.session_storage = Arc::clone(witness) as _;
                Arc::new(config)
            }
        };
        Handshake {
            accept: TlsAcceptor::from(config).accept(stream),
            protection: Arc::clone(self),
            witness,
        }
    }

    /// TLS 1.3 tickets that are sent.
    #[cfg(test)]
    pub(crate) fn tickets(&self) -> usize {
        self.config.send_tls13_tickets
    }

    fn judge(
        &self,
        connection: &ServerConnection,
        witness: Option<&Witness>,
    ) -> Result<(), NoStream> {
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        if let (Some(client), Some(shown)) = (self.terms.client, shown)
            && <[u8; 32]>::from(Sha256::digest(shown)) != client
        {
            tracing::warn!("a data connection showed another client's certificate");
            return Err(NoStream::OtherClient);
        }
        let kind = connection.handshake_kind();
        tracing::debug!(?kind, "a data connection is protected");
        match witness {
            Some(witness) if kind != Some(HandshakeKind::Resumed) => {
                let offered = witness.offered();
                tracing::warn!(
                    ?offered,
                    "a data connection did not resume the session of its control connection"
                );
                if self.terms.reuse == SessionReuse::Require {
                    return Err(NoStream::NotResumed(offered));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// A handshake under way; gives the data connection.
pub(crate) struct Handshake {
    accept: Accept<TcpStream>,
    protection: Arc<DataProtection>,
    witness: Option<Arc<Witness>>,
}

impl Future for Handshake {
    type Output = Result<DataStream, NoStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = match ready!(Pin::new(&mut self.accept).poll(cx)) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "the TLS handshake of a data connection failed");
                return Poll::Ready(Err(NoStream::Protection));
            }
        };
        let witness = self.witness.as_deref();
        Poll::Ready(match self.protection.judge(stream.get_ref().1, witness) {
            Ok(()) => Ok(DataStream::Tls {
                stream: Box::new(stream),
                lenient: self.protection.terms.lenient,
            }),
            Err(why) => {
                // Without close_notify, so that it does not look like an empty file.
                DataStream::Clear(stream.into_inner().0).refuse();
                Err(why)
            }
        })
    }
}

/// The TLS sessions of all control connections of a server, each with its owner: a session of somebody else's can be told
/// from none.
#[derive(Debug, Default)]
pub(crate) struct SessionMap {
    sessions: Mutex<HashMap<Vec<u8>, Owned>>,
    owners: AtomicU64,
}

/// A session and its owner.
type Owned = (u64, Vec<u8>);

/// The sessions of one control connection and its data connections. Nobody else can resume them, and they end with it.
#[derive(Debug)]
pub(crate) struct Sessions {
    map: Arc<SessionMap>,
    owner: u64,
    /// The keys of its own, the oldest first.
    keys: Mutex<VecDeque<Vec<u8>>>,
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
}

impl Drop for Sessions {
    fn drop(&mut self) {
        let mut sessions = locked(&self.map.sessions);
        for key in locked(&self.keys).drain(..) {
            sessions.remove(&key);
        }
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let mut keys = locked(&self.keys);
        let mut sessions = locked(&self.map.sessions);
        if keys.len() == SESSIONS_PER_CONNECTION
            && let Some(oldest) = keys.pop_front()
        {
            sessions.remove(&oldest);
        }
        keys.push_back(key.clone());
        sessions.insert(key, (self.owner, value));
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.look_up(key).1
    }

    /// Gives the session out and keeps it: OpenSSL clients present the ticket of the control connection again and again,
    /// once for every data connection.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// The sessions, for one handshake of which we want to know what it offered.
#[derive(Debug)]
struct Witness {
    sessions: Arc<Sessions>,
    /// A [`SessionOffered`].
    offered: AtomicU8,
}

impl Witness {
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

impl StoresServerSessions for Witness {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.sessions.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let (offered, session) = self.sessions.look_up(key);
        // Of several that were offered the one that comes closest counts.
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

/// Nothing panics while it holds one of these locks, and a half-done change would only cost a full handshake.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_can_be_resumed_more_than_once_and_the_oldest_is_forgotten() {
        let map = Arc::default();
        let sessions = Sessions::of_a_new_owner(&map);
        for number in 0..=SESSIONS_PER_CONNECTION {
            assert!(sessions.put(number.to_be_bytes().to_vec(), b"secret".to_vec()));
        }
        let last = SESSIONS_PER_CONNECTION.to_be_bytes();
        assert_eq!(sessions.take(&last), Some(b"secret".to_vec()));
        assert_eq!(sessions.take(&last), Some(b"secret".to_vec()));
        assert_eq!(sessions.get(&0_usize.to_be_bytes()), None);
    }

    #[test]
    fn somebody_elses_session_is_seen_and_not_given_out() {
        let map = Arc::default();
        let [mine, yours] = [0, 1].map(|_| Arc::new(Sessions::of_a_new_owner(&map)));
        yours.put(b"key".to_vec(), b"secret".to_vec());
        let witness = Witness {
            sessions: mine,
            offered: AtomicU8::new(SessionOffered::None as u8),
        };
        assert_eq!(witness.offered(), SessionOffered::None);
        assert_eq!(witness.take(b"nonsense"), None);
        assert_eq!(witness.offered(), SessionOffered::Unknown);
        assert_eq!(witness.take(b"key"), None);
        assert_eq!(witness.offered(), SessionOffered::Foreign);
        drop(yours);
        assert!(locked(&map.sessions).is_empty());
    }
}
