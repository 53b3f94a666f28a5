//! Reads settings from text, and reports all errors of the text.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::form::{Form, Section};
use super::value::{Value, did_you_mean, kind};

/// Maximum number of errors that are reported.
const MOST_PROBLEMS: usize = 50;
/// Keys of earlier versions and their present names.
const RENAMED: [(&str, &str); 2] = [("without", "disable"), ("balancers", "proxy_protocol_from")];
/// Maximum characters of a line that are shown.
const LONGEST_LINE: usize = 160;

/// An error in a settings file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the caller named it.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// The character in the line, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The line and the marked part of it; empty if it may contain a password.
    shown: Option<(String, usize)>,
}

impl Problem {
    /// An error of a file as a whole.
    pub(super) fn of_file(file: &Path, message: String) -> Self {
        Self {
            file: file.to_owned(),
            line: 1,
            column: 1,
            message,
            shown: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, .. } = self;
        write!(
            f,
            "{}:{line}:{column}: {}",
            self.file.display(),
            self.message
        )?;
        if let Some((text, width)) = &self.shown {
            let margin = " ".repeat(line.to_string().len());
            let (space, marks) = (" ".repeat(column - 1), "^".repeat(*width));
            write!(
                f,
                "\n{margin} |\n{line} | {text}\n{margin} | {space}{marks}"
            )?;
        }
        Ok(())
    }
}

/// A text, its origin and its errors.
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
    pub(super) base: &'a Path,
    pub(super) problems: Vec<Problem>,
}

impl Source<'_> {
    /// Reads the text as a table of this kind.
    pub(super) fn read(&mut self, section: &mut impl Section) {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            // The message may have several lines.
            let message = error.message().replace('\n', ": ");
            self.wrong(
                error.span().unwrap_or_default(),
                format!("this is no TOML: {message}"),
            );
        }
        if errors.is_empty() {
            read_table(self, section, table.get_ref(), table.span());
        }
        self.problems
            .sort_by_key(|problem| (problem.line, problem.column));
    }

    fn wrong(&mut self, span: Range<usize>, message: String) {
        if self.problems.len() >= MOST_PROBLEMS {
            return;
        }
        let start = floor(self.text, span.start);
        let before = &self.text[..start];
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[begin..].lines().next().unwrap_or_default();
        let column = self.text[begin..start].chars().count() + 1;
        let fits = column <= LONGEST_LINE && !line.contains("password");
        let shown = fits.then(|| {
            let end = floor(self.text, span.end.min(begin + line.len()).max(start));
            let width = self.text[start..end].chars().count();
            // A tab would move the mark.
            let line: String = line.chars().take(LONGEST_LINE).collect();
            (
                line.replace(|c: char| c.is_control(), " "),
                width.clamp(1, LONGEST_LINE),
            )
        });
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column,
            message,
            shown,
        });
    }
}

/// The last place at or before `at` where a character begins.
fn floor(text: &str, at: usize) -> usize {
    let mut places = (0..=at.min(text.len())).rev();
    places.find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn read_table(
    source: &mut Source<'_>,
    section: &mut impl Section,
    table: &DeTable<'_>,
    place: Range<usize>,
) {
    let mut reader = Reader {
        source,
        table,
        place,
        known: Vec::new(),
        spoiled: Vec::new(),
    };
    section.fill(&mut reader);
    reader.tell_of_unknown_keys();
}

/// A table that is being read.
struct Reader<'r, 's, 't> {
    source: &'r mut Source<'s>,
    table: &'r DeTable<'t>,
    /// The offset of its first octet.
    place: Range<usize>,
    known: Vec<&'static str>,
    /// Keys with an invalid value.
    spoiled: Vec<&'static str>,
}

impl<'r, 't> Reader<'r, '_, 't> {
    /// The value of a key, if the key is present.
    fn find(&mut self, key: &'static str) -> Option<&'r Spanned<DeValue<'t>>> {
        self.known.push(key);
        let mut entries = self.table.iter();
        let found = entries.find(|(name, _)| name.get_ref() == key);
        found.map(|(_, value)| value)
    }

    fn tell_of_unknown_keys(self) {
        for (name, _) in self.table {
            let text: &str = name.get_ref();
            if !self.known.contains(&text) {
                let mut renamed = RENAMED.iter();
                let message = match renamed.find(|(old, _)| *old == text) {
                    Some((old, new)) => format!("the key `{old}` is now called `{new}`"),
                    None => {
                        let near = did_you_mean(text, self.known.iter().copied());
                        format!("there is no key `{}` here{near}", text.escape_debug())
                    }
                };
                self.source.wrong(name.span(), message);
            }
        }
    }

    fn read_inner(&mut self, section: &mut impl Section, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => read_table(self.source, section, table, value.span()),
            other => {
                let message = format!("expected a table, found {}", kind(other));
                self.source.wrong(value.span(), message);
            }
        }
    }
}

impl Form for Reader<'_, '_, '_> {
    fn value<T: Value>(&mut self, key: &'static str, value: &mut T) {
        let Some(found) = self.find(key) else { return };
        match T::read(found, self.source.base) {
            Ok(read) => *value = read,
            Err((span, message)) => {
                self.spoiled.push(key);
                self.source.wrong(span, message);
            }
        }
    }

    fn table<T: Section>(&mut self, key: &'static str, table: &mut T) {
        if let Some(found) = self.find(key) {
            self.read_inner(table, found);
        }
    }

    fn optional<T: Section + Default>(&mut self, key: &'static str, table: &mut Option<T>) {
        if let Some(found) = self.find(key) {
            self.read_inner(table.get_or_insert_default(), found);
        }
    }

    fn tables<T: Section + Default>(&mut self, key: &'static str, tables: &mut Vec<T>) {
        let Some(found) = self.find(key) else { return };
        let DeValue::Array(array) = found.get_ref() else {
            let message = format!("expected [[{key}]] tables, found {}", kind(found.get_ref()));
            return self.source.wrong(found.span(), message);
        };
        for item in array.iter() {
            let mut table = T::default();
            self.read_inner(&mut table, item);
            tables.push(table);
        }
    }

    fn pairs(
        &mut self,
        key: &'static str,
        pairs: &mut Vec<(String, String)>,
        check: fn(&str, &str) -> Result<(), String>,
    ) {
        let Some(found) = self.find(key) else { return };
        let DeValue::Table(table) = found.get_ref() else {
            let message = format!("expected a table, found {}", kind(found.get_ref()));
            return self.source.wrong(found.span(), message);
        };
        for (name, value) in table {
            let read = String::read(value, self.source.base).and_then(|text| {
                check(name.get_ref(), &text).map_err(|message| (value.span(), message))?;
                Ok(text)
            });
            match read {
                Ok(text) => pairs.push((name.get_ref().clone().into_owned(), text)),
                Err((span, message)) => self.source.wrong(span, message),
            }
        }
    }

    fn is_spoiled(&self, key: &str) -> bool {
        self.spoiled.contains(&key)
    }

    fn wrong(&mut self, key: &str, why: impl Into<String>) {
        let mut entries = self.table.iter();
        let found = entries.find(|(name, _)| name.get_ref() == key);
        let place = found.map_or_else(|| self.place.clone(), |(_, value)| value.span());
        self.source.wrong(place, why.into());
    }
}
