//! `ftpspec import`, as a process: captures that the test writes or has made by tcpdump and
//! dumpcap, and scenarios of recorded sessions. Where nothing can be captured, those tests are
//! ignored and say so.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

#[path = "../src/import/testing.rs"]
#[expect(dead_code, reason = "unit tests of the crate use more")]
mod testing;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use ftpspec::recording;
use ftpspec::transcript::{Channel, CloseKind, DataMode, EventKind, Leg, Transcript};
use libtest_mimic::{Arguments, Trial};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testing::{CLIENT, Link, Net, SERVER, Tcp, pcap};

const FTPSPEC: &str = env!("CARGO_BIN_EXE_ftpspec");
const PASSWORD: &str = "not-to-be-written";

/// A process that the test started, which is killed with it.
struct Running(Child);

impl Running {
    /// Asks it to stop, and waits until it has.
    fn stop(mut self) {
        kill_process(Pid::from_child(&self.0), Signal::INT).unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// `ftpspec` with these arguments, and its ready line.
fn start(arguments: &[&str]) -> (Running, Value) {
    let mut process = Command::new(FTPSPEC)
        .args(arguments)
        .args(["--format", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = process.stdout.take().unwrap();
    let running = Running(process);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    (running, serde_json::from_str(&line).unwrap())
}

fn ftpspec(arguments: &[&str]) -> Output {
    Command::new(FTPSPEC).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A plain FTP client.
struct Client {
    control: BufReader<TcpStream>,
    data: Option<Data>,
}

enum Data {
    Open(TcpStream),
    Listening(TcpListener),
}

impl Client {
    fn log_in(address: SocketAddr) -> Self {
        let mut client = Self {
            control: BufReader::new(TcpStream::connect(address).unwrap()),
            data: None,
        };
        assert_eq!(client.reply().0, 220);
        client.send("USER u", 331);
        client.send(&format!("PASS {PASSWORD}"), 230);
        client
    }

    fn reply(&mut self) -> (u16, String) {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.control.read_line(&mut line).unwrap(), 0, "{text}");
            text.push_str(&line);
            let code = line.get(..3).and_then(|code| code.parse().ok());
            if let (Some(code), Some(" ")) = (code, line.get(3..4)) {
                return (code, text);
            }
        }
    }

    fn send(&mut self, command: &str, expected: u16) -> String {
        self.control
            .get_mut()
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        let (code, text) = self.reply();
        assert_eq!(code, expected, "{command}: {text}");
        text
    }

    fn passive(&mut self) {
        let text = self.send("EPSV", 229);
        let port = text.split('|').nth(3).unwrap().parse().unwrap();
        let peer = self.control.get_ref().peer_addr().unwrap().ip();
        self.data = Some(Data::Open(TcpStream::connect((peer, port)).unwrap()));
    }

    fn active(&mut self) {
        let own = self.control.get_ref().local_addr().unwrap().ip();
        let listener = TcpListener::bind((own, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = own.to_string().replace('.', ",");
        self.send(&format!("PORT {host},{},{}", port >> 8, port & 0xff), 200);
        self.data = Some(Data::Listening(listener));
    }

    fn data(&mut self) -> TcpStream {
        match self.data.take().unwrap() {
            Data::Open(stream) => stream,
            Data::Listening(listener) => listener.accept().unwrap().0,
        }
    }

    fn download(&mut self, command: &str) -> Vec<u8> {
        self.send(command, 150);
        let mut octets = Vec::new();
        self.data().read_to_end(&mut octets).unwrap();
        assert_eq!(self.reply().0, 226);
        octets
    }

    fn upload(&mut self, command: &str, octets: &[u8]) {
        self.send(command, 150);
        let mut data = self.data();
        data.write_all(octets).unwrap();
        data.shutdown(Shutdown::Write).unwrap();
        assert_eq!(data.read_to_end(&mut Vec::new()).unwrap(), 0);
        assert_eq!(self.reply().0, 226);
    }

    fn quit(mut self) {
        self.send("QUIT", 221);
        let mut rest = Vec::new();
        self.control.read_to_end(&mut rest).unwrap();
    }
}

/// A directory with files for the server.
fn seed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("docs")).unwrap();
    fs::write(folder.path().join("docs/read.txt"), "one\ntwo\n").unwrap();
    fs::write(folder.path().join("large.bin"), vec![7; 300_000]).unwrap();
    folder
}

/// Downloads, uploads, directories, resumption, text and refusals; active and passive.
fn session_with_files(mut client: Client) {
    client.send("PWD", 257);
    client.send("TYPE I", 200);
    client.passive();
    assert_eq!(client.download("RETR large.bin").len(), 300_000);
    client.send("SIZE large.bin", 213);
    client.passive();
    client.send("REST 299990", 350);
    assert_eq!(client.download("RETR large.bin").len(), 10);
    client.send("MKD made", 257);
    client.send("CWD made", 250);
    client.active();
    client.upload("STOR up.bin", b"uploaded");
    client.active();
    client.upload("APPE up.bin", b" and more");
    client.passive();
    assert_eq!(client.download("RETR up.bin"), b"uploaded and more");
    client.send("CDUP", 250);
    client.send("CWD /docs", 250);
    client.send("TYPE A", 200);
    client.passive();
    assert_eq!(client.download("RETR read.txt"), b"one\r\ntwo\r\n");
    client.passive();
    assert!(!client.download("LIST").is_empty());
    client.send("CWD /nowhere", 550);
    client.send("RNFR /made/up.bin", 350);
    client.send("RNTO /made/renamed.bin", 250);
    client.send("DELE /made/renamed.bin", 250);
    client.send("RMD /made", 250);
    client.send("SITE WHAT", 501);
    client.quit();
}

/// Loopback addresses that no other process of this machine captures at.
fn own_address(number: u8) -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 100 + number, high, low.max(1))
}

/// A server and a recorder in front of it, each at its own address.
struct Servers {
    own: Ipv4Addr,
    server: (Running, Value),
    recorder: (Running, Value),
    folder: tempfile::TempDir,
    _seed: tempfile::TempDir,
}

impl Servers {
    fn start(number: u8) -> Self {
        Self::start_at(own_address(number), own_address(number + 1))
    }

    fn start_at(own: Ipv4Addr, listen: Ipv4Addr) -> Self {
        let (seed, folder) = (seed(), tempfile::tempdir().unwrap());
        let user = format!("u:{PASSWORD}");
        let bind = own.to_string();
        let root = seed.path().to_str().unwrap();
        let server = start(&["serve", "--user", &user, "--bind", &bind, "--seed", root]);
        let upstream = format!("ftp://{bind}:{}", server.1["port"]);
        let listen = format!("{listen}:0");
        let out = folder.path().join("recorded.jsonl");
        let out = out.to_str().unwrap();
        let arguments = [
            "record",
            "--upstream",
            &upstream,
            "--out",
            out,
            "--listen",
            &listen,
            "--insecure",
        ];
        let recorder = start(&arguments);
        Self {
            own,
            server,
            recorder,
            folder,
            _seed: seed,
        }
    }

    fn address(&self) -> SocketAddr {
        self.recorder.1["address"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    fn upstream(&self) -> SocketAddr {
        let port = self.server.1["port"].as_u64().unwrap();
        SocketAddr::from((self.own, u16::try_from(port).unwrap()))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What an imported session and a recording of it have in common: everything but times, and into
/// how many segments the octets were cut. For each TCP connection the octets of both sides, in order of
/// who sent them; for data connections how they were agreed upon and whether they were reset. How
/// connections end is otherwise left out: a recorder notes what its peer does, and not what it does
/// itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Session {
    addresses: Option<(String, String)>,
    said: Vec<(bool, String)>,
    data: BTreeMap<Channel, DataConnection>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct DataConnection {
    /// How it was agreed upon, and the addresses of client and server.
    opened: Option<(DataMode, String, String)>,
    from_client: Vec<u8>,
    from_server: Vec<u8>,
    reset: bool,
}

impl Session {
    fn of(transcript: &Transcript) -> Self {
        let mut session = Self::default();
        for event in &transcript.events {
            let mut say = |from_client: bool, octets: &[u8]| {
                let octets = String::from_utf8_lossy(octets);
                match session.said.last_mut() {
                    Some((last, said)) if *last == from_client => said.push_str(&octets),
                    _ => session.said.push((from_client, octets.into_owned())),
                }
            };
            let channel = event.channel.without_leg();
            let mut unused = DataConnection::default();
            let data = match channel.is_control() {
                true => &mut unused,
                false => session.data.entry(channel).or_default(),
            };
            match &event.what {
                EventKind::Connected { local, peer } => {
                    session.addresses = Some((local.clone(), peer.clone()));
                }
                EventKind::FromClient { octets } => say(true, octets),
                EventKind::FromServer { octets } => say(false, octets),
                EventKind::DataOpened { mode, local, peer } => {
                    data.opened = Some((*mode, local.clone(), peer.clone()));
                }
                EventKind::DataFromClient { octets } => data.from_client.extend(octets.to_vec()),
                EventKind::DataFromServer { octets } => data.from_server.extend(octets.to_vec()),
                EventKind::DataClosed(end) => data.reset |= end.how == CloseKind::Reset,
                _ => {}
            }
        }
        session
    }
}

/// Captures with this program during `work`; `None` if it cannot. A marker is sent to `address`.
fn captured(program: &[&str], file: &Path, address: Ipv4Addr, work: impl FnOnce()) -> Option<()> {
    let capture = Command::new(program[0])
        .args(&program[1..])
        .arg(file)
        .args(if program[0] == "dumpcap" {
            vec!["-f"]
        } else {
            Vec::new()
        })
        .arg("tcp or udp port 9")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut capture = Running(capture.ok()?);
    let mut lines = BufReader::new(capture.0.stderr.take()?).lines();
    // It captures from this line on.
    let begins = |line: &String| line.contains("listening on") || line.starts_with("File: ");
    lines.by_ref().map_while(Result::ok).find(begins)?;
    work();
    // What was sent before the marker is in the file when the marker is.
    let socket = UdpSocket::bind((address, 0)).unwrap();
    let marker = format!("the end of the capture with {}", file.display());
    let marker = marker.as_bytes();
    let is_there = || {
        socket.send_to(marker, (address, 9)).unwrap();
        let octets = fs::read(file).unwrap_or_default();
        octets.windows(marker.len()).any(|window| window == marker)
    };
    let found = (0..100_000).any(|_| is_there());
    capture.stop();
    assert!(found, "{} captures nothing", program[0]);
    Some(())
}

fn a_capture_of_a_session_is_imported_as_it_was_recorded(program: &[&str], number: u8) {
    // A busy system loses packets, and then the import says so.
    let is_whole = (0..5).any(|_| captured_session_equals_its_recording(program, number));
    assert!(is_whole, "{} loses packets", program[0]);
}

/// Whether everything was captured, and then is the same.
fn captured_session_equals_its_recording(program: &[&str], number: u8) -> bool {
    let servers = Servers::start(number);
    let file = servers.file("capture");
    let work = || session_with_files(Client::log_in(servers.address()));
    captured(program, &file, own_address(number), work).unwrap();
    let out = servers.file("imported.jsonl");
    let arguments = [
        "import",
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let output = ftpspec(&arguments);
    if stderr(&output).contains("missing in the capture") {
        return false;
    }
    assert!(output.status.success(), "{}", stderr(&output));
    let (address, upstream) = (servers.address(), servers.upstream());
    let out = servers.file("imported.jsonl");
    let output = ftpspec(&[
        "import",
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let recorded = servers.file("recorded.jsonl");
    let Servers {
        recorder, folder, ..
    } = servers;
    recorder.0.stop();
    let recorded = recording::open(&recorded).unwrap();
    // Other tests may have sessions at the same time.
    let files = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = files.filter(|file| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("imported") && name.ends_with(".jsonl")
    });
    let imported: Vec<Transcript> = files.map(|file| recording::open(&file).unwrap()).collect();
    for (leg, address) in [(Leg::Client, address), (Leg::Server, upstream)] {
        let name = format!("ftp://{address}/");
        let same = imported.iter().find(|it| it.name == name).unwrap();
        let (expected, found) = (Session::of(&recorded.leg(leg)), Session::of(same));
        // A program that captures may be stopped before it has written everything.
        if !found
            .said
            .last()
            .is_some_and(|(_, last)| last.starts_with("221"))
        {
            return false;
        }
        for (one, other) in found.said.iter().zip(&expected.said) {
            assert_eq!(one, other, "{leg} {}: {found:#?}", stderr(&output));
        }
        assert_eq!(
            found.said.len(),
            expected.said.len(),
            "{leg}: {:?} {:?}",
            found.said.last(),
            expected.said.last()
        );
        assert_eq!(found.data.len(), 7);
        assert_eq!(found.addresses, expected.addresses, "{leg}");
        for (channel, data) in &expected.data {
            let other = &found.data[channel];
            assert_eq!(other.opened, data.opened, "{leg} {channel}");
            let is_same =
                other.from_client == data.from_client && other.from_server == data.from_server;
            assert!(is_same, "{leg} {channel}: octets");
        }
        assert!(found == expected, "{leg}");
    }
    true
}

/// The scenario of what a client does.
fn scenario_of(number: u8, work: impl FnOnce(Client)) -> (tempfile::TempDir, PathBuf) {
    let servers = Servers::start(number);
    work(Client::log_in(servers.address()));
    let (recorded, scenario) = (servers.file("recorded.jsonl"), servers.file("mine.ftpt"));
    let Servers {
        recorder, folder, ..
    } = servers;
    recorder.0.stop();
    let output = ftpspec(&[
        "import",
        recorded.to_str().unwrap(),
        "--out",
        scenario.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    (folder, scenario)
}

fn run(scenario: &Path, faults: &[&str]) -> Output {
    let user = format!("u:{PASSWORD}");
    let faults = faults.iter().flat_map(|fault| ["--fault", fault]);
    let arguments: Vec<&str> = ["serve", "--user", &user, "--bind", "127.0.0.1"]
        .into_iter()
        .chain(faults)
        .collect();
    let (_server, ready) = start(&arguments);
    let target = format!("ftp://u:{PASSWORD}@127.0.0.1:{}", ready["port"]);
    ftpspec(&[
        "run",
        scenario.to_str().unwrap(),
        "--target",
        &target,
        "--format",
        "json",
    ])
}

/// The suite plays the sessions: under TLS, with files that it makes beforehand.
fn scenarios_of_sessions_under_tls_pass_in_each_protection() {
    let servers = Servers::start_at(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST);
    let url = format!("ftp://u:{PASSWORD}@{}", servers.address());
    let ca = servers.recorder.1["ca"].as_str().unwrap();
    let mut arguments = vec!["check", &url, "--ca", ca, "--variant", "epsv tls"];
    arguments.extend(["--select", "sanity/transfer", "--select", "rfc4217/ccc*"]);
    let checked = ftpspec(&arguments);
    let text = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{text}{}", stderr(&checked));
    let Servers {
        recorder, folder, ..
    } = servers;
    recorder.0.stop();
    let scenarios = folder.path().join("scenarios");
    fs::create_dir(&scenarios).unwrap();
    let mut protected = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|ending| ending == "jsonl") {
            let name = file.with_extension("ftpt");
            let scenario = scenarios.join(name.file_name().unwrap());
            let out = scenario.to_str().unwrap();
            let imported = ftpspec(&["import", file.to_str().unwrap(), "--out", out]);
            assert!(imported.status.success(), "{}", stderr(&imported));
            let text = fs::read_to_string(&scenario).unwrap();
            protected += usize::from(text.contains("axes    = [\"tls\"]"));
        }
    }
    assert!(protected > 1, "{protected}");
    let (_server, ready) = start(&[
        "serve",
        "--user",
        &format!("u:{PASSWORD}"),
        "--bind",
        "127.0.0.1",
    ]);
    let target = format!("ftp://u:{PASSWORD}@127.0.0.1:{}", ready["port"]);
    let played = ftpspec(&["run", scenarios.to_str().unwrap(), "--target", &target]);
    let text = String::from_utf8_lossy(&played.stdout);
    assert_eq!(played.status.code(), Some(0), "{text}{}", stderr(&played));
    assert!(text.contains("PASS"), "{text}");
}

/// The outcomes of the scenario itself.
fn outcomes(output: &Output) -> Vec<String> {
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(output)));
    let rows = report["scenarios"].as_array().unwrap().iter();
    let own = rows.filter(|row| row["scenario"].as_str().unwrap().ends_with("mine"));
    own.map(|row| row["outcome"].as_str().unwrap().to_owned())
        .collect()
}

fn a_scenario_of_a_session_is_valid_passes_and_fails_on_a_faulty_server() {
    let (_folder, scenario) = scenario_of(10, session_with_files);
    let file = scenario.to_str().unwrap();
    let linted = ftpspec(&["lint", file]);
    let text = fs::read_to_string(&scenario).unwrap();
    assert!(
        linted.status.success() && linted.stderr.is_empty(),
        "{}\n{text}",
        stderr(&linted)
    );
    assert!(
        ftpspec(&["fmt", "--check", file]).status.success(),
        "{text}"
    );
    assert!(
        !text.contains(PASSWORD) && !text.contains("Not written"),
        "{text}"
    );
    let passed = run(&scenario, &[]);
    let report = String::from_utf8_lossy(&passed.stdout);
    assert_eq!(outcomes(&passed), ["pass"], "{text}\n{report}");
    assert_eq!(passed.status.code(), Some(0));
    for fault in [
        "when CDUP do reply 502",
        "when RETR path *up.bin do corrupt octet 2",
        "when SIZE do reply 213 1",
    ] {
        let failed = run(&scenario, &[fault]);
        assert_eq!(outcomes(&failed), ["fail"], "{fault}\n{text}");
    }
}

fn an_import_reports_what_it_skipped_and_fails_without_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let [file, out] = ["c.pcap", "s.jsonl"].map(|name| folder.path().join(name));
    let import = |more: &[&str]| {
        let arguments = [
            "import",
            file.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ];
        ftpspec(&[&arguments[..], more].concat())
    };
    let missing = import(&[]);
    assert_eq!(missing.status.code(), Some(2), "{}", stderr(&missing));
    fs::write(&file, "text").unwrap();
    let text = import(&[]);
    assert!(
        stderr(&text).contains("not a capture; expected pcap or pcapng"),
        "{}",
        stderr(&text)
    );
    let (client, server) = (
        "192.0.2.1:40000".parse().unwrap(),
        "192.0.2.2:8021".parse().unwrap(),
    );
    let mut net = Net::default();
    let mut other = Tcp::new(client, server, [1, 1]).open(&mut net);
    other.say(&mut net, SERVER, b"220 ready\r\n");
    other.say(&mut net, CLIENT, b"EHLO x\r\n");
    other.close(&mut net, CLIENT);
    fs::write(&file, pcap(&net.sent, Link::Ethernet)).unwrap();
    let none = import(&[]);
    let text = stderr(&none);
    assert_eq!(none.status.code(), Some(2), "{text}");
    assert!(text.contains("no FTP session in 8 packets"), "{text}");
    assert!(
        text.contains("1 TCP connection of other protocols skipped"),
        "{text}"
    );
    assert!(!out.exists());
    let found = import(&["--port", "8021"]);
    assert_eq!(found.status.code(), Some(0), "{}", stderr(&found));
    assert_eq!(recording::open(&out).unwrap().name, "ftp://192.0.2.2:8021/");
    let itself = ftpspec(&[
        "import",
        file.to_str().unwrap(),
        "--out",
        file.to_str().unwrap(),
    ]);
    assert_eq!(itself.status.code(), Some(2), "{}", stderr(&itself));
}

/// A test that is ignored where this program cannot capture.
fn with_capture(program: &'static [&'static str], number: u8) -> Trial {
    let folder = tempfile::tempdir().unwrap();
    let can = captured(
        program,
        &folder.path().join("try"),
        own_address(number),
        || {},
    );
    let name = format!(
        "a_capture_of_a_session_is_imported_as_it_was_recorded [{}]",
        program[0]
    );
    match can {
        Some(()) => Trial::test(name, move || {
            a_capture_of_a_session_is_imported_as_it_was_recorded(program, number);
            Ok(())
        }),
        None => Trial::test(format!("{name} (ignored: it cannot capture here)"), || {
            Ok(())
        })
        .with_ignored_flag(true),
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let test = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
    };
    let trials = vec![
        with_capture(
            &[
                "tcpdump",
                "-i",
                "lo",
                "-U",
                "--immediate-mode",
                "-B",
                "65536",
                "-Z",
                "root",
                "-w",
            ],
            1,
        ),
        with_capture(&["dumpcap", "-i", "lo", "-B", "64", "-w"], 4),
        test(
            "a_scenario_of_a_session_is_valid_passes_and_fails_on_a_faulty_server",
            a_scenario_of_a_session_is_valid_passes_and_fails_on_a_faulty_server,
        ),
        test(
            "scenarios_of_sessions_under_tls_pass_in_each_protection",
            scenarios_of_sessions_under_tls_pass_in_each_protection,
        ),
        test(
            "an_import_reports_what_it_skipped_and_fails_without_a_session",
            an_import_reports_what_it_skipped_and_fails_without_a_session,
        ),
    ];
    libtest_mimic::run(&arguments, trials).exit()
}
