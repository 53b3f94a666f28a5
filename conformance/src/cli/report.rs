//! `ftpspec report`: renders and merges saved reports.

use super::Format;
use super::exit_code::{CommandError, ExitCode};
use super::output::{ReportFiles, finish, print_report};
use crate::report;
use crate::text::read_limited;
use clap::{Args, Subcommand};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The size limit of a report, in octets. A report in which every scenario fails has a few
/// megabytes.
const FILE_LIMIT: u64 = 256 << 20;

pub(super) const HELP: &str = "\
`report --from` exits with 0 whenever it can render the report, whatever the
report says. `report merge` exits like the whole run: 0, 1 …; 3 if a part is
missing.

Examples:
  ftpspec check ftp://host --report-json report.json
  ftpspec report --from report.json --html report.html --junit junit.xml
  ftpspec check ftp://host --partition hash:1/2 --report-json 1.json
  ftpspec report merge 1.json 2.json -o report.json";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(super) struct Report {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Reports of `--report-json` or `--format json`; several are merged. `-` is stdin.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    from: Vec<PathBuf>,
    /// Writes the report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    files: ReportFiles,
    /// Shows a broken SHOULD as a failure.
    #[arg(long)]
    strict: bool,
    /// The format of stdout. [default: human, or nothing if a file is written]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Merges the reports of a run that was split with --partition, or of several runs against one
    /// server.
    Merge(Merge),
    /// Prints the JSON Schema of report.json.
    Schema,
}

#[derive(Debug, Args)]
struct Merge {
    /// The reports.
    #[arg(required = true, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// The file for the merged report, as JSON.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// A broken SHOULD fails the run too.
    #[arg(long)]
    strict: bool,
}

impl Report {
    pub(super) fn run(self) -> Result<ExitCode, CommandError> {
        match self.verb {
            Some(Verb::Merge(merge)) => return merge.run(),
            Some(Verb::Schema) => return finish(&report::schema(), ExitCode::Success),
            None => {}
        }
        let report = load(&self.from).map_err(usage)?;
        let files = self.files.with_json(self.json);
        files.prepare().map_err(usage)?;
        let printed = match self.format {
            None if !files.is_empty() => Ok(()),
            format => print_report(&report, self.strict, format.unwrap_or(Format::Human)),
        };
        let written = files.write(&report, self.strict);
        printed.and(written).map_err(failure)?;
        Ok(ExitCode::Success)
    }
}

impl Merge {
    fn run(self) -> Result<ExitCode, CommandError> {
        let merged = load(&self.from).map_err(usage)?;
        let files = ReportFiles::default().with_json(Some(self.output));
        let written = files.prepare();
        let written = written.and_then(|()| files.write(&merged, self.strict));
        written.map_err(failure)?;
        let missing = merged.missing_parts();
        if !missing.is_empty() {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            let missing = missing.join(", ");
            return Err(failure(format!("part {missing} of the run is missing")));
        }
        Ok(merged.status(self.strict).into())
    }
}

fn usage(message: String) -> CommandError {
    CommandError::usage(format!("report: {message}"))
}

fn failure(message: String) -> CommandError {
    CommandError::failure(format!("report: {message}"))
}

/// One report of these files.
fn load(paths: &[PathBuf]) -> Result<report::Report, String> {
    let reports = paths.iter().map(|path| read_report(path));
    let mut reports: Vec<report::Report> = reports.collect::<Result<_, _>>()?;
    match reports.pop() {
        // A single report keeps the order of its rows.
        Some(only) if reports.is_empty() => Ok(only),
        last => {
            reports.extend(last);
            report::merge(reports).map_err(|error| error.to_string())
        }
    }
}

/// The report in a file; `-` is stdin.
///
/// # Errors
/// A message that names the file.
pub(super) fn read_report(path: &Path) -> Result<report::Report, String> {
    let text = match path.to_str() {
        Some("-") => {
            let mut text = String::new();
            let read = io::stdin().take(FILE_LIMIT).read_to_string(&mut text);
            read.map(|_| text)
        }
        _ => read_limited(path, FILE_LIMIT),
    };
    let text = text.map_err(|error| error.to_string())?;
    report::read(&text).map_err(|error| format!("{}: {error}", path.display()))
}
