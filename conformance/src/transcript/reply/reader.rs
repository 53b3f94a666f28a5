//! The lenient reply reader: it reports faults instead of repairing them, and shares no code with
//! any server.
//!
//! It has to cope with everything a broken server says and still find where one reply ends and the
//! next begins, because a conversation can only be judged if it can be read. Cutting the octets
//! anywhere gives the same replies.

use super::{LONG_LINE, LONG_REPLY, LONG_REPLY_LINES, Reply, ReplyFault, code_of};
use crate::transcript::telnet::{DONT, IAC, WILL, telnet};

/// The octets after a CR that decide what it is: `CR`, three digits, separator.
const LOOK_AHEAD: usize = 5;

/// Cuts octets into replies.
#[derive(Debug, Default)]
pub struct ReplyReader {
    /// What arrived; `start..` is not yet part of a reply that was handed out.
    buffer: Vec<u8>,
    /// Where the reply being read begins.
    start: usize,
    /// Behind the last whole line of that reply.
    cursor: usize,
    /// Where to look for the next line end.
    searched: usize,
    /// The reply being read.
    partial: Partial,
    /// The tail of a reply that was cut off is being thrown away.
    discarding: bool,
}

#[derive(Debug, Default)]
struct Partial {
    code: u16,
    lines: Vec<Vec<u8>>,
    faults: Vec<ReplyFault>,
}

/// A line end: where the line's octets stop, where the next line begins, and what is wrong with it.
struct LineEnd {
    text: usize,
    next: usize,
    fault: Option<fn(usize) -> ReplyFault>,
}

impl ReplyReader {
    /// Takes octets that arrived.
    pub fn push(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// The next whole reply.
    pub fn next_reply(&mut self) -> Option<Reply> {
        loop {
            if self.discarding && !self.discard() {
                return None;
            }
            let Some(end) = self.line_end() else {
                // The look-ahead comes on top of the limit, so that segmentation makes no
                // difference.
                if self.buffer.len() - self.start > LONG_REPLY + LOOK_AHEAD {
                    return Some(self.cut_off());
                }
                return None;
            };
            if end.next - self.start > LONG_REPLY {
                return Some(self.cut_off());
            }
            if self.take_line(&end) {
                return Some(self.hand_out(end.next));
            }
            if self.partial.lines.len() >= LONG_REPLY_LINES {
                add(&mut self.partial.faults, ReplyFault::TooLong);
                return Some(self.hand_out(end.next));
            }
        }
    }

    /// What arrived and is no whole reply yet.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// What arrived and never became a whole reply, as a reply with the fault
    /// [`ReplyFault::Unfinished`]: for the end of a connection and for a wait that was given up.
    pub fn finish(&mut self) -> Option<Reply> {
        if self.rest().is_empty() || self.discarding {
            self.start = self.buffer.len();
            self.restart();
            return None;
        }
        let end = self.buffer.len();
        self.take_fragment(end);
        add(&mut self.partial.faults, ReplyFault::Unfinished);
        Some(self.hand_out(end))
    }

    /// Takes one line; true when it was the last of its reply.
    fn take_line(&mut self, end: &LineEnd) -> bool {
        let number = self.partial.lines.len() + 1;
        let raw = &self.buffer[self.cursor..end.text];
        let faults = &mut self.partial.faults;
        if let Some(fault) = end.fault {
            add(faults, fault(number));
        }
        let line = examine(raw, number, faults);
        self.cursor = end.next;
        self.searched = end.next;

        let code = code_of(&line);
        let last = if number == 1 {
            match code {
                None => add(faults, ReplyFault::NoCode),
                Some(code) if !(100..700).contains(&code) => {
                    add(faults, ReplyFault::ImpossibleCode);
                }
                Some(_) => {}
            }
            self.partial.code = code.unwrap_or(0);
            match line.get(3) {
                Some(b'-') if code.is_some() => false,
                Some(b' ') => true,
                _ => {
                    if code.is_some() {
                        add(faults, ReplyFault::NoSeparator { line: 1 });
                    }
                    true
                }
            }
        } else {
            match (code, line.get(3)) {
                (Some(code), Some(b' ')) if code == self.partial.code => true,
                (Some(code), None) if code == self.partial.code => {
                    add(faults, ReplyFault::BareLastLine);
                    true
                }
                (Some(code), Some(b'-')) if code == self.partial.code => {
                    add(faults, ReplyFault::RepeatedCode { line: number });
                    false
                }
                (Some(_), None | Some(b' ' | b'-')) => {
                    add(faults, ReplyFault::InteriorNumber { line: number });
                    false
                }
                _ => false,
            }
        };
        self.partial.lines.push(line);
        last
    }

    /// Takes what follows the last whole line, up to `end`, as a line without end.
    fn take_fragment(&mut self, end: usize) {
        if self.cursor == end {
            return;
        }
        let number = self.partial.lines.len() + 1;
        let line = examine(
            &self.buffer[self.cursor..end],
            number,
            &mut self.partial.faults,
        );
        if number == 1 {
            self.partial.code = code_of(&line).unwrap_or(0);
        }
        self.partial.lines.push(line);
    }

    fn cut_off(&mut self) -> Reply {
        let end = self.start + LONG_REPLY;
        self.take_fragment(end);
        add(&mut self.partial.faults, ReplyFault::TooLong);
        let reply = self.hand_out(end);
        self.discarding = true;
        reply
    }

    fn hand_out(&mut self, end: usize) -> Reply {
        let partial = std::mem::take(&mut self.partial);
        let octets = self.buffer[self.start..end].to_vec();
        self.start = end;
        self.restart();
        Reply {
            code: partial.code,
            lines: partial.lines,
            octets,
            faults: partial.faults,
        }
    }

    /// Throws octets away up to a line end; false while none has come.
    fn discard(&mut self) -> bool {
        let found = memchr::memchr(b'\n', self.rest());
        self.start = found.map_or(self.buffer.len(), |at| self.start + at + 1);
        self.restart();
        self.discarding = found.is_none();
        !self.discarding
    }

    /// Begins a new reply at `start`, and gives memory back now and then.
    fn restart(&mut self) {
        if self.start > 64 * 1024 || self.start == self.buffer.len() {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.cursor = self.start;
        self.searched = self.start;
        self.partial = Partial::default();
    }

    fn line_end(&mut self) -> Option<LineEnd> {
        let octets = &self.buffer;
        let mut at = self.searched;
        while let Some(found) = memchr::memchr3(b'\r', b'\n', IAC, &octets[at..]) {
            at += found;
            if octets[at] == IAC {
                // The option of a negotiation may be 10 or 13, and ends no line.
                match &octets[at + 1..] {
                    [WILL..=DONT, _, ..] => at += 3,
                    [] | [WILL..=DONT] => {
                        self.searched = at;
                        return None;
                    }
                    behind => at += 1 + telnet(behind).1,
                }
                continue;
            }
            if octets[at] == b'\n' {
                return Some(LineEnd {
                    text: at,
                    next: at + 1,
                    fault: Some(|line| ReplyFault::BareLf { line }),
                });
            }
            // Undecided octets are looked at again when more have come.
            self.searched = at;
            match after_cr(&octets[at + 1..]) {
                AfterCr::Undecided => return None,
                AfterCr::LineFeed => {
                    return Some(LineEnd {
                        text: at,
                        next: at + 2,
                        fault: None,
                    });
                }
                AfterCr::NewReply => {
                    return Some(LineEnd {
                        text: at,
                        next: at + 1,
                        fault: Some(|line| ReplyFault::BareCr { line }),
                    });
                }
                AfterCr::Text => at += 1,
            }
        }
        self.searched = octets.len();
        None
    }
}

enum AfterCr {
    Undecided,
    LineFeed,
    /// Something that looks like a reply: the CR is a line end.
    NewReply,
    /// Anything else: the CR is part of the line.
    Text,
}

fn after_cr(octets: &[u8]) -> AfterCr {
    if octets.first() == Some(&b'\n') {
        return AfterCr::LineFeed;
    }
    let shape = |index: usize, octet: u8| match index {
        0..3 => octet.is_ascii_digit(),
        _ => matches!(octet, b' ' | b'-'),
    };
    let head = &octets[..octets.len().min(4)];
    if !head
        .iter()
        .enumerate()
        .all(|(index, octet)| shape(index, *octet))
    {
        return AfterCr::Text;
    }
    if head.len() < 4 {
        AfterCr::Undecided
    } else {
        AfterCr::NewReply
    }
}

/// Looks a raw line over and takes Telnet commands out of it (RFC 959 §2.2, Telnet on the control
/// connection).
fn examine(raw: &[u8], number: usize, faults: &mut Vec<ReplyFault>) -> Vec<u8> {
    if raw.len() > LONG_LINE {
        add(
            faults,
            ReplyFault::LongLine {
                line: number,
                length: raw.len(),
            },
        );
    }
    let mut line = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        match (octet, behind.first()) {
            (b'\r', Some(0)) => {
                // CR NUL is how Telnet writes a carriage return (RFC 854).
                line.push(octet);
                rest = &behind[1..];
            }
            (b'\r', _) => {
                add(faults, ReplyFault::BareCr { line: number });
                line.push(octet);
            }
            (0, _) => {
                add(faults, ReplyFault::Nul { line: number });
                line.push(octet);
            }
            (0xff, _) => {
                let (kept, used) = telnet(behind);
                if kept.is_some() && used == 0 {
                    add(faults, ReplyFault::LoneIac { line: number });
                }
                line.extend(kept);
                rest = &behind[used..];
            }
            _ => line.push(octet),
        }
    }
    if std::str::from_utf8(&line).is_err() {
        add(faults, ReplyFault::NotUtf8 { line: number });
    }
    line
}

/// Each kind of fault once, so that a hostile reply cannot fill the memory with faults.
fn add(faults: &mut Vec<ReplyFault>, fault: ReplyFault) {
    let kind = std::mem::discriminant(&fault);
    if !faults
        .iter()
        .any(|known| std::mem::discriminant(known) == kind)
    {
        faults.push(fault);
    }
}
