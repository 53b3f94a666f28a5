//! Recordings that cannot be replayed, and servers that are none.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;

use super::session::{Kind, Room, replay, said};

/// A URL where nobody listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("ftp://u:pw@{}", listener.local_addr().unwrap())
}

#[test]
fn a_recording_that_cannot_be_read_is_refused_with_the_place() {
    let room = Room::new(Kind::Epsv);
    let file = room.recorded();
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let replaced = |from: &str, to: &str| whole.replacen(from, to, 1);
    let cases = [
        (
            replaced(r#""major":2"#, r#""major":9"#),
            "format 9.0 is newer than this program",
        ),
        (
            replaced(r#""event":"from_client""#, r#""event":from_client"#),
            "^",
        ),
        (String::new(), "the file is empty"),
        (lines[0].to_owned() + "\n", "the recording has no session"),
        (
            whole.replace(
                r#""octets":"QUIT\\r\\n""#,
                r#""octets":{"sha256":"00","length":1}"#,
            ),
            "64 hexadecimal digits",
        ),
    ];
    for (text, expected) in cases {
        fs::write(&file, text).unwrap();
        let (said, code) = said(&replay(&file, &nowhere(), &[]));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(said.contains("s.jsonl"), "{said}");
    }
    let (said, code) = said(&replay(&room.path().join("missing.jsonl"), &nowhere(), &[]));
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn missing_data_is_named() {
    let room = Room::new(Kind::Epsv);
    fs::write(room.path().join("seed/big"), vec![1; 100_000]).unwrap();
    let file = room.record(|address, ca| {
        let mut client = room.logged_in(address, &super::client::trusting(ca));
        room.get(&mut client, "RETR big");
        client.expect("QUIT", "221");
        assert_eq!(client.line(), "");
    });
    fs::remove_dir_all(room.path().join("s.jsonl.data")).unwrap();
    let (said, code) = said(&replay(&file, &nowhere(), &[]));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("octets"), "{said}");
}

#[test]
fn a_torn_recording_is_replayed_as_far_as_it_goes() {
    let room = Room::new(Kind::Epsv);
    let file = room.recorded();
    let whole = fs::read_to_string(&file).unwrap();
    let cut = whole.find("MKD d").unwrap();
    for end in [cut, cut + 1, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..end]).unwrap();
        let server = room.serve(&[]);
        let (text, code) = said(&replay(&file, &room.url(&server), &["--timeout", "2"]));
        assert_eq!(code, Some(0), "{end}: {text}");
    }
}

#[test]
fn what_is_missing_is_asked_for_before_anything_is_sent() {
    let room = Room::new(Kind::Epsv);
    let file = room.recorded();
    let url = nowhere().replace("u:pw@", "");
    let (text, code) = said(&replay(&file, &url, &[]));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("never has the password"), "{text}");
    let (text, code) = said(&replay(&file, &nowhere().replace("ftp:", "ftps:"), &[]));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("begins in clear"), "{text}");
    let (text, code) = said(&replay(&file, &nowhere(), &[]));
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("cannot be reached"), "{text}");
}

#[test]
fn a_server_that_says_nothing_or_garbage_is_a_difference_and_no_hang() {
    let room = Room::new(Kind::Epsv);
    let file = room.recorded();
    for (greeting, expected) in [(&b""[..], "no reply came in time"), (b"hello\r\n", "hello")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ftp://u:pw@{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            tcp.write_all(greeting).unwrap();
            // Held open until the client leaves.
            std::io::copy(&mut tcp, &mut std::io::sink()).unwrap();
        });
        let (text, code) = said(&replay(&file, &url, &["--timeout", "1"]));
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(expected), "{text}");
        server.join().unwrap();
    }
}
