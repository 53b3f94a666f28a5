//! The options of `ftpspec serve`.

use crate::cli::Format;
use crate::subject::HostAddress;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use ftpspec_server::Links;
use ftpspec_server::auth::{CertificateRule, CertificateRuleError, Network};
use ftpspec_server::fault::Fault;
use ftpspec_server::settings::{DisabledCommand, Keyword, Ports, Size, TlsMode, TlsSettings};
use ftpspec_server::tls::{Alpn, ClientCertificates, SessionReuse, TlsRequirement, TlsVersion};
use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

pub(in crate::cli) const HELP: &str = "\
On a terminal, stdout shows the URLs, the login, and a line per session, login
and transfer. Otherwise, and with --quiet, it is one JSON line when the server
is ready:
  {\"event\":\"ready\",\"version\":1,\"addresses\":[…],\"host\":…,\"port\":…,
   \"url\":…,\"user\":…,\"password\":…,\"tls\":\"explicit\",
   \"ca\":\"/tmp/…/ca.pem\",\"ca_sha256\":…}
SIGINT, SIGTERM or SIGHUP stops the server. Files are in memory and are lost
then, except those of --root. Logs go to stderr (RUST_LOG=info).
Exit codes: 0 stopped, 2 not started, 3 stdout or the journal could not be
written.

Faults:
  when WHAT [nth N | every N | from N] [user NAME] [path GLOB] [session N]
       do ACTION [times K]
WHAT is a verb, connect, login, handshake, data, listing, upload or download.
Each fault counts the events it matches, of all sessions. --list-faults lists
all actions. In TOML: [[fault]] with the keys when, nth, …, do, times.

Examples:
  ftpspec serve          a free port, AUTH TLS, user test, password test
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
    /// A settings file in TOML; server/examples/ftpspec.toml explains every key. Options override
    /// the file; --disable, --fault, --fault-file, --proxy-protocol-from and --user-cert add to it.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Prints the settings in effect, including defaults, as a settings file, and exits. Passwords
    /// are omitted.
    #[arg(long)]
    pub(super) print_config: bool,
    /// Asks for a password (or reads a line of stdin), prints its Argon2 hash for a settings file,
    /// and exits.
    #[arg(long)]
    pub(super) hash_password: bool,
    /// What stdout shows: the URLs and a line per event, or one JSON line when the server is ready.
    /// [default: human on a terminal, otherwise json]
    #[arg(long, value_enum)]
    pub(super) format: Option<Format>,
    /// The same as --format json.
    #[arg(long, short, conflicts_with = "format")]
    pub(super) quiet: bool,
    /// Address to listen on; may be repeated. A link-local address needs its zone, as in
    /// fe80::1%eth0. [default: 127.0.0.1 and, if available, ::1]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) bind: Vec<HostAddress>,
    /// Port to listen on; 0 is any free port. [default: 0]
    #[arg(long)]
    pub(super) port: Option<u16>,
    /// Listens on the sockets that systemd passes (LISTEN_FDS), in place of --bind and --port, and
    /// of `listen` and `port` of --config. The socket unit needs Accept=no.
    #[arg(long, conflicts_with_all = ["bind", "port"])]
    pub(super) systemd: bool,
    /// A user with all permissions; may be repeated. Without PASSWORD it is that of --password, or
    /// `test`, or random if an address to listen on is not a loopback address. [default, without
    /// --config: test]
    #[arg(long, value_name = "NAME[:PASSWORD]", value_parser = login)]
    pub(super) user: Vec<(String, Option<String>)>,
    /// The password of every --user without one.
    #[arg(long, env = "FTPSPEC_PASSWORD", hide_env_values = true)]
    pub(super) password: Option<String>,
    /// Also allows anonymous logins, which can read but change nothing.
    #[arg(long)]
    pub(super) anonymous: bool,
    /// Copies the files of this directory into memory at the start. The directory is never written.
    #[arg(long, value_name = "DIR", conflicts_with = "root")]
    pub(super) seed: Option<PathBuf>,
    /// Serves this directory: uploads, deletions and renames change the files on disk.
    #[arg(long, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
    /// Serves this directory and keeps all changes in memory. The directory is never written.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["seed", "root"])]
    pub(super) overlay: Option<PathBuf>,
    /// Maximum octets of all files, such as 500MB or 2GiB. [default, in memory: half of the memory
    /// the process may use, at most 4 GiB]
    #[arg(long, value_name = "SIZE")]
    pub(super) quota: Option<Size>,
    /// Omits names that begin with a dot from LIST, NLST and STAT, except with -a.
    #[arg(long)]
    pub(super) hide_dot_names: bool,
    /// How LIST shows symbolic links: as links, as their targets, or not at all. MLSD and MLST show
    /// targets. [default: shown]
    #[arg(long, value_name = "HOW", value_parser = keyword::<Links>())]
    pub(super) links: Option<Links>,
    /// Disables a verb (502), or a service such as 'SITE CHMOD' (501); may be repeated.
    #[arg(long, value_name = "VERB")]
    pub(super) disable: Vec<DisabledCommand>,
    /// The old name of --disable.
    #[arg(long, hide = true, value_parser = |_: &str| renamed("--disable"))]
    without: Option<Infallible>,
    /// Networks whose connections begin with a PROXY protocol header, as 10.0.0.0/8; may be
    /// repeated.
    #[arg(long, value_name = "NETWORK")]
    pub(super) proxy_protocol_from: Vec<Network>,
    /// The old name of --proxy-protocol-from.
    #[arg(long, hide = true, value_parser = |_: &str| renamed("--proxy-protocol-from"))]
    proxy_from: Option<Infallible>,
    /// Ports for passive data connections, such as 50000-50009; may be repeated. [default: any]
    #[arg(long, value_name = "RANGE")]
    pub(super) passive_ports: Vec<Ports>,
    /// Maximum number of control connections; one more is answered 421. [default: 20000]
    #[arg(long, value_name = "N")]
    pub(super) max_sessions: Option<usize>,
    /// Maximum number of control connections from one client address. [default: no limit]
    #[arg(long, value_name = "N")]
    pub(super) max_per_ip: Option<usize>,
    /// Seconds a control connection may be idle between transfers. [default: 600]
    #[arg(long, value_name = "SECONDS", value_parser = seconds())]
    pub(super) idle: Option<Duration>,
    /// Wrong passwords before a control connection is closed; 0 is no limit. [default: 5]
    #[arg(long, value_name = "N")]
    pub(super) login_attempts: Option<u8>,
    /// A fault for the tests of clients: 'when RETR nth 2 do reset at 4096'; may be repeated.
    #[arg(long, value_name = "FAULT")]
    pub(super) fault: Vec<Fault>,
    /// A TOML file of [[fault]] tables; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(super) fault_file: Vec<PathBuf>,
    /// Prints the syntax of faults and all actions, and exits.
    #[arg(long)]
    pub(super) list_faults: bool,
    /// Writes all events to this file, as JSON lines; `-` is stderr. Passwords are omitted. An
    /// existing file is appended to, starting with another line {"journal":1}; a symbolic link is
    /// refused.
    #[arg(long, value_name = "FILE")]
    pub(super) journal: Option<PathBuf>,
    // Last, because its heading applies to all options after it.
    #[command(flatten)]
    pub(super) tls: TlsOptions,
}

/// TLS options.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsOptions {
    /// TLS on control connections: never, after AUTH TLS, or from the start. [default: explicit]
    #[arg(long, value_name = "MODE", value_parser = keyword::<TlsMode>())]
    pub(super) tls: Option<TlsMode>,
    /// Certificate chain in PEM, with --key. [default: a certificate of an ephemeral CA]
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// Private key in PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    /// What must be protected by TLS: nothing, the control connection (otherwise USER is answered
    /// 530), or data connections as well (521). [default: none]
    #[arg(long, value_name = "WHAT", value_parser = keyword::<TlsRequirement>())]
    pub(super) tls_required: Option<TlsRequirement>,
    /// The lowest TLS version. [default: 1.2]
    #[arg(long, value_name = "VERSION", value_parser = keyword::<TlsVersion>())]
    pub(super) tls_min: Option<TlsVersion>,
    /// The highest TLS version. [default: 1.3]
    #[arg(long, value_name = "VERSION", value_parser = keyword::<TlsVersion>())]
    pub(super) tls_max: Option<TlsVersion>,
    /// Clients must present a certificate issued by one of these CAs, in PEM.
    #[arg(long, value_name = "FILE")]
    pub(super) client_ca: Option<PathBuf>,
    /// Clients may omit the certificate.
    #[arg(long, requires = "client_ca")]
    pub(super) client_cert_optional: bool,
    /// Allows NAME to log in without a password, with a client certificate that matches KIND:TEXT:
    /// sha256:HEX, cn:NAME (its only common name), or an alternative name: email:ADDRESS, dns:HOST
    /// or uri:URI. May be repeated.
    #[arg(long, value_name = "NAME=KIND:TEXT", value_parser = certificate_login)]
    pub(super) user_cert: Vec<(String, CertificateRule)>,
    /// Data connections that do not resume the TLS session of their control connection: accepted,
    /// logged (RUST_LOG=warn), or refused (522). Many clients do not resume it. [default: off]
    #[arg(long, value_name = "WHAT", value_parser = keyword::<SessionReuse>())]
    pub(super) tls_reuse: Option<SessionReuse>,
    /// ALPN in handshakes: ignored; `ftp` or nothing; or `ftp`. [default: optional]
    #[arg(long, value_name = "WHAT", value_parser = keyword::<Alpn>())]
    pub(super) alpn: Option<Alpn>,
    /// Writes the secrets of all TLS sessions to this file, for Wireshark. Anyone who can read the
    /// file can decrypt the connections.
    #[arg(long, value_name = "FILE")]
    pub(super) key_log: Option<PathBuf>,
    /// Allows CCC, which ends TLS on the control connection.
    #[arg(long)]
    pub(super) allow_ccc: bool,
}

impl TlsOptions {
    /// Changes the settings, except for the users of `user_cert`.
    pub(super) fn set(self, settings: &mut TlsSettings) {
        set(&mut settings.mode, self.tls);
        set(&mut settings.certificate, self.cert.map(Some));
        set(&mut settings.key, self.key.map(Some));
        set(&mut settings.required, self.tls_required);
        set(&mut settings.lowest, self.tls_min);
        set(&mut settings.highest, self.tls_max);
        set(&mut settings.session_reuse, self.tls_reuse);
        set(&mut settings.alpn, self.alpn);
        set(&mut settings.key_log, self.key_log.map(Some));
        settings.allow_ccc |= self.allow_ccc;
        if self.client_ca.is_some() {
            settings.client_authorities = self.client_ca;
            settings.client_certificates = match self.client_cert_optional {
                true => ClientCertificates::Optional,
                false => ClientCertificates::Required,
            };
        }
    }
}

/// Parses the keywords of a setting; `--help` lists them.
fn keyword<T: Keyword + Clone + Send + Sync + 'static>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(T::KEYWORDS).try_map(|word| word.parse::<T>())
}

fn seconds() -> impl TypedValueParser<Value = Duration> {
    clap::value_parser!(u64)
        .range(1..=31_536_000)
        .map(Duration::from_secs)
}

/// Parses `NAME[:PASSWORD]`.
fn login(text: &str) -> Result<(String, Option<String>), Infallible> {
    Ok(match text.split_once(':') {
        Some((name, password)) => (name.to_owned(), Some(password.to_owned())),
        None => (text.to_owned(), None),
    })
}

/// Parses `NAME=KIND:TEXT`.
///
/// # Errors
/// What is wrong with the text.
fn certificate_login(text: &str) -> Result<(String, CertificateRule), String> {
    match text.split_once('=') {
        Some((name, rule)) if !name.is_empty() => {
            let rule = rule.parse();
            let rule = rule.map_err(|error: CertificateRuleError| error.to_string())?;
            Ok((name.to_owned(), rule))
        }
        _ => Err("expected NAME=KIND:TEXT, for example alice=cn:alice".into()),
    }
}

/// Refuses the old name of an option.
fn renamed(new: &str) -> Result<Infallible, String> {
    Err(format!("this option is now called {new}"))
}

/// Replaces a setting if its option is given.
pub(super) fn set<T>(setting: &mut T, option: Option<T>) {
    if let Some(value) = option {
        *setting = value;
    }
}
