//! The TCP connections of a session, and from where they were observed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Connection, EventKind};

/// From where the events of a transcript were observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seat {
    /// By the client, which may be the runner.
    #[default]
    Client,
    /// By the server.
    Server,
    /// By a proxy between them, which has two connections for each of theirs.
    Proxy,
}

/// Which of the two connections of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leg {
    /// Between the client and the proxy.
    Client,
    /// Between the proxy and the server.
    Server,
}

/// One TCP connection of a session. Written as `control`, `data 1`; with a leg, `client control`,
/// `server data 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Channel {
    /// The control connection.
    #[default]
    Control,
    /// A data connection, numbered from 1 in the order in which they were opened.
    Data(u32),
    /// The control connection of a proxy.
    LegControl(Leg),
    /// A data connection of a proxy. Both legs of a transfer have the same number.
    LegData(Leg, u32),
}

impl Leg {
    /// The other of the two.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl Channel {
    /// The leg of a proxy that it belongs to; `None` where a client or a server recorded it.
    #[must_use]
    pub fn leg(self) -> Option<Leg> {
        match self {
            Self::LegControl(leg) | Self::LegData(leg, _) => Some(leg),
            Self::Control | Self::Data(_) => None,
        }
    }

    /// The same channel as a client or a server has it.
    #[must_use]
    pub fn without_leg(self) -> Self {
        match self {
            Self::LegControl(_) => Self::Control,
            Self::LegData(_, number) => Self::Data(number),
            other => other,
        }
    }

    /// Whether it is the control connection of a client or a server.
    #[must_use]
    pub fn is_control(&self) -> bool {
        *self == Self::Control
    }

    /// Whether it is between a proxy and the server.
    pub(super) fn is_server_leg(self) -> bool {
        matches!(
            self,
            Self::LegControl(Leg::Server) | Self::LegData(Leg::Server, _)
        )
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control => f.write_str("control"),
            Self::Data(number) => write!(f, "data {number}"),
            Self::LegControl(leg) => write!(f, "{leg} control"),
            Self::LegData(leg, number) => write!(f, "{leg} data {number}"),
        }
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// A text that is not a channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a channel; expected `control` or `data N`, after `client` or `server` for a proxy"
)]
pub struct ChannelError(String);

impl FromStr for Channel {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, ChannelError> {
        let error = || ChannelError(text.to_owned());
        let number = |digits: &str| digits.parse::<u32>().map_err(|_| error());
        let words: Vec<&str> = text.split(' ').collect();
        let (leg, rest) = match words.as_slice() {
            ["client", rest @ ..] => (Some(Leg::Client), rest),
            ["server", rest @ ..] => (Some(Leg::Server), rest),
            rest => (None, rest),
        };
        match (leg, rest) {
            (None, ["control"]) => Ok(Self::Control),
            (None, ["data", digits]) => Ok(Self::Data(number(digits)?)),
            (Some(leg), ["control"]) => Ok(Self::LegControl(leg)),
            (Some(leg), ["data", digits]) => Ok(Self::LegData(leg, number(digits)?)),
            _ => Err(error()),
        }
    }
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'a> Deserialize<'a> for Channel {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Numbers the data connections of the sessions of one transcript, in the order of their events.
#[derive(Debug, Default)]
pub struct ChannelNumbers {
    /// How many data connections of each session were opened.
    opened: BTreeMap<Connection, u32>,
}

impl ChannelNumbers {
    /// The channel that the next event of this session belongs to. What comes before a data
    /// connection is open, such as listening for it, has the number that it will get.
    pub fn channel(&mut self, connection: &Connection, what: &EventKind) -> Channel {
        let is_data = match what {
            EventKind::DataListening { .. }
            | EventKind::DataOpened { .. }
            | EventKind::DataFailed { .. }
            | EventKind::DataFromClient { .. }
            | EventKind::DataFromServer { .. }
            | EventKind::DataClosed(_) => true,
            EventKind::TlsEstablished(facts) => facts.data,
            EventKind::TlsFailed { data, .. } => *data,
            _ => false,
        };
        if !is_data {
            return Channel::Control;
        }
        let opened = self.opened.entry(connection.clone()).or_default();
        Channel::Data(match what {
            EventKind::DataOpened { .. } => {
                *opened += 1;
                *opened
            }
            EventKind::DataListening { .. } | EventKind::DataFailed { .. } => *opened + 1,
            _ => (*opened).max(1),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::transcript::DataMode;

    #[test]
    fn every_channel_is_read_back_from_its_text() {
        for channel in [
            Channel::Control,
            Channel::Data(3),
            Channel::LegControl(Leg::Client),
            Channel::LegData(Leg::Server, 12),
        ] {
            assert_eq!(channel.to_string().parse::<Channel>().unwrap(), channel);
        }
        for text in [
            "",
            "data",
            "data x",
            "proxy control",
            "control 1",
            "data 1 2",
        ] {
            assert!(text.parse::<Channel>().is_err(), "{text}");
        }
    }

    #[test]
    fn data_connections_are_numbered_for_each_session() {
        let opened = || EventKind::DataOpened {
            mode: DataMode::Port,
            local: "a".into(),
            peer: "b".into(),
        };
        let listening = || EventKind::DataListening { local: "a".into() };
        let data = || EventKind::DataFromServer { octets: "x".into() };
        let (main, other) = (Connection::main(), Connection("B".into()));
        let mut numbers = ChannelNumbers::default();
        let mut number = |connection, what| numbers.channel(connection, &what);
        assert_eq!(number(&main, listening()), Channel::Data(1));
        assert_eq!(number(&main, opened()), Channel::Data(1));
        assert_eq!(number(&main, data()), Channel::Data(1));
        assert_eq!(number(&other, opened()), Channel::Data(1));
        assert_eq!(number(&main, listening()), Channel::Data(2));
        assert_eq!(number(&main, opened()), Channel::Data(2));
        let reply = EventKind::FromServer { octets: vec![] };
        assert_eq!(number(&main, reply), Channel::Control);
    }
}
