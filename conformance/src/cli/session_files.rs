//! The files of recorded sessions.

use super::exit_code::{CommandError, ExitCode};
use crate::proxy::Recorder;
use crate::text::counted;
use regex::bytes::Regex;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What the name of a recording ends in.
const ENDING: &str = "jsonl";

/// One file for each session: the first has the name that was given, each further one its number in
/// the name.
pub(super) struct SessionFiles {
    first: PathBuf,
    /// The server without user and password.
    upstream: String,
    scrub: Vec<Regex>,
    recorded: Mutex<Vec<Recorded>>,
}

/// A session and its file.
struct Recorded {
    file: PathBuf,
    recorder: Arc<Recorder>,
}

impl SessionFiles {
    /// Files are created when sessions come.
    ///
    /// # Errors
    /// The first file cannot be written, or its name does not end in `.jsonl`.
    pub(super) fn new(
        first: &Path,
        upstream: String,
        scrub: Vec<Regex>,
    ) -> Result<Arc<Self>, CommandError> {
        let problem = |problem: &dyn std::fmt::Display| {
            CommandError::usage(format!("{}: {problem}", first.display()))
        };
        if first.extension().is_none_or(|ending| ending != ENDING) {
            return Err(problem(&"the name of a recording ends in .jsonl"));
        }
        let existed = first.exists();
        let opened = OpenOptions::new().append(true).create(true).open(first);
        opened.map_err(|error| problem(&error))?;
        if !existed {
            std::fs::remove_file(first).map_err(|error| problem(&error))?;
        }
        Ok(Arc::new(Self {
            first: first.to_owned(),
            upstream,
            scrub,
            recorded: Mutex::default(),
        }))
    }

    /// The recorder of a session.
    ///
    /// # Errors
    /// In words, when its file cannot be written.
    pub(super) fn recorder(&self, number: u64) -> Result<Arc<Recorder>, String> {
        let file = numbered(&self.first, number);
        let recorder = Recorder::create(&file, self.upstream.clone(), self.scrub.clone());
        let recorder =
            recorder.map_err(|error| format!("the recorder cannot write its file: {error}"))?;
        let recorder = Arc::new(recorder);
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.push(Recorded {
            file,
            recorder: Arc::clone(&recorder),
        });
        Ok(recorder)
    }

    /// Writes what is left of every session, and on stderr which files there are.
    pub(super) fn summarize(&self) -> Result<ExitCode, CommandError> {
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let mut problems = Vec::new();
        for Recorded { file, recorder } in recorded.iter() {
            match recorder.finish() {
                Ok(()) => anstream::eprintln!("recorded {}", file.display()),
                Err(error) => problems.push(format!("{}: {error}", file.display())),
            }
        }
        anstream::eprintln!("{}", counted(recorded.len(), "session"));
        if let Some(Recorded { file, .. }) = recorded.first() {
            let (file, upstream) = (file.display(), &self.upstream);
            anstream::eprintln!("play it again:    ftpspec replay {file} --against {upstream}");
            anstream::eprintln!("as a test double: ftpspec replay {file} --as-server");
        }
        match problems.is_empty() {
            true => Ok(ExitCode::Success),
            false => Err(CommandError::failure(problems.join("\n"))),
        }
    }
}

/// The file of a session: the first has the name that was given.
pub(super) fn numbered(file: &Path, number: u64) -> PathBuf {
    if number == 1 {
        return file.to_owned();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = match file.extension() {
        Some(ending) => format!("{stem}-{number}.{}", ending.to_string_lossy()),
        None => format!("{stem}-{number}"),
    };
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    #[test]
    fn every_session_but_the_first_has_its_number_in_the_name() {
        let numbered = |file: &str, number| numbered(Path::new(file), number);
        assert_eq!(numbered("a/s.jsonl", 1), Path::new("a/s.jsonl"));
        assert_eq!(numbered("a/s.jsonl", 2), Path::new("a/s-2.jsonl"));
        assert_eq!(numbered("s", 3), Path::new("s-3"));
    }

    #[test]
    fn no_file_is_left_where_no_session_came_and_none_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let new = |name: &str| {
            let file = folder.path().join(name);
            SessionFiles::new(&file, String::new(), Vec::new()).map(drop)
        };
        new("new.jsonl").unwrap();
        assert!(!folder.path().join("new.jsonl").exists());
        std::fs::write(folder.path().join("old.jsonl"), "x").unwrap();
        new("old.jsonl").unwrap();
        let kept = std::fs::read_to_string(folder.path().join("old.jsonl"));
        assert_eq!(kept.unwrap(), "x");
        assert!(new("session.txt").is_err() && new("no/such/folder.jsonl").is_err());
    }
}
