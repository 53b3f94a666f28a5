//! `!about` lines: which requirement a failure of the statement before is about.

use super::super::{Action, Bound, Step};
use super::cursor::Cursor;
use super::{Fault, Line};

const WORD: &str = "about";

/// What the line before an `!about` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// A statement that can fail, or a `!should`.
    Line(u32),
    /// Something that cannot be broken by a server.
    Nothing,
    /// It has been told.
    Broken,
}

pub(super) fn is_about(cursor: &Cursor<'_>) -> bool {
    let word = cursor.rest().split_whitespace().next();
    word == Some(WORD)
}

/// `!about ID …`: says it of the step just before.
pub(super) fn about(
    step: Option<&mut Step>,
    subject: Subject,
    name: Option<&str>,
    line: Line<'_>,
    mut cursor: Cursor<'_>,
) -> Result<(), Fault> {
    let number = match subject {
        Subject::Line(number) => Some(number),
        Subject::Nothing => None,
        Subject::Broken => return Ok(()),
    };
    let step = step.filter(|step| name.is_none_or(|name| name == step.connection.0));
    let (Some(number), Some(step)) = (number, step) else {
        let message = "`!about` stands right after a statement that can fail, or its `!should`";
        let help = "it says which requirement a failure there is about";
        return Err(Fault::new(line.span(), message).help(help));
    };
    if step.about.iter().any(|bound| bound.line == number) {
        return Err(Fault::new(line.span(), "`!about` was said already")
            .help("several requirements stand in one line"));
    }
    cursor.take(WORD);
    let mut requirements = Vec::new();
    while let Some((id, _)) = cursor.word() {
        requirements.push(id.to_owned());
    }
    if requirements.is_empty() {
        let fault = Fault::new(line.span(), "`!about` names no requirement");
        return Err(fault.help("as in `!about 3659-5.3-rest-350`"));
    }
    step.about.push(Bound {
        line: number,
        requirements,
    });
    Ok(())
}

/// Whether a server can break it: what only says or prepares something of ours cannot.
pub(super) fn can_fail(action: &Action) -> bool {
    !matches!(
        action,
        Action::Send(_)
            | Action::Octets(_)
            | Action::Login
            | Action::Repeat(_)
            | Action::End
            | Action::Drop
            | Action::Listen
            | Action::Earlier
            | Action::Stranger
            | Action::Handshake
            | Action::CloseData
            | Action::ResetData
            | Action::Given(_)
    )
}
