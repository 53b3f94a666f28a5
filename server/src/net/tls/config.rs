//! How the server speaks TLS (RFC 4217): when, with which certificates, and what it asks of
//! clients.

use std::path::PathBuf;

use super::certificates::{Identity, Pem};
use crate::dtp::SessionReuse;
use crate::pi::TlsRequirement;

/// How the server speaks TLS: when, and with which certificate.
///
/// Without a certificate of its own the server makes a certificate authority when it starts, and
/// the private key of that authority is forgotten at once;
/// [`ServerHandle::ca_pem`](crate::ServerHandle::ca_pem) is the certificate for clients to trust.
///
/// ```
/// use ftpspec_server::Tls;
/// use ftpspec_server::tls::{SessionReuse, TlsRequirement, TlsVersion};
///
/// let tls = Tls::explicit()
///     .require(TlsRequirement::ControlAndData)
///     .versions(TlsVersion::V1_2, TlsVersion::V1_3)
///     .session_reuse(SessionReuse::Require);
/// # drop(tls);
/// ```
#[derive(Debug, Clone)]
pub struct Tls {
    pub(crate) implicit: bool,
    pub(crate) requirement: TlsRequirement,
    pub(super) identity: Identity,
    /// Certificates of single names, the name in lower case.
    pub(super) hosts: Vec<(String, Identity)>,
    pub(super) versions: (TlsVersion, TlsVersion),
    pub(super) clients: Option<(ClientCertificates, Pem)>,
    pub(super) alpn: Alpn,
    pub(super) reuse: SessionReuse,
    pub(super) close_notify: CloseNotify,
    pub(super) key_log: Option<PathBuf>,
}

/// A version of TLS. Older ones are not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}

/// Whether a client that is asked for a certificate must have one. One that was not issued by a
/// trusted authority is never accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Optional.
    Optional,
    /// Required, on data connections too: a handshake without one fails.
    Required,
}

/// What is required of the protocol name that a client offers in the handshake (ALPN, RFC 7301).
/// That of the control connection is `ftp`.
///
/// A browser that was lured to this port names `http/1.1` or `h2`, and is refused (ALPACA).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alpn {
    /// Names are ignored.
    Ignored,
    /// Another name is refused; no name is accepted, as most FTP clients offer none.
    #[default]
    Optional,
    /// `ftp` must be named on the control connection.
    Required,
}

/// How the TLS of an upload must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CloseNotify {
    /// With close_notify: without it the upload is 426, and the old file stays. An attacker may
    /// have truncated it.
    #[default]
    Strict,
    /// The end of the connection is sufficient, as with most servers.
    Lenient,
}

impl Tls {
    /// Clear at first, TLS after AUTH TLS (RFC 4217 §4).
    #[must_use]
    pub fn explicit() -> Self {
        Self {
            implicit: false,
            requirement: TlsRequirement::None,
            identity: Identity::Ephemeral(Vec::new()),
            hosts: Vec::new(),
            versions: (TlsVersion::V1_2, TlsVersion::V1_3),
            clients: None,
            alpn: Alpn::default(),
            reuse: SessionReuse::default(),
            close_notify: CloseNotify::default(),
            key_log: None,
        }
    }

    /// TLS from the first octet, as on port 990. No RFC describes it, but most clients offer it.
    #[must_use]
    pub fn implicit() -> Self {
        Self {
            implicit: true,
            ..Self::explicit()
        }
    }

    /// Makes the ephemeral certificate valid for `name` too, a host name or an address.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        if let Identity::Ephemeral(names) = &mut self.identity {
            names.push(name.into());
        }
        self
    }

    /// Uses this certificate chain and private key, both PEM text, in place of the ephemeral ones.
    #[must_use]
    pub fn certificate(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Identity::Pem(Pem::Text(chain.into()), Pem::Text(key.into()));
        self
    }

    /// Uses the certificate chain and the private key in these PEM files. They are read when the
    /// server starts.
    #[must_use]
    pub fn certificate_files(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Identity::Pem(Pem::File(chain.into()), Pem::File(key.into()));
        self
    }

    /// Shows clients that ask for `name` (SNI, RFC 6066 §3) an ephemeral certificate for that name
    /// alone.
    #[must_use]
    pub fn host(self, name: &str) -> Self {
        self.host_identity(name, Identity::EphemeralOnly(name.to_owned()))
    }

    /// Shows clients that ask for `name` (SNI, RFC 6066 §3) this certificate, both PEM text.
    #[must_use]
    pub fn host_certificate(
        self,
        name: &str,
        chain: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        let identity = Identity::Pem(Pem::Text(chain.into()), Pem::Text(key.into()));
        self.host_identity(name, identity)
    }

    /// Shows clients that ask for `name` (SNI, RFC 6066 §3) the certificate in these PEM files.
    /// They are read when the server starts.
    #[must_use]
    pub fn host_certificate_files(
        self,
        name: &str,
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        let identity = Identity::Pem(Pem::File(chain.into()), Pem::File(key.into()));
        self.host_identity(name, identity)
    }

    fn host_identity(mut self, name: &str, identity: Identity) -> Self {
        self.hosts.push((name.to_ascii_lowercase(), identity));
        self
    }

    /// What must be protected. Without a call: nothing; clients choose.
    #[must_use]
    pub fn require(mut self, requirement: TlsRequirement) -> Self {
        self.requirement = requirement;
        self
    }

    /// The lowest and the highest version that is spoken. Without a call: 1.2 to 1.3.
    #[must_use]
    pub fn versions(mut self, lowest: TlsVersion, highest: TlsVersion) -> Self {
        self.versions = (lowest, highest);
        self
    }

    /// Asks clients for a certificate of these authorities, PEM text. A data connection must not
    /// show another one than its control connection (RFC 4217 §15.1.2). Who may log in by it:
    /// [`ServerBuilder::user_certificate`](crate::ServerBuilder::user_certificate).
    #[must_use]
    pub fn client_certificates(
        mut self,
        demand: ClientCertificates,
        authorities: impl Into<Vec<u8>>,
    ) -> Self {
        self.clients = Some((demand, Pem::Text(authorities.into())));
        self
    }

    /// Like [`client_certificates`](Self::client_certificates), with the authorities in a PEM file.
    #[must_use]
    pub fn client_certificates_of_file(
        mut self,
        demand: ClientCertificates,
        authorities: impl Into<PathBuf>,
    ) -> Self {
        self.clients = Some((demand, Pem::File(authorities.into())));
        self
    }

    /// What is asked of the protocol name. Without a call: none or `ftp`.
    #[must_use]
    pub fn alpn(mut self, alpn: Alpn) -> Self {
        self.alpn = alpn;
        self
    }

    /// Whether data connections have to resume the session of their control connection. Without a
    /// call: no.
    #[must_use]
    pub fn session_reuse(mut self, reuse: SessionReuse) -> Self {
        self.reuse = reuse;
        self
    }

    /// How the TLS of an upload must end. Without a call: with close_notify.
    #[must_use]
    pub fn close_notify(mut self, close_notify: CloseNotify) -> Self {
        self.close_notify = close_notify;
        self
    }

    /// Writes the secrets of every session to this file, for Wireshark (NSS key log format). With
    /// it everything can be decrypted: only for tests.
    #[must_use]
    pub fn key_log(mut self, path: impl Into<PathBuf>) -> Self {
        self.key_log = Some(path.into());
        self
    }

    /// [`key_log`](Self::key_log) to the file that `SSLKEYLOGFILE` names, if it names one.
    #[must_use]
    pub fn key_log_of_environment(mut self) -> Self {
        if let Some(path) = std::env::var_os("SSLKEYLOGFILE").filter(|path| !path.is_empty()) {
            self.key_log = Some(path.into());
        }
        self
    }
}
