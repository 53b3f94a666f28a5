//! Files of the host: large files are sent by other code than small ones, and in clear by other
//! code than under TLS.
#![cfg(unix)]

use ftpspec_server::observe::journal::Journal;
use ftpspec_server::storage::DiskStorage;
use ftpspec_server::{Server, ServerHandle, Tls};
use rstest::rstest;
use rustls::version::TLS13;

use super::client::{Client, connector};
use super::{logged_in, protected, serve, sha256};

/// More than one batch of pieces, more than one call of sendfile, and not a round number.
const OCTETS: usize = (6 << 20) + 4711;

fn octets() -> Vec<u8> {
    (0..OCTETS).map(|at| (at % 251) as u8).collect()
}

struct House {
    server: ServerHandle,
    journal: Journal,
    _root: tempfile::TempDir,
}

async fn house(journal: Journal) -> House {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("large"), octets()).unwrap();
    let server = serve(
        Server::builder()
            .storage(DiskStorage::open(root.path()).unwrap())
            .user("test", "secret")
            .journal(&journal)
            .tls(Tls::explicit().named("127.0.0.2")),
    )
    .await;
    House {
        server,
        journal,
        _root: root,
    }
}

async fn downloads(client: &mut Client) {
    let octets = octets();
    for offset in [0, 1, 1 << 20, OCTETS - 1, OCTETS] {
        client.expect(&format!("REST {offset}"), "350").await;
        let received = client.download("RETR large", offset % 2 == 1).await;
        assert!(received == octets[offset..], "from {offset}: other octets");
    }
}

#[tokio::test]
async fn a_large_file_arrives_whole_from_every_offset_in_the_clear_and_under_tls() {
    let house = house(Journal::new()).await;
    let mut client = logged_in(&house.server).await;
    downloads(&mut client).await;
    let mut client = protected(&house.server, connector(&house.server, &TLS13)).await;
    client.protect_data().await;
    downloads(&mut client).await;
}

#[tokio::test]
async fn a_large_upload_is_kept_octet_by_octet() {
    let house = house(Journal::new()).await;
    let mut client = logged_in(&house.server).await;
    client.upload("STOR copy", &octets(), false).await;
    client.upload("APPE copy", &octets(), true).await;
    assert!(client.download("RETR copy", false).await == [octets(), octets()].concat());
}

#[rstest]
#[case::counted(Journal::new(), None)]
#[case::hashed(Journal::new().hashing(), Some(sha256(&octets())))]
#[tokio::test]
async fn the_journal_counts_and_hashes_a_large_file(
    #[case] journal: Journal,
    #[case] sha256: Option<String>,
) {
    let house = house(journal).await;
    let mut client = logged_in(&house.server).await;
    let received = client.download("RETR large", false).await;
    assert!(received == octets());
    let transfers = house.journal.transfers();
    assert_eq!(transfers.len(), 1);
    assert_eq!(transfers[0].octets, OCTETS as u64);
    assert_eq!(transfers[0].sha256, sha256);
}

#[tokio::test]
async fn a_client_that_leaves_a_large_file_receives_426() {
    let house = house(Journal::new()).await;
    let mut client = logged_in(&house.server).await;
    let mut wire = client.begin("RETR large").await;
    let mut some = vec![0; 2 << 20];
    assert!(wire.read(&mut some).await > 0);
    wire.tcp().set_zero_linger().unwrap();
    drop(wire);
    client.receive("426 ").await;
    client.expect("NOOP", "200").await;
}
