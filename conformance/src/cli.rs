//! Arguments and help.

mod keep;
mod report;
mod serve;

pub(crate) use keep::{Baseline, Diff, Snapshot, SnapshotArgs};
pub(crate) use report::{Files, ReportArgs, ReportVerb};
pub(crate) use serve::{
    AlpnChoice, LinksChoice, Required, Reuse, Serve, TlsChoice, TlsRules, Version,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use ftpspec::command::check::TIMEOUT;
use ftpspec::coverage::Threshold;
use ftpspec::report::Part;
use ftpspec::subject::HostAddress;
use keep::DIFF_HELP;
use report::REPORT_HELP;
use serve::SERVE_HELP;
use std::path::PathBuf;

/// FTP testing and compliance.
///
/// A disposable FTP(S) server, and a conformance runner that tells what a server does against the RFCs, clause by clause,
/// with evidence.
#[derive(Debug, Parser)]
#[command(name = "ftpspec", version, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ftpspec check                                    is the bundled reference server what it claims to be?
  ftpspec check ftp://user:pw@localhost:2121       is that server any good?
  ftpspec check ftp://localhost --select 'rfc3659/*'
  ftpspec serve --seed fixtures/                   a server for your tests; one JSON line tells where
  ftpspec explain rfc3659/rest-retr-offset         what is asked, and why

Exit codes:
  0 as expected   1 nonconformance   2 usage or scenario error   3 target unreachable or tester trouble
  4 nothing selected   130 interrupted";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the disposable reference server until it is interrupted.
    #[command(after_help = SERVE_HELP)]
    Serve(Box<Serve>),
    /// Judges a server against the whole suite; without URL the bundled reference server.
    #[command(after_help = CHECK_HELP)]
    Check(Check),
    /// Plays your own scenario files.
    Run(Run),
    /// Keeps a server's literal replies as files, and compares them.
    #[command(subcommand)]
    Snapshot(Snapshot),
    /// Compares two servers, or one with what it was: verdicts, features and replies.
    #[command(after_help = DIFF_HELP)]
    Diff(Diff),
    /// Known deviations, for `check --baseline`.
    #[command(subcommand)]
    Baseline(Baseline),
    /// Lists the scenarios.
    List(List),
    /// Reads scenario files and tells what is wrong with them.
    Lint(Paths),
    /// Puts scenario files into their canonical layout.
    Fmt(Fmt),
    /// Explains a scenario, a requirement, a judge or a command, with a good and a bad dialogue.
    #[command(after_help = EXPLAIN_HELP)]
    Explain(Explain),
    /// Shows which requirements of the RFCs the suite covers, and what covers them.
    #[command(after_help = COVERAGE_HELP)]
    Coverage(Coverage),
    /// Shows reports that were kept again, in any form, and merges those of a split run.
    #[command(after_help = REPORT_HELP)]
    Report(ReportArgs),
    /// Tests the suite itself: every scenario against servers that lie, and against odd ones that do nothing wrong.
    Selftest(Selftest),
}

const CHECK_HELP: &str = "\
The suite works in a directory of its own, made after login, and removes it again. The user needs write access.
EventKind scenarios rest on is tried first: a login, a directory, a file in each data mode, TLS, IPv6. EventKind rests on something that does not hold
is BLOCKED, and so is what needs something that the server loses in mid-run. No file that was there before is changed: where CWD does not
lead into the directory that MKD made, nothing is played. Where nothing can be written, what needs no file of its own is still played; --read-only leaves the rest out of the account.
A command of --exec is waited for until it greets, started again when it dies (three times at most), and stopped afterwards; {root} is an empty
directory, {cert} and {key} are PEM files, {user} and {password} are those the suite logs in with.
A 421 to one connection too many is no failure: fewer are used from then on, and the report says so. An interrupt cleans up first.

Outcomes:
  PASS          as it has to be
  FAIL          a MUST is broken
  WARN          a SHOULD is broken; fails the run with --strict
  NOTE          a MAY, or what clients count on, is not followed
  MISADVERTISED      FEAT says it is there, and it is refused
  UNSUPPORTED   an optional feature that is not there, and FEAT does not say so
  INCONCLUSIVE           the server answered in another legal way, which left nothing to test
  BLOCKED  what it rests on does not hold: no login, nowhere to write
  ERROR         trouble of the tester, or the server went away
FAIL, MISADVERTISED, BLOCKED and ERROR fail the run (exit code 1, or 3 after an ERROR).
`ftpspec explain ID` tells what is asked, why, and how it looks when it goes right and wrong.

Variants:
  A scenario with the axis `data` is played with PASV, EPSV, PORT and EPRT, and with EPSV over IPv6; one with the axis
  `tls` in clear, with AUTH TLS and PROT P (`tls`), with AUTH TLS alone (`tls-control`) and with implicit TLS
  (`implicit`). --matrix full plays every combination of these, over both families and with both drivers. EventKind the
  target does not have, or nobody can play (PORT over IPv6), is told with its reason and not played.

Examples:
  ftpspec check                                     the bundled reference server
  ftpspec check ftp://user:pw@host:2121             in clear, and with AUTH TLS where it is offered
  ftpspec check ftps://user:pw@host                 implicit TLS
  FTPSPEC_PASSWORD=pw ftpspec check ftp://user@host the password where no list of processes shows it
  ftpspec check ftp://host --select rfc3659/size-missing-550 --variant pasv
  ftpspec check --exec 'pure-ftpd -S {host},{port} -e' a server that is started, and stopped afterwards
  ftpspec check ftp://host --format json > report.json
  ftpspec check ftp://host --html report.html --junit junit.xml
  ftpspec check ftp://host --partition hash:1/4 --report-json 1.json

--partition hash:K/N plays the scenarios whose id falls into part K: the first eight octets of its SHA-256, the most
significant first, modulo N, plus 1. A scenario stays in its part when others are added.";

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The server: ftp://[user[:password]@]host[:port] or ftps://… for implicit TLS.
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) playing: Playing,
    #[command(flatten)]
    pub(crate) telling: Telling,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Scenario files or directories.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The server, as in `check`. [default: the bundled reference server]
    #[arg(long, value_name = "URL")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) playing: Playing,
    #[command(flatten)]
    pub(crate) telling: Telling,
}

#[derive(Debug, Args)]
pub(crate) struct Playing {
    /// Only these scenarios: an id, a directory, a glob or a part of the id; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) select: Vec<String>,
    /// Only scenarios of this frozen set (`ftpspec list sets`), or of a set in a file *.toml; may be repeated.
    #[arg(long, value_name = "SET")]
    pub(crate) set: Vec<String>,
    /// Only this variant of each scenario, as shown in the report (`pasv`, `epsv tls` …).
    #[arg(long, value_name = "VARIANT")]
    pub(crate) variant: Option<String>,
    /// Every combination of data mode, protection, address family and driver instead of the sensible subset.
    #[arg(long, value_enum, default_value_t = Matrix::Default)]
    pub(crate) matrix: Matrix,
    /// Opt-in scenarios of this profile are played too.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Vec<String>,
    /// Starts the server with this command, in place of a URL: {port}, and {root} {host} {user} {password} {cert} {key}, are
    /// filled in. It must stay in the foreground; there is no shell.
    #[arg(long, value_name = "CMD")]
    pub(crate) exec: Option<String>,
    /// User name, if it is not in the URL.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Password, if it is not in the URL.
    #[arg(long, env = "FTPSPEC_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// CA certificate in PEM the server's certificate must come from; otherwise any certificate will do.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Address of the server, in place of those its name is looked up to; may be repeated, for IPv4 and IPv6.
    #[arg(long, value_name = "IP")]
    pub(crate) address: Vec<HostAddress>,
    /// Port on which TLS begins with the first octet, besides the one of the URL or of --exec:
    /// variants with implicit TLS are played there.
    #[arg(long, value_name = "PORT")]
    pub(crate) implicit_port: Option<u16>,
    /// Makes and changes nothing: only scenarios that need no file of their own are played, the others do not count.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Directory of the server to work in. [default: the one of the URL, or where the login leads]
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<String>,
    /// Control connections at once at most, whatever --jobs says; a scenario takes two or more.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_connections: Option<u16>,
    /// How many scenarios are played at once. [default: 1 against a URL, 4 with --exec, 8 against the bundled server]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Seconds to wait for a reply.
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT)]
    pub(crate) timeout: f64,
}

/// What fails a run, and what is told of it.
#[derive(Debug, Args)]
pub(crate) struct Telling {
    /// A broken SHOULD fails the run, too.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Only part K of N of the scenarios; the parts of all machines make up one run (`ftpspec report merge`).
    #[arg(long, value_name = "hash:K/N")]
    pub(crate) partition: Option<Part>,
    /// Known deviations, each with a reason: they are played and do not fail the run; one that holds now does. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Vec<PathBuf>,
    /// What is written to stdout.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Also writes the report as JSON, to be shown again or merged (`ftpspec report`).
    #[arg(long, value_name = "FILE")]
    pub(crate) report_json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) files: Files,
    /// Also writes every transcript into this directory, as JSON lines.
    #[arg(long, value_name = "DIR")]
    pub(crate) transcripts: Option<PathBuf>,
}

/// `--format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// For programs; versioned.
    Json,
}

/// `--matrix`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Matrix {
    /// Each value of each axis at least once.
    Default,
    /// Every combination.
    Full,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only scenarios whose id matches; `sets` lists the frozen sets.
    pub(crate) patterns: Vec<String>,
    /// Only scenarios of this frozen set; may be repeated.
    #[arg(long, value_name = "SET")]
    pub(crate) set: Vec<String>,
    /// Writes them as a new frozen set (scenarios/sets/NAME-VERSION.toml).
    #[arg(long, conflicts_with = "format")]
    pub(crate) freeze: bool,
    /// What is written to stdout.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Paths {
    /// Files or directories.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Files or directories.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Changes nothing; fails if something would change.
    #[arg(long)]
    pub(crate) check: bool,
    /// Writes each scenario as JSON to stdout instead.
    #[arg(long, conflicts_with = "check")]
    pub(crate) json: bool,
}

const EXPLAIN_HELP: &str = "\
A scenario is shown with its requirements and clauses, what a failure means for a person, and two dialogues: one with the bundled server, and
one with a server that lies in one place, with what is reported of that. A requirement is shown with whatever looks for it, or why no
test can; a judge with what it reports; a command with its replies, requirements and scenarios. EventKind the outcomes mean stands in
`ftpspec check --help`.

Examples:
  ftpspec explain rfc3659/rest-retr-offset
  ftpspec explain 959-5.4-greeting-code
  ftpspec explain reply-syntax
  ftpspec explain STOU";

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A scenario id, a requirement id, the name of a judge or a verb.
    pub(crate) id: String,
}

const COVERAGE_HELP: &str = "\
A requirement is covered where a scenario names it or a judge of every transcript claims it. EventKind no test from outside can
decide is listed with its reason, and left out of the percentage that --require looks at.

Examples:
  ftpspec coverage                                  the table, and what is untestable
  ftpspec coverage rfc3659                          its requirements, and the scenarios of each
  ftpspec coverage --uncovered                      what is left to do
  ftpspec coverage --levels                         where requirements and scenarios differ in level
  ftpspec coverage --require must=95,should=85      exit code 1 if less is covered";

#[derive(Debug, Args)]
pub(crate) struct Coverage {
    /// Only these requirements, each with what covers it: a document, a part of the id or a glob.
    pub(crate) patterns: Vec<String>,
    /// What is written to stdout; json and md have every requirement.
    #[arg(long, value_enum, default_value_t = CoverageFormat::Human)]
    pub(crate) format: CoverageFormat,
    /// Also lists the requirements that nothing covers.
    #[arg(long)]
    pub(crate) uncovered: bool,
    /// Lists where a requirement and the scenarios that cover it have different levels, and why.
    #[arg(long, conflicts_with_all = ["uncovered", "format"])]
    pub(crate) levels: bool,
    /// Per cent of the testable requirements of a level that have to be covered.
    #[arg(long, value_name = "LEVEL=PERCENT", value_delimiter = ',')]
    pub(crate) require: Vec<Threshold>,
}

/// `coverage --format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CoverageFormat {
    /// For people.
    Human,
    /// For programs; versioned.
    Json,
    /// Markdown.
    Md,
}

#[derive(Debug, Args)]
pub(crate) struct Selftest {
    /// Only scenarios whose id matches; without one, all, and the always-on judges.
    pub(crate) patterns: Vec<String>,
    /// How many scenarios are tested at once.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) jobs: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_hold_together() {
        Cli::command().debug_assert();
    }
}
