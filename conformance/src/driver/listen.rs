//! Listening sockets on random ports.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use tokio::net::{TcpListener, TcpSocket};

/// The dynamic ports (RFC 6335 §6), without the last.
const DYNAMIC: Range<u16> = 49152..65535;
/// The number of ports that are tried.
const TRIES: u64 = 32;
/// The backlog.
const BACKLOG: u32 = 16;

/// Listens on this address, on a free port.
///
/// For port 0 a host searches for a port without connections in TIME_WAIT. A run leaves ten
/// thousand of them: the search would take milliseconds, and finally fail.
///
/// # Errors
/// If the operating system refuses.
pub(crate) fn listen(mut on: SocketAddr) -> io::Result<TcpListener> {
    let drawn = draw(DYNAMIC).filter_map(|port| {
        on.set_port(port);
        listen_at(on).ok()
    });
    if let Some(listener) = { drawn }.next() {
        return Ok(listener);
    }
    on.set_port(0);
    listen_at(on)
}

/// Some of these ports, consecutive from a random one.
pub(crate) fn draw(ports: Range<u16>) -> impl Iterator<Item = u16> {
    let start = RandomState::new().build_hasher().finish();
    let count = u64::from(ports.end - ports.start);
    (0..TRIES)
        .filter_map(move |step| u16::try_from(start.wrapping_add(step) % count).ok())
        .map(move |step| ports.start + step)
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // On other systems this option would let two sockets listen on one port.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn a_drawn_port_is_free() {
        let on = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listeners = (0..200).map(|_| listen(on).unwrap());
        let listeners: Vec<_> = listeners.collect();
        let ports = listeners.iter().map(|it| it.local_addr().unwrap().port());
        assert_eq!(ports.collect::<BTreeSet<_>>().len(), listeners.len());
    }
}
