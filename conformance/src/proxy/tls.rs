//! TLS of the proxy: a certificate authority of its own towards clients, and one store of sessions
//! for each control connection towards servers, because servers may want data connections to
//! resume the session of their control connection.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::faults::{BadCertificate, bad_certificate};
use super::observer::Leg;
use super::stream::Stream;
use crate::driver::TlsClient;
use crate::transcript::TlsFacts;

/// How the connection with the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum UpstreamTls {
    /// As the client protects its own, with AUTH TLS.
    #[default]
    Same,
    /// Not at all: only the client's side is under TLS, if the client wants that.
    Off,
    /// With AUTH TLS before anything else, whatever the client does.
    Explicit,
    /// From the first octet on.
    Implicit,
}

/// How both sides are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Protections {
    /// The side of the server.
    pub(crate) upstream: UpstreamTls,
    /// Whether the client's side is under TLS from the first octet on; else the client may use AUTH.
    pub(crate) implicit_listener: bool,
}

impl Protections {
    /// Whether AUTH, PBSZ, PROT and CCC of the client are for the proxy: the sides begin TLS in
    /// different ways.
    pub(crate) fn local(self) -> bool {
        !matches!(
            (self.upstream, self.implicit_listener),
            (UpstreamTls::Same, false) | (UpstreamTls::Implicit, true)
        )
    }
}

/// The certificate authority of a proxy and the certificate it shows to clients.
#[derive(Debug, Clone)]
pub(crate) struct Authority {
    pem: String,
    config: Arc<ServerConfig>,
    issuer: Arc<Issuer<'static, KeyPair>>,
    data_config: Arc<ServerConfig>,
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
        let config = server_config(vec![leaf.der().clone()], key)?;
        // A client that sends a file and closes would not read tickets, and octets that are not read
        // turn its close into a reset.
        let mut data_config = (*config).clone();
        data_config.send_tls13_tickets = 0;
        Ok(Self {
            pem,
            config,
            data_config: Arc::new(data_config),
            issuer: Arc::new(issuer),
        })
    }

    /// With a certificate that no client should accept.
    fn bad(&self, kind: BadCertificate) -> io::Result<Arc<ServerConfig>> {
        let identity = bad_certificate(kind, Some(&self.issuer));
        let (chain, key) = identity.map_err(io::Error::other)?;
        server_config(chain, key)
    }

    /// The settings of a server with its certificate, for control or data connections. Both know
    /// the same sessions.
    pub(crate) fn config(&self, data: bool) -> &Arc<ServerConfig> {
        match data {
            true => &self.data_config,
            false => &self.config,
        }
    }

    /// The certificate that clients have to trust, in PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> io::Result<Arc<ServerConfig>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    Ok(Arc::new(config))
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
            Leg::Client => stream.accept_tls(self.authority.config(data), data).await,
            Leg::Server => stream.connect_tls(&self.client, data).await,
        }
    }

    /// TLS with the client on a control connection, with a bad certificate.
    ///
    /// # Errors
    /// In words, when the handshake fails.
    pub(crate) async fn begin_badly(
        &self,
        stream: &mut Stream,
        kind: BadCertificate,
    ) -> Result<TlsFacts, String> {
        let config = self.authority.bad(kind);
        let config = config.map_err(|error| error.to_string())?;
        stream.accept_tls(&config, false).await
    }
}
