//! Replies (RFC 959 §4.2), and everything that can be wrong with their form.

mod reader;

pub use reader::ReplyReader;

use std::fmt;

/// Longer lines are reported. RFC 959 gives no limit; this is far beyond every client's buffer.
pub const LONG_LINE: usize = 4096;

/// A longer reply is cut off here; the rest of its line is thrown away.
pub const LONG_REPLY: usize = 1 << 20;

/// The maximum number of lines of a reply; even an empty line takes memory.
pub const LONG_REPLY_LINES: usize = 16 << 10;

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

    /// The lines between the first and the last, unchanged.
    #[must_use]
    pub fn between(&self) -> &[Vec<u8>] {
        match self.lines.len() {
            0..=2 => &[],
            n => &self.lines[1..n - 1],
        }
    }

    /// The first digit: 1 preliminary, 2 completed, 3 intermediate, 4 and 5 refused; 0 where there
    /// is no code.
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
    /// A CR without LF, at the end of a line or within it.
    BareCr {
        /// Which line.
        line: usize,
    },
    /// A NUL that does not belong to CR NUL.
    Nul {
        /// Which line.
        line: usize,
    },
    /// An IAC without meaning: neither doubled nor followed by a Telnet command.
    LoneIac {
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
    /// The last line of a multi-line reply has the code and no space after it.
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
    /// Longer than [`LONG_REPLY`] or [`LONG_REPLY_LINES`] and cut off.
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
            Self::LoneIac { line } => write!(f, "a lone octet 255 (IAC) in line {line}"),
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
            Self::TooLong => write!(
                f,
                "longer than {LONG_REPLY} octets or {LONG_REPLY_LINES} lines"
            ),
            Self::NotUtf8 { line } => write!(f, "line {line} is not UTF-8"),
        }
    }
}

/// The three digits a line begins with.
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

#[cfg(test)]
mod tests;
