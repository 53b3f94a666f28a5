//! A recorded session as a scenario of its own: what `ftpspec run` plays against any server.
//!
//! The scenario logs in as the user of the run and works in the directory of the run: the login of
//! the recording is left out, and absolute pathnames begin with `${dir}`. Files that the session
//! downloads, and directories that it enters, are made before it (`@given`). Replies are expected
//! by code; data connections are prepared as in the recording, with addresses of the run. What
//! cannot be written is a comment.

mod content;
mod dialogue;
mod pathname;
mod replies;
mod script;
mod transfer;
mod tree;

use crate::scenario::{Action, Content, Given, format};
use crate::transcript::{Leg, Transcript};
use content::{Contents, pattern};
use dialogue::Dialogue;
use script::{Line, Script};
use tree::{Entry, Path, Tree};

/// Writes a scenario in its canonical layout that does what the client of this recording did, and
/// expects what its server replied.
#[must_use]
pub(crate) fn scenario_of(transcript: &Transcript) -> String {
    let transcript = transcript.leg(Leg::Server);
    let dialogue = Dialogue::of(&transcript);
    // The first time for what has to be there before the session, the second time with it.
    let learned = Script::write(&dialogue, &transcript, Tree::default());
    let script = Script::write(&dialogue, &transcript, Tree::with(learned.tree.given()));
    let text = file(&dialogue, &transcript, script);
    format(&text)
}

fn file(dialogue: &Dialogue, transcript: &Transcript, mut script: Script<'_>) -> String {
    let title = match transcript.name.is_empty() {
        true => "A recorded session is answered as it was".to_owned(),
        false => format!(
            "A recorded session with {} is answered as it was",
            transcript.name
        ),
    };
    let mut text = String::from("+++\n");
    text.push_str(&format!("title = {}\n", toml::Value::String(title)));
    text.push_str("cites = [\"RFC 959 §5.4\"]\nlevel = \"must\"\n");
    if dialogue.tls && script.login.is_some() {
        text.push_str("needs = [\"TLS\"]\naxes = [\"tls\"]\n");
    }
    if script.login.is_none() {
        text.push_str("login = false\n");
    }
    if !script.barrier {
        text.push_str("barrier = false\n");
    }
    text.push_str("+++\n");
    if let Some(started) = transcript.started {
        text.push_str(&format!("# Recorded at {started}.\n"));
    }
    let given: Vec<String> = script
        .tree
        .given()
        .iter()
        .map(|(path, entry)| given(path, entry, &mut script.contents).to_string())
        .collect();
    if let Some(note) = script.contents.note() {
        text.push_str(&format!("# {note}\n"));
    }
    text.push('\n');
    for statement in given {
        text.push_str(&statement);
        text.push('\n');
    }
    text.push('\n');
    for line in &script.lines {
        match line {
            Line::Step(action) => text.push_str(&action.to_string()),
            Line::Note(note) => text.push_str(&comment(note)),
        }
        text.push('\n');
    }
    if !script
        .lines
        .iter()
        .any(|line| matches!(line, Line::Step(_)))
    {
        text.push_str("@alive\n");
    }
    text
}

fn given(path: &Path, entry: &Entry, contents: &mut Contents) -> Action {
    let name = pathname::escaped(&path.join("/"));
    Action::Given(match entry {
        Entry::Directory => Given::Directory(name),
        Entry::File(Some(body), _) => Given::File(name, contents.stored(body)),
        Entry::File(None, Some(size)) => Given::File(name, pattern(*size)),
        Entry::File(None, None) => Given::File(name, Content::literal(b"")),
    })
}

/// A line that is not played, whatever is in it.
fn comment(note: &str) -> String {
    let shown = note
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it });
    format!("# {}", shown.collect::<String>())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is a failed test")]
mod tests;
