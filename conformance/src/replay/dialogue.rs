//! A recording as the sessions that are in it: commands with their replies and their transfers.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::Data;
use crate::transcript::{
    Channel, CloseKind, Command, Connection, DataMode, End, Event, EventKind, Leg, Pairing, Reply,
    Seat, Side, Transcript,
};
use crate::transfer_mode::Coding;

/// One control connection with its data connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Session {
    /// What happened, each with its place in the recording.
    pub(crate) events: Vec<(usize, Event)>,
    /// The greeting, then each command in the order in which they were sent.
    pub(crate) exchanges: Vec<Exchange>,
    /// Replies that no command asked for, with the index of their event.
    pub(crate) unasked: Vec<(usize, Reply)>,
    /// The data connections, by their number.
    pub(crate) transfers: BTreeMap<u32, Transfer>,
    /// How the server ended the control connection, if it did.
    pub(crate) closed: Option<(usize, End)>,
}

/// A command, or the greeting, and what followed from it.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// `None` for the greeting.
    pub(crate) command: Option<Command>,
    /// The event in which it was sent.
    pub(crate) sent: usize,
    /// Its replies, with the events in which they came.
    pub(crate) replies: Vec<(usize, Reply)>,
    /// The number of its data connection.
    pub(crate) transfer: Option<u32>,
}

/// A data connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// How it was prepared; `None` where it was not opened.
    pub(crate) mode: Option<DataMode>,
    /// Whether it was under TLS.
    pub(crate) protected: bool,
    /// What the client sent.
    pub(crate) from_client: Data,
    /// What the server sent.
    pub(crate) from_server: Data,
    /// How it ended, in the order in which the sides ended it.
    pub(crate) ends: Vec<End>,
    /// Why it could not be opened or protected.
    pub(crate) error: Option<String>,
}

impl Session {
    /// The sessions of a recording, in the order in which they began. Of a recording of a proxy: as
    /// they were on this leg.
    pub(crate) fn all(transcript: &Transcript, leg: Leg) -> Vec<Self> {
        let mut sessions: Vec<Self> = Vec::new();
        let mut open: BTreeMap<&Connection, usize> = BTreeMap::new();
        for (place, event) in transcript.events.iter().enumerate() {
            if transcript.seat == Seat::Proxy && !is_seen_on(event, leg) {
                continue;
            }
            let begins = matches!(event.what, EventKind::Connected { .. });
            let session = match open.get(&event.connection) {
                Some(session) if !begins => *session,
                _ => {
                    sessions.push(Self::default());
                    open.insert(&event.connection, sessions.len() - 1);
                    sessions.len() - 1
                }
            };
            let channel = event.channel.without_leg();
            sessions[session].events.push((
                place,
                Event {
                    channel,
                    ..event.clone()
                },
            ));
        }
        sessions.retain(|session| session.has_begun());
        sessions.iter_mut().for_each(Self::pair);
        sessions
    }

    /// The sessions of several recordings, those of each in their order. Events get their places
    /// and times by when they happened; a recording without a start follows the one before.
    pub(crate) fn merged(transcripts: &[&Transcript], leg: Leg) -> Vec<Self> {
        let starts = transcripts.iter().filter_map(|it| it.started);
        let first = starts.min();
        let mut sessions: Vec<Self> = Vec::new();
        let mut moments = Vec::new();
        let mut offset = 0;
        for (file, transcript) in transcripts.iter().enumerate() {
            if let (Some(first), Some(started)) = (first, transcript.started) {
                let later = started.as_microsecond() - first.as_microsecond();
                offset = u64::try_from(later).unwrap_or(0);
            }
            for mut session in Self::all(transcript, leg) {
                let mut before = 0;
                for (index, (place, event)) in session.events.iter_mut().enumerate() {
                    before = event.at.saturating_add(offset).max(before);
                    event.at = before;
                    moments.push((before, file, *place, sessions.len(), index));
                }
                sessions.push(session);
            }
            if transcript.started.is_none() {
                let last = transcript.events.last().map_or(0, |event| event.at);
                offset = offset.saturating_add(last);
            }
        }
        moments.sort_unstable();
        for (rank, (_, _, _, session, index)) in moments.into_iter().enumerate() {
            sessions[session].events[index].0 = rank;
        }
        sessions
    }

    /// Whether TLS began before anything was said.
    pub(crate) fn is_implicit(&self) -> bool {
        let mut control = self.events.iter().map(|(_, event)| &event.what);
        control.find_map(|what| match what {
            EventKind::TlsEstablished(facts) if !facts.data => Some(true),
            EventKind::FromClient { .. } | EventKind::FromServer { .. } => Some(false),
            _ => None,
        }) == Some(true)
    }

    fn has_begun(&self) -> bool {
        self.events.iter().any(|(_, event)| {
            matches!(
                event.what,
                EventKind::Connected { .. }
                    | EventKind::FromClient { .. }
                    | EventKind::FromServer { .. }
            )
        })
    }

    /// Finds exchanges and transfers.
    fn pair(&mut self) {
        let mut pairing = Pairing::new(Connection::main());
        for (index, (_, event)) in self.events.iter().enumerate() {
            // Where a proxy saw that the client has gone, replies may still come from the server.
            let is_gone = matches!(&event.what, EventKind::Closed(end) if end.by == Side::Client);
            if !is_gone {
                pairing.take(index, event.line, &event.what);
            }
            if let (EventKind::Closed(end), None) = (&event.what, &self.closed)
                && end.by == Side::Server
            {
                self.closed = Some((index, end.clone()));
            }
        }
        self.take_conversation(pairing);
        for (_, event) in &self.events {
            if let Channel::Data(number) = event.channel {
                self.transfers.entry(number).or_default().take(&event.what);
            }
        }
        self.assign_transfers();
    }

    /// Takes exchanges and replies from a pairing that has ended.
    pub(crate) fn take_conversation(&mut self, pairing: Pairing) {
        let conversation = pairing.finish();
        self.unasked = conversation.unasked;
        let exchanges = conversation.exchanges.into_iter();
        self.exchanges = exchanges
            .map(|exchange| Exchange {
                command: exchange.command,
                sent: exchange.sent,
                replies: exchange.replies,
                transfer: None,
            })
            .collect();
    }

    /// Finds the data connection of each transfer: the one that was open when its command was sent,
    /// or the first that was opened then.
    fn assign_transfers(&mut self) {
        let mut unclaimed = None;
        let mut waiting: Option<usize> = None;
        let mut next = 0;
        for (index, (_, event)) in self.events.iter().enumerate() {
            while let Some(exchange) = self.exchanges.get(next).filter(|it| it.sent <= index) {
                if matches!(exchange.verb(), "PASV" | "EPSV" | "PORT" | "EPRT") {
                    waiting = None;
                }
                if exchange.is_transfer() {
                    waiting = Some(next);
                    if let Some(number) = unclaimed.take() {
                        self.exchanges[next].transfer = Some(number);
                        waiting = None;
                    }
                }
                next += 1;
            }
            let (EventKind::DataOpened { .. }, Channel::Data(number)) =
                (&event.what, event.channel)
            else {
                continue;
            };
            // A proxy may record the last reply first, but there is none after a refusal.
            let is_refused = |at: usize| {
                let exchange = &self.exchanges[at];
                let began = exchange.replies.iter().any(|(_, reply)| reply.class() == 1);
                !began
                    && exchange
                        .completion()
                        .is_some_and(|reply| reply.class() >= 4)
            };
            match waiting.take().filter(|at| !is_refused(*at)) {
                Some(at) => self.exchanges[at].transfer = Some(number),
                None => unclaimed = Some(number),
            }
        }
    }

    /// The transfers that ABOR interrupted, by the index of their exchange: ABOR was sent before the
    /// reply that completed them.
    pub(crate) fn aborted(&self) -> BTreeSet<usize> {
        let aborts = self.exchanges.iter().filter(|it| it.verb() == "ABOR");
        let sent: Vec<usize> = aborts.map(|abort| abort.sent).collect();
        let interrupted = |exchange: &Exchange| {
            let end = exchange.completion_at().unwrap_or(usize::MAX);
            exchange.is_transfer() && sent.iter().any(|at| (exchange.sent..=end).contains(at))
        };
        let exchanges = self.exchanges.iter().enumerate();
        exchanges
            .filter(|(_, exchange)| interrupted(exchange))
            .map(|(index, _)| index)
            .collect()
    }

    /// The transmission mode in which the transfer of an exchange encodes its data, but for stream.
    pub(crate) fn coding(&self, exchange: usize) -> Option<Coding> {
        let modes = self.exchanges.iter().take(exchange).rev();
        let mut modes = modes.filter(|it| {
            it.verb() == "MODE" && it.completion().is_some_and(|reply| reply.class() == 2)
        });
        let command = modes.next()?.command.as_ref()?;
        match command.argument.as_deref()?.trim_ascii() {
            b"B" | b"b" => Some(Coding::Blocks),
            b"C" | b"c" => Some(Coding::Compressed),
            b"Z" | b"z" => Some(Coding::Zlib),
            _ => None,
        }
    }
}

impl Exchange {
    /// The reply that completed it.
    pub(crate) fn completion(&self) -> Option<&Reply> {
        self.final_reply().map(|(_, reply)| reply)
    }

    /// The event in which the reply came that completed it.
    fn completion_at(&self) -> Option<usize> {
        self.final_reply().map(|(index, _)| *index)
    }

    fn final_reply(&self) -> Option<&(usize, Reply)> {
        let mut replies = self.replies.iter();
        replies.find(|(_, reply)| reply.is_whole() && reply.class() != 1)
    }

    /// Whether it was refused before anything was done.
    pub(crate) fn is_refused(&self) -> bool {
        let began = self.replies.iter().any(|(_, reply)| reply.class() == 1);
        !began && self.completion().is_some_and(|reply| reply.class() >= 4)
    }

    /// The verb; empty for the greeting.
    pub(crate) fn verb(&self) -> &str {
        self.command.as_ref().map_or("", |it| it.verb.as_str())
    }

    /// Whether data moves.
    pub(crate) fn is_transfer(&self) -> bool {
        self.command.as_ref().is_some_and(Command::is_transfer)
    }
}

impl Transfer {
    /// Takes what happened on the data connection.
    pub(crate) fn take(&mut self, what: &EventKind) {
        match what {
            EventKind::DataOpened { mode, .. } => self.mode = Some(*mode),
            EventKind::DataFailed { error } | EventKind::TlsFailed { error, .. } => {
                self.error = Some(error.clone());
            }
            EventKind::TlsEstablished(_) => self.protected = true,
            EventKind::DataFromClient { octets } => self.from_client.extend(octets.clone()),
            EventKind::DataFromServer { octets } => self.from_server.extend(octets.clone()),
            EventKind::DataClosed(end) | EventKind::HalfClosed(end) => self.ends.push(end.clone()),
            _ => {}
        }
    }

    /// How this side ended it.
    pub(crate) fn end_of(&self, side: Side) -> Option<&End> {
        self.ends.iter().find(|end| end.by == side)
    }

    /// Whether one side reset it.
    pub(crate) fn was_reset(&self) -> bool {
        self.ends.iter().any(|end| end.how == CloseKind::Reset)
    }

    /// Whether it did not come to its regular end: one side reset it, or a download was not received
    /// to its end.
    pub(crate) fn is_cut(&self) -> bool {
        let first = self.ends.first().map(|end| end.by);
        // Where everything was received the server's end came first.
        self.was_reset() || (!self.from_server.is_empty() && first != Some(Side::Server))
    }
}

/// Whether an event of a proxy belongs to a session as it was on this leg. Octets of data
/// connections are those of the leg on which they were received, ends those of the leg on which the
/// side that ended it is.
fn is_seen_on(event: &Event, leg: Leg) -> bool {
    let own = |side: Side| match side {
        Side::Client => Leg::Client,
        Side::Server => Leg::Server,
    };
    match &event.what {
        EventKind::DataFromClient { .. } | EventKind::DataFromServer { .. } => true,
        EventKind::DataClosed(end) | EventKind::HalfClosed(end) | EventKind::Closed(end) => {
            event.channel.leg() == Some(own(end.by))
        }
        _ => event.channel.leg() == Some(leg),
    }
}
