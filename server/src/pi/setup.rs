//! What all sessions of a server have in common, and what one session knows from its beginning.

use crate::wire::VerbSet;
use std::net::SocketAddr;

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

/// What all sessions of a server have in common.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The text of the 220 greeting; more than one line makes it a multi-line reply.
    pub greeting: String,
    /// What the server calls itself in texts.
    pub host: String,
    /// Whether and how the control connection can be protected.
    pub tls: TlsPolicy,
    /// Verbs that are answered 502, and that FEAT and HELP do not name.
    pub disabled: VerbSet,
    /// Wrong passwords before the session is ended with 421 (RFC 2577 §5); 0 is no limit.
    pub failed_logins: u8,
    /// Octets of the largest file whose size SIZE counts in TYPE A.
    pub ascii_size: u64,
    /// Whether CCC may take the protection of the control connection away (RFC 4217 §15.3).
    pub allow_ccc: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            greeting: "ftpspec reference server ready.".into(),
            host: "localhost".into(),
            tls: TlsPolicy::Off,
            disabled: VerbSet::EMPTY,
            failed_logins: 5,
            ascii_size: 1 << 30,
            allow_ccc: false,
        }
    }
}

/// The control connection as the session finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The address of ours the client connected to: PASV names it.
    pub local: SocketAddr,
    /// The client's address: PORT and EPRT may name no other (RFC 2577 §3).
    pub peer: SocketAddr,
    /// Whether it is protected already (implicit TLS).
    pub protected: bool,
}
