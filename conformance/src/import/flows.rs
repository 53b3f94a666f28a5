//! All TCP connections of a capture: which of them are FTP sessions, and which data connection
//! belongs to which session.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;

use regex::bytes::Regex;

use super::greeting::{Guess, Look};
use super::packet::Segment;
use super::session::{Expected, Session};
use super::stream::{End, Piece, Stream, What};
use super::{Sink, Summary};
use crate::transcript::{Channel, Side};

/// Connections that are remembered at a time.
const FLOWS: usize = 64 << 10;
/// Sessions at a time: each has an open file.
const SESSIONS: usize = 256;
/// Octets and segments of all connections that wait for earlier ones.
const HELD: usize = 32 << 20;
/// How long a session may be silent when there are too many, in microseconds.
const SILENT: i64 = 600_000_000;
/// Pieces of a connection that may turn out to be a data connection.
const UNDECIDED_PIECES: usize = 2048;
/// Octets of a connection that may turn out to be a data connection.
const UNDECIDED: usize = 1 << 20;
/// Octets of all such connections.
const UNDECIDED_TOTAL: usize = 16 << 20;

/// The connections so far.
pub(super) struct Flows<'a> {
    sink: &'a mut dyn Sink,
    ports: Vec<u16>,
    scrub: Vec<Regex>,
    flows: HashMap<Ends, Flow>,
    sessions: BTreeMap<u64, Session>,
    held: usize,
    undecided: usize,
    pub(super) summary: Summary,
}

/// The two ends of a connection, the lower address first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Ends([SocketAddr; 2]);

#[derive(Debug)]
struct Flow {
    stream: Stream,
    role: Role,
    /// The end that sent SYN without ACK.
    connecting: Option<End>,
    /// When it was first seen.
    at: i64,
}

#[derive(Debug)]
enum Role {
    /// What came so far, in case it is part of a session.
    Undecided(Vec<Piece>, usize),
    Control {
        session: u64,
        client: End,
        connected: bool,
    },
    Data {
        session: u64,
        client: End,
        expected: Expected,
        channel: Option<Channel>,
    },
    /// Of another protocol, or over.
    Ignored,
}

impl Role {
    fn begin() -> Self {
        Self::Undecided(Vec::new(), 0)
    }
}

impl<'a> Flows<'a> {
    pub(super) fn new(sink: &'a mut dyn Sink, ports: Vec<u16>, scrub: Vec<Regex>) -> Self {
        Self {
            sink,
            ports,
            scrub,
            flows: HashMap::new(),
            sessions: BTreeMap::new(),
            held: 0,
            undecided: 0,
            summary: Summary::default(),
        }
    }

    /// Takes the next segment of the capture.
    pub(super) fn segment(&mut self, segment: &Segment<'_>, at: i64) -> io::Result<()> {
        let (ends, from) = match segment.from <= segment.to {
            true => (Ends([segment.from, segment.to]), 0),
            false => (Ends([segment.to, segment.from]), 1),
        };
        let replaced = self
            .flows
            .get(&ends)
            .is_some_and(|flow| flow.stream.is_replaced_by(from, segment));
        if replaced {
            self.finish_flow(ends)?;
            self.flows.remove(&ends);
        }
        if !self.flows.contains_key(&ends) && !self.make_room() {
            self.summary.over_limit += 1;
            return Ok(());
        }
        let flow = self.flows.entry(ends).or_insert_with(|| Flow {
            stream: Stream::default(),
            role: Role::begin(),
            connecting: None,
            at,
        });
        if matches!(flow.role, Role::Ignored) {
            return Ok(());
        }
        if segment.syn {
            let client = if segment.acknowledged.is_some() {
                1 - from
            } else {
                from
            };
            flow.connecting.get_or_insert(client);
        }
        let before = flow.stream.held();
        let mut pieces = flow.stream.push(from, segment, at);
        self.held = self.held + flow.stream.held() - before;
        if self.held > HELD {
            let held = flow.stream.held();
            pieces.extend(flow.stream.finish());
            self.held -= held;
            self.summary.gave_up_waiting += 1;
        }
        self.advance(ends, pieces, at)?;
        self.forget_if_over(ends)
    }

    /// Ends everything: the capture is over.
    pub(super) fn finish(mut self) -> io::Result<Summary> {
        let mut all: Vec<(Ends, bool, i64)> = self
            .flows
            .iter()
            .map(|(ends, flow)| {
                let is_control = matches!(flow.role, Role::Control { .. });
                (*ends, !is_control, flow.at)
            })
            .collect();
        // Control connections first: what they say decides about the others.
        all.sort_by_key(|(ends, is_other, at)| (*is_other, *at, *ends));
        for (ends, ..) in all {
            self.finish_flow(ends)?;
        }
        let sessions: Vec<u64> = self.sessions.keys().copied().collect();
        for number in sessions {
            self.finish_session(number)?;
        }
        Ok(self.summary)
    }

    /// Room for one more connection.
    fn make_room(&mut self) -> bool {
        if self.flows.len() < FLOWS {
            return true;
        }
        self.flows
            .retain(|_, flow| !matches!(flow.role, Role::Ignored));
        self.flows.len() < FLOWS
    }

    fn advance(&mut self, ends: Ends, pieces: Vec<Piece>, at: i64) -> io::Result<()> {
        let Some(flow) = self.flows.get_mut(&ends) else {
            return Ok(());
        };
        if let Role::Undecided(held, octets) = &mut flow.role {
            let more: usize = pieces.iter().map(Piece::len).sum();
            *octets += more;
            self.undecided += more;
            held.extend(pieces);
            return self.decide(ends, at);
        }
        self.play(ends, pieces, at)
    }

    /// Decides whether a connection belongs to a session, as soon as that can be said.
    fn decide(&mut self, ends: Ends, at: i64) -> io::Result<()> {
        let expected = self.find_expected(ends);
        let Some(flow) = self.flows.get_mut(&ends) else {
            return Ok(());
        };
        let Role::Undecided(held, octets) = &flow.role else {
            return Ok(());
        };
        let octets = *octets;
        if let Some((session, client, expected)) = expected {
            let role = Role::Data {
                session,
                client,
                expected,
                channel: None,
            };
            return self.begin(ends, role, octets, at);
        }
        let look = Look {
            ends: ends.0,
            ports: &self.ports,
            connecting: flow.connecting,
            pieces: held,
        };
        let (guess, pieces) = (look.guess(), held.len());
        if matches!(guess, Guess::Ftp { .. }) {
            self.end_silent_session(at)?;
        }
        match guess {
            Guess::Ftp { .. } if self.sessions.len() >= SESSIONS => {
                self.summary.sessions_over_limit += 1;
                self.ignore(ends);
                Ok(())
            }
            Guess::Ftp { client } => self.begin_session(ends, client, octets, at),
            Guess::Encrypted => {
                self.summary.encrypted += 1;
                self.ignore(ends);
                Ok(())
            }
            Guess::Other => {
                self.summary.other += 1;
                self.ignore(ends);
                Ok(())
            }
            Guess::Undecided
                if octets > UNDECIDED
                    || pieces > UNDECIDED_PIECES
                    || self.undecided > UNDECIDED_TOTAL =>
            {
                self.summary.other += 1;
                self.ignore(ends);
                Ok(())
            }
            Guess::Undecided => Ok(()),
        }
    }

    /// Makes room for a session: one whose end was not captured may be silent for a long time.
    fn end_silent_session(&mut self, at: i64) -> io::Result<()> {
        if self.sessions.len() < SESSIONS {
            return Ok(());
        }
        let oldest = self.sessions.iter().min_by_key(|(_, it)| it.last());
        let silent = oldest.filter(|(_, session)| at.saturating_sub(session.last()) > SILENT);
        match silent.map(|(number, _)| *number) {
            Some(number) => self.finish_session(number),
            None => Ok(()),
        }
    }

    fn begin_session(&mut self, ends: Ends, client: End, octets: usize, at: i64) -> io::Result<()> {
        self.summary.sessions += 1;
        let number = self.summary.sessions;
        let started = self.flows.get(&ends).map_or(at, |flow| flow.at);
        let session = Session::new(ends.0[client], ends.0[1 - client], started, &self.scrub);
        self.sink.begin(number, session.header())?;
        self.sessions.insert(number, session);
        let role = Role::Control {
            session: number,
            client,
            connected: false,
        };
        self.begin(ends, role, octets, at)
    }

    /// Gives a connection its role, and what came before.
    fn begin(&mut self, ends: Ends, role: Role, octets: usize, at: i64) -> io::Result<()> {
        if let Role::Data { session, .. } = &role
            && let Some(session) = self.sessions.get_mut(session)
        {
            session.open += 1;
        }
        let Some(flow) = self.flows.get_mut(&ends) else {
            return Ok(());
        };
        self.undecided -= octets;
        let held = match std::mem::replace(&mut flow.role, role) {
            Role::Undecided(held, _) => held,
            _ => Vec::new(),
        };
        self.play(ends, held, at)
    }

    fn ignore(&mut self, ends: Ends) {
        if let Some(flow) = self.flows.get_mut(&ends) {
            if let Role::Undecided(_, octets) = &flow.role {
                self.undecided -= octets;
            }
            self.held -= flow.stream.held();
            // It stays known, so that the rest of it is not looked at.
            flow.stream.forget();
            flow.role = Role::Ignored;
        }
    }

    /// The session whose data connection this is.
    fn find_expected(&self, ends: Ends) -> Option<(u64, End, Expected)> {
        let flow = self.flows.get(&ends)?;
        let found = self.sessions.iter().flat_map(|(number, session)| {
            (0..2).filter_map(move |from| {
                let expected = session.expected(ends.0[from], ends.0[1 - from])?;
                let client = if expected.is_active() { 1 - from } else { from };
                flow.connecting
                    .is_none_or(|it| it == from)
                    .then_some((*number, client, expected))
            })
        });
        found.max_by_key(|(number, _, expected)| (expected.at, *number))
    }

    fn play(&mut self, ends: Ends, pieces: Vec<Piece>, at: i64) -> io::Result<()> {
        let Some(flow) = self.flows.get_mut(&ends) else {
            return Ok(());
        };
        let stands = flow.stream.is_established();
        let first = flow.at;
        match &mut flow.role {
            Role::Control {
                session: number,
                client,
                connected,
            } => {
                let (number, client) = (*number, *client);
                let Some(session) = self.sessions.get_mut(&number) else {
                    return Ok(());
                };
                let began = pieces.iter().any(|piece| piece.what == What::BeganEarlier);
                if !*connected && (stands || began || !pieces.is_empty()) {
                    *connected = true;
                    if !began {
                        session.connected(first);
                    }
                }
                let agreed = session.agreed();
                for piece in pieces {
                    self.summary.missing += piece.missing();
                    session.control(side(piece.from, client), piece.at, piece.what);
                }
                let is_new = session.agreed() != agreed;
                self.write(number)?;
                if is_new {
                    self.reconsider(at)?;
                }
                Ok(())
            }
            Role::Data {
                session: number,
                client,
                expected,
                channel,
            } => {
                let (number, client) = (*number, *client);
                let Some(session) = self.sessions.get_mut(&number) else {
                    return Ok(());
                };
                // A RST alone refuses a connection.
                let has_more = pieces.iter().any(|piece| piece.what != What::Reset);
                if channel.is_none() && (stands || has_more) {
                    let (local, peer) = (ends.0[client], ends.0[1 - client]);
                    *channel = Some(session.data_opened(expected.mode, local, peer, at));
                    self.summary.data_connections += 1;
                }
                if let Some(channel) = *channel {
                    for piece in pieces {
                        self.summary.missing += piece.missing();
                        session.data(channel, side(piece.from, client), piece.at, piece.what);
                    }
                }
                self.write(number)
            }
            Role::Undecided(..) | Role::Ignored => Ok(()),
        }
    }

    /// A session has agreed upon another data connection: it may be one that is known already.
    fn reconsider(&mut self, at: i64) -> io::Result<()> {
        let undecided = self
            .flows
            .iter()
            .filter(|(_, flow)| matches!(flow.role, Role::Undecided(..)));
        let mut undecided: Vec<(i64, Ends)> =
            undecided.map(|(ends, flow)| (flow.at, *ends)).collect();
        undecided.sort_unstable();
        for (_, ends) in undecided {
            if self.find_expected(ends).is_some() {
                self.decide(ends, at)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, number: u64) -> io::Result<()> {
        let Some(session) = self.sessions.get_mut(&number) else {
            return Ok(());
        };
        for event in session.take_events() {
            self.sink.event(number, event)?;
        }
        Ok(())
    }

    fn forget_if_over(&mut self, ends: Ends) -> io::Result<()> {
        let is_over = |flow: &Flow| {
            flow.stream.is_over() && !matches!(flow.role, Role::Undecided(..) | Role::Ignored)
        };
        if self.flows.get(&ends).is_some_and(is_over) {
            self.finish_flow(ends)?;
        }
        Ok(())
    }

    /// Nothing more comes on a connection.
    fn finish_flow(&mut self, ends: Ends) -> io::Result<()> {
        let Some(flow) = self.flows.get_mut(&ends) else {
            return Ok(());
        };
        let at = flow.at;
        self.held -= flow.stream.held();
        let pieces = flow.stream.finish();
        self.advance(ends, pieces, at)?;
        let Some(flow) = self.flows.get_mut(&ends) else {
            return Ok(());
        };
        let session = match &flow.role {
            Role::Control { session, .. } => Some(*session),
            Role::Data {
                session, channel, ..
            } => {
                if let Some(session) = self.sessions.get_mut(session) {
                    match channel {
                        Some(channel) => session.data_over(*channel),
                        None => session.data_failed(at, flow.stream.was_reset()),
                    }
                }
                Some(*session)
            }
            Role::Undecided(held, _) => {
                self.summary.other += u64::from(held.iter().any(|piece| piece.len() > 0));
                None
            }
            Role::Ignored => None,
        };
        self.ignore(ends);
        let Some(number) = session else {
            return Ok(());
        };
        self.write(number)?;
        if self
            .sessions
            .get_mut(&number)
            .is_some_and(|session| session.is_over())
        {
            self.finish_session(number)?;
        }
        Ok(())
    }

    fn finish_session(&mut self, number: u64) -> io::Result<()> {
        if let Some(session) = self.sessions.get_mut(&number) {
            session.finish();
            self.write(number)?;
            self.sessions.remove(&number);
            self.sink.end(number)?;
        }
        Ok(())
    }
}

fn side(from: End, client: End) -> Side {
    match from == client {
        true => Side::Client,
        false => Side::Server,
    }
}
