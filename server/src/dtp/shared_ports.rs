//! Passive ports that sessions of different clients share: one listener for each port, and each
//! connection is given to the session of its client.
//!
//! A container or a firewall often opens very few ports. A port for each transfer would limit a
//! server to as many transfers at a time; but sessions can also be distinguished by the address of
//! the client. Two sessions of one client cannot be, so they never wait at the same port at the
//! same time.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};

/// The pause after a connection could not be accepted, most likely because there are no file
/// descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The listeners of a server whose passive ports are shared.
#[derive(Debug, Default)]
pub(crate) struct SharedPorts(Mutex<HashMap<SocketAddr, Waiting>>);

/// The sessions that wait at one port.
#[derive(Debug)]
struct Waiting {
    /// By their hosts ([`host_of`]).
    clients: HashMap<SocketAddr, oneshot::Sender<TcpStream>>,
    /// Wakes the task that accepts connections when no session waits any more.
    given_up: Arc<Notify>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.given_up.notify_one();
    }
}

/// The use of a shared port by one session; released when dropped.
#[derive(Debug)]
pub(crate) struct SharedPort {
    at: SocketAddr,
    client: SocketAddr,
    ports: Weak<SharedPorts>,
    connection: oneshot::Receiver<TcpStream>,
}

impl SharedPorts {
    /// Takes a port of `on`, chosen by `order`, for a connection from `client`.
    ///
    /// # Errors
    /// `AddrInUse` if this client waits at every port already; the error of the last port that
    /// cannot be listened at.
    pub(super) fn wait_at(
        self: &Arc<Self>,
        (mut on, client): (SocketAddr, SocketAddr),
        order: impl Iterator<Item = u16>,
        listen: impl Fn(SocketAddr) -> io::Result<TcpListener>,
    ) -> io::Result<SharedPort> {
        let mut failure = io::ErrorKind::AddrInUse.into();
        let mut waiting = self.waiting();
        for port in order {
            on.set_port(port);
            let at = on;
            let (sender, connection) = oneshot::channel();
            match waiting.get_mut(&at) {
                Some(others) if others.clients.contains_key(&client) => continue,
                Some(others) => {
                    others.clients.insert(client, sender);
                }
                None => {
                    let listener = match listen(at) {
                        Ok(listener) => listener,
                        Err(error) => {
                            failure = error;
                            continue;
                        }
                    };
                    let given_up = Arc::new(Notify::new());
                    let ports = Arc::downgrade(self);
                    tokio::spawn(accept(listener, at, ports, Arc::clone(&given_up)));
                    let clients = HashMap::from([(client, sender)]);
                    waiting.insert(at, Waiting { clients, given_up });
                }
            }
            return Ok(SharedPort {
                at,
                client,
                ports: Arc::downgrade(self),
                connection,
            });
        }
        Err(failure)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<SocketAddr, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a connection to the session that waits for its client; returns it if there is none.
    fn deliver(
        &self,
        at: SocketAddr,
        stream: TcpStream,
        from: SocketAddr,
    ) -> Result<(), TcpStream> {
        let mut waiting = self.waiting();
        match waiting
            .get_mut(&at)
            .and_then(|here| here.clients.remove(&from))
        {
            Some(session) => session.send(stream),
            None => Err(stream),
        }
    }
}

/// Accepts connections at a shared port until no session waits there, or the server ends.
async fn accept(
    listener: TcpListener,
    at: SocketAddr,
    ports: Weak<SharedPorts>,
    given_up: Arc<Notify>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => Some(accepted),
            () = given_up.notified() => None,
        };
        let Some(ports) = ports.upgrade() else {
            return;
        };
        match accepted {
            None => {
                // The listener is dropped under the lock: the next session finds either it or a
                // free port.
                let mut waiting = ports.waiting();
                if waiting.get(&at).is_some_and(|here| here.clients.is_empty()) {
                    drop(listener);
                    waiting.remove(&at);
                    return;
                }
            }
            Some(Ok((stream, from))) => {
                if ports.deliver(at, stream, host_of(from)).is_err() {
                    tracing::warn!(%from, "a third party on a shared data port was refused");
                }
            }
            Some(Err(error)) if is_gone(&error) => {}
            Some(Err(error)) => {
                tracing::warn!(%error, "failed to accept a data connection");
                drop(ports);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl SharedPort {
    pub(super) fn address(&self) -> SocketAddr {
        self.at
    }

    /// The connection of the session's client; an error if there will be none.
    pub(super) fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<Option<TcpStream>> {
        std::pin::Pin::new(&mut self.connection)
            .poll(cx)
            .map(Result::ok)
    }
}

impl Drop for SharedPort {
    fn drop(&mut self) {
        let Some(ports) = self.ports.upgrade() else {
            return;
        };
        // Closed first: a newer place of the same client must not be removed.
        self.connection.close();
        let mut waiting = ports.waiting();
        let Some(here) = waiting.get_mut(&self.at) else {
            return;
        };
        if here
            .clients
            .get(&self.client)
            .is_some_and(oneshot::Sender::is_closed)
        {
            here.clients.remove(&self.client);
        }
        if here.clients.is_empty() {
            here.given_up.notify_one();
        }
    }
}

/// The host of an address, to be compared: without its port. A link-local address is another host
/// in another zone.
pub(super) fn host_of(address: SocketAddr) -> SocketAddr {
    let zone = match address {
        SocketAddr::V6(address) if address.ip().is_unicast_link_local() => address.scope_id(),
        SocketAddr::V4(_) | SocketAddr::V6(_) => 0,
    };
    match address.ip().to_canonical() {
        IpAddr::V6(ip) => SocketAddrV6::new(ip, 0, 0, zone).into(),
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, 0),
    }
}

/// Whether a connection was gone before it was accepted.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionAborted
}
