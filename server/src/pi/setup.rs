//! The configuration that all sessions of a server share, and the facts of one connection.

use crate::auth::{Authenticator, TlsRequirement};
use crate::limits::Limits;
use crate::wire::{DotNames, HostName, Links, OperatorFacts, ServiceSet, VerbSet};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

/// Whether and how the control connection can be protected (RFC 4217).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsPolicy {
    /// Not at all: AUTH is refused.
    #[default]
    Off,
    /// By AUTH TLS.
    Explicit,
    /// From the first octet on.
    Implicit,
}

/// When a NOOP that arrives during a transfer is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoopInTransfer {
    /// After the transfer, as every other command that has to wait (RFC 959 §4.2). Most servers do
    /// this.
    #[default]
    Queued,
    /// During the transfer, unless other commands wait before it. For clients that expect an answer
    /// to the NOOP with which they keep the control connection alive; libunftp and pyftpdlib do it.
    AtOnce,
}

/// The configuration that all sessions of a server share.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The text of the 220 greeting; more than one line makes it a multi-line reply.
    pub greeting: String,
    /// The name of the server in reply texts.
    pub host: String,
    /// Whether and how the control connection can be protected.
    pub tls: TlsPolicy,
    /// What must be protected.
    pub tls_required: TlsRequirement,
    /// Verbs that are answered 502 and are not listed by FEAT and HELP.
    pub disabled: VerbSet,
    /// SITE commands that are answered as unknown ones and are not listed by SITE HELP.
    pub disabled_services: ServiceSet,
    /// The limits of the server, which enforces those that concern connections and times itself.
    pub limits: Arc<Limits>,
    /// When a NOOP that arrives during a transfer is answered.
    pub noop_in_transfer: NoopInTransfer,
    /// Whether CCC is allowed (RFC 4217 §15.3).
    pub allow_ccc: bool,
    /// The number of octets of a file between two restart markers of a RETR in MODE B or C (RFC 959
    /// §3.5); `None` sends no markers.
    pub restart_markers: Option<NonZeroU64>,
    /// Whether leading words of LIST, NLST and STAT that begin with `-` are options. If not, they
    /// are part of the pathname.
    pub list_options: bool,
    /// Whether TYPE A converts line ends (RFC 959 §3.1.1.1). If not, it is accepted and transfers
    /// octets unchanged.
    pub ascii_conversion: bool,
    /// Whether listings show names that begin with a dot.
    pub dot_names: DotNames,
    /// What listings show of symbolic links.
    pub links: Links,
    /// The virtual hosts that HOST can name (RFC 7151), beside the server's own name and address.
    pub hosts: Vec<(HostName, VirtualHost)>,
    /// Facts of files that only the operator can know.
    pub operator_facts: Option<Arc<OperatorFacts>>,
}

/// A virtual host (RFC 7151), which a client selects with HOST. Unset properties are those of the
/// server.
#[derive(Debug, Clone, Default)]
pub struct VirtualHost {
    pub(super) greeting: Option<String>,
    pub(super) authenticator: Option<Arc<dyn Authenticator>>,
}

impl VirtualHost {
    /// A host with the properties of the server.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The text of the 220 that answers HOST.
    #[must_use]
    pub fn greeting(mut self, text: impl Into<String>) -> Self {
        self.greeting = Some(text.into());
        self
    }

    /// The authenticator of this host.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            greeting: "ftpspec reference server ready.".into(),
            host: "localhost".into(),
            tls: TlsPolicy::Off,
            tls_required: TlsRequirement::None,
            disabled: VerbSet::EMPTY,
            disabled_services: ServiceSet::EMPTY,
            limits: Arc::default(),
            noop_in_transfer: NoopInTransfer::default(),
            allow_ccc: false,
            hosts: Vec::new(),
            operator_facts: None,
            restart_markers: None,
            list_options: true,
            ascii_conversion: true,
            dot_names: DotNames::default(),
            links: Links::default(),
        }
    }
}

/// The facts of a control connection when its session starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The server address that the client connected to: PASV announces it.
    pub local: SocketAddr,
    /// The client's address: PORT and EPRT may name no other (RFC 2577 §3).
    pub peer: SocketAddr,
    /// Whether it is already protected (implicit TLS).
    pub protected: bool,
}
