//! The server over real sockets.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod attacks;
mod blocking;
mod client;
mod clients;
mod connection_ends;
mod disk;
mod during_transfer;
mod embedding;
mod faults;
mod journal_and_hooks;
mod limits;
mod links;
mod protected;
mod representations;
mod session_reuse;
mod settings;
mod site;
mod tls_modes;
mod untrusted_clients;

use std::net::SocketAddr;
use std::time::Duration;

use ftpspec_server::storage::{MemFs, OpenWrite, Storage as _, VirtualPath};
use ftpspec_server::{Limits, NoopInTransfer, Server, ServerBuilder, ServerHandle, Tls};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsConnector;

use blocking::Blocking;
use client::{Client, Data, Wire, connector};

fn builder() -> ServerBuilder {
    Server::builder()
        .storage(MemFs::new())
        .user("test", "secret")
}

/// A running server.
async fn serve(builder: ServerBuilder) -> ServerHandle {
    builder.start().await.unwrap()
}

/// A running server with the default limits, changed by `set`.
async fn limited(set: impl FnOnce(&mut Limits)) -> ServerHandle {
    let mut limits = Limits::default();
    set(&mut limits);
    serve(builder().limits(limits)).await
}

async fn start_with_tls() -> ServerHandle {
    serve(
        builder()
            .tls(Tls::explicit().named("127.0.0.2"))
            .allow_ccc(),
    )
    .await
}

async fn logged_in(server: &ServerHandle) -> Client {
    let mut client = Client::connect(server.addresses()[0]).await;
    client.login().await;
    client
}

/// A session that is logged in, with both connections protected.
async fn protected(server: &ServerHandle, tls: TlsConnector) -> Client {
    let mut client = Client::connect(server.addresses()[0]).await;
    client.protect(tls).await;
    client.login().await;
    client
}

/// The versions of TLS that the server speaks.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// Far longer than any step takes.
const SOON: Duration = Duration::from_secs(20);

fn path(name: &str) -> VirtualPath {
    VirtualPath::root().join(name.as_bytes()).unwrap()
}

/// A port of 127.0.0.1 that is free at this moment.
fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

/// 300 000 octets with every value in them, more than one chunk.
fn content() -> Vec<u8> {
    (0..300_000_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// SHA-256, as the journal writes it.
fn sha256(octets: &[u8]) -> String {
    let digest = Sha256::digest(octets);
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

async fn carry_everything(mut client: Client, active: bool) {
    let content = content();
    client.upload("STOR file", &content, active).await;
    assert_eq!(client.download("RETR file", active).await, content);
    assert_eq!(client.expect("SIZE file", "213").await, "213 300000");

    client.expect("REST 299990", "350").await;
    assert_eq!(
        client.download("RETR file", active).await,
        content[299_990..]
    );
    client.expect("REST 299990", "350").await;
    client.upload("STOR file", b"restarted", active).await;
    client.upload("APPE file", b", appended", active).await;
    let end = [&content[299_980..299_990], b"restarted, appended"].concat();
    client.expect("REST 299980", "350").await;
    assert_eq!(client.download("RETR file", active).await, end);

    client.upload("STOR empty", b"", active).await;
    assert_eq!(client.download("RETR empty", active).await, b"");
    assert_eq!(client.download("NLST", active).await, b"empty\r\nfile\r\n");
    let list = String::from_utf8(client.download("LIST", active).await).unwrap();
    assert!(
        list.lines().all(|line| line.starts_with("-rw-r--r-- ")),
        "{list}"
    );
    let facts = String::from_utf8(client.download("MLSD", active).await).unwrap();
    assert!(facts.contains("size=300009;"), "{facts}");

    client.expect("TYPE A", "200").await;
    client.upload("STOR text", b"one\r\ntwo\r\n", active).await;
    assert_eq!(
        client.download("RETR text", active).await,
        b"one\r\ntwo\r\n"
    );
    client.expect("TYPE I", "200").await;
    assert_eq!(client.download("RETR text", active).await, b"one\ntwo\n");

    let data = client.data(active).await;
    client.expect("RETR missing", "550").await;
    drop(data);
    for name in ["file", "empty", "text"] {
        client.expect(&format!("DELE {name}"), "250").await;
    }
    client.expect("QUIT", "221").await;
    assert_eq!(client.reply().await, "");
}

/// 127.0.0.1 and, where this machine has it, ::1. The suite's own tests report
/// what is not played without it.
#[tokio::test]
async fn files_travel_at_every_address_active_and_passive_in_the_clear() {
    let server = builder().start().await.unwrap();
    for address in server.addresses() {
        for active in [false, true] {
            let mut client = Client::connect(*address).await;
            client.login().await;
            carry_everything(client, active).await;
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn files_travel_from_and_to_a_storage_that_blocks() {
    let storage = Blocking(MemFs::new());
    let server = builder().storage(storage).start().await.unwrap();
    let mut client = logged_in(&server).await;
    let large: Vec<u8> = content().repeat(20);
    client.upload("STOR large", &large, false).await;
    assert_eq!(client.download("RETR large", false).await, large);
    client.expect("DELE large", "250").await;
    carry_everything(client, false).await;
}

#[tokio::test]
async fn a_full_storage_ends_an_upload_and_the_client_receives_552() {
    let full = MemFs::new().with_quota(100_000);
    for blocking in [false, true] {
        let builder = if blocking {
            builder().storage(Blocking(full.clone()))
        } else {
            builder().storage(full.clone())
        };
        let server = builder.start().await.unwrap();
        let mut client = logged_in(&server).await;
        let mut data = client.begin("STOR file").await;
        data.write(&content()).await;
        data.end().await;
        let reply = client.reply().await;
        assert!(
            reply.starts_with("452") || reply.starts_with("552"),
            "{reply}"
        );
        // An orderly end, not a reset.
        assert_eq!(data.read_to_end().await, b"");
        client.expect("SIZE file", "550").await;
    }
}

#[tokio::test]
async fn a_listing_is_sent_in_pieces_whatever_its_length() {
    const FILES: usize = 5_000;
    let files = MemFs::new();
    let directory = VirtualPath::root().join(b"d").unwrap();
    files.make_directory(&directory).unwrap();
    for number in 0..FILES {
        let name = format!("a-name-of-forty-octets-or-so-{number:011}");
        let path = directory.join(name.as_bytes()).unwrap();
        files
            .open_write(&path, OpenWrite::CreateNew)
            .unwrap()
            .commit()
            .unwrap();
    }
    let server = builder().storage(files).start().await.unwrap();
    let mut client = logged_in(&server).await;
    for command in ["NLST d", "LIST d", "MLSD d"] {
        let listing = String::from_utf8(client.download(command, false).await).unwrap();
        let names = listing
            .lines()
            .filter(|line| line.contains("a-name"))
            .count();
        assert_eq!(names, FILES, "{command}");
    }
    let found = client.download("NLST d/*-0000000123?", false).await;
    assert_eq!(found.split(|octet| *octet == b'\n').count(), 11);
    // What NLST gives, RETR takes.
    let first = String::from_utf8(found).unwrap();
    let first = first.lines().next().unwrap();
    assert_eq!(client.download(&format!("RETR {first}"), false).await, b"");
}

#[tokio::test]
async fn files_travel_protected_explicitly_and_implicitly_in_both_versions() {
    let server = serve(
        builder()
            .tls(Tls::explicit())
            .bind("127.0.0.1:0".parse().unwrap())
            .bind_implicit("127.0.0.1:0".parse().unwrap()),
    )
    .await;
    for version in VERSIONS {
        for active in [false, true] {
            let client = protected(&server, connector(&server, version)).await;
            carry_everything(client, active).await;

            let tls = connector(&server, version);
            let mut client = Client::connect_implicit(server.implicit_addresses()[0], tls).await;
            client.protect_data().await;
            client.login().await;
            carry_everything(client, active).await;
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn stou_never_takes_a_name_that_is_taken() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOU name", b"first", false).await;
    client.upload("STOU name", b"second", false).await;
    assert_eq!(client.download("RETR name", false).await, b"first");
    assert_eq!(client.download("RETR name.1", false).await, b"second");
}

#[tokio::test]
async fn abor_is_answered_while_the_client_does_not_read() {
    let files = MemFs::new();
    let server = builder().storage(files).start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR large", &vec![0; 64 << 20], false).await;
    let data = client.passive().await;
    client.expect("RETR large", "150").await;
    // As urgent data, the way Python and Ruby send it: without SO_OOBINLINE the LF would be lost.
    socket2::SockRef::from(client.wire.tcp())
        .send_out_of_band(b"ABOR\r\n")
        .unwrap();
    client.receive("426").await;
    client.receive("226").await;
    drop(data);
    client.expect("NOOP", "200").await;
    assert_eq!(client.expect("SIZE large", "213").await, "213 67108864");
}

/// The segments make no difference, only the setting does.
#[tokio::test]
async fn a_noop_during_a_transfer_waits_unless_it_is_to_be_answered_at_once() {
    for (when, order) in [
        (NoopInTransfer::Queued, ["226", "200"]),
        (NoopInTransfer::AtOnce, ["200", "226"]),
    ] {
        let server = builder().noop_in_transfer(when).start().await.unwrap();
        let mut client = logged_in(&server).await;
        for commands in [&["STOR file\r\nNOOP"][..], &["STOR file", "NOOP"]] {
            let data = client.passive().await;
            for command in commands {
                client.send(command).await;
            }
            client.receive("150").await;
            let mut data = client.establish(data).await;
            if when == NoopInTransfer::AtOnce {
                client.receive(order[0]).await;
            }
            data.write(b"content").await;
            // STAT is answered in the transfer: whatever came before it would have been, too.
            assert!(client.expect("STAT", "211").await.contains("STOR"));
            data.end().await;
            let rest = match when {
                NoopInTransfer::Queued => &order[..],
                NoopInTransfer::AtOnce => &order[1..],
            };
            for expected in rest {
                let reply = client.reply().await;
                assert!(reply.starts_with(expected), "{reply} instead of {expected}");
            }
        }
    }
}

/// A NOOP every minute must not fill the queue of a transfer that takes hours.
#[tokio::test]
async fn abor_is_heard_after_any_number_of_waiting_noops() {
    const NOOPS: usize = 1000;
    let server = limited(|limits| limits.queued_commands = 2).await;
    let mut client = logged_in(&server).await;
    let _data = client.begin("STOR file").await;
    client.wire.write(&b"NOOP\r\n".repeat(NOOPS)).await;
    client.expect("ABOR", "426").await;
    client.receive("226").await;
    for _ in 0..NOOPS {
        client.receive("200").await;
    }
}

#[tokio::test]
async fn commands_sent_during_a_transfer_are_done_after_it_in_order() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    let data = client.passive().await;
    client.expect("STOR file", "150").await;
    client.send("SIZE file").await;
    client.send("RNFR file").await;
    client.send("RNTO moved").await;
    let mut data = client.establish(data).await;
    data.write(b"content").await;
    data.end().await;
    for expected in ["226", "213 7", "350", "250"] {
        let reply = client.reply().await;
        assert!(reply.starts_with(expected), "{reply} instead of {expected}");
    }
}

#[tokio::test]
async fn a_data_connection_that_does_not_come_is_425() {
    let server = limited(|limits| limits.data_connection = Duration::from_millis(50)).await;
    let mut client = logged_in(&server).await;
    client.expect("EPSV", "229").await;
    client.expect("NLST", "150").await;
    client.receive("425").await;

    let Data::Active(listener) = client.active().await else {
        panic!("it is active");
    };
    drop(listener);
    client.expect("NLST", "150").await;
    client.receive("425").await;
}

#[tokio::test]
async fn an_idle_connection_receives_421() {
    let server = limited(|limits| limits.idle = Duration::from_millis(50)).await;
    let mut client = Client::connect(server.addresses()[0]).await;
    client.receive("421").await;
    assert_eq!(client.reply().await, "");
}

#[tokio::test]
async fn a_stopping_server_says_421_and_lets_a_transfer_end() {
    let server = builder().start().await.unwrap();
    let mut idle = logged_in(&server).await;
    let mut busy = logged_in(&server).await;
    let mut data = busy.begin("STOR file").await;
    assert_eq!(server.session_count(), 2);
    let stopping = tokio::spawn(server.stop());
    idle.receive("421").await;
    assert_eq!(idle.reply().await, "");
    data.write(b"late").await;
    data.end().await;
    busy.receive("226").await;
    busy.receive("421").await;
    drop((idle, busy));
    stopping.await.unwrap();
}

#[tokio::test]
async fn passive_ports_stay_in_their_range() {
    // A port that is free now; if another process takes it, the server must report it.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    let server = serve(
        builder()
            .bind("127.0.0.1:0".parse().unwrap())
            .passive_ports(port..=port),
    )
    .await;
    let mut client = logged_in(&server).await;
    assert!(
        client.ask("EPSV").await.starts_with('4'),
        "the port is taken"
    );
    drop(free);
    client
        .expect(
            "EPSV",
            &format!("229 Entering Extended Passive Mode (|||{port}|)"),
        )
        .await;
}

#[tokio::test]
async fn one_connection_too_many_receives_421() {
    let server = limited(|limits| limits.sessions = 1).await;
    let _first = Client::connect(server.addresses()[0]).await;
    let address: SocketAddr = server.addresses()[0];
    let mut second = Client::open(address).await;
    second.receive("421").await;
    assert_eq!(second.reply().await, "");
    assert!(matches!(second.wire, Wire::Clear(_)));
}
