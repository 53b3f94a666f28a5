//! SITE, and jobs that take long.

use std::sync::Arc;
use std::time::Duration;

use ftpspec_server::ServerHandle;
use ftpspec_server::storage::{
    MemFs, Overlay, Quota, Storage, Subdirectory, VirtualPath, write_file,
};

use super::{builder, limited, logged_in};
use crate::blocking::Blocking;
use crate::client::Client;

async fn start() -> ServerHandle {
    builder()
        .read_only_user("reader", "secret")
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_range_goes_over_the_wire_both_ways() {
    let server = start().await;
    let mut client = logged_in(&server).await;
    client.expect("TYPE I", "200").await;
    let content = super::content();
    client.upload("STOR file", &content, false).await;
    client.expect("RANG 1000 270000", "350").await;
    assert_eq!(
        client.download("RETR file", false).await,
        content[1000..=270_000]
    );
    client.expect("RANG 10 12", "350").await;
    client.upload("STOR file", b"abc", false).await;
    let changed = client.download("RETR file", false).await;
    assert_eq!(changed.len(), content.len());
    assert_eq!(&changed[..10], &content[..10]);
    assert_eq!(&changed[10..13], b"abc");
    assert_eq!(&changed[13..], &content[13..]);

    client.expect("RANG 10 12", "350").await;
    let data = client.data(false).await;
    client.expect("STOR file", "150").await;
    let mut wire = client.establish(data).await;
    wire.write(b"four").await;
    wire.end().await;
    client.receive("451 ").await;
    assert_eq!(client.download("RETR file", false).await, changed);
}

#[tokio::test]
async fn long_jobs_take_turns_and_one_too_many_is_450() {
    let server = limited(|limits| {
        limits.long_jobs = 0;
        limits.long_job_wait = Duration::ZERO;
    })
    .await;
    let mut client = logged_in(&server).await;
    client.upload("STOR file", b"content", false).await;
    client.expect("TYPE A", "200").await;
    for command in ["HASH file", "XSHA512 file", "MD5 file", "DSIZ", "SIZE file"] {
        let reply = client.ask(command).await;
        assert_eq!(reply, "450 The server is busy; try again.", "{command}");
    }
    client.expect("NOOP", "200").await;
}

#[tokio::test]
async fn an_idle_time_that_was_chosen_counts() {
    let server = limited(|limits| limits.idle = Duration::from_millis(300)).await;
    let mut short: Client = logged_in(&server).await;
    let mut long: Client = logged_in(&server).await;
    long.expect("SITE IDLE 60", "200").await;
    short.receive("421 ").await;
    long.expect("NOOP", "200").await;
}

#[tokio::test]
async fn a_storage_may_know_digests_without_reading() {
    let files = MemFs::new();
    for name in ["cached", "read"] {
        let path = VirtualPath::root().join(name.as_bytes()).unwrap();
        write_file(&files, &path, "123456789".into()).unwrap();
    }
    let inner: Arc<dyn Storage> = Arc::new(Blocking(files));
    let storages: [Arc<dyn Storage>; 4] = [
        Arc::clone(&inner),
        Arc::new(Overlay::new(Arc::clone(&inner))),
        Arc::new(Quota::new(Arc::clone(&inner), 1 << 20).unwrap()),
        Arc::new(Subdirectory::new(inner)),
    ];
    for storage in storages {
        let server = builder().shared_storage(storage).start().await.unwrap();
        let mut client = logged_in(&server).await;
        // "CRC32", and the range.
        let crc = "4352433332";
        client
            .expect("XCRC cached", &format!("250 {crc}0009"))
            .await;
        client
            .expect("XCRC cached 2 5", &format!("250 {crc}0205"))
            .await;
        client.expect("OPTS HASH CRC32", "200").await;
        client.expect("RANG 2 4", "350").await;
        let hash = format!("213 CRC32 2-4 {crc}0205 cached");
        client.expect("HASH cached", &hash).await;
        client.expect("XCRC read", "250 cbf43926").await;
    }
}
