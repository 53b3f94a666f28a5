//! `ftpspec check` and `ftpspec run`: play, judge and report.

use super::Format;
use super::exit_code::{CommandError, ExitCode};
use super::output::{ReportFiles, print_report};
use super::play::play;
use crate::campaign::{Criteria, Event, Options};
use crate::runner::Played;
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) const HELP: &str = "\
The suite works in a directory of its own, which it creates after login and
removes at the end. The user needs write access; where nothing can be written,
scenarios that need no file are still played. No file that existed before is
changed.

Prerequisites are tried first: login, a directory, a file in each data mode,
TLS, IPv6. A scenario that depends on a failed prerequisite is BLOCKED. A 421
reply lowers the number of connections and is not a failure.

The command of --exec is started, restarted if it dies (up to three times) and
stopped at the end. {root} is an empty directory, {cert} and {key} are PEM
files, {user} and {password} are the login the suite uses.

Outcomes:
  PASS          as required
  FAIL          a MUST is broken
  WARN          a SHOULD is broken; fails the run with --strict
  NOTE          a MAY, or a convention clients rely on, is not followed
  MISADVERTISED FEAT lists a feature that is refused
  UNSUPPORTED   an optional feature that FEAT does not list is missing
  INCONCLUSIVE  another legal reply left nothing to test
  BLOCKED       a prerequisite failed: no login, no write access
  ERROR         internal error, or the server went away
FAIL, MISADVERTISED and BLOCKED fail the run with exit code 1, ERROR with 3.
`ftpspec explain ID` shows what a scenario requires, and why.

Variants:
  A scenario with the axis `data` is played with PASV, EPSV, PORT and EPRT, and
  with EPSV over IPv6; one with the axis `tls` in the clear, with AUTH TLS and
  PROT P (`tls`), with AUTH TLS alone (`tls-control`) and with implicit TLS
  (`implicit`). --matrix full plays every combination, over IPv4 and IPv6 and
  with both drivers. Variants that are impossible (PORT over IPv6) or that the
  target does not support are listed as skipped, with the reason.

Partitions:
  --partition hash:K/N plays the scenarios of part K: the first eight octets of
  the SHA-256 of the id, as a big-endian number modulo N, plus 1. A scenario
  stays in its part when others are added.

Examples:
  ftpspec check                                  the bundled reference server
  ftpspec check ftp://user:pw@host:2121          in the clear and with AUTH TLS
  ftpspec check ftps://user:pw@host              implicit TLS
  FTPSPEC_PASSWORD=pw ftpspec check ftp://user@host
  ftpspec check ftp://host --select rfc959/noop-says-200 --variant pasv
  ftpspec check --exec 'pure-ftpd -S {host},{port} -e'
  ftpspec check ftp://host --format json > report.json
  ftpspec check ftp://host --html report.html --junit junit.xml
  ftpspec check ftp://host --partition hash:1/4 --report-json 1.json";

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The server: ftp://[user[:password]@]host[:port], or ftps://… for implicit TLS.
    url: Option<String>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    criteria: Criteria,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Scenario files or directories.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The server, as in `check`. [default: the bundled reference server]
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    criteria: Criteria,
    #[command(flatten)]
    output: Output,
}

/// Where results are written to.
#[derive(Debug, Args)]
pub(super) struct Output {
    /// The format of stdout.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// Also writes the report as JSON, for `ftpspec report`.
    #[arg(long, value_name = "FILE")]
    report_json: Option<PathBuf>,
    #[command(flatten)]
    files: ReportFiles,
    /// Also writes every transcript to this directory, as JSON lines.
    #[arg(long, value_name = "DIR")]
    pub(super) transcripts: Option<PathBuf>,
}

impl Output {
    /// The files of the report. Checks that they and the directory of transcripts can be written.
    ///
    /// # Errors
    /// The first file or directory that cannot be written.
    pub(super) fn prepare(&self) -> Result<ReportFiles, CommandError> {
        let files = self.files.clone().with_json(self.report_json.clone());
        files.prepare().map_err(CommandError::usage)?;
        if let Some(directory) = &self.transcripts {
            fs::create_dir_all(directory).map_err(|error| {
                CommandError::usage(format!("{}: {error}", directory.display()))
            })?;
        }
        Ok(files)
    }
}

impl Check {
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        let (options, output) = self.split();
        check(options, output).await
    }

    fn split(self) -> (Options, Output) {
        let options = Options {
            url: self.url,
            criteria: self.criteria,
            ..self.options
        };
        (options, self.output)
    }
}

impl Run {
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        let (options, output) = self.split();
        check(options, output).await
    }

    fn split(self) -> (Options, Output) {
        let options = Options {
            files: Some(self.files),
            url: self.target,
            criteria: self.criteria,
            ..self.options
        };
        (options, self.output)
    }
}

async fn check(options: Options, output: Output) -> Result<ExitCode, CommandError> {
    options.reject_ineffective()?;
    let files = output.prepare()?;
    let report = play(&options, &mut |event| {
        if let (Event::Finished { played, .. }, Some(directory)) = (event, &output.transcripts) {
            write_transcript(directory, played);
        }
    })
    .await?;
    for error in &report.baseline_errors {
        eprintln!(
            "{}:{}: {}: {}",
            error.file, error.line, error.entry, error.message
        );
    }
    let strict = options.criteria.strict;
    // The files are written even if stdout cannot be.
    let printed = print_report(&report, strict, output.format);
    let written = files.write(&report, strict);
    match printed.and(written) {
        Ok(()) => Ok(report.status(strict).into()),
        Err(message) => Err(CommandError::failure(format!(
            "check: the report could not be written: {message}"
        ))),
    }
}

fn write_transcript(directory: &Path, played: &Played) {
    let name =
        format!("{} {}", played.job.scenario.id.0, played.job.variant).replace(['/', ' '], "-");
    let path = directory.join(format!("{name}.jsonl"));
    if let Err(error) = crate::recording::save(&played.transcript, &path) {
        let path = path.display();
        eprintln!("check: the transcript {path} could not be written: {error}");
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;
    use rstest::rstest;
    use std::time::Duration;

    fn options(change: impl FnOnce(&mut Options)) -> Options {
        let mut options = Options::default();
        change(&mut options);
        options
    }

    /// The options of a command, as a shell and this program parse it.
    fn parsed(command: &str) -> Options {
        let words = shell_words::split(command).unwrap();
        let program = words.iter().position(|word| word == "ftpspec").unwrap();
        let (options, _) = match Cli::try_parse_from(&words[program..]).unwrap().command {
            Command::Check(check) => check.split(),
            Command::Run(run) => run.split(),
            other => panic!("{other:?}"),
        };
        Options {
            // Comes from the environment of the test.
            password: None,
            ..options
        }
    }

    #[rstest]
    #[case::the_bundled_server(options(|_| ()))]
    #[case::a_url(options(|it| it.url = Some("ftp://anna@[::1]:2121/in%20box?x".into())))]
    #[case::files(options(|it| {
        it.files = Some(vec!["my own/x.ftpt".into(), "y".into()]);
        it.url = Some("ftps://localhost:2121".into());
    }))]
    #[case::a_command(options(|it| {
        it.exec = Some("srv -p {port},{host} --name 'a b' \"$HOME\" `x`".into());
        it.user = Some("-o'brien & söhne".into());
    }))]
    #[case::files_and_a_command(options(|it| {
        it.files = Some(vec!["mine".into()]);
        it.exec = Some("srv".into());
    }))]
    #[case::everything_else(options(|it| {
        it.url = Some("ftp://localhost".into());
        it.user = Some("anna".into());
        it.ca = Some("~/my ca.pem".into());
        it.implicit_port = Some(990);
        it.path = Some("/tmp/!$x".into());
        it.profiles = vec!["security".into(), "a b".into()];
        it.max_connections = Some(2);
        it.timeout = Some(Duration::from_millis(250));
        it.criteria.baselines = vec!["known.toml".into(), "other.toml".into()];
        it.read_only = true;
        it.criteria.strict = true;
    }))]
    fn the_reproduce_command_plays_the_same(#[case] options: Options) {
        let mut full = options.clone();
        full.matrix = crate::campaign::Matrix::Full;
        full.criteria.partition = "hash:1/4".parse().ok();
        full.jobs = Some(3);
        full.select = vec!["rfc959".into()];
        full.sets = vec!["core-1".into()];
        let command = full.reproduce("rfc959/noop-says-200", "epsv tls".parse().unwrap());
        let expected = Options {
            select: vec!["rfc959/noop-says-200".into()],
            variant: Some("epsv tls".parse().unwrap()),
            ..options
        };
        assert_eq!(parsed(&command), expected, "{command}");
    }

    #[test]
    fn the_reproduce_command_takes_the_password_from_the_environment() {
        let options = options(|it| {
            it.url = Some("ftp://anna:geheim@localhost".into());
            it.password = Some("geheim".into());
        });
        let command = options.reproduce("rfc959/noop-says-200", "pasv".parse().unwrap());
        assert!(!command.contains("geheim"), "{command}");
        assert!(command.starts_with("FTPSPEC_PASSWORD="), "{command}");
        let url = parsed(&command).url;
        assert_eq!(url.as_deref(), Some("ftp://anna@localhost"));
    }
}
