//! `!about` and `!impact` lines: what a failure of the statement before is about, and that it has
//! the described impact.

use super::super::{Action, Bound, Impact, Step};
use super::cursor::Cursor;
use super::{Line, Problem};

const ABOUT: &str = "about";
const IMPACT: &str = "impact";
/// The name of `!impact` in earlier versions.
const MATTERS: &str = "matters";

/// The statement that an `!about` or `!impact` applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// A statement that can fail, or a `!should`.
    Line(u32),
    /// Something that cannot be broken by a server.
    Nothing,
    /// It has been reported.
    Broken,
}

pub(super) fn is_remark(cursor: &Cursor<'_>) -> bool {
    let word = cursor.rest().split_whitespace().next();
    matches!(word, Some(ABOUT | IMPACT | MATTERS))
}

/// `!about ID …` and `!impact`: applies it to the previous step.
pub(super) fn remark(
    step: Option<&mut Step>,
    subject: Subject,
    name: Option<&str>,
    line: Line<'_>,
    mut cursor: Cursor<'_>,
) -> Result<(), Problem> {
    let number = match subject {
        Subject::Line(number) => Some(number),
        Subject::Nothing => None,
        Subject::Broken => return Ok(()),
    };
    if cursor.take(MATTERS) {
        let message = "`!matters` was renamed to `!impact`";
        return Err(Problem::new(line.span(), message));
    }
    let step = step.filter(|step| name.is_none_or(|name| name == step.connection.0));
    let impact = cursor.take(IMPACT);
    let word = if impact { IMPACT } else { ABOUT };
    let (Some(number), Some(step)) = (number, step) else {
        let message =
            format!("`!{word}` must come right after a statement that can fail, or its `!should`");
        let help = match impact {
            true => "it marks a failure that has the impact that `impact` describes",
            false => "it names the requirements that a failure there is about",
        };
        return Err(Problem::new(line.span(), message).help(help));
    };
    if impact {
        if step.impact.iter().any(|impact| impact.line == number) {
            return Err(Problem::new(line.span(), "`!impact` is a duplicate"));
        }
        cursor.skip_blanks();
        let always = cursor.take("always");
        step.impact.push(Impact {
            line: number,
            always,
        });
        return cursor.end();
    }
    if step.about.iter().any(|bound| bound.line == number) {
        return Err(Problem::new(line.span(), "`!about` is a duplicate")
            .help("put several requirements in one line"));
    }
    cursor.take(ABOUT);
    let mut requirements = Vec::new();
    while let Some((id, _)) = cursor.word() {
        requirements.push(id.to_owned());
    }
    if requirements.is_empty() {
        let problem = Problem::new(line.span(), "`!about` does not name a requirement");
        return Err(problem.help("as in `!about 3659-5.3-rest-350`"));
    }
    step.about.push(Bound {
        line: number,
        requirements,
    });
    Ok(())
}

/// Whether a server can make it fail; statements that only send or prepare something cannot fail.
pub(in crate::scenario) fn can_fail(action: &Action) -> bool {
    !matches!(
        action,
        Action::Send(_)
            | Action::Octets(_)
            | Action::Login
            | Action::Repeat(_)
            | Action::End
            | Action::Drop
            | Action::Listen
            | Action::StalePort
            | Action::ThirdParty
            | Action::Handshake
            | Action::CloseData
            | Action::ResetData
            | Action::Given(_)
    )
}
