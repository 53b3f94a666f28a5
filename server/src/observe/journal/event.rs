//! The events of a session.

use std::net::SocketAddr;
use std::time::SystemTime;

use serde::Serialize;

use crate::observe::wire_facts::{DataMode, Side, StreamEnd, TlsFacts};
use crate::storage::{Change, VirtualPath};
use crate::text::{as_text, optional_octets, rfc3339};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// Counts the events of the journal, from 1, without a gap.
    pub number: u64,
    /// Which session: its [`SessionInfo::id`](crate::observe::hooks::SessionInfo::id).
    pub session: u64,
    /// Counts the events of the session, from 1, without a gap.
    pub order: u64,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub time: SystemTime,
    /// What.
    #[serde(flatten)]
    pub what: EventKind,
}

/// What happened.
///
/// Octets of the client (lines, names) stay octets. As JSON they are text in which everything but
/// printable ASCII is written `\xNN`, a backslash `\\`: the same form as in transcripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A control connection was accepted.
    Connected {
        /// The client's address.
        peer: SocketAddr,
        /// The address of the server that it connected to.
        local: SocketAddr,
    },
    /// The control connection is protected from here on.
    TlsStarted(Box<TlsFacts>),
    /// The TLS handshake of the control connection failed; it ends.
    HandshakeFailed {
        /// Why.
        error: String,
    },
    /// The control connection is in the clear again (CCC, REIN).
    TlsEnded,
    /// A line of the client.
    Command {
        /// The line without its line end. What is or may be a password is `***`.
        #[serde(serialize_with = "as_text")]
        line: Vec<u8>,
    },
    /// A line of the client that is not a command: too long, or with NUL or a bare CR.
    NoCommand {
        /// Whether it was too long.
        overlong: bool,
    },
    /// A reply of the server.
    Reply {
        /// The three digits.
        code: u16,
        /// The lines without codes, joined by LF, truncated to [`MAX_TEXT`] octets.
        #[serde(serialize_with = "as_text")]
        text: Vec<u8>,
    },
    /// A user is logged in.
    LoggedIn {
        /// Who.
        user: String,
    },
    /// A login was refused.
    LoginRefused {
        /// The name that USER gave.
        #[serde(serialize_with = "as_text")]
        user: Vec<u8>,
    },
    /// A transfer has its data connection.
    DataOpened {
        /// Which data connection of the session, as the [tap](crate::observe::tap) counts them.
        connection: u64,
        /// Who connected to whom.
        mode: DataMode,
        /// The client's end.
        peer: Option<SocketAddr>,
        /// TLS, if it is protected.
        tls: Option<Box<TlsFacts>>,
    },
    /// The data connection of a transfer is closed.
    DataClosed {
        /// Which data connection of the session.
        connection: u64,
        /// The side that ended its sending first.
        by: Side,
        /// How it ended it.
        how: StreamEnd,
    },
    /// A transfer was requested and starts.
    TransferStarted {
        /// The command that did.
        verb: String,
        /// The file or directory; for STOU the directory or the requested name.
        path: VirtualPath,
    },
    /// A transfer ended.
    TransferEnded(Box<TransferFacts>),
    /// A fault of the plan was injected (see [`fault`](crate::fault)).
    FaultInjected {
        /// Which, counted from 1 in the order of the plan.
        number: usize,
        /// The fault as it is written.
        fault: String,
        /// The line of the command, as in [`Command`](Self::Command); `None` at connecting and in a
        /// TLS handshake.
        #[serde(serialize_with = "optional_octets")]
        line: Option<Vec<u8>>,
    },
    /// The session is over.
    Closed {
        /// Why.
        reason: CloseReason,
    },
    /// The storage was changed.
    #[serde(untagged)]
    Changed(Change),
}

/// The most of a reply's text that is kept.
pub const MAX_TEXT: usize = 16 << 10;

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The server closed it after its reply: QUIT, too many wrong passwords, or a hook.
    Quit,
    /// Nothing came for too long.
    Idle,
    /// The login took too long, the session lasted too long, or the user has too many sessions.
    Limit,
    /// The server stopped.
    Stopped,
    /// [`SessionInfo::close`](crate::observe::hooks::SessionInfo::close).
    ClosedByOperator,
    /// The client closed the connection, did not read its replies, or violated TLS.
    Lost,
    /// The server was dropped during the session.
    Cut,
}

/// A transfer at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TransferFacts {
    /// The command that asked for it.
    pub verb: String,
    /// The file or directory; for STOU the file that was made.
    pub path: VirtualPath,
    /// Octets over the data connection.
    pub octets: u64,
    /// SHA-256 of these octets, in the order of the data connection, as hexadecimal digits: of the
    /// file's content where it travels as it is (TYPE I, MODE S, from the beginning). Only with
    /// [`Journal::hashing`](super::Journal::hashing).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// Everything was moved, and a stored file is there.
    Complete,
    /// The file could not be opened; there was no data connection.
    NotOpened {
        /// Why.
        error: String,
    },
    /// There was no data connection.
    NoConnection,
    /// The data connection could not be protected.
    NoProtection,
    /// The data connection did not resume the TLS session of the control connection, as it had to.
    NotResumed,
    /// The data connection showed another certificate than the control connection.
    OtherClient,
    /// The data connection ended before its time or stalled.
    ConnectionLost,
    /// ABOR.
    Aborted,
    /// The control connection ended, and the transfer with it.
    SessionEnded,
    /// The storage failed.
    StorageFailed {
        /// Why.
        error: String,
    },
    /// The received data violates MODE or STRU.
    Malformed {
        /// Why.
        error: String,
    },
}

impl EventKind {
    /// Octets this keeps in memory, roughly.
    pub(super) fn weight(&self) -> usize {
        size_of::<Event>()
            + match self {
                Self::Command { line } => line.len(),
                Self::Reply { text, .. } => text.len(),
                Self::LoginRefused { user } => user.len(),
                Self::TransferStarted { path, .. } => path.as_bytes().len(),
                Self::Changed(change) => change.weight(),
                Self::FaultInjected { fault, line, .. } => {
                    fault.len() + line.as_ref().map_or(0, Vec::len)
                }
                Self::TransferEnded(facts) => {
                    size_of::<TransferFacts>() + facts.path.as_bytes().len()
                }
                Self::TlsStarted(_) => size_of::<TlsFacts>(),
                _ => 0,
            }
    }
}
