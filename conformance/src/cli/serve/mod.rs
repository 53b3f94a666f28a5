//! `ftpspec serve`: the disposable reference server.

mod args;
mod journal;
mod ready;
mod run;

pub(super) use args::{SERVE_HELP as HELP, Serve};

pub(super) use ftpspec_server::auth::CertificateRule;
pub(super) use ftpspec_server::fault::Fault;
pub(super) use ftpspec_server::settings::{DisabledCommand, Settings, Size, TlsMode};
pub(super) use ftpspec_server::{
    Alpn, ClientCertificates, Links, Network, SessionReuse, TlsRequirement, TlsVersion,
};

use ftpspec_server::auth::accounts::PasswordHash;
use ftpspec_server::auth::{CertificateRuleError, Secret};
use ftpspec_server::fault::{self, Plan};
use ftpspec_server::settings::{Ports, UserSettings};
use ftpspec_server::{DotNames, ServerHandle, StartError};
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::exit_code::ExitCode;
use super::signals::StopSignals;
use crate::subject::HostAddress;
use journal::JournalFile;
use ready::{CaFile, announce};

/// The most octets of a password on stdin.
const LONGEST_PASSWORD: u64 = 4096;
/// The user where nobody is named, and the password where only this machine can connect.
const DEFAULT_LOGIN: (&str, &str) = ("test", "test");
/// The letters of a random password: none is mistaken for another.
const PASSWORD_LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// The letters in a random password: 100 bits.
const PASSWORD_LENGTH: usize = 20;

/// What `serve` is asked for. What is not said is as the settings file has it, and without one as the library has it.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish {
    /// The settings file.
    pub config: Option<PathBuf>,
    /// Addresses to listen on; none is loopback, IPv4 and where possible IPv6.
    pub bind: Vec<HostAddress>,
    /// Port; 0 takes a free one.
    pub port: Option<u16>,
    /// Users to whom everything is allowed, with their passwords, in the place of those of the
    /// file. Without one, and without a file, there is a default user.
    pub(super) users: Vec<(String, Option<String>)>,
    /// The password of users without one. The default is well known as long as only this machine
    /// can connect, and random otherwise.
    pub password: Option<String>,
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
    /// Disabled commands, in addition to those of the file.
    pub disable: Vec<DisabledCommand>,
    /// Networks whose connections begin with a PROXY protocol header, in addition to the file's.
    pub proxy_protocol_from: Vec<Network>,
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
pub(super) struct LimitsWish {
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
pub(super) struct TlsRules {
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
    pub(super) fn settings(self) -> io::Result<Settings> {
        let mut settings = match &self.config {
            Some(file) => Settings::read(file).map_err(io::Error::other)?,
            None => Settings::default(),
        };
        self.listen(&mut settings);
        if let Some(users) = self.users(&settings)? {
            settings.users = users;
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
        settings.disable.extend(self.disable);
        settings
            .proxy_protocol_from
            .extend(self.proxy_protocol_from);
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
            let addresses = self.bind.iter().map(|address| address.with_port(port));
            settings.listen = addresses.collect();
            settings.port = 0;
            let names = self.bind.iter().map(|address| address.ip().to_string());
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

    /// The users to be in the place of those of the file; `None` if those stay. A password that is
    /// written in the manual is only given where nobody but this machine can use it.
    fn users(&self, settings: &Settings) -> io::Result<Option<Vec<UserSettings>>> {
        let default = [(DEFAULT_LOGIN.0.to_owned(), None)];
        let users = match &self.users[..] {
            // A settings file says itself who may log in.
            [] if self.config.is_some() => return Ok(None),
            [] => &default[..],
            users => users,
        };
        let without: Vec<&str> = users
            .iter()
            .filter(|(_, password)| password.is_none())
            .map(|(name, _)| name.as_str())
            .collect();
        let addresses = settings.listen.iter().chain(&settings.listen_implicit);
        let only_here = addresses
            .into_iter()
            .all(|address| address.ip().to_canonical().is_loopback());
        let password = match &self.password {
            Some(password) => password.clone(),
            None if only_here => DEFAULT_LOGIN.1.to_owned(),
            None => random_password()?,
        };
        if self.password.is_none() && !only_here && !without.is_empty() {
            complain(&format!(
                "other machines can connect, so the password of {} is random: it is in the ready \
                 line. --user NAME:PASSWORD or FTPSPEC_PASSWORD chooses one",
                without.join(", ")
            ));
        }
        let users = users.iter().map(|(name, own)| {
            let password = own.clone().unwrap_or_else(|| password.clone());
            UserSettings::new(name, Secret::new(password))
        });
        Ok(Some(users.collect()))
    }
}

fn random_password() -> io::Result<String> {
    let mut octets = [0; PASSWORD_LENGTH];
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let filled = provider.secure_random.fill(&mut octets);
    filled.map_err(|_| io::Error::other("the system has no random numbers"))?;
    let letter = |octet: u8| char::from(PASSWORD_LETTERS[usize::from(octet % 32)]);
    Ok(octets.map(letter).iter().collect())
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
pub(super) fn certificate_login(text: &str) -> Result<(String, CertificateRule), String> {
    match text.split_once('=') {
        Some((name, rule)) if !name.is_empty() => {
            let rule = rule
                .parse()
                .map_err(|error: CertificateRuleError| error.to_string())?;
            Ok((name.to_owned(), rule))
        }
        _ => Err("expected NAME=RULE, for example alice=cn:alice".into()),
    }
}

/// Serves until a signal comes; prints the ready line on stdout. Gives the exit code; what went
/// wrong is on stderr.
///
/// The code is [`ExitCode::Usage`] if the server could not start: a taken port, a certificate that cannot be
/// read, a directory that is not there. It is [`ExitCode::Failure`] if the ready line, the file with the
/// authority or the journal could not be written.
pub(super) async fn serve(settings: Settings, mut stop: StopSignals) -> ExitCode {
    let started = tokio::select! {
        biased;
        () = stop.next() => return ExitCode::Success,
        started = start(&settings) => started,
    };
    let (running, mut journal) = match started {
        Ok(started) => started,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::Usage;
        }
    };
    let ready = CaFile::write(&running).and_then(|ca| {
        announce(&settings, &running, ca.as_ref())?;
        Ok(ca)
    });
    let ca = match ready {
        Ok(ca) => ca,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::Failure;
        }
    };
    match &mut journal {
        None => stop.next().await,
        // The server goes on without: whoever uses it was not asked.
        Some(journal) => tokio::select! {
            () = stop.next() => {}
            _ = journal.written() => stop.next().await,
        },
    }
    running.stop().await;
    drop(ca);
    let written = match &mut journal {
        Some(journal) => journal.written().await,
        None => Ok(()),
    };
    match written {
        Ok(()) => ExitCode::Success,
        Err(()) => ExitCode::Failure,
    }
}

/// Reads what is to be served, opens the journal and listens.
async fn start(settings: &Settings) -> io::Result<(ServerHandle, Option<JournalFile>)> {
    let asked = settings.clone();
    // A directory to be copied may be large, and a named pipe for the journal waits for its reader.
    let preparing = tokio::task::spawn_blocking(move || {
        let prepared = asked.prepare().map_err(io::Error::other)?;
        let journal = asked.journal.as_deref().map(JournalFile::open);
        Ok::<_, io::Error>((prepared, journal.transpose()?))
    });
    let (prepared, journal) = preparing.await??;
    for skipped in prepared.skipped {
        complain(&format!("not seeded: {skipped}"));
    }
    let mut builder = prepared.builder;
    if let Some(journal) = &journal {
        builder = builder.journal(journal.journal());
    }
    let running = builder.start().await.map_err(whose_fault)?;
    Ok((running, journal))
}

/// Says something on stderr, if there is one.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "serve: {message}");
}

/// Prints the settings in effect, as a file that can be read.
///
/// # Errors
/// When stdout is gone.
pub(super) fn print_config(settings: &Settings) -> io::Result<()> {
    io::stdout().lock().write_all(settings.to_toml().as_bytes())
}

/// Asks for a password, or reads the first line of stdin where nobody can be asked, and prints its hash.
///
/// # Errors
/// When there is nothing to be read, or stdout is gone.
pub(super) fn hash_password() -> io::Result<()> {
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
pub(super) fn list_faults() -> io::Result<()> {
    io::stdout().lock().write_all(fault::describe().as_bytes())
}

/// The whole chain of causes in one line.
fn whose_fault(error: StartError) -> io::Error {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    io::Error::other(format!("{error}{}", cause.unwrap_or_default()))
}

fn about(error: &io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
