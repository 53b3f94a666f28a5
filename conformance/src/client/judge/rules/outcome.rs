//! The rule about what the client reports.

use super::{Breach, breach};
use crate::client::judge::Context;
use crate::client::judge::expectation::difference;
use crate::client::language::File;
use crate::client::outcome::{FileState, Place, TaskRun};
use crate::client::task::{Task, TaskKind};
use crate::data::Data;
use crate::scenario::{Connection, Variables};
use crate::transcript::{CloseKind, EventKind, Side};

/// A task that reports success, though its file is not whole and the last transfer was refused, was
/// cut short, or its data connection did not end in order.
///
/// A fault that no client can see (fewer octets, and 226 after them) is not one of these.
pub(super) fn truthful_exit(context: &Context<'_>) -> Vec<Breach> {
    let steps = context.scenario.steps();
    let mut breaches = Vec::new();
    for (step, run) in steps.iter().zip(context.tasks) {
        let (task, scenario) = (step.task, context.scenario);
        let place = match task.kind {
            TaskKind::Download | TaskKind::ResumeDownload => Place::Local,
            TaskKind::Upload | TaskKind::ResumeUpload => Place::Remote,
            _ => continue,
        };
        let whole = match place {
            Place::Local => content(&mut scenario.given(), task),
            Place::Remote => content(&mut scenario.local(), task),
        };
        if !run.exit.is_success() {
            continue;
        }
        let Some(observed) = whole.and_then(|whole| missing(run, place, task, &whole)) else {
            continue;
        };
        // Nothing is transferred where nothing is left to resume.
        let resumes = matches!(task.kind, TaskKind::ResumeDownload | TaskKind::ResumeUpload);
        if let Some(failure) = failure(context, run.line, resumes) {
            breaches.push(Breach {
                observed: format!("{observed} after {}", failure.observed),
                ..failure
            });
        }
    }
    breaches
}

fn content(files: &mut dyn Iterator<Item = &File>, task: &Task) -> Option<Data> {
    let file = files.filter(|file| file.name == task.name()).last()?;
    file.content.as_ref()?.data(&Variables::default()).ok()
}

/// What is wrong with the file of a task; `None` if it is whole.
fn missing(run: &TaskRun, place: Place, task: &Task, whole: &Data) -> Option<String> {
    match run.file(place, task.name())? {
        FileState::File(octets) => {
            let difference = difference(octets, whole)?;
            Some(format!("success was reported, and the file {difference}"))
        }
        _ => Some("success was reported, and there is no such file".into()),
    }
}

/// How the last transfer of a file in a task failed, in a way that its client could see.
fn failure(context: &Context<'_>, line: u32, resumes: bool) -> Option<Breach> {
    let transfers = context.conversations.iter().flat_map(|conversation| {
        let exchanges = conversation.exchanges.iter();
        exchanges.map(move |exchange| (conversation, exchange))
    });
    let is_file = |verb: &str| matches!(verb, "RETR" | "STOR" | "APPE" | "STOU");
    let mut own = transfers.filter(|(_, it)| it.line == line && is_file(it.name()));
    let last = own.next_back();
    let Some((conversation, exchange)) = last else {
        return (!resumes).then(|| Breach {
            connection: Connection::main(),
            event: usize::MAX,
            observed: "no transfer".into(),
        });
    };
    match exchange.completion() {
        None => {
            let observed = format!("{} was not completed", exchange.name());
            return Some(breach(conversation, exchange.sent, observed));
        }
        Some((event, reply)) if reply.class() > 3 => {
            let observed = format!("{} was answered {}", exchange.name(), reply.code);
            return Some(breach(conversation, *event, observed));
        }
        Some(_) => {}
    }
    let events = context.transcript.events.iter().enumerate();
    let mut later = events
        .filter(|(index, it)| *index > exchange.sent && it.connection == conversation.connection);
    later.find_map(|(index, event)| match &event.what {
        EventKind::HalfClosed(end) | EventKind::DataClosed(end)
            if !event.channel.is_control()
                && end.by == Side::Server
                && end.how != CloseKind::Clean =>
        {
            Some(breach(conversation, index, "the data connection was cut"))
        }
        _ => None,
    })
}
