//! The one parser of faults: a line of words, read from left to right. Errors point at the word and suggest another.

use std::fmt;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use super::action::{ACTIONS, Action, ActionRow};
use super::token::{Token, tokens};
use super::{Fault, Occurrence, Trigger};
use crate::wire::VERBS;

/// Why a line is no fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
    /// Where, in octets of [`line`](Self::line).
    pub at: Range<usize>,
    /// The line.
    pub line: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.line.get(..self.at.start).unwrap_or_default();
        let column = before.chars().count();
        let marked = self.line.get(self.at.clone()).unwrap_or_default();
        let width = marked.chars().count().max(1);
        write!(f, "column {}: {}", column + 1, self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean `{suggestion}`?")?;
        }
        write!(f, "\n  {}\n  {:column$}{:^<width$}", self.line, "", "")
    }
}

impl std::error::Error for ParseError {}

/// The words that are still to be read.
pub(super) struct Cursor<'a> {
    line: &'a str,
    tokens: Vec<Token>,
    next: usize,
}

impl FromStr for Fault {
    type Err = ParseError;

    fn from_str(line: &str) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(line)?;
        cursor.word("when")?;
        let what_at = cursor.here();
        let mut fault = Self {
            what: cursor.what()?,
            occurrence: Occurrence::Every(1),
            user: None,
            path: None,
            session: None,
            action: Action::Drop,
            times: None,
        };
        cursor.clauses(&mut fault)?;
        let action_at = cursor.here();
        let (action, row) = cursor.action()?;
        fault.action = action;
        if cursor.takes("times") {
            fault.times = Some(cursor.number("how often", 1, u64::MAX)?);
        }
        if cursor.next < cursor.tokens.len() {
            return Err(cursor.error("that is one word too many", ["times"]));
        }
        if !row.scope.holds(fault.what) {
            let message = format!(
                "`{}` needs {}, not `{}`",
                row.syntax,
                row.scope.needs(),
                fault.what
            );
            return Err(cursor.error_at(action_at, message));
        }
        if !fault.what.is_command() && (fault.path.is_some() || fault.user.is_some()) {
            let message = format!("`{}` has no user and no path", fault.what);
            return Err(cursor.error_at(what_at, message));
        }
        Ok(fault)
    }
}

impl<'a> Cursor<'a> {
    fn new(line: &'a str) -> Result<Self, ParseError> {
        Ok(Self {
            line,
            tokens: tokens(line)?,
            next: 0,
        })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    /// Where the next word stands, or the end of the line.
    fn here(&self) -> Range<usize> {
        let end = self.line.trim_end().len();
        self.peek().map_or(end..end, |token| token.at.clone())
    }

    fn error_at(&self, at: Range<usize>, message: impl Into<String>) -> ParseError {
        ParseError {
            message: message.into(),
            suggestion: None,
            at,
            line: self.line.into(),
        }
    }

    /// An error at the next word, which may have been meant to be one of `candidates`.
    fn error<'b>(
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
    fn takes(&mut self, word: &str) -> bool {
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

    fn what(&mut self) -> Result<Trigger, ParseError> {
        let given = self.peek().map_or("", |token| token.text.as_str());
        let Some(what) = Trigger::named(given) else {
            let names = VERBS.iter().map(|row| row.name);
            let names = names.chain(Trigger::NAMED.iter().map(|(name, ..)| *name));
            return Err(self.error("expected a verb or an event", names));
        };
        self.next += 1;
        Ok(what)
    }

    fn clauses(&mut self, fault: &mut Fault) -> Result<(), ParseError> {
        let mut counted = None;
        loop {
            let start = self.here();
            let occurrence = if self.takes("do") {
                return Ok(());
            } else if self.takes("nth") {
                Occurrence::Nth(self.number("which", 1, u64::MAX)?)
            } else if self.takes("every") {
                Occurrence::Every(self.number("every how many", 1, u64::MAX)?)
            } else if self.takes("from") {
                Occurrence::From(self.number("from which on", 1, u64::MAX)?)
            } else if self.takes("user") {
                once(&mut fault.user, self.one_text("a user name")?)
                    .map_err(|message| self.error_at(start, message))?;
                continue;
            } else if self.takes("path") {
                once(&mut fault.path, self.one_text("a pattern")?)
                    .map_err(|message| self.error_at(start, message))?;
                continue;
            } else if self.takes("session") {
                once(
                    &mut fault.session,
                    self.number("the number of a session", 1, u64::MAX)?,
                )
                .map_err(|message| self.error_at(start, message))?;
                continue;
            } else {
                let words = ["do", "nth", "every", "from", "user", "path", "session"];
                return Err(self.error(
                    "expected `do`, or one of `nth`, `every`, `from`, `user`, `path`, `session`",
                    words,
                ));
            };
            once(&mut counted, ()).map_err(|message| self.error_at(start, message))?;
            fault.occurrence = occurrence;
        }
    }

    /// The action whose words these are; of two that begin alike, the one with more words.
    fn action(&mut self) -> Result<(Action, &'static ActionRow), ParseError> {
        let fits = |row: &ActionRow| {
            let words = self.tokens.get(self.next..).unwrap_or_default();
            words.len() >= row.words.len()
                && row
                    .words
                    .iter()
                    .zip(words)
                    .all(|(word, token)| !token.quoted && token.text.eq_ignore_ascii_case(word))
        };
        let found = ACTIONS
            .iter()
            .filter(|row| fits(row))
            .max_by_key(|row| row.words.len());
        let Some(row) = found else {
            return Err(self.unknown_action());
        };
        self.next += row.words.len();
        Ok(((row.read)(self)?, row))
    }

    /// The action that is meant is found by as many words as it has.
    fn unknown_action(&self) -> ParseError {
        let given = |count: usize| {
            let words = self.tokens.get(self.next..).unwrap_or_default();
            let words: Vec<&str> = words.iter().take(count).map(|t| t.text.as_str()).collect();
            words.join(" ")
        };
        let meant = ACTIONS
            .iter()
            .filter_map(|row| {
                let name = row.words.join(" ");
                let given = given(row.words.len());
                Some((distance(&given, &name)?, row.syntax))
            })
            .min();
        ParseError {
            suggestion: meant.map(|(_, syntax)| syntax.to_owned()),
            ..self.error(
                "there is no such action; `serve --list-faults` names them",
                [],
            )
        }
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
    fn one_text(&mut self, what: &str) -> Result<String, ParseError> {
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
        match self.tokens.get(self.next..).unwrap_or_default() {
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

/// Each clause stands once.
fn once<T>(place: &mut Option<T>, value: T) -> Result<(), &'static str> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err("this was said already"),
    }
}

/// The candidate that `given` is probably meant to be.
pub(crate) fn nearest<'b>(
    given: &str,
    candidates: impl IntoIterator<Item = &'b str>,
) -> Option<&'b str> {
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(given, candidate)?, candidate)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// How far two words are from each other, if they can be meant for one another. Long input is not compared.
fn distance(given: &str, candidate: &str) -> Option<usize> {
    if given.len() > 2 * candidate.len() + 2 {
        return None;
    }
    let distance = strsim::damerau_levenshtein(&given.to_lowercase(), &candidate.to_lowercase());
    (distance <= candidate.len().div_ceil(3)).then_some(distance)
}
