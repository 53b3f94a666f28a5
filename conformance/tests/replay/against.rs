//! The client's side of a recording against a live server.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use rstest::rstest;
use serde_json::{Value, json};

use super::client::trusting;
use super::session::{FILE, Kind, Room, has_ipv6, replay, said};

#[rstest]
#[case(Kind::Pasv)]
#[case(Kind::Epsv)]
#[case(Kind::Port)]
#[case(Kind::Eprt)]
#[case(Kind::Ipv6)]
#[case(Kind::Tls)]
#[case(Kind::Implicit)]
fn a_session_of_every_kind_replays_against_the_server_it_was_recorded_with(#[case] kind: Kind) {
    if kind == Kind::Ipv6 && !has_ipv6() {
        return;
    }
    let room = Room::new(kind);
    let file = room.recorded();
    for strictness in [&[][..], &["--text"]] {
        let server = room.serve(&[]);
        let (text, code) = said(&replay(&file, &room.url(&server), strictness));
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("6 transfers"), "{text}");
    }
}

/// What a server does wrong, the options, and what the report says of it.
#[rstest]
#[case("when RETR do reply 450 Later.", &[], "450 Later.")]
#[case("when SIZE do reply 213 7", &["--text"], "213 7")]
#[case("when RETR do corrupt octet 3", &[], "first difference is at octet 3")]
#[case("when RETR do truncate to 5", &[], "first difference is at octet 5")]
#[case("when RETR do extra 4 octets", &[], "XXXX")]
#[case("when RETR do reset at 5", &[], "426")]
#[case("when STOR do missing 226", &["--timeout", "1"], "no reply came in time")]
#[case("when STOR do missing 150", &[], "150")]
#[case("when MKD do duplicate", &[], "257")]
#[case("when CWD do hang up", &[], "the server has ended the control connection")]
#[case("when CWD do reply 550 No.", &[], "CWD was refused")]
#[case("when connect do reply 421 Busy.", &[], "421 Busy.")]
#[case("when PASV do refuse", &["--timeout", "1"], "recorded  a data connection")]
#[case("when RETR do never accept", &["--timeout", "1"], "RETR")]
#[case("when SYST do lines \"one\"", &["--exact"], "215-one")]
#[case("when DELE do unsolicited 421 Bye.", &[], "421 Bye.")]
#[case("when MLSD do truncate to 2", &[], "lines that only one of the two has")]
fn a_fault_of_the_server_is_a_difference(
    #[case] fault: &str,
    #[case] options: &[&str],
    #[case] shown: &str,
) {
    let room = Room::new(Kind::Pasv);
    let file = room.recorded();
    let server = room.serve(&["--fault", fault]);
    let (text, code) = said(&replay(&file, &room.url(&server), options));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("DIFFERENT session 1"), "{text}");
    assert!(text.contains(shown), "{text}");
}

#[test]
fn another_text_is_a_difference_only_where_texts_are_compared() {
    let room = Room::new(Kind::Epsv);
    let file = room.recorded();
    for (options, expected) in [(&[][..], 0), (&["--text"], 1), (&["--exact"], 1)] {
        let server = room.serve(&["--fault", "when SYST do reply 215 MULTICS Type: L9"]);
        let (text, code) = said(&replay(&file, &room.url(&server), options));
        // Octet for octet, the times of listings differ, too.
        assert!(text.matches("DIFFERENT").count() >= expected, "{text}");
        assert_eq!(code, Some(i32::from(expected > 0)), "{text}");
    }
}

#[test]
fn the_report_as_json_names_recorded_and_live_lines() {
    let room = Room::new(Kind::Epsv);
    let file = room.recorded();
    let server = room.serve(&["--fault", "when SIZE do reply 550 No."]);
    let output = replay(&file, &room.url(&server), &["--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], "ftpspec-replay");
    assert_eq!(report["version"], 1);
    let difference = &report["differences"][0];
    assert_eq!(difference["command"], "SIZE a");
    assert_eq!(difference["subject"], "replies");
    assert_eq!(difference["recorded"][0], "213 21");
    assert_eq!(difference["live"][0], "550 No.");
    assert_eq!(report["differences"].as_array().unwrap().len(), 1);
}

#[test]
fn an_aborted_transfer_is_compared_as_far_as_it_went() {
    let room = Room::new(Kind::Epsv);
    let big = vec![7; 8 << 20];
    fs::write(room.path().join("seed/big"), &big).unwrap();
    let slow = ["--fault", "when RETR do stall at 65536"];
    let file = {
        let server = room.serve(&slow);
        let out = room.path().join("s.jsonl");
        let recorder = super::processes::Running::start(&[
            "record",
            "--upstream",
            &room.url(&server).replace("u:pw@", ""),
            "--out",
            out.to_str().unwrap(),
            "--format",
            "json",
        ]);
        let ca = fs::read_to_string(recorder.text("ca")).unwrap();
        let address = recorder.text("address").parse().unwrap();
        let mut client = room.logged_in(address, &trusting(&ca));
        let data = std::net::TcpStream::connect(client.passive("PASV")).unwrap();
        client.expect("RETR big", "150");
        let mut octets = vec![0; 65536];
        std::io::Read::read_exact(&mut { data }, &mut octets).unwrap();
        client.expect("ABOR", "426");
        assert!(client.reply().starts_with("226"));
        assert_eq!(room.get(&mut client, "RETR file"), FILE);
        client.expect("QUIT", "221");
        assert_eq!(client.line(), "");
        assert_eq!(recorder.stop(), 0);
        out
    };
    let server = room.serve(&slow);
    let (text, code) = said(&replay(&file, &room.url(&server), &[]));
    assert_eq!(code, Some(0), "{text}");
    // Other octets are seen in what was received before the ABOR.
    fs::write(room.path().join("seed/big"), vec![8; 8 << 20]).unwrap();
    let server = room.serve(&slow);
    let (text, code) = said(&replay(&file, &room.url(&server), &[]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("first difference is at octet 0"), "{text}");
}

/// A session as a proxy may record it: the reply comes before the data connection, and the server
/// says goodbye to a client that leaves without QUIT.
fn recorded_out_of_order(folder: &Path) -> PathBuf {
    let control = |at: u32, what: Value| json!({"at": at, "connection": "main", "channel": "control", "what": what});
    let data = |at: u32, what: Value| json!({"at": at, "connection": "main", "channel": "data 1", "what": what});
    let client = |line: &str| json!({"event": "from_client", "octets": format!("{line}\\r\\n")});
    let server = |line: &str| json!({"event": "from_server", "octets": format!("{line}\\r\\n")});
    let (local, peer) = ("127.0.0.1:40000", "127.0.0.1:21");
    let lines = [
        json!({"ftpspec_transcript": {"major": 2, "minor": 0}, "seat": "client", "name": "x"}),
        control(
            1,
            json!({"event": "connected", "local": local, "peer": peer}),
        ),
        control(2, server("220 Hello.")),
        control(3, client("PASV")),
        control(4, server("227 Entering Passive Mode (127,0,0,1,200,10).")),
        control(5, client("RETR f")),
        control(6, server("150 Here it comes.")),
        data(
            7,
            json!({"event": "data_opened", "mode": "pasv", "local": local, "peer": peer}),
        ),
        data(8, json!({"event": "data_from_server", "octets": "abc"})),
        data(
            9,
            json!({"event": "data_closed", "by": "server", "how": "clean"}),
        ),
        control(10, server("226 Done.")),
        control(11, server("226 Logout.")),
        control(
            12,
            json!({"event": "closed", "by": "server", "how": "clean"}),
        ),
    ];
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    let file = folder.join("s.jsonl");
    fs::write(&file, text.join("\n") + "\n").unwrap();
    file
}

#[rstest]
#[case::whole("abc", 0)]
#[case::other_octets("abd", 1)]
fn a_server_that_replies_when_the_data_connection_is_there_is_replayed(
    #[case] octets: &'static str,
    #[case] expected: i32,
) {
    let folder = tempfile::tempdir().unwrap();
    let file = recorded_out_of_order(folder.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ftp://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(tcp.try_clone().unwrap()).lines();
        let reply = |line: &str| (&tcp).write_all(format!("{line}\r\n").as_bytes());
        reply("220 Hello.").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "PASV");
        let data = TcpListener::bind("127.0.0.1:0").unwrap();
        let [high, low] = data.local_addr().unwrap().port().to_be_bytes();
        reply(&format!("227 Passive (127,0,0,1,{high},{low}).")).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "RETR f");
        let (mut data, _) = data.accept().unwrap();
        reply("150 Here it comes.").unwrap();
        data.write_all(octets.as_bytes()).unwrap();
        drop(data);
        reply("226 Done.").unwrap();
        while let Some(Ok(_)) = lines.next() {}
        // The client may be gone.
        let _ = reply("226 Logout.");
    });
    let (text, code) = said(&replay(&file, &url, &["--timeout", "5"]));
    assert_eq!(code, Some(expected), "{text}");
    server.join().unwrap();
}
