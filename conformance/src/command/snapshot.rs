//! `ftpspec snapshot`: a server's literal replies are kept as files, and compared.

use super::check::{Failure, Wish, run, usage};
use super::{INTERRUPTED, NOT_AS_EXPECTED, NOTHING, OK, TROUBLE, stdout};
use crate::compare::snapshot::{
    Change, Compared, ENDING, Lost, PENDING, SnapError, Snapshot, compare, unified,
};
use crate::report::Report;
use crate::suite::Suite;
use crate::transcript::redact;
use crate::verdict::{Outcome, Stop};
use anstyle::{AnsiColor, Style};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// No dialogue of ours is as long.
const FILE_LIMIT: u64 = 64 << 20;

/// What `snapshot record` and `snapshot check` are asked for.
#[derive(Debug, Clone)]
pub struct SnapshotWish {
    /// Where the files are.
    pub directory: PathBuf,
    /// The server, and what is played of the suite.
    pub playing: Wish,
}

/// Plays, and keeps what the server says: new files, changed ones, and none for what is not there any more. What ended in
/// ERROR, or with a reply that did not come in time, is no truth: its file stays as it was. Returns the exit code: 0, 3 after an ERROR, 4 if nothing was played.
pub async fn record_snapshots(wish: SnapshotWish) -> i32 {
    told(record(&wish).await)
}

/// Plays, and compares what the server says with what was kept; what differs is written beside it as `*.snap.new`.
/// Returns the exit code: 0 if all is as it was, 1 if not, 3 after an ERROR, 4 if nothing was played.
pub async fn check_snapshots(wish: SnapshotWish) -> i32 {
    told(check(&wish).await)
}

fn told(result: Result<i32, Failure>) -> i32 {
    result.unwrap_or_else(|Failure { code, message }| {
        eprintln!("{message}");
        code
    })
}

async fn record(wish: &SnapshotWish) -> Result<i32, Failure> {
    let directory = &wish.directory;
    fs::create_dir_all(directory).map_err(|error| about(directory, &error))?;
    let kept = read_directory(directory)?;
    let run = Run::play(&wish.playing).await?;
    if run.report.interrupted {
        eprintln!("snapshot: interrupted; nothing is kept");
        return Ok(run.exit_code(true));
    }
    let (mut new, mut changed, mut same, mut removed) = (0, 0, 0, 0);
    let mut lines = Vec::new();
    for snapshot in run.told() {
        let path = directory.join(snapshot.file_name());
        match kept.get(snapshot.key()) {
            Some(kept) if kept.snapshot.dialogue != snapshot.dialogue => changed += 1,
            Some(_) => same += 1,
            None => new += 1,
        }
        fs::write(&path, snapshot.to_string()).map_err(|error| about(&path, &error))?;
        remove(&pending(&path))?;
    }
    for kept in kept.0.values() {
        let (scenario, variant) = kept.snapshot.key();
        if !run.played(scenario, variant)
            && let Lost::Gone(why) = run.lost(&wish.playing, scenario, variant)
        {
            remove(&kept.path)?;
            remove(&pending(&kept.path))?;
            lines.push(format!("removed {scenario} [{variant}]: {why}"));
            removed += 1;
        }
    }
    for (key, why) in run.errors() {
        lines.push(format!("ERROR {key}: {why}; not kept"));
    }
    for snapshot in run.snapshots.iter().filter(|it| run.in_vain(it)) {
        lines.push(format!(
            "TIME-OUT {} [{}]: something did not come in time; not kept, a longer --timeout may tell",
            snapshot.scenario, snapshot.variant
        ));
    }
    lines.push(format!(
        "{} kept in {}: {new} new, {changed} changed, {same} as before, {removed} removed\n",
        run.told().count(),
        directory.display()
    ));
    Ok(stdout::say(&lines.join("\n"), run.exit_code(true)))
}

async fn check(wish: &SnapshotWish) -> Result<i32, Failure> {
    let directory = &wish.directory;
    let kept = read_directory(directory)?;
    if kept.0.is_empty() {
        let directory = directory.display();
        return Err(usage(format!(
            "{directory}: there are no snapshots here; `ftpspec snapshot record --dir {directory}` makes them"
        )));
    }
    let run = Run::play(&wish.playing).await?;
    if run.report.interrupted {
        eprintln!("snapshot: interrupted; nothing is compared");
        return Ok(run.exit_code(true));
    }
    let snapshots = kept.0.values().map(|kept| kept.snapshot.clone());
    let lost = |scenario: &str, variant: &str| run.lost(&wish.playing, scenario, variant);
    // What never came is no news where it never came before: `record` does not keep it. Where it once came, it is.
    let worth = |snapshot: &&Snapshot| !run.in_vain(snapshot) || kept.get(snapshot.key()).is_some();
    let compared = compare(snapshots, run.snapshots.iter().filter(worth).cloned(), lost);
    // Where insta looks for it: beside the file it may replace.
    let beside = |snapshot: &Snapshot| {
        let file = kept.get(snapshot.key());
        file.map_or_else(
            || directory.join(snapshot.file_name()),
            |kept| kept.path.clone(),
        )
    };
    for snapshot in &compared.same {
        remove(&pending(&beside(snapshot)))?;
    }
    for change in &compared.changes {
        if let Change::New(now) | Change::Changed { now, .. } = change {
            let path = pending(&beside(now));
            fs::write(&path, now.to_string()).map_err(|error| about(&path, &error))?;
        }
    }
    let text = shown(&compared, &run, directory, stdout::has_colour());
    Ok(stdout::say(
        &text,
        run.exit_code(compared.changes.is_empty()),
    ))
}

/// What was played.
pub(super) struct Run {
    /// With the verdicts.
    pub(super) report: Report,
    /// The dialogues, but for those that ended in ERROR or were not tried.
    pub(super) snapshots: Vec<Snapshot>,
    /// Those of them that ended because something did not come in time.
    in_vain: BTreeSet<(String, String)>,
}

impl Run {
    pub(super) async fn play(wish: &Wish) -> Result<Self, Failure> {
        let mut snapshots = Vec::new();
        let mut in_vain = BTreeSet::new();
        let report = run(wish, &mut |played, row| {
            let dialogue = redact(&played.transcript).trim_end().to_owned();
            // What was not tried at all, because something it rests on does not hold, says nothing either.
            if row.verdict.outcome != Outcome::Error && !dialogue.is_empty() {
                if matches!(played.stop, Some(Stop::TimedOut { .. })) {
                    in_vain.insert((row.verdict.scenario.clone(), row.verdict.variant.clone()));
                }
                snapshots.push(Snapshot {
                    scenario: row.verdict.scenario.clone(),
                    variant: row.verdict.variant.clone(),
                    outcome: row.verdict.outcome,
                    dialogue,
                });
            }
        })
        .await?;
        Ok(Self {
            report,
            snapshots,
            in_vain,
        })
    }

    /// Whether it ended because something did not come in time. A server that is slow today says no less tomorrow.
    fn in_vain(&self, snapshot: &Snapshot) -> bool {
        let key = (snapshot.scenario.clone(), snapshot.variant.clone());
        self.in_vain.contains(&key)
    }

    /// What the server said to the end.
    fn told(&self) -> impl Iterator<Item = &Snapshot> {
        self.snapshots.iter().filter(|it| !self.in_vain(it))
    }

    fn played(&self, scenario: &str, variant: &str) -> bool {
        let mut rows = self.report.scenarios.iter().map(|row| &row.verdict);
        rows.any(|verdict| verdict.scenario == scenario && verdict.variant == variant)
    }

    /// What became of a scenario that was kept and not played.
    fn lost(&self, wish: &Wish, scenario: &str, variant: &str) -> Lost {
        if self.played(scenario, variant) {
            // In an ERROR, or without a try, nothing was learned.
            return Lost::NotAsked;
        }
        let suite = Suite::embedded();
        let known = suite.get(scenario);
        let not_asked = known
            .and_then(|known| known.about.profile.as_ref())
            .is_some_and(|profile| !wish.profiles.contains(profile));
        if not_asked {
            return Lost::NotAsked;
        }
        let mut skipped = self.report.skipped.iter().filter(|skipped| {
            skipped.scenario == scenario
                && (skipped.variant.is_empty() || skipped.variant == variant)
        });
        match skipped.next() {
            Some(skipped) => Lost::Gone(skipped.reason.clone()),
            None if known.is_none() && wish.selects_all() => {
                Lost::Gone("the suite has no such scenario any more".into())
            }
            None => Lost::NotAsked,
        }
    }

    /// What ended in ERROR, and why.
    fn errors(&self) -> impl Iterator<Item = (String, &str)> {
        let rows = self.report.scenarios.iter().map(|row| &row.verdict);
        let errors = rows.filter(|verdict| verdict.outcome == Outcome::Error);
        errors.map(|verdict| {
            let key = format!("{} [{}]", verdict.scenario, verdict.variant);
            (key, verdict.reason.as_str())
        })
    }

    fn exit_code(&self, as_expected: bool) -> i32 {
        if self.report.interrupted {
            INTERRUPTED
        } else if self.errors().next().is_some() {
            TROUBLE
        } else if !as_expected {
            NOT_AS_EXPECTED
        } else if self.snapshots.is_empty() {
            NOTHING
        } else {
            OK
        }
    }
}

/// The comparison as a person reads it. What changed alike in many scenarios is shown once.
fn shown(compared: &Compared, run: &Run, directory: &Path, colour: bool) -> String {
    let painted = |word: &str, style: Style| match colour {
        true => format!("{style}{word}{style:#}"),
        false => word.to_owned(),
    };
    let key = |snapshot: &Snapshot| format!("{} [{}]", snapshot.scenario, snapshot.variant);
    let (red, green) = (AnsiColor::Red.on_default(), AnsiColor::Green.on_default());
    let mut text = String::new();
    // Writing to a String does not fail.
    let mut line = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    let mut alike: Vec<(String, &Snapshot, &Snapshot, Vec<String>)> = Vec::new();
    let mut places = BTreeMap::new();
    let (mut changed, mut new, mut vanished) = (0, 0, 0);
    for change in &compared.changes {
        match change {
            Change::Changed { kept, now } => {
                changed += 1;
                let sort: String = unified(&kept.dialogue, &now.dialogue, false)
                    .split_inclusive('\n')
                    .filter(|line| !line.starts_with(' '))
                    .collect();
                let place = *places.entry(sort.clone()).or_insert(alike.len());
                match alike.get_mut(place) {
                    Some((.., others)) => others.push(key(now)),
                    None => alike.push((sort, kept, now, Vec::new())),
                }
            }
            Change::New(_) => new += 1,
            Change::Vanished { .. } => vanished += 1,
        }
    }
    for (_, kept, now, others) in &alike {
        line(format!("{} {}", painted("CHANGED", red.bold()), key(now)));
        let diff = unified(&kept.dialogue, &now.dialogue, colour);
        line(diff.trim_end().to_owned());
        if let Some(first) = others.first() {
            let more = match others.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            line(format!("  just so in {first}{more}"));
        }
        line(String::new());
    }
    for change in &compared.changes {
        match change {
            Change::New(now) => line(format!("{} {}", painted("NEW", green.bold()), key(now))),
            Change::Vanished { kept, why } => {
                line(format!(
                    "{} {}: {why}",
                    painted("VANISHED", red.bold()),
                    key(kept)
                ));
            }
            Change::Changed { .. } => {}
        }
    }
    let mut errors = 0;
    for (key, why) in run.errors() {
        line(format!("{} {key}: {why}", painted("ERROR", red.bold())));
        errors += 1;
    }
    let mut counts = vec![format!("{} as kept", compared.same.len())];
    for (count, what) in [
        (changed, "changed"),
        (new, "new"),
        (vanished, "vanished"),
        (errors, "in ERROR"),
    ] {
        if count > 0 {
            counts.push(format!("{count} {what}"));
        }
    }
    line(counts.join(", "));
    if changed + new > 0 {
        line(format!(
            "  {} in {} to be reviewed (`cargo insta review`, or `ftpspec snapshot record` takes all)",
            match changed + new {
                1 => format!("1 *.{PENDING}"),
                count => format!("{count} *.{PENDING}"),
            },
            directory.display()
        ));
    }
    text
}

/// A snapshot and its file.
struct Kept {
    path: PathBuf,
    snapshot: Snapshot,
}

/// What was kept, by scenario and variant.
struct KeptFiles(BTreeMap<(String, String), Kept>);

impl KeptFiles {
    fn get(&self, (scenario, variant): (&str, &str)) -> Option<&Kept> {
        self.0.get(&(scenario.to_owned(), variant.to_owned()))
    }
}

/// The snapshots in a directory; files insta keeps there for others are passed over.
pub(super) fn snapshots_in(directory: &Path) -> Result<Vec<Snapshot>, Failure> {
    let kept = read_directory(directory)?.0;
    Ok(kept.into_values().map(|kept| kept.snapshot).collect())
}

fn read_directory(directory: &Path) -> Result<KeptFiles, Failure> {
    let failed = |error: io::Error| about(directory, &error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            paths.push(path);
        }
    }
    paths.sort();
    let mut kept = BTreeMap::new();
    for path in paths {
        let mut text = String::new();
        let file = fs::File::open(&path).map_err(|error| about(&path, &error))?;
        file.take(FILE_LIMIT)
            .read_to_string(&mut text)
            .map_err(|error| about(&path, &error))?;
        match Snapshot::read(&text) {
            Ok(snapshot) => {
                let key = (snapshot.scenario.clone(), snapshot.variant.clone());
                kept.insert(key, Kept { path, snapshot });
            }
            Err(SnapError::NotOurs) => {}
            Err(error) => return Err(usage(format!("{}: {error}", path.display()))),
        }
    }
    Ok(KeptFiles(kept))
}

fn pending(path: &Path) -> PathBuf {
    path.with_extension(PENDING)
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(about(path, &error)),
        _ => Ok(()),
    }
}

fn about(path: &Path, error: &io::Error) -> Failure {
    usage(format!("{}: {error}", path.display()))
}
