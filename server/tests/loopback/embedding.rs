//! What an embedder can provide or decide: listeners, ports, directories, requirements of one user.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;

use ftpspec_server::auth::accounts::{Account, Accounts, Password};
use ftpspec_server::auth::{Secret, TlsRequirement, User};
use ftpspec_server::internals::wire::Verb;
use ftpspec_server::observe::hooks::{CommandAction, Request};
use ftpspec_server::storage::{MemFs, VirtualPath};
use ftpspec_server::{
    ActiveSource, Hooks, PassivePorts, ServerBuilder, ServerHandle, SessionInfo, Tls,
};
use rustls::version::TLS13;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::client::{Client, Data, Wire, connect_from, connector};
use crate::{builder, free_port, logged_in, path, serve};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[tokio::test]
async fn listeners_that_are_handed_in_are_served_and_nothing_else_is() {
    let (clear, implicit) = (
        StdListener::bind((LOOPBACK, 0)).unwrap(),
        StdListener::bind((LOOPBACK, 0)).unwrap(),
    );
    let (at, implicit_at) = (clear.local_addr().unwrap(), implicit.local_addr().unwrap());
    let server = serve(
        builder()
            .tls(Tls::explicit())
            .listener(clear)
            .implicit_listener(implicit),
    )
    .await;
    assert_eq!(server.addresses(), [at]);
    assert_eq!(server.implicit_addresses(), [implicit_at]);
    Client::connect(at).await.login().await;
    let tls = connector(&server, &TLS13);
    Client::connect_implicit(implicit_at, tls)
        .await
        .login()
        .await;
    server.stop().await;
}

/// A server whose only passive port is shared, and a file to fetch.
async fn one_shared_port(builder: ServerBuilder) -> ServerHandle {
    let port = free_port();
    let ports = PassivePorts::from(port..=port).shared();
    let server = serve(builder.bind((LOOPBACK, 0).into()).passive_ports(ports)).await;
    let mut client = logged_in(&server).await;
    for name in ["2", "3", "4"] {
        client
            .upload(&format!("STOR 127.0.0.{name}"), name.as_bytes(), false)
            .await;
    }
    server
}

/// EPSV from this address: the session, and where to connect.
async fn waiting_from(source: &str, server: &ServerHandle) -> (Client, SocketAddr) {
    let at = server.addresses()[0];
    let mut client = Client::connect_from(source, at).await;
    client.login().await;
    let port = client.extended_passive().await;
    (client, SocketAddr::new(at.ip(), port))
}

#[tokio::test]
async fn sessions_of_several_clients_share_a_port_and_each_gets_its_own_connection() {
    let server = one_shared_port(builder()).await;
    let mut sessions = Vec::new();
    for source in ["127.0.0.2", "127.0.0.3", "127.0.0.4"] {
        sessions.push((source, waiting_from(source, &server).await));
    }
    let ports: Vec<u16> = sessions.iter().map(|(_, (_, at))| at.port()).collect();
    assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    // A client without a waiting session is refused. The others connect in the reverse order.
    let mut stranger = connect_from("127.0.0.5", sessions[0].1.1).await;
    assert_eq!(stranger.read(&mut [0; 1]).await.unwrap_or(0), 0);
    for (source, (client, at)) in sessions.iter_mut().rev() {
        let data = Data::Passive(connect_from(source, *at).await);
        let octets = client
            .finish_download(&format!("RETR {source}"), data)
            .await;
        assert_eq!(octets, &source.as_bytes()[8..]);
    }
}

#[tokio::test]
async fn two_sessions_of_one_client_never_wait_at_one_port() {
    let server = one_shared_port(builder()).await;
    let (mut first, at) = waiting_from("127.0.0.2", &server).await;
    let mut second = Client::connect_from("127.0.0.2", server.addresses()[0]).await;
    second.login().await;
    second.expect("EPSV", "425").await;
    // The same session may ask again, and once its connection has come the port is free.
    first.expect("EPSV", "229").await;
    let data = Data::Passive(connect_from("127.0.0.2", at).await);
    assert_eq!(first.finish_download("RETR 127.0.0.2", data).await, b"2");
    second.expect("EPSV", "229").await;
    // A session that ends releases it.
    second.expect("QUIT", "221").await;
    assert_eq!(second.reply().await, "");
    first.expect("EPSV", "229").await;
}

#[tokio::test]
async fn a_shared_port_carries_tls_and_is_closed_when_nobody_waits() {
    let tls = Tls::explicit();
    let server = one_shared_port(builder().tls(tls)).await;
    let (mut client, _) = waiting_from("127.0.0.2", &server).await;
    client.protect(connector(&server, &TLS13)).await;
    client.login().await;
    let port = client.extended_passive().await;
    let at = SocketAddr::new(LOOPBACK, port);
    let data = Data::Passive(connect_from("127.0.0.2", at).await);
    assert_eq!(client.finish_download("RETR 127.0.0.2", data).await, b"2");
    // The listener is closed soon after the last session has its connection.
    while let Ok(mut late) = tokio::net::TcpStream::connect(at).await {
        assert_eq!(late.read(&mut [0; 1]).await.unwrap_or(0), 0);
    }
}

#[tokio::test]
async fn active_connections_come_from_the_port_that_was_asked_for() {
    let port = free_port();
    let server = serve(
        builder()
            .active_source(ActiveSource::Port(port))
            .bind((LOOPBACK, 0).into()),
    )
    .await;
    let mut client = logged_in(&server).await;
    client.upload("STOR file", b"content", false).await;
    // Twice: the first connection lingers at that port.
    for _ in 0..2 {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        client
            .expect(&format!("EPRT |1|{}|{}|", at.ip(), at.port()), "200")
            .await;
        client.expect("RETR file", "150").await;
        let (stream, from) = listener.accept().await.unwrap();
        assert_eq!(from, SocketAddr::new(LOOPBACK, port));
        assert_eq!(Wire::Clear(stream).read_to_end().await, b"content");
        client.receive("226").await;
    }
}

#[tokio::test]
async fn the_required_protection_of_one_user_does_not_apply_to_others() {
    let storage = Arc::new(MemFs::new());
    let account = |name: &str, tls_required| Account {
        user: User {
            tls_required,
            ..User::new(name, storage.clone())
        },
        password: Password::Plain(Secret::new("secret")),
        certificates: Vec::new(),
        hosts: None,
    };
    let accounts = Accounts::new()
        .with("free", account("free", TlsRequirement::None))
        .with("control", account("control", TlsRequirement::Control))
        .with("data", account("data", TlsRequirement::ControlAndData));
    let server = serve(
        builder()
            .authenticator(Arc::new(accounts))
            .tls(Tls::explicit()),
    )
    .await;
    for (user, in_clear, clear_data) in [
        ("free", "230", "150"),
        ("control", "530", "150"),
        ("data", "530", "521"),
    ] {
        let mut client = Client::connect(server.addresses()[0]).await;
        client.expect(&format!("USER {user}"), "331").await;
        client.expect("PASS secret", in_clear).await;
        client
            .expect("PWD", if in_clear == "230" { "257" } else { "530" })
            .await;
        client.protect(connector(&server, &TLS13)).await;
        client.expect(&format!("USER {user}"), "331").await;
        client.expect("PASS secret", "230").await;
        client.expect("PROT C", "200").await;
        let data = client.passive().await;
        client.expect("NLST", clear_data).await;
        drop(data);
    }
}

#[tokio::test]
async fn options_of_list_and_the_conversion_of_ascii_can_be_switched_off() {
    let server = serve(builder().list_options(false).ascii_conversion(false)).await;
    let mut client = logged_in(&server).await;
    client.upload("STOR -la", b"one\ntwo\r\n", false).await;
    let listed = client.download("NLST -la", false).await;
    assert_eq!(listed, b"-la\r\n");
    let status = client.expect("STAT -la", "213").await;
    assert!(status.contains(" -la\r\n"), "{status}");
    client.expect("TYPE A", "200").await;
    assert_eq!(client.download("RETR -la", false).await, b"one\ntwo\r\n");
    assert_eq!(client.expect("SIZE -la", "213").await, "213 9");
    // A listing is text all the same.
    assert_eq!(client.download("NLST -la", false).await, b"-la\r\n");
}

/// Counts the commands of each session, in the session itself.
#[derive(Debug)]
struct Counting;

#[derive(Debug, Clone, PartialEq)]
struct Commands(u32);

impl Hooks for Counting {
    fn before<'a>(
        &'a self,
        session: &'a SessionInfo,
        command: &'a Request,
    ) -> ftpspec_server::observe::hooks::BoxFuture<'a, CommandAction> {
        let count = session.extra::<Commands>().map_or(0, |commands| commands.0);
        session.set_extra(Commands(count + 1));
        if command.verb() == Some(Verb::Noop) {
            session.set_directory(path("sent/here"));
        }
        Box::pin(std::future::ready(CommandAction::Proceed))
    }
}

#[tokio::test]
async fn hooks_keep_values_with_a_session_and_send_it_to_a_directory() {
    let server = builder().hooks(Counting).start().await.unwrap();
    let mut first = logged_in(&server).await;
    let mut second = Client::connect(server.addresses()[0]).await;
    second.expect("NOOP", "200").await;
    let counts: Vec<_> = server
        .sessions()
        .iter()
        .map(SessionInfo::extra::<Commands>)
        .collect();
    assert_eq!(counts, [Some(Commands(3)), Some(Commands(1))]);
    assert_eq!(server.sessions()[0].extra::<String>(), None);
    first.expect("NOOP", "200").await;
    assert!(first.expect("PWD", "257").await.contains("\"/sent/here\""));
    // A session that was not logged in when it was sent is where its user begins.
    second.login().await;
    assert!(second.expect("PWD", "257").await.contains("\"/\""));
    // From outside, too.
    server.sessions()[0].set_directory(VirtualPath::root());
    assert!(first.expect("PWD", "257").await.contains("\"/\""));
}
