//! A plan as TOML. Each `[[fault]]` is converted to a line and parsed like one.

use toml::{Table, Value};

use super::Plan;
use super::action::Quoted;
use super::error::ParseError;
use super::similar::nearest;

/// In the order of a line.
pub(crate) const KEYS: [&str; 9] = [
    "when", "nth", "every", "from", "user", "path", "session", "do", "times",
];

/// Why a text is not a plan.
#[derive(Debug, thiserror::Error)]
pub enum TomlError {
    /// It is not TOML.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// Something but `[[fault]]` at the top.
    #[error("`{0}` is not part of a fault plan; each fault is a [[fault]] table")]
    Unknown(String),
    /// A key no fault has.
    #[error("fault {fault}: there is no key `{key}`{}", .suggestion.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default())]
    Key {
        /// Which fault, counted from 1.
        fault: usize,
        /// The key.
        key: String,
        /// What was probably meant.
        suggestion: Option<&'static str>,
    },
    /// A value that is neither text nor a number.
    #[error("fault {fault}: `{key}` is a text or a number")]
    Value {
        /// Which fault, counted from 1.
        fault: usize,
        /// The key.
        key: String,
    },
    /// A fault that cannot be parsed; the line is made from its keys.
    #[error("fault {fault}: {error}")]
    Fault {
        /// Which fault, counted from 1.
        fault: usize,
        /// Why.
        error: ParseError,
    },
}

pub(super) fn read(text: &str) -> Result<Plan, TomlError> {
    let mut plan = Plan::new();
    for (name, value) in text.parse::<Table>()? {
        let tables = match value {
            Value::Array(tables) if name == "fault" => tables,
            _ => return Err(TomlError::Unknown(name)),
        };
        for (index, table) in tables.into_iter().enumerate() {
            let fault = index + 1;
            let Value::Table(table) = table else {
                return Err(TomlError::Unknown(name));
            };
            let line = line(fault, &table)?;
            let read = line.parse();
            plan.faults
                .push(read.map_err(|error| TomlError::Fault { fault, error })?);
        }
    }
    Ok(plan)
}

fn line(fault: usize, table: &Table) -> Result<String, TomlError> {
    for key in table.keys() {
        if !KEYS.contains(&key.as_str()) {
            let suggestion = nearest(key, KEYS);
            let key = key.clone();
            return Err(TomlError::Key {
                fault,
                key,
                suggestion,
            });
        }
    }
    let mut words: Vec<Option<String>> = Vec::new();
    for key in KEYS {
        words.push(match table.get(key) {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Integer(number)) => Some(number.to_string()),
            Some(_) => {
                let key = key.to_owned();
                return Err(TomlError::Value { fault, key });
            }
        });
    }
    Ok(self::words(words.iter().map(Option::as_deref)))
}

/// The line made from the values of [`KEYS`].
pub(crate) fn words<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let words = KEYS.iter().zip(values).filter_map(|(key, value)| {
        Some(match (*key, value?) {
            ("user" | "path", text) => format!("{key} {}", Quoted(text.as_bytes())),
            (_, text) => format!("{key} {text}"),
        })
    });
    words.collect::<Vec<_>>().join(" ")
}
