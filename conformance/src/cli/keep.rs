//! Arguments of what keeps and compares: snapshots, differences, known deviations.

use super::{Format, Playing};
use clap::{Args, Subcommand};
use std::path::PathBuf;

const SNAPSHOT_HELP: &str = "\
One file per scenario and variant, in the format of the crate insta; passwords, ports, addresses and dates are replaced.
EventKind differs is written beside as *.snap.new. In a cargo workspace `cargo insta review` goes through these; everywhere
`snapshot record` takes them all.

Examples:
  ftpspec snapshot record ftp://user:pw@host --dir replies/
  ftpspec snapshot check  ftp://user:pw@host --dir replies/ --select rfc959";

/// `ftpspec snapshot`
#[derive(Debug, Subcommand)]
pub(crate) enum Snapshot {
    /// Plays the suite and keeps what the server says. Without URL the bundled reference server.
    #[command(after_help = SNAPSHOT_HELP)]
    Record(SnapshotArgs),
    /// Plays the suite and compares what the server says with what was kept; 1 if anything differs.
    #[command(after_help = SNAPSHOT_HELP)]
    Check(SnapshotArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    /// The server, as in `check`.
    pub(crate) url: Option<String>,
    /// Where the files are.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) playing: Playing,
}

pub(super) const DIFF_HELP: &str = "\
A and B are each a report (`check --format json`), a directory of `snapshot record`, a URL, or `embedded` for the bundled
reference server. Servers are played first. A report holds no replies: then verdicts and features are compared.

Exit codes: 0 alike, 1 different, 3 if a scenario ended in ERROR on a side.

Examples:
  ftpspec diff before.json after.json
  ftpspec diff replies/ ftp://user:pw@host
  ftpspec diff embedded ftp://user:pw@host --select rfc959";

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The first side.
    pub(crate) a: String,
    /// The second side.
    pub(crate) b: String,
    #[command(flatten)]
    pub(crate) playing: Playing,
    /// What is written to stdout.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

const BASELINE_HELP: &str = "\
A baseline is TOML. `variant` and `scenario` may be globs; what is worse than `outcome`, and an ERROR, is never excused:
  [[known]]
  scenario = \"rfc959/abor-idle\"
  variant = \"*\"
  outcome = \"FAIL\"
  reason = \"The vendor says it stays so\"
  issue = \"https://example.org/7\"
  [[known]]
  judge = \"reply-syntax\"
  outcome = \"FAIL\"
  reason = \"Bare LF in the banner\"

Examples:
  ftpspec check ftp://host --format json > report.json
  ftpspec baseline update known.toml --from report.json --reason 'As of version 3.0'
  ftpspec check ftp://host --baseline known.toml";

/// `ftpspec baseline`
#[derive(Debug, Subcommand)]
pub(crate) enum Baseline {
    /// Adds what fails in a report and is not known, and removes what holds now. Comments, order and reasons stay.
    #[command(after_help = BASELINE_HELP)]
    Update(BaselineUpdate),
}

#[derive(Debug, Args)]
pub(crate) struct BaselineUpdate {
    /// The baseline; made if it is not there.
    pub(crate) file: PathBuf,
    /// The report: `check --format json`.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
    /// Why what is new is accepted.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// A broken SHOULD is a deviation, too.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Changes nothing, and shows what would change; 1 if anything would.
    #[arg(long)]
    pub(crate) dry_run: bool,
}
