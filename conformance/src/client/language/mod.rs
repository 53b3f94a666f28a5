//! Scenarios for clients: what the server is, the tasks, and what has to be observed.
//!
//! The language is described in `scenarios/client/README.md`. Nothing here uses a socket or the
//! file system.

mod display;
mod lint;
mod parse;
#[cfg(test)]
mod tests;

pub(crate) use display::Alternatives;
pub(crate) use lint::{Knowledge, lint};
pub(crate) use parse::{KEYS, is_client, parse};

use super::task::Task;
use super::variant::{Need, Variant};
use crate::scenario::{Content, Level, ScenarioId, TextPattern, layout};
use serde::Serialize;
use std::time::Duration;

/// One parsed scenario file.
#[derive(Debug, Clone, Serialize)]
pub struct Scenario {
    /// Its path below `scenarios/`, without ending.
    pub id: ScenarioId,
    /// What the front matter says.
    pub about: About,
    /// The statements, in order.
    pub statements: Vec<Statement>,
    /// The whole file, for error messages and reports.
    #[serde(skip)]
    pub text: String,
}

/// The front matter.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    /// The claim, as a sentence without a full stop.
    pub title: String,
    /// The consequence of a failure for users of the client, in one sentence; empty if not stated.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub impact: String,
    /// Clauses, as in `RFC 959 §5.4`.
    pub cites: Vec<String>,
    /// Requirement ids of `scenarios/requirements/`.
    pub covers: Vec<String>,
    /// The level of a broken expectation.
    pub level: Level,
    /// In which variants it is played.
    pub needs: Vec<Need>,
    /// Whether it is played with active data connections and over IPv6, too.
    pub data: bool,
    /// Whether it is played with TLS, too.
    pub tls: bool,
}

/// One statement and its place.
#[derive(Debug, Clone, Serialize)]
pub struct Statement {
    /// 1-based line in the file.
    pub line: u32,
    /// What is said.
    #[serde(flatten)]
    pub kind: StatementKind,
}

/// What a statement says.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "statement", content = "argument", rename_all = "snake_case")]
pub enum StatementKind {
    /// `@given NAME CONTENT`, `@given NAME/`: on the server, before the first task.
    Given(File),
    /// `@local NAME CONTENT`, `@local NAME/`: at the client, before the task that follows.
    Local(File),
    /// `@fault LINE`: a line of the fault plan.
    Fault(String),
    /// `@server KEY VALUE`: a setting of `serve`.
    Server(String, String),
    /// `@login USER PASSWORD`: the account of this scenario.
    Login(String, String),
    /// `@task TASK NAME …`
    Task(Task),
    /// `@expect CLAUSE | …`: one obligation; one of the clauses has to hold.
    Expect(Vec<Clause>),
    /// `!should CLAUSE | …`: a stricter wish about the same task; broken, it is a WARN.
    Should(Vec<Clause>),
    /// `!about ID …`: what a failure of the statement before is about.
    About(Vec<String>),
}

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its pathname.
    pub name: String,
    /// Its octets; `None` for a directory.
    pub content: Option<Content>,
}

/// One alternative of an obligation, about the task before it.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "clause", content = "argument", rename_all = "snake_case")]
pub enum Clause {
    /// `exit success`, `exit failure`, `exit any`: how the command ended, on its own.
    Exit(ExitClass),
    /// `within TIME`: it ended in this time.
    Within(Duration),
    /// `local NAME …`: a file at the client.
    Local(String, FileClause),
    /// `remote NAME …`: a file on the server.
    Remote(String, FileClause),
    /// `output TEXT`: stdout contains this text.
    Output(String),
    /// `sent GLOB …`: commands of this task.
    Sent(Sent),
}

/// How a command ends, on its own and in time. One that is ended by a signal has crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExitClass {
    /// With exit status 0.
    Success,
    /// With another exit status.
    Failure,
    /// With any exit status.
    Any,
}

/// What a file has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileClause {
    /// Exactly these octets.
    Content(Content),
    /// What the file of this name is on the other side: as it was given.
    Complete,
    /// There is none.
    Absent,
    /// A directory.
    Directory,
}

/// Which commands have to be seen.
#[derive(Debug, Clone, Serialize)]
pub struct Sent {
    /// Which commands count: a glob for the whole line, its verb in capitals.
    pub glob: TextPattern,
    /// How they have to be seen.
    pub how: Occurrence,
}

/// How commands have to be seen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Occurrence {
    /// At least once.
    Once,
    /// Not at all.
    Never,
    /// Exactly so often.
    Times(u32),
    /// At most so often.
    AtMost(u32),
    /// No command of the other glob comes before the first of these.
    Before(TextPattern),
}

/// A task, with what is put at the client before it and what is expected after it.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    /// The line of the `@task`.
    pub line: u32,
    /// The task.
    pub task: &'a Task,
    /// Files put at the client before it.
    pub local: Vec<&'a File>,
    /// What is expected.
    pub obligations: Vec<Obligation<'a>>,
}

/// An `@expect` or `!should` with what is said of it.
#[derive(Debug, Clone)]
pub struct Obligation<'a> {
    /// Its line.
    pub line: u32,
    /// Its alternatives.
    pub clauses: &'a [Clause],
    /// Whether it is a `!should`.
    pub wish: bool,
    /// What a failure is about; empty is all that the scenario covers.
    pub about: &'a [String],
    /// The statement, for findings.
    pub statement: &'a Statement,
}

impl Scenario {
    /// A scenario that says nothing: of a session of which nothing but its transcript is known.
    pub(crate) fn without_statements(id: ScenarioId) -> Self {
        let about = About {
            title: String::new(),
            impact: String::new(),
            cites: Vec::new(),
            covers: Vec::new(),
            level: Level::Practice,
            needs: Vec::new(),
            data: false,
            tls: false,
        };
        Self {
            id,
            about,
            statements: Vec::new(),
            text: String::new(),
        }
    }

    /// The variants it is played in.
    #[must_use]
    pub fn variants(&self) -> Vec<Variant> {
        Variant::of(self.about.data, self.about.tls, &self.about.needs)
    }

    /// The tasks in order, each with its surroundings.
    #[must_use]
    pub fn steps(&self) -> Vec<Step<'_>> {
        let mut steps: Vec<Step<'_>> = Vec::new();
        let mut local = Vec::new();
        for statement in &self.statements {
            match &statement.kind {
                StatementKind::Local(file) => local.push(file),
                StatementKind::Task(task) => steps.push(Step {
                    line: statement.line,
                    task,
                    local: std::mem::take(&mut local),
                    obligations: Vec::new(),
                }),
                StatementKind::Expect(clauses) | StatementKind::Should(clauses) => {
                    if let Some(step) = steps.last_mut() {
                        step.obligations.push(Obligation {
                            line: statement.line,
                            clauses,
                            wish: matches!(statement.kind, StatementKind::Should(_)),
                            about: &[],
                            statement,
                        });
                    }
                }
                StatementKind::About(ids) => {
                    let last = steps.last_mut();
                    if let Some(obligation) = last.and_then(|step| step.obligations.last_mut()) {
                        obligation.about = ids;
                    }
                }
                StatementKind::Given(_)
                | StatementKind::Fault(_)
                | StatementKind::Server(..)
                | StatementKind::Login(..) => {}
            }
        }
        steps
    }

    /// The files on the server before the first task.
    pub fn given(&self) -> impl Iterator<Item = &File> {
        self.statements
            .iter()
            .filter_map(|statement| match &statement.kind {
                StatementKind::Given(file) => Some(file),
                _ => None,
            })
    }

    /// Every file put at the client.
    pub fn local(&self) -> impl Iterator<Item = &File> {
        self.statements
            .iter()
            .filter_map(|statement| match &statement.kind {
                StatementKind::Local(file) => Some(file),
                _ => None,
            })
    }

    /// The fault plan, line by line.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.statements
            .iter()
            .filter_map(|statement| match &statement.kind {
                StatementKind::Fault(line) => Some(line.as_str()),
                _ => None,
            })
    }

    /// The settings of the server, as keys and values of TOML.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.statements
            .iter()
            .filter_map(|statement| match &statement.kind {
                StatementKind::Server(key, value) => Some((key.as_str(), value.as_str())),
                _ => None,
            })
    }

    /// The user and password, if the scenario names them.
    #[must_use]
    pub fn account(&self) -> Option<(&str, &str)> {
        self.statements
            .iter()
            .find_map(|statement| match &statement.kind {
                StatementKind::Login(user, password) => Some((user.as_str(), password.as_str())),
                _ => None,
            })
    }
}

/// The text in canonical layout: same meaning, comments kept. Text that is not a scenario is left
/// as it is.
#[must_use]
pub(crate) fn format(text: &str) -> String {
    let Ok(scenario) = parse(ScenarioId(String::new()), text) else {
        return text.to_owned();
    };
    let statements = scenario.statements.iter().map(ToString::to_string);
    layout(text, KEYS, &statements.collect::<Vec<_>>()).unwrap_or_else(|| text.to_owned())
}
