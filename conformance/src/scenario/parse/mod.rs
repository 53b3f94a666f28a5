//! The grammar.
//!
//! A file is cut into lines once; each line is one statement, and each statement that is wrong
//! gives one
//! [`Diagnostic`], so that all errors are seen at once. Work is in proportion to the length of the
//! file.

mod about;
pub(crate) mod cursor;
pub(crate) mod front;
mod repeat;
mod reply;
mod statement;

use crate::text::{cut, did_you_mean, nearest};
use std::ops::Range;
use std::time::Duration;

use super::error::{Diagnostic, Severity};
use super::variables::variable_at;
use super::{Action, Connection, Scenario, ScenarioId, Step};
pub(super) use about::can_fail;
use cursor::Cursor;
pub(super) use front::KEYS;

/// The largest file that is read. The whole suite is smaller than this.
pub(crate) const FILE_LIMIT: usize = 1 << 20;

/// The largest front matter that is read.
const FRONT_LIMIT: usize = 64 << 10;

/// How long all the `@silent` of a scenario may take.
const SILENCE: Duration = Duration::from_secs(60);

/// How long they may take in the profile `slow`.
const SLOW_SILENCE: Duration = Duration::from_secs(30 * 60);

/// The largest number of diagnostics; a file with more is probably not a scenario.
const DIAGNOSTICS_LIMIT: usize = 100;

/// Reads one scenario file.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub fn parse(id: ScenarioId, text: &str) -> Result<Scenario, Vec<Diagnostic>> {
    within_limit(text)?;
    let lines = lines_of(text);
    let mut problems = Problems::new(text);
    let (about, steps) = match front_matter(&lines, &mut problems) {
        Some((front, body)) => {
            let about = front::front(&text[front.clone()], front.start, &mut problems);
            let mut reader = Reader {
                lines: &lines,
                next: body,
                problems: &mut problems,
            };
            (about, reader.steps())
        }
        None => (None, Vec::new()),
    };
    if let Some(about) = about.filter(|_| problems.found.is_empty()) {
        let scenario = Scenario {
            id,
            about,
            steps,
            text: text.to_owned(),
        };
        repeat::is_bounded(&scenario, &lines, &mut problems);
        if problems.found.is_empty() {
            return Ok(scenario);
        }
    }
    Err(problems.into_diagnostics())
}

/// Whether a file is not larger than [`FILE_LIMIT`].
pub(crate) fn within_limit(text: &str) -> Result<(), Vec<Diagnostic>> {
    if text.len() <= FILE_LIMIT {
        return Ok(());
    }
    Err(vec![Diagnostic {
        severity: Severity::Error,
        message: "the file is larger than 1 MiB".into(),
        line: 1,
        span: 0..0,
        help: Some("large contents are written `pattern(N)` or `repeat(\"…\", N)`".into()),
    }])
}

/// The range of the front matter, and the lines of the dialogue.
pub(super) fn file_parts(text: &str) -> Option<(Range<usize>, Vec<Line<'_>>)> {
    let lines = lines_of(text);
    let (front, body) = front_matter(&lines, &mut Problems::new(""))?;
    Some((front, lines[body..].to_vec()))
}

/// One line of the file, without its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    /// 1-based.
    pub(crate) number: u32,
    /// Where it starts in the file.
    pub(crate) start: usize,
    /// Its text.
    pub(crate) text: &'a str,
}

impl Line<'_> {
    /// Nothing but blanks.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// A note for the reader.
    pub(crate) fn is_comment(&self) -> bool {
        self.text.trim_start().starts_with('#')
    }

    pub(crate) fn span(&self) -> Range<usize> {
        let indent = self.text.len() - self.text.trim_start().len();
        self.start + indent..self.start + self.text.trim_end().len().max(indent)
    }
}

pub(crate) fn lines_of(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .zip(1..)
        .map(|(whole, number)| {
            let text = whole.strip_suffix('\n').unwrap_or(whole);
            let text = text.strip_suffix('\r').unwrap_or(text);
            // A byte order mark is no part of the first line.
            let skip = if start == 0 && text.starts_with('\u{feff}') {
                3
            } else {
                0
            };
            let line = Line {
                number,
                start: start + skip,
                text: &text[skip..],
            };
            start += whole.len();
            line
        })
        .collect()
}

/// The range of the front matter, and the index of the first line after it.
pub(crate) fn front_matter(
    lines: &[Line<'_>],
    problems: &mut Problems,
) -> Option<(Range<usize>, usize)> {
    let fence = |line: &Line<'_>| line.text.trim_end() == "+++";
    let Some(opening) = lines.first().filter(|line| fence(line)) else {
        let span = lines.first().map_or(0..0, Line::span);
        problems.push(
            Problem::new(span, "a scenario begins with its front matter")
                .help("the first line is `+++`; see scenarios/README.md"),
        );
        return None;
    };
    let Some(closing) = lines.iter().skip(1).position(fence) else {
        problems.push(
            Problem::new(opening.span(), "the front matter is not closed")
                .help("a line `+++` ends it and begins the dialogue"),
        );
        return None;
    };
    let closing = closing + 1;
    let front = lines[1].start..lines[closing].start;
    if front.len() > FRONT_LIMIT {
        problems.push(Problem::new(
            opening.span(),
            "the front matter is larger than 64 KiB",
        ));
        return None;
    }
    Some((front, closing + 1))
}

/// An error in one statement.
#[derive(Debug)]
pub(crate) struct Problem {
    span: Range<usize>,
    message: String,
    help: Option<String>,
}

impl Problem {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        self.maybe_help(Some(help.into()))
    }

    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// Everything that is wrong so far.
pub(crate) struct Problems {
    newlines: Vec<usize>,
    found: Vec<Diagnostic>,
    more: usize,
}

impl Problems {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            newlines: memchr::memchr_iter(b'\n', text.as_bytes()).collect(),
            found: Vec::new(),
            more: 0,
        }
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        if self.found.len() == DIAGNOSTICS_LIMIT {
            self.more += 1;
            return;
        }
        let line = self
            .newlines
            .partition_point(|newline| *newline < problem.span.start)
            + 1;
        self.found.push(Diagnostic {
            severity: Severity::Error,
            message: problem.message,
            line: u32::try_from(line).unwrap_or(u32::MAX),
            span: problem.span,
            help: problem.help,
        });
    }

    pub(crate) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|diagnostic| diagnostic.span.start);
        if let (Some(last), 1..) = (self.found.last_mut(), self.more) {
            last.help = Some(format!("… and {} more errors", self.more));
        }
        self.found
    }
}

/// The kind of the previous statement, for the `!` lines that may follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// `<` or `@tls`.
    Wishable,
    /// It has been reported; lines that depend on it are not reported.
    BrokenReply,
    Other,
}

/// Reads the dialogue.
struct Reader<'a, 'p> {
    lines: &'a [Line<'a>],
    next: usize,
    problems: &'p mut Problems,
}

impl<'a> Reader<'a, '_> {
    fn steps(&mut self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let mut repeat = repeat::Nesting::default();
        let mut before = Before::Other;
        // What an `!about` or a `!impact` would be said of.
        let mut subject = about::Subject::Nothing;
        while let Some(line) = self.next_line() {
            let (name, sigil, cursor) = match split_connection(line) {
                Ok(split) => split,
                Err(problem) => {
                    self.problems.push(problem);
                    before = Before::Other;
                    subject = about::Subject::Broken;
                    continue;
                }
            };
            if sigil == '!' && about::is_remark(&cursor) {
                if let Err(problem) = about::remark(steps.last_mut(), subject, name, line, cursor) {
                    self.problems.push(problem);
                }
                continue;
            }
            if sigil == '!' {
                let wished = cursor.rest().starts_with("should");
                let expected = steps.last_mut().filter(|_| before == Before::Wishable);
                match reply::wish(expected, name, line, cursor) {
                    Err(problem) if before != Before::BrokenReply => self.problems.push(problem),
                    _ => {}
                }
                subject = match wished {
                    true => about::Subject::Line(line.number),
                    false => about::Subject::Nothing,
                };
                continue;
            }
            let repeats = sigil == '@' && cursor.rest().starts_with("repeat");
            let action = match sigil {
                '>' => send(cursor),
                '<' => self.reply(name, line, cursor),
                _ => statement::statement(name, cursor),
            };
            before = match (sigil, &action) {
                (_, Ok(Action::Expect(_) | Action::Tls(_))) => Before::Wishable,
                ('<', Err(_)) => Before::BrokenReply,
                _ => Before::Other,
            };
            subject = match &action {
                Err(_) => about::Subject::Broken,
                Ok(action) if can_fail(action) => about::Subject::Line(line.number),
                Ok(_) => about::Subject::Nothing,
            };
            let action = action.and_then(|action| {
                repeat.statement(&action, line)?;
                Ok(action)
            });
            let connection = name.map_or_else(Connection::main, |name| Connection(name.to_owned()));
            match action {
                Ok(action) => steps.push(Step {
                    line: line.number,
                    connection,
                    action,
                    about: Vec::new(),
                    impact: Vec::new(),
                }),
                Err(problem) => {
                    if repeats {
                        repeat.broken(line);
                    }
                    self.problems.push(problem);
                }
            }
        }
        if let Err(problem) = repeat.end() {
            self.problems.push(problem);
        }
        steps
    }

    /// The next line that is a statement.
    fn next_line(&mut self) -> Option<Line<'a>> {
        loop {
            let line = *self.lines.get(self.next)?;
            self.next += 1;
            if !line.is_blank() && !line.is_comment() {
                return Some(line);
            }
        }
    }
}

/// The name of the control connection, the sigil, and the rest of the line.
fn split_connection<'a>(line: Line<'a>) -> Result<(Option<&'a str>, char, Cursor<'a>), Problem> {
    let indent = line.text.len() - line.text.trim_start().len();
    let statement = &line.text[indent..];
    let end = statement
        .find(|character: char| !character.is_ascii_alphanumeric())
        .unwrap_or(statement.len());
    let (name, rest) = statement.split_at(end);
    let start = line.start + indent;
    let Some(sigil) = rest
        .chars()
        .next()
        .filter(|sigil| matches!(sigil, '>' | '<' | '@' | '!'))
    else {
        let problem = Problem::new(line.span(), "a statement begins with `>`, `<`, `@` or `!`");
        return Err(problem.maybe_help(meant_statement(statement)));
    };
    if name
        .chars()
        .next()
        .is_some_and(|first| !first.is_ascii_uppercase())
    {
        let problem = Problem::new(
            start..start + end,
            "the name of a control connection begins with a capital letter",
        );
        return Err(problem.help(format!("as in `B{sigil}`")));
    }
    let cursor = Cursor::new(&statement[end + 1..], start + end + 1);
    Ok(((!name.is_empty()).then_some(name), sigil, cursor))
}

/// What a line without sigil was probably meant to be.
fn meant_statement(statement: &str) -> Option<String> {
    let word = statement.split_whitespace().next()?;
    if word.bytes().take_while(u8::is_ascii_digit).count() == 3 {
        return Some(format!("a reply is expected with `< {}`", shown(word)));
    }
    if (3..=4).contains(&word.len()) && word.bytes().all(|octet| octet.is_ascii_uppercase()) {
        return Some(format!(
            "a command is sent with `> {}`",
            shown(statement.trim_end())
        ));
    }
    nearest(word, statement::names().filter(|name| name.len() > 3))
        .map(|known| format!("did you mean `@{known}`?"))
}

/// `> LINE`
fn send(cursor: Cursor<'_>) -> Result<Action, Problem> {
    let rest = cursor.rest();
    let Some(command) = rest
        .strip_prefix(' ')
        .or_else(|| rest.is_empty().then_some(""))
    else {
        return Err(
            Problem::new(cursor.here(), "put a blank between `>` and the line")
                .help(format!("`> {}`", shown(rest.trim_start()))),
        );
    };
    let start = cursor.position() + (rest.len() - command.len());
    if let Some(at) = command.find(|character: char| character.is_control() && character != '\t') {
        let problem = Problem::new(
            start + at..start + at + 1,
            "control characters are not allowed here",
        );
        return Err(problem.help("exact octets are sent with `@raw \"…\"`"));
    }
    check_variables(command, start)?;
    Ok(Action::Send(command.to_owned()))
}

/// Whether each `${` opens a variable or is escaped.
fn check_variables(text: &str, start: usize) -> Result<(), Problem> {
    for at in memchr::memmem::find_iter(text.as_bytes(), b"${") {
        let escaped = at > 0 && text.as_bytes()[at - 1] == b'$';
        if !escaped && variable_at(&text.as_bytes()[at..]).is_none() {
            let problem = Problem::new(
                start + at..start + at + 2,
                "`${` does not begin a variable here",
            );
            return Err(problem.help("a variable is `${name}`, a literal `${` is `$${`"));
        }
    }
    Ok(())
}

/// A piece of the file in a message: not too long.
pub(crate) fn shown(text: &str) -> String {
    cut(text, 40).into_owned()
}

#[cfg(test)]
mod tests;
