//! The tasks that a client is given, in one table.

use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// The exit status of a client for a task that it does not know.
pub(crate) const UNKNOWN_TASK: i32 = 127;

/// What a client is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Log in and end the session.
    Login,
    /// Store a local file under the same name.
    Upload,
    /// Retrieve a file to the same local name.
    Download,
    /// Continue an upload: the server has the beginning of the file.
    ResumeUpload,
    /// Continue a download: the beginning of the file is there locally.
    ResumeDownload,
    /// List a directory on stdout.
    List,
    /// Create a directory.
    Mkdir,
    /// Rename a file.
    Rename,
    /// Delete a file.
    Delete,
    /// Store a local directory with everything in it.
    MirrorUp,
    /// Retrieve a directory with everything in it.
    MirrorDown,
}

/// A row of [`TASKS`].
#[derive(Debug, Clone, Copy)]
pub struct TaskRow {
    /// The task.
    pub kind: TaskKind,
    /// Its word in scenarios, adapters and `FTPSPEC_TASK`.
    pub name: &'static str,
    /// What its arguments name.
    pub arguments: &'static [&'static str],
    /// How many of them can be left out, from the end.
    pub optional: usize,
    /// What the client has to do, for people who test one by hand.
    pub help: &'static str,
}

const fn row(
    kind: TaskKind,
    name: &'static str,
    arguments: &'static [&'static str],
    help: &'static str,
) -> TaskRow {
    TaskRow {
        kind,
        name,
        arguments,
        optional: 0,
        help,
    }
}

/// Every task there is.
pub(crate) const TASKS: &[TaskRow] = &[
    row(TaskKind::Login, "login", &[], "Log in and end the session."),
    row(
        TaskKind::Upload,
        "upload",
        &["NAME"],
        "Store {local} as {remote}.",
    ),
    row(
        TaskKind::Download,
        "download",
        &["NAME"],
        "Retrieve {remote} to {local}.",
    ),
    row(
        TaskKind::ResumeUpload,
        "resume-upload",
        &["NAME"],
        "Continue the upload of {local} to {remote}, where its beginning is.",
    ),
    row(
        TaskKind::ResumeDownload,
        "resume-download",
        &["NAME"],
        "Continue the download of {remote} to {local}, where its beginning is.",
    ),
    TaskRow {
        optional: 1,
        ..row(
            TaskKind::List,
            "list",
            &["NAME"],
            "List the directory {remote} on stdout; without a name, the initial one.",
        )
    },
    row(
        TaskKind::Mkdir,
        "mkdir",
        &["NAME"],
        "Create the directory {remote}.",
    ),
    row(
        TaskKind::Rename,
        "rename",
        &["NAME", "NAME"],
        "Rename {remote} to {to}.",
    ),
    row(
        TaskKind::Delete,
        "delete",
        &["NAME"],
        "Delete the file {remote}.",
    ),
    row(
        TaskKind::MirrorUp,
        "mirror-up",
        &["NAME"],
        "Store the directory {local} with everything in it as {remote}.",
    ),
    row(
        TaskKind::MirrorDown,
        "mirror-down",
        &["NAME"],
        "Retrieve the directory {remote} with everything in it to {local}.",
    ),
];

impl TaskKind {
    /// Its row in the table.
    ///
    /// # Panics
    /// Never: a test finds every kind there.
    #[must_use]
    pub fn row(self) -> &'static TaskRow {
        let mut rows = TASKS.iter();
        rows.find(|row| row.kind == self)
            .expect("every task has a row")
    }

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether it retrieves files.
    #[must_use]
    pub fn downloads(self) -> bool {
        matches!(
            self,
            Self::Download | Self::ResumeDownload | Self::MirrorDown
        )
    }

    /// Whether it stores files.
    #[must_use]
    pub fn uploads(self) -> bool {
        matches!(self, Self::Upload | Self::ResumeUpload | Self::MirrorUp)
    }
}

impl FromStr for TaskKind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let mut rows = TASKS.iter();
        let row = rows.find(|row| row.name == name).ok_or(())?;
        Ok(row.kind)
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One task with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Task {
    /// What is done.
    pub kind: TaskKind,
    /// Pathnames, relative to the initial directory of the session and to the local directory.
    pub names: Vec<String>,
}

impl Task {
    /// The first pathname; empty where there is none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;

    #[test]
    fn every_task_is_found_by_its_name() {
        for row in TASKS {
            assert_eq!(row.name.parse::<TaskKind>().unwrap(), row.kind);
            assert_eq!(row.kind.name(), row.name);
        }
        assert!("no-such-task".parse::<TaskKind>().is_err());
    }
}
