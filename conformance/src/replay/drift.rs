//! Compares live sessions with recorded ones, while they happen and at their end: whether a server
//! still answers as it did.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use super::compare::{Difference, Played, Strictness, Subject, command_line, compare};
use super::dialogue::{Exchange, Session};
use super::{Recording, ReplayError, sessions};
use crate::data::escape;
use crate::proxy::{
    Channel, ClientLines, ClientPiece, Observer, ServerLines, ServerPiece, Sighting, split_command,
};
use crate::transcript::{Leg, Transcript};

/// Commands that wait for replies; with more nothing is compared any more.
const REMEMBERED: usize = 10_000;
/// Commands whose arguments name addresses or secrets: they differ from session to session.
const VARYING: [&str; 5] = ["PORT", "EPRT", "PASS", "ACCT", "ADAT"];

/// Recorded sessions, in the order in which live ones are compared with them.
#[derive(Debug)]
pub(crate) struct Expected {
    sessions: Vec<Arc<Session>>,
}

impl Expected {
    /// The sessions of these recordings as the server had them.
    ///
    /// # Errors
    /// One cannot be read.
    pub(crate) fn open(files: &[std::path::PathBuf]) -> Result<Self, ReplayError> {
        let recordings: Result<Vec<_>, _> = files.iter().map(Recording::open).collect();
        let sessions = sessions(&recordings?, Leg::Server).into_iter();
        Ok(Self {
            sessions: sessions.map(Arc::new).collect(),
        })
    }

    /// The session with this number, counted from 1.
    pub(crate) fn session(&self, number: u64) -> Option<Arc<Session>> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.sessions.get(index).cloned()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }
}

/// What differs between a recorded session and a live one that a proxy has recorded.
pub(crate) fn drift(
    number: usize,
    recorded: &Session,
    live: &Transcript,
    strictness: Strictness,
) -> Vec<Difference> {
    let sessions = Session::all(live, Leg::Server);
    let mut live = sessions.into_iter().next().unwrap_or_default();
    let mut recorded = recorded.clone();
    let pairs = recorded.exchanges.iter().zip(&live.exchanges);
    let other = pairs.clone().position(|(old, new)| !is_same(old, new));
    let left = other.map(|at| Difference {
        session: number,
        command_number: at,
        command: command_line(&live.exchanges[at]),
        subject: Subject::NotPlayed,
        recorded: vec![command_line(&recorded.exchanges[at])],
        live: vec![command_line(&live.exchanges[at])],
        note: "the client sent another command; nothing is compared from here on".into(),
    });
    let numbers: Vec<_> = pairs
        .map(|(old, new)| (old.transfer, new.transfer))
        .collect();
    if let Some(at) = other {
        recorded.exchanges.truncate(at);
        live.exchanges.truncate(at);
    }
    if left.is_some() || live.exchanges.len() < recorded.exchanges.len() {
        // The end of one is not the end of the other.
        (recorded.closed, live.closed) = (None, None);
        (recorded.unasked, live.unasked) = (Vec::new(), Vec::new());
    }
    // Transfers have the numbers of the recording.
    let mut transfers = std::mem::take(&mut live.transfers);
    for (old, new) in numbers {
        if let (Some(old), Some(new)) = (old, new)
            && let Some(transfer) = transfers.remove(&new)
        {
            live.transfers.insert(old, transfer);
        }
    }
    let played = Played {
        session: live,
        ..Played::default()
    };
    let mut differences = compare(number, &recorded, &played, strictness);
    differences.extend(left);
    differences
}

/// Whether both are the same command, as far as commands are the same in two sessions.
fn is_same(one: &Exchange, other: &Exchange) -> bool {
    let argument = |exchange: &Exchange| {
        let command = exchange.command.as_ref()?;
        let varies = VARYING.contains(&command.verb.as_str());
        command.argument.clone().filter(|_| !varies)
    };
    one.verb() == other.verb() && argument(one) == argument(other)
}

/// Reports where a live session leaves the recorded one, as soon as a reply shows it, and passes
/// everything on to another observer.
pub(crate) struct DriftWatcher {
    inner: Arc<dyn Observer>,
    report: Box<dyn Fn(String) + Send + Sync>,
    state: Mutex<State>,
}

impl DriftWatcher {
    /// Of a session that is to be like `recorded`.
    pub(crate) fn new(
        inner: Arc<dyn Observer>,
        recorded: Arc<Session>,
        report: Box<dyn Fn(String) + Send + Sync>,
    ) -> Self {
        Self {
            inner,
            report,
            state: Mutex::new(State {
                recorded: Some(recorded),
                commands: ClientLines::default(),
                replies: ServerLines::default(),
                pending: VecDeque::from([None]),
                next: 0,
                codes: Vec::new(),
            }),
        }
    }
}

struct State {
    /// `None` once the client has left it.
    recorded: Option<Arc<Session>>,
    commands: ClientLines,
    replies: ServerLines,
    /// Commands without a final reply: verb and argument; the greeting has none.
    pending: VecDeque<Option<(String, Vec<u8>)>>,
    /// The number of the first of them.
    next: usize,
    /// Codes of its replies so far.
    codes: Vec<u16>,
}

impl State {
    fn sent(&mut self, octets: &[u8]) {
        self.commands.push(octets);
        while let Some(piece) = self.commands.next_piece() {
            if let ClientPiece::Command(line) = piece {
                let (verb, argument) = split_command(&line);
                self.pending.push_back(Some((verb, argument.to_vec())));
            }
        }
        if self.pending.len() > REMEMBERED {
            self.recorded = None;
        }
    }

    /// What differs in the replies that are whole now.
    fn received(&mut self, octets: &[u8]) -> Vec<String> {
        self.replies.push(octets);
        let mut found = Vec::new();
        while let Some(piece) = self.replies.next_piece() {
            let ServerPiece::Reply(code, _) = piece else {
                continue;
            };
            self.codes.push(code);
            if code >= 200 {
                let codes = std::mem::take(&mut self.codes);
                let command = self.pending.pop_front().unwrap_or_default();
                let number = self.next;
                self.next += 1;
                found.extend(self.completed(number, command, &codes));
            }
        }
        found
    }

    fn completed(
        &mut self,
        number: usize,
        command: Option<(String, Vec<u8>)>,
        codes: &[u16],
    ) -> Option<String> {
        let session = self.recorded.clone()?;
        let verb = command.as_ref().map_or("", |(verb, _)| verb.as_str());
        let argument = command.as_ref().map_or(&b""[..], |(_, argument)| argument);
        let line = match VARYING.contains(&verb) || argument.is_empty() {
            true => verb.to_owned(),
            false => format!("{verb} {}", escape(argument)),
        };
        let Some(exchange) = session.exchanges.get(number) else {
            self.recorded = None;
            return Some(format!(
                "command {number} {line}: the recording ends before it"
            ));
        };
        if exchange.verb() != verb {
            self.recorded = None;
            let recorded = command_line(exchange);
            return Some(format!("command {number} {line}: recorded {recorded}"));
        }
        let alike = |code: &u16| if *code == 125 { 150 } else { *code };
        let recorded: Vec<u16> = exchange.replies.iter().map(|(_, it)| it.code).collect();
        if recorded.iter().map(alike).eq(codes.iter().map(alike)) || recorded.is_empty() {
            return None;
        }
        let words = |codes: &[u16]| {
            let codes = codes.iter().map(u16::to_string);
            codes.collect::<Vec<_>>().join(" ")
        };
        let (recorded, live) = (words(&recorded), words(codes));
        let place = match number {
            0 => "greeting".to_owned(),
            number => format!("command {number} {line}"),
        };
        Some(format!("{place}: recorded {recorded}, now {live}"))
    }
}

impl Observer for DriftWatcher {
    fn see(&self, leg: Leg, channel: Channel, sighting: &Sighting<'_>) {
        self.inner.see(leg, channel, sighting);
        if (leg, channel) != (Leg::Server, Channel::Control) {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match sighting {
            Sighting::Sent(octets) => state.sent(octets),
            Sighting::Received(octets) => {
                for found in state.received(octets) {
                    (self.report)(found);
                }
            }
            _ => {}
        }
    }

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_ready(context)
    }

    fn ended(&self) {
        self.inner.ended();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::transcript::read;

    /// A recording of a proxy: lines that begin with `C` are sent to the server.
    fn recorded(lines: &[&str]) -> Transcript {
        let mut text = String::from(
            "{\"ftpspec_transcript\":{\"major\":2,\"minor\":0},\"seat\":\"proxy\",\"name\":\"x\"}\n",
        );
        let connected = r#""event":"connected","local":"a","peer":"b""#.to_owned();
        let events = std::iter::once(connected).chain(lines.iter().map(|line| {
            let (from, octets) = line.split_at(1);
            let from = if from == "C" { "client" } else { "server" };
            format!(r#""event":"from_{from}","octets":"{octets}\\r\\n""#)
        }));
        for (at, what) in events.enumerate() {
            text += &format!(
                "{{\"at\":{at},\"connection\":\"main\",\"channel\":\"server control\",\"what\":{{{what}}}}}\n"
            );
        }
        read(&text).unwrap()
    }

    fn session(transcript: &Transcript) -> Session {
        Session::all(transcript, Leg::Server).remove(0)
    }

    const USUAL: [&str; 5] = [
        "S220 Hi",
        "CUSER u",
        "S331 Pass",
        "CPASS <secret>",
        "S230 In",
    ];

    #[test]
    fn the_same_session_has_no_differences() {
        let transcript = recorded(&USUAL);
        assert_eq!(
            drift(1, &session(&transcript), &transcript, Strictness::Exact),
            []
        );
    }

    #[test]
    fn another_reply_is_a_difference_and_after_another_command_nothing_is_compared() {
        let old = session(&recorded(&USUAL));
        let refused = recorded(&[&USUAL[..4], &["S530 No"]].concat());
        let found = drift(1, &old, &refused, Strictness::Codes);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].command.as_str(), &found[0].live[0]),
            ("PASS <secret>", &"530 No".to_owned())
        );
        let left = recorded(&["S220 Hi", "CUSER other", "S530 No", "CNOOP", "S500 No"]);
        let found = drift(1, &old, &left, Strictness::Codes);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].subject, Subject::NotPlayed);
        assert_eq!(found[0].live, ["USER other"]);
    }

    #[test]
    fn a_drift_is_reported_with_the_reply_that_shows_it() {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&reports);
        let old = Arc::new(session(&recorded(&USUAL)));
        let report = Box::new(move |line| sink.lock().unwrap().push(line));
        let watcher = DriftWatcher::new(Arc::new(()), old, report);
        let say = |sighting: Sighting<'_>| watcher.see(Leg::Server, Channel::Control, &sighting);
        say(Sighting::Received(b"220 Other text\r\n"));
        say(Sighting::Sent(b"USER u\r\nPASS x\r\n"));
        say(Sighting::Received(b"331 Pass\r\n53"));
        assert!(reports.lock().unwrap().is_empty());
        say(Sighting::Received(b"0 No\r\n"));
        say(Sighting::Sent(b"QUIT\r\n"));
        say(Sighting::Received(b"221 Bye\r\n"));
        assert_eq!(
            *reports.lock().unwrap(),
            [
                "command 2 PASS: recorded 230, now 530",
                "command 3 QUIT: the recording ends before it"
            ]
        );
    }
}
