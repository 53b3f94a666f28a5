//! Plays a scenario: starts its server, gives the client each task, and observes both.

mod process;
mod recorder;
mod server;

pub(crate) use server::{check_fault, check_settings};

use super::adapter::{Adapter, Setting};
use super::language::{Clause, File, Scenario, Step};
use super::outcome::{Exit, FileState, Place, Seen, TaskRun};
use super::scripted::{self, Habits};
use super::task::UNKNOWN_TASK;
use super::variant::Variant;
use crate::data::{CONTENT_LIMIT, Data};
use crate::runner::CancelToken;
use crate::scenario::Variables;
use crate::transcript::{ObservationKind, Transcript};
use crate::verdict::Stop;
use process::Ended;
use recorder::Recorder;
use server::Server;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long sessions may last after their client has ended.
const LAST_SESSIONS: Duration = Duration::from_secs(3);

/// A client under test.
#[derive(Debug, Clone)]
pub(crate) enum Client {
    /// A program of the host.
    Program {
        /// How it is run.
        adapter: Adapter,
        /// The directory with the files that belong to the adapter.
        files: PathBuf,
    },
    /// Our own, with these habits and faults.
    Scripted(Habits),
}

/// Limits of a task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// After this time the client is killed.
    pub task: Duration,
    /// Seconds after which the client is asked to give up waiting.
    pub timeout: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            task: Duration::from_secs(30),
            timeout: 5,
        }
    }
}

/// A scenario to be played in one variant.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// How.
    pub variant: Variant,
}

/// A scenario as it was played.
#[derive(Debug)]
pub(crate) struct Played {
    /// What was played.
    pub job: Job,
    /// What the server and the runner observed.
    pub transcript: Transcript,
    /// The tasks that were carried out.
    pub tasks: Vec<TaskRun>,
    /// Why not all of them were; `None` if they were.
    pub stop: Option<Stop>,
    /// How long it took.
    pub took: Duration,
}

/// Plays one scenario in one variant. It stops between tasks when `cancel` is triggered.
pub(crate) async fn play(
    job: Job,
    client: &Client,
    limits: &Limits,
    cancel: &CancelToken,
) -> Played {
    let begun = Instant::now();
    let recorder = Recorder::new();
    let mut tasks = Vec::new();
    let stop = match Server::start(&job.scenario, job.variant, &recorder).await {
        Ok(server) => {
            let stop = tasks_of(&job, client, limits, cancel, &server, &recorder, &mut tasks);
            let stop = stop.await.err();
            server.stop().await;
            stop
        }
        Err(why) => Some(Stop::Prerequisite(why)),
    };
    let transcript = recorder.finish(&job.scenario.id.0, &job.variant.to_string());
    Played {
        job,
        transcript,
        tasks,
        stop,
        took: begun.elapsed(),
    }
}

async fn tasks_of(
    job: &Job,
    client: &Client,
    limits: &Limits,
    cancel: &CancelToken,
    server: &Server,
    recorder: &Recorder,
    runs: &mut Vec<TaskRun>,
) -> Result<(), Stop> {
    let internal = |error: std::io::Error| Stop::Internal(format!("the local directory: {error}"));
    let scratch = tempfile::Builder::new().prefix("ftpspec-client-").tempdir();
    let scratch = scratch.map_err(internal)?;
    let (directory, home) = (scratch.path().join("local"), scratch.path().join("home"));
    fs::create_dir(&directory).map_err(internal)?;
    fs::create_dir(&home).map_err(internal)?;
    let ca = scratch.path().join("ca.pem");
    fs::write(&ca, &server.ca).map_err(internal)?;
    for step in job.scenario.steps() {
        if cancel.is_cancelled() {
            return Err(Stop::Prerequisite("the run was interrupted".into()));
        }
        for file in &step.local {
            put(&directory, file).map_err(internal)?;
        }
        recorder.begin(step.line);
        let words = [step.task.kind.name()]
            .into_iter()
            .chain(step.task.names.iter().map(String::as_str));
        let task = words.collect::<Vec<_>>().join(" ");
        recorder.note(ObservationKind::UserStep, format!("task: {task}"), true);
        let begun = Instant::now();
        let host = server.address.ip().to_string();
        let setting = Setting {
            variant: job.variant,
            task: step.task.kind.name(),
            names: &step.task.names,
            host: &host,
            port: server.address.port(),
            user: &server.user,
            password: &server.password,
            ca: &ca.to_string_lossy(),
            directory: &directory.to_string_lossy(),
            adapter: "",
            timeout: limits.timeout,
        };
        let ended = carry_out(client, &setting, &directory, &home, limits, recorder).await;
        let took = begun.elapsed();
        recorder.all_closed(LAST_SESSIONS).await;
        let ok = ended.exit.is_success();
        recorder.note(
            ObservationKind::UserStep,
            format!("ended: {}", ended.exit),
            ok,
        );
        runs.push(TaskRun {
            line: step.line,
            exit: ended.exit,
            took,
            stdout: ended.stdout,
            stderr: ended.stderr,
            files: files_after(&step, server, &directory),
        });
    }
    Ok(())
}

async fn carry_out(
    client: &Client,
    setting: &Setting<'_>,
    directory: &Path,
    home: &Path,
    limits: &Limits,
    recorder: &Recorder,
) -> Ended {
    match client {
        Client::Program { adapter, files } => {
            let setting = Setting {
                adapter: &files.to_string_lossy(),
                ..setting.clone()
            };
            let Some(invocation) = adapter.invocation(&setting) else {
                return Ended {
                    exit: Exit::Code(UNKNOWN_TASK),
                    stdout: Vec::new(),
                    stderr: Vec::new(),
                };
            };
            let flooded = recorder.flooded();
            process::run(&invocation, directory, home, limits.task, flooded).await
        }
        Client::Scripted(habits) => {
            let done = scripted::carry_out(setting, habits);
            let (exit, stdout) = match tokio::time::timeout(limits.task, done).await {
                Ok((code, stdout)) => (Exit::Code(code), stdout),
                Err(_) => (Exit::TimedOut(limits.task), Vec::new()),
            };
            Ended {
                exit,
                stdout,
                stderr: Vec::new(),
            }
        }
    }
}

/// Whether a driver answers a task that does not exist with exit status 127.
///
/// # Errors
/// What it did instead, as a sentence with a next step.
pub(crate) async fn refuses_unknown_tasks(client: &Client, limits: &Limits) -> Result<(), String> {
    let Client::Program { adapter, files } = client else {
        return Ok(());
    };
    if !adapter.is_driver() {
        return Ok(());
    }
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let setting = Setting {
        variant: Variant::default(),
        task: "no-such-task",
        names: &[],
        host: "127.0.0.1",
        port: 1,
        user: "",
        password: "",
        ca: "",
        directory: &scratch.path().to_string_lossy(),
        adapter: &files.to_string_lossy(),
        timeout: limits.timeout,
    };
    let Some(invocation) = adapter.invocation(&setting) else {
        return Err("the command is empty".into());
    };
    let (path, never) = (scratch.path(), std::future::pending());
    let ended = process::run(&invocation, path, path, limits.task, never).await;
    match ended.exit {
        Exit::Code(UNKNOWN_TASK) => Ok(()),
        exit => Err(format!(
            "the task `no-such-task` ended with {exit}; a client exits with {UNKNOWN_TASK} for a \
             task that it does not know, so that a missing task is not taken for a failed one"
        )),
    }
}

/// Puts a file or directory at the client.
fn put(directory: &Path, file: &File) -> std::io::Result<()> {
    let path = directory.join(&file.name);
    let Some(content) = &file.content else {
        return fs::create_dir_all(path);
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let octets = content.octets(&Variables::default());
    fs::write(path, octets.map_err(std::io::Error::other)?)
}

/// The files that expectations of a task are about, and those it transfers.
fn files_after(step: &Step<'_>, server: &Server, directory: &Path) -> Vec<Seen> {
    let mut wanted: Vec<(Place, &str)> = Vec::new();
    let clauses = step.obligations.iter().flat_map(|it| it.clauses);
    for clause in clauses {
        match clause {
            Clause::Local(name, _) => wanted.push((Place::Local, name)),
            Clause::Remote(name, _) => wanted.push((Place::Remote, name)),
            _ => {}
        }
    }
    if step.task.kind.downloads() {
        wanted.push((Place::Local, step.task.name()));
    }
    if step.task.kind.uploads() {
        wanted.push((Place::Local, step.task.name()));
        wanted.push((Place::Remote, step.task.name()));
    }
    let seen = wanted.into_iter().map(|(place, name)| Seen {
        place,
        name: name.to_owned(),
        state: match place {
            Place::Local => local(&directory.join(name)),
            Place::Remote => server.file(name),
        },
    });
    seen.collect()
}

/// What is at a local pathname. Links are not followed: the client may have made them.
fn local(path: &Path) -> FileState {
    let read = || {
        let mut octets = Vec::new();
        let file = fs::File::open(path)?;
        file.take(CONTENT_LIMIT + 1).read_to_end(&mut octets)?;
        Ok::<_, std::io::Error>(octets)
    };
    match fs::symlink_metadata(path) {
        Err(_) => FileState::Absent,
        Ok(it) if it.is_dir() => FileState::Directory,
        Ok(it) if it.is_file() => match read() {
            Ok(octets) => FileState::File(Data::from(octets)),
            Err(error) => FileState::Other(error.to_string()),
        },
        Ok(_) => FileState::Other("neither a file nor a directory".into()),
    }
}
