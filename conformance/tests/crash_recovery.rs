//! `kill -9`, of the server and of its clients, in the middle of uploads to disk.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod served;

use served::Served;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Nothing here takes so long; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Set for the process that is a client, to be killed.
const CLIENT: &str = "FTPSPEC_TEST_CLIENT";

/// A server on a directory.
fn server(root: &Path) -> Served {
    let root = root.to_str().unwrap();
    Served::start(&["--tls", "off", "--bind", "127.0.0.1", "--root", root])
}

fn address(server: &Served) -> SocketAddr {
    let port = u16::try_from(server.ready["port"].as_u64().unwrap()).unwrap();
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// SIGKILL: it can do nothing any more.
fn kill(server: &mut Served) {
    server.process.kill().unwrap();
    server.process.wait().unwrap();
}

/// A client that does one thing at a time.
struct Client {
    control: BufReader<TcpStream>,
    host: SocketAddr,
}

impl Client {
    fn login(host: SocketAddr) -> Self {
        let stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let control = BufReader::new(stream);
        let mut client = Self { control, host };
        client.expect("220");
        for (command, code) in [
            ("USER test", "331"),
            ("PASS test", "230"),
            ("TYPE I", "200"),
        ] {
            client.ask(command, code);
        }
        client
    }

    fn ask(&mut self, command: &str, code: &str) -> String {
        let line = format!("{command}\r\n");
        self.control.get_mut().write_all(line.as_bytes()).unwrap();
        self.expect(code)
    }

    fn expect(&mut self, code: &str) -> String {
        let mut line = String::new();
        self.control.read_line(&mut line).unwrap();
        assert!(line.starts_with(code), "{line:?} instead of {code}");
        line
    }

    /// The data connection of an upload that has begun.
    fn begin(&mut self, command: &str) -> TcpStream {
        let reply = self.ask("EPSV", "229");
        let port = reply.split('|').nth(3).unwrap().parse().unwrap();
        let data = TcpStream::connect(SocketAddr::new(self.host.ip(), port)).unwrap();
        self.ask(command, "150");
        data
    }

    fn end(&mut self, data: TcpStream) {
        data.shutdown(Shutdown::Write).unwrap();
        self.expect("226");
        drop(data);
    }

    fn upload(&mut self, command: &str, octets: &[u8]) {
        let mut data = self.begin(command);
        data.write_all(octets).unwrap();
        self.end(data);
    }
}

/// Octets that occur only here.
fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// The files that have names, and not those that are being uploaded.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            let name = entry.file_name().into_string().unwrap();
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

fn left_over(root: &Path) -> usize {
    fs::read_dir(root.join(".ftpspec-uploads")).unwrap().count()
}

#[test]
fn a_killed_server_leaves_old_files_whole_and_no_part_of_new_ones() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let old = pattern(1, 300_000);
    for name in ["stored", "appended", "restarted", "extended", "idle"] {
        fs::write(root.join(name), &old).unwrap();
    }
    let before = files(root);
    let mut served = server(root);
    // More than the sockets on the way can hold: the server has begun to write.
    let half = vec![b'?'; 24 << 20];
    let mut under_way = Vec::new();
    for commands in [
        &["STOR stored"][..],
        &["STOR new"],
        &["STOU"],
        &["APPE appended"],
        &["APPE new-too"],
        &["REST 1000", "STOR restarted"],
        &["REST 300000", "STOR extended"],
    ] {
        let mut client = Client::login(address(&served));
        let (last, first) = commands.split_last().unwrap();
        let reply = client.ask("EPSV", "229");
        for command in first {
            client.ask(command, "350");
        }
        let port = reply.split('|').nth(3).unwrap().parse().unwrap();
        let mut data = TcpStream::connect(SocketAddr::new(client.host.ip(), port)).unwrap();
        client.ask(last, "150");
        data.write_all(&half).unwrap();
        under_way.push((client, data));
    }
    assert_eq!(left_over(root), under_way.len());
    // One that was acknowledged is not lost with the others.
    let acknowledged = pattern(3, 500_000);
    Client::login(address(&served)).upload("STOR acknowledged", &acknowledged);
    kill(&mut served);
    let mut expected = before;
    expected.insert("acknowledged".into(), acknowledged);
    assert!(files(root) == expected, "{:?}", files(root).keys());
    assert_eq!(left_over(root), under_way.len());

    let served = server(root);
    assert_eq!(
        left_over(root),
        0,
        "the next server clears away what is left"
    );
    let mut client = Client::login(address(&served));
    client.upload("STOR new", b"at last");
    assert_eq!(fs::read(root.join("new")).unwrap(), b"at last");
}

/// Uploads without end, reported on stdout: `half NAME` in the middle of each, `done NAME SEED LEN`
/// after its 226.
fn be_a_client(orders: &str) {
    let (address, number) = orders.split_once(' ').unwrap();
    let number: u64 = number.parse().unwrap();
    let mut client = Client::login(address.parse().unwrap());
    // Whoever was to kill it may be dead.
    for count in 0..50 {
        let seed = number << 32 | count;
        let len = pattern(seed, 3)
            .iter()
            .fold(0, |len, octet| len << 7 ^ usize::from(*octet));
        let (name, octets) = (format!("client-{number}-{count}"), pattern(seed, len));
        let mut data = client.begin(&format!("STOR {name}"));
        data.write_all(&octets[..len / 2]).unwrap();
        println!("half {name}");
        data.write_all(&octets[len / 2..]).unwrap();
        client.end(data);
        println!("done {name} {seed} {len}");
    }
}

struct KilledClient {
    process: Child,
    reports: BufReader<ChildStdout>,
}

/// Runs this very test again in a process of its own, as a client.
fn client_to_be_killed(address: SocketAddr, number: usize) -> KilledClient {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "killed_clients_lose_no_file_that_was_acknowledged",
            "--nocapture",
        ])
        .env(CLIENT, format!("{address} {number}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let reports = BufReader::new(process.stdout.take().unwrap());
    KilledClient { process, reports }
}

impl KilledClient {
    /// Kills it in the middle of its `round`th upload; the answer is what it knows to be stored.
    fn kill_in_round(mut self, round: usize) -> BTreeMap<String, (u64, usize)> {
        let mut stored = BTreeMap::new();
        let mut halves = 0;
        let mut hear = |line: &str| {
            let mut words = line.split_whitespace();
            // The test harness has a word, too.
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("half"), Some(_), None, None) => halves += 1,
                (Some("done"), Some(name), Some(seed), Some(len)) => {
                    let promise = (seed.parse().unwrap(), len.parse().unwrap());
                    stored.insert(name.to_owned(), promise);
                }
                _ => {}
            }
            halves
        };
        let mut line = String::new();
        while self.reports.read_line(&mut line).unwrap() > 0 {
            if hear(&line) == round {
                break;
            }
            line.clear();
        }
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        // What it said before the end has been promised to it.
        for line in self.reports.lines() {
            hear(&line.unwrap());
        }
        stored
    }
}

#[test]
fn killed_clients_lose_no_file_that_was_acknowledged() {
    if let Ok(orders) = std::env::var(CLIENT) {
        return be_a_client(&orders);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut served = server(directory.path());
    let clients: Vec<_> = (0..24)
        .map(|number| client_to_be_killed(address(&served), number))
        .collect();
    let stored: Vec<_> = std::thread::scope(|scope| {
        let killers: Vec<_> = (clients.into_iter().enumerate())
            .map(|(number, client)| scope.spawn(move || client.kill_in_round(1 + number % 5)))
            .collect();
        killers
            .into_iter()
            .map(|killer| killer.join().unwrap())
            .collect()
    });
    // It still works, and then has no time to put anything in order.
    Client::login(address(&served)).upload("STOR last", b"of all");
    kill(&mut served);
    let mut checked = 0;
    for (name, (seed, len)) in stored.into_iter().flatten() {
        let content = fs::read(directory.path().join(&name)).unwrap();
        assert!(content == pattern(seed, len), "{name}");
        checked += 1;
    }
    // One less than the rounds of each.
    assert!(checked >= 46, "only {checked} files were acknowledged");
    assert_eq!(fs::read(directory.path().join("last")).unwrap(), b"of all");
}
