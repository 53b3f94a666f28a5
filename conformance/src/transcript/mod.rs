//! What happened on the wire, as a list of events: what judges, reports, recordings and the
//! scripted server read. Nothing in this module touches a socket or a file.

mod channel;
mod connection;
mod conversation;
mod features;
mod file;
mod limit;
mod mask;
mod octets;
mod redact;
mod reply;
mod scrub;
mod telnet;

pub use crate::data::{escape, unescape};
pub use channel::{Channel, ChannelNumbers, Leg, Seat};
pub use connection::{Connection, DataMode};
pub(crate) use conversation::Pairing;
pub use conversation::{Command, Conversation, Exchange};
pub use features::Features;
pub use file::{
    Blobs, FORMAT, Header, INLINE_LIMIT, ReadError, Writer, digest_of, read, read_with, write,
    write_to,
};
pub use limit::{Excess, Limit};
pub(crate) use mask::SECRET;
pub(crate) use redact::{MARKER, masked};
pub use redact::{lines, redact};
pub use reply::{LONG_LINE, LONG_REPLY, LONG_REPLY_LINES, Reply, ReplyFault, ReplyReader};
pub(crate) use scrub::Scrub;
pub use telnet::Negotiation;

use crate::data::Data;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that happened while one scenario was played in one variant, in order of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transcript {
    /// Scenario id, or what was recorded.
    pub name: String,
    /// The variant as it is shown, `pasv` or `epsv tls`.
    pub variant: String,
    /// From where the events were observed.
    pub seat: Seat,
    /// When recording started; `None` if that is not known (version 1 of the format).
    pub started: Option<jiff::Timestamp>,
    /// The variables that had a value before the first step: `user`, `password`, `dir`, `host`. The
    /// player sets them, so that a judge can read a step as it was played; captures follow from the
    /// events.
    pub variables: BTreeMap<String, String>,
    /// What happened.
    pub events: Vec<Event>,
}

impl Transcript {
    /// What a proxy observed on one leg, as a transcript of the proxy's own seat there: of a client
    /// towards the server, of a server towards the client. Octets of data connections are those of
    /// the leg on which they were received: the proxy passes them on unchanged.
    ///
    /// A transcript that no proxy recorded is returned as it is.
    #[must_use]
    pub fn leg(&self, leg: Leg) -> Self {
        if self.seat != Seat::Proxy {
            return self.clone();
        }
        let is_data = |what: &EventKind| {
            matches!(
                what,
                EventKind::DataFromClient { .. } | EventKind::DataFromServer { .. }
            )
        };
        let belongs = |event: &&Event| event.channel.leg() == Some(leg) || is_data(&event.what);
        // The peer of this leg that closes after the other one has only follows.
        let mut ended_by = None;
        let mut events = Vec::new();
        for event in &self.events {
            let is_control = event.channel.without_leg().is_control();
            let mut what = event.what.clone();
            if let (EventKind::Closed(end), true) = (&mut what, is_control) {
                end.by = *ended_by.get_or_insert(end.by);
            }
            if belongs(&event) {
                events.push(Event {
                    what,
                    channel: event.channel.without_leg(),
                    ..event.clone()
                });
            }
        }
        Self {
            seat: match leg {
                Leg::Server => Seat::Client,
                Leg::Client => Seat::Server,
            },
            events,
            name: self.name.clone(),
            variant: self.variant.clone(),
            variables: self.variables.clone(),
            started: self.started,
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds since the start of the transcript, by a monotonic clock.
    pub at: u64,
    /// The control connection it happened on, or whose data connection it happened on.
    pub connection: Connection,
    /// The TCP connection of the session that it happened on.
    #[serde(default, skip_serializing_if = "Channel::is_control")]
    pub channel: Channel,
    /// The line of the scenario that was being played; 0 for what the runner does for itself
    /// (login, clean-up), and where no scenario is played.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub line: u32,
    /// What it was.
    pub what: EventKind,
}

/// What can happen. Control events carry every octet in the clear (what TLS decrypted).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum EventKind {
    /// The control connection is established.
    Connected {
        /// The address of the client.
        local: String,
        /// The address of the server.
        peer: String,
    },
    /// The control connection could not be made.
    ConnectFailed {
        /// What the system said.
        error: String,
    },
    /// Octets the client sent on the control connection.
    #[serde(alias = "sent")]
    FromClient {
        /// The octets.
        #[serde(with = "octets")]
        octets: Vec<u8>,
    },
    /// Octets the server sent on the control connection.
    #[serde(alias = "received")]
    FromServer {
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
    /// The first octet of what this side sends next is urgent data (TCP URG).
    Urgent {
        /// The sender.
        from: Side,
    },
    /// One side ended what it sends on the connection of this event; the other may go on.
    HalfClosed(End),
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
    /// A data connection is established.
    DataOpened {
        /// How it was prepared.
        mode: DataMode,
        /// The address of the client.
        local: String,
        /// The address of the server.
        peer: String,
    },
    /// A data connection could not be made.
    DataFailed {
        /// What the system said.
        error: String,
    },
    /// Octets the client sent on the data connection (in the clear).
    #[serde(alias = "data_sent")]
    DataFromClient {
        /// The octets.
        #[serde(with = "octets::data")]
        octets: Data,
    },
    /// Octets the server sent on the data connection (in the clear).
    #[serde(alias = "data_received")]
    DataFromServer {
        /// The octets.
        #[serde(with = "octets::data")]
        octets: Data,
    },
    /// The data connection ended.
    DataClosed(End),
    /// The server sent more than the runner takes, which ended that connection.
    LimitExceeded(Excess),
    /// What the runner found out, beside what is on the wire.
    Observed {
        /// What it is about.
        #[serde(default)]
        kind: ObservationKind,
        /// As text.
        fact: String,
        /// The octets, where there are some.
        #[serde(with = "octets::data", default, skip_serializing_if = "Data::is_empty")]
        octets: Data,
        /// Whether it went well.
        ok: bool,
    },
}

impl EventKind {
    /// Octets of the client.
    pub(crate) fn from_client(octets: impl Into<Vec<u8>>) -> Self {
        let octets = octets.into();
        Self::FromClient { octets }
    }

    /// Octets of the server.
    pub(crate) fn from_server(octets: impl Into<Vec<u8>>) -> Self {
        let octets = octets.into();
        Self::FromServer { octets }
    }
}

#[cfg(test)]
impl Event {
    /// An event of the main control connection, at this line of the scenario.
    pub(crate) fn at_line(line: u32, what: EventKind) -> Self {
        Self {
            at: 0,
            channel: Channel::Control,
            connection: Connection::main(),
            line,
            what,
        }
    }
}

impl Event {
    /// Whether octets of a control connection are missing here, as in a capture that has lost some.
    /// What follows cannot be paired or judged: the dialogue is not known.
    #[must_use]
    pub fn is_gap(&self) -> bool {
        self.is_capture() && matches!(self.what, EventKind::Observed { ok: false, .. })
    }

    /// Whether it says what a capture does not contain of a control connection: octets that are
    /// missing, or encrypted.
    #[must_use]
    pub fn is_capture(&self) -> bool {
        let kind = ObservationKind::Capture;
        self.channel.without_leg().is_control()
            && matches!(&self.what, EventKind::Observed { kind: it, .. } if *it == kind)
    }
}

impl EventKind {
    /// Whether it was on the wire. Other events are what the runner waited for or found out.
    #[must_use]
    pub fn is_wire_fact(&self) -> bool {
        !matches!(
            self,
            Self::Silence { .. }
                | Self::LimitExceeded(_)
                | Self::Observed { .. }
                | Self::DataListening { .. }
        )
    }
}

/// What an observation of the runner is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservationKind {
    /// `@given`: a file or directory was made before the dialogue.
    Given,
    /// `@stored`: the contents of a file.
    Stored,
    /// `@missing`: whether a name is absent.
    Missing,
    /// A user step.
    UserStep,
    /// `@repeat`: a turn begins.
    Turn,
    /// `@stale-port`: a connection to the port of an earlier 227 or 229.
    StalePort,
    /// `@third-party`: a connection from another address.
    ThirdParty,
    /// A 227 named another address than the server's.
    ForeignAddress,
    /// A certificate was accepted without verification.
    UnverifiedCertificate,
    /// Something could not be removed.
    Leftover,
    /// What a capture of packets does not contain: octets that are missing in it, or encrypted.
    Capture,
    /// A proxy injected a fault of its plan.
    InjectedFault,
    /// Anything else, as a newer program may write.
    #[default]
    #[serde(other)]
    Other,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The client.
    #[serde(alias = "us")]
    Client,
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
    /// The SHA-256 of the server's certificate, in hexadecimal digits: of the handshake, or of the
    /// session that was resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// That lines end in CR CR LF, for the end of a message about them: nobody would see it in the
/// lines. So it is where a server writes a listing that has its CRLF as text once more.
pub(crate) fn doubled_cr(octets: &[u8]) -> &'static str {
    match memchr::memmem::find(octets, b"\r\r\n") {
        Some(_) => " (its lines end in CR CR LF)",
        None => "",
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_closes_after_the_client_has_not_ended_the_session() {
        let closed = |leg, by| Event {
            channel: Channel::LegControl(leg),
            ..Event::at_line(
                0,
                EventKind::Closed(End {
                    by,
                    how: CloseKind::Clean,
                }),
            )
        };
        let ended_by = |events: Vec<Event>| {
            let transcript = Transcript {
                seat: Seat::Proxy,
                events,
                ..Transcript::default()
            };
            let leg = transcript.leg(Leg::Server);
            leg.events.into_iter().find_map(|event| match event.what {
                EventKind::Closed(end) => Some(end.by),
                _ => None,
            })
        };
        let (client, server) = (
            closed(Leg::Client, Side::Client),
            closed(Leg::Server, Side::Server),
        );
        let client_first = vec![client.clone(), server.clone()];
        assert_eq!(ended_by(client_first), Some(Side::Client));
        assert_eq!(ended_by(vec![server, client]), Some(Side::Server));
    }
}
