//! Settings as a file: everything a [`ServerBuilder`](crate::ServerBuilder) can be told, as TOML.
//!
//! ```
//! use ftpspec_server::settings::Settings;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::parse(
//!     r#"
//!         disable = ["PORT", "EPRT"]
//!
//!         [[user]]
//!         name = "alice"
//!         password = "secret"
//!         permissions = ["read", "list"]
//!     "#,
//! )?;
//! let server = settings.prepare()?.builder.start().await?;
//! # server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! The tables and their keys are said once (`sections`); reading and printing both go by them, so what is
//! [printed](Settings::to_toml) can be read. `server/examples/ftpspec.toml` explains every key.

mod check;
mod form;
mod prepare;
mod print;
mod read;
mod sections;
mod value;

pub use crate::disabled::{DisabledCommand, UnknownCommandError};
pub use prepare::{PrepareError, Prepared};
pub use read::Problem;
pub use value::{Keyword, KeywordError, Ports, Size, TlsMode};

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::auth::accounts::PasswordHash;
use crate::auth::{CertificateRule, Network, Permissions, Secret};
use crate::dtp::SessionReuse;
use crate::fault::Fault;
use crate::net::{Alpn, ClientCertificates, CloseNotify, TlsVersion};
use crate::pi::{NoopInTransfer, Setup, TlsRequirement};
use crate::storage::VirtualPath;
use crate::wire::{DotNames, Links};
use crate::{ActiveSource, Limits};

use read::Source;

/// The most octets of a settings file.
pub const LARGEST_FILE: u64 = 1 << 20;

/// Everything a server can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen; empty is 127.0.0.1 and ::1.
    pub listen: Vec<SocketAddr>,
    /// Where to listen for connections that are protected from the first octet, too.
    pub listen_implicit: Vec<SocketAddr>,
    /// The port where `listen` is empty; 0 is a free one.
    pub port: u16,
    /// The text of the 220.
    pub greeting: Option<String>,
    /// Networks whose connections begin with a PROXY protocol header.
    pub proxy_protocol_from: Vec<Network>,
    /// Disabled commands.
    pub disable: Vec<DisabledCommand>,
    /// Whether LIST, NLST and STAT know options such as `-a`.
    pub list_options: bool,
    /// Whether TYPE A converts line ends.
    pub ascii_conversion: bool,
    /// The source port of active data connections.
    pub active_source: ActiveSource,
    /// When a NOOP that comes during a transfer is answered.
    pub noop_in_transfer: NoopInTransfer,
    /// Octets of a file between two restart markers in MODE B and C.
    pub restart_markers: Option<Size>,
    /// The natural language of file names.
    pub language_of_names: Option<String>,
    /// Whether LIST, NLST and STAT show names that begin with a dot.
    pub dot_names: DotNames,
    /// What listings show of symbolic links.
    pub links: Links,
    /// Where the journal goes; opened by `ftpspec serve`, not by [`prepare`](Self::prepare).
    pub journal: Option<PathBuf>,
    /// The file more users were read from; they stand among the others.
    pub users_file: Option<PathBuf>,
    /// Planned misbehaviour.
    pub faults: Vec<Fault>,
    /// The files.
    pub storage: StorageSettings,
    /// TLS.
    pub tls: TlsSettings,
    /// Passive data connections.
    pub passive: PassiveSettings,
    /// Limits for all.
    pub limits: Limits,
    /// Endings of file names and their media types.
    pub media_types: Vec<(String, String)>,
    /// Whether and how anybody may come without an account.
    pub anonymous: Option<AnonymousSettings>,
    /// Who may log in.
    pub users: Vec<UserSettings>,
    /// Virtual hosts.
    pub hosts: Vec<HostSettings>,
    /// `[[fault]]` tables while they are read.
    planned: Vec<PlannedFault>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            listen_implicit: Vec::new(),
            port: 0,
            greeting: Some(Setup::default().greeting),
            proxy_protocol_from: Vec::new(),
            disable: Vec::new(),
            list_options: true,
            ascii_conversion: true,
            active_source: ActiveSource::default(),
            noop_in_transfer: NoopInTransfer::default(),
            restart_markers: None,
            language_of_names: None,
            dot_names: DotNames::default(),
            links: Links::default(),
            journal: None,
            users_file: None,
            faults: Vec::new(),
            storage: StorageSettings::default(),
            tls: TlsSettings::default(),
            passive: PassiveSettings::default(),
            limits: Limits::default(),
            media_types: Vec::new(),
            anonymous: None,
            users: Vec::new(),
            hosts: Vec::new(),
            planned: Vec::new(),
        }
    }
}

/// Where files live. Without any path: in memory, and nothing is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StorageSettings {
    /// A directory that is served itself.
    pub directory: Option<PathBuf>,
    /// A directory that is read, with memory above it.
    pub overlay: Option<PathBuf>,
    /// A directory that is copied into memory.
    pub seed: Option<PathBuf>,
    /// The most octets all files may hold.
    pub quota: Option<Size>,
    /// Uploads that broke off are kept as far as they came.
    pub keep_aborted_uploads: bool,
    /// An upload is safe from a crash of the host before its 226.
    pub sync_uploads: bool,
}

/// How TLS is spoken; [`Tls`](crate::Tls) says what each means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the method of Tls of its name")]
pub struct TlsSettings {
    pub mode: TlsMode,
    pub required: TlsRequirement,
    pub lowest: TlsVersion,
    pub highest: TlsVersion,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// Names of the ephemeral certificate.
    pub names: Vec<String>,
    pub client_authorities: Option<PathBuf>,
    pub client_certificates: ClientCertificates,
    pub session_reuse: SessionReuse,
    pub alpn: Alpn,
    pub close_notify: CloseNotify,
    pub key_log: Option<PathBuf>,
    pub allow_ccc: bool,
    /// Certificates by name.
    pub hosts: Vec<TlsHostSettings>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            mode: TlsMode::default(),
            required: TlsRequirement::None,
            lowest: TlsVersion::V1_2,
            highest: TlsVersion::V1_3,
            certificate: None,
            key: None,
            names: Vec::new(),
            client_authorities: None,
            client_certificates: ClientCertificates::Required,
            session_reuse: SessionReuse::default(),
            alpn: Alpn::default(),
            close_notify: CloseNotify::default(),
            key_log: None,
            allow_ccc: false,
            hosts: Vec::new(),
        }
    }
}

/// A certificate for one name (SNI); without files an ephemeral one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsHostSettings {
    /// The name.
    pub name: String,
    /// The chain, in PEM.
    pub certificate: Option<PathBuf>,
    /// The private key, in PEM.
    pub key: Option<PathBuf>,
}

/// Passive data connections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PassiveSettings {
    /// Where they are listened for; `None` is any free port. With more than one range each port is announced on its own.
    pub ports: Option<Vec<Ports>>,
    /// What a 227 names.
    pub address: Option<Ipv4Addr>,
    /// Whether sessions of different clients may share a port of `ports` at the same time.
    pub shared: bool,
}

/// What a user has of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSettings {
    /// What is allowed.
    pub permissions: Permissions,
    /// The directory of the storage that is all they see.
    pub root: Option<VirtualPath>,
    /// A directory of the host that is all they see.
    pub directory: Option<PathBuf>,
    /// Where a session begins.
    pub home: Option<VirtualPath>,
    /// The most octets the files below `root` or in `directory` may hold.
    pub quota: Option<Size>,
    /// Octets a second, of all uploads together.
    pub upload_rate: Option<Size>,
    /// Octets a second, of all downloads and listings together.
    pub download_rate: Option<Size>,
    /// Where they may come from; `None` is anywhere.
    pub allowed_hosts: Option<Vec<Network>>,
    /// Control connections at a time.
    pub sessions: Option<usize>,
    /// What this user must protect, beside `tls.required`.
    pub tls_required: TlsRequirement,
}

impl AccountSettings {
    fn with(permissions: Permissions) -> Self {
        Self {
            permissions,
            root: None,
            directory: None,
            home: None,
            quota: None,
            upload_rate: None,
            download_rate: None,
            allowed_hosts: None,
            sessions: None,
            tls_required: TlsRequirement::None,
        }
    }
}

/// Who may come without an account (RFC 1635).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnonymousSettings {
    /// The names that need no password.
    pub names: Vec<String>,
    /// What they have.
    pub account: AccountSettings,
}

impl Default for AnonymousSettings {
    fn default() -> Self {
        Self {
            names: vec!["anonymous".into(), "ftp".into()],
            account: AccountSettings::with(Permissions::READ_ONLY),
        }
    }
}

/// Who may log in. One of the passwords, or certificates, must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSettings {
    /// The name.
    pub name: String,
    /// The password itself: for tests.
    pub password: Option<Secret>,
    /// Its hash.
    pub password_hash: Option<PasswordHash>,
    /// Any password will do.
    pub any_password: bool,
    /// Client certificates that make a password superfluous.
    pub certificates: Vec<CertificateRule>,
    /// What they have.
    pub account: AccountSettings,
}

impl UserSettings {
    /// Who may do everything with this password.
    #[must_use]
    pub fn new(name: impl Into<String>, password: Secret) -> Self {
        Self {
            name: name.into(),
            password: Some(password),
            ..Self::default()
        }
    }
}

impl Default for UserSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            password: None,
            password_hash: None,
            any_password: false,
            certificates: Vec::new(),
            account: AccountSettings::with(Permissions::ALL),
        }
    }
}

/// A virtual host (RFC 7151). What is not said is as without HOST.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostSettings {
    /// What HOST calls it.
    pub name: String,
    /// The text of the 220 that answers HOST.
    pub greeting: Option<String>,
    /// The file more users were read from.
    pub users_file: Option<PathBuf>,
    /// Files of its own.
    pub storage: Option<StorageSettings>,
    /// Anonymous there.
    pub anonymous: Option<AnonymousSettings>,
    /// Users of its own.
    pub users: Vec<UserSettings>,
}

/// A file of users.
#[derive(Default)]
struct UsersFile {
    users: Vec<UserSettings>,
}

/// A `[[fault]]` table: the words of a line under keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct PlannedFault {
    words: [Option<value::Word>; crate::fault::KEYS.len()],
    fault: Option<Fault>,
}

impl PlannedFault {
    /// What the keys come to.
    fn line(&self) -> String {
        let words = self
            .words
            .iter()
            .map(|word| word.as_ref().map(|word| word.0.as_str()));
        crate::fault::line(words)
    }
}

/// Why settings could not be read.
#[derive(Debug)]
pub enum SettingsError {
    /// A file is not there, or no text, or too large.
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What it says is wrong: all mistakes that were found.
    Wrong(Vec<Problem>),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { file, source } => write!(f, "failed to read {}: {source}", file.display()),
            Self::Wrong(problems) => {
                for (index, problem) in problems.iter().enumerate() {
                    write!(f, "{}{problem}", if index == 0 { "" } else { "\n" })?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for SettingsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Wrong(_) => None,
        }
    }
}

impl Settings {
    /// Reads a file, and the files of users it names. Relative paths in a file are relative to it.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(file: impl AsRef<Path>) -> Result<Self, SettingsError> {
        let file = file.as_ref();
        Self::of_text(file, &load(file)?)
    }

    /// Reads a text. Relative paths are relative to the working directory.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        Self::of_text(Path::new("settings"), text)
    }

    fn of_text(file: &Path, text: &str) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        let mut problems = problems_of(file, text, &mut settings)?;
        let mut lists = vec![(&settings.users_file, &mut settings.users)];
        lists.extend(
            settings
                .hosts
                .iter_mut()
                .map(|host| (&host.users_file, &mut host.users)),
        );
        for (file, users) in lists {
            let Some(file) = file else { continue };
            let mut more = UsersFile::default();
            problems.extend(problems_of(file, &load(file)?, &mut more)?);
            for user in more.users {
                if users.iter().any(|known| known.name == user.name) {
                    problems.push(Problem::of_file(
                        file,
                        format!("there are two users {:?}", user.name),
                    ));
                }
                users.push(user);
            }
        }
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError::Wrong(problems))
        }
    }

    /// What cannot be in these settings together, each with its key: for settings that were changed after they were read.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        check::check(&mut self.clone())
    }

    /// All settings as a file, the defaults among them. Passwords are left out, with a comment that says so; everything
    /// else is read back as it is. Users of other files stand among the others.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut whole = self.clone();
        whole.users_file = None;
        for host in &mut whole.hosts {
            host.users_file = None;
        }
        print::print(&mut whole)
    }
}

/// What is wrong with a text, once it was read.
fn problems_of(
    file: &Path,
    text: &str,
    section: &mut impl form::Section,
) -> Result<Vec<Problem>, SettingsError> {
    let absolute = std::path::absolute(file).map_err(|source| SettingsError::Read {
        file: file.to_owned(),
        source,
    })?;
    let mut source = Source {
        file,
        text,
        base: absolute.parent().unwrap_or(&absolute),
        problems: Vec::new(),
    };
    source.read(section);
    Ok(source.problems)
}

/// The text of a file that is not too large.
fn load(file: &Path) -> Result<String, SettingsError> {
    let read = || {
        let mut text = String::new();
        let mut octets = File::open(file)?.take(LARGEST_FILE + 1);
        octets.read_to_string(&mut text)?;
        if text.len() as u64 > LARGEST_FILE {
            let why = format!("it has more than {}", Size(LARGEST_FILE));
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        Ok(text)
    };
    read().map_err(|source| SettingsError::Read {
        file: file.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
