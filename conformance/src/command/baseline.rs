//! `ftpspec baseline update`, and the baselines of a run.

use super::check::{Failure, usage};
use super::diff::report_in;
use super::{NOT_AS_EXPECTED, OK, stdout};
use crate::baseline::{Baseline, Names, apply, update};
use crate::compare::snapshot::unified;
use crate::judge::JUDGES;
use crate::report::Report;
use crate::scenario::Variant;
use crate::suite::Suite;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// No baseline of ours is as long.
const FILE_LIMIT: u64 = 16 << 20;

/// What `baseline update` is asked for.
#[derive(Debug, Clone)]
pub struct BaselineWish {
    /// The baseline; made if it is not there.
    pub file: PathBuf,
    /// The report it is brought up to.
    pub from: PathBuf,
    /// Why what is new is accepted.
    pub reason: String,
    /// A WARN comes in, too.
    pub strict: bool,
    /// Writes nothing, and tells whether something would change.
    pub dry_run: bool,
}

/// Brings a baseline up to a report. Returns the exit code: 0, 1 if a dry run would change something, or 2.
#[must_use]
pub fn update_baseline(wish: &BaselineWish) -> i32 {
    match updated(wish) {
        Ok(code) => code,
        Err(Failure { code, message }) => {
            eprintln!("{message}");
            code
        }
    }
}

fn updated(wish: &BaselineWish) -> Result<i32, Failure> {
    let reason = wish.reason.trim();
    if reason.is_empty() {
        return Err(usage("--reason: say why these deviations are accepted"));
    }
    let report = report_in(&wish.from)?;
    let file = wish.file.display().to_string();
    let text = match fs::metadata(&wish.file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        _ => text_of(&wish.file)?,
    };
    let update = update(&file, &text, &report, reason, wish.strict).map_err(usage)?;
    if update.removed.is_empty() && update.added.is_empty() {
        return Ok(stdout::say(
            &format!("{file} says what the report says\n"),
            OK,
        ));
    }
    let removed = update.removed.iter();
    let mut told: String = removed
        .map(|entry| format!("removed {entry}: it holds now\n"))
        .collect();
    told.extend(
        update
            .added
            .iter()
            .map(|entry| format!("added   {entry}\n")),
    );
    if wish.dry_run {
        told += &unified(&text, &update.text, true);
        return Ok(stdout::say(&told, NOT_AS_EXPECTED));
    }
    fs::write(&wish.file, &update.text).map_err(|error| usage(format!("{file}: {error}")))?;
    Ok(stdout::say(&told, OK))
}

/// The baselines in these files.
pub(super) fn read_baselines(files: &[PathBuf]) -> Result<Vec<Baseline>, Failure> {
    let read = |file: &PathBuf| {
        let text = text_of(file).map_err(|Failure { code, message }| Failure {
            code,
            message: format!(
                "baseline: {message}\n`ftpspec baseline update {} --from report.json --reason …` makes one.",
                file.display()
            ),
        })?;
        Baseline::read(&file.display().to_string(), &text).map_err(usage)
    };
    files.iter().map(read).collect()
}

/// Marks what they know in a report. Scenarios are those of this suite, and of the one inside the binary.
pub(super) fn apply_baselines(
    baselines: &[Baseline],
    report: &mut Report,
    suite: &Suite,
    strict: bool,
) {
    if baselines.is_empty() {
        return;
    }
    let embedded = Suite::embedded();
    let scenarios = suite.scenarios.iter().chain(&embedded.scenarios);
    let scenarios: Vec<&str> = scenarios.map(|scenario| scenario.id.0.as_str()).collect();
    let judges: Vec<&str> = JUDGES.iter().map(|judge| judge.name).collect();
    let names = Names {
        scenarios: &scenarios,
        judges: &judges,
        variant: |text| {
            text.parse::<Variant>()
                .ok()
                .map(|variant| variant.to_string())
        },
    };
    apply(baselines, report, names, strict);
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| usage(format!("{shown}: {error}")))?;
    file.take(FILE_LIMIT)
        .read_to_string(&mut text)
        .map_err(|error| usage(format!("{shown}: {error}")))?;
    Ok(text)
}
