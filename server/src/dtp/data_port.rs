//! How data connections are made: to a listener of the server (PASV, EPSV) or of the client (PORT,
//! EPRT) (RFC 959 §3.2, RFC 2428).

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::data_tls::{DataProtection, Handshake};
use super::error::DataConnectionError;
use super::shared_ports::{SharedPort, SharedPorts, host_of, is_gone};
use super::stream::{Accepted, DataStream};
use crate::observe::sessions::SessionRecord;
use crate::observe::tap::Side;
use crate::passive_ports::PassivePorts;

/// The ports that are used by default: the dynamic ports (RFC 6335 §6).
const DYNAMIC_PORTS: RangeInclusive<u16> = 49152..=65535;
/// How many of them are tried.
const TRIES: u64 = 32;

/// One connection is expected; connections of third parties may come before it.
const BACKLOG: u32 = 16;

/// A listener for one data connection, or the connection that was accepted.
///
/// ```text
/// Listening --owner connects--> Connected --first octets, PROT P--> Handshaking --> Protected
///     ^ |
///     +-+ a third party connects: closed
/// ```
///
/// From PASV on it is polled by [`poll_ahead`](Self::poll_ahead), before the transfer command
/// comes: some clients complete the TLS handshake before they send the command.
#[derive(Debug)]
pub(crate) struct PassivePort {
    /// The host that may connect; the port means nothing.
    owner: SocketAddr,
    /// Where it listens.
    address: SocketAddr,
    session: Arc<SessionRecord>,
    state: State,
}

enum State {
    Listening(TcpListener),
    /// Listening at a port that other sessions share.
    Sharing(SharedPort),
    Connected(Accepted),
    Handshaking(Box<Handshake>),
    Ready(DataStream),
    Failed(DataConnectionError),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Listening(_) => "listening",
            Self::Sharing(_) => "sharing",
            Self::Connected(_) => "connected",
            Self::Handshaking(_) => "handshaking",
            Self::Ready(_) => "ready",
            Self::Failed(_) => "failed",
        })
    }
}

impl PassivePort {
    /// Listens at the host of `on` for a connection from that of `owner`, at one of `ports`. With
    /// [`PassivePorts::shared`] other sessions may wait at the same port, by way of `shared`.
    ///
    /// # Errors
    /// `AddrInUse` if no port is free, otherwise the error of the system.
    pub(crate) fn listen(
        on: SocketAddr,
        owner: SocketAddr,
        ports: &PassivePorts,
        shared: &Arc<SharedPorts>,
        session: &Arc<SessionRecord>,
    ) -> io::Result<(Self, SocketAddr)> {
        let owner = host_of(owner);
        let (state, address) = match ports.count() {
            Some(count) if ports.is_shared() => {
                let order = random_order(ports, count, count);
                let place = shared.wait_at((on, owner), order, listen_at)?;
                let address = place.address();
                (State::Sharing(place), address)
            }
            count => {
                let listener = match count {
                    None => listen_anywhere(on)?,
                    Some(count) => listen_in(on, ports, count, count)?,
                };
                let address = listener.local_addr()?;
                (State::Listening(listener), address)
            }
        };
        let port = Self {
            owner,
            address,
            session: Arc::clone(session),
            state,
        };
        Ok((port, address))
    }

    /// Does what can be done before the transfer command; `tls` if data connections are to be
    /// protected now.
    pub(crate) fn poll_ahead(&mut self, cx: &mut Context<'_>, tls: Option<&Arc<DataProtection>>) {
        while let Poll::Ready(Some(next)) = self.poll_step(cx, tls) {
            self.state = next;
        }
    }

    /// The data connection for a transfer that begins now.
    pub(crate) async fn into_stream(
        mut self,
        tls: Option<Arc<DataProtection>>,
        accept_time: Duration,
        handshake_time: Duration,
    ) -> Result<DataStream, DataConnectionError> {
        let accepted = std::future::poll_fn(|cx| {
            while let State::Listening(_) | State::Sharing(_) = self.state {
                match ready!(self.poll_step(cx, None)) {
                    Some(next) => self.state = next,
                    None => break,
                }
            }
            Poll::Ready(())
        });
        if timeout(accept_time, accepted).await.is_err() {
            return Err(DataConnectionError::Connection);
        }
        match (self.state, tls) {
            (State::Connected(accepted), None) => Ok(accepted.into()),
            (State::Connected(accepted), Some(tls)) => {
                protect(tls.begin(accepted), handshake_time).await
            }
            (State::Handshaking(handshake), Some(_)) => protect(*handshake, handshake_time).await,
            (State::Ready(stream), Some(_)) => Ok(stream),
            (State::Failed(why), _) => Err(why),
            // PROT C came after the handshake had begun.
            (State::Handshaking(_) | State::Ready(_), None) => Err(DataConnectionError::Protection),
            (State::Listening(_) | State::Sharing(_), _) => Err(DataConnectionError::Connection),
        }
    }

    /// Closes the port. A connection that was accepted is closed in an orderly way.
    pub(crate) fn close(self) {
        match self.state {
            State::Connected(accepted) => DataStream::from(accepted).refuse(),
            State::Ready(stream) => stream.refuse(),
            State::Handshaking(_) | State::Listening(_) | State::Sharing(_) | State::Failed(_) => {}
        }
    }

    /// The next state; `None` if there is nothing left to do.
    fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        tls: Option<&Arc<DataProtection>>,
    ) -> Poll<Option<State>> {
        Poll::Ready(match (&mut self.state, tls) {
            (State::Listening(listener), _) => loop {
                match ready!(listener.poll_accept(cx)) {
                    Ok((stream, from)) if host_of(from) == self.owner => {
                        let accepted = accepted(&self.session, stream, from, self.address);
                        break Some(State::Connected(accepted));
                    }
                    Ok((_, from)) => {
                        tracing::warn!(%from, "a third party on the data port was refused");
                    }
                    // The connection was gone before we took it.
                    Err(error) if is_gone(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "failed to accept a data connection");
                        break Some(State::Failed(DataConnectionError::Connection));
                    }
                }
            },
            (State::Sharing(place), _) => Some(match ready!(place.poll_connection(cx)) {
                Some(stream) => {
                    let from = stream.peer_addr().unwrap_or(self.owner);
                    State::Connected(accepted(&self.session, stream, from, self.address))
                }
                None => State::Failed(DataConnectionError::Connection),
            }),
            (State::Connected(accepted), Some(tls)) => {
                // Only when the client has begun: until then PROT C may still come.
                let _ = ready!(accepted.stream.poll_read_ready(cx));
                let connected = std::mem::replace(
                    &mut self.state,
                    State::Failed(DataConnectionError::Connection),
                );
                let State::Connected(accepted) = connected else {
                    return Poll::Ready(Some(connected));
                };
                Some(State::Handshaking(Box::new(tls.begin(accepted))))
            }
            (State::Handshaking(handshake), _) => {
                Some(match ready!(Pin::new(handshake.as_mut()).poll(cx)) {
                    Ok(stream) => State::Ready(stream),
                    Err(why) => State::Failed(why),
                })
            }
            (State::Connected(_), None) | (State::Ready(_) | State::Failed(_), _) => None,
        })
    }
}

/// A connection of the client to a passive port.
fn accepted(
    session: &SessionRecord,
    stream: TcpStream,
    from: SocketAddr,
    to: SocketAddr,
) -> Accepted {
    let channel = session.open_data(Side::Client, from, to);
    Accepted { stream, channel }
}

/// Connects to the client's data port, from the address its control connection reached; port 0 is
/// any free port.
pub(crate) async fn connect(
    from: SocketAddr,
    to: SocketAddr,
    tls: Option<Arc<DataProtection>>,
    session: &SessionRecord,
    connect_time: Duration,
    handshake_time: Duration,
) -> Result<DataStream, DataConnectionError> {
    let connecting = async {
        let socket = match to {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if from.is_ipv4() == to.is_ipv4() {
            // Connections of other sessions, open or closed, use the same port.
            if from.port() != 0 {
                socket.set_reuseaddr(true)?;
            }
            socket.bind(from)?;
        }
        socket.connect(to).await
    };
    let stream = match timeout(connect_time, connecting).await {
        Ok(Ok(stream)) => stream,
        // The client took the connection and reset it at once.
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
            return Err(DataConnectionError::Lost);
        }
        Ok(Err(error)) => {
            tracing::debug!(%to, %error, "failed to connect to the client's data port");
            return Err(DataConnectionError::Connection);
        }
        Err(_) => return Err(DataConnectionError::Connection),
    };
    let local = stream.local_addr().unwrap_or(from);
    let channel = session.open_data(Side::Server, to, local);
    let accepted = Accepted { stream, channel };
    match tls {
        None => Ok(accepted.into()),
        Some(tls) => protect(tls.begin(accepted), handshake_time).await,
    }
}

async fn protect(
    mut handshake: Handshake,
    time: Duration,
) -> Result<DataStream, DataConnectionError> {
    match timeout(time, &mut handshake).await {
        Ok(outcome) => outcome,
        Err(_) => {
            handshake.timed_out();
            Err(DataConnectionError::Protection)
        }
    }
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A port may have closed connections lingering on it.
    if cfg!(unix) && address.port() != 0 {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Listens at a random port. For port 0 the system looks for a port without connections in
/// TIME_WAIT, which takes milliseconds if there are many, and fails if there is no such port.
fn listen_anywhere(mut on: SocketAddr) -> io::Result<TcpListener> {
    let ports = PassivePorts::from(DYNAMIC_PORTS);
    let drawn = ports
        .count()
        .and_then(|count| listen_in(on, &ports, count, TRIES).ok());
    on.set_port(0);
    drawn.map_or_else(|| listen_at(on), Ok)
}

/// Listens at the first port that is free.
fn listen_in(
    mut on: SocketAddr,
    ports: &PassivePorts,
    count: u64,
    tries: u64,
) -> io::Result<TcpListener> {
    let mut failure = io::ErrorKind::AddrInUse.into();
    for port in random_order(ports, count, tries) {
        on.set_port(port);
        match listen_at(on) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            // It says more than `AddrInUse`.
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The first `tries` of the `count` ports, each once, from a random one on: an attacker who can
/// guess the next port can steal the connection (RFC 2577 §3).
fn random_order(
    ports: &PassivePorts,
    count: u64,
    tries: u64,
) -> impl Iterator<Item = u16> + use<'_> {
    // Small enough not to overflow, random enough not to be guessed.
    let start = RandomState::new().build_hasher().finish() >> 1;
    (0..tries).filter_map(move |step| ports.nth((start + step) % count))
}
