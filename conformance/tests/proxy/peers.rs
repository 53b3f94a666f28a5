//! Servers and clients that do not do what they should, on both sides of the recorder.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use ftpspec::recording;
use ftpspec::transcript::{EventKind, Leg, Side};
use rstest::rstest;
use tempfile::TempDir;

use crate::client::{Client, trusting};
use crate::processes::Running;

/// A server that this test plays, and the recorder in front of it.
struct Played<T> {
    recorder: Running,
    server: JoinHandle<T>,
    out: PathBuf,
    _folder: TempDir,
}

impl<T: Send + 'static> Played<T> {
    /// One session of `play` with the recorder.
    fn start(more: &[&str], play: impl FnOnce(TcpStream) -> T + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("s.jsonl");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ftp://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || play(listener.accept().unwrap().0));
        let recorder = record(&url, &out, more);
        Self {
            recorder,
            server,
            out,
            _folder: folder,
        }
    }

    fn address(&self) -> SocketAddr {
        self.recorder.text("address").parse().unwrap()
    }

    /// What the server returned, and the recording.
    fn finish(self) -> (T, ftpspec::Transcript) {
        let played = self.server.join().unwrap();
        assert_eq!(self.recorder.stop(), 0);
        (played, recording::open(&self.out).unwrap())
    }
}

fn record(url: &str, out: &Path, more: &[&str]) -> Running {
    let arguments = ["record", "--insecure", "--upstream", url];
    let out = ["--out", out.to_str().unwrap(), "--format", "json"];
    Running::start(&[&arguments[..], &out, more].concat())
}

/// Sends the greeting and these replies, one for each line that comes; then the connection ends.
fn replies(tcp: &TcpStream, replies: &[&str]) -> Vec<String> {
    let mut lines = BufReader::new(tcp).lines();
    let mut commands = Vec::new();
    for reply in replies {
        { tcp }.write_all(reply.as_bytes()).unwrap();
        match lines.next() {
            Some(Ok(line)) => commands.push(line),
            _ => break,
        }
    }
    commands
}

#[test]
fn a_server_that_refuses_auth_is_gone_on_with_in_clear() {
    let played = Played::start(&[], |tcp| {
        replies(
            &tcp,
            &["220 Hello\r\n", "502 No TLS\r\n", "331 Password\r\n"],
        )
    });
    let mut client = Client::connect(played.address());
    client.reply();
    assert_eq!(client.command("AUTH TLS"), "502 No TLS\r\n");
    assert_eq!(client.command("USER u"), "331 Password\r\n");
    drop(client);
    let (commands, _) = played.finish();
    assert_eq!(commands, ["AUTH TLS", "USER u"]);
}

#[test]
fn a_server_that_refuses_auth_is_not_used_in_clear_where_tls_is_demanded() {
    let played = Played::start(&["--upstream-tls", "explicit"], |tcp| {
        replies(&tcp, &["220 Hello\r\n", "502 No TLS\r\n"])
    });
    let mut client = Client::connect(played.address());
    let reply = client.reply();
    assert_eq!(
        reply,
        "421 the server answered AUTH TLS with 502 No TLS.\r\n"
    );
    assert_eq!(client.line(), "");
    let (commands, _) = played.finish();
    assert_eq!(commands, ["AUTH TLS"]);
}

#[rstest]
#[case::in_mid_session(&["220 Hello\r\n", "331 Pass"], "331 Pass")]
#[case::garbage(&["220 Hello\r\n", "\0\u{ff}\r\n99999\r\nend"], "\0\u{ff}\r\n99999\r\nend")]
#[case::a_reply_without_end(&["220 Hello\r\n", "211-a\r\nb\r\n"], "211-a\r\nb\r\n")]
fn what_a_server_said_before_it_was_gone_is_passed_on(
    #[case] said: &'static [&'static str],
    #[case] last: &str,
) {
    let played = Played::start(&[], move |tcp| {
        let commands = replies(&tcp, &said[..1]);
        { &tcp }.write_all(said[1].as_bytes()).unwrap();
        commands
    });
    let mut client = Client::connect(played.address());
    client.reply();
    client.send("USER u");
    let mut seen = String::new();
    loop {
        let line = client.line();
        if line.is_empty() {
            break;
        }
        seen += &line;
    }
    assert_eq!(seen, last);
    let (commands, transcript) = played.finish();
    assert_eq!(commands, ["USER u"]);
    let ended = |event: &&ftpspec::transcript::Event| matches!(event.what, EventKind::Closed(_));
    assert!(transcript.events.iter().any(|event| ended(&event)));
}

#[test]
fn a_client_that_vanishes_ends_the_session_with_the_server() {
    let played = Played::start(&[], |tcp| {
        { &tcp }.write_all(b"220 Hello\r\n").unwrap();
        let mut octets = Vec::new();
        let end = { &tcp }.read_to_end(&mut octets);
        (octets, end.is_ok())
    });
    let mut client = Client::connect(played.address());
    client.reply();
    client.send("NOOP");
    socket2::SockRef::from(client.tcp())
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(client);
    let ((octets, _), transcript) = played.finish();
    assert!(octets.is_empty() || octets == b"NOOP\r\n");
    let client_gone = transcript.events.iter().any(|event| {
        matches!(event.what, EventKind::Closed(_)) && event.channel.leg() == Some(Leg::Client)
    });
    assert!(client_gone);
}

#[test]
fn a_server_that_never_answers_holds_up_neither_the_end_of_the_client_nor_that_of_the_recorder() {
    let played = Played::start(&[], |mut tcp| {
        let mut octets = Vec::new();
        let _end = tcp.read_to_end(&mut octets);
        octets
    });
    let mut client = Client::connect(played.address());
    client.send("NOOP");
    client.tcp().shutdown(Shutdown::Both).unwrap();
    drop(client);
    let (octets, _) = played.finish();
    assert_eq!(octets, b"NOOP\r\n");
}

#[test]
fn a_foreign_address_in_a_227_is_not_followed() {
    let played = Played::start(&[], |tcp| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let [high, low] = listener.local_addr().unwrap().port().to_be_bytes();
        // TEST-NET-1 (RFC 5737), where nobody answers.
        let passive = format!("227 Entering Passive Mode (192,0,2,1,{high},{low})\r\n");
        replies(&tcp, &["220 Hello\r\n", &passive]);
        let (mut data, _) = listener.accept().unwrap();
        data.write_all(b"from the true server").unwrap();
        drop(data);
        { &tcp }.write_all(b"150 Here\r\n226 Done\r\n").unwrap();
        BufReader::new(&tcp).lines().map_while(Result::ok).count()
    });
    let mut client = Client::connect(played.address());
    client.reply();
    let address = client.passive("PASV");
    assert_eq!(address.ip(), played.address().ip());
    let mut data = TcpStream::connect(address).unwrap();
    client.send("RETR x");
    let mut octets = Vec::new();
    data.read_to_end(&mut octets).unwrap();
    assert_eq!(octets, b"from the true server");
    assert!(client.reply().starts_with("150"));
    assert!(client.reply().starts_with("226"));
    drop(client);
    played.finish();
}

/// The Synch of an urgent ABOR (RFC 959 §4.1.3): IP, then a data mark with the urgent pointer.
const SYNCH: [u8; 4] = [255, 244, 255, 242];

#[test]
fn an_abor_with_urgent_data_is_urgent_on_the_servers_side_too() {
    let played = Played::start(&[], |tcp| {
        { &tcp }.write_all(b"220 Hello\r\n").unwrap();
        tcp.set_read_timeout(Some(std::time::Duration::from_secs(20)))
            .unwrap();
        let socket = socket2::SockRef::from(&tcp);
        socket.set_out_of_band_inline(false).unwrap();
        let mut before = Vec::new();
        let mut reader = BufReader::new(&tcp);
        let read = reader.read_until(b'\n', &mut before);
        assert!(read.is_ok(), "{read:?} {before:?}");
        before
    });
    let mut client = Client::connect(played.address());
    client.reply();
    let (last, first) = SYNCH.split_last().unwrap();
    let mut tcp = client.tcp();
    tcp.write_all(first).unwrap();
    socket2::SockRef::from(client.tcp())
        .send_out_of_band(&[*last])
        .unwrap();
    tcp.write_all(b"ABOR\r\n").unwrap();
    let (before, transcript) = played.finish();
    // The data mark is out of band: it is not among the octets.
    assert_eq!(before, b"\xff\xf4\xffABOR\r\n");
    let urgent = EventKind::Urgent { from: Side::Client };
    let mut events = transcript.leg(Leg::Server).events.into_iter();
    assert!(events.any(|event| event.what == urgent));
    let next = EventKind::FromClient { octets: vec![242] };
    assert_eq!(events.next().unwrap().what, next);
    drop(client);
}

#[test]
fn an_abor_with_telnet_octets_ends_a_transfer_under_tls() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(&["serve", "--user", "u:pw"]);
    let url = format!("ftp://localhost:{}", server.port());
    let recorder = record(&url, &folder.path().join("s.jsonl"), &[]);
    let tls = trusting(&fs::read_to_string(recorder.text("ca")).unwrap());
    let mut client = Client::connect(recorder.text("address").parse().unwrap());
    client.log_in(Some(&tls), "pw");
    let address = client.passive("EPSV");
    let data = TcpStream::connect(address).unwrap();
    client.expect("STOR x", "150");
    client.send_octets(&[&SYNCH[..], b"ABOR\r\n"].concat());
    assert!(client.reply().starts_with("426"));
    assert!(client.reply().starts_with("226"));
    drop(data);
    client.expect("QUIT", "221");
}

#[test]
fn no_file_is_left_where_no_session_came() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("s.jsonl");
    let recorder = record("ftp://127.0.0.1:9", &out, &[]);
    assert_eq!(recorder.stop(), 0);
    assert!(!out.exists());
}
