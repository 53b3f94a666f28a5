//! The front matter: the claim of a scenario, and how it is played.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::{About, Axes, DriverKind, Level, Need};
use super::{Problem, Problems, did_you_mean, shown};

/// Every key, in the order of the canonical layout.
pub(in crate::scenario) const KEYS: &[&str] = &[
    "title", "impact", "cites", "covers", "level", "needs", "axes", "login", "barrier", "drivers",
    "profile",
];

/// The values of `level`, as they are written.
pub(crate) const LEVELS: &[(&str, Level)] = &[
    ("must", Level::Must),
    ("should", Level::Should),
    ("may", Level::May),
    ("practice", Level::Practice),
];

const DRIVERS: &[(&str, DriverKind)] =
    &[("raw", DriverKind::Raw), ("suppaftp", DriverKind::Suppaftp)];

/// Reads the front matter, which starts at this octet of the file. `None` if something required is
/// missing.
pub(super) fn front(text: &str, start: usize, problems: &mut Problems) -> Option<About> {
    with_front(text, start, KEYS, problems, |front, problems| {
        front.about(problems)
    })
}

/// Reads a front matter in which only these keys are known.
pub(crate) fn with_front<T>(
    text: &str,
    start: usize,
    keys: &[&str],
    problems: &mut Problems,
    read: impl FnOnce(&Front<'_, '_>, &mut Problems) -> Option<T>,
) -> Option<T> {
    let (table, broken) = DeTable::parse_recoverable(text);
    // After a syntax error keys may be missing that are there.
    let complete = broken.is_empty();
    for error in broken {
        let span = error.span().unwrap_or(0..0);
        problems.push(Problem::new(
            start + span.start..start + span.end,
            error.message(),
        ));
    }
    let front = Front {
        table: table.get_ref(),
        start,
        length: text.len(),
        complete,
    };
    for key in front.table.keys() {
        let name = key.get_ref();
        if !keys.contains(&name.as_ref()) {
            let problem = match name.as_ref() {
                "matters" => "the key `matters` was renamed to `impact`".to_owned(),
                "client" => "a scenario for clients is played by `check-client`".to_owned(),
                _ => format!("there is no key `{}`", shown(name)),
            };
            let problem = Problem::new(front.at(key.span()), problem);
            problems.push(problem.maybe_help(did_you_mean(name, keys.iter().copied())));
        }
    }
    read(&front, problems)
}

/// The keys of a front matter, as they are read.
pub(crate) struct Front<'t, 'a> {
    table: &'t DeTable<'a>,
    start: usize,
    length: usize,
    complete: bool,
}

/// A value and its place in the file.
pub(crate) type Placed<T> = (T, Range<usize>);

impl<'a> Front<'_, 'a> {
    fn about(&self, problems: &mut Problems) -> Option<About> {
        // Each is read before any is missed, so that every error is reported.
        let title = self.required("title", problems, |value| sentence(value, "the title"));
        let impact = self.optional("impact", problems, |value| sentence(value, "the text"));
        let cites = self.required_texts("cites", problems);
        // A scenario of the suite covers something; that is for the tests of the suite to see.
        let covers = match self.table.contains_key("covers") {
            true => self.required_texts("covers", problems),
            false => Some(Vec::new()),
        };
        let level = self.required("level", problems, |value| one_of(text(value)?, LEVELS));
        let needs = self.texts("needs", problems).unwrap_or_default();
        let axes = self.axes(problems);
        let login = self.optional("login", problems, boolean);
        let barrier = self.optional("barrier", problems, boolean);
        let profile = self.optional("profile", problems, |value| text(value).map(str::to_owned));
        let drivers = self.drivers(problems);
        Some(About {
            title: title?,
            impact: impact.unwrap_or_default(),
            cites: cites?,
            covers: covers?,
            level: level?,
            needs: without_places(needs).into_iter().map(Need::from).collect(),
            axes,
            login: login.unwrap_or(true),
            barrier: barrier.unwrap_or(true),
            drivers,
            profile,
        })
    }

    fn axes(&self, problems: &mut Problems) -> Axes {
        let mut axes = Axes::default();
        for (name, span) in self.texts("axes", problems).unwrap_or_default() {
            match name.as_str() {
                "data" => axes.data = true,
                "tls" => axes.tls = true,
                _ => {
                    let problem = Problem::new(span, "an axis is `data` or `tls`");
                    problems.push(problem.maybe_help(did_you_mean(&name, ["data", "tls"])));
                }
            }
        }
        axes
    }

    fn drivers(&self, problems: &mut Problems) -> Vec<DriverKind> {
        let Some(names) = self.texts("drivers", problems) else {
            return vec![DriverKind::Raw];
        };
        if names.is_empty() {
            problems.push(Problem::new(
                self.value_span("drivers"),
                "name at least one driver",
            ));
        }
        let mut drivers = Vec::new();
        for (name, span) in names {
            match one_of(&name, DRIVERS) {
                Ok(driver) if drivers.contains(&driver) => {}
                Ok(driver) => drivers.push(driver),
                Err((message, help)) => {
                    problems.push(Problem::new(span, message).maybe_help(help));
                }
            }
        }
        drivers
    }

    pub(crate) fn required<T>(
        &self,
        key: &str,
        problems: &mut Problems,
        read: impl FnOnce(&DeValue<'a>) -> Result<T, Complaint>,
    ) -> Option<T> {
        if self.complete && !self.table.contains_key(key) {
            // A missing key has no place; the error points to the end of the front matter.
            let end = self.start + self.length.saturating_sub(1);
            problems.push(Problem::new(
                end..end,
                format!("the key `{key}` is missing"),
            ));
            return None;
        }
        self.optional(key, problems, read)
    }

    pub(crate) fn optional<T>(
        &self,
        key: &str,
        problems: &mut Problems,
        read: impl FnOnce(&DeValue<'a>) -> Result<T, Complaint>,
    ) -> Option<T> {
        let value = self.table.get(key)?;
        match read(value.get_ref()) {
            Ok(value) => Some(value),
            Err((message, help)) => {
                problems.push(Problem::new(self.at(value.span()), message).maybe_help(help));
                None
            }
        }
    }

    pub(crate) fn required_texts(&self, key: &str, problems: &mut Problems) -> Option<Vec<String>> {
        self.required(key, problems, |_| Ok(()))?;
        let texts = self.texts(key, problems)?;
        if texts.is_empty() {
            let message = format!("`{key}` names at least one");
            problems.push(Problem::new(self.value_span(key), message));
        }
        Some(without_places(texts))
    }

    /// A list of texts; invalid elements are reported and left out.
    pub(crate) fn texts(&self, key: &str, problems: &mut Problems) -> Option<Vec<Placed<String>>> {
        let value = self.table.get(key)?;
        let Some(elements) = value.get_ref().as_array() else {
            let message = format!("`{key}` is a list of texts, not {}", kind(value.get_ref()));
            let problem = Problem::new(self.at(value.span()), message);
            problems.push(problem.help(format!("{key} = [\"…\"]")));
            return None;
        };
        let mut texts = Vec::new();
        for element in elements.iter() {
            let span = self.at(element.span());
            match text(element.get_ref()) {
                Ok(text) => texts.push((text.to_owned(), span)),
                Err((message, help)) => problems.push(Problem::new(span, message).maybe_help(help)),
            }
        }
        Some(texts)
    }

    fn value_span(&self, key: &str) -> Range<usize> {
        self.at(self.table.get(key).map_or(0..0, Spanned::span))
    }

    fn at(&self, span: Range<usize>) -> Range<usize> {
        self.start + span.start..self.start + span.end
    }
}

/// A message, and a suggestion.
pub(crate) type Complaint = (String, Option<String>);

pub(crate) fn text<'v>(value: &'v DeValue<'_>) -> Result<&'v str, Complaint> {
    match value.as_str() {
        Some("") => Err(("the text is empty".into(), None)),
        Some(text) => Ok(text),
        None => Err((format!("this is a text, not {}", kind(value)), None)),
    }
}

/// A text of one line; `what` names it in messages.
pub(crate) fn sentence(value: &DeValue<'_>, what: &str) -> Result<String, Complaint> {
    match text(value)?.trim() {
        "" => Err((format!("{what} is empty"), None)),
        line if line.contains('\n') => Err((format!("{what} is one line"), None)),
        line => Ok(line.to_owned()),
    }
}

pub(crate) fn boolean(value: &DeValue<'_>) -> Result<bool, Complaint> {
    value.as_bool().ok_or_else(|| {
        (
            format!("this is `true` or `false`, not {}", kind(value)),
            None,
        )
    })
}

fn kind(value: &DeValue<'_>) -> String {
    match value.type_str() {
        "string" => "a text".into(),
        "array" => "a list".into(),
        other => format!("a value of type {other}"),
    }
}

pub(crate) fn one_of<T: Copy>(word: &str, choices: &[(&str, T)]) -> Result<T, Complaint> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == word) {
        return Ok(*value);
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    Err((
        format!("this is one of {}", names.join(", ")),
        did_you_mean(word, names),
    ))
}

fn without_places<T>(placed: Vec<Placed<T>>) -> Vec<T> {
    placed.into_iter().map(|(value, _)| value).collect()
}
