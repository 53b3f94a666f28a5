//! `ftpspec check-client`: plays the scenarios for clients against a client.

use super::check::Output;
use super::exit_code::{CommandError, ExitCode};
use super::output::print_report;
use super::signals::StopSignals;
use crate::baseline::{self, Baseline, Names};
use crate::campaign::read_baselines;
use crate::client::adapter::Adapter;
use crate::client::campaign::{self, Event, Options};
use crate::client::judge::RULES;
use crate::client::play::{Client, Limits, Played, refuses_unknown_tasks};
use crate::client::suite::{LoadedAdapter, Suite};
use crate::client::variant::Variant;
use crate::report::Report;
use crate::runner::CancelToken;
use crate::scenario::render;
use crate::suite::files_in;
use clap::Args;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const HELP: &str = "\
Each scenario starts a server with planned faults, runs the client once per
task, and judges what the client sent, its exit status and the files after it.
The client is a built-in adapter, an adapter file, or any command after `--`.

A command after `--` is run for every task. It finds what to do in placeholders
and in environment variables with the same names (FTPSPEC_TASK, FTPSPEC_URL …):
  {task}      login, upload, download, resume-upload, resume-download, list,
              mkdir, rename, delete, mirror-up, mirror-down
  {url}       ftp://USER:PASSWORD@HOST:PORT/NAME; ftps:// with implicit TLS
  {host} {port} {user} {password}
  {mode}      passive, or active: which side opens data connections
  {tls}       clear, explicit (AUTH TLS is required) or implicit
  {ca}        the certificate authority to trust, in PEM
  {local}     the local file; {remote} its name on the server; {to} a new name
  {timeout}   seconds after which it should give up waiting
It exits with 0 for success and with 127 for a task that it does not know; a
task without a command is UNSUPPORTED. It is first asked for a task that does
not exist.

Outcomes and exit codes are those of `check`. docs/testing-clients.md explains
adapters and the language of the scenarios.

Examples:
  ftpspec check-client --adapter curl
  ftpspec check-client --adapter my-client.toml --html report.html
  ftpspec check-client -- python3 my_client.py
  ftpspec check-client --adapter lftp --select client/tls --variant 'passive tls'";

#[derive(Debug, Args)]
pub(super) struct CheckClient {
    /// A built-in adapter (aria2, curl, ftplib, lftp, ncftp, wget) or an adapter file.
    #[arg(long, value_name = "NAME|FILE")]
    adapter: Option<String>,
    /// The client, if there is no adapter: a program that is given every task.
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "adapter")]
    command: Vec<String>,
    /// Only scenarios whose id matches: a part of the id, or a glob; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    select: Vec<String>,
    /// Scenario files or directories, in place of the built-in ones; may be repeated.
    #[arg(long, value_name = "FILE")]
    scenarios: Vec<PathBuf>,
    /// Only this variant, such as 'active tls'.
    #[arg(long)]
    variant: Option<Variant>,
    /// How many scenarios are played at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Seconds after which the client should give up waiting ({timeout}).
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Seconds after which a task is ended by force, and has failed.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86400))]
    limit: u64,
    /// Known deviations, which do not fail the run; may be repeated.
    #[arg(long = "baseline", value_name = "FILE")]
    baselines: Vec<PathBuf>,
    /// A WARN fails the run, too.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    output: Output,
}

impl CheckClient {
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        let files = self.output.prepare()?;
        let suite = self.suite()?;
        let scenarios = suite.select(&self.select);
        if scenarios.is_empty() {
            return Err(CommandError::nothing_selected(
                "check-client: no scenario is selected; `ftpspec list --clients` shows them",
            ));
        }
        let limits = Limits {
            task: Duration::from_secs(self.limit),
            timeout: self.timeout,
        };
        let baselines = read_baselines(&self.baselines)?;
        let loaded = self.client()?;
        let client = Client::Program {
            adapter: loaded.0.clone(),
            files: loaded
                .1
                .as_ref()
                .map_or_else(PathBuf::new, |it| it.files.clone()),
        };
        let refuses = refuses_unknown_tasks(&client, &limits).await;
        refuses.map_err(|why| CommandError::usage(format!("check-client: {why}")))?;
        let options = Options {
            name: loaded.0.name.clone(),
            version: version(&loaded.0).map_err(CommandError::failure)?,
            variant: self.variant,
            jobs: usize::from(self.jobs),
            limits,
            command: self.reproduce(),
            filtered: !self.select.is_empty(),
        };
        let mut report = self.play(&client, &scenarios, &options).await?;
        apply_baselines(&baselines, &mut report, &suite, self.strict);
        for error in &report.baseline_errors {
            let (file, line, entry) = (&error.file, error.line, &error.entry);
            eprintln!("{file}:{line}: {entry}: {}", error.message);
        }
        report.invalid_scenarios = suite.broken.iter().map(|it| it.path.clone()).collect();
        let printed = print_report(&report, self.strict, self.output.format);
        let written = files.write(&report, self.strict);
        match printed.and(written) {
            Ok(()) => Ok(report.status(self.strict).into()),
            Err(message) => Err(CommandError::failure(format!(
                "check-client: the report could not be written: {message}"
            ))),
        }
    }

    /// The scenarios; errors in them are shown on stderr.
    fn suite(&self) -> Result<Suite, CommandError> {
        let suite = match self.scenarios.is_empty() {
            true => Suite::embedded(),
            false => {
                let files = files_in(&self.scenarios);
                let usage = |error| CommandError::usage(format!("error: {error}"));
                Suite::read(files.map_err(usage)?)
            }
        };
        for broken in &suite.broken {
            let shown = render(&broken.path, &broken.text, &broken.diagnostics, true);
            anstream::eprint!("{shown}");
        }
        Ok(suite)
    }

    fn client(&self) -> Result<(Adapter, Option<LoadedAdapter>), CommandError> {
        match &self.adapter {
            Some(name) => {
                let loaded = LoadedAdapter::find(name);
                let loaded =
                    loaded.map_err(|why| CommandError::usage(format!("check-client: {why}")))?;
                Ok((loaded.adapter.clone(), Some(loaded)))
            }
            None if self.command.is_empty() => Err(CommandError::usage(
                "check-client: name the client with --adapter, or give its command after `--`",
            )),
            None => {
                let mut words = self.command.clone();
                // The client runs in another directory.
                for word in &mut words {
                    if Path::new(word.as_str()).is_relative() && Path::new(word.as_str()).is_file()
                    {
                        let absolute = std::path::absolute(&word);
                        *word =
                            absolute.map_or_else(|_| word.clone(), |it| it.display().to_string());
                    }
                }
                Ok((Adapter::driver(words), None))
            }
        }
    }

    async fn play(
        &self,
        client: &Client,
        scenarios: &[std::sync::Arc<crate::client::language::Scenario>],
        options: &Options,
    ) -> Result<Report, CommandError> {
        let (canceller, token) = CancelToken::cancellable();
        let mut stop = StopSignals::listen().map_err(CommandError::failure)?;
        let terminal = std::io::stderr().is_terminal();
        let (mut done, mut jobs) = (0, 0);
        let mut on_event = |event: Event<'_>| match event {
            Event::Planned { jobs: planned } => jobs = planned,
            Event::Finished(played) => {
                done += 1;
                if terminal {
                    eprint!("\r{done} of {jobs}");
                }
                if let Some(directory) = &self.output.transcripts {
                    write_transcript(directory, played);
                }
            }
        };
        let run = campaign::run(client, scenarios, options, token, &mut on_event);
        tokio::pin!(run);
        let report = loop {
            tokio::select! {
                report = &mut run => break report,
                () = stop.next() => canceller.cancel(),
            }
        };
        if terminal {
            eprintln!();
        }
        Ok(report)
    }

    /// The command that plays a part of the suite in the same way.
    fn reproduce(&self) -> String {
        let mut words = vec!["ftpspec".to_owned(), "check-client".to_owned()];
        if let Some(adapter) = &self.adapter {
            words.extend(["--adapter".to_owned(), adapter.clone()]);
        }
        for file in &self.scenarios {
            words.extend(["--scenarios".to_owned(), file.display().to_string()]);
        }
        for (option, value, usual) in [("--timeout", self.timeout, 5), ("--limit", self.limit, 30)]
        {
            if value != usual {
                words.extend([option.to_owned(), value.to_string()]);
            }
        }
        let mut command = shell_words::join(&words);
        command.push_str(" {select}");
        if !self.command.is_empty() {
            command.push_str(&format!(" -- {}", shell_words::join(&self.command)));
        }
        command
    }
}

/// Marks known deviations. Entries may name scenarios of the suite and built-in ones.
fn apply_baselines(baselines: &[Baseline], report: &mut Report, suite: &Suite, strict: bool) {
    if baselines.is_empty() {
        return;
    }
    let built_in = Suite::embedded();
    let scenarios = suite.scenarios.iter().chain(&built_in.scenarios);
    let scenarios: Vec<&str> = scenarios.map(|scenario| scenario.id.0.as_str()).collect();
    let judges: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    let names = Names {
        scenarios: &scenarios,
        judges: &judges,
    };
    baseline::apply(baselines, report, names, strict);
}

/// What the client reports as its version; the first line. Empty where the adapter does not ask.
fn version(adapter: &Adapter) -> Result<String, String> {
    let Some([program, arguments @ ..]) = adapter.version.as_deref() else {
        return Ok(String::new());
    };
    let output = std::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output();
    let output = output.map_err(|error| {
        format!("check-client: {program} cannot be started: {error}\nIs it installed?")
    })?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| !line.trim().is_empty());
    Ok(line.unwrap_or_default().trim().chars().take(200).collect())
}

fn write_transcript(directory: &Path, played: &Played) {
    let (id, variant) = (&played.job.scenario.id, played.job.variant);
    let name = format!("{id} {variant}").replace(['/', ' '], "-");
    let path = directory.join(format!("{name}.jsonl"));
    if let Err(error) = crate::recording::save(&played.transcript, &path) {
        let path = path.display();
        eprintln!("check-client: the transcript {path} could not be written: {error}");
    }
}
