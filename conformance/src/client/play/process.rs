//! The command of a client: started in a process group of its own, with limits of time and output.

use crate::client::adapter::Invocation;
use crate::client::outcome::Exit;
use crate::subject::{end_group, has_ended};
use std::io::Read;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The octets that are kept of stdout and of stderr.
const OUTPUT: usize = 64 << 10;
/// The interval of checking a process.
const INTERVAL: Duration = Duration::from_millis(10);
/// How long output is awaited after the group was ended: a process may have left it.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// Variables that lead clients to a proxy, or to settings of the user.
const REMOVED: [&str; 9] = [
    "ftp_proxy",
    "FTP_PROXY",
    "http_proxy",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "NETRC",
    "CURL_HOME",
];

/// How a command ended, and what it wrote.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) exit: Exit,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Runs a command to its end in `directory`, with `home` as the home directory. It is ended after
/// `limit`, and when `flooded` is ready.
pub(super) async fn run(
    invocation: &Invocation,
    directory: &Path,
    home: &Path,
    limit: Duration,
    flooded: impl Future<Output = ()>,
) -> Ended {
    let mut command = Command::new(&invocation.program);
    command
        .args(&invocation.arguments)
        .envs(
            invocation
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .env("HOME", home)
        .env("LC_ALL", "C.UTF-8")
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    for name in REMOVED {
        command.env_remove(name);
    }
    let mut group = match command.spawn() {
        Ok(child) => Group(Some(child)),
        Err(error) => {
            return Ended {
                exit: Exit::NotStarted(format!("{}: {error}", invocation.program)),
                stdout: Vec::new(),
                stderr: Vec::new(),
            };
        }
    };
    let (stdout, stderr) = group.output();
    let deadline = Instant::now() + limit;
    tokio::pin!(flooded);
    let mut forced = None;
    while !group.has_ended() && forced.is_none() {
        tokio::select! {
            () = sleep(INTERVAL) => {}
            () = &mut flooded => forced = Some(Exit::Flooded),
        }
        if forced.is_none() && Instant::now() >= deadline {
            forced = Some(Exit::TimedOut(limit));
        }
    }
    let status = group.end();
    let exit = forced.unwrap_or_else(|| match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap_or(0)),
        },
        Err(error) => Exit::NotStarted(error.to_string()),
    });
    Ended {
        exit,
        stdout: stdout.finish().await,
        stderr: stderr.finish().await,
    }
}

/// A process group whose leader is not reaped. It is ended when this is dropped.
struct Group(Option<Child>);

impl Group {
    fn output(&mut self) -> (Output, Output) {
        let child = self.0.as_mut();
        let (stdout, stderr) = child.map_or((None, None), |child| {
            (child.stdout.take(), child.stderr.take())
        });
        (Output::of(stdout), Output::of(stderr))
    }

    fn has_ended(&mut self) -> bool {
        self.0.as_mut().is_none_or(has_ended)
    }

    /// Ends every process of the group and reaps the leader.
    fn end(&mut self) -> std::io::Result<std::process::ExitStatus> {
        let Some(mut child) = self.0.take() else {
            return Err(std::io::ErrorKind::NotFound.into());
        };
        // Before the leader is reaped, since afterwards its group id may be reused.
        end_group(&child, true);
        child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The beginning of what is read from a pipe; the rest is read and discarded.
struct Output {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Output {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let kept = Arc::<Mutex<Vec<u8>>>::default();
        let store = Arc::clone(&kept);
        let reader = pipe.map(|mut pipe| {
            std::thread::spawn(move || {
                let mut piece = [0; 4096];
                while let Ok(count @ 1..) = pipe.read(&mut piece) {
                    let mut kept = store.lock().unwrap_or_else(PoisonError::into_inner);
                    let room = OUTPUT.saturating_sub(kept.len());
                    kept.extend_from_slice(&piece[..count.min(room)]);
                }
            })
        });
        Self { kept, reader }
    }

    async fn finish(self) -> Vec<u8> {
        let deadline = Instant::now() + LAST_OUTPUT;
        let reading = |reader: &Option<JoinHandle<()>>| {
            reader.as_ref().is_some_and(|reader| !reader.is_finished())
        };
        while reading(&self.reader) && Instant::now() < deadline {
            sleep(INTERVAL).await;
        }
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use rstest::rstest;

    async fn ended(script: &str, limit: Duration) -> Ended {
        let invocation = Invocation {
            program: "sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: vec![("FTPSPEC_TASK".into(), "login".into())],
        };
        let here = tempfile::tempdir().unwrap();
        let path = here.path();
        run(&invocation, path, path, limit, std::future::pending()).await
    }

    const LONG: Duration = Duration::from_secs(60);

    #[rstest]
    #[case("exit 0", Exit::Code(0))]
    #[case("exit 3", Exit::Code(3))]
    #[case("kill -9 $$", Exit::Signal(9))]
    #[tokio::test]
    async fn how_a_command_ended_is_observed(#[case] script: &str, #[case] exit: Exit) {
        assert_eq!(ended(script, LONG).await.exit, exit);
    }

    #[tokio::test]
    async fn output_is_kept_up_to_a_limit() {
        let ended = ended("yes | head -c 1000000; echo $FTPSPEC_TASK >&2", LONG).await;
        assert_eq!(ended.exit, Exit::Code(0));
        assert_eq!(ended.stdout.len(), OUTPUT);
        assert_eq!(ended.stderr, b"login\n");
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_is_killed_with_its_children() {
        let limit = Duration::from_millis(300);
        let ended = ended("sleep 1000 & echo $!; wait", limit).await;
        assert_eq!(ended.exit, Exit::TimedOut(limit));
        let pid = String::from_utf8(ended.stdout).unwrap();
        let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        // A killed child that nobody has reaped yet still takes signals.
        let path = format!("/proc/{}/stat", pid.as_raw_nonzero());
        let state = std::fs::read_to_string(path).unwrap_or_default();
        assert!(state.is_empty() || state.contains(" Z "), "{state}");
    }

    #[tokio::test]
    async fn a_missing_program_is_reported() {
        let invocation = Invocation {
            program: "/no/such/program".into(),
            arguments: Vec::new(),
            environment: Vec::new(),
        };
        let here = Path::new("/");
        let ended = run(&invocation, here, here, LONG, std::future::pending()).await;
        assert!(matches!(ended.exit, Exit::NotStarted(why) if why.contains("/no/such/program")));
    }
}
