//! `ftpspec diff`: compares reports, directories of snapshots and servers.

use super::Format;
use super::exit_code::{CommandError, ExitCode};
use super::output::{finish, has_colour};
use super::report::read_report;
use super::snapshot::{RunSnapshots, snapshots_in};
use crate::campaign::Options;
use crate::compare::difference::{Side, compare, terminal};
use crate::suite::Suite;
use crate::verdict::Outcome;
use clap::Args;
use std::path::Path;

pub(super) const HELP: &str = "\
A and B are each a report (`check --format json`), a directory of `snapshot
record`, a URL, or `embedded` for the bundled reference server. Servers are
played first. A report contains no replies: then only verdicts and features
are compared.

Exit codes: 0 equal, 1 different, 3 if a scenario of a side ended in ERROR.

Examples:
  ftpspec diff before.json after.json
  ftpspec diff replies/ ftp://user:pw@host
  ftpspec diff embedded ftp://user:pw@host --select rfc959";

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The first side.
    a: String,
    /// The second side.
    b: String,
    #[command(flatten)]
    options: Options,
    /// The format of stdout.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

impl Diff {
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        let Sides { a, b, interrupted } = sides(&self).await?;
        let difference = compare(&a, &b);
        let text = match self.format {
            Format::Json => difference.json(),
            Format::Human => terminal(&difference, has_colour()),
        };
        let has_error = |side: &Side| {
            let mut outcomes = side.outcomes.values();
            outcomes.any(|outcome| *outcome == Outcome::Error)
        };
        let code = if interrupted {
            ExitCode::Interrupted
        } else if has_error(&a) || has_error(&b) {
            ExitCode::Failure
        } else if difference.compared == 0 {
            ExitCode::NothingSelected
        } else if !difference.is_empty() {
            ExitCode::NotAsExpected
        } else {
            ExitCode::Success
        };
        finish(&text, code)
    }
}

struct Sides {
    a: Side,
    b: Side,
    interrupted: bool,
}

async fn sides(diff: &Diff) -> Result<Sides, CommandError> {
    let sets = diff.options.selected_sets(&Suite::embedded())?;
    // A wrong path is reported before the other side is played.
    let sources = [source(&diff.a)?, source(&diff.b)?];
    let mut sides = Vec::new();
    let mut interrupted = false;
    for source in sources {
        let mut side = match source {
            Source::Saved(mut side) => {
                if !diff.options.selects_all() {
                    // Judges saw more scenarios than are compared.
                    side.judges.clear();
                }
                *side
            }
            Source::Server(url) => {
                let options = Options {
                    url,
                    ..diff.options.clone()
                };
                let played = RunSnapshots::play(&options).await;
                let played = played.map_err(|error| explain_url(error, options.url.as_deref()))?;
                interrupted |= played.report.interrupted;
                let name = played.report.target.url.clone();
                Side::of_report(name, &played.report).with(&played.snapshots)
            }
        };
        side.retain(|case| sets.contains(&case.scenario) && diff.options.selects(case));
        sides.push(side);
        if interrupted {
            break;
        }
    }
    let mut sides = sides.into_iter();
    Ok(Sides {
        a: sides.next().unwrap_or_default(),
        b: sides.next().unwrap_or_default(),
        interrupted,
    })
}

/// Adds that an argument was used as a URL because no such file exists: it may be mistyped.
fn explain_url(error: CommandError, text: Option<&str>) -> CommandError {
    match text {
        Some(text) if !text.contains("://") => CommandError {
            message: format!(
                "{}\nThere is no report or directory `{text}`, so it was taken for a server.",
                error.message
            ),
            ..error
        },
        _ => error,
    }
}

enum Source {
    /// A report or snapshots.
    Saved(Box<Side>),
    /// The URL of a server to be played; `None` is the bundled reference server.
    Server(Option<String>),
}

fn source(text: &str) -> Result<Source, CommandError> {
    let path = Path::new(text);
    if path.is_dir() {
        let snapshots = snapshots_in(path)?;
        if snapshots.is_empty() {
            return Err(CommandError::usage(format!(
                "{text}: there are no snapshots here; `ftpspec snapshot record --dir {text}` \
                 creates them"
            )));
        }
        return Ok(Source::Saved(Box::new(Side::of_snapshots(
            text, &snapshots,
        ))));
    }
    if path.exists() {
        let report = read_report(path).map_err(CommandError::usage)?;
        return Ok(Source::Saved(Box::new(Side::of_report(text, &report))));
    }
    if text == "embedded" {
        return Ok(Source::Server(None));
    }
    let looks_like_a_path = text.contains(['/', '\\']) || text.ends_with(".json");
    if looks_like_a_path && !text.contains("://") {
        return Err(CommandError::usage(format!(
            "{text}: there is no such report or directory; a server is ftp://{text}"
        )));
    }
    Ok(Source::Server(Some(text.to_owned())))
}
