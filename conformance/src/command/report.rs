//! `ftpspec report`: reports that were kept are shown again, merged, and told what they have to look like.

use super::check::print;
use super::files::ReportFiles;
use super::{OK, TROUBLE, USAGE, stdout};
use crate::report::{self, Report};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// A larger file is no report of ours: one of the whole suite, every scenario failing, has a few megabytes.
const FILE_LIMIT: u64 = 256 << 20;

/// What `report --from` is asked for.
#[derive(Debug, Clone, Default)]
pub struct ReportWish {
    /// The reports; several are merged. `-` is stdin.
    pub from: Vec<PathBuf>,
    /// Where it goes.
    pub files: ReportFiles,
    /// A WARN is told as a failure.
    pub strict: bool,
    /// JSON on stdout.
    pub json: bool,
}

/// Shows kept reports again; on stdout, if no file was asked for. Returns the exit code: 0 if it could, whatever the
/// report says.
#[must_use]
pub fn report(wish: &ReportWish) -> i32 {
    let report = match load(&wish.from) {
        Ok(report) => report,
        Err(message) => return told(&message, USAGE),
    };
    if let Err(message) = wish.files.prepare() {
        return told(&message, USAGE);
    }
    let printed = match wish.files.is_empty() || wish.json {
        true => print(&report, wish.strict, wish.json),
        false => Ok(()),
    };
    let written = wish.files.write(&report, wish.strict);
    match printed.and(written) {
        Ok(()) => OK,
        Err(message) => told(&message, TROUBLE),
    }
}

/// Merges the reports of a run that was split, and writes the result. Returns the exit code of the whole run; 3 if a part
/// of it is missing.
#[must_use]
pub fn merge(from: &[PathBuf], to: &Path, strict: bool) -> i32 {
    let merged = match load(from) {
        Ok(merged) => merged,
        Err(message) => return told(&message, USAGE),
    };
    let files = ReportFiles {
        json: Some(to.to_owned()),
        ..ReportFiles::default()
    };
    if let Err(message) = files.prepare().and_then(|()| files.write(&merged, strict)) {
        return told(&message, TROUBLE);
    }
    let missing = merged.missing_parts();
    if !missing.is_empty() {
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        return told(
            &format!("part {} of the run is missing", missing.join(", ")),
            TROUBLE,
        );
    }
    merged.exit_code(strict)
}

/// Prints the JSON Schema of `report.json`.
#[must_use]
pub fn report_schema() -> i32 {
    stdout::say(&report::schema(), OK)
}

fn told(message: &str, code: i32) -> i32 {
    eprintln!("report: {message}");
    code
}

/// One report of these files.
fn load(paths: &[PathBuf]) -> Result<Report, String> {
    let reports = paths.iter().map(|path| {
        let text = text_of(path).map_err(|error| format!("{}: {error}", path.display()))?;
        report::read(&text).map_err(|error| format!("{}: {error}", path.display()))
    });
    let mut reports: Vec<Report> = reports.collect::<Result<_, _>>()?;
    match reports.pop() {
        // As it was written, its rows in their order.
        Some(only) if reports.is_empty() => Ok(only),
        last => {
            reports.extend(last);
            report::merge(reports).map_err(|error| error.to_string())
        }
    }
}

fn text_of(path: &Path) -> io::Result<String> {
    let source: Box<dyn io::Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(fs::File::open(path)?),
    };
    let mut text = String::new();
    source.take(FILE_LIMIT).read_to_string(&mut text)?;
    Ok(text)
}
