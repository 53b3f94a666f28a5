//! The server's side of a recording, played to clients.

use std::path::Path;
use std::process::{Command, Stdio};

use ftpspec::{Deviations, Recording, ReplayServer};
use rstest::rstest;

use super::client::{Client, trusting};
use super::processes::{FTPSPEC, Running};
use super::session::{FILE, Kind, Room, UPLOAD, has_ipv6};

fn stand_in(file: &Path) -> ReplayServer {
    Recording::open(file).unwrap().replay_server().unwrap()
}

/// What the recording's own client and then another one do, and what is wrong with it.
fn deviations(room: &Room, file: &Path, client: impl FnOnce(&Room, &mut Client)) -> Deviations {
    let server = stand_in(file);
    let mut connected = room.logged_in(server.address(), &trusting(server.ca_pem()));
    client(room, &mut connected);
    drop(connected);
    server.finish().unwrap_err()
}

#[rstest]
#[case(Kind::Pasv)]
#[case(Kind::Epsv)]
#[case(Kind::Port)]
#[case(Kind::Eprt)]
#[case(Kind::Tls)]
#[case(Kind::Implicit)]
fn the_same_client_finds_what_was_recorded(#[case] kind: Kind) {
    let room = Room::new(kind);
    let server = stand_in(&room.recorded());
    assert!(server.url().starts_with(match kind {
        Kind::Implicit => "ftps://127.0.0.1:",
        _ => "ftp://127.0.0.1:",
    }));
    room.session(server.address(), server.ca_pem());
    server.finish().unwrap();
}

#[rstest]
#[case(Kind::Pasv, Kind::Port)]
#[case(Kind::Port, Kind::Epsv)]
#[case(Kind::Eprt, Kind::Pasv)]
fn data_connections_may_be_prepared_in_another_way(#[case] recorded: Kind, #[case] used: Kind) {
    let file = Room::new(recorded);
    let server = stand_in(&file.recorded());
    Room::new(used).session(server.address(), server.ca_pem());
    server.finish().unwrap();
}

#[test]
fn a_recording_over_ipv6_is_played_over_ipv4() {
    if !has_ipv6() {
        return;
    }
    let server = stand_in(&Room::new(Kind::Ipv6).recorded());
    Room::new(Kind::Pasv).session(server.address(), server.ca_pem());
    server.finish().unwrap();
}

/// A short session for the tests below.
fn short(room: &Room) -> std::path::PathBuf {
    room.record(|address, ca| {
        let mut client = room.logged_in(address, &trusting(ca));
        client.expect("SYST", "215");
        client.expect("PWD", "257");
        client.expect("MDTM file", "213");
        room.get(&mut client, "RETR file");
        room.put(&mut client, "STOR new", UPLOAD);
        client.expect("SIZE new", "213");
        client.expect("MKD d", "257");
        client.expect("QUIT", "221");
        assert_eq!(client.line(), "");
    })
}

#[test]
fn a_client_may_omit_repeat_and_reorder_what_makes_no_difference() {
    let room = Room::new(Kind::Epsv);
    let server = stand_in(&short(&room));
    let mut client = Client::connect(server.address());
    client.reply();
    // Other credentials, and no SYST.
    client.expect("USER somebody", "331");
    client.expect("PASS else", "230");
    client.expect("NOOP", "200");
    client.expect("MKD /d", "257");
    client.expect("TYPE I", "200");
    room.put(&mut client, "STOR ./new", UPLOAD);
    client.expect("SIZE new", "213 21");
    client.expect("SIZE new", "213 21");
    assert_eq!(room.get(&mut client, "RETR /file"), FILE);
    assert_eq!(room.get(&mut client, "RETR file"), FILE);
    client.expect("REST 7", "350");
    assert_eq!(room.get(&mut client, "RETR file"), &FILE[7..]);
    client.expect("QUIT", "221");
    server.finish().unwrap();
}

#[test]
fn a_command_that_was_not_recorded_is_refused_and_named() {
    let room = Room::new(Kind::Epsv);
    let found = deviations(&room, &short(&room), |room, client| {
        let reply = client.command("RETR other");
        assert!(
            reply.starts_with("550 Not in the recording: RETR other"),
            "{reply}"
        );
        room.get(client, "RETR file");
        room.put(client, "STOR new", UPLOAD);
        client.expect("MKD d", "257");
        client.expect("QUIT", "221");
    });
    assert_eq!(found.0.len(), 1, "{found}");
    assert_eq!(found.0[0].came, "RETR other");
    assert_eq!(found.0[0].nearest, "RETR file");
    assert_eq!(found.0[0].expected[0], "RETR file");
}

#[test]
fn commands_that_did_not_come_are_named() {
    let room = Room::new(Kind::Epsv);
    let found = deviations(&room, &short(&room), |room, client| {
        room.get(client, "RETR file");
        client.expect("MKD d", "257");
        client.expect("QUIT", "221");
    });
    assert_eq!(found.0.len(), 1, "{found}");
    assert_eq!(found.0[0].expected, ["STOR new"]);
    assert_eq!(found.0[0].came, "");
}

#[test]
fn an_upload_with_another_octet_is_refused_and_reported() {
    let room = Room::new(Kind::Epsv);
    let found = deviations(&room, &short(&room), |room, client| {
        room.get(client, "RETR file");
        let mut octets = UPLOAD.to_vec();
        octets[5] ^= 1;
        client.upload("STOR new", &octets);
        assert!(client.reply().starts_with("150"));
        let reply = client.reply();
        assert!(reply.starts_with("550 the upload"), "{reply}");
        client.expect("MKD d", "257");
        client.expect("QUIT", "221");
    });
    assert_eq!(found.0.len(), 1, "{found}");
    assert!(found.0[0].problem.ends_with("at octet 5"), "{found}");
}

#[test]
fn a_command_before_one_that_changes_its_file_is_refused() {
    let room = Room::new(Kind::Epsv);
    let file = room.record(|address, ca| {
        let mut client = room.logged_in(address, &trusting(ca));
        room.put(&mut client, "STOR new", UPLOAD);
        room.get(&mut client, "RETR new");
        client.expect("QUIT", "221");
        assert_eq!(client.line(), "");
    });
    let found = deviations(&room, &file, |room, client| {
        let reply = client.command("RETR new");
        assert!(reply.starts_with("550"), "{reply}");
        room.put(client, "STOR new", UPLOAD);
        assert_eq!(room.get(client, "RETR new"), UPLOAD);
        client.expect("QUIT", "221");
    });
    assert_eq!(found.0.len(), 1, "{found}");
    assert_eq!(found.0[0].problem, "this command comes before `STOR new`");
}

#[test]
fn sessions_go_to_the_clients_that_play_them_in_any_order() {
    let room = Room::new(Kind::Epsv);
    std::fs::write(room.path().join("seed/other"), b"other").unwrap();
    let session = |address, ca: &str, name: &str| {
        let mut client = room.logged_in(address, &trusting(ca));
        let octets = room.get(&mut client, &format!("RETR {name}"));
        client.expect("QUIT", "221");
        assert_eq!(client.line(), "");
        octets
    };
    let file = room.record(|address, ca| {
        session(address, ca, "file");
        session(address, ca, "other");
    });
    let files = [file.clone(), file.with_file_name("s-2.jsonl")];
    let server = Running::start(
        &[
            "replay",
            files[0].to_str().unwrap(),
            files[1].to_str().unwrap(),
        ]
        .into_iter()
        .chain(["--as-server", "--format", "json"])
        .collect::<Vec<_>>(),
    );
    let ca = std::fs::read_to_string(server.text("ca")).unwrap();
    let address = server.text("address").parse().unwrap();
    assert_eq!(session(address, &ca, "other"), b"other");
    assert_eq!(session(address, &ca, "file"), FILE);
    // As many sessions as were recorded: it ends by itself.
    let mut server = server;
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
}

#[test]
fn deviations_are_printed_and_make_the_exit_code_1() {
    let room = Room::new(Kind::Epsv);
    let file = short(&room);
    let mut server = Command::new(FTPSPEC)
        .args([
            "replay",
            file.to_str().unwrap(),
            "--as-server",
            "--unexpected",
            "close",
        ])
        .args(["--format", "human", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = std::io::BufReader::new(server.stdout.take().unwrap());
    let mut address = None;
    while address.is_none() {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        address = line
            .split_once("ftp://")
            .map(|(_, rest)| rest.trim().trim_end_matches('/').to_owned());
    }
    let mut client = Client::connect(address.unwrap().parse().unwrap());
    client.log_in(None, "pw");
    let reply = client.command("DELE file");
    assert!(reply.starts_with("421"), "{reply}");
    assert_eq!(client.line(), "");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut text).unwrap();
    assert_eq!(server.wait().unwrap().code(), Some(1), "{text}");
    for part in [
        "came      DELE file",
        "expected  RETR file",
        "did not send 3 commands",
    ] {
        assert!(text.contains(part), "{text}");
    }
}
