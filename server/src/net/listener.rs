//! The listeners: they admit clients, and start their control connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::client_limits::Refusal;
use super::connection::Connection;
use super::proxy_protocol::read_header;
use super::shared::{Shared, Slot};
use crate::error::StartError;
use crate::pi::{Link, Setup, TlsPolicy};
use crate::wire::Reply;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Ports tried until one is free on both loopback addresses.
const LOOPBACK_TRIES: u32 = 32;
/// The pause after accepting failed, most likely because there are no file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// How long the sessions that a stop cuts off have to send their last replies.
const LAST_REPLIES: Duration = Duration::from_secs(1);

/// Serves a listener. The connections belong to this task: they end when it is aborted.
pub(super) async fn accept(listener: TcpListener, setup: Arc<Setup>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let stop = Arc::clone(&shared.stop).notified_owned();
    let mut stop = std::pin::pin!(stop);
    while !shared.is_stopping() {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let slot = match Slot::take(&shared) {
                        Ok(slot) => slot,
                        Err(refusal) => {
                            refuse(&stream, &setup, peer, refusal);
                            continue;
                        }
                    };
                    if shared.proxy_protocol_from.iter().any(|network| network.contains(peer.ip())) {
                        connections.spawn(serve_proxied(stream, peer, Arc::clone(&setup), slot));
                    } else if let Some(connection) = settle(stream, peer, &setup, slot) {
                        connections.spawn(connection.run());
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a control connection");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            },
            Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
            () = &mut stop => break,
        }
    }
    drop(listener);
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    let mut drained = std::pin::pin!(drained);
    if timeout(shared.limits.stop, &mut drained).await.is_err() {
        tracing::warn!("transfers are cut off by the stop");
        shared.cut();
        // Sessions that remain wait for the storage, or their clients do not read: they are
        // dropped.
        let _ = timeout(LAST_REPLIES, drained).await;
    }
}

/// Reads the address of the client from a load balancer, and serves the client.
async fn serve_proxied(mut stream: TcpStream, peer: SocketAddr, setup: Arc<Setup>, slot: Slot) {
    let limit = slot.shared.limits.handshake;
    let client = match timeout(limit, read_header(&mut stream)).await {
        Ok(Ok(client)) => client.unwrap_or(peer),
        Ok(Err(error)) => {
            tracing::warn!(%peer, %error, "a load balancer did not say whose connection it is");
            return;
        }
        Err(_) => {
            tracing::warn!(%peer, "a load balancer sent no PROXY header");
            return;
        }
    };
    if let Some(connection) = settle(stream, client, &setup, slot) {
        Box::pin(connection.run()).await;
    }
}

/// Starts the control connection of a client, if the client is admitted.
fn settle(
    stream: TcpStream,
    peer: SocketAddr,
    setup: &Arc<Setup>,
    mut slot: Slot,
) -> Option<Connection> {
    if let Err(refusal) = slot.admit(peer.ip()) {
        refuse(&stream, setup, peer, refusal);
        return None;
    }
    match prepare(&stream, peer, setup) {
        Ok(link) => Some(Connection::new(stream, link, Arc::clone(setup), slot)),
        Err(error) => {
            tracing::debug!(%peer, %error, "a connection was gone at once");
            None
        }
    }
}

/// Logs a connection that panicked, a defect of the server that does not affect others.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a control connection failed");
    }
}

fn prepare(stream: &TcpStream, peer: SocketAddr, setup: &Setup) -> io::Result<Link> {
    stream.set_nodelay(true)?;
    // The last octet of an ABOR that is sent as urgent data is its LF (RFC 959 §4.1.3, RFC 854
    // Synch).
    SockRef::from(stream).set_out_of_band_inline(true)?;
    Ok(Link {
        local: canonical(stream.local_addr()?),
        peer: canonical(peer),
        protected: setup.tls == TlsPolicy::Implicit,
    })
}

/// Refuses a client with 421, which may answer the connection itself (RFC 959 §5.4).
fn refuse(stream: &TcpStream, setup: &Setup, peer: SocketAddr, refusal: Refusal) {
    tracing::warn!(%peer, "{}", refusal.text());
    if setup.tls != TlsPolicy::Implicit {
        let mut reply = Vec::new();
        Reply::line(421, refusal.text()).encode(&mut reply);
        // It fits into the empty send buffer of a new connection; otherwise it is lost.
        let _ = stream.try_write(&reply);
    }
}

/// IPv4 clients of an IPv6 listener are IPv4 clients: PASV serves them, and PORT. An IPv6 address
/// keeps its zone.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

pub(super) fn any() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)
}

pub(super) fn listen_error(address: SocketAddr) -> impl FnOnce(io::Error) -> StartError + Copy {
    move |source| StartError::Listen { address, source }
}

pub(super) fn listen_at_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, StartError> {
    addresses
        .iter()
        .map(|address| listen(*address).map_err(listen_error(*address)))
        .collect()
}

/// The listeners of the embedder. The descriptors are duplicated: a builder may start several
/// times.
pub(super) fn handed_in(
    listeners: &[Arc<std::net::TcpListener>],
) -> Result<Vec<TcpListener>, StartError> {
    let usable = |listener: &Arc<std::net::TcpListener>| {
        let own = listener.try_clone()?;
        own.set_nonblocking(true)?;
        TcpListener::from_std(own)
    };
    let usable = listeners.iter().map(usable);
    usable
        .collect::<io::Result<_>>()
        .map_err(StartError::Listener)
}

/// 127.0.0.1 and ::1 at the same port, so that "localhost" works with either address.
pub(super) fn listen_on_loopback(port: u16) -> Result<Vec<TcpListener>, StartError> {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    for _ in 0..LOOPBACK_TRIES {
        let first = listen(v4).map_err(listen_error(v4))?;
        let port = first.local_addr().map_err(listen_error(v4))?.port();
        match listen(SocketAddr::from((Ipv6Addr::LOCALHOST, port))) {
            Ok(second) => return Ok(vec![first, second]),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            // No IPv6 here.
            Err(_) => return Ok(vec![first]),
        }
    }
    Ok(vec![listen(v4).map_err(listen_error(v4))?])
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() && !address.ip().is_unspecified() {
        socket.set_only_v6(true)?;
    }
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}
