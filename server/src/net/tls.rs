//! TLS for the control and data connections (RFC 4217): whose certificate, which sessions may be resumed, and an
//! ephemeral certificate authority for a server that lives as long as a test.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::StoresServerSessions;
use sha2::{Digest, Sha256};

use super::bad_certificate::bad_certificate;
use crate::fault::BadCertificate;

/// Names and addresses every ephemeral server certificate is valid for: whatever a test on this host, or in a container
/// on it, connects to.
const ALWAYS_NAMED: [&str; 4] = ["localhost", "127.0.0.1", "::1", "host.docker.internal"];

/// Sessions one control connection may keep for its data connections. A client needs one or two.
const SESSIONS_PER_CONNECTION: usize = 32;

/// How the server speaks TLS: when, and with which certificate.
///
/// Without a certificate of its own the server makes a certificate authority when it starts, and the private key of that
/// authority is forgotten at once; [`Running::ca_pem`](crate::Running::ca_pem) is what clients are told to trust.
#[derive(Debug, Clone)]
pub struct Tls {
    pub(crate) implicit: bool,
    identity: Identity,
}

#[derive(Debug, Clone)]
enum Identity {
    Ephemeral(Vec<String>),
    Pem(Pem, Pem),
}

/// PEM text, or where it is.
#[derive(Clone)]
enum Pem {
    Text(Vec<u8>),
    File(PathBuf),
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // It may be a private key.
            Self::Text(_) => f.write_str("PEM"),
            Self::File(path) => path.fmt(f),
        }
    }
}

/// The certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The PEM text holds no certificate or no private key.
    #[error("failed to find a certificate and a private key in the PEM text: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// Certificate and key do not go together, or the key is of a kind we do not know.
    #[error("failed to use the certificate: {0}")]
    Rejected(#[from] rustls::Error),
    /// A name for the ephemeral certificate is none.
    #[error("failed to make the ephemeral certificate: {0}")]
    Ephemeral(#[from] rcgen::Error),
}

impl Tls {
    /// Clear at first, TLS after AUTH TLS (RFC 4217 §4).
    #[must_use]
    pub fn explicit() -> Self {
        Self {
            implicit: false,
            identity: Identity::Ephemeral(Vec::new()),
        }
    }

    /// TLS from the first octet, as port 990 does it. No RFC describes it, every client offers it.
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

    /// Uses the certificate chain and the private key in these PEM files. They are read when the server starts.
    #[must_use]
    pub fn certificate_files(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Identity::Pem(Pem::File(chain.into()), Pem::File(key.into()));
        self
    }

    /// Reads or makes the certificate; and bad ones where a fault plan wants them.
    pub(crate) fn prepare(&self, bad: &[BadCertificate]) -> Result<ServerTls, CertificateError> {
        let mut authority = None;
        let (chain, key, ca) = match &self.identity {
            Identity::Ephemeral(names) => {
                let (made, issuer) = ephemeral(names)?;
                authority = Some(issuer);
                made
            }
            Identity::Pem(chain, key) => {
                let chain = CertificateDer::pem_slice_iter(&chain.read()?)
                    .collect::<Result<Vec<_>, _>>()?;
                (chain, PrivateKeyDer::from_pem_slice(&key.read()?)?, None)
            }
        };
        // Always with the provider named: a process that links two of them would panic here otherwise.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"ftp".to_vec()];
        let bad = bad
            .iter()
            .map(|kind| {
                let (chain, key) = bad_certificate(*kind, authority.as_ref())?;
                let provider = Arc::clone(config.crypto_provider());
                let mut bad = ServerConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()?
                    .with_no_client_auth()
                    .with_single_cert(chain, key)?;
                bad.alpn_protocols.clone_from(&config.alpn_protocols);
                Ok((*kind, bad))
            })
            .collect::<Result<_, CertificateError>>()?;
        Ok(ServerTls { config, bad, ca })
    }
}

impl Pem {
    fn read(&self) -> Result<Vec<u8>, CertificateError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => std::fs::read(path).map_err(|source| CertificateError::Read {
                path: path.clone(),
                source,
            }),
        }
    }
}

/// The server's TLS settings, common to all its connections.
#[derive(Debug)]
pub(crate) struct ServerTls {
    config: ServerConfig,
    /// What a fault plan shows in its place.
    bad: Vec<(BadCertificate, ServerConfig)>,
    /// The ephemeral certificate authority.
    pub(crate) ca: Option<Authority>,
}

/// What clients are told to trust.
#[derive(Debug, Clone)]
pub(crate) struct Authority {
    pub(crate) pem: String,
    /// SHA-256 over the DER form, as hexadecimal digits.
    pub(crate) fingerprint: String,
}

/// The TLS settings of one control connection and its data connections.
///
/// They share their sessions with each other and with nobody else: a data connection that resumes one shows that it comes
/// from the client on the control connection.
#[derive(Debug)]
pub(crate) struct ConnectionTls {
    pub(crate) control: Arc<ServerConfig>,
    data: OnceLock<Arc<ServerConfig>>,
}

impl ServerTls {
    pub(crate) fn for_connection(&self, bad: Option<BadCertificate>) -> ConnectionTls {
        let mut config = bad
            .and_then(|bad| self.bad.iter().find(|(kind, _)| *kind == bad))
            .map_or(&self.config, |(_, config)| config)
            .clone();
        config.session_storage = Arc::new(Sessions::default());
        // Some clients refuse to open a data connection without a ticket to resume with (PHP).
        config.send_tls13_tickets = 2;
        ConnectionTls {
            control: Arc::new(config),
            data: OnceLock::new(),
        }
    }
}

impl ConnectionTls {
    /// The settings for data connections.
    pub(crate) fn data(&self) -> Arc<ServerConfig> {
        let config = self.data.get_or_init(|| {
            let mut config = ServerConfig::clone(&self.control);
            // A client that uploads never reads. Tickets left unread in its socket make its close a reset, and the reset
            // makes us lose the end of the upload.
            config.send_tls13_tickets = 0;
            // FileZilla's name for the protocol of a data connection.
            config.alpn_protocols.push(b"ftp-data".to_vec());
            Arc::new(config)
        });
        Arc::clone(config)
    }
}

/// The sessions of one control connection, the oldest first.
#[derive(Debug, Default)]
struct Sessions(Mutex<VecDeque<(Vec<u8>, Vec<u8>)>>);

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() == SESSIONS_PER_CONNECTION {
            sessions.pop_front();
        }
        sessions.push_back((key, value));
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, value) = sessions.iter().find(|(known, _)| known == key)?;
        Some(value.clone())
    }

    /// Gives the session out and keeps it: OpenSSL clients present the ticket of the control connection again and again,
    /// once for every data connection.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

type Made = (
    Vec<CertificateDer<'static>>,
    PrivateKeyDer<'static>,
    Option<Authority>,
);

/// A certificate authority, and a server certificate signed by it. OpenSSL, Python's strict mode, Java and webpki each
/// want some of these extensions.
fn ephemeral(names: &[String]) -> Result<(Made, Issuer<'static, KeyPair>), CertificateError> {
    let day = Duration::from_hours(24);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    // A client's clock may be behind ours.
    let (not_before, not_after) = (epoch + now.saturating_sub(day), epoch + now + 397 * day);

    let mut authority = CertificateParams::new(Vec::new())?;
    authority.distinguished_name = rcgen::DistinguishedName::new();
    authority
        .distinguished_name
        .push(DnType::CommonName, "ftpspec ephemeral CA");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.not_before = not_before;
    authority.not_after = not_after;
    let authority_key = KeyPair::generate()?;
    let certificate = authority.self_signed(&authority_key)?;
    let ca = Authority {
        pem: certificate.pem(),
        fingerprint: Sha256::digest(certificate.der())
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect(),
    };
    let issuer = Issuer::new(authority, authority_key);

    let mut all: Vec<String> = ALWAYS_NAMED.map(String::from).to_vec();
    all.extend(names.iter().map(|name| bare_address(name)));
    let mut server = CertificateParams::new(all)?;
    server.distinguished_name = rcgen::DistinguishedName::new();
    server
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    server.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyAgreement,
    ];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    server.not_before = not_before;
    server.not_after = not_after;
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;

    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let made = (vec![certificate.der().clone()], key, Some(ca));
    Ok((made, issuer))
}

/// `[::1]` is how people write it in a URL.
fn bare_address(name: &str) -> String {
    let inner = name.trim_start_matches('[').trim_end_matches(']');
    match inner.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_can_be_resumed_more_than_once_and_the_oldest_is_forgotten() {
        let sessions = Sessions::default();
        for number in 0..=SESSIONS_PER_CONNECTION {
            assert!(sessions.put(number.to_be_bytes().to_vec(), b"secret".to_vec()));
        }
        let last = SESSIONS_PER_CONNECTION.to_be_bytes();
        assert_eq!(sessions.take(&last), Some(b"secret".to_vec()));
        assert_eq!(sessions.take(&last), Some(b"secret".to_vec()));
        assert_eq!(sessions.get(&0_usize.to_be_bytes()), None);
    }

    #[test]
    fn a_key_that_is_not_the_certificates_is_refused() {
        let made = |_| {
            let key = KeyPair::generate().expect("a key");
            let certificate = CertificateParams::new(vec!["localhost".to_owned()])
                .and_then(|params| params.self_signed(&key))
                .expect("a certificate");
            (certificate.pem(), key.serialize_pem())
        };
        let [(mine, my_key), (_, other_key)] = [0, 1].map(made);
        let tls = |key: &String| Tls::explicit().certificate(mine.clone(), key.clone());
        assert!(tls(&my_key).prepare(&[]).is_ok());
        assert!(matches!(
            tls(&other_key).prepare(&[]),
            Err(CertificateError::Rejected(_))
        ));
    }

    #[test]
    fn a_key_never_prints() {
        let tls = Tls::explicit().certificate("CERTIFICATE", "PRIVATE KEY");
        assert!(!format!("{tls:?}").contains("PRIVATE"));
    }
}
