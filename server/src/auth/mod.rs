//! Authentication, and the permissions and limits of users.

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

/// Text that is never printed: a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Wraps `octets`.
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        Self(octets.into())
    }

    /// The octets, for the comparison.
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

/// The name and password of USER and PASS, and the facts of the connection.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user name, as octets from the wire.
    pub user: Vec<u8>,
    /// The password.
    pub password: Secret,
    /// The client's address.
    pub peer: IpAddr,
    /// Whether the control connection is protected.
    pub protected: bool,
    /// The host selected by HOST, in lower case (RFC 7151).
    pub host: Option<String>,
    /// The client certificate, if there is one.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// What must be protected by TLS (RFC 4217 §4.2). A server cannot make clients use TLS, but it can
/// refuse commands in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TlsRequirement {
    /// Nothing: the client decides.
    #[default]
    None,
    /// The control connection, at least for the login: USER and PASS in the clear are 530.
    Control,
    /// Data connections as well: a transfer in the clear is 521, whenever its data port was set.
    ControlAndData,
}

/// A logged-in user.
#[derive(Debug, Clone)]
pub struct User {
    /// The name, for the journal and STAT.
    pub name: String,
    /// The files of this user; `/` is the root.
    pub storage: Arc<dyn Storage>,
    /// The working directory after the login.
    pub home: VirtualPath,
    /// The permissions.
    pub permissions: Permissions,
    /// The limits.
    pub limits: UserLimits,
    /// What this user must protect, if more than all users must
    /// ([`Tls::require`](crate::Tls::require)). A right password in the clear is 530 then. A hook
    /// before USER can refuse earlier, before the client sends a password.
    pub tls_required: TlsRequirement,
}

impl User {
    /// A user with all permissions on these files.
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

/// The limits of one user, in addition to those of all users ([`Limits`](crate::Limits)). `None` is
/// no limit.
#[derive(Debug, Clone, Default)]
pub struct UserLimits {
    /// Simultaneous control connections; one more gets 421 instead of 230.
    pub sessions: Option<usize>,
    /// The rate of uploads, together for all users that share the [`Rate`].
    pub upload: Option<Arc<Rate>>,
    /// The rate of downloads and listings.
    pub download: Option<Arc<Rate>>,
}

/// Defines the permissions by their effects.
macro_rules! permissions {
    ($($(#[$about:meta])* $effect:ident,)*) => {
        /// Permissions by effect, not by verb.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Permissions {
            $($(#[$about])* pub $effect: bool,)*
        }

        impl Permissions {
            /// All effects.
            pub const ALL: Self = Self { $($effect: true),* };
            /// No effect: the user can only log in.
            pub const NONE: Self = Self { $($effect: false),* };
            /// The names of all effects, which are those of the fields.
            pub const EFFECTS: [&'static str; 9] = [$(stringify!($effect)),*];

            /// The permission for the effect of that name; `None` if there is no such effect.
            pub fn effect(&mut self, name: &str) -> Option<&mut bool> {
                match name {
                    $(stringify!($effect) => Some(&mut self.$effect),)*
                    _ => None,
                }
            }
        }
    };
}

permissions! {
    /// Read file content: RETR, HASH and all digests, COMB's sources.
    read,
    /// List directories and read facts.
    list,
    /// Create files: STOR, STOU and APPE, COMB, SITE SYMLINK.
    create,
    /// Append to files: APPE, STOR from the end on (REST), COMB.
    append,
    /// Replace the content of files: STOR, also within the file (REST, RANG), RNTO onto the file.
    overwrite,
    /// Change facts: MFMT, MFCT, MFF, SITE CHMOD and UTIME.
    change_facts,
    /// Remove: DELE, RMD, RMDA, COMB's sources.
    delete,
    /// Rename: RNFR.
    rename,
    /// Create directories: MKD, SITE MKDIR.
    make_directory,
}

impl Permissions {
    /// Reading and listing.
    pub const READ_ONLY: Self = Self {
        read: true,
        list: true,
        ..Self::NONE
    };
    /// Creating files, without seeing or changing existing ones: a drop box.
    pub const DROP_BOX: Self = Self {
        create: true,
        ..Self::NONE
    };
}

/// Login refused. The client does not learn whether the name or the password is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied;

/// The boxed future of [`Authenticator::authenticate`].
pub type Authenticating<'a> = Pin<Box<dyn Future<Output = Result<User, Denied>> + Send + 'a>>;

/// Decides who may log in.
pub trait Authenticator: Send + Sync + fmt::Debug + 'static {
    /// Checks the credentials. It may take time: only this session waits.
    fn authenticate(&self, credentials: Credentials) -> Authenticating<'_>;

    /// Decides whether a client certificate lets the user log in without a password (RFC 4217
    /// §12.2). If not, the password is requested. The default accepts no certificate.
    fn recognize(&self, claim: CertificateClaim) -> Authenticating<'_> {
        let _ = claim;
        Box::pin(std::future::ready(Err(Denied)))
    }
}
