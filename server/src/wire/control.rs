//! Splits the octets of the control connection into lines (RFC 959 §5.3, RFC 854, RFC 1123
//! §4.1.2.12).

use memchr::{memchr, memrchr};

/// The longest command line, without its line end: the longest pathname with a verb and other
/// arguments.
pub const MAX_LINE: usize = crate::storage::MAX_PATH + 512;

/// The most refusals of Telnet options that are kept until they are sent. A client that requests
/// more options without reading the answers gets no further answers.
const MAX_REFUSALS: usize = 64;

/// The most octets of one Telnet subnegotiation that are skipped before it counts as endless.
const MAX_SUBNEGOTIATION: usize = 4096;

const SE: u8 = 240;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

/// A line of the control connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlEvent {
    /// A line without its line end and without Telnet commands. Never contains NUL or LF; a CR in
    /// it was sent as CR NUL (RFC 854, RFC 2640 §3.1).
    Line(Vec<u8>),
    /// A line longer than [`MAX_LINE`]. It was discarded up to its line end, so its tail is never
    /// read as a command.
    Overlong,
    /// A line with a NUL, or with a CR that neither LF nor NUL follows (RFC 854, end of line).
    Malformed,
}

/// Splits the octets of a control connection into lines, and removes the Telnet commands.
///
/// A line ends with CRLF; LF alone is accepted too, as by nearly every server. To hold no more than
/// one read's worth, call [`feed`](Self::feed), then take events until there are none. Nothing is
/// allocated while nothing is buffered.
#[derive(Debug, Default)]
pub struct LineReader {
    /// Octets without Telnet commands.
    buffer: Vec<u8>,
    /// The end of the part of `buffer` that was already returned as lines.
    taken: usize,
    /// The end of the part of `buffer` that was searched for LF.
    scanned: usize,
    /// An overlong line was reported, and its end has not arrived yet.
    discarding: bool,
    telnet: Telnet,
    answers: Vec<u8>,
    /// Octets since the last line end.
    since_line_end: u32,
}

/// The state of a Telnet command (RFC 854).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Telnet {
    #[default]
    Data,
    Command,
    Option(u8),
    Subnegotiation(usize),
    SubnegotiationCommand(usize),
}

impl LineReader {
    /// A reader with nothing buffered.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes octets from the control connection, split anywhere.
    pub fn feed(&mut self, octets: &[u8]) {
        let (before, more) = match memrchr(b'\n', octets) {
            Some(end) => (0, octets.len() - end - 1),
            None => (self.since_line_end, octets.len()),
        };
        self.since_line_end = before.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        let mut rest = octets;
        while !rest.is_empty() {
            let plain = match self.telnet {
                Telnet::Data => memchr(IAC, rest).unwrap_or(rest.len()),
                _ => 0,
            };
            self.data(&rest[..plain]);
            rest = &rest[plain..];
            if let Some((first, after)) = rest.split_first() {
                self.command(*first);
                rest = after;
            }
        }
    }

    /// The next line, if it is complete.
    pub fn next_event(&mut self) -> Option<ControlEvent> {
        let Some(found) = memchr(b'\n', &self.buffer[self.scanned..]) else {
            self.scanned = self.buffer.len();
            // One more than the limit: the last octet may be the CR of the line end.
            if self.buffered() > MAX_LINE + 1 {
                self.clear();
                self.discarding = true;
                return Some(ControlEvent::Overlong);
            }
            return None;
        };
        let mut line = self.take_line(self.scanned + found);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(if line.len() > MAX_LINE {
            ControlEvent::Overlong
        } else if unescape(&mut line) {
            ControlEvent::Line(line)
        } else {
            ControlEvent::Malformed
        })
    }

    /// Discards everything buffered. Octets that were sent in the clear after AUTH TLS, by the
    /// client or by an attacker, must not be read as if they had been protected (CVE-2011-0411; RFC
    /// 4217 §4).
    pub fn discard(&mut self) {
        *self = Self::default();
    }

    /// The refusals of Telnet options that the client offered or requested (RFC 1123 §4.1.2.12),
    /// ready to be sent.
    pub fn take_answers(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.answers)
    }

    /// The number of octets since the last line end, including Telnet commands. They are not held:
    /// an endless line takes no memory, but it has no use either.
    #[must_use]
    pub fn since_line_end(&self) -> u32 {
        self.since_line_end
    }

    /// The number of octets held.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// Whether neither a line nor a Telnet command has begun.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.buffer.is_empty() && self.telnet == Telnet::Data && !self.discarding
    }

    /// Takes octets outside Telnet commands.
    fn data(&mut self, octets: &[u8]) {
        let octets = if self.discarding {
            let Some(end) = memchr(b'\n', octets) else {
                return;
            };
            self.discarding = false;
            &octets[end + 1..]
        } else {
            octets
        };
        if !octets.is_empty() {
            if self.taken > 0 {
                self.buffer.drain(..self.taken);
                self.scanned -= self.taken;
                self.taken = 0;
            }
            self.buffer.extend_from_slice(octets);
        }
    }

    /// Takes one octet of a Telnet command.
    fn command(&mut self, octet: u8) {
        self.telnet = match self.telnet {
            Telnet::Data => Telnet::Command,
            Telnet::Command => match octet {
                IAC => {
                    self.data(&[IAC]);
                    Telnet::Data
                }
                WILL | WONT | DO | DONT => Telnet::Option(octet),
                SB => Telnet::Subnegotiation(0),
                // Interrupt Process, Data Mark, NOP and the rest: nothing to do (RFC 959 §4.1.3
                // ABOR; RFC 854).
                _ => Telnet::Data,
            },
            Telnet::Option(verb) => {
                self.refuse(verb, octet);
                Telnet::Data
            }
            Telnet::Subnegotiation(length) | Telnet::SubnegotiationCommand(length)
                if length >= MAX_SUBNEGOTIATION =>
            {
                Telnet::Data
            }
            Telnet::Subnegotiation(length) if octet == IAC => {
                Telnet::SubnegotiationCommand(length + 1)
            }
            Telnet::SubnegotiationCommand(_) if octet == SE => Telnet::Data,
            Telnet::Subnegotiation(length) | Telnet::SubnegotiationCommand(length) => {
                Telnet::Subnegotiation(length + 1)
            }
        };
    }

    /// Refuses an offered or requested option. WONT and DONT are not answered: that would cause
    /// loops.
    fn refuse(&mut self, verb: u8, option: u8) {
        let answer = match verb {
            WILL => DONT,
            DO => WONT,
            _ => return,
        };
        if self.answers.len() < MAX_REFUSALS * 3 {
            self.answers.extend_from_slice(&[IAC, answer, option]);
        }
    }

    /// Takes the octets before `end`, and the LF at `end`.
    fn take_line(&mut self, end: usize) -> Vec<u8> {
        let after = end + 1;
        if self.taken == 0 && after == self.buffer.len() {
            let mut line = std::mem::take(&mut self.buffer);
            self.scanned = 0;
            line.truncate(end);
            return line;
        }
        let line = self.buffer[self.taken..end].to_vec();
        if after == self.buffer.len() {
            self.clear();
        } else {
            self.taken = after;
            self.scanned = after;
        }
        line
    }

    fn clear(&mut self) {
        self.buffer = Vec::new();
        self.taken = 0;
        self.scanned = 0;
    }
}

/// Turns CR NUL into CR. False if there is a NUL without CR, or a CR without NUL.
fn unescape(line: &mut Vec<u8>) -> bool {
    if memchr::memchr2(b'\r', 0, line).is_none() {
        return true;
    }
    let mut after_cr = false;
    let mut wellformed = true;
    line.retain(|octet| {
        wellformed &= (*octet == 0) == after_cr;
        after_cr = *octet == b'\r';
        *octet != 0
    });
    wellformed && !after_cr
}
