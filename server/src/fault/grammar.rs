//! The grammar of a fault. The words are read from left to right; an error points at a word and
//! suggests another.

use std::str::FromStr;

use super::action::{ACTIONS, Action, ActionRow};
use super::cursor::Cursor;
use super::error::ParseError;
use super::similar::distance;
use super::{Fault, Occurrence, Trigger};
use crate::wire::VERBS;

impl FromStr for Fault {
    type Err = ParseError;

    fn from_str(line: &str) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(line)?;
        cursor.word("when")?;
        let what_at = cursor.here();
        let mut fault = Self {
            what: trigger(&mut cursor)?,
            occurrence: Occurrence::Every(1),
            user: None,
            path: None,
            session: None,
            action: Action::Drop,
            times: None,
        };
        clauses(&mut cursor, &mut fault)?;
        let action_at = cursor.here();
        let (action, row) = action(&mut cursor)?;
        fault.action = action;
        if cursor.takes("times") {
            fault.times = Some(cursor.number("how often", 1, u64::MAX)?);
        }
        if !cursor.words().is_empty() {
            return Err(cursor.error("there is a word too many", ["times"]));
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

fn trigger(cursor: &mut Cursor<'_>) -> Result<Trigger, ParseError> {
    let given = cursor.peek().map_or("", |token| token.text.as_str());
    let Some(what) = Trigger::named(given) else {
        let names = VERBS.iter().map(|row| row.name);
        let names = names.chain(Trigger::NAMED.iter().map(|(name, ..)| *name));
        return Err(cursor.error("expected a verb or an event", names));
    };
    cursor.skip(1);
    Ok(what)
}

fn clauses(cursor: &mut Cursor<'_>, fault: &mut Fault) -> Result<(), ParseError> {
    let mut counted = None;
    loop {
        let start = cursor.here();
        let occurrence = if cursor.takes("do") {
            return Ok(());
        } else if cursor.takes("nth") {
            Occurrence::Nth(cursor.number("which", 1, u64::MAX)?)
        } else if cursor.takes("every") {
            Occurrence::Every(cursor.number("every how many", 1, u64::MAX)?)
        } else if cursor.takes("from") {
            Occurrence::From(cursor.number("from which on", 1, u64::MAX)?)
        } else if cursor.takes("user") {
            once(&mut fault.user, cursor.one_text("a user name")?)
                .map_err(|message| cursor.error_at(start, message))?;
            continue;
        } else if cursor.takes("path") {
            once(&mut fault.path, cursor.one_text("a pattern")?)
                .map_err(|message| cursor.error_at(start, message))?;
            continue;
        } else if cursor.takes("session") {
            once(
                &mut fault.session,
                cursor.number("the number of a session", 1, u64::MAX)?,
            )
            .map_err(|message| cursor.error_at(start, message))?;
            continue;
        } else {
            let words = ["do", "nth", "every", "from", "user", "path", "session"];
            return Err(cursor.error(
                "expected `do`, or one of `nth`, `every`, `from`, `user`, `path`, `session`",
                words,
            ));
        };
        once(&mut counted, ()).map_err(|message| cursor.error_at(start, message))?;
        fault.occurrence = occurrence;
    }
}

/// The action whose words these are; of two that begin alike, the one with more words.
fn action(cursor: &mut Cursor<'_>) -> Result<(Action, &'static ActionRow), ParseError> {
    let fits = |row: &ActionRow| {
        let words = cursor.words();
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
        return Err(unknown_action(cursor));
    };
    cursor.skip(row.words.len());
    Ok(((row.read)(cursor)?, row))
}

/// The action that is meant is found by as many words as it has.
fn unknown_action(cursor: &Cursor<'_>) -> ParseError {
    let given = |count: usize| {
        let words = cursor.words();
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
        ..cursor.error("unknown action; `serve --list-faults` lists them", [])
    }
}

/// Each clause occurs once.
fn once<T>(place: &mut Option<T>, value: T) -> Result<(), &'static str> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err("this was given already"),
    }
}
