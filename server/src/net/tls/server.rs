//! TLS as the control connections of a running server have it (RFC 4217): settings for each of
//! them, and certificates that change while it runs.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{KeyLog, RootCertStore, ServerConfig, ServerConnection};

use super::bad_certificates::bad_certificate;
use super::certificates::{Authority, Certificates, EphemeralAuthority, Shown, certified};
use super::config::{Alpn, ClientCertificates, CloseNotify, Tls, TlsVersion};
use crate::auth::ClientCertificate;
use crate::dtp::{CONTROL_SESSIONS, DataProtection, SessionMap, SessionReuse, Sessions, Terms};
use crate::error::CertificateError;
use crate::fault::BadCertificate;
use crate::text::hexadecimal;
use crate::wire::HostName;
use rustls::sign::CertifiedKey;

/// The server's TLS, common to all its connections.
#[derive(Debug)]
pub(crate) struct ServerTls {
    /// What every connection's settings are made from.
    config: ServerConfig,
    provider: Arc<CryptoProvider>,
    /// `None` after they were withdrawn.
    certificates: RwLock<Option<Arc<Certificates>>>,
    sessions: Arc<SessionMap>,
    terms: Terms,
    alpn_required: bool,
    /// The bad certificates of a fault plan.
    bad: Vec<(BadCertificate, Arc<Certificates>)>,
    /// The ephemeral certificate authority.
    pub(crate) ca: Option<Authority>,
}

/// The TLS of one control connection and its data connections.
///
/// They share their TLS sessions with each other only: a data connection that resumes one comes
/// from the client of the control connection.
#[derive(Debug)]
pub(crate) struct ConnectionTls {
    pub(crate) control: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    host: Option<String>,
    sessions: Arc<Sessions>,
    terms: Terms,
    data: OnceLock<Arc<DataProtection>>,
}

impl ServerTls {
    /// Reads or makes what is needed.
    pub(crate) fn prepare(tls: &Tls, bad: &[BadCertificate]) -> Result<Self, CertificateError> {
        // Always with the provider named: a process that links two of them would panic otherwise.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let (certificates, authority) =
            Certificates::prepare(&tls.identity, &tls.hosts, &provider)?;
        let issuer = authority.as_ref().map(EphemeralAuthority::issuer);
        let bad = bad
            .iter()
            .map(|kind| {
                let (chain, key) = bad_certificate(*kind, issuer)?;
                let key = CertifiedKey::from_der(chain, key, &provider)?;
                Ok((*kind, Arc::new(Certificates::only(key))))
            })
            .collect::<Result<_, CertificateError>>()?;
        let certificates = Arc::new(certificates);
        let versions = match tls.versions {
            (TlsVersion::V1_2, TlsVersion::V1_3) => &[&TLS13, &TLS12][..],
            (TlsVersion::V1_2, TlsVersion::V1_2) => &[&TLS12],
            (TlsVersion::V1_3, TlsVersion::V1_3) => &[&TLS13],
            (TlsVersion::V1_3, TlsVersion::V1_2) => return Err(CertificateError::NoVersion),
        };
        let alpn_required = tls.alpn == Alpn::Required;
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(verifier(tls, &provider)?)
            .with_cert_resolver(Arc::new(Shown {
                certificates: Arc::clone(&certificates),
                host: None,
                alpn_required,
            }));
        if tls.alpn != Alpn::Ignored {
            config.alpn_protocols = vec![b"ftp".to_vec()];
        }
        // Some clients refuse to open a data connection without a ticket to resume with (PHP).
        // Where resumption is asked for, a client that uses each ticket once and reads nothing on
        // its uploads lives on these alone. No client keeps more than ten, unless it has asked for
        // them (RFC 9149).
        config.send_tls13_tickets = match tls.reuse {
            SessionReuse::Off => 2,
            SessionReuse::Warn | SessionReuse::Require => 10,
        };
        config.max_tls13_tickets = CONTROL_SESSIONS;
        if let Some(path) = &tls.key_log {
            config.key_log = Arc::new(KeyLogFile::open(path)?);
        }
        Ok(Self {
            config,
            provider,
            certificates: RwLock::new(Some(certificates)),
            sessions: Arc::default(),
            terms: Terms {
                reuse: tls.reuse,
                lenient: tls.close_notify == CloseNotify::Lenient,
                client: None,
            },
            alpn_required,
            bad,
            ca: authority.map(EphemeralAuthority::into_authority),
        })
    }

    /// The settings of a control connection whose TLS begins now; `None` if there is no
    /// certificate. To a client that names no host in the handshake, HOST may have named one before
    /// (RFC 7151 §4).
    pub(crate) fn for_connection(&self, host: Option<&HostName>) -> Option<ConnectionTls> {
        let certificates = self
            .certificates
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let certificates = Arc::clone(certificates.as_ref()?);
        Some(self.showing(certificates, host))
    }

    /// As [`for_connection`](Self::for_connection), with a certificate that is wrong in this way.
    pub(crate) fn with_bad_certificate(&self, kind: BadCertificate) -> Option<ConnectionTls> {
        let (_, certificates) = self.bad.iter().find(|(bad, _)| *bad == kind)?;
        Some(self.showing(Arc::clone(certificates), None))
    }

    fn showing(&self, certificates: Arc<Certificates>, host: Option<&HostName>) -> ConnectionTls {
        let host = host.map(|host| host.to_string().to_ascii_lowercase());
        let sessions = Arc::new(Sessions::of_a_new_owner(&self.sessions));
        let mut config = self.config.clone();
        config.session_storage = Arc::clone(&sessions) as _;
        config.cert_resolver = Arc::new(Shown {
            certificates: Arc::clone(&certificates),
            host: host.clone(),
            alpn_required: self.alpn_required,
        });
        ConnectionTls {
            control: Arc::new(config),
            certificates,
            host,
            sessions,
            terms: self.terms,
            data: OnceLock::new(),
        }
    }

    /// Shows another certificate from the next handshake on: to those who ask for `host`, or to all
    /// others.
    pub(crate) fn rotate(
        &self,
        host: Option<&str>,
        chain: &[u8],
        key: &[u8],
    ) -> Result<(), CertificateError> {
        let key = certified(chain, key, &self.provider)?;
        let mut certificates = self
            .certificates
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let rotated = match certificates.as_ref() {
            Some(certificates) => certificates.replaced(host, key),
            None => Certificates::only(key),
        };
        *certificates = Some(Arc::new(rotated));
        Ok(())
    }

    /// Withdraws all certificates.
    pub(crate) fn withdraw(&self) {
        *self
            .certificates
            .write()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl ConnectionTls {
    /// The certificate the client has shown in the handshake of the control connection; data
    /// connections may show no other.
    pub(crate) fn meet(&mut self, connection: &ServerConnection) -> Option<Arc<ClientCertificate>> {
        let certificate = connection
            .peer_certificates()
            .and_then(<[_]>::first)
            .map(|der| Arc::new(ClientCertificate::from_der(der)));
        self.terms.client = certificate.as_ref().map(|shown| *shown.fingerprint());
        certificate
    }

    /// The protection of data connections.
    pub(crate) fn data(&self) -> &Arc<DataProtection> {
        self.data.get_or_init(|| {
            let mut config = ServerConfig::clone(&self.control);
            // FileZilla's name for the protocol of a data connection; few others name one.
            if !config.alpn_protocols.is_empty() {
                config.alpn_protocols.push(b"ftp-data".to_vec());
            }
            config.cert_resolver = Arc::new(Shown {
                certificates: Arc::clone(&self.certificates),
                host: self.host.clone(),
                alpn_required: false,
            });
            let sessions = Arc::clone(&self.sessions);
            Arc::new(DataProtection::new(config, sessions, self.terms))
        })
    }
}

fn verifier(
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, CertificateError> {
    let Some((demand, authorities)) = &tls.clients else {
        return Ok(WebPkiClientVerifier::no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(&authorities.read()?) {
        roots.add(authority?)?;
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    Ok(match demand {
        ClientCertificates::Required => verifier,
        ClientCertificates::Optional => verifier.allow_unauthenticated(),
    }
    .build()?)
}

/// The secrets of every session, in a file, as Wireshark reads them.
#[derive(Debug)]
struct KeyLogFile(Mutex<File>);

impl KeyLogFile {
    fn open(path: &Path) -> Result<Self, CertificateError> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(file) => Ok(Self(Mutex::new(file))),
            Err(source) => Err(CertificateError::KeyLog {
                path: path.to_owned(),
                source,
            }),
        }
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!(
            "{label} {} {}\n",
            hexadecimal(client_random),
            hexadecimal(secret)
        );
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(%error, "failed to write the key log");
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    use rcgen::{CertificateParams, KeyPair};

    #[test]
    fn a_key_that_is_not_the_certificates_is_refused() {
        let made = |_| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
        };
        let [(mine, my_key), (_, other_key)] = [0, 1].map(made);
        let tls = |key: &String| Tls::explicit().certificate(mine.clone(), key.clone());
        let prepared = ServerTls::prepare(&tls(&my_key), &[]).unwrap();
        assert!(matches!(
            ServerTls::prepare(&tls(&other_key), &[]),
            Err(CertificateError::Rejected(_))
        ));
        assert!(
            prepared
                .rotate(None, mine.as_bytes(), other_key.as_bytes())
                .is_err()
        );
        assert!(prepared.for_connection(None).is_some(), "the old one stays");
    }

    #[test]
    fn versions_that_are_none_and_authorities_that_are_none_are_refused() {
        let upside_down = Tls::explicit().versions(TlsVersion::V1_3, TlsVersion::V1_2);
        assert!(matches!(
            ServerTls::prepare(&upside_down, &[]),
            Err(CertificateError::NoVersion)
        ));
        let nobody = Tls::explicit().client_certificates(ClientCertificates::Optional, "");
        assert!(matches!(
            ServerTls::prepare(&nobody, &[]),
            Err(CertificateError::Authorities(_))
        ));
    }

    #[test]
    fn a_key_never_prints() {
        let tls = Tls::explicit().certificate("CERTIFICATE", "PRIVATE KEY");
        assert!(!format!("{tls:?}").contains("PRIVATE"));
    }
}
