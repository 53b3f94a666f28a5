//! `ftpspec serve`: the disposable reference server.

pub use ftpspec_server::auth::CertificateRule;
pub use ftpspec_server::{ClientCertificates, SessionReuse, TlsRequirement, TlsVersion};

use ftpspec_server::auth::NoCertificateRule;
use ftpspec_server::fault::{self, Plan};
use ftpspec_server::journal::Journal;
use ftpspec_server::storage::{MemFs, Overlay, Storage, seed};
use ftpspec_server::{Limits, Running, Server, StartError, Tls};
use serde::Serialize;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

pub use ftpspec_server::fault::Fault;

/// What `serve` is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Addresses to listen on; none is loopback, IPv4 and where possible IPv6.
    pub bind: Vec<IpAddr>,
    /// Port; 0 takes a free one.
    pub port: u16,
    /// User names and passwords, everything allowed.
    pub users: Vec<(String, String)>,
    /// Whether `anonymous` may read.
    pub anonymous: bool,
    /// How connections are protected.
    pub tls: TlsWish,
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
    /// First and last port of passive data connections.
    pub passive_ports: Option<(u16, u16)>,
    /// What clients are held to.
    pub limits: LimitsWish,
    /// Planned misbehaviour.
    pub faults: Vec<Fault>,
    /// More of it, in TOML files.
    pub fault_files: Vec<PathBuf>,
    /// Where the journal is written, as JSON lines; `-` is stderr.
    pub journal: Option<PathBuf>,
}

/// What clients are held to; what is not said is as the library has it.
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

impl LimitsWish {
    fn limits(self) -> Limits {
        let usual = Limits::default();
        Limits {
            sessions: self.sessions.unwrap_or(usual.sessions),
            sessions_per_address: self
                .sessions_per_address
                .unwrap_or(usual.sessions_per_address),
            idle: self.idle.unwrap_or(usual.idle),
            failed_logins: self.failed_logins.unwrap_or(usual.failed_logins),
            ..usual
        }
    }
}

/// How connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsWish {
    /// Not at all.
    Off,
    /// When the client says AUTH TLS.
    #[default]
    Explicit,
    /// From the first octet.
    Implicit,
}

/// What is asked of TLS, where there is any.
#[derive(Debug, Clone, Default)]
pub struct TlsRules {
    /// What must be protected.
    pub required: TlsRequirement,
    /// The lowest and the highest version; none is all that are safe.
    pub versions: Option<(TlsVersion, TlsVersion)>,
    /// The authorities of client certificates, in PEM, and whether clients must have one.
    pub clients: Option<(PathBuf, ClientCertificates)>,
    /// Who may log in with which client certificate.
    pub logins: Vec<(String, CertificateRule)>,
    /// What becomes of data connections that resume no session.
    pub reuse: SessionReuse,
    /// Where the secrets of every session are written to.
    pub key_log: Option<PathBuf>,
    /// Whether CCC may take the protection away.
    pub allow_ccc: bool,
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
pub async fn serve(wish: Wish) -> io::Result<()> {
    let storage = storage(&wish)?;
    let mut builder = Server::builder().shared_storage(storage).port(wish.port);
    for ip in &wish.bind {
        builder = builder.bind(SocketAddr::new(*ip, wish.port));
    }
    for (name, password) in &wish.users {
        builder = builder.user(name, password);
    }
    if wish.anonymous {
        builder = builder.anonymous();
    }
    match tls(&wish) {
        Some(tls) => builder = builder.tls(tls),
        None if wish.tls_rules.required != TlsRequirement::None => {
            return Err(io::Error::other(
                "what must be protected cannot be: TLS is off",
            ));
        }
        None => {}
    }
    for (name, rule) in &wish.tls_rules.logins {
        builder = builder.user_certificate(name, rule.clone());
    }
    if wish.tls_rules.allow_ccc {
        builder = builder.allow_ccc();
    }
    if let Some((first, last)) = wish.passive_ports {
        builder = builder.passive_ports(first..=last);
    }
    builder = builder.limits(wish.limits.limits());
    builder = builder.faults(plan(&wish)?);
    let journal = wish.journal.as_deref().map(open_journal).transpose()?;
    if let Some((journal, _)) = &journal {
        builder = builder.journal(journal);
    }
    let running = builder.start().await.map_err(whose_fault)?;
    let ca = CaFile::write(&running)?;
    announce(&wish, &running, ca.as_ref())?;
    interrupted().await?;
    running.stop().await;
    if let Some((_, writing)) = journal {
        writing.await??;
    }
    Ok(())
}

/// The files that are served.
fn storage(wish: &Wish) -> io::Result<Arc<dyn Storage>> {
    if let Some(directory) = &wish.root {
        return on_disk(directory, false).map_err(|error| about(&error, directory));
    }
    if let Some(directory) = &wish.overlay {
        let below = on_disk(directory, true).map_err(|error| about(&error, directory))?;
        return Ok(Arc::new(Overlay::new(below)));
    }
    let memory = MemFs::new();
    if let Some(directory) = &wish.seed {
        let seeded = seed(&memory, directory).map_err(|error| about(&error, directory))?;
        for skipped in seeded.skipped {
            eprintln!("serve: not seeded: {skipped}");
        }
    }
    Ok(Arc::new(memory))
}

#[cfg(unix)]
fn on_disk(directory: &Path, read_only: bool) -> io::Result<Arc<dyn Storage>> {
    use ftpspec_server::storage::DiskStorage;
    let disk = if read_only {
        DiskStorage::open_read_only(directory)
    } else {
        DiskStorage::open(directory)
    };
    Ok(Arc::new(disk?))
}

#[cfg(not(unix))]
fn on_disk(_: &Path, _: bool) -> io::Result<Arc<dyn Storage>> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "directories are served on Unix only; --seed works everywhere",
    ))
}

/// Prints how faults are written and what they do.
///
/// # Errors
/// When stdout is gone.
pub fn list_faults() -> io::Result<()> {
    io::stdout().lock().write_all(fault::describe().as_bytes())
}

/// The faults of the command line, then those of the files.
fn plan(wish: &Wish) -> io::Result<Plan> {
    let mut plan: Plan = wish.faults.iter().cloned().collect();
    for path in &wish.fault_files {
        let text = std::fs::read_to_string(path).map_err(|error| about(&error, path))?;
        let file = Plan::from_toml(&text).map_err(|error| about(&io::Error::other(error), path))?;
        plan = plan.and(file);
    }
    Ok(plan)
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

fn tls(wish: &Wish) -> Option<Tls> {
    let mut tls = match wish.tls {
        TlsWish::Off => return None,
        TlsWish::Explicit => Tls::explicit(),
        TlsWish::Implicit => Tls::implicit(),
    };
    if let Some((chain, key)) = &wish.certificate {
        tls = tls.certificate_files(chain, key);
    }
    for ip in &wish.bind {
        tls = tls.named(ip.to_string());
    }
    let rules = &wish.tls_rules;
    tls = tls.require(rules.required).session_reuse(rules.reuse);
    if let Some((lowest, highest)) = rules.versions {
        tls = tls.versions(lowest, highest);
    }
    if let Some((authorities, demand)) = &rules.clients {
        tls = tls.client_certificates_of_file(*demand, authorities);
    }
    if let Some(path) = &rules.key_log {
        tls = tls.key_log(path);
    }
    Some(tls)
}

/// The whole chain of causes in one line.
fn whose_fault(error: StartError) -> io::Error {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    io::Error::other(format!("{error}{}", cause.unwrap_or_default()))
}

fn announce(wish: &Wish, running: &Running, ca: Option<&CaFile>) -> io::Result<()> {
    let addresses = running.addresses();
    let first = addresses
        .first()
        .copied()
        .ok_or(io::ErrorKind::AddrNotAvailable)?;
    let (user, password) = wish
        .users
        .first()
        .map_or(("anonymous", ""), |(user, password)| (user, password));
    // An address that means "any" is no address to connect to.
    let host = match first.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V6(ip) if ip.is_unspecified() => "::1".to_owned(),
        ip => ip.to_string(),
    };
    let scheme = if wish.tls == TlsWish::Implicit {
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
        tls: match wish.tls {
            TlsWish::Off => "off",
            TlsWish::Explicit => "explicit",
            TlsWish::Implicit => "implicit",
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
