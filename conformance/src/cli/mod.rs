//! The command line: arguments, help and what each verb does. One file per verb.

mod baseline;
mod ca_file;
mod check;
mod check_client;
mod coverage;
mod diff;
mod exit_code;
mod explain;
mod fmt;
mod import;
mod judge;
mod lint;
mod list;
mod output;
mod play;
mod progress;
mod proxy;
mod proxy_service;
mod record;
mod replay;
mod report;
mod selftest;
mod serve;
mod session_files;
mod session_lines;
mod signals;
mod snapshot;
mod upstream;

use crate::suite::{SourceFile, files_in};
use clap::{Parser, Subcommand, ValueEnum};
use exit_code::{CommandError, EXIT_CODES, ExitCode};
use std::io::IsTerminal as _;
use std::path::PathBuf;

/// The maximum width of help texts, in columns.
const HELP_WIDTH: usize = 90;

/// FTP testing and compliance.
///
/// A disposable FTP(S) server, and a conformance runner that tests a server against the RFCs,
/// clause by clause, with evidence.
#[derive(Debug, Parser)]
#[command(name = "ftpspec", version, after_help = examples(), max_term_width = HELP_WIDTH)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn examples() -> String {
    format!(
        "\
Examples:
  ftpspec check                               test the bundled reference server
  ftpspec check ftp://user:pw@localhost:2121  test a server
  ftpspec check ftp://localhost --select 'rfc3659/*'
  ftpspec serve --seed fixtures/              a server for your tests
  ftpspec explain rfc3659/rest-retr-offset    what a scenario tests, and why

{EXIT_CODES}"
    )
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the disposable reference server until it is interrupted.
    #[command(after_help = serve::HELP)]
    Serve(Box<serve::Serve>),
    /// Tests a server with the whole suite; without a URL the bundled reference server.
    #[command(after_help = check::HELP)]
    Check(Box<check::Check>),
    /// Tests a client: gives it tasks, against a server with planned faults.
    #[command(after_help = check_client::HELP)]
    CheckClient(Box<check_client::CheckClient>),
    /// Plays your own scenario files.
    Run(Box<check::Run>),
    /// Records sessions between any client and a server, on both channels.
    #[command(after_help = record::HELP)]
    Record(Box<record::Record>),
    /// Imports a capture of packets as transcripts, or a transcript as a scenario.
    #[command(after_help = import::HELP)]
    Import(import::Import),
    /// Injects faults between any client and any server.
    #[command(after_help = proxy::HELP)]
    Proxy(Box<proxy::ProxyCommand>),
    /// Plays one side of a recorded session and compares.
    #[command(after_help = replay::HELP)]
    Replay(Box<replay::Replay>),
    /// Judges recorded sessions without any network.
    Judge(judge::Judge),
    /// Records the literal replies of a server as files and compares them.
    #[command(subcommand)]
    Snapshot(snapshot::Snapshot),
    /// Compares two servers or runs: verdicts, features and replies.
    #[command(after_help = diff::HELP)]
    Diff(Box<diff::Diff>),
    /// Maintains files of known deviations, for `check --baseline`.
    #[command(subcommand)]
    Baseline(baseline::Baseline),
    /// Lists the scenarios.
    List(list::List),
    /// Checks scenario files for errors.
    Lint(lint::Lint),
    /// Formats scenario files.
    Fmt(fmt::Fmt),
    /// Explains a scenario, a requirement, a judge or a command, with example dialogues.
    #[command(after_help = explain::HELP)]
    Explain(explain::Explain),
    /// Shows which requirements of the RFCs the suite covers, and what covers them.
    #[command(after_help = coverage::HELP)]
    Coverage(coverage::Coverage),
    /// Renders saved reports in any format and merges partitions.
    #[command(after_help = report::HELP)]
    Report(report::Report),
    /// Tests the suite itself with single-fault mutants and conforming variants.
    #[command(hide = true)]
    Selftest(selftest::Selftest),
}

/// `--format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text for people.
    Human,
    /// JSON for programs; versioned.
    Json,
}

impl Command {
    async fn run(self) -> Result<ExitCode, CommandError> {
        match self {
            Self::Serve(serve) => serve.run().await,
            Self::Check(check) => check.run().await,
            Self::CheckClient(check) => check.run().await,
            Self::Run(run) => run.run().await,
            Self::Record(record) => record.run().await,
            Self::Import(import) => import.run(),
            Self::Proxy(proxy) => proxy.run().await,
            Self::Replay(replay) => replay.run().await,
            Self::Judge(judge) => judge.run(),
            Self::Snapshot(snapshot) => snapshot.run().await,
            Self::Diff(diff) => diff.run().await,
            Self::Baseline(baseline) => baseline.run(),
            Self::List(list) => list.run(),
            Self::Lint(lint) => lint.run(),
            Self::Fmt(fmt) => fmt.run(),
            Self::Explain(explain) => explain.run().await,
            Self::Coverage(coverage) => coverage.run(),
            Self::Report(report) => report.run(),
            Self::Selftest(selftest) => selftest.run().await,
        }
    }
}

/// Parses the arguments of the process, runs the command and returns its exit code.
#[must_use]
pub fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(cli.command.run());
            // Does not wait for blocking threads, such as a read of stdin.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(CommandError::failure(format!(
            "ftpspec: failed to start: {error}"
        ))),
    };
    result
        .unwrap_or_else(|error| {
            anstream::eprintln!("{error}");
            error.code
        })
        .into()
}

/// Sends logs to stderr; `RUST_LOG` sets the level.
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

/// The scenario files among these paths and below them.
fn scenario_files(paths: &[PathBuf]) -> Result<Vec<SourceFile>, CommandError> {
    let files = files_in(paths).map_err(|error| CommandError::usage(format!("error: {error}")))?;
    match files.is_empty() {
        false => Ok(files),
        true => Err(CommandError::nothing_selected(
            "error: no scenario (*.ftpt) here",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    /// Every command and subcommand, with its full name.
    fn commands(command: clap::Command, name: String) -> Vec<(String, clap::Command)> {
        let mut all = Vec::new();
        for subcommand in command.get_subcommands() {
            let name = format!("{name} {}", subcommand.get_name());
            all.extend(commands(subcommand.clone(), name));
        }
        all.push((name, command));
        all
    }

    #[test]
    fn every_help_text_fits_80_columns() {
        let root = Cli::command().term_width(80);
        for (name, mut command) in commands(root, "ftpspec".into()) {
            command = command.term_width(80);
            for help in [command.render_help(), command.render_long_help()] {
                for line in help.to_string().lines() {
                    assert!(line.chars().count() <= 80, "{name}: {line}");
                }
            }
        }
    }
}
