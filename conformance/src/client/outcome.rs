//! What was observed of a client while a scenario was played.

use crate::data::Data;
use std::fmt;
use std::time::Duration;

/// One task as it was carried out.
#[derive(Debug, Clone)]
pub(crate) struct TaskRun {
    /// The line of the `@task`.
    pub line: u32,
    /// How the command ended.
    pub exit: Exit,
    /// How long it ran.
    pub took: Duration,
    /// What it wrote to stdout; the beginning, if that is long.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr; the beginning, if that is long.
    pub stderr: Vec<u8>,
    /// The files that expectations of this task are about, as they were after it.
    pub files: Vec<Seen>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exit {
    /// With this exit status.
    Code(i32),
    /// By this signal, which was not ours.
    Signal(i32),
    /// It did not end in time, and was ended.
    TimedOut(Duration),
    /// It did more than is recorded, and was ended.
    Flooded,
    /// It could not be started.
    NotStarted(String),
}

impl Exit {
    /// Whether the client reported that the task succeeded.
    #[must_use]
    pub(crate) fn is_success(&self) -> bool {
        *self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(0) => f.write_str("success (exit status 0)"),
            Self::Code(code) => write!(f, "failure (exit status {code})"),
            Self::Signal(number) => write!(f, "a crash (signal {number})"),
            Self::TimedOut(limit) => {
                write!(f, "no end within {} s; it was killed", limit.as_secs())
            }
            Self::Flooded => f.write_str("too many commands to record; it was killed"),
            Self::NotStarted(why) => write!(f, "no start: {why}"),
        }
    }
}

/// Where a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the local directory of the client.
    Local,
    /// On the server.
    Remote,
}

/// A file after a task.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Where it is.
    pub place: Place,
    /// Its pathname.
    pub name: String,
    /// What was found there.
    pub state: FileState,
}

/// What is found at a pathname.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FileState {
    /// Nothing.
    Absent,
    /// A directory.
    Directory,
    /// A file with these octets.
    File(Data),
    /// Something else, or it could not be read.
    Other(String),
}

impl TaskRun {
    /// The state of a file after the task, if it was looked at.
    #[must_use]
    pub(crate) fn file(&self, place: Place, name: &str) -> Option<&FileState> {
        let mut files = self.files.iter();
        let seen = files.find(|seen| seen.place == place && seen.name == name)?;
        Some(&seen.state)
    }
}
