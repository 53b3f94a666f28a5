//! `ftpspec record`: a proxy in front of a server that records each session.

use super::Format;
use super::exit_code::{CommandError, ExitCode};
use super::proxy_service::Service;
use super::replay::describe;
use super::session_files::SessionFiles;
use super::upstream::{ProxyOptions, without_login};
use crate::proxy::Settings;
use crate::recording;
use crate::replay::{Expected, Strictness, drift};
use crate::text::counted;
use clap::Args;
use regex::bytes::Regex;
use std::path::PathBuf;
use std::sync::Arc;

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
  ftpspec record --upstream ftp://host --out session.ftpt
  ftpspec record --upstream ftp://host --compare session.jsonl
  ftpspec judge session.jsonl";

/// Records sessions between any client and a server, on both channels.
#[derive(Debug, Args)]
pub(super) struct Record {
    /// The server: ftp://host[:port], or ftps:// for implicit TLS.
    #[arg(long, value_name = "URL")]
    upstream: String,
    /// The file of the first session, .jsonl; or .ftpt for a scenario beside each recording.
    #[arg(long, value_name = "FILE", required_unless_present = "compare")]
    out: Option<PathBuf>,
    /// Compares the sessions with recorded ones, in the order in which clients connect; may be
    /// repeated.
    #[arg(long, value_name = "FILE")]
    compare: Vec<PathBuf>,
    /// Compares the texts of replies, too, without addresses, ports, times and identifiers.
    #[arg(long, requires = "compare", conflicts_with = "exact")]
    text: bool,
    /// Compares all octets of replies and listings, and how connections end.
    #[arg(long, requires = "compare")]
    exact: bool,
    #[command(flatten)]
    proxy: ProxyOptions,
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

impl Record {
    /// Records until a signal comes, or as many sessions as were asked for have ended.
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        let (upstream, tls) = self.proxy.target(&self.upstream).await?;
        let name = without_login(&self.upstream);
        let expected = match self.compare.as_slice() {
            [] => None,
            files => Some(Arc::new(
                Expected::open(files).map_err(CommandError::usage)?,
            )),
        };
        // Without a file of its own a session is compared and forgotten.
        let folder = tempfile::tempdir().map_err(CommandError::failure)?;
        let out = match &self.out {
            Some(out) => out.clone(),
            None => folder.path().join("session.jsonl"),
        };
        let files = SessionFiles::new(&out, name.clone(), self.scrub)?;
        let service = Service {
            title: "Recording sessions with",
            upstream: &name,
            file: self.out.as_deref(),
            sessions: self.sessions,
            format: self.format,
            expected: expected.clone(),
        };
        let settings = |observers| Settings {
            listen: self.proxy.listen(),
            upstream,
            tls,
            faults: None,
            observers,
        };
        service.run(settings, Some(Arc::clone(&files))).await?;
        files.summarize(self.out.is_some())?;
        let strictness = match (self.text, self.exact) {
            (_, true) => Strictness::Exact,
            (true, _) => Strictness::Text,
            _ => Strictness::Codes,
        };
        match expected {
            Some(expected) => conclude(&expected, &files.files(), strictness),
            None => Ok(ExitCode::Success),
        }
    }
}

/// Shows on stderr what differs between recorded sessions and live ones.
fn conclude(
    expected: &Expected,
    files: &[(u64, PathBuf)],
    strictness: Strictness,
) -> Result<ExitCode, CommandError> {
    let mut differences = Vec::new();
    let mut compared = 0;
    for (number, file) in files {
        if let Some(recorded) = expected.session(*number) {
            compared += 1;
            let live = recording::open(file).map_err(CommandError::failure)?;
            let number = usize::try_from(*number).unwrap_or(usize::MAX);
            differences.extend(drift(number, &recorded, &live, strictness));
        }
    }
    let mut text = String::new();
    differences
        .iter()
        .for_each(|difference| describe(&mut text, difference));
    let recorded = expected.len();
    let found = counted(differences.len(), "difference");
    anstream::eprintln!("{text}\n{found}, {compared} of {recorded} recorded sessions compared");
    Ok(match differences.is_empty() && compared == recorded {
        true => ExitCode::Success,
        false => ExitCode::NotAsExpected,
    })
}
