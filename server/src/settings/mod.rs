//! Settings of a [`ServerBuilder`](crate::ServerBuilder) as a TOML file.
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
//! The tables and their keys are defined once (`sections`), for reading and for printing, so that
//! what is [printed](Settings::to_toml) can be read. `server/examples/ftpspec.toml` explains every
//! key.

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

/// Maximum octets of a settings file.
pub const LARGEST_FILE: u64 = 1 << 20;

/// The settings of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The addresses to listen on; empty is 127.0.0.1 and ::1.
    pub listen: Vec<SocketAddr>,
    /// More addresses to listen on, for implicit TLS.
    pub listen_implicit: Vec<SocketAddr>,
    /// The port if `listen` is empty; 0 is any free port.
    pub port: u16,
    /// The text of the greeting (220).
    pub greeting: Option<String>,
    /// Networks whose connections begin with a PROXY protocol header.
    pub proxy_protocol_from: Vec<Network>,
    /// Disabled commands.
    pub disable: Vec<DisabledCommand>,
    /// Whether LIST, NLST and STAT accept options such as `-a`.
    pub list_options: bool,
    /// Whether TYPE A converts line ends.
    pub ascii_conversion: bool,
    /// The source port of active data connections.
    pub active_source: ActiveSource,
    /// When a NOOP received during a transfer is answered.
    pub noop_in_transfer: NoopInTransfer,
    /// Octets of a file between two restart markers in MODE B and C; `None` sends none.
    pub restart_markers: Option<Size>,
    /// The natural language of file names.
    pub language_of_names: Option<String>,
    /// Whether LIST, NLST and STAT show names that begin with a dot.
    pub dot_names: DotNames,
    /// How listings show symbolic links.
    pub links: Links,
    /// The file of the journal; opened by `ftpspec serve`, not by [`prepare`](Self::prepare).
    pub journal: Option<PathBuf>,
    /// A file from which more users were read; they are in `users`.
    pub users_file: Option<PathBuf>,
    /// Planned misbehaviour.
    pub faults: Vec<Fault>,
    /// The storage.
    pub storage: StorageSettings,
    /// TLS.
    pub tls: TlsSettings,
    /// Passive data connections.
    pub passive: PassiveSettings,
    /// Limits of all clients.
    pub limits: Limits,
    /// Media types by the ending of the file name.
    pub media_types: Vec<(String, String)>,
    /// Anonymous logins; `None` refuses them.
    pub anonymous: Option<AnonymousSettings>,
    /// The users.
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

/// The storage. Without any path it is in memory and empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StorageSettings {
    /// A directory that is served and changed.
    pub directory: Option<PathBuf>,
    /// A directory that is only read; changes are kept in memory.
    pub overlay: Option<PathBuf>,
    /// A directory that is copied into memory at the start.
    pub seed: Option<PathBuf>,
    /// Maximum octets of all files.
    pub quota: Option<Size>,
    /// Whether the octets of interrupted uploads are kept.
    pub keep_aborted_uploads: bool,
    /// Whether an upload is written to the disk (fsync) before its 226.
    pub sync_uploads: bool,
}

/// TLS; the methods of [`Tls`](crate::Tls) describe each setting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the method of Tls of its name")]
pub struct TlsSettings {
    pub mode: TlsMode,
    pub required: TlsRequirement,
    pub lowest: TlsVersion,
    pub highest: TlsVersion,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// More names of the ephemeral certificate.
    pub names: Vec<String>,
    pub client_authorities: Option<PathBuf>,
    pub client_certificates: ClientCertificates,
    pub session_reuse: SessionReuse,
    pub alpn: Alpn,
    pub close_notify: CloseNotify,
    pub key_log: Option<PathBuf>,
    pub allow_ccc: bool,
    /// Certificates by server name.
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

/// The certificate for one server name (SNI); without files an ephemeral one.
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
    /// The ports to listen on, each range with its announced ports; `None` is any free port.
    pub ports: Option<Vec<Ports>>,
    /// The address in a 227.
    pub address: Option<Ipv4Addr>,
    /// Whether sessions of different clients may share a port of `ports` at the same time.
    pub shared: bool,
}

/// Settings that users and anonymous have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSettings {
    /// The permissions.
    pub permissions: Permissions,
    /// The directory of the storage that is the root of the user.
    pub root: Option<VirtualPath>,
    /// A directory of the host, as a storage of the user's own.
    pub directory: Option<PathBuf>,
    /// The directory after the login.
    pub home: Option<VirtualPath>,
    /// Maximum octets of the files below `root` or in `directory`.
    pub quota: Option<Size>,
    /// Maximum octets per second of all uploads of the user together.
    pub upload_rate: Option<Size>,
    /// Maximum octets per second of all downloads and listings of the user together.
    pub download_rate: Option<Size>,
    /// The networks from which the user may log in; `None` is any.
    pub allowed_hosts: Option<Vec<Network>>,
    /// Maximum number of sessions at a time.
    pub sessions: Option<usize>,
    /// What this user must protect, in addition to `tls.required`.
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

/// Anonymous logins (RFC 1635).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnonymousSettings {
    /// The user names that are accepted with any password.
    pub names: Vec<String>,
    /// What is allowed.
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

/// A user. A kind of password or a certificate is required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSettings {
    /// The name.
    pub name: String,
    /// The password in clear: for tests.
    pub password: Option<Secret>,
    /// The Argon2 hash of the password.
    pub password_hash: Option<PasswordHash>,
    /// Whether any password is accepted.
    pub any_password: bool,
    /// Client certificates that replace a password.
    pub certificates: Vec<CertificateRule>,
    /// What is allowed.
    pub account: AccountSettings,
}

impl UserSettings {
    /// A user with this password and all permissions.
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

/// A virtual host (RFC 7151). What is not set is as without HOST.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostSettings {
    /// The name in HOST.
    pub name: String,
    /// The text of the 220 in reply to HOST.
    pub greeting: Option<String>,
    /// A file from which more users were read.
    pub users_file: Option<PathBuf>,
    /// A storage of its own.
    pub storage: Option<StorageSettings>,
    /// Anonymous logins on this host.
    pub anonymous: Option<AnonymousSettings>,
    /// The users of this host.
    pub users: Vec<UserSettings>,
}

/// A file of users.
#[derive(Default)]
struct UsersFile {
    users: Vec<UserSettings>,
}

/// A `[[fault]]` table: the parts of a fault as keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct PlannedFault {
    words: [Option<value::Word>; crate::fault::KEYS.len()],
    fault: Option<Fault>,
}

impl PlannedFault {
    /// The fault that the keys describe.
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
    /// A file is missing, is not text, or is too large.
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The content is invalid: all errors that were found.
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

    /// The rules about several settings that are broken, each with its key: for settings that were
    /// changed after they were read.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        check::check(&mut self.clone())
    }

    /// All settings as a file, including defaults. A comment replaces each password; everything
    /// else is read back as it is. Users of other files are included.
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

/// The errors of a text that was read.
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
