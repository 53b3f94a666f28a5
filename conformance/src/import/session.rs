//! One FTP session of a capture: its control connection and the data connections that belong to it,
//! as the events of a transcript.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use regex::bytes::Regex;

use super::stream::What;
use crate::data::Data;
use crate::driver::{extended_passive_port, passive_address};
use crate::proxy::{
    ClientLines, ClientPiece, PortCommand, ServerLines, ServerPiece, active_address, split_command,
};
use crate::transcript::{
    Channel, CloseKind, Connection, DataMode, End, Event, EventKind, Header, ObservationKind,
    Scrub, Seat, Side,
};

/// Octets of data connections that wait, to become one event.
const PIECE: usize = 256 << 10;
/// Data connections of a session that were agreed upon and may still come.
const EXPECTED: usize = 8;
/// How a TLS record with a handshake begins (RFC 8446 §5.1).
pub(super) const TLS_HANDSHAKE: u8 = 22;

/// A session while it is imported.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    /// Data connections that are not over.
    pub(super) open: usize,
    started: i64,
    /// Microseconds since it started, of the last event.
    now: u64,
    follow: Follow,
    channels: u32,
    ends: BTreeMap<Channel, Ends>,
    /// Who has sent FIN where, without an event yet.
    fins: Vec<(Channel, Side)>,
    /// Octets of data connections that wait for more.
    data: BTreeMap<(Channel, Side), Vec<u8>>,
    scrub: Scrub<Side>,
    events: Vec<Event>,
}

/// A data connection that was agreed upon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) mode: DataMode,
    /// The one who connects.
    from: IpAddr,
    /// The one who listens: as seen on the control connection, and as named by itself.
    to: [IpAddr; 2],
    port: u16,
    /// When it was agreed upon.
    pub(super) at: i64,
}

impl Expected {
    /// Whether a connection from one address to the other is it. A server with several addresses
    /// may connect from another one.
    pub(super) fn is(&self, from: SocketAddr, to: SocketAddr) -> bool {
        let is_from = from.ip() == self.from || self.is_active();
        to.port() == self.port && self.to.contains(&to.ip()) && is_from
    }

    /// Whether the client listens.
    pub(super) fn is_active(&self) -> bool {
        matches!(self.mode, DataMode::Port | DataMode::Eprt)
    }
}

/// What the dialogue says about what follows.
#[derive(Debug, Default)]
struct Follow {
    commands: ClientLines,
    replies: ServerLines,
    auth: bool,
    tls: Tls,
    expected: VecDeque<Expected>,
    agreed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tls {
    #[default]
    Clear,
    /// AUTH was answered 234.
    Agreed,
    Begun,
}

/// How far a connection has ended.
#[derive(Debug, Default)]
struct Ends {
    half_closed: bool,
    closed: bool,
    began_earlier: bool,
}

impl Session {
    /// A session between these addresses. What matches a pattern in a line of the control
    /// connection is replaced.
    pub(super) fn new(
        client: SocketAddr,
        server: SocketAddr,
        started: i64,
        scrub: &[Regex],
    ) -> Self {
        Self {
            client,
            server,
            open: 0,
            started,
            now: 0,
            follow: Follow::default(),
            channels: 0,
            ends: BTreeMap::new(),
            fins: Vec::new(),
            data: BTreeMap::new(),
            scrub: Scrub::new(scrub.to_vec()),
            events: Vec::new(),
        }
    }

    /// What the transcript begins with.
    pub(super) fn header(&self) -> Header {
        Header {
            seat: Seat::Client,
            started: Timestamp::from_microsecond(self.started).ok(),
            name: format!("ftp://{}/", self.server),
            ..Header::default()
        }
    }

    /// The events since the last call.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Whether the control connection has ended and no data connection is open.
    pub(super) fn is_over(&self) -> bool {
        let control = self.ends.get(&Channel::Control);
        self.open == 0 && control.is_some_and(|ends| ends.closed)
    }

    /// When something happened last.
    pub(super) fn last(&self) -> i64 {
        self.started.saturating_add_unsigned(self.now)
    }

    /// The data connection between these addresses, if one was agreed upon: the newest.
    pub(super) fn expected(&self, from: SocketAddr, to: SocketAddr) -> Option<Expected> {
        let mut newest_first = self.follow.expected.iter().rev();
        if let Some(expected) = newest_first.find(|expected| expected.is(from, to)) {
            return Some(*expected);
        }
        // Without PORT the client listens at the port of its control connection, and the server
        // connects from the one below its own (RFC 959 §3.2).
        let by_default = Expected {
            mode: DataMode::Port,
            from: self.server.ip(),
            to: [self.client.ip(); 2],
            port: self.client.port(),
            at: self.started,
        };
        let from_default_port = from.port() == self.server.port().wrapping_sub(1);
        (from_default_port && by_default.is(from, to)).then_some(by_default)
    }

    /// How many data connections were agreed upon.
    pub(super) fn agreed(&self) -> u64 {
        self.follow.agreed
    }

    /// The control connection stands.
    pub(super) fn connected(&mut self, at: i64) {
        let (local, peer) = (self.client.to_string(), self.server.to_string());
        self.event(Channel::Control, at, EventKind::Connected { local, peer });
    }

    /// Something happened on the control connection.
    pub(super) fn control(&mut self, from: Side, at: i64, what: What) {
        match what {
            What::Octets(octets) => self.control_octets(from, at, octets),
            what => self.other(Channel::Control, from, at, &what),
        }
    }

    /// A data connection; returns its channel.
    pub(super) fn data_opened(
        &mut self,
        mode: DataMode,
        client: SocketAddr,
        server: SocketAddr,
        at: i64,
    ) -> Channel {
        self.channels += 1;
        let channel = Channel::Data(self.channels);
        let (local, peer) = (client.to_string(), server.to_string());
        self.event(channel, at, EventKind::DataOpened { mode, local, peer });
        channel
    }

    /// A data connection that was agreed upon was refused, or never answered.
    pub(super) fn data_failed(&mut self, at: i64, refused: bool) {
        let error = match refused {
            true => "the connection was refused",
            false => "the capture has no answer to the connection request",
        };
        let channel = Channel::Data(self.channels + 1);
        let error = error.to_owned();
        self.event(channel, at, EventKind::DataFailed { error });
        self.open -= 1;
    }

    /// Nothing more comes on a data connection.
    pub(super) fn data_over(&mut self, channel: Channel) {
        self.settle(None);
        self.ends.remove(&channel);
        self.open -= 1;
    }

    /// Something happened on a data connection.
    pub(super) fn data(&mut self, channel: Channel, from: Side, at: i64, what: What) {
        let What::Octets(octets) = what else {
            return self.other(channel, from, at, &what);
        };
        self.settle(Some((channel, from)));
        self.tick(at);
        let held = self.data.entry((channel, from)).or_default();
        held.extend_from_slice(&octets);
        if self.data.values().map(Vec::len).sum::<usize>() >= PIECE {
            self.write_data();
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) {
        self.write_data();
        for (from, octets) in self.scrub.rest() {
            self.push(Channel::Control, control_event(from, octets));
        }
        self.settle(None);
    }

    fn control_octets(&mut self, from: Side, at: i64, octets: Vec<u8>) {
        let is_handshake = from == Side::Client && octets.first() == Some(&TLS_HANDSHAKE);
        match self.follow.tls {
            Tls::Agreed if is_handshake => {
                self.follow.tls = Tls::Begun;
                self.follow.expected.clear();
                let fact = "TLS begins: what follows is encrypted and is not imported";
                return self.observe(Channel::Control, at, fact.into(), true);
            }
            Tls::Begun => return,
            Tls::Agreed | Tls::Clear => {}
        }
        match from {
            Side::Client => self.follow.client(&octets, self.client, self.server, at),
            Side::Server => self.follow.server(&octets, self.client, self.server, at),
        }
        let octets = self.scrub.apply(from, octets);
        if !octets.is_empty() {
            self.write_data();
            self.settle(Some((Channel::Control, from)));
            self.tick(at);
            self.push(Channel::Control, control_event(from, octets));
        }
    }

    fn other(&mut self, channel: Channel, from: Side, at: i64, what: &What) {
        let who = match from {
            Side::Client => "client",
            Side::Server => "server",
        };
        match what {
            What::Octets(_) => {}
            What::Urgent => self.event(channel, at, EventKind::Urgent { from }),
            What::Missing(1) => {
                let fact = format!("1 octet of the {who} is missing in the capture");
                self.observe(channel, at, fact, false);
            }
            What::Missing(octets) => {
                let fact = format!("{octets} octets of the {who} are missing in the capture");
                self.observe(channel, at, fact, false);
            }
            What::BeganEarlier => {
                let ends = self.ends.entry(channel).or_default();
                if !std::mem::replace(&mut ends.began_earlier, true) {
                    let fact = match channel {
                        Channel::Control => format!(
                            "the capture begins in mid-session, after {} had connected to {}",
                            self.client, self.server
                        ),
                        _ => "the capture begins after this data connection was opened".into(),
                    };
                    self.observe(channel, at, fact, false);
                }
            }
            What::Fin => self.fin(channel, from, at),
            What::Reset => self.reset(channel, from, at),
        }
    }

    fn fin(&mut self, channel: Channel, from: Side, at: i64) {
        self.tick(at);
        let ends = self.ends.entry(channel).or_default();
        let is_second = self.fins.iter().any(|(other, _)| *other == channel);
        match (ends.closed, ends.half_closed) {
            (true, _) => {}
            (false, true) => self.end(channel, from, at, CloseKind::Clean),
            // The first one ended the connection.
            (false, false) if is_second => self.settle(None),
            (false, false) => self.fins.push((channel, from)),
        }
    }

    fn reset(&mut self, channel: Channel, from: Side, at: i64) {
        if self.ends.entry(channel).or_default().closed {
            return;
        }
        self.write_data();
        let first = self.fins.iter().position(|(other, _)| *other == channel);
        if let Some((_, by)) = first.map(|index| self.fins.remove(index)) {
            let how = CloseKind::Clean;
            self.push(channel, EventKind::HalfClosed(End { by, how }));
        }
        self.end(channel, from, at, CloseKind::Reset);
    }

    fn end(&mut self, channel: Channel, by: Side, at: i64, how: CloseKind) {
        let end = End { by, how };
        let what = match channel {
            Channel::Control => EventKind::Closed(end),
            _ => EventKind::DataClosed(end),
        };
        self.ends.entry(channel).or_default().closed = true;
        self.event(channel, at, what);
    }

    /// Gives every FIN its event: something else happens. Where that is that the other side of the
    /// same connection sends more, the connection was only half-closed.
    fn settle(&mut self, sends: Option<(Channel, Side)>) {
        if self.fins.is_empty() {
            return;
        }
        self.write_data();
        for (channel, by) in std::mem::take(&mut self.fins) {
            let ends = self.ends.entry(channel).or_default();
            let is_half = sends.is_some_and(|(other, from)| other == channel && from != by);
            ends.half_closed |= is_half;
            ends.closed |= !is_half;
            let how = CloseKind::Clean;
            let end = End { by, how };
            let what = match (is_half, channel) {
                (true, _) => EventKind::HalfClosed(end),
                (false, Channel::Control) => EventKind::Closed(end),
                (false, _) => EventKind::DataClosed(end),
            };
            self.push(channel, what);
        }
    }

    fn observe(&mut self, channel: Channel, at: i64, fact: String, ok: bool) {
        let what = EventKind::Observed {
            kind: ObservationKind::Capture,
            fact,
            octets: Data::default(),
            ok,
        };
        self.event(channel, at, what);
    }

    /// Writes an event after everything that waits.
    fn event(&mut self, channel: Channel, at: i64, what: EventKind) {
        self.write_data();
        self.settle(None);
        self.tick(at);
        self.push(channel, what);
    }

    fn write_data(&mut self) {
        for ((channel, from), octets) in std::mem::take(&mut self.data) {
            let octets = Data::from(octets);
            let what = match from {
                Side::Client => EventKind::DataFromClient { octets },
                Side::Server => EventKind::DataFromServer { octets },
            };
            self.push(channel, what);
        }
    }

    /// Time goes on, and never back: what was held is older than what came since.
    fn tick(&mut self, at: i64) {
        let since = u64::try_from(at.saturating_sub(self.started)).unwrap_or(0);
        self.now = self.now.max(since);
    }

    fn push(&mut self, channel: Channel, what: EventKind) {
        self.events.push(Event {
            at: self.now,
            connection: Connection::main(),
            channel,
            line: 0,
            what,
        });
    }
}

impl Follow {
    fn client(&mut self, octets: &[u8], client: SocketAddr, server: SocketAddr, at: i64) {
        self.commands.push(octets);
        while let Some(piece) = self.commands.next_piece() {
            let ClientPiece::Command(line) = piece else {
                continue;
            };
            let (verb, argument) = split_command(&line);
            self.auth |= verb == "AUTH";
            let command = PortCommand::of(&verb);
            let named = command.and_then(|command| active_address(command, argument));
            if let (Some(command), Some(named)) = (command, named) {
                self.expect(Expected {
                    mode: command.mode(),
                    from: server.ip(),
                    to: [client.ip(), named.ip().to_canonical()],
                    port: named.port(),
                    at,
                });
            }
        }
    }

    fn server(&mut self, octets: &[u8], client: SocketAddr, server: SocketAddr, at: i64) {
        self.replies.push(octets);
        while let Some(piece) = self.replies.next_piece() {
            let ServerPiece::Reply(code, line) = piece else {
                continue;
            };
            let text = String::from_utf8_lossy(line.get(4..).unwrap_or_default()).into_owned();
            let (mode, ip, port) = match code {
                227 => match passive_address(&text) {
                    Some((ip, port)) => (DataMode::Pasv, IpAddr::V4(ip), port),
                    None => continue,
                },
                229 => match extended_passive_port(&text) {
                    Some(port) => (DataMode::Epsv, server.ip(), port),
                    None => continue,
                },
                234 if self.auth => {
                    self.tls = Tls::Agreed;
                    continue;
                }
                _ => continue,
            };
            self.expect(Expected {
                mode,
                from: client.ip(),
                to: [server.ip(), ip],
                port,
                at,
            });
        }
    }

    fn expect(&mut self, expected: Expected) {
        if self.expected.len() >= EXPECTED {
            self.expected.pop_front();
        }
        self.expected.push_back(expected);
        self.agreed += 1;
    }
}

fn control_event(from: Side, octets: Vec<u8>) -> EventKind {
    match from {
        Side::Client => EventKind::FromClient { octets },
        Side::Server => EventKind::FromServer { octets },
    }
}
