//! Transcripts with one event changed: servers with exactly one fault.
//!
//! For every expectation of a scenario there is at least one mutant of the transcript that breaks
//! it. A scenario that does not detect its mutants checks nothing.

use super::wrong_replies::{
    another_text, code_of, not_recommended, passive_port, recode, retext, wrong_code,
};
use crate::data::Data;
use crate::scenario::{Action, Connection, Expect, Receive, Scenario, UserStep};
use crate::transcript::{Event, EventKind, Side, Transcript};
use crate::transfer_mode::Coding;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

/// One changed transcript.
#[derive(Debug, Clone)]
pub(crate) struct Mutant {
    /// The line of the scenario whose expectation is broken.
    pub line: u32,
    /// The fault of the server there.
    pub mutation: Mutation,
    /// The changed transcript.
    pub transcript: Transcript,
}

/// The fault of a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Answers with this code instead.
    Code(u16),
    /// Answers with a code that is permitted but not recommended.
    NotRecommended(u16),
    /// Answers with another text.
    Text,
    Twice,
    /// Sends a reply without a command.
    Unsolicited,
    /// Sends no data.
    NoData,
    /// Changes one octet of the data.
    Changed,
    /// Omits the last octet of the data.
    Short,
    /// Sends more data than there is.
    Extra,
    /// Sends the data twice.
    Doubled,
    /// Lists other dates.
    OtherDates,
    /// Sends coded data uncoded.
    Uncoded,
    /// Leaves a connection open that it has to close.
    StaysOpen,
    /// Does not perform the TLS handshake.
    NoHandshake,
    /// Uses the data connection of an earlier 227 or 229.
    StalePort,
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "answers {code}"),
            Self::NotRecommended(code) => {
                write!(f, "answers {code}, which is not the recommended code")
            }
            Self::Text => f.write_str("answers with another text"),
            Self::Twice => f.write_str("answers twice"),
            Self::Unsolicited => f.write_str("sends a reply without a command"),
            Self::NoData => f.write_str("sends no data"),
            Self::Changed => f.write_str("changes an octet"),
            Self::Short => f.write_str("omits the last octet"),
            Self::Extra => f.write_str("sends an extra line"),
            Self::Doubled => f.write_str("sends everything twice"),
            Self::OtherDates => f.write_str("shows other dates"),
            Self::StaysOpen => f.write_str("leaves the connection open"),
            Self::Uncoded => f.write_str("sends the data uncoded"),
            Self::NoHandshake => f.write_str("does not perform the TLS handshake"),
            Self::StalePort => f.write_str("uses the port it named before the last"),
        }
    }
}

/// Every mutant of a transcript that `scenario` passed with.
pub(crate) fn all(scenario: &Scenario, transcript: &Transcript) -> Vec<Mutant> {
    let mut maker = Maker {
        scenario,
        transcript,
        turns: scenario.turns_of(&transcript.events),
        turn: 0,
        mutants: Vec::new(),
    };
    for step in &scenario.steps {
        // A fault in a repeated statement must be detected in the first and the last turn.
        let played = maker.turns_at(step.line);
        for turn in BTreeSet::from([played.0, played.1]) {
            maker.turn = turn;
            maker.step(step.line, &step.connection, &step.action);
        }
    }
    maker.twice();
    maker.mutants
}

struct Maker<'a> {
    scenario: &'a Scenario,
    transcript: &'a Transcript,
    /// The turn of each event.
    turns: Vec<u32>,
    /// The turn with the fault; 0 outside of `@repeat`.
    turn: u32,
    mutants: Vec<Mutant>,
}

impl Maker<'_> {
    fn step(&mut self, line: u32, connection: &Connection, action: &Action) {
        match action {
            Action::Expect(expect) => self.expect(line, expect),
            Action::Alive => self.code(line, |code| code >= 400),
            Action::User { step, fails } => {
                self.code(line, |code| if *fails { code < 400 } else { code >= 500 });
                match step {
                    // Only the names are compared.
                    UserStep::List(_) => self.data(line, &[Mutation::NoData]),
                    _ => self.data(line, &[Mutation::Changed, Mutation::Short]),
                }
            }
            Action::Receive(what) => self.receive(line, what),
            Action::Stored(..) => self.data(line, &[Mutation::Changed, Mutation::Short]),
            Action::Closed => self.without(
                line,
                Mutation::StaysOpen,
                |what| matches!(what, EventKind::Closed(end) if end.by == Side::Server),
            ),
            Action::DataEnds => self.without(
                line,
                Mutation::StaysOpen,
                |what| matches!(what, EventKind::DataClosed(end) if end.by == Side::Server),
            ),
            Action::Refused => self.without(line, Mutation::StaysOpen, |what| {
                matches!(what, EventKind::DataFailed { .. })
            }),
            Action::Tls(_) | Action::Handshake => {
                self.without(line, Mutation::NoHandshake, |what| {
                    matches!(what, EventKind::TlsEstablished(_))
                })
            }
            Action::Silent(_) => self.unsolicited(line, connection),
            Action::StalePort => self.stale_port(line),
            _ => {}
        }
    }

    /// The first and the last turn in which something happened at a line.
    fn turns_at(&self, line: u32) -> (u32, u32) {
        let events = self.transcript.events.iter().zip(&self.turns);
        let here = events.filter(|(event, turn)| {
            event.line == line && (**turn > 0 || self.scenario.repeated(line).is_none())
        });
        let turns: Vec<u32> = here.map(|(_, turn)| *turn).collect();
        let or_none = |turn: Option<&u32>| turn.copied().unwrap_or_default();
        (or_none(turns.iter().min()), or_none(turns.iter().max()))
    }

    /// The events of a line in this turn: index and event.
    fn at(&self, line: u32) -> Vec<(usize, Event)> {
        let events = self.transcript.events.iter().enumerate();
        events
            .filter(|(at, event)| event.line == line && self.turns[*at] == self.turn)
            .map(|(at, event)| (at, event.clone()))
            .collect()
    }

    fn received(&self, line: u32) -> Vec<(usize, Vec<u8>)> {
        let events = self.at(line).into_iter();
        events
            .filter_map(|(at, event)| match event.what {
                EventKind::FromServer { octets } => Some((at, octets)),
                _ => None,
            })
            .collect()
    }

    fn expect(&mut self, line: u32, expect: &Expect) {
        let Some((at, octets)) = self.received(line).pop() else {
            return;
        };
        // Replies that `!after` or `!ends` permit are not faults.
        let wrong = |code| {
            let legal = expect.goes_before(code) || expect.ends_with(code);
            !expect.codes.matches(code) && !legal
        };
        if let Some(code) = wrong_code(&octets, wrong) {
            self.replace(line, Mutation::Code(code), at, recode(&octets, code));
        }
        // If the code already means that the feature is missing, the text does not matter.
        let fits = code_of(&octets).is_some_and(|code| expect.codes.matches(code));
        let text = expect
            .text
            .as_ref()
            .filter(|_| fits)
            .and_then(|pattern| another_text(pattern));
        if let Some(text) = text
            && !code_of(&octets).is_some_and(|code| expect.ends_with(code))
        {
            self.replace(line, Mutation::Text, at, retext(&octets, text));
        }
        if let Some((wished_at, wished)) = expect.should.as_deref()
            && let Some(code) = not_recommended(&expect.codes, &wished.codes)
        {
            self.replace(
                *wished_at,
                Mutation::NotRecommended(code),
                at,
                recode(&octets, code),
            );
        }
    }

    /// Replaces the code of every reply of a line with one for which `wrong` returns true.
    fn code(&mut self, line: u32, wrong: impl Fn(u16) -> bool) {
        for (at, octets) in self.received(line) {
            if let Some(code) = wrong_code(&octets, &wrong) {
                self.replace(line, Mutation::Code(code), at, recode(&octets, code));
            }
        }
    }

    fn receive(&mut self, line: u32, what: &Receive) {
        match what {
            Receive::Exactly(_) => {
                self.data(
                    line,
                    &[Mutation::NoData, Mutation::Changed, Mutation::Short],
                );
                self.extra(line, b"extra\r\n");
            }
            Receive::Lines(_) => {
                self.data(line, &[Mutation::NoData]);
                self.extra(line, b"extra\r\n");
            }
            Receive::Dated(_) => self.data(
                line,
                &[Mutation::NoData, Mutation::Doubled, Mutation::OtherDates],
            ),
            Receive::Matching(_) | Receive::Has(_) => self.data(line, &[Mutation::NoData]),
            Receive::Once(_) => self.data(line, &[Mutation::NoData, Mutation::Doubled]),
            Receive::HasNot(globs) => {
                for glob in globs {
                    let text = glob.source.replace(['*', '?'], "x");
                    self.extra(line, format!("{text}\r\n").as_bytes());
                }
            }
            Receive::Coded(coding, _) => {
                let others = self.mutants.len();
                self.data(
                    line,
                    &[Mutation::NoData, Mutation::Changed, Mutation::Short],
                );
                self.uncoded(line, *coding);
                self.extra(line, b"extra\r\n");
                // Data that decodes to the same is not a fault: the last octet may only mark the
                // end of file.
                let mut changed = self.mutants.split_off(others);
                let stands_for =
                    |transcript: &Transcript| coding.decoded(&self.data_at(transcript, line));
                let recorded = stands_for(self.transcript);
                changed.retain(|it| stands_for(&it.transcript) != recorded);
                self.mutants.append(&mut changed);
            }
            Receive::Anything => {}
        }
    }

    /// The data received at a line: index and octets.
    fn pieces(&self, line: u32) -> Vec<(usize, Data)> {
        let events = self.at(line).into_iter();
        events
            .filter_map(|(at, event)| match event.what {
                EventKind::DataFromServer { octets } if !octets.is_empty() => Some((at, octets)),
                _ => None,
            })
            .collect()
    }

    /// Sends coded data uncoded.
    fn uncoded(&mut self, line: u32, coding: Coding) {
        let pieces = self.pieces(line);
        let plain = coding.decoded(&self.data_at(self.transcript, line));
        let (Some((last, _)), Ok(plain)) = (pieces.last(), plain) else {
            return;
        };
        let mut transcript = self.transcript.clone();
        for (at, _) in &pieces {
            set_data(&mut transcript, *at, Data::default());
        }
        set_data(&mut transcript, *last, plain.into());
        self.mutants.push(Mutant {
            line,
            mutation: Mutation::Uncoded,
            transcript,
        });
    }

    fn data(&mut self, line: u32, mutations: &[Mutation]) {
        let pieces = self.pieces(line);
        let Some((last_at, last)) = pieces.last().cloned() else {
            return;
        };
        for mutation in mutations {
            let mut changed = self.transcript.clone();
            match mutation {
                Mutation::NoData => {
                    for (at, _) in &pieces {
                        set_data(&mut changed, *at, Data::default());
                    }
                }
                Mutation::Doubled => {
                    let mut octets = last.clone();
                    for (_, again) in &pieces {
                        octets.extend((*again).clone());
                    }
                    set_data(&mut changed, last_at, octets);
                }
                Mutation::OtherDates => {
                    let next = |octet: &u8| match octet {
                        b'0'..=b'8' => octet + 1,
                        b'9' => b'0',
                        octet => *octet,
                    };
                    for (at, octets) in &pieces {
                        let changed_octets: Vec<u8> = octets.joined().iter().map(next).collect();
                        set_data(&mut changed, *at, changed_octets.into());
                    }
                }
                Mutation::Short => set_data(&mut changed, last_at, last.slice(0..last.len() - 1)),
                _ => {
                    let middle = last.len() / 2;
                    let octet = last.slice(middle..middle + 1).joined()[0];
                    let mut octets = last.slice(0..middle);
                    octets.extend(vec![octet ^ 1].into());
                    octets.extend(last.slice(middle + 1..last.len()));
                    set_data(&mut changed, last_at, octets);
                }
            }
            self.mutants.push(Mutant {
                line,
                mutation: *mutation,
                transcript: changed,
            });
        }
    }

    /// More data just before the data connection ends.
    fn extra(&mut self, line: u32, octets: &[u8]) {
        let end = self
            .at(line)
            .into_iter()
            .find(|(_, e)| matches!(e.what, EventKind::DataClosed(_)));
        let Some((at, event)) = end else { return };
        let more = EventKind::DataFromServer {
            octets: octets.into(),
        };
        self.insert(
            line,
            Mutation::Extra,
            at,
            Event {
                what: more,
                ..event
            },
        );
    }

    fn unsolicited(&mut self, line: u32, connection: &Connection) {
        let silence = self
            .at(line)
            .into_iter()
            .find(|(_, e)| matches!(e.what, EventKind::Silence { .. }));
        let Some((at, event)) = silence else { return };
        let said = EventKind::from_server(b"200 Still here.\r\n");
        self.insert(
            line,
            Mutation::Unsolicited,
            at,
            Event {
                connection: connection.clone(),
                what: said,
                ..event
            },
        );
    }

    /// Opens the next data connection on the port that was announced before the last one.
    fn stale_port(&mut self, line: u32) {
        let Some((at, here)) = self.at(line).into_iter().next() else {
            return;
        };
        let own = |event: &Event| event.connection == here.connection;
        let mut transcript = self.transcript.clone();
        let (before, behind) = transcript.events.split_at_mut(at);
        let before = before.iter().filter(|event| own(event));
        let named: Vec<u16> = before.filter_map(|it| passive_port(&it.what)).collect();
        let &[.., earlier, _] = &named[..] else {
            return;
        };
        let behind = behind.iter_mut().filter(|event| own(event));
        let mut peers = behind.filter_map(|event| match &mut event.what {
            EventKind::DataOpened { peer, .. } => Some(peer),
            _ => None,
        });
        if let Some(peer) = peers.next()
            && let Ok(mut address) = peer.parse::<SocketAddr>()
        {
            address.set_port(earlier);
            *peer = address.to_string();
        }
        self.mutants.push(Mutant {
            line,
            mutation: Mutation::StalePort,
            transcript,
        });
    }

    /// Sends the last reply of the dialogue twice, if the dialogue goes on after it.
    fn twice(&mut self) {
        let noop = EventKind::from_client(b"NOOP\r\n");
        if !self
            .transcript
            .events
            .iter()
            .any(|event| event.line == 0 && event.what == noop)
        {
            return;
        }
        let last = self
            .transcript
            .events
            .iter()
            .enumerate()
            .rfind(|(_, event)| {
                event.line > 0
                    && event.connection == Connection::main()
                    && matches!(event.what, EventKind::FromServer { .. })
            });
        if let Some((at, event)) = last {
            let (line, event) = (event.line, event.clone());
            self.insert(line, Mutation::Twice, at + 1, event);
        }
    }

    fn without(&mut self, line: u32, mutation: Mutation, gone: impl Fn(&EventKind) -> bool) {
        let mut transcript = self.transcript.clone();
        let mut turns = self.turns.iter();
        transcript.events.retain(|event| {
            turns.next() != Some(&self.turn) || event.line != line || !gone(&event.what)
        });
        if transcript.events.len() < self.transcript.events.len() {
            self.mutants.push(Mutant {
                line,
                mutation,
                transcript,
            });
        }
    }

    fn replace(&mut self, line: u32, mutation: Mutation, at: usize, octets: Vec<u8>) {
        let mut transcript = self.transcript.clone();
        transcript.events[at].what = EventKind::FromServer { octets };
        self.mutants.push(Mutant {
            line,
            mutation,
            transcript,
        });
    }

    /// All data received at a line in this turn.
    fn data_at(&self, transcript: &Transcript, line: u32) -> Vec<u8> {
        let turns = self.scenario.turns_of(&transcript.events);
        let here = transcript.events.iter().zip(turns);
        let here = here.filter(|(event, turn)| event.line == line && *turn == self.turn);
        let pieces = here.filter_map(|(event, _)| match &event.what {
            EventKind::DataFromServer { octets } => Some(octets.joined()),
            _ => None,
        });
        pieces.collect::<Vec<_>>().concat()
    }

    fn insert(&mut self, line: u32, mutation: Mutation, at: usize, event: Event) {
        let mut transcript = self.transcript.clone();
        transcript.events.insert(at, event);
        self.mutants.push(Mutant {
            line,
            mutation,
            transcript,
        });
    }
}

fn set_data(transcript: &mut Transcript, at: usize, octets: Data) {
    transcript.events[at].what = EventKind::DataFromServer { octets };
}
