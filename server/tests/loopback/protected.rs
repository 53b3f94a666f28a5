//! TLS: injection, its end, resumption and truncation.

use rustls::HandshakeKind;
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use tokio::io::AsyncWriteExt as _;

use crate::client::{Client, Wire, connector};
use crate::{VERSIONS, logged_in, protected, start_with_tls};

#[tokio::test]
async fn octets_sent_after_auth_never_become_a_command() {
    let server = start_with_tls().await;
    for version in VERSIONS {
        let mut client = Client::connect(server.addresses()[0]).await;
        // One segment: the server has read the USER when it answers AUTH.
        client.wire.write(b"AUTH TLS\r\nUSER test\r\n").await;
        client.receive("234").await;
        client.shake_hands(connector(&server, version)).await;
        // If it were accepted, this would be 331 for the USER, and 230 for the PASS.
        client.expect("PASS secret", "503").await;
    }
}

#[tokio::test]
async fn host_can_be_no_other_than_the_server_name_of_the_handshake() {
    let server = start_with_tls().await;
    for version in VERSIONS {
        let mut client = Client::connect(server.addresses()[0]).await;
        client.expect("HOST 127.0.0.1", "220").await;
        client.expect("AUTH TLS", "234").await;
        let name = ServerName::try_from("localhost").unwrap();
        client
            .shake_hands_with(connector(&server, version), name)
            .await;
        client.expect("USER test", "503").await;
        client.expect("HOST 127.0.0.1", "504").await;
        client.expect("HOST LOCALHOST", "220").await;
        client.login().await;
    }
}

#[tokio::test]
async fn after_ccc_clear_text_in_the_same_segment_as_close_notify_is_read() {
    let server = start_with_tls().await;
    for version in VERSIONS {
        let mut client = protected(&server, connector(&server, version)).await;
        let (mut tcp, mut tls) = client.take_wire().into_tls().into_inner();
        let mut octets = Vec::new();
        std::io::Write::write_all(&mut tls.writer(), b"CCC\r\n").unwrap();
        tls.send_close_notify();
        while tls.wants_write() {
            tls.write_tls(&mut octets).unwrap();
        }
        octets.extend_from_slice(b"NOOP\r\n");
        tcp.write_all(&octets).await.unwrap();
        // The 200 to CCC and the server's close_notify are protected, what follows is not.
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n") || received.is_empty() {
            tokio::io::AsyncReadExt::read_buf(&mut tcp, &mut received)
                .await
                .unwrap();
        }
        let replies = String::from_utf8_lossy(&received);
        let clear = replies.lines().last().unwrap();
        assert!(clear.contains("200 "), "{replies}");
        client.wire = Wire::Clear(tcp);
        client.tls = None;
        client.expect("PWD", "257").await;
        client.expect("QUIT", "221").await;
    }
}

#[tokio::test]
async fn data_connections_resume_the_session_of_the_control_connection() {
    let server = start_with_tls().await;
    for version in VERSIONS {
        let mut client = protected(&server, connector(&server, version)).await;
        // Two tickets are sent, and rustls presents each once only; others present one again and
        // again.
        for name in ["a", "b"] {
            let mut data = client.begin(&format!("STOR {name}")).await;
            let kind = data.tls().handshake_kind();
            assert_eq!(kind, Some(HandshakeKind::Resumed), "{version:?} {name}");
            data.end().await;
            client.receive("226").await;
        }
    }
}

#[tokio::test]
async fn a_client_may_shake_hands_before_it_sends_the_command() {
    let server = start_with_tls().await;
    for version in VERSIONS {
        let mut client = protected(&server, connector(&server, version)).await;
        let data = client.passive().await;
        let mut data = client.establish(data).await;
        client.expect("STOR early", "150").await;
        data.write(b"bird").await;
        data.end().await;
        client.receive("226").await;
        assert_eq!(client.download("RETR early", false).await, b"bird");
    }
}

#[tokio::test]
async fn an_upload_that_ends_without_close_notify_is_426_and_the_old_file_stays() {
    let server = start_with_tls().await;
    for version in VERSIONS {
        let mut client = protected(&server, connector(&server, version)).await;
        client.upload("STOR file", b"old", false).await;
        let mut data = client.begin("STOR file").await;
        data.write(b"new and cut").await;
        drop(data.into_tls().into_inner().0);
        client.receive("426").await;
        assert_eq!(client.download("RETR file", false).await, b"old");
    }
}

#[tokio::test]
async fn prot_c_is_clear_data_beside_a_protected_control_connection() {
    let server = start_with_tls().await;
    let mut client = protected(&server, connector(&server, &TLS13)).await;
    client.expect("PROT C", "200").await;
    client.tls = None;
    client
        .upload("STOR file", b"\x16\x03 is no TLS record", false)
        .await;
    let octets = client.download("RETR file", false).await;
    assert_eq!(octets, b"\x16\x03 is no TLS record");
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_after_234_is_closed() {
    let server = start_with_tls().await;
    let mut client = Client::connect(server.addresses()[0]).await;
    client.expect("AUTH TLS", "234").await;
    client.send("USER test").await;
    let mut rest = [0; 64];
    // An alert may come, a reply must not.
    while let count @ 1.. = client.wire.read(&mut rest).await {
        assert_eq!(rest[0], 0x15, "{}", rest[..count].escape_ascii());
    }
    let mut other = logged_in(&server).await;
    other.expect("NOOP", "200").await;
}

/// The client has finished its handshake; whether the server has seen that before the reset is a
/// matter of chance.
#[tokio::test]
async fn a_data_connection_that_is_reset_after_its_handshake_is_426() {
    let server = start_with_tls().await;
    for version in VERSIONS {
        let mut client = protected(&server, connector(&server, version)).await;
        client.upload("STOR file", b"old", false).await;
        for command in ["RETR file", "STOR file", "LIST"] {
            let data = client.passive().await;
            let data = client.establish(data).await;
            let socket = socket2::SockRef::from(data.tcp());
            socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
            drop(data);
            client.expect(command, "150").await;
            let reply = client.reply().await;
            assert!(reply.starts_with("426"), "{version:?} {command}: {reply}");
        }
        assert_eq!(client.download("RETR file", false).await, b"old");
    }
}
