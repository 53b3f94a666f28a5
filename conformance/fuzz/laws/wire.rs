//! Transcripts of what might have happened.

use ftpspec::internals::scenario::Connection;
use ftpspec::transcript::{CloseKind, End, Event, EventKind, Side, Transcript};

/// These events, all of the main connection, after a connect.
pub(super) fn transcript(events: impl IntoIterator<Item = EventKind>) -> Transcript {
    let connected = EventKind::Connected {
        local: "127.0.0.1:40000".into(),
        peer: "127.0.0.1:2121".into(),
    };
    let events = std::iter::once(connected).chain(events);
    Transcript {
        name: "fuzz".into(),
        events: (0..)
            .zip(events)
            .map(|(at, what)| Event {
                at,
                channel: ftpspec::transcript::Channel::Control,
                connection: Connection::main(),
                line: 1,
                what,
            })
            .collect(),
        ..Transcript::default()
    }
}

/// A line that we sent.
pub(super) fn sent(line: &[u8]) -> EventKind {
    EventKind::FromClient {
        octets: [line, b"\r\n"].concat(),
    }
}

/// What the server sent.
pub(super) fn received(octets: &[u8]) -> EventKind {
    EventKind::FromServer {
        octets: octets.to_vec(),
    }
}

/// The server ended it, as it should.
pub(super) fn ended() -> End {
    End {
        by: Side::Server,
        how: CloseKind::Clean,
    }
}
