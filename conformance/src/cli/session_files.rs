//! The files of recorded sessions.

use super::exit_code::CommandError;
use crate::proxy::Recorder;
use crate::recording;
use crate::scenario_writer::scenario_of;
use crate::text::counted;
use regex::bytes::Regex;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the name of a recording ends in.
const ENDING: &str = "jsonl";
/// What the name of a scenario ends in.
const SCENARIO: &str = "ftpt";

/// One file for each session: the first has the name that was given, each further one its number in
/// the name.
pub(super) struct SessionFiles {
    first: PathBuf,
    /// Whether each recording becomes a scenario beside it.
    scenarios: bool,
    /// The server without user and password.
    upstream: String,
    scrub: Vec<Regex>,
    sessions: Mutex<Sessions>,
}

/// The sessions so far.
#[derive(Default)]
struct Sessions {
    /// With open files.
    open: Vec<(u64, Arc<Recorder>)>,
    /// The others, with what went wrong while they were written.
    closed: Vec<(u64, io::Result<()>)>,
}

impl Sessions {
    /// Closes the files of sessions that have ended, or of all.
    fn close(&mut self, all: bool) {
        let over = |recorder: &Arc<Recorder>| all || Arc::strong_count(recorder) == 1;
        let (over, open) = std::mem::take(&mut self.open)
            .into_iter()
            .partition::<Vec<_>, _>(|(_, recorder)| over(recorder));
        self.open = open;
        for (number, recorder) in over {
            self.closed.push((number, recorder.finish()));
        }
    }
}

impl SessionFiles {
    /// Files are created when sessions come. With a name that ends in `.ftpt` each recording, of the
    /// same name but for `.jsonl`, becomes a scenario at the end.
    ///
    /// # Errors
    /// The first file cannot be written, or its name ends in something else.
    pub(super) fn new(
        first: &Path,
        upstream: String,
        scrub: Vec<Regex>,
    ) -> Result<Arc<Self>, CommandError> {
        let problem = |problem: &dyn std::fmt::Display| {
            CommandError::usage(format!("{}: {problem}", first.display()))
        };
        let ending = first.extension().unwrap_or_default();
        let scenarios = ending == SCENARIO;
        if !scenarios && ending != ENDING {
            let message = "the name of a recording ends in .jsonl, that of a scenario in .ftpt";
            return Err(problem(&message));
        }
        let first_file = first.with_extension(ENDING);
        let existed = first_file.exists();
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&first_file);
        opened.map_err(|error| problem(&error))?;
        if !existed {
            std::fs::remove_file(&first_file).map_err(|error| problem(&error))?;
        }
        Ok(Arc::new(Self {
            first: first_file,
            scenarios,
            upstream,
            scrub,
            sessions: Mutex::default(),
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
        let mut sessions = self.sessions();
        sessions.close(false);
        sessions.open.push((number, Arc::clone(&recorder)));
        Ok(recorder)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is left of every session, and if `shown` on stderr which files there are.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn summarize(&self, shown: bool) -> Result<(), CommandError> {
        let mut sessions = self.sessions();
        sessions.close(true);
        sessions.closed.sort_by_key(|(number, _)| *number);
        let mut problems = Vec::new();
        for (number, written) in &sessions.closed {
            let file = numbered(&self.first, *number);
            let about = |error: &io::Error| format!("{}: {error}", file.display());
            let scenario = match written {
                Ok(()) => self.scenario(&file),
                Err(error) => Err(about(error)),
            };
            match scenario {
                Ok(_) if !shown => {}
                Ok(None) => anstream::eprintln!("recorded {}", file.display()),
                Ok(Some(scenario)) => {
                    anstream::eprintln!("recorded {}, {}", file.display(), scenario.display());
                }
                Err(problem) => problems.push(problem),
            }
        }
        anstream::eprintln!("{}", counted(sessions.closed.len(), "session"));
        if let Some((number, _)) = sessions.closed.first().filter(|_| shown) {
            let file = numbered(&self.first, *number);
            let (file, upstream) = (file.display(), &self.upstream);
            anstream::eprintln!("play it again:    ftpspec replay {file} --against {upstream}");
            anstream::eprintln!("as a test double: ftpspec replay {file} --as-server");
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(CommandError::failure(problems.join("\n"))),
        }
    }

    /// The files of all sessions whose files are closed, with their numbers.
    pub(super) fn files(&self) -> Vec<(u64, PathBuf)> {
        let sessions = self.sessions();
        let numbers = sessions.closed.iter().map(|(number, _)| *number);
        numbers
            .map(|number| (number, numbered(&self.first, number)))
            .collect()
    }

    /// Writes the scenario of a recording, where that is asked for.
    fn scenario(&self, file: &Path) -> Result<Option<PathBuf>, String> {
        if !self.scenarios {
            return Ok(None);
        }
        let transcript = recording::open(file).map_err(|error| error.to_string())?;
        let scenario = file.with_extension(SCENARIO);
        std::fs::write(&scenario, scenario_of(&transcript))
            .map_err(|error| format!("{}: {error}", scenario.display()))?;
        Ok(Some(scenario))
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
