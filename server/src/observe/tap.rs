//! The tap: what is on the wire of each session, as it happens. It reports octets as they are
//! before encryption and after decryption, and the beginning and end of both kinds of connection.
//!
//! A transcript of a session, seen from the server, is written from it. The
//! [journal](super::journal) says what the server decided; both take the facts of a connection from
//! the same place, and name data connections by the same numbers.
//!
//! Passwords are not removed: the lines of PASS and ACCT are octets like all others, and may come
//! in several pieces. Whoever stores or shows what the tap reports has to mask them.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

pub use super::wire_facts::{Side, StreamEnd, TlsFacts};

/// Receives what is on the wire.
pub trait Tap: Send + Sync + fmt::Debug + 'static {
    /// Something has happened on a connection of a session.
    ///
    /// Called by the task of the session at the time it happens, in the order of each connection:
    /// `Opened` first, `Ended` at most once for each side, and nothing after the end of both. The
    /// task waits until this returns, so it must not block. Sessions call it at the same time.
    fn observe(&self, observation: &Observation<'_>);
}

impl<T: Tap + ?Sized> Tap for Arc<T> {
    fn observe(&self, observation: &Observation<'_>) {
        (**self).observe(observation);
    }
}

/// One fact, and where it was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observation<'a> {
    /// The session: [`SessionInfo::id`](crate::SessionInfo::id).
    pub session: u64,
    /// The connection of the session.
    pub channel: ChannelId,
    /// The fact.
    pub fact: WireFact<'a>,
}

/// A connection of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChannelId {
    /// The control connection.
    Control,
    /// A data connection, numbered from 1 in the order in which the session got them. One that no
    /// transfer used is counted, too.
    Data(u64),
}

/// A fact of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireFact<'a> {
    /// The connection is open.
    Opened {
        /// The side that connected.
        by: Side,
        /// The address of the client.
        client: SocketAddr,
        /// The address of the server.
        server: SocketAddr,
    },
    /// The connection is protected from here on.
    TlsStarted(&'a TlsFacts),
    /// The TLS handshake failed; the connection ends.
    TlsFailed {
        /// Why.
        error: &'a str,
    },
    /// The control connection is in the clear again: CCC, REIN.
    TlsEnded,
    /// Octets were sent or received. Telnet commands are among them. Each piece is one read or
    /// write of the server; pieces are not TCP segments.
    Octets {
        /// The side that sent them.
        from: Side,
        /// The octets; under TLS the plaintext.
        octets: &'a [u8],
    },
    /// The first octet of the next `Octets` from the client was sent as urgent data (TCP URG). Only
    /// reported on Linux, and only of a control connection in the clear.
    Urgent,
    /// One side has ended what it sends; [`StreamEnd::Reset`], [`StreamEnd::TimedOut`] and
    /// [`StreamEnd::Closed`] end both directions.
    Ended {
        /// The side that did.
        by: Side,
        /// How.
        how: StreamEnd,
    },
}

/// The tap of a server, if it has one.
pub(crate) type SharedTap = Option<Arc<dyn Tap>>;

/// A connection of a session: reports its facts to the tap, and keeps its first end for the
/// journal.
#[derive(Debug)]
pub(crate) struct Channel {
    session: u64,
    id: ChannelId,
    tap: SharedTap,
    first_end: OnceLock<(Side, StreamEnd)>,
    /// The sides that have ended: bit 0 the server, bit 1 the client.
    ended: AtomicU8,
}

impl Channel {
    /// A connection that has not been [opened](Self::opened) yet.
    pub(crate) fn new(session: u64, id: ChannelId, tap: SharedTap) -> Self {
        Self {
            session,
            id,
            tap,
            first_end: OnceLock::new(),
            ended: AtomicU8::new(0),
        }
    }

    /// The number of a data connection; 0 for the control connection.
    pub(crate) fn number(&self) -> u64 {
        match self.id {
            ChannelId::Control => 0,
            ChannelId::Data(number) => number,
        }
    }

    /// Whether anything reads the octets.
    pub(crate) fn is_tapped(&self) -> bool {
        self.tap.is_some()
    }

    /// Reports that the connection is open.
    pub(crate) fn opened(&self, by: Side, client: SocketAddr, server: SocketAddr) {
        self.report(WireFact::Opened { by, client, server });
    }

    /// Reports octets.
    pub(crate) fn octets(&self, from: Side, octets: &[u8]) {
        if !octets.is_empty() {
            self.report(WireFact::Octets { from, octets });
        }
    }

    /// Reports a fact that is not an end.
    pub(crate) fn report(&self, fact: WireFact<'_>) {
        if let Some(tap) = &self.tap {
            tap.observe(&Observation {
                session: self.session,
                channel: self.id,
                fact,
            });
        }
    }

    /// Records that a side has ended what it sends. Only the first end of each side counts, and
    /// none after one that ended both.
    pub(crate) fn ended(&self, by: Side, how: StreamEnd) {
        let side = match by {
            Side::Server => 1,
            Side::Client => 2,
        };
        let ends = match how {
            StreamEnd::Reset | StreamEnd::TimedOut | StreamEnd::Closed => 3,
            _ => side,
        };
        if self.ended.fetch_or(ends, Ordering::AcqRel) & side == 0 {
            let _ = self.first_end.set((by, how));
            self.report(WireFact::Ended { by, how });
        }
    }

    /// Reports that the TLS handshake failed, and what that says about the client.
    pub(crate) fn handshake_failed(&self, error: &io::Error) {
        let text = error.to_string();
        self.report(WireFact::TlsFailed { error: &text });
        if error.kind() == ErrorKind::UnexpectedEof {
            self.ended(Side::Client, StreamEnd::Fin);
        } else {
            self.failed(error, false);
        }
    }

    /// Records that a side has ended what it sends in an orderly way.
    pub(crate) fn finished(&self, by: Side, protected: bool) {
        let how = if protected {
            StreamEnd::CloseNotify
        } else {
            StreamEnd::Fin
        };
        self.ended(by, how);
    }

    /// Records what an error of reading or writing says about the client.
    pub(crate) fn failed(&self, error: &io::Error, protected: bool) {
        match error.kind() {
            ErrorKind::UnexpectedEof if protected => {
                self.ended(Side::Client, StreamEnd::MissingCloseNotify);
            }
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                self.ended(Side::Client, StreamEnd::Reset);
            }
            // TLS that cannot be read, or an error of this host: the server closes the connection.
            _ => {}
        }
    }

    /// The end that came first: who ended the connection, and how.
    pub(crate) fn first_end(&self) -> Option<(Side, StreamEnd)> {
        self.first_end.get().copied()
    }
}

/// A connection that is open. Dropped before the server has ended it, it is [`StreamEnd::Closed`].
#[derive(Debug)]
pub(crate) struct OpenChannel(pub(crate) Arc<Channel>);

impl std::ops::Deref for OpenChannel {
    type Target = Arc<Channel>;

    fn deref(&self) -> &Arc<Channel> {
        &self.0
    }
}

impl Drop for OpenChannel {
    fn drop(&mut self) {
        self.0.ended(Side::Server, StreamEnd::Closed);
    }
}
