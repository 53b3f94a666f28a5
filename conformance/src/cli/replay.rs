//! `ftpspec replay`: plays one side of a recorded session to the other.

use super::Format;
use super::exit_code::{CommandError, ExitCode};
use super::output::finish;
use crate::replay::{
    Against, Credentials, Difference, PATIENCE, PlayError, Recording, ReplayError, Replayed,
    Strictness,
};
use crate::text::counted;
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
--against plays what the client did: its commands in their order, its TLS, its
data connections. Addresses and ports, the login directory and the names that
STOU chose are those of the live server. Reply codes and the octets of
transfers have to be equal; in listings, times, owners and sizes of directories
may differ. The server needs the files that the session used.

A recording never has a password: give it in the URL or with --user.

Examples:
  ftpspec replay session.jsonl --against ftp://user:pw@localhost:2121
  ftpspec replay session.jsonl --against ftps://host --user me:pw --text";

/// Plays one side of a recorded session and compares.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Recordings of `ftpspec record`, or transcripts of any other seat.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Plays the client's side against this server: ftp://[user[:password]@]host[:port], or
    /// ftps://… for implicit TLS.
    #[arg(long, value_name = "URL", required = true)]
    against: Option<String>,
    /// Who logs in, if it is not in the URL. Without PASSWORD that of --password.
    #[arg(long, value_name = "NAME[:PASSWORD]")]
    user: Option<String>,
    /// Password, if it is not in the URL.
    #[arg(long, env = "FTPSPEC_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// The argument of ACCT, if the recording sends it.
    #[arg(long)]
    account: Option<String>,
    /// CA certificate (PEM) that must have issued the server's certificate. [default: any
    /// certificate is accepted]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Compares the texts of replies, too, without addresses, ports, times and identifiers.
    #[arg(long, conflicts_with = "exact")]
    text: bool,
    /// Compares all octets of replies and listings, and how connections end.
    #[arg(long)]
    exact: bool,
    /// The pauses of the recording, each at most a minute, or none.
    #[arg(long, value_enum, value_name = "HOW", default_value = "fast")]
    pace: Pace,
    /// Seconds in which something has to happen while a reply or data is awaited. [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: Option<u64>,
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// `--pace`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Pace {
    /// As recorded.
    Real,
    /// Without pauses.
    Fast,
}

/// The result as JSON.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: u32,
    recordings: Vec<OfFile<'a>>,
}

#[derive(Debug, Serialize)]
struct OfFile<'a> {
    file: String,
    #[serde(flatten)]
    replayed: &'a Replayed,
}

impl Replay {
    /// Replays every file; the exit code is 1 where something differs.
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        let recordings: Vec<Recording> = self
            .files
            .iter()
            .map(Recording::open)
            .collect::<Result<_, _>>()
            .map_err(CommandError::usage)?;
        let url = self.against.clone().unwrap_or_default();
        let options = self.options()?;
        let mut results = Vec::new();
        for (recording, file) in recordings.iter().zip(&self.files) {
            let replayed = recording.replay_against(&url, &options).await;
            let replayed = replayed.map_err(|error| failed(&file.display().to_string(), &error))?;
            results.push((file.display().to_string(), replayed));
        }
        let differs = results.iter().any(|(_, it)| !it.differences.is_empty());
        let code = match differs {
            true => ExitCode::NotAsExpected,
            false => ExitCode::Success,
        };
        let text = match self.format {
            Format::Json => json(&results)?,
            Format::Human => self.described(&results),
        };
        finish(&format!("{}\n", text.trim_end()), code)
    }

    fn options(&self) -> Result<Against, CommandError> {
        let ca_pem = self.ca.as_ref().map(|file| {
            fs::read(file)
                .map_err(|error| CommandError::usage(format!("{}: {error}", file.display())))
        });
        let (user, password) = match self.user.as_deref().map(|it| it.split_once(':').ok_or(it)) {
            Some(Ok((user, password))) => (Some(user.to_owned()), Some(password.to_owned())),
            Some(Err(user)) => (Some(user.to_owned()), self.password.clone()),
            None => (None, self.password.clone()),
        };
        Ok(Against {
            strictness: match (self.text, self.exact) {
                (_, true) => Strictness::Exact,
                (true, _) => Strictness::Text,
                _ => Strictness::Codes,
            },
            credentials: Credentials {
                user,
                password,
                account: self.account.clone(),
            },
            ca_pem: ca_pem.transpose()?,
            patience: self.timeout.map_or(PATIENCE, Duration::from_secs),
            recorded_pace: self.pace == Pace::Real,
        })
    }

    fn described(&self, results: &[(String, Replayed)]) -> String {
        let mut text = String::new();
        let mut count = 0;
        for (file, replayed) in results {
            let _ = writeln!(
                text,
                "{file}: {}, {}, {}",
                counted(replayed.sessions, "session"),
                counted(replayed.commands, "command"),
                counted(replayed.transfers, "transfer"),
            );
            for difference in &replayed.differences {
                count += 1;
                describe(&mut text, difference);
            }
        }
        let _ = match count {
            0 => writeln!(text, "The server did what was recorded."),
            _ => writeln!(
                text,
                "\n{}. `ftpspec judge {}` shows whether the recording itself breaks a rule.",
                counted(count, "difference"),
                results[0].0
            ),
        };
        text
    }
}

fn describe(text: &mut String, difference: &Difference) {
    let place = match difference.command_number {
        0 => "greeting".to_owned(),
        number => format!("command {number}"),
    };
    let _ = writeln!(
        text,
        "\nDIFFERENT session {}, {place}  {}",
        difference.session, difference.command
    );
    for (label, lines) in [
        ("recorded", &difference.recorded),
        ("live", &difference.live),
    ] {
        let nothing = ["nothing".to_owned()];
        let lines = match lines.is_empty() {
            true => &nothing[..],
            false => lines,
        };
        for (index, line) in lines.iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let _ = writeln!(text, "  {label:<8}  {line}");
        }
    }
    if !difference.note.is_empty() {
        let _ = writeln!(text, "  {:<8}  {}", "about", difference.note);
    }
}

fn json(results: &[(String, Replayed)]) -> Result<String, CommandError> {
    let recordings = results.iter().map(|(file, replayed)| OfFile {
        file: file.clone(),
        replayed,
    });
    let result = Document {
        schema: "ftpspec-replay",
        version: 1,
        recordings: recordings.collect(),
    };
    serde_json::to_string_pretty(&result)
        .map_err(|error| CommandError::failure(format!("replay: {error}")))
}

fn failed(file: &str, error: &ReplayError) -> CommandError {
    let message = format!("{file}: {error}");
    match error {
        ReplayError::Play(PlayError::Unreachable(_)) => CommandError::failure(message),
        _ => CommandError::usage(message),
    }
}
