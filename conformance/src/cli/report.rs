//! Arguments of `report`, and the files a report is written to.

use super::Format;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The files `check`, `run` and `report` write.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Also writes the report as one HTML file, for people: it needs nothing else, and runs nothing.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Also writes the report as JUnit XML, for CI systems.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Also writes the report as Markdown.
    #[arg(long, value_name = "FILE")]
    pub(crate) md: Option<PathBuf>,
    /// Also appends the Markdown to the job summary of GitHub Actions ($GITHUB_STEP_SUMMARY).
    #[arg(long)]
    pub(crate) github: bool,
}

pub(super) const REPORT_HELP: &str = "\
`report --from` exits 0 if it could show the report, whatever that says. `report merge` exits as the whole run would have:
0, 1, …; 3 if a part is missing.

Examples:
  ftpspec check ftp://host --report-json report.json
  ftpspec report --from report.json --html report.html --junit junit.xml
  ftpspec check ftp://host --partition hash:1/2 --report-json 1.json    on one machine, hash:2/2 on another
  ftpspec report merge 1.json 2.json -o report.json";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct ReportArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<ReportVerb>,
    /// Reports of `--report-json` or `--format json`; several are merged. `-` is stdin.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) from: Vec<PathBuf>,
    /// Writes the report as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) files: Files,
    /// A broken SHOULD is told as a failure, too.
    #[arg(long)]
    pub(crate) strict: bool,
    /// What is written to stdout; without this, only where no file is asked for.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReportVerb {
    /// Merges the reports of a run that was split with --partition, or of several runs against one server.
    Merge {
        /// The reports.
        #[arg(required = true, value_name = "FILE")]
        from: Vec<PathBuf>,
        /// Where the merged report goes, as JSON.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// A broken SHOULD fails the run, too.
        #[arg(long)]
        strict: bool,
    },
    /// Prints the JSON Schema of report.json.
    Schema,
}
