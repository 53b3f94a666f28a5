//! `ftpspec serve`: the disposable reference server.

pub use ftpspec_server::auth::CertificateRule;
pub use ftpspec_server::fault::Fault;
pub use ftpspec_server::settings::{Settings, Size, SwitchedOff, TlsMode};
pub use ftpspec_server::{
    Alpn, ClientCertificates, Links, Network, SessionReuse, TlsRequirement, TlsVersion,
};

use ftpspec_server::accounts::PasswordHash;
use ftpspec_server::auth::{NoCertificateRule, Secret};
use ftpspec_server::fault::{self, Plan};
use ftpspec_server::journal::Journal;
use ftpspec_server::settings::{Ports, UserSettings};
use ftpspec_server::{DotNames, Running, StartError};
use serde::Serialize;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinHandle;

/// The most octets of a password on stdin.
const LONGEST_PASSWORD: u64 = 4096;

/// What `serve` is asked for. What is not said is as the settings file has it, and without one as the library has it.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The settings file.
    pub config: Option<PathBuf>,
    /// Addresses to listen on; none is loopback, IPv4 and where possible IPv6.
    pub bind: Vec<IpAddr>,
    /// Port; 0 takes a free one.
    pub port: Option<u16>,
    /// User names and passwords, everything allowed, in the place of those of the file.
    pub users: Vec<(String, String)>,
    /// Whether `anonymous` may read.
    pub anonymous: bool,
    /// How connections are protected.
    pub tls: Option<TlsMode>,
    /// Certificate chain and private key, in PEM; none is an ephemeral CA.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// What is asked of TLS.
    pub tls_rules: TlsRules,
    /// Directory whose files are there from the start.
    pub seed: Option<PathBuf>,
    /// Directory that is served itself.
    pub root: Option<PathBuf>,
    /// Directory that is read, with memory above it.
    pub overlay: Option<PathBuf>,
    /// The most octets all files may hold.
    pub quota: Option<Size>,
    /// Names that begin with a dot are left out of listings.
    pub hide_dot_names: bool,
    /// What listings show of symbolic links.
    pub links: Option<Links>,
    /// Verbs and services of SITE that are switched off, beside those of the file.
    pub without: Vec<SwitchedOff>,
    /// Load balancers, beside those of the file.
    pub proxy_from: Vec<Network>,
    /// First and last port of passive data connections.
    pub passive_ports: Option<(u16, u16)>,
    /// What clients are held to.
    pub limits: LimitsWish,
    /// Planned misbehaviour, beside that of the file.
    pub faults: Vec<Fault>,
    /// More of it, in TOML files.
    pub fault_files: Vec<PathBuf>,
    /// Where the journal is written, as JSON lines; `-` is stderr.
    pub journal: Option<PathBuf>,
}

/// What clients are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitsWish {
    /// Control connections at a time.
    pub sessions: Option<usize>,
    /// The same, of one client address.
    pub sessions_per_address: Option<usize>,
    /// How long a control connection may be idle.
    pub idle: Option<Duration>,
    /// Wrong passwords before a control connection is closed; 0 is no limit.
    pub failed_logins: Option<u8>,
}

/// What is asked of TLS, where there is any.
#[derive(Debug, Clone, Default)]
pub struct TlsRules {
    /// What must be protected.
    pub required: Option<TlsRequirement>,
    /// The lowest version.
    pub lowest: Option<TlsVersion>,
    /// The highest version.
    pub highest: Option<TlsVersion>,
    /// The authorities of client certificates, in PEM, and whether clients must have one.
    pub clients: Option<(PathBuf, ClientCertificates)>,
    /// Who may log in with which client certificate.
    pub logins: Vec<(String, CertificateRule)>,
    /// What becomes of data connections that resume no session.
    pub reuse: Option<SessionReuse>,
    /// What is asked of the protocol name.
    pub alpn: Option<Alpn>,
    /// Where the secrets of every session are written to.
    pub key_log: Option<PathBuf>,
    /// Whether CCC may take the protection away.
    pub allow_ccc: bool,
}

/// Puts what was said in the place of what is.
fn set<T>(to: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *to = said;
    }
}

/// The same where there may be nothing.
fn set_some<T>(to: &mut Option<T>, said: Option<T>) {
    if said.is_some() {
        *to = said;
    }
}

impl Wish {
    /// The settings file, and what was said beside it. Flags win.
    ///
    /// # Errors
    /// A file that cannot be read or says something wrong, and flags that do not go together.
    pub fn settings(self) -> io::Result<Settings> {
        let mut settings = match &self.config {
            Some(file) => Settings::read(file).map_err(io::Error::other)?,
            None => Settings::default(),
        };
        self.listen(&mut settings);
        if !self.users.is_empty() {
            let users = self.users.into_iter();
            settings.users = users
                .map(|(name, password)| UserSettings::new(name, Secret::new(password)))
                .collect();
        }
        if self.anonymous {
            settings.anonymous.get_or_insert_default();
        }
        let storage = &mut settings.storage;
        if self.root.is_some() || self.overlay.is_some() || self.seed.is_some() {
            storage.directory = self.root;
            storage.overlay = self.overlay;
            storage.seed = self.seed;
        }
        set_some(&mut storage.quota, self.quota);
        if self.hide_dot_names {
            settings.dot_names = DotNames::Hidden;
        }
        set(&mut settings.links, self.links);
        settings.without.extend(self.without);
        settings.balancers.extend(self.proxy_from);
        if let Some((first, last)) = self.passive_ports {
            settings.passive.ports = Some(vec![Ports {
                listened: first..=last,
                announced: first,
            }]);
        }
        let limits = &mut settings.limits;
        set(&mut limits.sessions, self.limits.sessions);
        set(
            &mut limits.sessions_per_address,
            self.limits.sessions_per_address,
        );
        set(&mut limits.idle, self.limits.idle);
        set(&mut limits.failed_logins, self.limits.failed_logins);
        settings.faults.extend(self.faults);
        for path in &self.fault_files {
            let text = std::fs::read_to_string(path).map_err(|error| about(&error, path))?;
            let plan = Plan::from_toml(&text);
            let plan = plan.map_err(|error| about(&io::Error::other(error), path))?;
            settings.faults.extend(plan.faults);
        }
        set_some(&mut settings.journal, self.journal);
        set(&mut settings.tls.mode, self.tls);
        if let Some((chain, key)) = self.certificate {
            settings.tls.certificate = Some(chain);
            settings.tls.key = Some(key);
        }
        self.tls_rules.apply(&mut settings);
        match settings.check().first() {
            None => Ok(settings),
            Some(wrong) => Err(io::Error::other(wrong.clone())),
        }
    }

    fn listen(&self, settings: &mut Settings) {
        if !self.bind.is_empty() {
            let port = self.port.unwrap_or(settings.port);
            let addresses = self.bind.iter().map(|ip| SocketAddr::new(*ip, port));
            settings.listen = addresses.collect();
            settings.port = 0;
            let names = self.bind.iter().map(IpAddr::to_string);
            settings.tls.names.extend(names);
        } else if let Some(port) = self.port {
            if settings.listen.is_empty() {
                settings.port = port;
            }
            for address in &mut settings.listen {
                address.set_port(port);
            }
        }
    }
}

impl TlsRules {
    fn apply(self, settings: &mut Settings) {
        let tls = &mut settings.tls;
        set(&mut tls.required, self.required);
        set(&mut tls.lowest, self.lowest);
        set(&mut tls.highest, self.highest);
        set(&mut tls.session_reuse, self.reuse);
        set(&mut tls.alpn, self.alpn);
        set_some(&mut tls.key_log, self.key_log);
        tls.allow_ccc |= self.allow_ccc;
        if let Some((authorities, demand)) = self.clients {
            tls.client_authorities = Some(authorities);
            tls.client_certificates = demand;
        }
        for (name, rule) in self.logins {
            let mut users = settings.users.iter_mut();
            match users.find(|user| user.name == name) {
                Some(user) => user.certificates.push(rule),
                None => settings.users.push(UserSettings {
                    name,
                    certificates: vec![rule],
                    ..UserSettings::default()
                }),
            }
        }
    }
}

/// Reads `NAME=RULE`: who may log in with which client certificate.
///
/// # Errors
/// What is wrong with it.
pub fn certificate_login(text: &str) -> Result<(String, CertificateRule), String> {
    match text.split_once('=') {
        Some((name, rule)) if !name.is_empty() => {
            let rule = rule
                .parse()
                .map_err(|error: NoCertificateRule| error.to_string())?;
            Ok((name.to_owned(), rule))
        }
        _ => Err("expected NAME=RULE, for example alice=cn:alice".into()),
    }
}

/// The line on stdout that says the server is ready. Version 1; fields are only ever added.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    event: &'static str,
    version: u32,
    addresses: Vec<String>,
    host: String,
    port: u16,
    url: String,
    user: &'a str,
    password: &'a str,
    tls: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_sha256: Option<&'a str>,
    pid: u32,
}

/// Serves until SIGINT or SIGTERM; prints the ready line on stdout.
///
/// # Errors
/// Whatever keeps the server from starting: a taken port, a certificate that cannot be read, a directory that is not there.
pub async fn serve(settings: &Settings) -> io::Result<()> {
    let prepared = settings.prepare().map_err(io::Error::other)?;
    for skipped in prepared.skipped {
        eprintln!("serve: not seeded: {skipped}");
    }
    let mut builder = prepared.builder;
    let journal = settings.journal.as_deref().map(open_journal).transpose()?;
    if let Some((journal, _)) = &journal {
        builder = builder.journal(journal);
    }
    let running = builder.start().await.map_err(whose_fault)?;
    let ca = CaFile::write(&running)?;
    announce(settings, &running, ca.as_ref())?;
    interrupted().await?;
    running.stop().await;
    if let Some((_, writing)) = journal {
        writing.await??;
    }
    Ok(())
}

/// Prints the settings in effect, as a file that can be read.
///
/// # Errors
/// When stdout is gone.
pub fn print_config(settings: &Settings) -> io::Result<()> {
    io::stdout().lock().write_all(settings.to_toml().as_bytes())
}

/// Asks for a password, or reads the first line of stdin where nobody can be asked, and prints its hash.
///
/// # Errors
/// When there is nothing to be read, or stdout is gone.
pub fn hash_password() -> io::Result<()> {
    let password = if io::stdin().is_terminal() {
        rpassword::prompt_password("Password: ")?
    } else {
        let mut line = String::new();
        io::stdin()
            .lock()
            .take(LONGEST_PASSWORD)
            .read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if password.is_empty() {
        return Err(io::Error::other("there is no password on stdin"));
    }
    let hash = PasswordHash::of(password.as_bytes()).map_err(io::Error::other)?;
    writeln!(io::stdout().lock(), "{hash}")
}

/// Prints how faults are written and what they do.
///
/// # Errors
/// When stdout is gone.
pub fn list_faults() -> io::Result<()> {
    io::stdout().lock().write_all(fault::describe().as_bytes())
}

/// A journal that is written to `path` until the server has ended.
fn open_journal(path: &Path) -> io::Result<(Journal, JoinHandle<io::Result<()>>)> {
    let journal = Journal::new().hashing();
    let writing = if path.as_os_str() == "-" {
        journal.write_to(io::stderr())
    } else {
        let file = std::fs::File::create(path).map_err(|error| about(&error, path))?;
        journal.write_to(io::BufWriter::new(file))
    };
    Ok((journal, writing))
}

/// The whole chain of causes in one line.
fn whose_fault(error: StartError) -> io::Error {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    io::Error::other(format!("{error}{}", cause.unwrap_or_default()))
}

fn announce(settings: &Settings, running: &Running, ca: Option<&CaFile>) -> io::Result<()> {
    let addresses = running.addresses();
    let first = addresses
        .first()
        .copied()
        .ok_or(io::ErrorKind::AddrNotAvailable)?;
    let anonymous = settings.anonymous.as_ref();
    let anonymous = anonymous.and_then(|anonymous| anonymous.names.first());
    let (user, password) = match settings.users.first() {
        // What is hashed cannot be told.
        Some(user) => {
            let password = user.password.as_ref().map(Secret::expose);
            let password = password.map(String::from_utf8_lossy).unwrap_or_default();
            (user.name.as_str(), password)
        }
        None => (anonymous.map_or("anonymous", String::as_str), "".into()),
    };
    let password = &*password;
    // An address that means "any" is no address to connect to.
    let host = match first.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V6(ip) if ip.is_unspecified() => "::1".to_owned(),
        ip => ip.to_string(),
    };
    let scheme = if settings.tls.mode == TlsMode::Implicit {
        "ftps"
    } else {
        "ftp"
    };
    let mut url = url::Url::parse(&format!("{scheme}://localhost/")).map_err(io::Error::other)?;
    let bracketed = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.clone()
    };
    url.set_host(Some(&bracketed)).map_err(io::Error::other)?;
    // The setters refuse only URLs that cannot have these parts; an ftp URL can.
    let _ = url.set_port(Some(first.port()));
    let _ = url.set_username(user);
    let _ = url.set_password((!password.is_empty()).then_some(password));
    let ready = Ready {
        event: "ready",
        version: 1,
        addresses: addresses.iter().map(ToString::to_string).collect(),
        host,
        port: first.port(),
        url: url.into(),
        user,
        password,
        tls: match settings.tls.mode {
            TlsMode::Off => "off",
            TlsMode::Explicit => "explicit",
            TlsMode::Implicit => "implicit",
        },
        ca: ca.map(|file| file.path.display().to_string()),
        ca_sha256: running.ca_fingerprint(),
        pid: std::process::id(),
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &ready)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// The ephemeral CA's certificate as a file, in a directory of its own; removed at the end.
struct CaFile {
    path: PathBuf,
}

impl CaFile {
    fn write(running: &Running) -> io::Result<Option<Self>> {
        let Some(pem) = running.ca_pem() else {
            return Ok(None);
        };
        let id = format!(
            "ftpspec-{}-{}",
            std::process::id(),
            running.addresses()[0].port()
        );
        let directory = std::env::temp_dir().join(id);
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
        // An existing directory may be somebody else's trap: it is an error, not a place to write to.
        builder
            .create(&directory)
            .map_err(|e| about(&e, &directory))?;
        let path = directory.join("ca.pem");
        std::fs::write(&path, pem).map_err(|e| about(&e, &path))?;
        Ok(Some(Self { path }))
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        if let Some(directory) = self.path.parent() {
            let _ = std::fs::remove_dir(directory);
        }
    }
}

/// Waits for SIGINT or SIGTERM.
///
/// # Errors
/// When the system does not let us listen for signals.
pub async fn interrupted() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

fn about(error: &io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
