//! `ftpspec record`: a proxy in front of a server that records each session.

use super::Format;
use super::exit_code::{CommandError, ExitCode};
use super::proxy_service::Service;
use super::session_files::SessionFiles;
use super::upstream::{ProxyOptions, without_login};
use crate::proxy::Settings;
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
  ftpspec judge session.jsonl";

/// Records sessions between any client and a server, on both channels.
#[derive(Debug, Args)]
pub(super) struct Record {
    /// The server: ftp://host[:port], or ftps:// for implicit TLS.
    #[arg(long, value_name = "URL")]
    upstream: String,
    /// The file of the first session; its name ends in .jsonl.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
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
        let files = SessionFiles::new(&self.out, name.clone(), self.scrub)?;
        let service = Service {
            title: "Recording sessions with",
            upstream: &name,
            file: Some(&self.out),
            sessions: self.sessions,
            format: self.format,
        };
        let settings = |observers| Settings {
            listen: self.proxy.listen(),
            upstream,
            tls,
            faults: None,
            observers,
        };
        service.run(settings, Some(Arc::clone(&files))).await?;
        files.summarize()
    }
}
