//! The dialogue of a recording: commands and replies in order, and what each transfer moved.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::Data;
use crate::transcript::{
    Channel, Command, Conversation, DataMode, Event, EventKind, Reply, Side, Transcript,
};

/// What happened, in order.
#[derive(Debug)]
pub(super) enum Happening<'a> {
    /// The command of this exchange was sent.
    Command(usize, &'a Command),
    /// A reply to the command of this exchange, and whether it is the last one.
    Reply(usize, &'a Reply, bool),
    /// A reply that nothing asked for.
    Unasked(&'a Reply),
    /// The control connection is protected from here on.
    Protected,
    /// The control connection went back to clear text.
    Cleared,
    /// The server ended the control connection.
    Closed,
    /// From here on octets are missing, or encrypted.
    Lost(&'a str),
}

/// The octets of a transfer.
#[derive(Debug, Default, Clone)]
pub(super) struct Transfer {
    pub(super) from_client: Data,
    pub(super) from_server: Data,
}

/// A recording, read as a dialogue.
#[derive(Debug)]
pub(super) struct Dialogue {
    conversation: Option<Conversation>,
    /// By exchange.
    transfers: BTreeMap<usize, Transfer>,
    /// How the data connection of the next transfer is prepared, by the exchange that did.
    preparations: BTreeMap<usize, DataMode>,
    /// Commands that were sent before all earlier ones had been answered.
    pub(super) pipelined: BTreeSet<usize>,
    /// TLS on the control connection.
    pub(super) tls: bool,
}

impl Dialogue {
    /// Of the main connection.
    pub(super) fn of(transcript: &Transcript) -> Self {
        let conversation = Conversation::all(transcript).into_iter().next();
        let mut dialogue = Self {
            conversation,
            transfers: BTreeMap::new(),
            preparations: BTreeMap::new(),
            pipelined: BTreeSet::new(),
            tls: transcript.events.iter().any(
                |event| matches!(&event.what, EventKind::TlsEstablished(facts) if !facts.data),
            ),
        };
        dialogue.find_transfers(transcript);
        dialogue.find_preparations();
        dialogue.find_pipelined();
        dialogue
    }

    /// What happened, in order.
    pub(super) fn happenings<'a>(&'a self, transcript: &'a Transcript) -> Vec<Happening<'a>> {
        let mut all: Vec<(usize, Happening<'a>)> = Vec::new();
        let Some(conversation) = &self.conversation else {
            return Vec::new();
        };
        for (number, exchange) in conversation.exchanges.iter().enumerate() {
            if let Some(command) = &exchange.command {
                all.push((exchange.sent, Happening::Command(number, command)));
            }
            let completion = exchange.completion().map(|(event, _)| *event);
            for (event, reply) in &exchange.replies {
                let is_last = completion == Some(*event) && reply.class() != 1;
                all.push((*event, Happening::Reply(number, reply, is_last)));
            }
        }
        let unasked = conversation.unasked.iter();
        all.extend(unasked.map(|(event, reply)| (*event, Happening::Unasked(reply))));
        for (index, event) in transcript.events.iter().enumerate() {
            if event.connection != conversation.connection {
                continue;
            }
            let happening = match &event.what {
                EventKind::TlsEstablished(facts) if !facts.data => Happening::Protected,
                EventKind::TlsEnded { .. } => Happening::Cleared,
                EventKind::Closed(end) if end.by == Side::Server => Happening::Closed,
                EventKind::Observed { fact, .. } if event.is_capture() => Happening::Lost(fact),
                _ => continue,
            };
            all.push((index, happening));
        }
        // The sort is stable: replies of one event stay in order.
        all.sort_by_key(|(index, _)| *index);
        all.into_iter().map(|(_, happening)| happening).collect()
    }

    /// The exchange in which the session was logged in.
    pub(super) fn login(&self) -> Option<usize> {
        let exchanges = &self.conversation.as_ref()?.exchanges;
        exchanges.iter().position(|exchange| {
            let is_login = matches!(exchange.name(), "USER" | "PASS" | "ACCT");
            let code = exchange.completion().map(|(_, reply)| reply.code);
            is_login && matches!(code, Some(230 | 232))
        })
    }

    /// The code that completed an exchange.
    pub(super) fn code(&self, exchange: usize) -> Option<u16> {
        let exchanges = &self.conversation.as_ref()?.exchanges;
        exchanges
            .get(exchange)?
            .completion()
            .map(|(_, reply)| reply.code)
    }

    /// Whether any reply to the command of an exchange came.
    pub(super) fn is_answered(&self, exchange: usize) -> bool {
        let exchanges = self.conversation.as_ref().map(|it| &it.exchanges);
        exchanges.is_some_and(|all| all.get(exchange).is_some_and(|it| !it.replies.is_empty()))
    }

    /// What the transfer of an exchange moved.
    pub(super) fn transfer(&self, exchange: usize) -> Option<&Transfer> {
        self.transfers.get(&exchange)
    }

    /// How this exchange prepared the data connection of the next transfer, if it did.
    pub(super) fn preparation(&self, exchange: usize) -> Option<DataMode> {
        self.preparations.get(&exchange).copied()
    }

    /// Whether ABOR was sent during the transfer of this exchange.
    pub(super) fn is_aborted(&self, exchange: usize) -> bool {
        let Some(conversation) = &self.conversation else {
            return false;
        };
        let aborted = &conversation.exchanges[exchange];
        let end = aborted.completion().map_or(usize::MAX, |(event, _)| *event);
        let later = conversation.exchanges.iter().skip(exchange + 1);
        later
            .take_while(|other| other.sent < end)
            .any(|other| other.name() == "ABOR")
    }

    /// Gives each transfer the data connection that was opened after it was agreed upon, and before
    /// the next one was. That order is certain; what a recorder sees on two connections at about
    /// the same time can be in any order.
    fn find_transfers(&mut self, transcript: &Transcript) {
        let Some(conversation) = &self.conversation else {
            return;
        };
        let mut channels: BTreeMap<Channel, (usize, Transfer)> = BTreeMap::new();
        let own = |event: &Event| event.connection == conversation.connection;
        let events = transcript.events.iter().enumerate();
        for (index, event) in events.filter(|(_, event)| own(event)) {
            let channel = event.channel.without_leg();
            if channel.is_control() {
                continue;
            }
            let begun = channels.entry(channel);
            let (_, transfer) = begun.or_insert_with(|| (index, Transfer::default()));
            match &event.what {
                EventKind::DataFromClient { octets } => transfer.from_client.extend(octets.clone()),
                EventKind::DataFromServer { octets } => transfer.from_server.extend(octets.clone()),
                _ => {}
            }
        }
        let mut channels: Vec<_> = channels.into_values().collect();
        let agreed: Vec<(usize, usize)> = agreements(conversation).collect();
        for (number, exchange) in conversation.exchanges.iter().enumerate() {
            let is_transfer = exchange.command.as_ref().is_some_and(Command::is_transfer);
            if !is_transfer || exchange.preliminary().next().is_none() {
                continue;
            }
            let from = agreed.iter().rev().find(|(other, _)| *other < number);
            let to = agreed.iter().find(|(other, _)| *other > number);
            let from = from.map_or(0, |(_, event)| *event);
            let to = to.map_or(usize::MAX, |(_, event)| *event);
            let mut opened = channels.iter();
            let own = opened.position(|(first, _)| (from..to).contains(first));
            let transfer = own.map(|own| channels.remove(own).1);
            self.transfers.insert(number, transfer.unwrap_or_default());
        }
    }

    /// PASV, EPSV, PORT and EPRT that a transfer follows before another one of them.
    fn find_preparations(&mut self) {
        let Some(conversation) = &self.conversation else {
            return;
        };
        let mut prepared = None;
        for (number, exchange) in conversation.exchanges.iter().enumerate() {
            let Some(command) = &exchange.command else {
                continue;
            };
            let argument = command.argument.as_deref().unwrap_or_default();
            let mode = match command.verb.as_str() {
                "PASV" => Some(DataMode::Pasv),
                "EPSV" if !argument.eq_ignore_ascii_case(b"ALL") => Some(DataMode::Epsv),
                "PORT" => Some(DataMode::Port),
                "EPRT" => Some(DataMode::Eprt),
                _ => None,
            };
            let is_done = exchange
                .completion()
                .is_some_and(|(_, reply)| reply.class() == 2);
            match mode {
                Some(mode) if is_done => prepared = Some((number, mode)),
                Some(_) => {}
                None if command.is_transfer() => {
                    if let Some((number, mode)) = prepared.take() {
                        self.preparations.insert(number, mode);
                    }
                }
                None => {}
            }
        }
    }

    fn find_pipelined(&mut self) {
        let Some(conversation) = &self.conversation else {
            return;
        };
        let mut answered = 0;
        for (number, exchange) in conversation.exchanges.iter().enumerate() {
            if exchange.sent < answered && exchange.command.is_some() {
                self.pipelined.insert(number);
            }
            let completion = exchange.completion().map(|(event, _)| *event);
            answered = answered.max(completion.unwrap_or(answered));
        }
    }
}

/// The exchanges that agreed upon a data connection, each with the event of its reply.
fn agreements(conversation: &Conversation) -> impl Iterator<Item = (usize, usize)> {
    let exchanges = conversation.exchanges.iter().enumerate();
    exchanges.filter_map(|(number, exchange)| {
        let agrees = matches!(exchange.name(), "PASV" | "EPSV" | "PORT" | "EPRT");
        let (event, reply) = exchange.completion().filter(|_| agrees)?;
        (reply.class() == 2).then_some((number, *event))
    })
}
