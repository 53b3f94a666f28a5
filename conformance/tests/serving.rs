//! `ftpspec serve` as a process: stdout, signals, temporary files, passwords and the journal file.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests")]

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

/// A running server with its own directory for temporary files.
struct Serving {
    process: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
    temporary: tempfile::TempDir,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ftpspec"));
        command.arg("serve").args(arguments);
        Self::of(command)
    }

    fn of(command: Command) -> Self {
        Self::with_stdin(command, Stdio::null())
    }

    /// A server that systemd has started with one socket (sd_listen_fds(3)).
    fn with_socket(socket: impl Into<OwnedFd>, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        let script = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" serve \"$@\" 3<&0 </dev/null";
        command.args(["-c", script, env!("CARGO_BIN_EXE_ftpspec"), "--systemd"]);
        command.args(arguments);
        Self::with_stdin(command, Stdio::from(socket.into()))
    }

    fn with_stdin(mut command: Command, stdin: Stdio) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut process = command
            .env("TMPDIR", temporary.path())
            .env_remove("FTPSPEC_PASSWORD")
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdout: BufReader::new(process.stdout.take().unwrap()),
            stderr: BufReader::new(process.stderr.take().unwrap()),
            process,
            temporary,
        }
    }

    fn ready(&mut self) -> serde_json::Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("{line:?}: {}", self.rest_of_stderr()))
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; the exit code and the number of temporary files left.
    fn ended(&mut self) -> (Option<i32>, usize) {
        let code = self.process.wait().unwrap().code();
        (code, fs::read_dir(self.temporary.path()).unwrap().count())
    }

    fn rest_of_stderr(&mut self) -> String {
        let mut text = String::new();
        self.stderr.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

#[test]
fn a_signal_after_the_ready_line_stops_the_server_cleanly() {
    for round in 0..50 {
        let signal = [Signal::TERM, Signal::INT, Signal::HUP][round % 3];
        let mut server = Serving::start(&[]);
        server.ready();
        server.signal(signal);
        assert_eq!(server.ended(), (Some(0), 0), "round {round}, {signal:?}");
    }
}

#[test]
fn a_signal_before_the_ready_line_stops_the_server_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("journal");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    for (signal, bit) in [(Signal::TERM, 14), (Signal::INT, 1), (Signal::HUP, 0)] {
        // It blocks while it opens the pipe, which has no reader.
        let mut server = Serving::start(&["--journal", pipe.to_str().unwrap()]);
        let status = format!("/proc/{}/status", server.process.id());
        loop {
            let status = fs::read_to_string(&status).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            if u64::from_str_radix(caught.unwrap().trim(), 16).unwrap() >> bit & 1 == 1 {
                break;
            }
            std::thread::yield_now();
        }
        server.signal(signal);
        assert_eq!(server.ended(), (Some(0), 0), "{signal:?}");
        assert_eq!(server.rest_of_stderr(), "");
    }
}

#[test]
fn a_server_started_by_nohup_ignores_sighup() {
    let mut command = Command::new("nohup");
    command.args([env!("CARGO_BIN_EXE_ftpspec"), "serve", "--tls", "off"]);
    let mut server = Serving::of(command);
    let ready = server.ready();
    server.signal(Signal::HUP);
    let port = u16::try_from(ready["port"].as_u64().unwrap()).unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut greeting = String::new();
    BufReader::new(stream).read_line(&mut greeting).unwrap();
    assert!(greeting.starts_with("220 "), "{greeting}");
    server.signal(Signal::TERM);
    assert_eq!(server.ended().0, Some(0));
}

#[test]
fn a_temporary_directory_left_by_a_killed_server_does_not_matter() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    // In a container the process id is the same after every restart.
    let script = format!(
        "mkdir \"$TMPDIR/ftpspec-$$-{port}\" && exec '{}' serve --port {port}",
        env!("CARGO_BIN_EXE_ftpspec")
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let mut server = Serving::of(command);
    let ready = server.ready();
    let ca = Path::new(ready["ca"].as_str().unwrap());
    let directory = ca.parent().unwrap();
    assert!(directory.starts_with(server.temporary.path()));
    let mode = fs::metadata(directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(
        fs::read_to_string(ca)
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    server.signal(Signal::TERM);
    let left_by_the_killed_server = 1;
    assert_eq!(server.ended(), (Some(0), left_by_the_killed_server));
}

/// The user, the password and stderr.
fn login(arguments: &[&str]) -> (String, String, String) {
    let mut server = Serving::start(&[arguments, &["--tls", "off"]].concat());
    let ready = server.ready();
    server.signal(Signal::TERM);
    let [user, password] = ["user", "password"].map(|key| ready[key].as_str().unwrap().to_owned());
    let url = ready["url"].as_str().unwrap();
    assert!(url.contains(&format!("//{user}:{password}@")), "{url}");
    (user, password, server.rest_of_stderr())
}

#[test]
fn the_url_of_the_ready_line_has_the_login_percent_encoded_and_the_port() {
    let mut server = Serving::start(&["--tls", "off", "--user", "a@b:p:/%"]);
    let ready = server.ready();
    let expected = format!("ftp://a%40b:p%3A%2F%25@127.0.0.1:{}/", ready["port"]);
    assert_eq!(ready["url"], expected);
}

#[test]
fn a_server_with_implicit_tls_only_is_ready_with_an_ftps_url() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    fs::write(&config, "listen_implicit = [\"127.0.0.1:0\"]").unwrap();
    let arguments = ["--config", config.to_str().unwrap(), "--user", "test:test"];
    let ready = Serving::start(&arguments).ready();
    let expected = format!("ftps://test:test@127.0.0.1:{}/", ready["port"]);
    assert_eq!(ready["url"], expected);
}

#[test]
fn the_default_password_is_used_on_loopback_addresses_only() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().to_str().unwrap();
    for reachable in [
        &["--bind", "0.0.0.0"][..],
        &["--bind", "::"],
        &["--bind", "127.0.0.1", "--bind", "0.0.0.0"],
        &["--bind", "0.0.0.0", "--root", root],
        &["--bind", "0.0.0.0", "--user", "test"],
        &[
            "--bind",
            "0.0.0.0",
            "--user",
            "bob:secret",
            "--user",
            "test",
        ],
    ] {
        let (user, password, stderr) = login(reachable);
        let (_, second_password, _) = login(reachable);
        assert!(
            stderr.contains("the password of test is random"),
            "{reachable:?}: {stderr}"
        );
        if user == "test" {
            assert_eq!(password.len(), 20, "{reachable:?}");
            assert_ne!(password, second_password, "{reachable:?}");
        } else {
            assert_eq!(password, "secret");
        }
    }
    for (known, expected) in [
        (&[][..], "test"),
        (&["--bind", "127.0.0.2"], "test"),
        (&["--bind", "0.0.0.0", "--password", "chosen"], "chosen"),
        (&["--bind", "0.0.0.0", "--user", "test:chosen"], "chosen"),
    ] {
        let (_, password, stderr) = login(known);
        assert_eq!(
            (password.as_str(), stderr.as_str()),
            (expected, ""),
            "{known:?}"
        );
    }
}

#[test]
fn a_socket_from_systemd_is_the_only_one_that_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    // The options override it.
    fs::write(&config, "listen = [\"127.0.0.2:0\"]").unwrap();
    let config = ["--config", config.to_str().unwrap(), "--user", "test"];
    for arguments in [&[][..], &config] {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let mut server = Serving::with_socket(socket, arguments);
        let ready = server.ready();
        assert_eq!(ready["addresses"], serde_json::json!([address]));
        assert_eq!(ready["url"], format!("ftp://test:test@{address}/"));
        Control::log_in(&address).expect("QUIT", "221");
        server.signal(Signal::TERM);
        assert_eq!(server.ended(), (Some(0), 0));
        assert_eq!(server.rest_of_stderr(), "");
    }
}

#[test]
fn the_certificate_names_the_address_of_a_socket_from_systemd() {
    let socket = TcpListener::bind("127.0.0.2:0").unwrap();
    let mut server = Serving::with_socket(socket, &["--print-config"]);
    let mut settings = String::new();
    server.stdout.read_to_string(&mut settings).unwrap();
    assert!(settings.contains("names = [\"127.0.0.2\"]"), "{settings}");
}

#[test]
fn the_default_password_is_not_used_on_a_socket_from_systemd_that_others_can_reach() {
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let mut server = Serving::with_socket(socket, &[]);
    assert_eq!(server.ready()["password"].as_str().unwrap().len(), 20);
    server.signal(Signal::TERM);
    let stderr = server.rest_of_stderr();
    assert!(
        stderr.contains("the password of test is random"),
        "{stderr}"
    );
}

#[test]
fn sockets_from_systemd_that_cannot_be_served_are_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let file = fs::File::open("/dev/null").unwrap();
    let with_bind = ["--bind", "127.0.0.1"];
    for (mut server, expected) in [
        (Serving::start(&["--systemd"]), "no socket was passed"),
        (Serving::with_socket(connection, &[]), "needs Accept=no"),
        (Serving::with_socket(file, &[]), "fd 3 is not a socket"),
        (Serving::with_socket(listener, &with_bind), "'--bind"),
        (Serving::start(&["--systemd", "--port", "0"]), "'--port"),
    ] {
        assert_eq!(server.ended(), (Some(2), 0), "{expected}");
        let stderr = server.rest_of_stderr();
        assert!(stderr.contains(expected), "{stderr}");
    }
}

#[test]
fn a_journal_is_appended_to_and_a_symbolic_link_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("journal");
    let path = journal.to_str().unwrap();
    for _ in 0..2 {
        let mut server = Serving::start(&["--journal", path]);
        server.ready();
        server.signal(Signal::TERM);
        assert_eq!(server.ended().0, Some(0));
    }
    let head = "{\"journal\":1}\n";
    assert_eq!(fs::read_to_string(&journal).unwrap(), head.repeat(2));
    let mode = fs::metadata(&journal).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    fs::write(&journal, "half a li").unwrap();
    let mut server = Serving::start(&["--journal", path]);
    server.ready();
    server.signal(Signal::TERM);
    assert_eq!(server.ended().0, Some(0));
    let continued = format!("half a li\n{head}");
    assert_eq!(fs::read_to_string(&journal).unwrap(), continued);

    let link = directory.path().join("link");
    symlink(&journal, &link).unwrap();
    let mut server = Serving::start(&["--journal", link.to_str().unwrap()]);
    assert_eq!(server.ended().0, Some(2));
    let stderr = server.rest_of_stderr();
    assert!(
        stderr.contains("does not follow a symbolic link"),
        "{stderr}"
    );
    assert_eq!(fs::read_to_string(&journal).unwrap(), continued);
}

#[test]
fn a_journal_that_cannot_be_written_is_reported_at_once_and_ends_with_3() {
    let mut server = Serving::start(&["--journal", "/dev/full"]);
    server.ready();
    let mut message = String::new();
    server.stderr.read_line(&mut message).unwrap();
    assert!(
        message.contains("the journal is incomplete") && message.contains("/dev/full: "),
        "{message}"
    );
    assert!(
        server.process.try_wait().unwrap().is_none(),
        "it continues to serve"
    );
    server.signal(Signal::TERM);
    assert_eq!(server.ended(), (Some(3), 0));
}

/// A control connection.
struct Control(BufReader<TcpStream>);

impl Control {
    fn log_in(address: &str) -> Self {
        let mut control = Self(BufReader::new(TcpStream::connect(address).unwrap()));
        control.expect("", "220");
        control.expect("USER test", "331");
        control.expect("PASS test", "230");
        control
    }

    /// Sends a command, unless it is empty, and reads a reply of one line.
    fn expect(&mut self, command: &str, code: &str) -> String {
        if !command.is_empty() {
            let line = format!("{command}\r\n");
            self.0.get_mut().write_all(line.as_bytes()).unwrap();
        }
        let mut reply = String::new();
        self.0.read_line(&mut reply).unwrap();
        assert!(reply.starts_with(code), "{command}: {reply}");
        reply
    }

    fn passive(&mut self) -> TcpStream {
        let reply = self.expect("EPSV", "229");
        let port: u16 = reply.split('|').nth(3).unwrap().parse().unwrap();
        TcpStream::connect(("127.0.0.1", port)).unwrap()
    }
}

#[test]
fn the_human_format_shows_a_line_per_session_login_and_transfer() {
    let mut server = Serving::start(&["--format", "human", "--tls", "off"]);
    let mut greeting = String::new();
    while !greeting.contains("Ctrl-C") {
        let length = server.stdout.read_line(&mut greeting).unwrap();
        assert_ne!(length, 0, "{greeting}");
    }
    let url = greeting
        .split_whitespace()
        .find_map(|word| word.strip_prefix("ftp://test:test@"));
    let mut control = Control::log_in(url.unwrap().trim_end_matches('/'));
    let mut data = control.passive();
    control.expect("STOR a", "150");
    data.write_all(b"12345").unwrap();
    drop(data);
    control.expect("", "226");
    control.expect("QUIT", "221");
    // The session has ended.
    control.expect("", "");
    server.signal(Signal::TERM);
    let mut log = String::new();
    server.stdout.read_to_string(&mut log).unwrap();
    assert_eq!(server.ended(), (Some(0), 0));
    for text in [
        ": connected from 127.0.0.1:",
        ": logged in as test\n",
        ": STOR /a: 5 octets\n",
        ": closed\n",
    ] {
        assert_eq!(log.matches(text).count(), 1, "{text:?}: {log}");
    }
}

/// Resident memory of a process, in octets.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kibibytes.parse::<u64>().unwrap() << 10
}

#[test]
fn the_memory_of_deleted_files_is_returned_to_the_system() {
    const MIB: usize = 1 << 20;
    let mut server = Serving::start(&["--tls", "off"]);
    let ready = server.ready();
    let mut control = Control::log_in(ready["addresses"][0].as_str().unwrap());
    // In TYPE A lines are decoded in chunks of any size.
    control.expect("TYPE A", "200");
    // Large files and small ones, in turn.
    let large = [200 * MIB, MIB, 200 * MIB, 300 << 10, 280 * MIB, 10];
    let sizes = [&large[..], &[MIB, 700 << 10].repeat(10)].concat();
    let line = [&b"x".repeat((64 << 10) - 2)[..], b"\r\n"].concat();
    let pattern = line.repeat(MIB / line.len());
    for (number, size) in sizes.iter().enumerate() {
        let mut data = control.passive();
        control.expect(&format!("STOR {number}"), "150");
        let mut left = *size;
        while left > 0 {
            let piece = left.min(MIB);
            data.write_all(&pattern[..piece]).unwrap();
            left -= piece;
        }
        drop(data);
        control.expect("", "226");
    }
    let pid = server.process.id();
    let full = resident(pid);
    assert!(full > 680 * (1 << 20), "{full}");
    for number in 0..sizes.len() {
        control.expect(&format!("DELE {number}"), "250");
    }
    let left = resident(pid) >> 20;
    assert!(left < 100, "{left} MiB are left");
}

#[test]
fn a_refused_certificate_is_reported_with_the_reason() {
    let start = || {
        let mut server = Serving::start(&["--tls", "implicit", "--bind", "127.0.0.1"]);
        let ready = server.ready();
        let url = format!("ftps://test:test@127.0.0.1:{}", ready["port"]);
        (server, url, ready["ca"].as_str().unwrap().to_owned())
    };
    let (_server, url, own) = start();
    let (_other, _, foreign) = start();
    let renamed = url.replace("@127.0.0.1", "@files.example");
    for (url, ca, reason) in [
        (&url, &foreign, "no authority of --ca has issued it"),
        (&renamed, &own, "it is not for files.example, but for "),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_ftpspec"))
            .args(["check", url, "--ca", ca, "--address", "127.0.0.1"])
            .args(["--select", "rfc959/noop-says-200"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(reason), "{stderr}");
    }
}
