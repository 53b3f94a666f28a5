//! The words of a fault that are still to be read, and how values are read from them.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::Duration;

use super::error::ParseError;
use super::similar::nearest;
use super::token::{Token, tokens};

/// The words that are still to be read.
pub(super) struct Cursor<'a> {
    line: &'a str,
    tokens: Vec<Token>,
    next: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(line: &'a str) -> Result<Self, ParseError> {
        Ok(Self {
            line,
            tokens: tokens(line)?,
            next: 0,
        })
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    /// The words that are left.
    pub(super) fn words(&self) -> &[Token] {
        self.tokens.get(self.next..).unwrap_or_default()
    }

    /// Skips `words` words.
    pub(super) fn skip(&mut self, words: usize) {
        self.next += words;
    }

    /// The place of the next word, or the end of the line.
    pub(super) fn here(&self) -> Range<usize> {
        let end = self.line.trim_end().len();
        self.peek().map_or(end..end, |token| token.at.clone())
    }

    pub(super) fn error_at(&self, at: Range<usize>, message: impl Into<String>) -> ParseError {
        ParseError {
            message: message.into(),
            suggestion: None,
            at,
            line: self.line.into(),
        }
    }

    /// An error at the next word, which may have been meant to be one of `candidates`.
    pub(super) fn error<'b>(
        &self,
        message: impl Into<String>,
        candidates: impl IntoIterator<Item = &'b str>,
    ) -> ParseError {
        let given = self.peek().map_or("", |token| token.text.as_str());
        ParseError {
            suggestion: nearest(given, candidates).map(String::from),
            ..self.error_at(self.here(), message)
        }
    }

    /// Takes the next word if it is this one.
    pub(super) fn takes(&mut self, word: &str) -> bool {
        let is = self
            .peek()
            .is_some_and(|token| !token.quoted && token.text.eq_ignore_ascii_case(word));
        self.next += usize::from(is);
        is
    }

    /// The next word must be this one.
    pub(super) fn word(&mut self, word: &str) -> Result<(), ParseError> {
        if self.takes(word) {
            return Ok(());
        }
        Err(self.error(format!("expected `{word}`"), [word]))
    }

    /// A number from `least` to `most`.
    pub(super) fn number(&mut self, what: &str, least: u64, most: u64) -> Result<u64, ParseError> {
        let number = self.peek().and_then(|token| token.text.parse().ok());
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => {
                self.next += 1;
                Ok(number)
            }
            None => Err(self.error(format!("expected {what}, a number"), [])),
        }
    }

    /// A count of octets.
    pub(super) fn octets(&mut self) -> Result<u64, ParseError> {
        self.number("how many octets", 0, u64::MAX)
    }

    /// `at N`, if it is there.
    pub(super) fn at(&mut self) -> Result<Option<u64>, ParseError> {
        if self.takes("at") {
            return self.octets().map(Some);
        }
        Ok(None)
    }

    /// `at N`.
    pub(super) fn needs_at(&mut self) -> Result<u64, ParseError> {
        self.word("at")?;
        self.octets()
    }

    /// `300ms`, `2s`, `1m`.
    pub(super) fn time(&mut self, longest: Duration) -> Result<Duration, ParseError> {
        let read = |token: &Token| {
            let digits = token.text.find(|found: char| !found.is_ascii_digit())?;
            let (number, unit) = token.text.split_at(digits);
            let number: u64 = number.parse().ok()?;
            let milliseconds = match unit {
                "ms" => number,
                "s" => number.checked_mul(1000)?,
                "m" => number.checked_mul(60_000)?,
                _ => return None,
            };
            Some(Duration::from_millis(milliseconds))
        };
        match self.peek().and_then(read).filter(|time| *time <= longest) {
            Some(time) => {
                self.next += 1;
                Ok(time)
            }
            None => Err(self.error("expected a time of up to an hour: 300ms, 2s, 1m", [])),
        }
    }

    /// An IPv4 address, if there is one.
    pub(super) fn address_or(&mut self, default: Ipv4Addr) -> Result<Ipv4Addr, ParseError> {
        if self.at_the_end_of_the_action() {
            return Ok(default);
        }
        let address = self.peek().and_then(|token| token.text.parse().ok());
        let address = address.ok_or_else(|| self.error("expected an IPv4 address", []))?;
        self.next += 1;
        Ok(address)
    }

    /// A port, if there is one.
    pub(super) fn port(&mut self) -> Result<Option<u16>, ParseError> {
        if self.at_the_end_of_the_action() {
            return Ok(None);
        }
        let port = self.number("a port", 1, u64::from(u16::MAX))?;
        Ok(u16::try_from(port).ok())
    }

    /// One of these words.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        what: &str,
        words: &[(T, &'static str)],
    ) -> Result<T, ParseError> {
        for (value, word) in words {
            if self.takes(word) {
                return Ok(*value);
            }
        }
        let names = words.iter().map(|(_, word)| *word);
        let listed: Vec<String> = names.clone().map(|name| format!("`{name}`")).collect();
        Err(self.error(
            format!("expected the kind of {what}: {}", listed.join(", ")),
            names,
        ))
    }

    /// One of these words, or none of them.
    pub(super) fn one_of_or<T: Copy>(&mut self, words: &[(T, &str)], default: T) -> T {
        words
            .iter()
            .find(|(_, word)| self.takes(word))
            .map_or(default, |(value, _)| *value)
    }

    /// The text of a reply, of one line or more: one quoted word, or all words up to `times N` or
    /// the end. A reply holds no NUL, and no CR but before LF (RFC 959 §4.2); [`Action::NulInText`]
    /// is for that.
    pub(super) fn text(&mut self, what: &str) -> Result<Vec<u8>, ParseError> {
        if self.at_the_end_of_the_action() {
            return Err(self.error(format!("expected {what}"), []));
        }
        let start = self.here().start;
        let mut end = start;
        let octets = match self.peek().filter(|token| token.quoted) {
            Some(token) => {
                end = token.at.end;
                let octets = token.octets.clone();
                self.next += 1;
                octets
            }
            None => {
                while !self.at_the_end_of_the_action() {
                    end = self.here().end;
                    self.next += 1;
                }
                self.line.get(start..end).unwrap_or_default().into()
            }
        };
        let mut two = octets.windows(2);
        let bare_cr = octets.ends_with(b"\r") || two.any(|two| two[0] == b'\r' && two[1] != b'\n');
        if bare_cr || octets.contains(&0) {
            let message = "the text of a reply holds no NUL, and CR only before LF";
            return Err(self.error_at(start..end, message));
        }
        Ok(octets)
    }

    /// [`text`](Self::text) of one line.
    pub(super) fn text_line(&mut self, what: &str) -> Result<Vec<u8>, ParseError> {
        let at = self.here();
        let text = self.text(what)?;
        if text.contains(&b'\n') {
            return Err(self.error_at(at, format!("expected {what}, of one line")));
        }
        Ok(text)
    }

    pub(super) fn text_or(&mut self, default: &str) -> Result<Vec<u8>, ParseError> {
        if self.at_the_end_of_the_action() {
            return Ok(default.into());
        }
        self.text("a text")
    }

    /// One word, quoted or not.
    pub(super) fn one_text(&mut self, what: &str) -> Result<String, ParseError> {
        let Some(token) = self.peek() else {
            return Err(self.error(format!("expected {what}"), []));
        };
        let Ok(text) = String::from_utf8(token.octets.clone()) else {
            return Err(self.error(format!("expected {what}, in UTF-8"), []));
        };
        self.next += 1;
        Ok(text)
    }

    /// Whether nothing is left but `times N`.
    fn at_the_end_of_the_action(&self) -> bool {
        match self.words() {
            [] => true,
            [times, count] => {
                !times.quoted
                    && times.text.eq_ignore_ascii_case("times")
                    && count.text.parse::<u64>().is_ok()
            }
            _ => false,
        }
    }
}
