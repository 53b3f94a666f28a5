//! How statements are written in canonical layout.

use super::{Clause, ExitClass, File, FileClause, Occurrence, Sent, Statement, StatementKind};
use crate::scenario::{TextPattern, quoted};
use std::fmt;

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            StatementKind::Given(file) => write!(f, "@given {file}"),
            StatementKind::Local(file) => write!(f, "@local {file}"),
            StatementKind::Fault(line) => write!(f, "@fault {line}"),
            StatementKind::Server(key, value) => write!(f, "@server {key} {value}"),
            StatementKind::Login(user, password) => {
                write!(f, "@login {} {}", word(user), word(password))
            }
            StatementKind::Task(task) => {
                write!(f, "@task {}", task.kind)?;
                task.names
                    .iter()
                    .try_for_each(|name| write!(f, " {}", word(name)))
            }
            StatementKind::Expect(clauses) => write!(f, "@expect {}", Alternatives(clauses)),
            StatementKind::Should(clauses) => write!(f, "!should {}", Alternatives(clauses)),
            StatementKind::About(ids) => write!(f, "!about {}", ids.join(" ")),
        }
    }
}

/// Clauses as they are written after `@expect`.
pub(crate) struct Alternatives<'a>(pub(crate) &'a [Clause]);

impl fmt::Display for Alternatives<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, clause) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{clause}")?;
        }
        Ok(())
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Some(content) => write!(f, "{} {content}", word(&self.name)),
            None => f.write_str(&word(&format!("{}/", self.name))),
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(class) => f.write_str(match class {
                ExitClass::Success => "exit success",
                ExitClass::Failure => "exit failure",
                ExitClass::Any => "exit any",
            }),
            Self::Within(time) => match time.subsec_millis() {
                0 => write!(f, "within {}s", time.as_secs()),
                _ => write!(f, "within {}ms", time.as_millis()),
            },
            Self::Local(name, file) => write!(f, "local {} {file}", word(name)),
            Self::Remote(name, file) => write!(f, "remote {} {file}", word(name)),
            Self::Output(text) => write!(f, "output {}", quoted(text.as_bytes())),
            Self::Sent(sent) => write!(f, "{sent}"),
        }
    }
}

impl fmt::Display for FileClause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content(content) => write!(f, "{content}"),
            Self::Complete => f.write_str("complete"),
            Self::Absent => f.write_str("absent"),
            Self::Directory => f.write_str("directory"),
        }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sent {}", glob(&self.glob))?;
        match &self.how {
            Occurrence::Once => Ok(()),
            Occurrence::Never => f.write_str(" never"),
            Occurrence::Times(times) => write!(f, " times {times}"),
            Occurrence::AtMost(times) => write!(f, " at most {times}"),
            Occurrence::Before(other) => write!(f, " before {}", glob(other)),
        }
    }
}

/// A glob; in quotes where it has blanks.
fn glob(glob: &TextPattern) -> String {
    let source = glob.to_string();
    match source.contains(char::is_whitespace) || source.starts_with('"') {
        true => format!("\"{source}\""),
        false => source,
    }
}

/// A name; in quotes where it needs them.
fn word(name: &str) -> String {
    let plain = |character: char| !character.is_whitespace() && !character.is_control();
    match !name.is_empty() && !name.starts_with('"') && name != "|" && name.chars().all(plain) {
        true => name.to_owned(),
        false => quoted(name.as_bytes()),
    }
}
