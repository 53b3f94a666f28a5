//! `ftpspec diff`: two reports, directories of snapshots or servers side by side.

use super::check::{Failure, Wish, usage};
use super::snapshot::{Run, snapshots_in};
use super::{INTERRUPTED, NOT_AS_EXPECTED, NOTHING, OK, TROUBLE, stdout};
use crate::compare::difference::{Side, compare, terminal};
use crate::report::{Report, read};
use crate::suite::Suite;
use crate::verdict::Outcome;
use std::fs;
use std::io::Read as _;
use std::path::Path;

/// No report of ours is as long.
const REPORT_LIMIT: u64 = 512 << 20;

/// What `diff` is asked for.
#[derive(Debug, Clone)]
pub struct DiffWish {
    /// A report, a directory of snapshots, a URL or `embedded`.
    pub a: String,
    /// Likewise.
    pub b: String,
    /// JSON on stdout.
    pub json: bool,
    /// What is played of servers, and compared of everything.
    pub playing: Wish,
}

/// Tells what differs. Returns the exit code: 0 if nothing does, 1 if something does, 3 if a scenario ended in ERROR on a
/// side, 4 if there is nothing both sides have.
pub async fn diff(wish: DiffWish) -> i32 {
    match sides(&wish).await {
        Ok(Sides { a, b, interrupted }) => {
            let difference = compare(&a, &b);
            let text = if wish.json {
                difference.json()
            } else {
                terminal(&difference, stdout::has_colour())
            };
            let errors = |side: &Side| {
                side.outcomes
                    .values()
                    .any(|outcome| *outcome == Outcome::Error)
            };
            let code = if interrupted {
                INTERRUPTED
            } else if errors(&a) || errors(&b) {
                TROUBLE
            } else if difference.compared == 0 {
                NOTHING
            } else if !difference.is_empty() {
                NOT_AS_EXPECTED
            } else {
                OK
            };
            stdout::say(&text, code)
        }
        Err(Failure { code, message }) => {
            eprintln!("{message}");
            code
        }
    }
}

struct Sides {
    a: Side,
    b: Side,
    interrupted: bool,
}

async fn sides(wish: &DiffWish) -> Result<Sides, Failure> {
    let chosen = wish.playing.chosen(&Suite::embedded())?;
    // A path that is wrong is told before the other side is played.
    let sources = [source(&wish.a)?, source(&wish.b)?];
    let mut sides = Vec::new();
    let mut interrupted = false;
    for source in sources {
        let mut side = match source {
            Source::Ready(mut side) => {
                if !wish.playing.selects_all() {
                    // They judged more than what is compared.
                    side.judges.clear();
                }
                *side
            }
            Source::Server(url) => {
                let playing = Wish {
                    url,
                    ..wish.playing.clone()
                };
                let run = Run::play(&playing)
                    .await
                    .map_err(|failure| taken_for_a_server(failure, playing.url.as_deref()))?;
                interrupted |= run.report.interrupted;
                Side::of_report(run.report.target.url.clone(), &run.report).with(&run.snapshots)
            }
        };
        side.retain(|(scenario, variant)| {
            chosen.has(scenario) && wish.playing.selects(scenario, variant)
        });
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

/// What names no file is taken for a server, which may be news to whoever mistyped it.
fn taken_for_a_server(failure: Failure, text: Option<&str>) -> Failure {
    match text {
        Some(text) if !text.contains("://") => Failure {
            message: format!(
                "{}\nThere is no report or directory `{text}`, so it was taken for a server.",
                failure.message
            ),
            ..failure
        },
        _ => failure,
    }
}

enum Source {
    /// What was on disk.
    Ready(Box<Side>),
    /// To be played; without URL the bundled reference server.
    Server(Option<String>),
}

fn source(text: &str) -> Result<Source, Failure> {
    let path = Path::new(text);
    if path.is_dir() {
        let snapshots = snapshots_in(path)?;
        if snapshots.is_empty() {
            return Err(usage(format!(
                "{text}: there are no snapshots here; `ftpspec snapshot record --dir {text}` makes them"
            )));
        }
        return Ok(Source::Ready(Box::new(Side::of_snapshots(
            text, &snapshots,
        ))));
    }
    if path.exists() {
        let report = report_in(path)?;
        return Ok(Source::Ready(Box::new(Side::of_report(text, &report))));
    }
    if text == "embedded" {
        return Ok(Source::Server(None));
    }
    let like_a_path = text.contains(['/', '\\']) || text.ends_with(".json");
    if like_a_path && !text.contains("://") {
        return Err(usage(format!(
            "{text}: there is no such report or directory; a server is ftp://{text}"
        )));
    }
    Ok(Source::Server(Some(text.to_owned())))
}

/// The report in a file.
pub(super) fn report_in(path: &Path) -> Result<Report, Failure> {
    let shown = path.display();
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| usage(format!("{shown}: {error}")))?;
    file.take(REPORT_LIMIT)
        .read_to_string(&mut text)
        .map_err(|error| usage(format!("{shown}: {error}")))?;
    read(&text).map_err(|error| usage(format!("{shown}: {error}")))
}
