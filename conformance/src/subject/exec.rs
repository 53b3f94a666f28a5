//! A server started by a command: starts it, waits for its greeting, restarts it when it dies, and
//! stops it.
//!
//! ```text
//!  'CMD {port} {root}' --ExecCommand, values--> process group --greeting read--> tested --SIGTERM, SIGKILL--> gone
//! ```
//!
//! The command has to stay in the foreground. Its process group is always ended and reaped.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{ExecCommand, Supervisor, Target};
use crate::driver::{Trust, draw};

/// The time that a server has to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);
/// The interval of checking a process.
const LOOK: Duration = Duration::from_millis(20);
/// The maximum output shown when it ends.
const TAIL: u64 = 2048;
/// The maximum number of lines of that output.
const LINES: usize = 5;
/// Ports outside the dynamic range, so that no other process is assigned one between our choice and
/// the start of the command.
const PORTS: Range<u16> = 10_000..32_768;

/// The command to start, and how to use the server.
#[derive(Debug, Clone)]
pub(crate) struct ExecOptions {
    /// The command, with `{port}` and other placeholders.
    pub command: ExecCommand,
    /// The user; `anonymous` unless the command contains `{user}` or `{password}`.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// Which certificates are accepted.
    pub trust: Trust,
    /// The time until its greeting.
    pub patience: Duration,
}

/// A server that was started by us.
#[derive(Debug)]
pub(crate) struct Exec {
    command: ExecCommand,
    child: Option<Child>,
    log: PathBuf,
    /// Removed with everything in it when this is dropped.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is there to be dropped"))]
    scratch: TempDir,
    target: Arc<Target>,
    address: SocketAddr,
    patience: Duration,
    /// How the process ended, if it did.
    ended: Option<String>,
}

impl Exec {
    /// Starts the command on a free port, with an empty directory, and waits for its greeting.
    ///
    /// # Errors
    /// If the command cannot be started, ends early or sends no greeting, as text with its last
    /// output.
    pub(crate) async fn start(options: ExecOptions) -> Result<Self, String> {
        let asks = |name: &str| options.command.asks_for(name);
        let about = |error: io::Error| format!("exec: failed to make a scratch directory: {error}");
        let scratch = tempfile::Builder::new()
            .prefix("ftpspec-exec-")
            .tempdir()
            .map_err(about)?;
        let root = scratch.path().join("root");
        fs::create_dir(&root).map_err(about)?;
        if asks("{cert}") || asks("{key}") {
            certificate(scratch.path())?;
        }
        let address =
            free_port().map_err(|error| format!("exec: failed to find a free port: {error}"))?;
        let mut target = Target::at("127.0.0.1", vec![address]);
        target.trust = options.trust;
        if asks("{user}") || asks("{password}") {
            (target.user, target.password) = ("ftpspec".into(), "ftpspec".into());
        }
        if let Some(user) = options.user {
            target.user = user;
        }
        if let Some(password) = options.password {
            target.password = password;
        }
        let path = |name: &str| scratch.path().join(name).display().to_string();
        let values = [
            ("{port}", address.port().to_string()),
            ("{host}", address.ip().to_string()),
            ("{root}", root.display().to_string()),
            ("{user}", target.user.clone()),
            ("{password}", target.password.clone()),
            ("{cert}", path("cert.pem")),
            ("{key}", path("key.pem")),
        ];
        let mut exec = Self {
            command: options.command.filled(&values),
            child: None,
            log: scratch.path().join("server.log"),
            scratch,
            target: Arc::new(target),
            address,
            patience: options.patience,
            ended: None,
        };
        exec.launch().await?;
        Ok(exec)
    }

    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Stops the server. Returns the path of its output if that is kept.
    pub(crate) async fn stop(mut self, keep_output: bool) -> Option<PathBuf> {
        self.end().await;
        if !keep_output {
            return None;
        }
        let name = format!(
            "ftpspec-exec-{}-{}.log",
            std::process::id(),
            self.address.port()
        );
        let kept = std::env::temp_dir().join(name);
        fs::copy(&self.log, &kept).is_ok().then_some(kept)
    }

    /// Starts the command and waits until it greets.
    async fn launch(&mut self) -> Result<(), String> {
        let ExecCommand { program, arguments } = &self.command;
        self.ended = None;
        let about = |error: io::Error| format!("exec: failed to start {program}: {error}");
        let output = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(about)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(about)?)
            .stderr(output);
        // In a process group of its own: an interrupt is handled by us, and the server is stopped
        // at the end.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        self.child = Some(command.spawn().map_err(about)?);
        let deadline = Instant::now() + self.patience;
        while !greets(self.address, self.patience).await {
            if let Some(how) = self.look() {
                return Err(format!(
                    "exec: the server {how} before its greeting{}",
                    self.tail()
                ));
            }
            if Instant::now() >= deadline {
                let seconds = self.patience.as_secs_f64();
                let message = format!(
                    "exec: no greeting from {} after {seconds:.0} s; the server must stay in the foreground{}",
                    self.address,
                    self.tail()
                );
                self.end().await;
                return Err(message);
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// How the command ended, if it has. Processes that it left running are then ended and reaped
    /// as well.
    fn look(&mut self) -> Option<String> {
        if let Some(child) = &mut self.child
            && has_ended(child)
        {
            // Before it is reaped, since afterwards its group id may be reused.
            end_group(child, true);
            let status = child.wait();
            self.child = None;
            self.ended = Some(match status {
                Ok(status) => shown(status),
                Err(error) => format!("ended, for an unknown reason ({error})"),
            });
        }
        self.ended.clone()
    }

    /// Ends the server, by force after a time-out.
    async fn end(&mut self) {
        if let Some(child) = &self.child {
            end_group(child, false);
        }
        let deadline = Instant::now() + GRACE;
        while self.child.is_some() && self.look().is_none() && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        self.kill();
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            end_group(&child, true);
            // SIGKILL cannot be ignored, so this is short.
            let status = child.wait();
            self.ended = status.ok().map(shown);
        }
    }

    /// The last lines of its output, as the end of a sentence.
    fn tail(&self) -> String {
        let Ok(octets) = last_octets(&self.log) else {
            return String::new();
        };
        let text = String::from_utf8_lossy(&octets);
        let lines: Vec<String> = text
            .lines()
            .rev()
            .filter(|line| !line.trim().is_empty())
            .take(LINES)
            .map(|line| line.escape_debug().take(200).collect())
            .collect();
        if lines.is_empty() {
            return "; it printed nothing".into();
        }
        let in_order: Vec<_> = lines.into_iter().rev().collect();
        format!("; its last lines: {}", in_order.join(" / "))
    }
}

impl Supervisor for Exec {
    fn death(&mut self) -> Option<String> {
        // Reported once; `restart` resets it.
        self.look()
            .map(|how| format!("the server {how}{}", self.tail()))
    }

    async fn last_words(&mut self) -> Option<String> {
        let deadline = Instant::now() + GRACE;
        while self.look().is_none() && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        self.death()
    }

    async fn restart(&mut self) -> Result<String, String> {
        // A server that has closed its sockets is about to end.
        let how = match self.look() {
            Some(how) => how,
            None => {
                self.end().await;
                self.ended.clone().unwrap_or_default()
            }
        };
        let what = format!("the server {how}{}", self.tail());
        match self.launch().await {
            Ok(()) => Ok(format!("{what}; it was restarted")),
            Err(why) => Err(format!("{what}; the restart failed: {why}")),
        }
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that is free now, on ::1 as well: a port that is free on 127.0.0.1 may be in use there.
/// If another process takes it first, the command reports that.
fn free_port() -> io::Result<SocketAddr> {
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let free = |port: &u16| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
            && (!has_ipv6 || TcpListener::bind((Ipv6Addr::LOCALHOST, *port)).is_ok())
    };
    let port = draw(PORTS).find(free).ok_or(io::ErrorKind::AddrInUse)?;
    Ok((Ipv4Addr::LOCALHOST, port).into())
}

/// Creates a certificate and a key for localhost.
fn certificate(directory: &Path) -> Result<(), String> {
    let names = vec!["localhost".into(), "127.0.0.1".into()];
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|error| format!("exec: failed to make a certificate: {error}"))?;
    let about = |error: io::Error| format!("exec: failed to write a certificate: {error}");
    fs::write(directory.join("cert.pem"), made.cert.pem()).map_err(about)?;
    fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).map_err(about)
}

async fn greets(address: SocketAddr, patience: Duration) -> bool {
    let greeting = async {
        let mut tcp = TcpStream::connect(address).await?;
        tcp.read_u8().await
    };
    matches!(timeout(patience, greeting).await, Ok(Ok(_)))
}

fn last_octets(log: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(log)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL)))?;
    let mut octets = Vec::new();
    file.take(TAIL).read_to_end(&mut octets)?;
    Ok(octets)
}

/// `ended (exit status: 1)`, `ended (signal: 9 (SIGKILL))`.
fn shown(status: ExitStatus) -> String {
    format!("ended ({status})")
}

/// Whether it has ended, without reaping it.
#[cfg(unix)]
pub(crate) fn has_ended(child: &mut Child) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(
        waitid(WaitId::Pid(Pid::from_child(child)), options),
        Ok(None)
    )
}

#[cfg(not(unix))]
pub(crate) fn has_ended(child: &mut Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

/// Sends SIGTERM or, with `at_once`, SIGKILL to the group of a child that is not reaped.
#[cfg(unix)]
pub(crate) fn end_group(child: &Child, at_once: bool) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let signal = if at_once { Signal::KILL } else { Signal::TERM };
    // An error means that the group is empty.
    let _ = kill_process_group(Pid::from_child(child), signal);
}

#[cfg(not(unix))]
pub(crate) fn end_group(_: &Child, _: bool) {}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    fn options(command: &str) -> ExecOptions {
        ExecOptions {
            command: command.parse().unwrap(),
            user: None,
            password: None,
            trust: Trust::Anything,
            patience: Duration::from_secs(10),
        }
    }

    #[tokio::test]
    async fn a_missing_program_is_reported() {
        let error = Exec::start(options("/no/such/program {port}"))
            .await
            .unwrap_err();
        assert!(
            error.starts_with("exec: failed to start /no/such/program"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_command_that_ends_early_is_reported_with_its_last_lines() {
        let command = "sh -c 'echo one; echo two >&2; exit 7' {port}";
        let error = Exec::start(options(command)).await.unwrap_err();
        assert!(error.contains("exit status: 7"), "{error}");
        assert!(error.contains("its last lines: one / two"), "{error}");
    }

    #[tokio::test]
    async fn a_command_without_greeting_is_ended_after_the_time_out() {
        let mut options = options("sh -c 'sleep 1000 & echo $! $$ > $0/pids; wait' {root} {port}");
        options.patience = Duration::from_millis(300);
        let before = Instant::now();
        let error = Exec::start(options).await.unwrap_err();
        assert!(error.contains("no greeting"), "{error}");
        assert!(before.elapsed() < GRACE + Duration::from_secs(5));
    }

    #[tokio::test]
    async fn children_of_the_command_are_ended_with_it() {
        let mut exec = Exec {
            command: "sh -c 'sleep 1000 & echo $!; wait' {port}".parse().unwrap(),
            child: None,
            log: PathBuf::new(),
            scratch: tempfile::tempdir().unwrap(),
            target: Arc::new(Target::at("127.0.0.1", vec![])),
            address: free_port().unwrap(),
            patience: Duration::from_millis(300),
            ended: None,
        };
        exec.log = exec.scratch.path().join("log");
        // Without a greeting, this ends it.
        exec.launch().await.unwrap_err();
        let said = fs::read_to_string(&exec.log).unwrap();
        let grandchild: i32 = said.trim().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(grandchild).unwrap();
        // An orphan is reaped by another process eventually.
        let deadline = Instant::now() + Duration::from_secs(10);
        let is_there = || {
            let state = fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            rustix::process::test_kill_process(pid).is_ok() && !state.contains(") Z ")
        };
        while is_there() && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        assert!(!is_there(), "{grandchild} still runs");
    }
}
