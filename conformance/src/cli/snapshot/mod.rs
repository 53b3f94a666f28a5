//! `ftpspec snapshot`: records the literal replies of a server as files and compares them.

mod files;
mod run;

pub(super) use files::snapshots_in;
pub(super) use run::RunSnapshots;

use super::exit_code::{CommandError, ExitCode};
use super::output::{finish, has_colour};
use crate::campaign::Options;
use crate::compare::snapshot::{Change, Compared, Lost, PENDING, Snapshot as Dialogue};
use crate::compare::snapshot::{compare, unified};
use crate::scenario::TestCase;
use crate::styled_text::StyledText;
use anstyle::AnsiColor;
use clap::{Args, Subcommand};
use files::{file_error, pending, read_directory, remove};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const HELP: &str = "\
One file per scenario and variant, in the format of the crate insta; passwords,
ports, addresses and dates are replaced. Differences are written to *.snap.new
next to the file. In a cargo workspace `cargo insta review` shows them;
`snapshot record` accepts all of them.

Examples:
  ftpspec snapshot record ftp://user:pw@host --dir replies/
  ftpspec snapshot check  ftp://user:pw@host --dir replies/ --select rfc959";

/// `ftpspec snapshot`
#[derive(Debug, Subcommand)]
pub(super) enum Snapshot {
    /// Plays the suite and saves the replies; without a URL those of the bundled reference server.
    #[command(after_help = HELP)]
    Record(Box<Arguments>),
    /// Plays the suite and compares the replies with the saved ones; 1 if anything differs.
    #[command(after_help = HELP)]
    Check(Box<Arguments>),
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The server, as in `check`.
    url: Option<String>,
    /// The directory of the files.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    options: Options,
}

impl Snapshot {
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        let (arguments, recording) = match self {
            Self::Record(arguments) => (arguments, true),
            Self::Check(arguments) => (arguments, false),
        };
        let options = Options {
            url: arguments.url,
            ..arguments.options
        };
        match recording {
            true => record(&arguments.dir, &options).await,
            false => check(&arguments.dir, &options).await,
        }
    }
}

/// Saves new and changed dialogues and removes those of scenarios that are gone. A dialogue that
/// ended in ERROR or with a time-out is incomplete, so its file is kept as it was.
async fn record(directory: &Path, options: &Options) -> Result<ExitCode, CommandError> {
    fs::create_dir_all(directory).map_err(|error| file_error(directory, &error))?;
    let saved = read_directory(directory)?;
    let run = RunSnapshots::play(options).await?;
    if run.report.interrupted {
        eprintln!("snapshot: interrupted; nothing is saved");
        return Ok(run.exit_code(true));
    }
    let (mut new, mut changed, mut same, mut removed) = (0, 0, 0, 0);
    let mut lines = Vec::new();
    for snapshot in run.complete() {
        let path = directory.join(snapshot.file_name());
        match saved.get(&snapshot.case) {
            Some(saved) if saved.snapshot.dialogue != snapshot.dialogue => changed += 1,
            Some(_) => same += 1,
            None => new += 1,
        }
        fs::write(&path, snapshot.to_string()).map_err(|error| file_error(&path, &error))?;
        remove(&pending(&path))?;
    }
    for saved in saved.all() {
        let case = &saved.snapshot.case;
        if !run.played(case)
            && let Lost::Gone(why) = run.lost(options, case)
        {
            remove(&saved.path)?;
            remove(&pending(&saved.path))?;
            lines.push(format!("removed {case}: {why}"));
            removed += 1;
        }
    }
    for (case, why) in run.errors() {
        lines.push(format!("ERROR {case}: {why}; not saved"));
    }
    for snapshot in run.snapshots.iter().filter(|it| run.is_timed_out(it)) {
        lines.push(format!(
            "TIME-OUT {}: not saved; try a longer --timeout",
            snapshot.case
        ));
    }
    lines.push(format!(
        "{} saved in {}: {new} new, {changed} changed, {same} unchanged, {removed} removed\n",
        run.complete().count(),
        directory.display()
    ));
    finish(&lines.join("\n"), run.exit_code(true))
}

/// Compares with the saved dialogues; writes each difference to a pending file.
async fn check(directory: &Path, options: &Options) -> Result<ExitCode, CommandError> {
    let saved = read_directory(directory)?;
    if saved.all().next().is_none() {
        let directory = directory.display();
        return Err(CommandError::usage(format!(
            "{directory}: there are no snapshots here; `ftpspec snapshot record --dir {directory}` \
             creates them"
        )));
    }
    let run = RunSnapshots::play(options).await?;
    if run.report.interrupted {
        eprintln!("snapshot: interrupted; nothing is compared");
        return Ok(run.exit_code(true));
    }
    let snapshots = saved.all().map(|saved| saved.snapshot.clone());
    let lost = |case: &TestCase| run.lost(options, case);
    // `record` does not save a dialogue with a time-out, so it is not new; but it may be a change.
    let relevant = |it: &&Dialogue| !run.is_timed_out(it) || saved.get(&it.case).is_some();
    let played = run.snapshots.iter().filter(relevant).cloned();
    let compared = compare(snapshots, played, lost);
    // insta expects the pending file next to the file it may replace.
    let path = |snapshot: &Dialogue| match saved.get(&snapshot.case) {
        Some(saved) => saved.path.clone(),
        None => directory.join(snapshot.file_name()),
    };
    for snapshot in &compared.same {
        remove(&pending(&path(snapshot)))?;
    }
    for change in &compared.changes {
        if let Change::New(now) | Change::Changed { now, .. } = change {
            let path = pending(&path(now));
            fs::write(&path, now.to_string()).map_err(|error| file_error(&path, &error))?;
        }
    }
    let text = render(&compared, &run, directory, has_colour());
    finish(&text, run.exit_code(compared.changes.is_empty()))
}

/// The comparison for people. A change that occurs in many scenarios is shown once.
fn render(compared: &Compared, run: &RunSnapshots, directory: &Path, colour: bool) -> String {
    let (red, green) = (AnsiColor::Red.on_default(), AnsiColor::Green.on_default());
    let mut styled = StyledText::new(colour);
    let mut groups: Vec<(String, &Dialogue, &Dialogue, Vec<&TestCase>)> = Vec::new();
    let mut places = BTreeMap::new();
    let (mut changed, mut new, mut vanished) = (0, 0, 0);
    for change in &compared.changes {
        match change {
            Change::Changed { kept, now } => {
                changed += 1;
                let changes: String = unified(&kept.dialogue, &now.dialogue, false)
                    .split_inclusive('\n')
                    .filter(|line| !line.starts_with(' '))
                    .collect();
                let place = *places.entry(changes.clone()).or_insert(groups.len());
                match groups.get_mut(place) {
                    Some((.., others)) => others.push(&now.case),
                    None => groups.push((changes, kept, now, Vec::new())),
                }
            }
            Change::New(_) => new += 1,
            Change::Vanished { .. } => vanished += 1,
        }
    }
    for (_, kept, now, others) in &groups {
        styled.line(format!(
            "{} {}",
            styled.painted("CHANGED", red.bold()),
            now.case
        ));
        let diff = unified(&kept.dialogue, &now.dialogue, colour);
        styled.line(diff.trim_end());
        if let Some(first) = others.first() {
            let more = match others.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            styled.line(format!("  same change in {first}{more}"));
        }
        styled.line("");
    }
    for change in &compared.changes {
        match change {
            Change::New(now) => styled.line(format!(
                "{} {}",
                styled.painted("NEW", green.bold()),
                now.case
            )),
            Change::Vanished { kept, why } => {
                styled.line(format!(
                    "{} {}: {why}",
                    styled.painted("MISSING", red.bold()),
                    kept.case
                ));
            }
            Change::Changed { .. } => {}
        }
    }
    let mut errors = 0;
    for (case, why) in run.errors() {
        styled.line(format!(
            "{} {case}: {why}",
            styled.painted("ERROR", red.bold())
        ));
        errors += 1;
    }
    let mut counts = vec![format!("{} unchanged", compared.same.len())];
    for (count, what) in [
        (changed, "changed"),
        (new, "new"),
        (vanished, "missing"),
        (errors, "with ERROR"),
    ] {
        if count > 0 {
            counts.push(format!("{count} {what}"));
        }
    }
    styled.line(counts.join(", "));
    if changed + new > 0 {
        styled.line(format!(
            "  {} *.{PENDING} in {} to review (`cargo insta review`, or `ftpspec snapshot record` \
             accepts all)",
            changed + new,
            directory.display()
        ));
    }
    styled.text
}
