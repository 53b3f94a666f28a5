//! Replies: a three-digit code and text (RFC 959 §4.2).

use std::fmt;

/// A reply code, 100 to 599 for plain and 631 to 633 for protected replies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyCode(pub u16);

impl fmt::Debug for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One reply as it is sent: a code and one or more lines of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: ReplyCode,
    /// The lines, never empty, without line ends. Of more than one, the first and the last carry the code; the lines
    /// between are sent as they are, so they must not begin with a digit (RFC 959 §4.2); the encoder pads them.
    pub lines: Vec<Vec<u8>>,
}

impl Reply {
    /// A reply of one line.
    pub fn line(code: u16, text: impl AsRef<[u8]>) -> Self {
        Self {
            code: ReplyCode(code),
            lines: vec![text.as_ref().to_vec()],
        }
    }

    /// Appends the reply as octets, CRLF included. No CR, LF or NUL of a line ever reaches the wire.
    pub fn encode(&self, to: &mut Vec<u8>) {
        use std::io::Write as _;
        let last = self.lines.len().saturating_sub(1);
        for (index, line) in self.lines.iter().enumerate() {
            if index == last {
                let _ = write!(to, "{:03} ", self.code.0);
            } else if index == 0 {
                let _ = write!(to, "{:03}-", self.code.0);
            } else if line.first().is_some_and(u8::is_ascii_digit) {
                to.push(b' ');
            }
            to.extend(line.iter().map(|octet| match octet {
                b'\r' | b'\n' | 0 => b' ',
                other => *other,
            }));
            to.extend_from_slice(b"\r\n");
        }
    }
}

/// A 2yz to 5yz reply: ends a command (RFC 959 §4.2). Each command gets exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Completion(pub Reply);

/// A 1yz reply. Only a transfer carries one, so a command can have at most one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Preliminary(pub Reply);

/// A completion of one line.
pub fn done(code: u16, text: impl AsRef<[u8]>) -> Completion {
    debug_assert!((200..700).contains(&code), "{code} does not end a command");
    Completion(Reply::line(code, text))
}
