//! The TLS client: trust, and one session store for each control connection (RFC 4217 §10.2:
//! servers may require the data connection to resume the control connection's session).

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, CommonState, DigitallySignedStruct, HandshakeKind,
    RootCertStore, SignatureScheme,
};
use sha2::{Digest as _, Sha256};

use crate::scenario::TlsVersion;
use crate::text::hexadecimal;
use crate::transcript::TlsFacts;

/// Which certificates are accepted.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// All: a server under test seldom has a certificate of a trusted authority. The transcript
    /// records that nothing was verified.
    #[default]
    Anything,
    /// Those issued by one of these authorities.
    Authorities(Arc<RootCertStore>),
}

impl Trust {
    /// Reads the authorities in a PEM file.
    ///
    /// # Errors
    /// If it contains no certificate, or one that cannot be an authority.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| format!("CA: {error}"))?;
            roots
                .add(certificate)
                .map_err(|error| format!("CA: {error}"))?;
        }
        if roots.is_empty() {
            return Err("CA: the file contains no certificate".into());
        }
        Ok(Self::Authorities(Arc::new(roots)))
    }
}

/// The TLS side of one control connection and its data connections.
#[derive(Clone)]
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    trust: Trust,
}

impl TlsClient {
    /// A client without sessions that requests this server name.
    ///
    /// # Errors
    /// If rustls refuses the configuration.
    pub(crate) fn new(trust: &Trust, host: &str, ip: IpAddr) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned()).unwrap_or_else(|_| ServerName::from(ip));
        Ok(Self {
            config: configure(trust, None)?,
            name,
            trust: trust.clone(),
        })
    }

    /// Restricts the client to one version of TLS, or lifts the restriction; drops its sessions.
    ///
    /// # Errors
    /// If rustls refuses the configuration.
    pub(crate) fn held_to(&mut self, version: Option<TlsVersion>) -> Result<(), String> {
        self.config = configure(&self.trust, version)?;
        Ok(())
    }

    /// Whether nothing is verified.
    pub(crate) fn trusts_anything(&self) -> bool {
        matches!(self.trust, Trust::Anything)
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }

    pub(crate) fn name(&self) -> ServerName<'static> {
        self.name.clone()
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Why a handshake failed, with the full reason for a refused certificate: with `--ca` the cause
/// may be on either side.
pub(crate) fn in_words(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let Some(rustls::Error::InvalidCertificate(wrong)) = inner else {
        return error.to_string();
    };
    let why = match wrong {
        CertificateError::UnknownIssuer => {
            "no authority of --ca has issued it (the server's chain may be incomplete)".to_owned()
        }
        // For example two servers with self-made authorities of the same name.
        CertificateError::BadSignature => {
            "no authority of --ca has issued it: one of the issuer's name has another key"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::NotValidForName => "it is for another name".to_owned(),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "it is not for {}, but for {}",
            expected.to_str(),
            match presented.join(", ") {
                none if none.is_empty() => "no name at all".to_owned(),
                names => names,
            }
        ),
        other => other.to_string(),
    };
    format!("the server's certificate was refused: {why}")
}

/// The parameters of a finished handshake, as client or as server.
pub(crate) fn facts(session: &CommonState, data: bool) -> TlsFacts {
    TlsFacts {
        data,
        version: match session.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2".into(),
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3".into(),
            other => format!("{other:?}"),
        },
        suite: session
            .negotiated_cipher_suite()
            .map_or_else(String::new, |suite| format!("{:?}", suite.suite())),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        certificate: session
            .peer_certificates()
            .and_then(<[_]>::first)
            .map(|certificate| hexadecimal(&Sha256::digest(certificate))),
    }
}

fn configure(trust: &Trust, version: Option<TlsVersion>) -> Result<Arc<ClientConfig>, String> {
    let versions: &[&rustls::SupportedProtocolVersion] = match version {
        None => rustls::ALL_VERSIONS,
        Some(TlsVersion::V12) => &[&rustls::version::TLS12],
        Some(TlsVersion::V13) => &[&rustls::version::TLS13],
    };
    // Explicit, since `builder()` panics when two providers are compiled in.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(match trust {
        Trust::Authorities(roots) => builder
            .with_root_certificates(roots.clone())
            .with_no_client_auth(),
        Trust::Anything => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate(provider)))
            .with_no_client_auth(),
    }))
}

/// Accepts every certificate, but verifies signatures: the server must own its key.
#[derive(Debug)]
struct AcceptAnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
