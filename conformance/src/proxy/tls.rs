//! TLS of the proxy: a certificate authority of its own towards clients, and one store of sessions
//! for each control connection towards servers, because servers may want data connections to
//! resume the session of their control connection.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::observer::Leg;
use super::stream::Stream;
use crate::driver::TlsClient;
use crate::transcript::TlsFacts;

/// The certificate authority of a proxy and the certificate it shows to clients.
#[derive(Debug, Clone)]
pub(crate) struct Authority {
    pem: String,
    config: Arc<ServerConfig>,
}

impl Authority {
    /// An authority that has issued one certificate, for these names and addresses.
    ///
    /// # Errors
    /// When no key or certificate can be made.
    pub(crate) fn new(names: Vec<String>) -> io::Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "ftpspec recorder");
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let authority = params.self_signed(&key).map_err(io::Error::other)?;
        let pem = authority.pem();
        let issuer = Issuer::new(params, key);
        let leaf_key = KeyPair::generate().map_err(io::Error::other)?;
        let leaf = CertificateParams::new(names).map_err(io::Error::other)?;
        let leaf = leaf
            .signed_by(&leaf_key, &issuer)
            .map_err(io::Error::other)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .map_err(io::Error::other)?;
        Ok(Self {
            pem,
            config: Arc::new(config),
        })
    }

    /// The certificate that clients have to trust, in PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }
}

/// TLS of one session.
#[derive(Debug)]
pub(crate) struct SessionTls {
    authority: Authority,
    client: TlsClient,
}

impl SessionTls {
    /// Nothing is remembered of earlier sessions.
    ///
    /// # Errors
    /// When rustls refuses the settings; in words.
    pub(crate) fn new(
        authority: Authority,
        trust: &crate::driver::Trust,
        host: &str,
        server: IpAddr,
    ) -> Result<Self, String> {
        let client = TlsClient::new(trust, host, server)?;
        Ok(Self { authority, client })
    }

    /// TLS on one leg, of the control connection or a data connection: with the client as a server,
    /// with the server as a client.
    ///
    /// # Errors
    /// In words, when the handshake fails.
    pub(crate) async fn begin(
        &self,
        leg: Leg,
        stream: &mut Stream,
        data: bool,
    ) -> Result<TlsFacts, String> {
        match leg {
            Leg::Client => stream.accept_tls(&self.authority.config, data).await,
            Leg::Server => stream.connect_tls(&self.client, data).await,
        }
    }
}
