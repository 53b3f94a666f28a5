//! TLS: each mode with a client that complies and one that does not.

use std::sync::Arc;

use ftpspec_server::auth::CertificateRule;
use ftpspec_server::tls::{
    Alpn, ClientCertificates, CloseNotify, SessionReuse, TlsRequirement, TlsVersion,
};
use ftpspec_server::{ServerHandle, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::SupportedProtocolVersion;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::TLS13;
use tokio_rustls::TlsConnector;

use crate::client::{Client, Identity, Wire, client_config, connector};
use crate::{VERSIONS, builder, protected, serve};

async fn start(tls: Tls) -> ServerHandle {
    builder().tls(tls).start().await.unwrap()
}

/// A certificate authority of clients.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    fn client(&self, name: &str) -> Identity {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        (vec![certificate.der().clone()], key)
    }
}

fn showing(
    server: &ServerHandle,
    version: &'static SupportedProtocolVersion,
    identity: Option<Identity>,
) -> TlsConnector {
    let config = client_config(server.ca_pem().unwrap(), version, identity);
    TlsConnector::from(Arc::new(config))
}

async fn connect(server: &ServerHandle) -> Client {
    Client::connect(server.addresses()[0]).await
}

/// AUTH TLS and the handshake with a server of this name; the error if it fails. In TLS 1.3 the
/// client may learn only afterwards that the server has refused it, so a command belongs to it.
async fn handshake(
    client: &mut Client,
    tls: &TlsConnector,
    name: ServerName<'static>,
) -> Result<(), String> {
    client.expect("AUTH TLS", "234").await;
    let shaken = client.try_shake_hands(tls.clone(), name).await;
    shaken.map_err(|error| error.to_string())?;
    let Wire::Tls(stream) = &mut client.wire else {
        panic!("it is protected");
    };
    use tokio::io::AsyncWriteExt as _;
    let _ = stream.write_all(b"NOOP\r\n").await;
    let _ = stream.flush().await;
    match client.reply().await {
        reply if reply.starts_with("200") => Ok(()),
        reply => Err(reply),
    }
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// The certificate that the server has presented.
fn shown(client: &Client) -> CertificateDer<'static> {
    client.wire.tls().peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn a_required_control_connection_refuses_logins_in_the_clear_and_leaves_data_alone() {
    let server = start(Tls::explicit().require(TlsRequirement::Control)).await;
    let mut client = connect(&server).await;
    client.expect("USER test", "530").await;
    client.expect("PASS secret", "530").await;
    client.expect("AUTH TLS", "234").await;
    client.shake_hands(connector(&server, &TLS13)).await;
    client.login().await;
    client.tls = None;
    client.upload("STOR file", b"in the clear", false).await;
}

#[tokio::test]
async fn where_data_is_required_nothing_goes_in_the_clear_over_epsv_or_eprt() {
    let server = start(Tls::explicit().require(TlsRequirement::ControlAndData)).await;
    let tls = connector(&server, &TLS13);
    let mut client = connect(&server).await;
    client.expect("AUTH TLS", "234").await;
    client.shake_hands(tls.clone()).await;
    client.login().await;
    for active in [false, true] {
        client.tls = None;
        let data = client.data(active).await;
        client.expect("NLST", "521").await;
        // The port can still be used after PROT P.
        client.protect_data().await;
        client.tls = Some(tls.clone());
        assert_eq!(client.finish_download("NLST", data).await, b"");
        client.expect("PROT C", "200").await;
    }
}

#[tokio::test]
async fn only_versions_between_the_bounds_are_spoken() {
    for (lowest, highest, spoken) in [
        (TlsVersion::V1_2, TlsVersion::V1_2, [true, false]),
        (TlsVersion::V1_3, TlsVersion::V1_3, [false, true]),
        (TlsVersion::V1_2, TlsVersion::V1_3, [true, true]),
    ] {
        let server = start(Tls::explicit().versions(lowest, highest)).await;
        for (version, spoken) in VERSIONS.into_iter().zip(spoken) {
            let mut client = connect(&server).await;
            let outcome = handshake(&mut client, &connector(&server, version), localhost()).await;
            assert_eq!(outcome.is_ok(), spoken, "{version:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_client_certificate_logs_in_and_must_be_the_same_on_data_connections() {
    let authority = Authority::new();
    let tls =
        Tls::explicit().client_certificates(ClientCertificates::Required, authority.pem.clone());
    let server = serve(
        builder()
            .tls(tls)
            .user_certificate("alice", CertificateRule::CommonName("alice".into())),
    )
    .await;
    for version in VERSIONS {
        let mut client = connect(&server).await;
        let alices = showing(&server, version, Some(authority.client("alice")));
        client.protect(alices.clone()).await;
        client.expect("USER alice", "232").await;
        client.expect("TYPE I", "200").await;
        client.upload("STOR file", b"hers", false).await;
        assert_eq!(client.download("RETR file", true).await, b"hers");
        // Bob's certificate is valid too, but not for alice.
        client.tls = Some(showing(&server, version, Some(authority.client("bob"))));
        let mut data = client.begin("RETR file").await;
        assert_eq!(data.read(&mut [0; 16]).await, 0);
        let reply = client.reply().await;
        assert!(reply.starts_with("522 "), "{reply}");
        assert!(reply.contains("client certificate differs"), "{reply}");
        // Bob is not alice, and has a password to give if he has one.
        let mut client = connect(&server).await;
        client
            .protect(showing(&server, version, Some(authority.client("bob"))))
            .await;
        client.expect("USER alice", "331").await;
        client.login().await;
    }
}

#[tokio::test]
async fn a_missing_or_untrusted_certificate_is_refused_where_one_is_required() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let demanding = |demand| Tls::explicit().client_certificates(demand, authority.pem.clone());
    let required = start(demanding(ClientCertificates::Required)).await;
    let optional = start(demanding(ClientCertificates::Optional)).await;
    for version in VERSIONS {
        for (server, identity, welcome) in [
            (&required, None, false),
            (&required, Some(stranger.client("alice")), false),
            (&required, Some(authority.client("alice")), true),
            (&optional, None, true),
            (&optional, Some(stranger.client("alice")), false),
        ] {
            let mut client = connect(server).await;
            let tls = showing(server, version, identity);
            let outcome = handshake(&mut client, &tls, localhost()).await;
            assert_eq!(outcome.is_ok(), welcome, "{version:?}: {outcome:?}");
        }
    }
    protected(&optional, connector(&optional, &TLS13)).await;
}

#[tokio::test]
async fn each_host_shows_its_own_certificate_asked_for_by_sni_or_host() {
    let server = serve(
        builder()
            .tls(Tls::explicit().host("one.example").host("two.example"))
            .host("one.example", ftpspec_server::VirtualHost::default()),
    )
    .await;
    for version in VERSIONS {
        let mut certificates = Vec::new();
        for name in ["localhost", "one.example", "TWO.example"] {
            let mut client = connect(&server).await;
            let tls = connector(&server, version);
            // The client checks that the certificate is for this name.
            let name = ServerName::try_from(name.to_owned()).unwrap();
            handshake(&mut client, &tls, name).await.unwrap();
            certificates.push(shown(&client));
        }
        assert_ne!(certificates[0], certificates[1]);
        assert_ne!(certificates[1], certificates[2]);

        // A client without SNI has sent HOST before (RFC 7151 §4).
        let mut config = client_config(server.ca_pem().unwrap(), version, None);
        config.enable_sni = false;
        let mut client = connect(&server).await;
        client.expect("HOST one.example", "220").await;
        let name = ServerName::try_from("one.example").unwrap();
        let tls = TlsConnector::from(Arc::new(config));
        handshake(&mut client, &tls, name).await.unwrap();
        assert_eq!(shown(&client), certificates[1]);
    }
}

#[tokio::test]
async fn a_client_of_another_protocol_is_refused_in_the_handshake() {
    let cases: [(Alpn, &[&[u8]], bool); 8] = [
        (Alpn::Optional, &[], true),
        (Alpn::Optional, &[b"ftp"], true),
        (Alpn::Optional, &[b"h2", b"http/1.1"], false),
        (Alpn::Required, &[], false),
        (Alpn::Required, &[b"ftp"], true),
        (Alpn::Required, &[b"http/1.1"], false),
        (Alpn::Ignored, &[b"http/1.1"], true),
        (Alpn::Ignored, &[], true),
    ];
    for (alpn, named, welcome) in cases {
        let server = start(Tls::explicit().alpn(alpn)).await;
        for version in VERSIONS {
            let mut config = client_config(server.ca_pem().unwrap(), version, None);
            config.alpn_protocols = named.iter().map(|name| name.to_vec()).collect();
            let tls = TlsConnector::from(Arc::new(config));
            let mut client = connect(&server).await;
            let outcome = handshake(&mut client, &tls, localhost()).await;
            assert_eq!(outcome.is_ok(), welcome, "{alpn:?} {named:?} {outcome:?}");
            if welcome {
                client.protect_data().await;
                client.login().await;
                // Few clients name a protocol on data connections.
                client.tls = Some(connector(&server, version));
                client.upload("STOR file", b"data", false).await;
            }
        }
    }
}

/// A client that never resumes a session.
fn forgetful(server: &ServerHandle, version: &'static SupportedProtocolVersion) -> TlsConnector {
    let mut config = client_config(server.ca_pem().unwrap(), version, None);
    config.resumption = Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

/// A transfer that is refused after its 150.
async fn refused(client: &mut Client, active: bool, reason: &str) {
    let data = client.data(active).await;
    client.expect("NLST", "150").await;
    let mut data = client.establish(data).await;
    assert_eq!(data.read(&mut [0; 16]).await, 0);
    let reply = client.reply().await;
    assert!(
        reply.starts_with("522 ") && reply.contains(reason),
        "{reply}"
    );
}

#[tokio::test]
async fn required_reuse_serves_clients_that_resume_and_refuses_others_with_a_reason() {
    let server = start(Tls::explicit().session_reuse(SessionReuse::Require)).await;
    for version in VERSIONS {
        for active in [false, true] {
            let mut client = protected(&server, connector(&server, version)).await;
            client.upload("STOR file", b"resumed", active).await;
            assert_eq!(client.download("RETR file", active).await, b"resumed");

            let mut client = protected(&server, forgetful(&server, version)).await;
            refused(&mut client, active, "session reuse is required").await;
            client.expect("NOOP", "200").await;
        }
    }
}

#[tokio::test]
async fn required_reuse_distinguishes_the_session_of_another_connection_from_none() {
    let server = start(Tls::explicit().session_reuse(SessionReuse::Require)).await;
    for version in VERSIONS {
        // Both have one store, and the later session is on top.
        let tls = connector(&server, version);
        let mut first = protected(&server, tls.clone()).await;
        let _second = protected(&server, tls).await;
        refused(&mut first, false, "the session of another connection").await;
    }
}

#[tokio::test]
async fn reuse_that_is_optional_serves_every_client() {
    for reuse in [SessionReuse::Off, SessionReuse::Warn] {
        let server = start(Tls::explicit().session_reuse(reuse)).await;
        for version in VERSIONS {
            for tls in [forgetful(&server, version), connector(&server, version)] {
                let mut client = protected(&server, tls).await;
                client.upload("STOR file", b"served", false).await;
            }
        }
    }
}

#[tokio::test]
async fn a_lenient_server_takes_an_upload_without_close_notify() {
    let server = start(Tls::explicit().close_notify(CloseNotify::Lenient)).await;
    for version in VERSIONS {
        let mut client = protected(&server, connector(&server, version)).await;
        let mut data = client.begin("STOR file").await;
        data.write(b"cut, or not").await;
        drop(data.into_tls().into_inner().0);
        client.receive("226").await;
        assert_eq!(client.download("RETR file", false).await, b"cut, or not");
    }
}

#[tokio::test]
async fn the_key_log_has_the_secrets_of_both_versions() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    let server = start(Tls::explicit().key_log(&path)).await;
    for version in VERSIONS {
        let mut client = connect(&server).await;
        client.protect(connector(&server, version)).await;
    }
    let log = std::fs::read_to_string(&path).unwrap();
    for label in ["CLIENT_RANDOM ", "SERVER_TRAFFIC_SECRET_0 "] {
        assert!(log.lines().any(|line| line.starts_with(label)), "{log}");
    }
    assert!(log.lines().all(|line| line.split(' ').count() == 3));
}

#[tokio::test]
async fn a_rotated_certificate_is_for_new_connections_and_old_ones_live_on() {
    let server = start(Tls::explicit()).await;
    let mut old = protected(&server, connector(&server, &TLS13)).await;
    let before = shown(&old);

    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let rotated = params.self_signed(&key).unwrap();
    let (pem, key) = (rotated.pem(), key.serialize_pem());
    assert!(
        server
            .rotate_certificate(b"nonsense", key.as_bytes())
            .is_err()
    );
    server
        .rotate_certificate(pem.as_bytes(), key.as_bytes())
        .unwrap();

    let trusting = TlsConnector::from(Arc::new(client_config(&pem, &TLS13, None)));
    let mut new = connect(&server).await;
    handshake(&mut new, &trusting, localhost()).await.unwrap();
    assert_eq!(shown(&new), *rotated.der());
    // The old client trusts the old certificate only.
    old.tls = Some(forgetful(&server, &TLS13));
    old.upload("STOR file", b"still here", false).await;
    assert_eq!(shown(&old), before);

    server.withdraw_certificates().unwrap();
    let mut none = connect(&server).await;
    none.expect("AUTH TLS", "431").await;
    none.login().await;
    old.upload("STOR file", b"and still", false).await;
    server
        .rotate_certificate(pem.as_bytes(), key.as_bytes())
        .unwrap();
    let mut new = connect(&server).await;
    handshake(&mut new, &trusting, localhost()).await.unwrap();
}

#[tokio::test]
async fn without_tls_there_is_no_certificate_to_rotate() {
    let server = builder().start().await.unwrap();
    assert!(server.rotate_certificate(b"", b"").is_err());
    assert!(server.withdraw_certificates().is_err());
}
