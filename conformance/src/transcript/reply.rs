//! The lenient reply reader: it reports faults instead of repairing them, and shares no code with any server.
//!
//! It has to cope with everything a broken server says and still find where one reply ends and the next
//! begins, because a conversation can only be judged if it can be read. Cutting the octets anywhere gives the
//! same replies.

use std::fmt;

/// Longer lines are reported. RFC 959 gives no limit; this is far beyond every client's buffer.
pub const LONG_LINE: usize = 4096;

/// A longer reply is cut off here; the rest of its line is thrown away.
pub const LONG_REPLY: usize = 1 << 20;

/// How far behind a CR one has to look to know what it is: `CR`, three digits, separator.
const LOOK_AHEAD: usize = 5;

/// One reply as the server sent it (RFC 959 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The code; 0 where there were no three digits.
    pub code: u16,
    /// The lines without line ends and Telnet commands, code and separator included.
    pub lines: Vec<Vec<u8>>,
    /// Exactly the octets that were read.
    pub octets: Vec<u8>,
    /// What is wrong with it, each kind of fault once.
    pub faults: Vec<ReplyFault>,
}

impl Reply {
    /// The lines without code and separator, joined by newlines.
    #[must_use]
    pub fn text(&self) -> String {
        let lines: Vec<_> = (0..self.lines.len())
            .map(|index| self.line_text(index))
            .collect();
        lines.join("\n")
    }

    /// The text of the first line, without code and separator.
    #[must_use]
    pub fn first_line_text(&self) -> String {
        self.line_text(0)
    }

    /// Whether it has more than one line, or was meant to.
    #[must_use]
    pub fn is_multiline(&self) -> bool {
        self.lines.len() > 1
            || self
                .lines
                .first()
                .is_some_and(|line| line.get(3) == Some(&b'-'))
    }

    /// The lines between the first and the last, as they stand.
    #[must_use]
    pub fn between(&self) -> &[Vec<u8>] {
        match self.lines.len() {
            0..=2 => &[],
            n => &self.lines[1..n - 1],
        }
    }

    /// The first digit: 1 preliminary, 2 completed, 3 intermediate, 4 and 5 refused; 0 where there is no code.
    #[must_use]
    pub fn class(&self) -> u16 {
        self.code / 100
    }

    /// Whether its last line came.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self
            .faults
            .iter()
            .any(|fault| matches!(fault, ReplyFault::Unfinished | ReplyFault::TooLong))
    }

    /// One line without code and separator, if it begins with them.
    fn line_text(&self, index: usize) -> String {
        let Some(line) = self.lines.get(index) else {
            return String::new();
        };
        let edge = index == 0 || index + 1 == self.lines.len();
        let rest = match (code_of(line), line.get(3)) {
            (Some(code), Some(b' ')) if edge && code == self.code => &line[4..],
            (Some(code), Some(b'-')) if code == self.code => &line[4..],
            (Some(code), _) if edge && code == self.code => &line[3..],
            _ => line,
        };
        String::from_utf8_lossy(rest).into_owned()
    }
}

/// What can be wrong with a reply's form (RFC 959 §4.2). Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyFault {
    /// A line ended in LF alone.
    BareLf {
        /// Which line.
        line: usize,
    },
    /// A CR stands alone, at the end of a line or within it.
    BareCr {
        /// Which line.
        line: usize,
    },
    /// A NUL that does not belong to CR NUL.
    Nul {
        /// Which line.
        line: usize,
    },
    /// A line longer than [`LONG_LINE`].
    LongLine {
        /// Which line.
        line: usize,
        /// Its octets.
        length: usize,
    },
    /// The first line does not begin with three digits.
    NoCode,
    /// The first digit is none of 1 to 6.
    ImpossibleCode,
    /// The code is not followed by a space or a hyphen.
    NoSeparator {
        /// Which line.
        line: usize,
    },
    /// The last line of a multi-line reply has the code, and no space behind it.
    BareLastLine,
    /// A line between begins with the reply's own code and a hyphen.
    RepeatedCode {
        /// Which line.
        line: usize,
    },
    /// A line between begins with a number that can be taken for a reply code.
    InteriorNumber {
        /// Which line.
        line: usize,
    },
    /// The last line never came.
    Unfinished,
    /// Longer than [`LONG_REPLY`] and cut off.
    TooLong,
    /// Not UTF-8. Noted only: RFC 959 knows NVT-ASCII, RFC 2640 §2.2 asks for UTF-8 in pathnames.
    NotUtf8 {
        /// Which line.
        line: usize,
    },
}

impl fmt::Display for ReplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BareLf { line } => write!(f, "line {line} ends in LF without CR"),
            Self::BareCr { line } => write!(f, "a CR without LF in line {line}"),
            Self::Nul { line } => write!(f, "a NUL in line {line}"),
            Self::LongLine { line, length } => write!(f, "line {line} has {length} octets"),
            Self::NoCode => write!(f, "the first line does not begin with three digits"),
            Self::ImpossibleCode => write!(f, "no reply code begins with this digit"),
            Self::NoSeparator { line } => {
                write!(
                    f,
                    "in line {line} the code is followed by neither space nor hyphen"
                )
            }
            Self::BareLastLine => write!(f, "the last line has no space behind the code"),
            Self::RepeatedCode { line } => {
                write!(
                    f,
                    "line {line}, between first and last, begins with the code and a hyphen"
                )
            }
            Self::InteriorNumber { line } => {
                write!(
                    f,
                    "line {line}, between first and last, begins with a three-digit number"
                )
            }
            Self::Unfinished => write!(f, "the last line never came"),
            Self::TooLong => write!(f, "longer than {LONG_REPLY} octets"),
            Self::NotUtf8 { line } => write!(f, "line {line} is not UTF-8"),
        }
    }
}

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
                // Behind the limit there is room to look ahead, so that it does not matter how octets arrive.
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
        }
    }

    /// What arrived and is no whole reply yet.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// What arrived and never became a whole reply, as a reply with the fault [`ReplyFault::Unfinished`]: for
    /// the end of a connection and for a wait that was given up.
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

    /// Takes what stands behind the last whole line, up to `end`, as a line without end.
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
        while let Some(found) = memchr::memchr2(b'\r', b'\n', &octets[at..]) {
            at += found;
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

/// Looks a raw line over and takes Telnet commands out of it (RFC 959 §2.2, Telnet on the control connection).
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
            (0xff, Some(_)) => {
                let (kept, used) = telnet(behind);
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

/// What stands behind an IAC: the octet it stands for, if any, and how many octets belong to it (RFC 854).
pub(super) fn telnet(behind: &[u8]) -> (Option<u8>, usize) {
    match behind.first() {
        Some(0xff) => (Some(0xff), 1),
        Some(0xfb..=0xfe) => (None, behind.len().min(2)),
        Some(0xf0..=0xfa) => (None, 1),
        _ => (Some(0xff), 0),
    }
}

fn code_of(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |code, digit| code * 10 + u16::from(digit - b'0')),
    )
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

#[cfg(test)]
mod tests;
