//! Many commands, many sessions, and processes that are killed: the files can be read.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use ftpspec::recording;
use ftpspec::transcript::{EventKind, Leg, Transcript};

use crate::client::Client;
use crate::processes::Running;

fn serve() -> Running {
    Running::start(&["serve", "--user", "u:pw"])
}

fn record(server: &Running, out: &Path) -> Running {
    let url = format!("ftp://127.0.0.1:{}", server.port());
    let out = out.to_str().unwrap();
    let arguments = ["record", "--insecure", "--upstream", &url, "--out", out];
    Running::start(&[&arguments[..], &["--format", "json"]].concat())
}

fn address(recorder: &Running) -> SocketAddr {
    recorder.text("address").parse().unwrap()
}

/// Octets on one leg of the control connection, from the client and from the server.
fn said(transcript: &Transcript, leg: Leg) -> (Vec<u8>, Vec<u8>) {
    let (mut client, mut server) = (Vec::new(), Vec::new());
    for event in transcript.leg(leg).events {
        match event.what {
            EventKind::FromClient { octets } => client.extend(octets),
            EventKind::FromServer { octets } => server.extend(octets),
            _ => {}
        }
    }
    (client, server)
}

/// Octets of downloads.
fn downloaded(transcript: &Transcript) -> Vec<u8> {
    let mut all = Vec::new();
    for event in &transcript.events {
        if let EventKind::DataFromServer { octets } = &event.what {
            all.extend(octets.to_vec());
        }
    }
    all
}

#[test]
fn a_session_of_very_many_commands_is_recorded_whole() {
    const COMMANDS: usize = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("s.jsonl");
    let server = serve();
    let recorder = record(&server, &out);
    let tcp = TcpStream::connect(address(&recorder)).unwrap();
    let mut writer = tcp.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        for _ in 0..COMMANDS / 100 {
            writer.write_all("NOOP\r\n".repeat(100).as_bytes()).unwrap();
        }
        writer.write_all(b"QUIT\r\n").unwrap();
    });
    let mut replies = Vec::new();
    { &tcp }.read_to_end(&mut replies).unwrap();
    sending.join().unwrap();
    assert_eq!(recorder.stop(), 0);
    let transcript = recording::open(&out).unwrap();
    for leg in [Leg::Client, Leg::Server] {
        let (commands, recorded) = said(&transcript, leg);
        assert_eq!(commands.len(), COMMANDS * 6 + 6);
        assert!(recorded == replies, "{leg}");
    }
}

#[test]
fn many_sessions_at_once_have_a_file_each() {
    const SESSIONS: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("s.jsonl");
    let server = serve();
    let recorder = record(&server, &out);
    let address = address(&recorder);
    let mut clients: Vec<Client> = (0..SESSIONS).map(|_| Client::connect(address)).collect();
    for client in &mut clients {
        client.log_in(None, "pw");
    }
    for (number, client) in clients.iter_mut().enumerate() {
        client.upload(&format!("STOR {number}"), &vec![b'x'; 1000 + number]);
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert!(client.reply().starts_with("150"));
        assert!(client.reply().starts_with("226"));
        let received = client.download(&format!("RETR {number}"));
        assert_eq!(
            (received.octets.len(), received.whole),
            (1000 + number, true)
        );
    }
    drop(clients);
    assert_eq!(recorder.stop(), 0);
    let mut lengths: Vec<usize> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| downloaded(&recording::open(&entry.unwrap().path()).unwrap()).len())
        .collect();
    lengths.sort_unstable();
    let expected: Vec<usize> = (0..SESSIONS).map(|number| 1000 + number).collect();
    assert_eq!(lengths, expected);
}

/// Who is killed in the middle of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Killed {
    Recorder,
    Client,
    Server,
}

#[rstest::rstest]
fn a_recording_can_be_read_after_a_kill(
    #[values(Killed::Recorder, Killed::Client, Killed::Server)] killed: Killed,
) {
    /// More than all buffers on the way hold.
    const LENGTH: usize = 64 << 20;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let content: Vec<u8> = (0..LENGTH).map(|it| (it % 251) as u8).collect();
    std::fs::write(root.join("file"), &content).unwrap();
    let out = folder.path().join("s.jsonl");
    let root = root.to_str().unwrap();
    let mut server = Running::start(&["serve", "--user", "u:pw", "--root", root]);
    let mut recorder = record(&server, &out);
    let mut client = Client::connect(address(&recorder));
    client.log_in(None, "pw");
    let mut data = TcpStream::connect(client.passive("EPSV")).unwrap();
    client.expect("RETR file", "150");
    let mut received = vec![0; 16 << 20];
    data.read_exact(&mut received).unwrap();
    match killed {
        Killed::Recorder => recorder.process.kill().unwrap(),
        Killed::Client => drop((client, data)),
        Killed::Server => {
            server.process.kill().unwrap();
            // The end reaches the client as what it is: not as an end of the file.
            let mut rest = Vec::new();
            let _reset = data.read_to_end(&mut rest);
            assert!(received.len() + rest.len() < LENGTH);
        }
    }
    if killed == Killed::Recorder {
        recorder.process.wait().unwrap();
    } else {
        assert_eq!(recorder.stop(), 0);
    }
    let transcript = recording::open(&out).unwrap();
    let recorded = downloaded(&transcript);
    // What waits to be written is limited.
    let least = received.len() - (8 << 20);
    assert!(recorded.len() >= least, "{}", recorded.len());
    assert!(recorded == content[..recorded.len()]);
}
