//! `ftpspec replay`: plays one side of a recorded session to the other.

use super::Format;
use super::ca_file::CaFile;
use super::exit_code::{CommandError, ExitCode};
use super::output::finish;
use super::signals::StopSignals;
use crate::replay::{
    Against, Credentials, Deviation, Difference, PATIENCE, PlayError, Recording, ReplayError,
    Replayed, Settings, StandIn, Strictness, Unexpected, replay_against, sessions_of_server,
};
use crate::text::counted;
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
--against plays what the client did: its commands in their order, its TLS, its
data connections. Addresses and ports, the login directory and the names that
STOU chose are those of the live server. Reply codes and the octets of
transfers have to be equal; in listings, times, owners and sizes of directories
may differ. The server needs the files that the session used.

--as-server plays what the server did, to any client. The client may leave the
recorded order as far as the result is the same: PASV, EPSV, PORT and EPRT stand
for one another, SYST, FEAT, TYPE, SIZE and the like may be missing or repeated,
downloads may be repeated, any name and password log in. Uploads have to be the
recorded octets. Clients have to trust the certificate of the first line.

A recording never has a password: give it in the URL or with --user.

Examples:
  ftpspec replay session.jsonl --against ftp://user:pw@localhost:2121
  ftpspec replay session.jsonl --against ftps://host --user me:pw --text
  ftpspec replay session.jsonl --as-server --listen 127.0.0.1:2121";

/// Files that are named in messages.
const NAMED: usize = 3;

/// How long clients that are still connected may take at the end.
const PARTING: Duration = Duration::from_secs(2);

/// Plays one side of a recorded session and compares.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Recordings of `ftpspec record`, or transcripts of any other seat.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Plays the client's side against this server: ftp://[user[:password]@]host[:port], or
    /// ftps://… for implicit TLS.
    #[arg(long, value_name = "URL", required_unless_present = "as_server")]
    against: Option<String>,
    /// Plays the server's side to clients that connect.
    #[arg(long, conflicts_with_all = ["against", "user", "account", "ca", "text", "exact"])]
    as_server: bool,
    /// Where clients connect to; port 0 is any free port.
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:0",
        requires = "as_server"
    )]
    listen: SocketAddr,
    /// What a client gets for a command that the recordings do not have.
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value = "refuse",
        requires = "as_server"
    )]
    unexpected: OnUnexpected,
    /// Ends after this many sessions. [default: as many as the recordings have]
    #[arg(long, value_name = "N", requires = "as_server", value_parser = clap::value_parser!(u32).range(1..))]
    sessions: Option<u32>,
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
    /// Text for people, or JSON. [default: human; with --as-server json unless on a terminal]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// `--unexpected`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnUnexpected {
    /// A 5yz reply that says what was expected.
    Refuse,
    /// A 421 reply, and the end of the connection.
    Close,
}

/// `--pace`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Pace {
    /// As recorded.
    Real,
    /// Without pauses.
    Fast,
}

/// The first line with `--as-server`.
#[derive(Debug, Serialize)]
struct Ready {
    event: &'static str,
    version: u32,
    address: String,
    host: String,
    port: u16,
    url: String,
    ca: String,
    sessions: usize,
    pid: u32,
}

/// The result of `--as-server` as JSON.
#[derive(Debug, Serialize)]
struct StandInDocument<'a> {
    schema: &'static str,
    version: u32,
    deviations: &'a [Deviation],
}

/// The result of `--against` as JSON.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: u32,
    files: Vec<String>,
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
        let Some(url) = self.against.clone() else {
            return self.stand_in(&recordings).await;
        };
        let options = self.options()?;
        let replayed = replay_against(&recordings, &url, &options).await;
        let replayed = replayed.map_err(|error| self.failed(&error))?;
        let code = match replayed.differences.is_empty() {
            true => ExitCode::Success,
            false => ExitCode::NotAsExpected,
        };
        let text = match self.format {
            Some(Format::Json) => self.json(&replayed)?,
            _ => self.described(&replayed),
        };
        finish(&format!("{}\n", text.trim_end()), code)
    }

    /// Plays the server's side until every session has been played, or a signal comes.
    async fn stand_in(&self, recordings: &[Recording]) -> Result<ExitCode, CommandError> {
        let failure =
            |error: &dyn std::fmt::Display| CommandError::failure(format!("replay: {error}"));
        let mut stop = StopSignals::listen().map_err(|error| failure(&error))?;
        let sessions = sessions_of_server(recordings);
        if sessions.is_empty() {
            return Err(CommandError::usage(PlayError::NoSession));
        }
        let settings = Settings {
            listen: self.listen,
            unexpected: match self.unexpected {
                OnUnexpected::Refuse => Unexpected::Refuse,
                OnUnexpected::Close => Unexpected::Close,
            },
            patience: self.patience(),
            recorded_pace: self.pace == Pace::Real,
        };
        let mut server = StandIn::start(&sessions, settings).map_err(|error| failure(&error))?;
        let ca = CaFile::write(server.ca_pem()).map_err(|error| failure(&error))?;
        self.announce(&server, &ca.path().display().to_string())
            .map_err(|error| failure(&error))?;
        let count = self
            .sessions
            .map_or_else(|| server.sessions(), |count| count as usize);
        let interrupted = tokio::select! {
            () = server.left(count) => false,
            () = stop.next() => true,
        };
        let deviations = server.finish(PARTING).await;
        if interrupted && deviations.is_empty() {
            return Ok(ExitCode::Success);
        }
        self.conclude(&deviations)
    }

    fn is_human(&self) -> bool {
        match self.format {
            Some(format) => format == Format::Human,
            None => io::stdout().is_terminal(),
        }
    }

    fn announce(&self, server: &StandIn, ca: &str) -> io::Result<()> {
        let address = server.address();
        let mut stdout = io::stdout().lock();
        if self.is_human() {
            writeln!(
                stdout,
                "Replaying {}",
                counted(server.sessions(), "session")
            )?;
            writeln!(stdout, "  connect to   {}", server.url())?;
            writeln!(stdout, "  certificate  {ca}")?;
        } else {
            let ready = Ready {
                event: "ready",
                version: 1,
                address: address.to_string(),
                host: address.ip().to_string(),
                port: address.port(),
                url: server.url(),
                ca: ca.to_owned(),
                sessions: server.sessions(),
                pid: std::process::id(),
            };
            serde_json::to_writer(&mut stdout, &ready)?;
            writeln!(stdout)?;
        }
        stdout.flush()
    }

    fn conclude(&self, deviations: &[Deviation]) -> Result<ExitCode, CommandError> {
        let code = match deviations.is_empty() {
            true => ExitCode::Success,
            false => ExitCode::NotAsExpected,
        };
        let text = match self.is_human() {
            true => {
                let mut text = String::new();
                for deviation in deviations {
                    let _ = writeln!(text, "DIFFERENT {deviation}\n");
                }
                match deviations.len() {
                    0 => text + "The clients did what was recorded.\n",
                    count => text + &counted(count, "deviation") + "\n",
                }
            }
            false => {
                let document = StandInDocument {
                    schema: "ftpspec-replay",
                    version: 1,
                    deviations,
                };
                let line = serde_json::to_string(&document);
                line.map_err(|error| CommandError::failure(format!("replay: {error}")))? + "\n"
            }
        };
        finish(&text, code)
    }

    fn names(&self) -> String {
        let names = self.files.iter().take(NAMED);
        let names: Vec<String> = names.map(|file| file.display().to_string()).collect();
        let more = if self.files.len() > NAMED { " …" } else { "" };
        names.join(" ") + more
    }

    fn described(&self, replayed: &Replayed) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{}, {}, {}",
            counted(replayed.sessions, "session"),
            counted(replayed.commands, "command"),
            counted(replayed.transfers, "transfer"),
        );
        for difference in &replayed.differences {
            describe(&mut text, difference);
        }
        let _ = match replayed.differences.len() {
            0 => writeln!(text, "The server did what was recorded."),
            count => writeln!(
                text,
                "\n{}. `ftpspec judge {}` shows whether the recorded server broke a rule.",
                counted(count, "difference"),
                self.names()
            ),
        };
        text
    }

    fn json(&self, replayed: &Replayed) -> Result<String, CommandError> {
        let files = self.files.iter().map(|file| file.display().to_string());
        let document = Document {
            schema: "ftpspec-replay",
            version: 1,
            files: files.collect(),
            replayed,
        };
        serde_json::to_string_pretty(&document)
            .map_err(|error| CommandError::failure(format!("replay: {error}")))
    }

    fn failed(&self, error: &ReplayError) -> CommandError {
        let message = format!("{}: {error}", self.names());
        match error {
            ReplayError::Play(PlayError::Unreachable(_)) => CommandError::failure(message),
            _ => CommandError::usage(message),
        }
    }

    fn patience(&self) -> Duration {
        self.timeout.map_or(PATIENCE, Duration::from_secs)
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
            patience: self.patience(),
            recorded_pace: self.pace == Pace::Real,
        })
    }
}

/// Appends what differs, for people.
pub(super) fn describe(text: &mut String, difference: &Difference) {
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
