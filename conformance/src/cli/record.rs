//! `ftpspec record`: a proxy in front of a server that records each session.

use super::Format;
use super::ca_file::CaFile;
use super::exit_code::{CommandError, ExitCode};
use super::signals::StopSignals;
use crate::driver::Trust;
use crate::proxy::{Proxy, Recorder, UpstreamTls};
use crate::subject::Target;
use crate::text::counted;
use clap::{Args, ValueEnum};
use regex::bytes::Regex;
use rustls::RootCertStore;
use serde::Serialize;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) const HELP: &str = "\
The recorder is an FTP server for the client and a client for the server. It
passes everything on as it is, but for the addresses of data connections: 227
and 229, PORT and EPRT name ports of the recorder. It ends TLS on both sides:
the client has to trust the certificate that the first line names, the server's
certificate is verified with --upstream-ca.

Each session is one file of JSON lines (Transcript 2), written while it happens:
FILE, then FILE with -2, -3 … before its ending. Octets of data connections
above 64 KiB are in the folder FILE.data, named by their SHA-256. The arguments
of PASS, ACCT and ADAT are never written.

Examples:
  ftpspec record --upstream ftp://ftp.example.org --out session.jsonl
  ftpspec record --upstream ftps://host --insecure --out session.jsonl
  ftpspec judge session.jsonl";

/// Records sessions between any client and a server, on both channels.
#[derive(Debug, Args)]
pub(super) struct Record {
    /// The server: ftp://host[:port], or ftps:// for implicit TLS.
    #[arg(long, value_name = "URL")]
    upstream: String,
    /// The file of the first session.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Address and port to listen at; port 0 is any free port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How the connection with the server is protected.
    #[arg(long, value_enum, value_name = "HOW", default_value = "same")]
    upstream_tls: Protection,
    /// Authorities that may have issued the server's certificate, in PEM.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    upstream_ca: Option<PathBuf>,
    /// Accepts any certificate of the server.
    #[arg(long)]
    insecure: bool,
    /// Replaces what matches in lines of the control connection before it is written; may be
    /// repeated.
    #[arg(long, value_name = "REGEX")]
    scrub: Vec<Regex>,
    /// Ends after this many sessions.
    #[arg(long, value_name = "N")]
    sessions: Option<u64>,
    /// The first line: for people, or JSON. [default: human on a terminal, else json]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// `--upstream-tls`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protection {
    /// As the client protects its own.
    Same,
    /// In clear, whatever the client does.
    Off,
    /// AUTH TLS and PROT P, whatever the client does.
    Explicit,
}

impl From<Protection> for UpstreamTls {
    fn from(protection: Protection) -> Self {
        match protection {
            Protection::Same => Self::Same,
            Protection::Off => Self::Off,
            Protection::Explicit => Self::Explicit,
        }
    }
}

/// The first line of the recorder, once it listens.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    event: &'static str,
    version: u32,
    address: String,
    host: String,
    port: u16,
    url: String,
    upstream: &'a str,
    ca: String,
    pid: u32,
}

/// A session and its file.
struct Recorded {
    file: PathBuf,
    recorder: Arc<Recorder>,
}

/// The sessions so far.
type Sessions = Arc<Mutex<Vec<Recorded>>>;

impl Record {
    /// Records until a signal comes, or as many sessions as were asked for have ended.
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        let failure =
            |error: &dyn std::fmt::Display| CommandError::failure(format!("record: {error}"));
        let mut stop = StopSignals::listen().map_err(|error| failure(&error))?;
        let mut upstream = Target::from_url(&self.upstream, &[])
            .await
            .map_err(|error| CommandError::usage(format!("record: {error}")))?;
        upstream.trust = self.trust()?;
        let sessions = Sessions::default();
        let (ended, mut endings) = tokio::sync::mpsc::unbounded_channel();
        let observers = {
            let (sessions, out, scrub) =
                (Arc::clone(&sessions), self.out.clone(), self.scrub.clone());
            let name = self.upstream_name();
            move |number: u64, _| {
                let file = numbered(&out, number);
                let recorder = Recorder::create(&file, name.clone(), scrub.clone(), ended.clone())
                    .map_err(|error| format!("the recorder cannot write its file: {error}"))?;
                let recorder = Arc::new(recorder);
                let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
                sessions.push(Recorded {
                    file,
                    recorder: Arc::clone(&recorder),
                });
                Ok(recorder as _)
            }
        };
        // Before anybody connects: a file that cannot be written is a usage error.
        fs::File::create(&self.out)
            .map_err(|error| CommandError::usage(format!("{}: {error}", self.out.display())))?;
        let proxy = Proxy::start(
            self.listen,
            Arc::new(upstream),
            self.upstream_tls.into(),
            Box::new(observers),
        )
        .map_err(|error| failure(&error))?;
        let ca = CaFile::write(proxy.ca_pem()).map_err(|error| failure(&error))?;
        self.announce(proxy.address(), ca.path())
            .map_err(|error| failure(&error))?;
        let mut left = self.sessions;
        while left != Some(0) {
            tokio::select! {
                _ = endings.recv() => left = left.map(|left| left - 1),
                () = stop.next() => break,
            }
        }
        proxy.stop();
        let sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        summarize(&sessions)
    }

    fn trust(&self) -> Result<Trust, CommandError> {
        match &self.upstream_ca {
            Some(file) => {
                let pem = fs::read(file)
                    .map_err(|error| CommandError::usage(format!("{}: {error}", file.display())))?;
                Trust::from_pem(&pem).map_err(CommandError::usage)
            }
            None if self.insecure => Ok(Trust::Anything),
            None => Ok(Trust::Authorities(Arc::new(RootCertStore::empty()))),
        }
    }

    /// The server without user and password.
    fn upstream_name(&self) -> String {
        let Ok(mut url) = url::Url::parse(&self.upstream) else {
            return String::new();
        };
        let _cannot_have_one = url.set_username("");
        let _cannot_have_one = url.set_password(None);
        url.into()
    }

    fn announce(&self, address: SocketAddr, ca: &Path) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let human = match self.format {
            Some(format) => format == Format::Human,
            None => stdout.is_terminal(),
        };
        let url = format!("ftp://{address}/");
        if human {
            writeln!(stdout, "Recording sessions with {}", self.upstream_name())?;
            writeln!(stdout, "  connect to   {url}")?;
            writeln!(stdout, "  certificate  {}", ca.display())?;
            writeln!(stdout, "  file         {}", self.out.display())?;
            writeln!(stdout, "Press Ctrl-C to stop.")?;
        } else {
            let ready = Ready {
                event: "ready",
                version: 1,
                address: address.to_string(),
                host: address.ip().to_string(),
                port: address.port(),
                url,
                upstream: &self.upstream_name(),
                ca: ca.display().to_string(),
                pid: std::process::id(),
            };
            serde_json::to_writer(&mut stdout, &ready)?;
            writeln!(stdout)?;
        }
        stdout.flush()
    }
}

/// Writes what is left of every session, and which files there are.
fn summarize(sessions: &[Recorded]) -> Result<ExitCode, CommandError> {
    let mut problems = Vec::new();
    for Recorded { file, recorder } in sessions {
        match recorder.finish() {
            Ok(()) => anstream::eprintln!("recorded {}", file.display()),
            Err(error) => problems.push(format!("{}: {error}", file.display())),
        }
    }
    anstream::eprintln!("{}", counted(sessions.len(), "session"));
    match problems.is_empty() {
        true => Ok(ExitCode::Success),
        false => Err(CommandError::failure(problems.join("\n"))),
    }
}

/// The file of a session: the first has the name that was given.
pub(super) fn numbered(file: &Path, number: u64) -> PathBuf {
    if number == 1 {
        return file.to_owned();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = match file.extension() {
        Some(ending) => format!("{stem}-{number}.{}", ending.to_string_lossy()),
        None => format!("{stem}-{number}"),
    };
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_but_the_first_has_its_number_in_the_name() {
        let numbered = |file: &str, number| numbered(Path::new(file), number);
        assert_eq!(numbered("a/s.jsonl", 1), Path::new("a/s.jsonl"));
        assert_eq!(numbered("a/s.jsonl", 2), Path::new("a/s-2.jsonl"));
        assert_eq!(numbered("s", 3), Path::new("s-3"));
    }
}
