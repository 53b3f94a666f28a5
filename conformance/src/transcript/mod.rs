//! What happened on the wire, as a list of events: the one thing judges, reports, recordings and the scripted
//! server read. Nothing in this room touches a socket.

mod connection;
mod conversation;
mod features;
mod file;
mod limit;
mod octets;
mod redact;
mod reply;
mod telnet;

pub use crate::data::{escape, unescape};
pub use connection::{Connection, DataMode};
pub use conversation::{Command, Conversation, Exchange};
pub use features::Features;
pub use file::{FORMAT, ReadError, read, write, write_to};
pub use limit::{Excess, Limit};
pub(crate) use redact::MARKER;
pub use redact::{lines, redact};
pub use reply::{LONG_LINE, LONG_REPLY, LONG_REPLY_LINES, Reply, ReplyFault, ReplyReader};
pub use telnet::Negotiation;

use crate::data::Data;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that happened while one scenario was played in one variant, in order of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Transcript {
    /// Scenario id, or what was recorded.
    pub name: String,
    /// The variant as it is shown, `pasv` or `epsv tls`.
    pub variant: String,
    /// The variables that had a value before the first step: `user`, `password`, `dir`, `host`. The player sets them,
    /// so that whoever judges can read a step as it was played; captures follow from the events.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// What happened.
    pub events: Vec<Event>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds since the transcript began.
    pub at: u64,
    /// The control connection it happened on, or whose data connection it happened on.
    pub connection: Connection,
    /// The line of the scenario that was being played; 0 for the runner's own doing (login, clean-up).
    pub line: u32,
    /// What it was.
    pub what: EventKind,
}

/// What can happen. Control events carry every octet in the clear (what TLS decrypted).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum EventKind {
    /// The control connection stands.
    Connected {
        /// Our end.
        local: String,
        /// The server's end.
        peer: String,
    },
    /// The control connection could not be made.
    ConnectFailed {
        /// What the system said.
        error: String,
    },
    /// Octets we sent on the control connection.
    Sent {
        /// The octets.
        #[serde(with = "octets")]
        octets: Vec<u8>,
    },
    /// Octets the server sent on the control connection.
    Received {
        /// The octets.
        #[serde(with = "octets")]
        octets: Vec<u8>,
    },
    /// A TLS handshake ended well.
    TlsEstablished(TlsFacts),
    /// A TLS handshake failed.
    TlsFailed {
        /// On the data connection, or on the control connection.
        data: bool,
        /// What rustls or the system said.
        error: String,
    },
    /// The control connection went back to clear text (CCC).
    TlsEnded {
        /// Whether the server said close_notify.
        clean: bool,
    },
    /// The control connection ended.
    Closed(End),
    /// Nothing came in the time a step was willing to wait.
    Silence {
        /// How long, in milliseconds.
        waited_ms: u64,
        /// What was waited for.
        awaited: Awaited,
    },
    /// We listen for the server's data connection.
    DataListening {
        /// Our address.
        local: String,
    },
    /// A data connection stands.
    DataOpened {
        /// How it was prepared.
        mode: DataMode,
        /// Our end.
        local: String,
        /// The server's end.
        peer: String,
    },
    /// A data connection could not be made.
    DataFailed {
        /// What the system said.
        error: String,
    },
    /// Octets we sent on the data connection (in the clear).
    DataSent {
        /// The octets.
        #[serde(with = "octets::data")]
        octets: Data,
    },
    /// Octets the server sent on the data connection (in the clear).
    DataReceived {
        /// The octets.
        #[serde(with = "octets::data")]
        octets: Data,
    },
    /// The data connection ended.
    DataClosed(End),
    /// The server sent more than the runner takes, which ended that connection.
    LimitExceeded(Excess),
    /// What a step of the runner's own connection or of a user-step driver found out.
    Observed {
        /// In words.
        fact: String,
        /// The octets, where there are some.
        #[serde(with = "octets::data", default, skip_serializing_if = "Data::is_empty")]
        octets: Data,
        /// Whether it went well.
        ok: bool,
    },
}

/// What was waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Awaited {
    /// A reply.
    Reply,
    /// Silence itself: `@silent` held.
    Nothing,
    /// Octets or the end of the data connection.
    Data,
    /// The server's data connection (active), or our connect (passive).
    DataConnection,
    /// The end of the control connection.
    Close,
    /// A TLS handshake.
    Handshake,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Who ended it.
    pub by: Side,
    /// How.
    pub how: CloseKind,
}

/// Who.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The tester.
    Us,
    /// The server.
    Server,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseKind {
    /// TCP FIN in the clear, or close_notify and FIN under TLS.
    Clean,
    /// FIN under TLS without close_notify.
    NoCloseNotify,
    /// TCP reset, or another error.
    Reset,
}

/// What a finished handshake settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFacts {
    /// On the data connection, or on the control connection.
    pub data: bool,
    /// `TLS 1.2`, `TLS 1.3`.
    pub version: String,
    /// The cipher suite.
    pub suite: String,
    /// Whether a session was resumed.
    pub resumed: bool,
    /// The SHA-256 of the server's certificate, in hexadecimal digits: of the handshake, or of the session that was
    /// resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// That lines end in CR CR LF, for the end of a message about them: nobody would see it in the lines. So it is where a server
/// writes a listing that has its CRLF as text once more.
pub(crate) fn doubled_cr(octets: &[u8]) -> &'static str {
    match memchr::memmem::find(octets, b"\r\r\n") {
        Some(_) => " (its lines end in CR CR LF)",
        None => "",
    }
}
