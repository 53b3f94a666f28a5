//! Arguments of what keeps and compares: snapshots, differences.

use super::{Format, Playing};
use clap::{Args, Subcommand};
use std::path::PathBuf;

const SNAPSHOT_HELP: &str = "\
One file per scenario and variant, in the format of the crate insta; passwords, ports, addresses and dates are replaced.
What differs is written beside as *.snap.new. In a cargo workspace `cargo insta review` goes through these; everywhere
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
