//! TYPE, STRU and MODE over real data connections, and restart markers.

use std::io::{Read as _, Write as _};
use std::num::NonZeroU64;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use ftpspec_server::ServerHandle;

use super::blocking::Blocking;
use super::client::{Client, Wire, connector};
use super::{VERSIONS, builder, content, logged_in, protected, serve, start_with_tls};

fn deflated(octets: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

fn inflated(octets: &[u8]) -> Vec<u8> {
    let mut decoder = ZlibDecoder::new(octets);
    let mut file = Vec::new();
    decoder.read_to_end(&mut file).unwrap();
    assert_eq!(decoder.total_in(), octets.len() as u64);
    file
}

/// Begins an upload and sends `octets`; the data connection stays open.
async fn begin(client: &mut Client, command: &str, octets: &[u8]) -> Wire {
    let mut wire = client.begin(command).await;
    wire.write(octets).await;
    wire
}

/// What is stored, octet by octet.
async fn file(client: &mut Client, name: &str) -> Vec<u8> {
    client.expect("MODE S", "200").await;
    client.expect("STRU F", "200").await;
    client.expect("TYPE I", "200").await;
    client.download(&format!("RETR {name}"), false).await
}

#[tokio::test]
async fn what_deflates_a_thousandfold_is_stored_like_any_file() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    let row = [b"name;value;".as_slice(), &[b'-'; 4000]].concat();
    for content in [vec![0; 8 << 20], row.repeat(2000)] {
        client.expect("MODE Z", "200").await;
        client.upload("STOR file", &deflated(&content), false).await;
        // What REST takes, so that it is the same in MODE S (draft-preston-ftpext-deflate §3.7).
        let size = format!("213 {}", content.len());
        assert_eq!(client.expect("SIZE file", "213").await, size);
        assert!(file(&mut client, "file").await == content);
        assert_eq!(client.expect("SIZE file", "213").await, size);
    }
}

async fn deflate_goes_both_ways(mut client: Client) {
    let content = content();
    client.expect("MODE Z", "200").await;
    client.expect("OPTS MODE Z LEVEL 1", "200").await;
    client.upload("STOR z", &deflated(&content), false).await;
    let data = client.download("RETR z", false).await;
    assert_eq!(inflated(&data), content);
    client.expect("REST 299990", "350").await;
    let data = client.download("RETR z", false).await;
    assert_eq!(inflated(&data), content[299_990..]);
    let names = client.download("NLST", false).await;
    assert_eq!(inflated(&names), b"z\r\n");
    // RFC 3659 §7.2 has MODE S for it, but knew no MODE Z, and lftp aborts if this is not
    // deflated.
    let facts = inflated(&client.download("MLSD", false).await);
    assert!(facts.ends_with(b"; z\r\n"), "{}", facts.escape_ascii());
    assert_eq!(file(&mut client, "z").await, content);
}

#[tokio::test]
async fn mode_z_deflates_files_and_listings() {
    let server = builder().start().await.unwrap();
    deflate_goes_both_ways(logged_in(&server).await).await;
    server.stop().await;
}

#[tokio::test]
async fn mode_z_deflates_under_tls_too() {
    let server = start_with_tls().await;
    for version in VERSIONS {
        let client = protected(&server, connector(&server, version)).await;
        deflate_goes_both_ways(client).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_bad_zlib_stream_leaves_the_old_file() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.upload("STOR a", b"old", false).await;
    client.expect("MODE Z", "200").await;
    let good = deflated(b"new content");
    let cut = &good[..good.len() - 1];
    let goes_on = [&good[..], b"x"].concat();
    for (data, code) in [(cut, "426"), (&goes_on, "451"), (b"no zlib", "451")] {
        let mut wire = begin(&mut client, "STOR a", data).await;
        wire.end().await;
        client.receive(code).await;
    }
    assert_eq!(file(&mut client, "a").await, b"old");
    server.stop().await;
}

#[tokio::test]
async fn the_server_closes_after_an_end_that_the_data_mark() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.expect("MODE B", "200").await;
    let mut wire = begin(&mut client, "STOR b", b"\0\0\x03abc\x40\0\0").await;
    // The client has not closed; the server has, as its 226 says (RFC 959 §3.2).
    client.receive("226").await;
    assert_eq!(wire.read(&mut [0; 1]).await, 0);
    let data = client.download("RETR b", false).await;
    assert_eq!(data, b"\x40\0\x03abc");
    client.expect("MODE C", "200").await;
    assert_eq!(client.download("RETR b", true).await, b"\x03abc\0\x40\xc0");
    assert_eq!(file(&mut client, "b").await, b"abc");
    server.stop().await;
}

#[tokio::test]
async fn records_and_ebcdic_are_lines_of_the_file() {
    let server = builder().start().await.unwrap();
    let mut client = logged_in(&server).await;
    client.expect("TYPE E", "200").await;
    client.expect("STRU R", "200").await;
    let data = b"\xc1\xff\x01\xff\x01\xc2\xff\x03";
    client.upload("STOR r", data, false).await;
    assert_eq!(client.download("RETR r", false).await, data);
    assert_eq!(client.download("NLST", false).await, b"\x99\xff\x03");
    assert_eq!(client.expect("SIZE r", "213").await, "213 8");
    assert_eq!(file(&mut client, "r").await, b"A\n\nB\n");
    server.stop().await;
}

/// Blocks of what a file holds, with its markers.
fn unblocked(mut data: &[u8]) -> (Vec<u8>, Vec<(u64, usize)>) {
    let (mut file, mut markers) = (Vec::new(), Vec::new());
    while let [descriptor, high, low, rest @ ..] = data {
        let (block, after) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        if descriptor & 16 == 0 {
            file.extend_from_slice(block);
        } else {
            let marker = std::str::from_utf8(block).unwrap().parse().unwrap();
            markers.push((marker, file.len()));
        }
        data = after;
    }
    (file, markers)
}

#[tokio::test]
async fn a_download_begins_again_at_a_marker_that_was_sent() {
    let server = serve(builder().restart_markers(NonZeroU64::new(70_000).unwrap())).await;
    let mut client = logged_in(&server).await;
    let content = content();
    client.upload("STOR a", &content, false).await;
    // In TYPE A no octet count of the data would be one of the file; a marker is.
    client.expect("TYPE A", "200").await;
    client.expect("MODE B", "200").await;
    let (whole, markers) = unblocked(&client.download("RETR a", false).await);
    assert_eq!(markers.len(), 4);
    for (marker, before) in markers {
        client.expect(&format!("REST {marker}"), "350").await;
        let (rest, _) = unblocked(&client.download("RETR a", false).await);
        assert_eq!(rest, whole[before..]);
    }
    server.stop().await;
}

async fn an_upload_is_taken_up_again(server: &ServerHandle, mode: &str, data: [&[u8]; 3]) {
    let [before, marker, rest] = data;
    let mut client = logged_in(server).await;
    client.upload("STOR a", b"old", false).await;
    client.expect("TYPE A", "200").await;
    client.expect(&format!("MODE {mode}"), "200").await;
    let mut wire = begin(&mut client, "STOR a", before).await;
    wire.write(marker).await;
    // The marker of the server is in octets of the file, which has LF where the data have CRLF.
    assert_eq!(client.reply().await, "110 MARK here = 6");
    wire.write(rest).await;
    // Both connections end. What the 110 promised is stored.
    drop((wire, client));
    let mut client = logged_in(server).await;
    client.expect("TYPE A", "200").await;
    client.expect(&format!("MODE {mode}"), "200").await;
    client.expect("REST 6", "350").await;
    let mut wire = begin(&mut client, "STOR a", rest).await;
    wire.end().await;
    client.receive("426").await;
    client.expect("REST 6", "350").await;
    let whole = [
        rest,
        if mode == "B" {
            b"\x40\0\0"
        } else {
            b"\0\x40\xc0"
        },
    ]
    .concat();
    client.upload("STOR a", &whole, false).await;
    assert_eq!(file(&mut client, "a").await, b"first\nsecond\n");
}

#[tokio::test]
async fn an_upload_begins_again_at_a_marker_that_was_answered() {
    let server = builder().start().await.unwrap();
    let blocks: [&[u8]; 3] = [
        b"\0\0\x07first\r\n",
        b"\x10\0\x04here",
        b"\0\0\x08second\r\n",
    ];
    an_upload_is_taken_up_again(&server, "B", blocks).await;
    let strings: [&[u8]; 3] = [b"\x07first\r\n", b"\0\x10\x04here", b"\x08second\r\n"];
    an_upload_is_taken_up_again(&server, "C", strings).await;
    server.stop().await;
}

#[tokio::test]
async fn a_storage_that_blocks_takes_markers_too() {
    let server = ftpspec_server::Server::builder()
        .storage(Blocking(ftpspec_server::storage::MemFs::new()))
        .user("test", "secret")
        .start()
        .await
        .unwrap();
    let mut client = logged_in(&server).await;
    client.expect("MODE B", "200").await;
    // The second one comes too soon to be answered.
    let data = b"\0\0\x03abc\x10\0\x01x\0\0\x01d\x10\0\x01y\x40\0\x01e";
    let _wire = begin(&mut client, "STOR a", data).await;
    assert_eq!(client.reply().await, "110 MARK x = 3");
    client.receive("226").await;
    assert_eq!(file(&mut client, "a").await, b"abcde");
    server.stop().await;
}
