//! Compares a session that was played again with the recorded one: exchange by exchange, and the
//! octets of each transfer. Pure.

mod listing;
mod text;

use serde::Serialize;

use super::dialogue::{Exchange, Session, Transfer};
use crate::data::{Data, escape};
use crate::text::counted;
use crate::transcript::{CloseKind, Reply, Side};

/// Octets that are shown of two transfers where they begin to differ.
const CONTEXT: u64 = 32;
/// Lines that are shown of what differs in a listing or a reply.
const SHOWN: usize = 8;

/// What has to be equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Strictness {
    /// Reply codes and the octets of transfers, listings without what varies.
    #[default]
    Codes,
    /// Also the texts of replies, without addresses, ports, times and identifiers.
    Text,
    /// All octets, and how connections ended.
    Exact,
}

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Replies to a command, or the greeting.
    Replies,
    /// A reply that no command asked for.
    Unasked,
    /// The octets of a transfer.
    Data,
    /// How a data connection was opened, protected or ended.
    DataConnection,
    /// How the control connection ended.
    ControlConnection,
    /// Commands that were not sent.
    NotPlayed,
}

/// One difference between the recording and what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The number of the session in the recording, from 1.
    pub session: usize,
    /// The number of the command in the session; 0 for the greeting.
    pub command_number: usize,
    /// The command line without secrets; empty for the greeting.
    pub command: String,
    /// What it is about.
    pub subject: Subject,
    /// What was recorded.
    pub recorded: Vec<String>,
    /// What happened.
    pub live: Vec<String>,
    /// What else helps to understand it; may be empty.
    pub note: String,
}

/// What was played of a session.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// Exchanges in the order of the recording, and transfers by their recorded numbers.
    pub(crate) session: Session,
    /// Why it was not played to its end.
    pub(crate) stopped: Option<String>,
    /// The login directories that differ: the recorded one and the live one.
    pub(crate) directories: Option<(String, String)>,
}

/// The differences between a recorded session and what was played of it.
pub(crate) fn compare(
    number: usize,
    recorded: &Session,
    played: &Played,
    strictness: Strictness,
) -> Vec<Difference> {
    let mut comparison = Comparison {
        number,
        recorded,
        played,
        strictness,
        found: Vec::new(),
    };
    comparison.exchanges();
    comparison.unasked();
    comparison.ends();
    comparison.found
}

struct Comparison<'a> {
    number: usize,
    recorded: &'a Session,
    played: &'a Played,
    strictness: Strictness,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn exchanges(&mut self) {
        let aborted = self.recorded.aborted();
        let live = &self.played.session.exchanges;
        for (index, exchange) in self.recorded.exchanges.iter().enumerate() {
            let Some(live) = live.get(index) else {
                self.not_played(index);
                break;
            };
            let transfer = exchange
                .transfer
                .and_then(|it| self.recorded.transfers.get(&it));
            // 426 and 451: the server found it cut, however it ended.
            let completion = exchange.completion().map(|reply| reply.code);
            let is_cut = aborted.contains(&index)
                || (exchange.is_transfer() && matches!(completion, Some(426 | 451)))
                || transfer.is_some_and(Transfer::is_cut);
            let after_cut = exchange.verb() == "ABOR";
            self.replies(index, exchange, live, is_cut || after_cut);
            // Of a transfer that was refused there is nothing on the data connection.
            let is_refused = exchange.is_refused();
            if let Some((number, transfer)) =
                exchange.transfer.zip(transfer).filter(|_| !is_refused)
            {
                let live = self.played.session.transfers.get(&number);
                self.transfer(index, transfer, live, is_cut);
            }
        }
    }

    fn not_played(&mut self, index: usize) {
        let left = self.recorded.exchanges.len() - index;
        let reason = self.played.stopped.clone().unwrap_or_default();
        self.add(
            index,
            Subject::NotPlayed,
            vec![format!("{} more", counted(left, "command"))],
            vec![],
            reason,
        );
    }

    /// Nothing is compared where the recording has no reply: it ends there.
    fn replies(&mut self, index: usize, recorded: &Exchange, live: &Exchange, is_cut: bool) {
        if recorded.replies.is_empty() {
            return;
        }
        let of = |exchange: &Exchange| -> Vec<Reply> {
            let replies = exchange.replies.iter();
            replies.map(|(_, reply)| reply.clone()).collect()
        };
        let (expected, mut got) = (of(recorded), of(live));
        // A recording that was torn off after a preliminary reply.
        if recorded.completion().is_none() && self.recorded.closed.is_none() {
            got.truncate(expected.len());
        }
        // What names a port is another one each time.
        let names_port = matches!(recorded.verb(), "PASV" | "EPSV");
        let equal = match self.strictness {
            Strictness::Exact if !names_port => expected
                .iter()
                .map(|it| &it.octets)
                .eq(got.iter().map(|it| &it.octets)),
            _ => codes(&expected, is_cut) == codes(&got, is_cut),
        };
        let texts = |replies: &[Reply]| text::comparable(replies, index == 0, None);
        let live_texts = || text::comparable(&got, index == 0, self.played.directories.as_ref());
        let equal = equal
            && (self.strictness != Strictness::Text || is_cut || texts(&expected) == live_texts());
        if !equal {
            let note = match got.is_empty() {
                true => self.played.stopped.clone().unwrap_or_default(),
                false => String::new(),
            };
            let (recorded, live) = (shown(&expected), shown(&got));
            self.add(index, Subject::Replies, recorded, live, note);
        }
    }

    fn transfer(&mut self, index: usize, recorded: &Transfer, live: Option<&Transfer>, cut: bool) {
        let none = Transfer::default();
        let live = live.unwrap_or(&none);
        // A reset may come before the connection was noticed.
        if recorded.mode.is_some() && live.mode.is_none() && !(cut && recorded.was_reset()) {
            let note = live.error.clone().unwrap_or_default();
            let is_there = vec!["a data connection".to_owned()];
            return self.add(index, Subject::DataConnection, is_there, vec![], note);
        }
        if recorded.protected && !live.protected && recorded.error.is_none() {
            let note = live.error.clone().unwrap_or_default();
            let is_there = vec!["TLS on the data connection".to_owned()];
            return self.add(index, Subject::DataConnection, is_there, vec![], note);
        }
        let is_listing = matches!(
            self.recorded.exchanges[index].verb(),
            "LIST" | "NLST" | "MLSD"
        );
        let (expected, got) = (&recorded.from_server, &live.from_server);
        // Two encodings of the same data may differ.
        let decodes = expected != got && self.strictness != Strictness::Exact && !cut;
        let coding = decodes.then(|| self.recorded.coding(index)).flatten();
        let decoded = coding.and_then(|coding| {
            let decoded = |data: &Data| coding.decoded(&data.joined()).map(Data::from).ok();
            decoded(expected).zip(decoded(got))
        });
        let (expected, got) = match &decoded {
            Some((expected, got)) => (expected, got),
            None => (expected, got),
        };
        let before = self.found.len();
        let is_text = is_listing && self.strictness != Strictness::Exact && !cut;
        if is_text && *expected != *got {
            let (expected, got) = (expected.joined(), got.joined());
            self.listing(index, &expected, &got);
        } else if cut && self.strictness != Strictness::Exact {
            let shorter = expected.len().min(got.len());
            if expected.common_beginning(got) < shorter {
                self.octets(index, expected, got);
            }
        } else if !is_text && *expected != *got {
            self.octets(index, expected, got);
        }
        if let Some(difference) = self.found.get_mut(before) {
            let was_reset = live
                .end_of(Side::Server)
                .is_some_and(|end| end.how == CloseKind::Reset);
            let reset = was_reset.then(|| "the server reset the data connection".to_owned());
            for reason in live.error.iter().chain(&reset) {
                difference.note += "; ";
                difference.note += reason;
            }
        }
        if self.strictness == Strictness::Exact {
            let end = |transfer: &Transfer| {
                let end = transfer.end_of(Side::Server);
                end.map(|end| vec![format!("{:?}", end.how)])
                    .unwrap_or_default()
            };
            let (expected, got) = (end(recorded), end(live));
            if expected != got {
                let note = "the way in which the server ended the data connection".into();
                self.add(index, Subject::DataConnection, expected, got, note);
            }
        }
    }

    fn listing(&mut self, index: usize, expected: &[u8], got: &[u8]) {
        let (expected, got) = (listing::normalized(expected), listing::normalized(got));
        if expected == got {
            return;
        }
        let missing = |these: &[String], those: &[String]| -> Vec<String> {
            let missing = these.iter().filter(|line| !those.contains(line));
            missing
                .take(SHOWN)
                .map(|line| escape(line.as_bytes()))
                .collect()
        };
        let (expected, got) = (missing(&expected, &got), missing(&got, &expected));
        let note = "lines that only one of the two has".into();
        self.add(index, Subject::Data, expected, got, note);
    }

    fn octets(&mut self, index: usize, expected: &Data, got: &Data) {
        let at = expected.common_beginning(got);
        let part = |data: &Data| {
            let begin = at.saturating_sub(CONTEXT / 2);
            let part = data.slice(begin..at + CONTEXT / 2);
            vec![format!(
                "{} octets: …{}…",
                data.len(),
                escape(&part.joined())
            )]
        };
        let note = format!("the first difference is at octet {at}");
        let (expected, got) = (part(expected), part(got));
        self.add(index, Subject::Data, expected, got, note);
    }

    fn unasked(&mut self) {
        // Some servers say goodbye to a client that leaves without QUIT (Pure-FTPd: `226 Logout.`).
        // The client may or may not see it.
        let of = |session: &Session| -> Vec<Reply> {
            let last = session.exchanges.last();
            let left_at = last.filter(|it| it.verb() != "QUIT").map(|it| it.sent);
            let is_goodbye = |event: usize, reply: &Reply| {
                reply.class() == 2 && left_at.is_some_and(|left| event > left)
            };
            let replies = session.unasked.iter();
            let replies = replies.filter(|(event, reply)| !is_goodbye(*event, reply));
            replies.map(|(_, reply)| reply.clone()).collect()
        };
        let (expected, got) = (of(self.recorded), of(&self.played.session));
        if codes(&expected, false) != codes(&got, false) {
            let at = self.played.session.unasked.first();
            let at = at
                .or_else(|| self.recorded.unasked.first())
                .map_or(0, |it| it.0);
            let session = match got.is_empty() {
                true => self.recorded,
                false => &self.played.session,
            };
            let sent = session.exchanges.iter().take_while(|it| it.sent <= at);
            let index = sent.count().saturating_sub(1);
            let note = "replies that no command asked for, after this command".into();
            let (expected, got) = (shown(&expected), shown(&got));
            self.add(index, Subject::Unasked, expected, got, note);
        }
    }

    fn ends(&mut self) {
        let last = self.recorded.exchanges.len().saturating_sub(1);
        let word = |session: &Session| match &session.closed {
            Some((_, end)) if self.strictness == Strictness::Exact => {
                vec![format!("ended by the server: {:?}", end.how)]
            }
            Some(_) => vec!["ended by the server".to_owned()],
            None => vec![],
        };
        let (expected, got) = (word(self.recorded), word(&self.played.session));
        // Where it ended early, what is missing was reported.
        if expected != got && self.played.stopped.is_none() {
            let note = "the control connection".into();
            self.add(last, Subject::ControlConnection, expected, got, note);
        }
    }

    fn add(
        &mut self,
        index: usize,
        subject: Subject,
        recorded: Vec<String>,
        live: Vec<String>,
        note: String,
    ) {
        let command = self.recorded.exchanges.get(index);
        self.found.push(Difference {
            session: self.number,
            command_number: index,
            command: command.map(command_line).unwrap_or_default(),
            subject,
            recorded,
            live,
            note,
        });
    }
}

/// The command line as it is shown.
pub(crate) fn command_line(exchange: &Exchange) -> String {
    let Some(command) = &exchange.command else {
        return String::new();
    };
    match &command.argument {
        Some(argument) => format!("{} {}", escape(command.verb.as_bytes()), escape(argument)),
        None => escape(command.verb.as_bytes()),
    }
}

/// The codes, those equal that only differ by chance: 125 and 150 depend on when the data
/// connection was opened, the end of a transfer that was cut on how much was on its way.
fn codes(replies: &[Reply], is_cut: bool) -> Vec<u16> {
    let code = |reply: &Reply| match reply.code {
        125 | 150 => 150,
        225 | 226 | 250 | 426 | 451 if is_cut => 226,
        code => code,
    };
    replies.iter().map(code).collect()
}

/// The lines of replies as they are shown.
fn shown(replies: &[Reply]) -> Vec<String> {
    let lines = replies.iter().flat_map(|reply| &reply.lines);
    lines.take(SHOWN).map(|line| escape(line)).collect()
}
