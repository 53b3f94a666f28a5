//! Transcripts with one event changed: servers that lie in exactly one place.
//!
//! For every expectation of a scenario there is at least one mutant of the transcript that broke it. A scenario that does
//! not notice its mutants checks nothing.

use crate::scenario::{
    Action, Codes, Connection, Expect, Receive, ReplyPattern, Scenario, UserStep, Variables,
};
use crate::transcript::{Event, Side, Transcript, What};
use crate::zlib::inflated;
use std::fmt;

/// One changed transcript.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// The line of the scenario whose expectation is broken.
    pub line: u32,
    /// What the server does wrong there.
    pub lie: Lie,
    /// The changed transcript.
    pub transcript: Transcript,
}

/// What a lying server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Answers with this code instead.
    Code(u16),
    /// Answers with a code that holds but is not the wished one.
    Unwished(u16),
    /// Answers with another text.
    Text,
    /// Answers twice.
    Twice,
    /// Says something when nobody asked.
    Unasked,
    /// Sends no data.
    NoData,
    /// Changes one octet of the data.
    Changed,
    /// Loses the last octet of the data.
    Short,
    /// Sends more data than there is.
    Extra,
    /// Sends what was deflated as it is.
    Plain,
    /// Leaves a connection open that it should close.
    StaysOpen,
    /// Does not shake hands.
    NoHandshake,
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "answers {code}"),
            Self::Unwished(code) => write!(f, "answers {code}, which is not the wished code"),
            Self::Text => f.write_str("answers with another text"),
            Self::Twice => f.write_str("answers twice"),
            Self::Unasked => f.write_str("speaks unasked"),
            Self::NoData => f.write_str("sends no data"),
            Self::Changed => f.write_str("changes an octet"),
            Self::Short => f.write_str("loses the last octet"),
            Self::Extra => f.write_str("sends an extra line"),
            Self::StaysOpen => f.write_str("leaves the connection open"),
            Self::Plain => f.write_str("sends it as it is, not deflated"),
            Self::NoHandshake => f.write_str("does not shake hands"),
        }
    }
}

/// Every mutant of a transcript that `scenario` passed with.
#[must_use]
pub fn all(scenario: &Scenario, transcript: &Transcript) -> Vec<Mutant> {
    let mut maker = Maker {
        transcript,
        mutants: Vec::new(),
    };
    for step in &scenario.steps {
        maker.step(step.line, &step.connection, &step.action);
    }
    maker.twice();
    maker.mutants
}

struct Maker<'a> {
    transcript: &'a Transcript,
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
                    // Only the names in it count.
                    UserStep::List(_) => self.data(line, &[Lie::NoData]),
                    _ => self.data(line, &[Lie::Changed, Lie::Short]),
                }
            }
            Action::Receive(what) => self.receive(line, what),
            Action::Stored(..) => self.data(line, &[Lie::Changed, Lie::Short]),
            Action::Closed => self.without(
                line,
                Lie::StaysOpen,
                |what| matches!(what, What::Closed(end) if end.by == Side::Server),
            ),
            Action::DataEnds => self.without(
                line,
                Lie::StaysOpen,
                |what| matches!(what, What::DataClosed(end) if end.by == Side::Server),
            ),
            Action::Refused => self.without(line, Lie::StaysOpen, |what| {
                matches!(what, What::DataFailed { .. })
            }),
            Action::Tls(_) | Action::Handshake => self.without(line, Lie::NoHandshake, |what| {
                matches!(what, What::TlsEstablished(_))
            }),
            Action::Silent(_) => self.unasked(line, connection),
            _ => {}
        }
    }

    /// The events of a line: index and event.
    fn at(&self, line: u32) -> Vec<(usize, Event)> {
        let events = self.transcript.events.iter().enumerate();
        events
            .filter(|(_, event)| event.line == line)
            .map(|(at, event)| (at, event.clone()))
            .collect()
    }

    fn received(&self, line: u32) -> Vec<(usize, Vec<u8>)> {
        let events = self.at(line).into_iter();
        events
            .filter_map(|(at, event)| match event.what {
                What::Received { octets } => Some((at, octets)),
                _ => None,
            })
            .collect()
    }

    fn expect(&mut self, line: u32, expect: &Expect) {
        let Some((at, octets)) = self.received(line).pop() else {
            return;
        };
        // What `!after` lets come before, and `!ends` lets end the scenario, is no lie.
        let wrong = |code| {
            let legal = expect.goes_before(code) || expect.ends_with(code);
            !expect.codes.matches(code) && !legal
        };
        if let Some(code) = wrong_code(&octets, wrong) {
            self.replace(line, Lie::Code(code), at, recode(&octets, code));
        }
        // Where the code already says that it is not there, nobody looks at the text.
        let fits = code_of(&octets).is_some_and(|code| expect.codes.matches(code));
        let text = expect
            .text
            .as_ref()
            .filter(|_| fits)
            .and_then(|pattern| another_text(pattern));
        if let Some(text) = text
            && !code_of(&octets).is_some_and(|code| expect.ends_with(code))
        {
            self.replace(line, Lie::Text, at, retext(&octets, text));
        }
        if let Some((wished_at, wished)) = expect.should.as_deref()
            && let Some(code) = unwished(&expect.codes, &wished.codes)
        {
            self.replace(*wished_at, Lie::Unwished(code), at, recode(&octets, code));
        }
    }

    /// Every reply of a line gets a code for which `wrong` holds.
    fn code(&mut self, line: u32, wrong: impl Fn(u16) -> bool) {
        for (at, octets) in self.received(line) {
            if let Some(code) = wrong_code(&octets, &wrong) {
                self.replace(line, Lie::Code(code), at, recode(&octets, code));
            }
        }
    }

    fn receive(&mut self, line: u32, what: &Receive) {
        match what {
            Receive::Exactly(_) => {
                self.data(line, &[Lie::NoData, Lie::Changed, Lie::Short]);
                self.extra(line, b"extra\r\n");
            }
            Receive::Lines(_) => {
                self.data(line, &[Lie::NoData]);
                self.extra(line, b"extra\r\n");
            }
            Receive::Matching(_) | Receive::Has(_) => self.data(line, &[Lie::NoData]),
            Receive::HasNot(globs) => {
                for glob in globs {
                    let text = glob.source.replace(['*', '?'], "x");
                    self.extra(line, format!("{text}\r\n").as_bytes());
                }
            }
            Receive::Zlib(_) => {
                self.data(line, &[Lie::NoData, Lie::Changed, Lie::Short, Lie::Plain]);
                self.extra(line, b"extra\r\n");
            }
            Receive::Anything => {}
        }
    }

    fn data(&mut self, line: u32, lies: &[Lie]) {
        let pieces: Vec<(usize, Vec<u8>)> = self
            .at(line)
            .into_iter()
            .filter_map(|(at, event)| match event.what {
                What::DataReceived { octets } if !octets.is_empty() => Some((at, octets)),
                _ => None,
            })
            .collect();
        let Some((last_at, last)) = pieces.last().cloned() else {
            return;
        };
        for lie in lies {
            let mut changed = self.transcript.clone();
            match lie {
                Lie::NoData => {
                    for (at, _) in &pieces {
                        set_data(&mut changed, *at, Vec::new());
                    }
                }
                Lie::Plain => {
                    let whole: Vec<u8> = pieces
                        .iter()
                        .flat_map(|(_, piece)| piece)
                        .copied()
                        .collect();
                    for (at, _) in &pieces {
                        set_data(&mut changed, *at, Vec::new());
                    }
                    let Ok(plain) = inflated(&whole) else {
                        continue;
                    };
                    set_data(&mut changed, last_at, plain);
                }
                Lie::Short => set_data(&mut changed, last_at, last[..last.len() - 1].to_vec()),
                _ => {
                    let mut octets = last.clone();
                    let middle = octets.len() / 2;
                    octets[middle] ^= 1;
                    set_data(&mut changed, last_at, octets);
                }
            }
            self.mutants.push(Mutant {
                line,
                lie: *lie,
                transcript: changed,
            });
        }
    }

    /// More data just before the data connection ends.
    fn extra(&mut self, line: u32, octets: &[u8]) {
        let end = self
            .at(line)
            .into_iter()
            .find(|(_, e)| matches!(e.what, What::DataClosed(_)));
        let Some((at, event)) = end else { return };
        let more = What::DataReceived {
            octets: octets.to_vec(),
        };
        self.insert(
            line,
            Lie::Extra,
            at,
            Event {
                what: more,
                ..event
            },
        );
    }

    fn unasked(&mut self, line: u32, connection: &Connection) {
        let silence = self
            .at(line)
            .into_iter()
            .find(|(_, e)| matches!(e.what, What::Silence { .. }));
        let Some((at, event)) = silence else { return };
        let said = What::Received {
            octets: b"200 Still here.\r\n".to_vec(),
        };
        self.insert(
            line,
            Lie::Unasked,
            at,
            Event {
                connection: connection.clone(),
                what: said,
                ..event
            },
        );
    }

    /// The last reply of the dialogue comes twice, where anybody is left to notice.
    fn twice(&mut self) {
        let noop = What::Sent {
            octets: b"NOOP\r\n".to_vec(),
        };
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
                    && matches!(event.what, What::Received { .. })
            });
        if let Some((at, event)) = last {
            let (line, event) = (event.line, event.clone());
            self.insert(line, Lie::Twice, at + 1, event);
        }
    }

    fn without(&mut self, line: u32, lie: Lie, gone: impl Fn(&What) -> bool) {
        let mut transcript = self.transcript.clone();
        transcript
            .events
            .retain(|event| event.line != line || !gone(&event.what));
        if transcript.events.len() < self.transcript.events.len() {
            self.mutants.push(Mutant {
                line,
                lie,
                transcript,
            });
        }
    }

    fn replace(&mut self, line: u32, lie: Lie, at: usize, octets: Vec<u8>) {
        let mut transcript = self.transcript.clone();
        transcript.events[at].what = What::Received { octets };
        self.mutants.push(Mutant {
            line,
            lie,
            transcript,
        });
    }

    fn insert(&mut self, line: u32, lie: Lie, at: usize, event: Event) {
        let mut transcript = self.transcript.clone();
        transcript.events.insert(at, event);
        self.mutants.push(Mutant {
            line,
            lie,
            transcript,
        });
    }
}

fn set_data(transcript: &mut Transcript, at: usize, octets: Vec<u8>) {
    transcript.events[at].what = What::DataReceived { octets };
}

/// A text that a pattern does not let pass, whatever its variables capture; none if it lets everything pass.
fn another_text(pattern: &ReplyPattern) -> Option<&'static str> {
    const CANDIDATES: [&str; 3] = ["Something else.", "~", "0"];
    CANDIDATES.into_iter().find(|text| match pattern {
        ReplyPattern::Text(pattern) => !pattern.matches(text, &mut Variables::default()),
        ReplyPattern::Block { .. } => true,
    })
}

/// A code of another class than the reply's for which `wrong` holds. Never one that means "not implemented": that would
/// rightly be UNSUPPORTED for what a scenario needs.
fn wrong_code(octets: &[u8], wrong: impl Fn(u16) -> bool) -> Option<u16> {
    const CANDIDATES: [u16; 7] = [553, 451, 250, 331, 150, 200, 229];
    let class = octets
        .first()
        .map_or(0, |digit| u16::from(digit.wrapping_sub(b'0')));
    CANDIDATES
        .into_iter()
        .find(|code| code / 100 != class && wrong(*code))
}

/// A code that holds and is not wished for.
fn unwished(holds: &Codes, wished: &Codes) -> Option<u16> {
    (200..600).find(|code| {
        holds.matches(*code) && !wished.matches(*code) && !matches!(code, 500 | 502 | 504)
    })
}

/// The code a reply begins with.
fn code_of(octets: &[u8]) -> Option<u16> {
    std::str::from_utf8(octets.get(..3)?).ok()?.parse().ok()
}

/// The reply with another code on every line that carries it.
fn recode(octets: &[u8], code: u16) -> Vec<u8> {
    let old = octets.get(..3).unwrap_or_default().to_vec();
    let mut changed = Vec::with_capacity(octets.len());
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        match line.strip_prefix(&old[..]) {
            Some(rest) => {
                changed.extend_from_slice(code.to_string().as_bytes());
                changed.extend_from_slice(rest);
            }
            None => changed.extend_from_slice(line),
        }
    }
    changed
}

/// The reply with another text: one line, same code.
fn retext(octets: &[u8], text: &str) -> Vec<u8> {
    let mut changed = octets.get(..3).unwrap_or_default().to_vec();
    changed.push(b' ');
    changed.extend_from_slice(text.as_bytes());
    changed.extend_from_slice(b"\r\n");
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_with_the_code_gets_the_new_one() {
        let feat = b"211-Features\r\n REST STREAM\r\n211 End\r\n";
        assert_eq!(
            recode(feat, 553),
            b"553-Features\r\n REST STREAM\r\n553 End\r\n"
        );
    }

    #[test]
    fn another_text_keeps_the_code() {
        assert_eq!(retext(b"257 \"/\" is it.\r\n", "~"), b"257 ~\r\n");
    }

    #[test]
    fn a_wrong_code_is_of_another_class_and_never_says_unimplemented() {
        assert_eq!(
            wrong_code(b"226 Done.\r\n", |code| code / 100 != 2),
            Some(553)
        );
        assert_eq!(
            wrong_code(b"550 No.\r\n", |code| code / 100 != 5),
            Some(451)
        );
        assert_eq!(wrong_code(b"550 No.\r\n", |_| false), None);
    }
}
