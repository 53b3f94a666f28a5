//! The directory of snapshot files.

use crate::cli::exit_code::CommandError;
use crate::compare::snapshot::{ENDING, PENDING, SnapError, Snapshot};
use crate::scenario::TestCase;
use crate::text::read_limited;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The size limit of a snapshot, in octets.
const FILE_LIMIT: u64 = 64 << 20;

/// A snapshot and its file.
pub(super) struct Saved {
    pub(super) path: PathBuf,
    pub(super) snapshot: Snapshot,
}

/// The snapshots of a directory, by scenario and variant.
pub(super) struct SavedSnapshots(BTreeMap<TestCase, Saved>);

impl SavedSnapshots {
    pub(super) fn all(&self) -> impl Iterator<Item = &Saved> {
        self.0.values()
    }

    pub(super) fn get(&self, case: &TestCase) -> Option<&Saved> {
        self.0.get(case)
    }
}

/// The snapshots in a directory. Snapshots of other programs that use insta are skipped.
pub(in crate::cli) fn snapshots_in(directory: &Path) -> Result<Vec<Snapshot>, CommandError> {
    let saved = read_directory(directory)?.0;
    Ok(saved.into_values().map(|saved| saved.snapshot).collect())
}

pub(super) fn read_directory(directory: &Path) -> Result<SavedSnapshots, CommandError> {
    let failed = |error: io::Error| file_error(directory, &error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            paths.push(path);
        }
    }
    paths.sort();
    let mut saved = BTreeMap::new();
    for path in paths {
        let text = read_limited(&path, FILE_LIMIT).map_err(CommandError::usage)?;
        match Snapshot::read(&text) {
            Ok(snapshot) => {
                saved.insert(snapshot.case.clone(), Saved { path, snapshot });
            }
            Err(SnapError::NotOurs) => {}
            Err(error) => {
                return Err(CommandError::usage(format!("{}: {error}", path.display())));
            }
        }
    }
    Ok(SavedSnapshots(saved))
}

/// The file for a dialogue that differs from the one in `path`.
pub(super) fn pending(path: &Path) -> PathBuf {
    path.with_extension(PENDING)
}

/// Removes a file if it exists.
pub(super) fn remove(path: &Path) -> Result<(), CommandError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(path, &error)),
        _ => Ok(()),
    }
}

pub(super) fn file_error(path: &Path, error: &io::Error) -> CommandError {
    CommandError::usage(format!("{}: {error}", path.display()))
}
