//! Replies: a three-digit code and text (RFC 959 §4.2).

use super::language::Language;
use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;

/// A reply code, 100 to 599 for plain and 631 to 633 for protected replies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyCode(pub u16);

impl fmt::Debug for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A line of a reply, without its line end. Most are constants and never copied.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyLine(Cow<'static, [u8]>);

impl ReplyLine {
    /// The octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&'static str> for ReplyLine {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<String> for ReplyLine {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text.into_bytes()))
    }
}

impl From<Vec<u8>> for ReplyLine {
    fn from(text: Vec<u8>) -> Self {
        Self(Cow::Owned(text))
    }
}

impl fmt::Debug for ReplyLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// One reply as it is sent: a code and one or more lines of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: ReplyCode,
    first: ReplyLine,
    /// Lines after the first; the last of them ends the reply.
    more: Vec<ReplyLine>,
}

impl Reply {
    /// A reply of one line.
    pub fn line(code: u16, text: impl Into<ReplyLine>) -> Self {
        Self {
            code: ReplyCode(code),
            first: text.into(),
            more: Vec::new(),
        }
    }

    /// A reply of many lines. The first and the last carry the code; those between are sent as they
    /// are.
    pub fn block(
        code: u16,
        first: impl Into<ReplyLine>,
        between: impl IntoIterator<Item = impl Into<ReplyLine>>,
        last: impl Into<ReplyLine>,
    ) -> Self {
        let mut more: Vec<ReplyLine> = between.into_iter().map(Into::into).collect();
        more.push(last.into());
        Self {
            code: ReplyCode(code),
            first: first.into(),
            more,
        }
    }

    /// A reply whose text may have more than one line.
    #[must_use]
    pub fn text(code: u16, text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let mut lines = text
            .split(|octet| *octet == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec());
        let first = lines.next().unwrap_or_default();
        let mut between: Vec<Vec<u8>> = lines.collect();
        match between.pop() {
            None => Self::line(code, first),
            Some(last) => Self::block(code, first, between, last),
        }
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        (0..=self.more.len()).map(|index| match index {
            0 => self.first.as_bytes(),
            index => self.more[index - 1].as_bytes(),
        })
    }

    /// The reply with each line in `language` that has a translation.
    #[must_use]
    pub fn translated(&self, language: Language) -> Cow<'_, Self> {
        if language == Language::English {
            return Cow::Borrowed(self);
        }
        let mut reply = self.clone();
        for line in std::iter::once(&mut reply.first).chain(&mut reply.more) {
            if let Some(text) = language.translation(line.as_bytes()) {
                *line = text.into();
            }
        }
        Cow::Owned(reply)
    }

    /// Appends the reply as octets, including CRLF. CR, LF and NUL in a line become spaces; an
    /// octet 255 is doubled, as Telnet requires (RFC 854, RFC 3659 §2.2). An intermediate line that
    /// begins with a digit is indented by a space, so that no client takes it for the last (RFC 959
    /// §4.2).
    pub fn encode(&self, to: &mut Vec<u8>) {
        let last = self.more.len();
        for (index, line) in self.lines().enumerate() {
            if index == last {
                let _ = write!(to, "{:03} ", self.code.0);
            } else if index == 0 {
                let _ = write!(to, "{:03}-", self.code.0);
            } else if line.first().is_some_and(u8::is_ascii_digit) {
                to.push(b' ');
            }
            for octet in line {
                match octet {
                    b'\r' | b'\n' | 0 => to.push(b' '),
                    255 => to.extend_from_slice(&[255, 255]),
                    other => to.push(*other),
                }
            }
            to.extend_from_slice(b"\r\n");
        }
    }
}

/// Text that is safe to show on a terminal: control octets and characters become `?`, as in `ls`.
/// For texts that people read; names for programs are sent octet by octet.
#[must_use]
pub fn printable(text: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for char in chunk.valid().chars() {
            let char = if char.is_control() { '?' } else { char };
            shown.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
        let invalid = chunk.invalid().iter();
        // The C1 controls of 8-bit character sets (ISO 6429).
        shown.extend(invalid.map(|octet| match octet {
            0x80..=0x9f => b'?',
            octet => *octet,
        }));
    }
    shown
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
pub fn done(code: u16, text: impl Into<ReplyLine>) -> Completion {
    debug_assert!((200..700).contains(&code), "{code} does not end a command");
    Completion(Reply::line(code, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(reply: &Reply) -> Vec<u8> {
        let mut octets = Vec::new();
        reply.encode(&mut octets);
        octets
    }

    #[test]
    fn one_line_is_code_space_text() {
        assert_eq!(encoded(&Reply::line(200, "Fine.")), b"200 Fine.\r\n");
    }

    #[test]
    fn the_lines_between_never_look_like_the_end() {
        let reply = Reply::block(211, "Begin.", ["211 x", " MDTM"], "End");
        assert_eq!(
            encoded(&reply),
            b"211-Begin.\r\n 211 x\r\n MDTM\r\n211 End\r\n"
        );
        assert_eq!(reply.lines().count(), 4);
    }

    #[test]
    fn nothing_in_a_printable_text_acts_on_a_terminal() {
        for (text, shown) in [
            (&b"caf\xc3\xa9 \xe9"[..], &b"caf\xc3\xa9 \xe9"[..]),
            (b"\x1b[2J\x07\x7f\t", b"?[2J???"),
            (b"\xc2\x9b1m \x9b1m", b"?1m ?1m"),
            (b"", b""),
        ] {
            assert_eq!(printable(text), shown, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn nothing_in_a_line_can_make_another_line() {
        let reply = Reply::line(257, b"\"a\r\n227 b\0\xff\"".to_vec());
        assert_eq!(encoded(&reply), b"257 \"a  227 b \xff\xff\"\r\n");
    }
}
