//! Commands and the replies they got, paired.
//!
//! FTP has no request numbers: a reply belongs to the oldest command that still waits for one (RFC
//! 959 §5.4), except that STAT and ABOR may be answered while a transfer goes on (RFC 959 §4.1.3).

use super::telnet::telnet;
use super::{Awaited, EventKind, Reply, ReplyReader, Transcript};
use crate::transcript::Connection;
use std::collections::{BTreeMap, VecDeque};

/// A longer command line may be refused or cut up by a server; what it answers cannot be paired
/// with certainty.
const LONG_COMMAND: usize = 512;

/// How a TLS record with an alert begins, whatever the version (RFC 8446 §5.1).
const TLS_ALERT: &[u8] = &[21, 3];

/// The exchanges of one control connection.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Which.
    pub connection: Connection,
    /// The greeting, as an exchange without command, then every command in order.
    pub exchanges: Vec<Exchange>,
    /// Replies that came when no command waited for one, with the index of their event.
    pub unasked: Vec<(usize, Reply)>,
}

/// A command line as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The verb in capitals.
    pub verb: String,
    /// What follows the first space.
    pub argument: Option<Vec<u8>>,
}

/// One command and its replies.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// `None` for the greeting.
    pub command: Option<Command>,
    /// The line of the scenario.
    pub line: u32,
    /// Index of the event in which the command was sent, or the connection was made.
    pub sent: usize,
    /// Preliminary replies and the completion, with the index of the event each came in.
    pub replies: Vec<(usize, Reply)>,
    /// Whether its replies cannot be identified: the line was not what RFC 959 §5.3 calls a command
    /// line (bare LF, NUL, over-long …), or a reply was given up before and may still have come.
    pub irregular: bool,
}

impl Conversation {
    /// Pairs what was sent with what was received, for each control connection, in order of
    /// appearance.
    #[must_use]
    pub fn all(transcript: &Transcript) -> Vec<Self> {
        let mut pairings: Vec<Pairing> = Vec::new();
        for (index, event) in transcript.events.iter().enumerate() {
            let known = pairings
                .iter()
                .position(|p| p.conversation.connection == event.connection);
            let at = known.unwrap_or_else(|| {
                pairings.push(Pairing::new(event.connection.clone()));
                pairings.len() - 1
            });
            match event.is_gap() {
                true => pairings[at].lose_track(),
                false => pairings[at].take(index, event.line, &event.what),
            }
        }
        pairings.into_iter().map(Pairing::finish).collect()
    }

    /// Every reply of every control connection, by the index of the event in which its last octet
    /// came.
    #[must_use]
    pub fn replies(conversations: &[Self]) -> BTreeMap<usize, Vec<&Reply>> {
        let mut replies: BTreeMap<usize, Vec<&Reply>> = BTreeMap::new();
        for conversation in conversations {
            for (event, reply) in conversation.every_reply() {
                replies.entry(*event).or_default().push(reply);
            }
        }
        replies
    }

    /// Every reply of this connection, paired or not.
    pub fn every_reply(&self) -> impl Iterator<Item = &(usize, Reply)> {
        self.exchanges
            .iter()
            .flat_map(|exchange| &exchange.replies)
            .chain(&self.unasked)
    }
}

impl Command {
    /// The verb and argument of a line without its line end.
    #[must_use]
    pub fn of_line(line: &[u8]) -> Self {
        let space = memchr::memchr(b' ', line);
        let verb = &line[..space.unwrap_or(line.len())];
        Self {
            verb: String::from_utf8_lossy(verb).to_ascii_uppercase(),
            argument: space.map(|space| line[space + 1..].to_vec()),
        }
    }

    /// Whether it moves data over a data connection.
    #[must_use]
    pub fn is_transfer(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "RETR" | "STOR" | "STOU" | "APPE" | "LIST" | "NLST" | "MLSD" | "THMB"
        )
    }
}

impl Exchange {
    /// The reply that completed it: the first that is not preliminary and came to its end.
    #[must_use]
    pub fn completion(&self) -> Option<&(usize, Reply)> {
        self.replies
            .iter()
            .find(|(_, reply)| reply.is_whole() && reply.class() != 1)
    }

    /// The preliminary replies.
    pub fn preliminary(&self) -> impl Iterator<Item = &(usize, Reply)> {
        self.replies.iter().filter(|(_, reply)| reply.class() == 1)
    }

    /// The verb, or `greeting`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.command
            .as_ref()
            .map_or("greeting", |command| command.verb.as_str())
    }

    /// Whether it can be judged: a regular line, and an answer that came to its end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.irregular && self.completion().is_some()
    }
}

/// One control connection being paired, event by event.
#[derive(Debug)]
pub(crate) struct Pairing {
    conversation: Conversation,
    reader: ReplyReader,
    /// Indices of exchanges that wait for their completion, oldest first.
    waiting: VecDeque<usize>,
    /// What was sent and is no whole line yet, with the scenario line and event it began in.
    unsent: Vec<u8>,
    began: (u32, usize),
    /// The last event in which octets came.
    received: usize,
    /// A reply did not come in time, so that later ones may belong to earlier commands.
    adrift: bool,
    /// AUTH was answered 234, and no handshake has ended well since.
    handshake_due: bool,
    /// Octets are missing, so that nothing can be paired until it connects again.
    lost: bool,
}

impl Pairing {
    /// Nothing has happened on this control connection.
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            conversation: Conversation {
                connection,
                exchanges: Vec::new(),
                unasked: Vec::new(),
            },
            reader: ReplyReader::default(),
            waiting: VecDeque::new(),
            unsent: Vec::new(),
            began: (0, 0),
            received: 0,
            adrift: false,
            handshake_due: false,
            lost: false,
        }
    }

    /// What was begun stays as it is, and what follows is left out.
    fn lose_track(&mut self) {
        self.reader = ReplyReader::default();
        self.waiting.clear();
        self.unsent.clear();
        self.lost = true;
    }

    /// What has been paired so far.
    pub(crate) fn so_far(&self) -> &Conversation {
        &self.conversation
    }

    /// Takes the next event, with its index and the line of the scenario.
    pub(crate) fn take(&mut self, index: usize, line: u32, what: &EventKind) {
        match what {
            EventKind::Connected { .. } => {
                self.end();
                self.lost = false;
                self.adrift = false;
                self.begin(None, line, index, false);
            }
            _ if self.lost => {}
            EventKind::FromClient { octets } => self.sent(index, line, octets),
            // A handshake that goes wrong may end with an alert where a 421 is the other choice
            // (RFC 4217 §10.1).
            EventKind::FromServer { octets }
                if self.handshake_due && octets.starts_with(TLS_ALERT) => {}
            EventKind::FromServer { octets } => {
                self.received = index;
                self.reader.push(octets);
                while let Some(reply) = self.reader.next_reply() {
                    self.reply(index, reply);
                }
            }
            // What was sent in the clear before the handshake must not be answered (RFC 4217 §4.2
            // and every advisory on STARTTLS injection), so nothing waits any more.
            EventKind::TlsEstablished(facts) if !facts.data => {
                self.handshake_due = false;
                // Where TLS begins with the first octet, the greeting comes after it.
                if !self.only_greeting_waits() {
                    self.end();
                }
            }
            EventKind::TlsEnded { .. } | EventKind::Closed(_) => self.end(),
            EventKind::Silence { awaited, .. } => {
                // After a time-out pairing starts again. A late reply cannot be attributed.
                self.give_up();
                self.adrift |= *awaited == Awaited::Reply && !self.waiting.is_empty();
                if self.adrift {
                    for exchange in &self.waiting {
                        self.conversation.exchanges[*exchange].irregular = true;
                    }
                }
            }
            _ => {}
        }
    }

    fn sent(&mut self, index: usize, line: u32, octets: &[u8]) {
        if self.unsent.is_empty() {
            self.began = (line, index);
        }
        self.unsent.extend_from_slice(octets);
        while let Some(end) = memchr::memmem::find(&self.unsent, b"\r\n") {
            let rest = self.unsent.split_off(end + 2);
            let mut whole = std::mem::replace(&mut self.unsent, rest);
            whole.truncate(end);
            self.command_line(&whole, line, index);
            self.began = (line, index);
        }
    }

    fn command_line(&mut self, raw: &[u8], line: u32, index: usize) {
        let text = without_telnet(raw);
        let irregular = self.adrift
            || text.is_empty()
            || text.len() > LONG_COMMAND
            || text.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n'));
        self.begin(Some(Command::of_line(&text)), line, index, irregular);
    }

    fn begin(&mut self, command: Option<Command>, line: u32, sent: usize, irregular: bool) {
        self.waiting.push_back(self.conversation.exchanges.len());
        let exchange = Exchange {
            command,
            line,
            sent,
            replies: Vec::new(),
            irregular,
        };
        self.conversation.exchanges.push(exchange);
    }

    fn reply(&mut self, index: usize, reply: Reply) {
        self.handshake_due |= reply.code == 234;
        if self.waiting.is_empty() && !self.unsent.is_empty() {
            // The server takes for a line what is none.
            let raw = std::mem::take(&mut self.unsent);
            let (line, sent) = self.began;
            self.begin(
                Some(Command::of_line(&without_telnet(&raw))),
                line,
                sent,
                true,
            );
        }
        let Some(position) = self.addressee(&reply) else {
            self.conversation.unasked.push((index, reply));
            return;
        };
        let exchange = self.waiting[position];
        if reply.class() != 1 {
            self.waiting.remove(position);
        }
        self.conversation.exchanges[exchange]
            .replies
            .push((index, reply));
    }

    /// Which of the waiting exchanges the reply belongs to.
    fn addressee(&mut self, reply: &Reply) -> Option<usize> {
        // Some servers answer transfer and ABOR with one reply: the next one is for whatever was
        // sent next.
        let abort = self.waiting.len() > 1 && self.oldest_is_abort();
        if abort && matches!(reply.code, 200..=224 | 227..=399) {
            self.waiting.pop_front();
        }
        let oldest = *self.waiting.front()?;
        if self.waiting.len() < 2 || reply.class() == 1 {
            return Some(0);
        }
        let exchange = &self.conversation.exchanges[oldest];
        let in_transfer = exchange.preliminary().next().is_some()
            && exchange.command.as_ref().is_some_and(Command::is_transfer);
        // Codes no transfer ends with: the answer to something asked while it goes on.
        let ends_no_transfer =
            matches!(reply.code, 200..=225 | 227..=249 | 251..=399 | 500..=503 | 530);
        Some(usize::from(in_transfer && ends_no_transfer))
    }

    fn oldest_is_abort(&self) -> bool {
        let oldest = self
            .waiting
            .front()
            .map(|at| &self.conversation.exchanges[*at]);
        oldest
            .and_then(|exchange| exchange.command.as_ref())
            .is_some_and(|c| c.verb == "ABOR")
    }

    /// What came so far is all that comes of that reply.
    fn give_up(&mut self) {
        if let Some(reply) = self.reader.finish() {
            self.reply(self.received, reply);
        }
    }

    /// Whether nothing was said yet, on either side.
    fn only_greeting_waits(&self) -> bool {
        let mut waiting = self.waiting.iter();
        let is_greeting = |at: &usize| self.conversation.exchanges[*at].command.is_none();
        waiting.next().is_some_and(is_greeting)
            && waiting.next().is_none()
            && self.unsent.is_empty()
            && self.reader.rest().is_empty()
    }

    /// Nothing that was begun is answered any more.
    fn end(&mut self) {
        self.give_up();
        self.waiting.clear();
        self.unsent.clear();
    }

    /// Nothing more happens.
    pub(crate) fn finish(mut self) -> Conversation {
        self.end();
        self.conversation
    }
}

/// A command line without the Telnet commands in it (RFC 959 §4.1.3 asks for IP and Synch before
/// ABOR).
fn without_telnet(raw: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        if octet == 0xff && !behind.is_empty() {
            let (kept, used) = telnet(behind);
            line.extend(kept);
            rest = &behind[used..];
        } else {
            line.push(octet);
        }
    }
    line
}

#[cfg(test)]
mod tests;
