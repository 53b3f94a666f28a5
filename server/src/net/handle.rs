//! The handle of a running server, and how a server starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::config::{Config, UrlUser};
use super::listener::{accept, any, handed_in, listen_at_all, listen_error, listen_on_loopback};
use super::shared::Shared;
use super::tls::Authority;
use super::tls::ServerTls;
use super::url::url;
use crate::error::{CertificateError, StartError};
use crate::fault::{FaultCount, Faults};
use crate::observe::hooks::SessionInfo;
use crate::observe::journal::Journal;
use crate::passive_ports::PassivePorts;
use crate::pi::TlsPolicy;
use crate::storage::Files;

/// A running server. Dropped, it stops at once; [`stop`](Self::stop) lets transfers end.
#[derive(Debug)]
pub struct ServerHandle {
    addresses: Vec<SocketAddr>,
    implicit_addresses: Vec<SocketAddr>,
    /// The scheme of the URL of [`Self::addresses`].
    scheme: &'static str,
    url_user: Option<UrlUser>,
    files: Files,
    shared: Arc<Shared>,
    listeners: Vec<JoinHandle<()>>,
}

impl ServerHandle {
    /// Where the server listens, in the order of
    /// [`ServerBuilder::bind`](crate::ServerBuilder::bind) and then of
    /// [`ServerBuilder::listener`](crate::ServerBuilder::listener); without either, 127.0.0.1 and
    /// then ::1.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it listens for connections that are protected from the first octet, in the order of
    /// [`ServerBuilder::bind_implicit`](crate::ServerBuilder::bind_implicit) and then of
    /// [`ServerBuilder::implicit_listener`](crate::ServerBuilder::implicit_listener).
    #[must_use]
    pub fn implicit_addresses(&self) -> &[SocketAddr] {
        &self.implicit_addresses
    }

    /// The URL of the first address, `ftp://user:password@host:port/`, with the first user that was
    /// named in the builder or the settings; all but letters, digits and `-._~` is percent-encoded
    /// in the name and the password. The port is written even if it is 21. The password is left out
    /// if it is known only as a hash, or if any is accepted; the user is left out with an
    /// [`Authenticator`](crate::auth::Authenticator) of your own. The scheme is `ftps` if TLS
    /// starts with the first octet. The host of an unspecified address (0.0.0.0) is the loopback
    /// address.
    ///
    /// It contains a password: do not log it.
    #[must_use]
    pub fn url(&self) -> String {
        self.urls().into_iter().next().unwrap_or_default()
    }

    /// As [`url`](Self::url), for each of the [`addresses`](Self::addresses) and then for each of
    /// the [`implicit_addresses`](Self::implicit_addresses).
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let explicit = self.addresses.iter().map(|it| (self.scheme, it));
        let implicit = self.implicit_addresses.iter().map(|it| ("ftps", it));
        let all = explicit.chain(implicit);
        all.map(|(scheme, address)| url(scheme, *address, self.url_user.as_ref()))
            .collect()
    }

    /// The files of the named users, to read and to assert what clients have stored. They are those
    /// given to [`ServerBuilder::storage`](crate::ServerBuilder::storage), or an empty
    /// [`MemFs`](crate::MemFs). Users of an [`Authenticator`](crate::auth::Authenticator) can have
    /// other files.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The ephemeral certificate authority, as PEM text; `None` without TLS or with a certificate
    /// of your own.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.authority().map(|ca| ca.pem.as_str())
    }

    /// SHA-256 over the DER form of the ephemeral certificate authority, as hexadecimal digits.
    #[must_use]
    pub fn ca_fingerprint(&self) -> Option<&str> {
        self.authority().map(|ca| ca.fingerprint.as_str())
    }

    /// Presents another certificate from the next TLS handshake of a control connection on: a chain
    /// and its private key, both PEM text. Connections that are protected already stay open, and
    /// their data connections present the old one.
    ///
    /// # Errors
    /// [`CertificateError`]; then the old one stays.
    pub fn rotate_certificate(&self, chain: &[u8], key: &[u8]) -> Result<(), CertificateError> {
        self.tls()?.rotate(None, chain, key)
    }

    /// As [`rotate_certificate`](Self::rotate_certificate), for clients that ask for `host` (SNI).
    ///
    /// # Errors
    /// [`CertificateError`]; then the old one stays.
    pub fn rotate_host_certificate(
        &self,
        host: &str,
        chain: &[u8],
        key: &[u8],
    ) -> Result<(), CertificateError> {
        self.tls()?.rotate(Some(host), chain, key)
    }

    /// Withdraws all certificates: AUTH TLS is answered 431, and connections with implicit TLS are
    /// closed, until a certificate is [set](Self::rotate_certificate).
    ///
    /// # Errors
    /// [`CertificateError::NoTls`].
    pub fn withdraw_certificates(&self) -> Result<(), CertificateError> {
        self.tls().map(ServerTls::withdraw)
    }

    fn tls(&self) -> Result<&ServerTls, CertificateError> {
        self.shared.tls.as_ref().ok_or(CertificateError::NoTls)
    }

    /// How many control connections are open.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.shared.sessions()
    }

    /// How often each fault of the plan matched and was injected, in the order of the plan.
    #[must_use]
    pub fn fault_counts(&self) -> Vec<FaultCount> {
        let faults = self.shared.faults.as_ref();
        faults.map(Faults::counts).unwrap_or_default()
    }

    /// The sessions, the oldest first. Each can be [closed](SessionInfo::close).
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.shared.roster.sessions()
    }

    /// The journal given to [`ServerBuilder::journal`](crate::ServerBuilder::journal).
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        self.shared.observers.journal.as_ref()
    }

    /// Changes where PASV and EPSV listen, and what they announce, from the next one on, for
    /// example after a container has learned its published ports.
    pub fn set_passive_ports(&self, ports: impl Into<PassivePorts>) {
        self.shared.announcing().ports = Arc::new(ports.into());
    }

    /// Changes the address in 227, from the next PASV on; `None` is the one the client connected
    /// to.
    pub fn set_public_address(&self, address: Option<Ipv4Addr>) {
        self.shared.announcing().public = address;
    }

    /// Stops: no new connections, 421 to those that are idle, and
    /// [`Limits::stop`](crate::Limits::stop) for transfers to end. Transfers that have not ended by
    /// then are answered 426, and their sessions 421.
    pub async fn stop(mut self) {
        self.shared.begin_to_stop();
        for listener in std::mem::take(&mut self.listeners) {
            // A listener that panicked has stopped, too.
            let _ = listener.await;
        }
        // The journal is closed by the drop.
    }

    fn authority(&self) -> Option<&Authority> {
        self.shared.tls.as_ref()?.ca.as_ref()
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
        if let Some(journal) = &self.shared.observers.journal {
            journal.close();
        }
    }
}

/// Starts a server on the current runtime.
///
/// # Errors
/// A certificate, an address or a listener cannot be used.
pub(crate) async fn start(config: Config) -> Result<ServerHandle, StartError> {
    let policy = match &config.tls {
        None => TlsPolicy::Off,
        Some(tls) if tls.implicit => TlsPolicy::Implicit,
        Some(_) => TlsPolicy::Explicit,
    };
    let mut setup = config.setup.clone();
    setup.tls_required = config
        .tls
        .as_ref()
        .map(|tls| tls.requirement)
        .unwrap_or_default();

    let mut listeners = if config.names_no_address() {
        listen_on_loopback(config.port)?
    } else {
        listen_at_all(&config.addresses)?
    };
    listeners.extend(handed_in(&config.listeners)?);
    let mut implicit = listen_at_all(&config.implicit_addresses)?;
    implicit.extend(handed_in(&config.implicit_listeners)?);
    let address = |listener: &TcpListener| listener.local_addr().map_err(listen_error(any()));
    let mut running = ServerHandle {
        addresses: listeners.iter().map(address).collect::<Result<_, _>>()?,
        implicit_addresses: implicit.iter().map(address).collect::<Result<_, _>>()?,
        scheme: match policy {
            TlsPolicy::Implicit => "ftps",
            TlsPolicy::Off | TlsPolicy::Explicit => "ftp",
        },
        url_user: config.url_user.clone(),
        files: Files::new(Arc::clone(&config.files)),
        shared: Arc::new(Shared::new(config)?),
        listeners: Vec::new(),
    };
    for (listeners, policy) in [(listeners, policy), (implicit, TlsPolicy::Implicit)] {
        setup.tls = policy;
        let setup = Arc::new(setup.clone());
        for listener in listeners {
            let accepting = accept(listener, Arc::clone(&setup), Arc::clone(&running.shared));
            running.listeners.push(tokio::spawn(accepting));
        }
    }
    tracing::info!(
        addresses = ?running.addresses,
        implicit = ?running.implicit_addresses,
        "the server listens"
    );
    Ok(running)
}
