//! The expectations of a scenario: each is one obligation, and one of its alternatives has to hold.

use super::Context;
use crate::client::language::{
    Alternatives, Clause, ExitClass, File, FileClause, Obligation, Occurrence, Sent,
};
use crate::client::outcome::{Exit, FileState, Place, TaskRun};
use crate::data::Data;
use crate::scenario::{Connection, Level, TextPattern, Variables};
use crate::transcript::Conversation;
use crate::verdict::Finding;

/// Characters of a command shown in a message.
const SHOWN: usize = 80;

/// The broken expectations, in the order of the scenario.
pub(super) fn findings(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (step, run) in context.scenario.steps().iter().zip(context.tasks) {
        for obligation in &step.obligations {
            let broken: Option<Vec<Broken>> = obligation
                .clauses
                .iter()
                .map(|clause| broken(clause, context, run))
                .collect();
            if let Some(broken) = broken {
                findings.push(finding(context, run, obligation, &broken));
            }
        }
    }
    findings
}

/// Why a clause does not hold.
struct Broken {
    observed: String,
    /// The event that shows it; the last of the task without one.
    event: Option<usize>,
}

impl From<String> for Broken {
    fn from(observed: String) -> Self {
        let event = None;
        Self { observed, event }
    }
}

fn finding(
    context: &Context<'_>,
    run: &TaskRun,
    obligation: &Obligation<'_>,
    broken: &[Broken],
) -> Finding {
    let about = &context.scenario.about;
    let level = match obligation.wish {
        true => about.level.max(Level::Should),
        false => about.level,
    };
    let observed: Vec<_> = broken.iter().map(|it| it.observed.as_str()).collect();
    let events = &context.transcript.events;
    let on_wire = |index: &usize| {
        let event = &events[*index];
        event.line == run.line && event.connection != Connection::runner()
    };
    let last = || (0..events.len()).rev().find(on_wire);
    let event = broken.iter().find_map(|it| it.event).or_else(last);
    let event = event.unwrap_or(usize::MAX);
    Finding {
        judge: "expectation".into(),
        level,
        requirement: about.title.clone(),
        clause: about.cites.join(", "),
        about: obligation.about.to_vec(),
        expected: Alternatives(obligation.clauses).to_string(),
        observed: observed.join("; "),
        connection: events
            .get(event)
            .map_or_else(Connection::main, |event| event.connection.clone()),
        line: obligation.line,
        event,
        shows_impact: !obligation.wish && !about.impact.is_empty(),
    }
}

/// What was observed in place of what the clause says; `None` if it holds.
fn broken(clause: &Clause, context: &Context<'_>, run: &TaskRun) -> Option<Broken> {
    match clause {
        Clause::Exit(class) => {
            let holds = match (class, &run.exit) {
                (ExitClass::Success, exit) => exit.is_success(),
                (ExitClass::Failure, Exit::Code(code)) => *code != 0,
                (ExitClass::Any, Exit::Code(_)) => true,
                _ => false,
            };
            (!holds).then(|| format!("the client ended with {}", run.exit).into())
        }
        Clause::Within(limit) => match &run.exit {
            Exit::TimedOut(_) | Exit::Flooded => {
                Some(format!("the client ended with {}", run.exit).into())
            }
            _ if run.took > *limit => {
                Some(format!("it took {:.1} s", run.took.as_secs_f64()).into())
            }
            _ => None,
        },
        Clause::Local(name, file) => {
            let given = context.scenario.given();
            broken_file(run, Place::Local, name, file, given.last_named(name))
        }
        Clause::Remote(name, file) => {
            let local = context.scenario.local();
            broken_file(run, Place::Remote, name, file, local.last_named(name))
        }
        Clause::Output(text) => {
            let output = String::from_utf8_lossy(&run.stdout);
            let missing = || format!("stdout does not contain {text:?}").into();
            (!output.contains(text.as_str())).then(missing)
        }
        Clause::Sent(sent) => broken_sent(sent, context.conversations, run.line),
    }
}

/// The last file of this name.
trait LastNamed<'a> {
    fn last_named(self, name: &str) -> Option<&'a File>;
}

impl<'a, I: Iterator<Item = &'a File>> LastNamed<'a> for I {
    fn last_named(self, name: &str) -> Option<&'a File> {
        self.filter(|file| file.name == name).last()
    }
}

fn broken_file(
    run: &TaskRun,
    place: Place,
    name: &str,
    clause: &FileClause,
    other: Option<&File>,
) -> Option<Broken> {
    let side = match place {
        Place::Local => "local",
        Place::Remote => "remote",
    };
    let state = run.file(place, name)?;
    let content = match clause {
        FileClause::Content(content) => Some(content),
        FileClause::Complete => other.and_then(|file| file.content.as_ref()),
        FileClause::Absent | FileClause::Directory => None,
    };
    let expected = content.and_then(|content| content.data(&Variables::default()).ok());
    let observed = match (state, clause, &expected) {
        (FileState::Absent, FileClause::Absent, _) => return None,
        (FileState::Directory, FileClause::Directory, _) => return None,
        (FileState::File(octets), _, Some(expected)) => difference(octets, expected)?,
        (FileState::File(octets), ..) => format!("is a file of {} octets", octets.len()),
        (FileState::Absent, ..) => "does not exist".into(),
        (FileState::Directory, ..) => "is a directory".into(),
        (FileState::Other(what), ..) => format!("is {what}"),
    };
    Some(format!("{side} {name} {observed}").into())
}

/// How octets differ from what they have to be.
pub(in crate::client) fn difference(octets: &Data, expected: &Data) -> Option<String> {
    if octets == expected {
        return None;
    }
    let common = octets.common_beginning(expected);
    Some(match (octets.len(), expected.len()) {
        (length, whole) if common == length => format!("has {length} of {whole} octets"),
        (length, whole) if common == whole => {
            format!(
                "has {length} octets, of which {} are too many",
                length - whole
            )
        }
        (length, _) => format!("has {length} octets and differs from octet {common} on"),
    })
}

/// A command as it was sent, with its event.
struct Line {
    text: String,
    event: usize,
}

fn broken_sent(sent: &Sent, conversations: &[Conversation], task: u32) -> Option<Broken> {
    let mut lines: Vec<Line> = Vec::new();
    for exchange in conversations.iter().flat_map(|it| &it.exchanges) {
        if let Some(command) = &exchange.command
            && exchange.line == task
        {
            let argument = command.argument.as_deref();
            let argument = argument.map(|it| format!(" {}", String::from_utf8_lossy(it)));
            lines.push(Line {
                text: format!("{}{}", command.verb, argument.unwrap_or_default()),
                event: exchange.sent,
            });
        }
    }
    lines.sort_by_key(|line| line.event);
    let matching = |glob: &TextPattern| {
        let matcher = glob.matcher(&Variables::default());
        let fits = move |line: &&Line| {
            matcher
                .as_ref()
                .is_ok_and(|matcher| matcher.is_match(&line.text))
        };
        lines.iter().filter(fits).collect::<Vec<_>>()
    };
    let found = matching(&sent.glob);
    let times = |expected: &str| {
        let last = found.last();
        Broken {
            observed: format!("`{}` was sent {} times{expected}", sent.glob, found.len()),
            event: last.map(|line| line.event),
        }
    };
    let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
    match &sent.how {
        Occurrence::Once if count == 0 => Some(format!("`{}` was not sent", sent.glob).into()),
        Occurrence::Never => found.first().map(|line| Broken {
            observed: format!("the client sent `{}`", shown(&line.text)),
            event: Some(line.event),
        }),
        Occurrence::Times(times_wanted) if count != *times_wanted => Some(times("")),
        Occurrence::AtMost(most) if count > *most => Some(times("")),
        Occurrence::Before(other) => {
            let first = found.first().map_or(usize::MAX, |line| line.event);
            let other = matching(other)
                .into_iter()
                .find(|line| line.event < first)?;
            Some(Broken {
                observed: format!("`{}` came before it", shown(&other.text)),
                event: Some(other.event),
            })
        }
        _ => None,
    }
}

/// A command for a message: without a password, and not too long.
fn shown(line: &str) -> String {
    match line.split_once(' ') {
        Some((verb @ ("PASS" | "ACCT"), _)) => format!("{verb} …"),
        _ => line
            .chars()
            .take(SHOWN)
            .flat_map(char::escape_debug)
            .collect(),
    }
}
