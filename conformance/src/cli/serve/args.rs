//! What `ftpspec serve` can be told.

use crate::cli::serve::{
    CertificateRule, DisabledCommand, Fault, Network, Size, certificate_login,
};
use crate::subject::HostAddress;
use clap::{Args, ValueEnum};
use std::convert::Infallible;
use std::path::PathBuf;

pub(in crate::cli) const SERVE_HELP: &str = "\
When it is ready it prints one JSON line on stdout:
  {\"event\":\"ready\",\"version\":1,\"addresses\":[…],\"host\":…,\"port\":…,
   \"url\":…,\"user\":…,\"password\":…,\"tls\":\"explicit\",
   \"ca\":\"/tmp/…/ca.pem\",\"ca_sha256\":…}
It stops on SIGINT, SIGTERM or SIGHUP. Files are kept in memory and are lost
when it stops, except those of --root. Logs go to stderr (RUST_LOG=info).
Exit codes: 0 stopped, 2 not started, 3 the ready line or the journal could not
be written.

Faults:
  when WHAT [nth N | every N | from N] [user NAME] [path GLOB] [session N]
       do ACTION [times K]
WHAT is a verb, connect, login, handshake, data, listing, upload or download.
Each fault counts the events it matches, over the whole server. --list-faults
lists all actions. In TOML: [[fault]] with when, nth, …, do, times as keys.

Examples:
  ftpspec serve          a free port, AUTH TLS; user test with password test
  ftpspec serve --port 2121 --user bob:secret
  ftpspec serve --tls implicit --seed fixtures/
  ftpspec serve --tls-required data --tls-reuse require
  ftpspec serve --client-ca ca.pem --user-cert alice=email:alice@example.org
  ftpspec serve --root /srv/ftp --user bob
  ftpspec serve --config ftpspec.toml --print-config
  ftpspec serve --fault 'when RETR nth 2 do reset at 4096' \\
                --fault 'when LIST do missing 226 times 1'";

#[derive(Debug, Args)]
pub(in crate::cli) struct Serve {
    /// Settings in TOML; everything here can stand there, and more. Flags win, those that may be repeated add to it, and
    /// --user and directories take the place of the file's. server/examples/ftpspec.toml explains every key.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Prints the settings in effect, defaults included, as such a file, and exits. Passwords are left out.
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Asks for a password (or reads a line of stdin), prints its Argon2 hash for a settings file, and exits.
    #[arg(long)]
    pub(crate) hash_password: bool,
    /// Address to listen on; may be repeated. A link-local one has its zone, as fe80::1%eth0.
    /// [default: 127.0.0.1 and, where there is one, ::1]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind: Vec<HostAddress>,
    /// Port to listen on; 0 takes a free one. [default: 0]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Who may log in, with everything allowed; may be repeated. Where a --bind is not a loopback
    /// address, a password that is not given is random and in the ready line. [default, without
    /// --config: test, whose password is test]
    #[arg(long, value_name = "NAME[:PASSWORD]")]
    pub(crate) user: Vec<String>,
    /// The password of a --user given without one.
    #[arg(long, env = "FTPSPEC_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// Also lets `anonymous` in, who may read but change nothing.
    #[arg(long)]
    pub(crate) anonymous: bool,
    /// Protection: none, AUTH TLS on request, or TLS from the first octet. [default: explicit]
    #[arg(long, value_enum)]
    pub(crate) tls: Option<TlsChoice>,
    /// Certificate chain in PEM, with --key; otherwise a certificate of an ephemeral CA.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// Private key in PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tls_rules: TlsRules,
    /// Directory whose files are there from the start, as copies in memory: the directory is read once, never written.
    #[arg(long, value_name = "DIR", conflicts_with = "root")]
    pub(crate) seed: Option<PathBuf>,
    /// Directory that is served itself: uploads, deletions and renames happen on disk and stay.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Directory that is read and never written: what clients change is kept in memory above it, and gone afterwards.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["seed", "root"])]
    pub(crate) overlay: Option<PathBuf>,
    /// The most octets all files may hold, such as 500MB or 2GiB. [default, in memory: half of what
    /// the process may use, at most 4 GiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) quota: Option<Size>,
    /// Leaves names that begin with a dot out of LIST, NLST and STAT unless the client says -a, as
    /// many servers do.
    #[arg(long)]
    pub(crate) hide_dot_names: bool,
    /// Symbolic links in listings: shown as links by LIST, followed, or left out. MLSD and MLST
    /// follow. [default: shown]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) links: Option<LinksChoice>,
    /// Disables a verb (502), or a service such as 'SITE CHMOD' (501); may be repeated.
    #[arg(long, value_name = "VERB")]
    pub(crate) disable: Vec<DisabledCommand>,
    /// The old name of --disable.
    #[arg(long, hide = true, value_parser = |_: &str| renamed("--disable"))]
    pub(crate) without: Option<Infallible>,
    /// Networks whose connections begin with a PROXY protocol header, as 10.0.0.0/8; may be
    /// repeated.
    #[arg(long, value_name = "NETWORK")]
    pub(crate) proxy_protocol_from: Vec<Network>,
    /// The old name of --proxy-protocol-from.
    #[arg(long, hide = true, value_parser = |_: &str| renamed("--proxy-protocol-from"))]
    pub(crate) proxy_from: Option<Infallible>,
    /// Ports for passive data connections, as FIRST-LAST. [default: any]
    #[arg(long, value_name = "RANGE", value_parser = port_range)]
    pub(crate) passive_ports: Option<(u16, u16)>,
    /// Control connections at a time; one more is told 421.
    #[arg(long, value_name = "N")]
    pub(crate) max_sessions: Option<usize>,
    /// Control connections at a time from one client address. [default: as many as there are]
    #[arg(long, value_name = "N")]
    pub(crate) max_per_ip: Option<usize>,
    /// Seconds a control connection may be idle between transfers. [default: 600]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub(crate) idle: Option<u64>,
    /// Wrong passwords before a control connection is closed; 0 is no limit. [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) login_attempts: Option<u8>,
    /// Planned misbehaviour, for the tests of clients: 'when RETR nth 2 do reset at 4096'; may be repeated.
    #[arg(long, value_name = "FAULT")]
    pub(crate) fault: Vec<Fault>,
    /// A TOML file of [[fault]] tables; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) fault_file: Vec<PathBuf>,
    /// Prints how faults are written and what they do, and exits.
    #[arg(long)]
    pub(crate) list_faults: bool,
    /// Writes everything that happens into this file, as JSON lines; `-` is stderr. Passwords are
    /// left out. An existing file is continued, beginning with another line {"journal":1}; a
    /// symbolic link is refused.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
}

/// What the server asks of TLS.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsRules {
    /// What must be protected: nothing, the control connection (USER in the clear is 530), or transfers too (521).
    /// [default: none]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) tls_required: Option<Required>,
    /// The lowest TLS version. [default: 1.2]
    #[arg(long, value_enum, value_name = "VERSION")]
    pub(crate) tls_min: Option<Version>,
    /// The highest TLS version. [default: 1.3]
    #[arg(long, value_enum, value_name = "VERSION")]
    pub(crate) tls_max: Option<Version>,
    /// Clients must show a certificate of these authorities, in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) client_ca: Option<PathBuf>,
    /// Clients may come without a certificate.
    #[arg(long, requires = "client_ca")]
    pub(crate) client_cert_optional: bool,
    /// Lets NAME in without a password, with the client certificate that KIND:TEXT describes:
    /// sha256:HEX, cn:NAME (its only common name), or by an alternative name email:ADDRESS,
    /// dns:HOST, uri:URI; may be repeated.
    #[arg(long, value_name = "NAME=KIND:TEXT", value_parser = certificate_login)]
    pub(crate) user_cert: Vec<(String, CertificateRule)>,
    /// Data connections that do not resume the TLS session of their control connection: served, logged, or refused (522).
    /// [default: off]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) tls_reuse: Option<Reuse>,
    /// The protocol name (ALPN) of the handshake: not looked at, none or ftp, or ftp. [default: optional]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) alpn: Option<AlpnChoice>,
    /// Writes the secrets of every TLS session to this file, for Wireshark. Whoever reads it can read everything.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_log: Option<PathBuf>,
    /// CCC may take the protection of the control connection away.
    #[arg(long)]
    pub(crate) allow_ccc: bool,
}

/// `--tls-required`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Required {
    /// Nothing.
    None,
    /// The login.
    Control,
    /// The login and every transfer.
    Data,
}

/// `--tls-min`, `--tls-max`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Version {
    /// TLS 1.2.
    #[value(name = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[value(name = "1.3")]
    V1_3,
}

/// `--tls-reuse`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reuse {
    /// Nobody looks.
    Off,
    /// Logged, with the reason (RUST_LOG=warn).
    Warn,
    /// Refused with 522 and the reason. Many clients cannot do it.
    Require,
}

/// `--alpn`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlpnChoice {
    /// Nobody looks.
    Ignored,
    /// None will do; another than ftp is refused.
    Optional,
    /// It must be ftp.
    Required,
}

/// `--links`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinksChoice {
    /// LIST shows the link and where it leads.
    Shown,
    /// LIST shows what the link leads to.
    Followed,
    /// Listings leave links out.
    Hidden,
}

/// `--tls`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsChoice {
    /// No TLS.
    Off,
    /// AUTH TLS (RFC 4217).
    Explicit,
    /// TLS from the first octet.
    Implicit,
}

/// Refuses the old name of an option.
fn renamed(new: &str) -> Result<Infallible, String> {
    Err(format!("this option is now called {new}"))
}

fn port_range(text: &str) -> Result<(u16, u16), String> {
    let range = text
        .split_once('-')
        .and_then(|(first, last)| Some((first.parse::<u16>().ok()?, last.parse::<u16>().ok()?)));
    match range {
        Some((first, last)) if first > 0 && first <= last => Ok((first, last)),
        _ => Err("expected FIRST-LAST, for example 30000-30099".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_range_runs_upwards_and_never_from_zero() {
        assert_eq!(port_range("30000-30099"), Ok((30000, 30099)));
        for wrong in ["", "1", "2-1", "0-5", "a-b", "1-70000"] {
            assert!(port_range(wrong).is_err(), "{wrong}");
        }
    }
}
