//! Certificates: PEM, an ephemeral certificate authority for a server that lives as long as a test,
//! and which one is shown to whom.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use crate::error::CertificateError;
use crate::text::hexadecimal;

/// Names and addresses every ephemeral server certificate is valid for: whatever a test on this
/// host, or in a container on it, connects to.
const ALWAYS_NAMED: [&str; 4] = ["localhost", "127.0.0.1", "::1", "host.docker.internal"];

/// A certificate and its key, or the request to create one.
#[derive(Debug, Clone)]
pub(super) enum Identity {
    /// For this host, and these names beside it.
    Ephemeral(Vec<String>),
    /// For this name alone.
    EphemeralOnly(String),
    Pem(Pem, Pem),
}

/// PEM text, or where it is.
#[derive(Clone)]
pub(super) enum Pem {
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

impl Pem {
    pub(super) fn read(&self) -> Result<Vec<u8>, CertificateError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => std::fs::read(path).map_err(|source| CertificateError::Read {
                path: path.clone(),
                source,
            }),
        }
    }
}

/// The certificate authority that clients trust.
#[derive(Debug, Clone)]
pub(crate) struct Authority {
    pub(crate) pem: String,
    /// SHA-256 over the DER form, as hexadecimal digits.
    pub(crate) fingerprint: String,
}

/// The certificates of a server at one moment.
#[derive(Debug, Clone)]
pub(super) struct Certificates {
    default: Arc<CertifiedKey>,
    /// By name, in lower case.
    hosts: HashMap<String, Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads or creates them.
    pub(super) fn prepare(
        identity: &Identity,
        hosts: &[(String, Identity)],
        provider: &CryptoProvider,
    ) -> Result<(Self, Option<EphemeralAuthority>), CertificateError> {
        let all = std::iter::once(identity).chain(hosts.iter().map(|(_, identity)| identity));
        let authority = all
            .clone()
            .any(|identity| !matches!(identity, Identity::Pem(..)))
            .then(EphemeralAuthority::new)
            .transpose()?;
        let mut keys = all.map(|identity| match (identity, &authority) {
            (Identity::Pem(chain, key), _) => certified(&chain.read()?, &key.read()?, provider),
            (Identity::Ephemeral(names), Some(authority)) => {
                let always = ALWAYS_NAMED.map(String::from).into_iter();
                let names = always.chain(names.iter().map(|name| bare_address(name)));
                authority.certified("localhost", names.collect(), provider)
            }
            // A certificate for this name and no other: a client must see the difference.
            (Identity::EphemeralOnly(name), Some(authority)) => {
                authority.certified(name, vec![name.clone()], provider)
            }
            (Identity::Ephemeral(_) | Identity::EphemeralOnly(_), None) => {
                Err(CertificateError::NoTls)
            }
        });
        let default = keys.next().ok_or(CertificateError::NoTls)??;
        let names = hosts.iter().map(|(name, _)| name.clone());
        let hosts = names
            .zip(keys)
            .map(|(name, key)| Ok((name, Arc::new(key?))))
            .collect::<Result<_, CertificateError>>()?;
        let certificates = Self {
            default: Arc::new(default),
            hosts,
        };
        Ok((certificates, authority))
    }

    /// The same, but for the certificate that is shown to those who ask for `host`, or to all
    /// others.
    pub(super) fn replaced(&self, host: Option<&str>, key: CertifiedKey) -> Self {
        let mut certificates = self.clone();
        match host {
            None => certificates.default = Arc::new(key),
            Some(name) => {
                let name = name.to_ascii_lowercase();
                certificates.hosts.insert(name, Arc::new(key));
            }
        }
        certificates
    }

    pub(super) fn only(key: CertifiedKey) -> Self {
        Self {
            default: Arc::new(key),
            hosts: HashMap::new(),
        }
    }
}

/// Chooses the certificate in a handshake. It keeps the certificates of the moment its control
/// connection began: data connections show the same as their control connection, whatever was
/// rotated since.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) certificates: Arc<Certificates>,
    /// The host of a client that names none, in lower case.
    pub(super) host: Option<String>,
    /// A client that names no protocol gets no certificate, and so no handshake.
    pub(super) alpn_required: bool,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if self.alpn_required && hello.alpn().is_none() {
            tracing::info!("a client named no protocol (ALPN)");
            return None;
        }
        let name = match hello.server_name() {
            Some(name) => Some(name.to_ascii_lowercase()),
            None => self.host.clone(),
        };
        let host = name.and_then(|name| self.certificates.hosts.get(&name));
        Some(Arc::clone(host.unwrap_or(&self.certificates.default)))
    }
}

/// A certificate chain with its key, both PEM text.
pub(super) fn certified(
    chain: &[u8],
    key: &[u8],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, CertificateError> {
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key)?;
    Ok(CertifiedKey::from_der(chain, key, provider)?)
}

/// A certificate authority that signs what a server needs when it starts. OpenSSL, Python's strict
/// mode, Java and webpki each want some of these extensions.
pub(super) struct EphemeralAuthority {
    issuer: Issuer<'static, KeyPair>,
    authority: Authority,
}

impl EphemeralAuthority {
    pub(super) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// The certificate, for clients. The private key is dropped.
    pub(super) fn into_authority(self) -> Authority {
        self.authority
    }

    fn new() -> Result<Self, CertificateError> {
        let authority = authority_params("ftpspec ephemeral CA")?;
        let key = KeyPair::generate()?;
        let certificate = authority.self_signed(&key)?;
        let public = Authority {
            pem: certificate.pem(),
            fingerprint: hexadecimal(&Sha256::digest(certificate.der())),
        };
        let issuer = Issuer::new(authority, key);
        Ok(Self {
            issuer,
            authority: public,
        })
    }

    fn certified(
        &self,
        common_name: &str,
        names: Vec<String>,
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, CertificateError> {
        let key = KeyPair::generate()?;
        let certificate = server_params(common_name, names)?.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let chain = vec![certificate.der().clone()];
        Ok(CertifiedKey::from_der(chain, key, provider)?)
    }
}

/// A certificate authority.
pub(super) fn authority_params(common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut authority = params(common_name, Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(authority)
}

/// A server with these names and addresses.
pub(super) fn server_params(
    common_name: &str,
    names: Vec<String>,
) -> Result<CertificateParams, rcgen::Error> {
    let mut server = params(common_name, names)?;
    server.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyAgreement,
    ];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    Ok(server)
}

/// A certificate that is valid now.
fn params(common_name: &str, names: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let day = Duration::from_hours(24);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    // A client's clock may be behind ours.
    params.not_before = epoch + now.saturating_sub(day);
    params.not_after = epoch + now + 397 * day;
    Ok(params)
}

/// `[::1]` is how people write it in a URL.
fn bare_address(name: &str) -> String {
    let inner = name.trim_start_matches('[').trim_end_matches(']');
    match inner.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => name.to_owned(),
    }
}
