//! What the proxy reports of a session while it runs: octets and connections of both legs.

use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::Bytes;

pub(crate) use crate::transcript::Leg;
use crate::transcript::{CloseKind, DataMode, TlsFacts};

/// A channel of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Channel {
    /// The control connection.
    Control,
    /// A data connection, counted from 1.
    Data(u32),
}

/// Something that was seen on one leg of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sighting<'a> {
    /// The connection stands.
    Opened {
        /// The address of the proxy.
        ours: SocketAddr,
        /// The address of the client or server.
        theirs: SocketAddr,
        /// How a data connection was prepared.
        mode: Option<DataMode>,
    },
    /// It could not be made, or its TLS handshake failed.
    Failed(&'a str),
    /// TLS has begun.
    TlsStarted(&'a TlsFacts),
    /// TLS has ended, and the connection goes on in clear.
    TlsEnded,
    /// Octets the client or server sent on the control connection, after TLS.
    Received(&'a [u8]),
    /// Octets the client or server sent on a data connection, after TLS.
    Data(&'a Bytes),
    /// The first of the octets that the proxy sends next is urgent data.
    Urgent,
    /// Octets the proxy sent, after TLS.
    Sent(&'a [u8]),
    /// The client or server ended its direction.
    Ended(CloseKind),
    /// A fault of the plan is injected, in the syntax of a plan.
    Fault(&'a str),
}

/// Sees a session as it happens. Called from the tasks of the session, so it must not wait.
pub(crate) trait Observer: Send + Sync {
    /// Something was seen.
    fn see(&self, leg: Leg, channel: Channel, sighting: &Sighting<'_>);

    /// Ready when more octets of data connections can be taken.
    fn poll_ready(&self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// The session has ended.
    fn ended(&self) {}
}

/// Observes nothing.
impl Observer for () {
    fn see(&self, _: Leg, _: Channel, _: &Sighting<'_>) {}
}
