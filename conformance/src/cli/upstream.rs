//! The options of a proxy in front of a server, and how it says that it listens.

use super::Format;
use super::exit_code::CommandError;
use crate::driver::Trust;
use crate::proxy::{Protections, UpstreamTls};
use crate::subject::{Target, TlsMode};
use clap::{Args, ValueEnum};
use rustls::RootCertStore;
use serde::Serialize;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the proxy listens, and how both of its sides are protected.
#[derive(Debug, Args)]
pub(super) struct ProxyOptions {
    /// Address and port to listen at, as 127.0.0.1:2121 or [::1]:0; port 0 is any free port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How clients begin TLS: with AUTH TLS, or from the start. [default: as the server]
    #[arg(long, value_enum, value_name = "HOW")]
    listen_tls: Option<ListenTls>,
    /// How the connection with the server is protected. [default: same; implicit for ftps://]
    #[arg(long, value_enum, value_name = "HOW")]
    upstream_tls: Option<Protection>,
    /// Authorities that may have issued the server's certificate, in PEM.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    upstream_ca: Option<PathBuf>,
    /// Accepts any certificate of the server.
    #[arg(long)]
    insecure: bool,
}

/// `--listen-tls`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListenTls {
    /// In clear until the client sends AUTH TLS.
    Explicit,
    /// From the first octet on.
    Implicit,
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
    /// TLS from the first octet on, whatever the client does.
    Implicit,
}

impl ProxyOptions {
    /// Where it listens.
    pub(super) fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// The server at this URL, and how both sides are protected.
    ///
    /// # Errors
    /// The URL, the file of authorities or the options contradict each other or cannot be used.
    pub(super) async fn target(&self, url: &str) -> Result<(Target, Protections), CommandError> {
        let target = Target::from_url(url, &[]).await;
        let mut target = target.map_err(CommandError::usage)?;
        target.trust = self.trust()?;
        let tls = self.protections(target.tls == TlsMode::Implicit);
        Ok((target, tls.map_err(CommandError::usage)?))
    }

    fn protections(&self, ftps: bool) -> Result<Protections, &'static str> {
        let upstream = match (self.upstream_tls, ftps) {
            (Some(Protection::Off | Protection::Explicit), true) => {
                return Err(
                    "--upstream-tls: an ftps:// server is under TLS from the start; use ftp:// for \
                     AUTH TLS or none",
                );
            }
            (Some(Protection::Implicit), _) | (_, true) => UpstreamTls::Implicit,
            (Some(Protection::Off), _) => UpstreamTls::Off,
            (Some(Protection::Explicit), _) => UpstreamTls::Explicit,
            (Some(Protection::Same) | None, _) => UpstreamTls::Same,
        };
        let implicit_listener = match self.listen_tls {
            Some(how) => how == ListenTls::Implicit,
            None => ftps,
        };
        // What begins with the first octet on one side begins with AUTH TLS on the other.
        let upstream = match (upstream, implicit_listener) {
            (UpstreamTls::Same, true) => UpstreamTls::Explicit,
            (upstream, _) => upstream,
        };
        Ok(Protections {
            upstream,
            implicit_listener,
        })
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
}

/// The first line of a proxy, once it listens.
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

/// What the first lines say.
pub(super) struct Announcement<'a> {
    /// What it does, for people.
    pub(super) title: &'a str,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Whether clients begin with TLS.
    pub(super) implicit: bool,
    /// The server, without user and password.
    pub(super) upstream: &'a str,
    /// The file with the certificate that clients have to trust.
    pub(super) ca: &'a Path,
    /// The file that is written.
    pub(super) file: Option<&'a Path>,
}

impl Announcement<'_> {
    /// Writes it to stdout.
    ///
    /// # Errors
    /// Those of stdout.
    pub(super) fn print(&self, format: Option<Format>) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let scheme = if self.implicit { "ftps" } else { "ftp" };
        let url = format!("{scheme}://{}/", self.address);
        if is_human(format) {
            writeln!(stdout, "{} {}", self.title, self.upstream)?;
            writeln!(stdout, "  connect to   {url}")?;
            writeln!(stdout, "  certificate  {}", self.ca.display())?;
            if let Some(file) = self.file {
                writeln!(stdout, "  file         {}", file.display())?;
            }
            writeln!(stdout, "Press Ctrl-C to stop.")?;
        } else {
            let ready = Ready {
                event: "ready",
                version: 1,
                address: self.address.to_string(),
                host: self.address.ip().to_string(),
                port: self.address.port(),
                url,
                upstream: self.upstream,
                ca: self.ca.display().to_string(),
                pid: std::process::id(),
            };
            serde_json::to_writer(&mut stdout, &ready)?;
            writeln!(stdout)?;
        }
        stdout.flush()
    }
}

/// Whether stdout is for people.
pub(super) fn is_human(format: Option<Format>) -> bool {
    match format {
        Some(format) => format == Format::Human,
        None => io::stdout().is_terminal(),
    }
}

/// The URL without user and password.
pub(super) fn without_login(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else {
        return String::new();
    };
    let _cannot_have_one = url.set_username("");
    let _cannot_have_one = url.set_password(None);
    url.into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Options {
        #[command(flatten)]
        proxy: ProxyOptions,
    }

    #[rstest::rstest]
    #[case("", false, UpstreamTls::Same, false, false)]
    #[case("", true, UpstreamTls::Implicit, true, false)]
    #[case("--listen-tls explicit", true, UpstreamTls::Implicit, false, true)]
    #[case("--listen-tls implicit", false, UpstreamTls::Explicit, true, true)]
    #[case("--upstream-tls implicit", false, UpstreamTls::Implicit, false, true)]
    #[case("--upstream-tls off", false, UpstreamTls::Off, false, true)]
    fn either_side_may_begin_tls_in_its_own_way(
        #[case] options: &str,
        #[case] ftps: bool,
        #[case] upstream: UpstreamTls,
        #[case] implicit_listener: bool,
        #[case] local: bool,
    ) {
        let words = std::iter::once("x").chain(options.split_whitespace());
        let options = Options::parse_from(words).proxy;
        let tls = options.protections(ftps).unwrap();
        let expected = Protections {
            upstream,
            implicit_listener,
        };
        assert_eq!((tls, tls.local()), (expected, local));
    }

    #[test]
    fn an_ftps_server_is_not_asked_for_auth() {
        let options = Options::parse_from(["x", "--upstream-tls", "explicit"]).proxy;
        assert!(options.protections(true).is_err());
        assert!(options.protections(false).is_ok());
    }
}
