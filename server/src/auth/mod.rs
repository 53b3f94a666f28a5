//! Who may log in, and what they may do.

pub mod accounts;
mod certificate;
mod network;
mod password;
mod rate;

pub use certificate::{
    AlternativeName, CertificateClaim, CertificateRule, CertificateRuleError, ClientCertificate,
};
pub use network::{Network, NetworkParseError};
pub use rate::Rate;

use crate::storage::{Storage, VirtualPath};
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

/// Text that never prints: passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Hides `octets`.
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        Self(octets.into())
    }

    /// The octets, for the one place that compares them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What USER and PASS said, and where from.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user name, as octets of the wire.
    pub user: Vec<u8>,
    /// The password.
    pub password: Secret,
    /// The client's address.
    pub peer: IpAddr,
    /// Whether the control connection is protected.
    pub protected: bool,
    /// The host that HOST named, in lower case (RFC 7151).
    pub host: Option<String>,
    /// The client's certificate, if it has shown one.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// What must be protected (RFC 4217 §4.2). A server cannot make clients protect anything, but it can refuse what comes in
/// the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TlsRequirement {
    /// Nothing: clients choose.
    #[default]
    None,
    /// The control connection, at least for the login: USER and PASS in the clear are 530.
    Control,
    /// Data connections, too: a transfer in the clear is 521, whenever its data port was named.
    ControlAndData,
}

/// A logged-in user.
#[derive(Debug, Clone)]
pub struct User {
    /// The name, for the journal and STAT.
    pub name: String,
    /// The files of this user; `/` is the root.
    pub storage: Arc<dyn Storage>,
    /// Where the session begins.
    pub home: VirtualPath,
    /// What is allowed.
    pub permissions: Permissions,
    /// How much of it at a time.
    pub limits: UserLimits,
    /// What this user must protect, where that is more than all users must
    /// ([`Tls::require`](crate::Tls::require)). A right password in the clear is 530 then. A hook
    /// before USER can refuse earlier, before the client sends a password.
    pub tls_required: TlsRequirement,
}

impl User {
    /// Somebody who may do everything with these files.
    pub fn new(name: impl Into<String>, storage: Arc<dyn Storage>) -> Self {
        Self {
            name: name.into(),
            storage,
            home: VirtualPath::root(),
            permissions: Permissions::ALL,
            limits: UserLimits::default(),
            tls_required: TlsRequirement::None,
        }
    }
}

/// What one user is held to, beside what all are ([`Limits`](crate::Limits)). What is not said is not limited.
#[derive(Debug, Clone, Default)]
pub struct UserLimits {
    /// Control connections at a time; one more is told 421 in place of 230.
    pub sessions: Option<usize>,
    /// How fast uploads may be, together as far as they share the [`Rate`].
    pub upload: Option<Arc<Rate>>,
    /// How fast downloads and listings may be.
    pub download: Option<Arc<Rate>>,
}

/// Permission by effect, not by verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// Read file content: RETR, HASH and all digests, COMB's sources.
    pub read: bool,
    /// List directories and see facts.
    pub list: bool,
    /// Make files where there are none: STOR, STOU and APPE, COMB, SITE SYMLINK.
    pub create: bool,
    /// Put octets behind those of a file: APPE, STOR from its end on (REST), COMB.
    pub append: bool,
    /// Put other octets in the place of those of a file: STOR, also from within it (REST, RANG), RNTO onto it.
    pub overwrite: bool,
    /// Change facts: MFMT, MFCT, MFF, SITE CHMOD and UTIME.
    pub change_facts: bool,
    /// Remove: DELE, RMD, RMDA, COMB's sources.
    pub delete: bool,
    /// Give other names: RNFR.
    pub rename: bool,
    /// Make directories: MKD, SITE MKDIR.
    pub make_directory: bool,
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self {
        read: true,
        list: true,
        create: true,
        append: true,
        overwrite: true,
        change_facts: true,
        delete: true,
        rename: true,
        make_directory: true,
    };
    /// The names of all effects: those of the fields.
    pub const EFFECTS: [&'static str; 9] = [
        "read",
        "list",
        "create",
        "append",
        "overwrite",
        "change_facts",
        "delete",
        "rename",
        "make_directory",
    ];

    /// Whether the effect of that name is allowed; `None` if there is no such effect.
    pub fn effect(&mut self, name: &str) -> Option<&mut bool> {
        Some(match name {
            "read" => &mut self.read,
            "list" => &mut self.list,
            "create" => &mut self.create,
            "append" => &mut self.append,
            "overwrite" => &mut self.overwrite,
            "change_facts" => &mut self.change_facts,
            "delete" => &mut self.delete,
            "rename" => &mut self.rename,
            "make_directory" => &mut self.make_directory,
            _ => return None,
        })
    }

    /// Nothing: somebody who is there.
    pub const NONE: Self = Self {
        read: false,
        list: false,
        create: false,
        append: false,
        overwrite: false,
        change_facts: false,
        delete: false,
        rename: false,
        make_directory: false,
    };
    /// Look, but change nothing.
    pub const READ_ONLY: Self = Self {
        read: true,
        list: true,
        ..Self::NONE
    };
    /// Bring files, and see or change nothing that is there: a drop box.
    pub const DROP_BOX: Self = Self {
        create: true,
        ..Self::NONE
    };
}

/// The password is wrong or there is no such user; the client never learns which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied;

/// A boxed future of [`Authenticator::authenticate`].
pub type Authenticating<'a> = Pin<Box<dyn Future<Output = Result<User, Denied>> + Send + 'a>>;

/// Decides who may log in.
pub trait Authenticator: Send + Sync + fmt::Debug + 'static {
    /// Checks the credentials. May take its time: sessions wait on their own.
    fn authenticate(&self, credentials: Credentials) -> Authenticating<'_>;

    /// Decides whether a client certificate is enough to let a user in, without a password (RFC 4217 §12.2). If not, the
    /// password is asked for. Without an implementation no certificate is.
    fn recognize(&self, claim: CertificateClaim) -> Authenticating<'_> {
        let _ = claim;
        Box::pin(std::future::ready(Err(Denied)))
    }
}
