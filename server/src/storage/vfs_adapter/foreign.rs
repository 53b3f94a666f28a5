//! Calls into a file system of another crate. Its errors get a kind that can be mapped to a reply,
//! and if it panics (as some of the vfs crate do, on names that are not UTF-8 or after seeking
//! beyond the end) only that call fails.

use crate::storage::{FileKind, Metadata};

use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use vfs::error::VfsErrorKind;
use vfs::{VfsError, VfsFileType, VfsPath, VfsResult};

/// The most broken entries of a directory before reading fails.
const MAX_BROKEN: usize = 1000;

/// Calls a method of a path.
pub(super) fn foreign<T>(call: impl FnOnce() -> VfsResult<T>) -> io::Result<T> {
    contained(call)?.map_err(|error| io_error(&error))
}

/// Calls a method of an open file.
pub(super) fn foreign_io<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    contained(call)?
}

fn contained<T>(call: impl FnOnce() -> T) -> io::Result<T> {
    // Only the file system is left in an undefined state; the call borrows nothing else but open
    // files, which are not used again after an error.
    catch_unwind(AssertUnwindSafe(call))
        .map_err(|_| io::Error::other("the file system behind the server panicked"))
}

fn io_error(error: &VfsError) -> io::Error {
    let kind = match error.kind() {
        VfsErrorKind::IoError(error) => error.kind(),
        VfsErrorKind::FileNotFound => ErrorKind::NotFound,
        VfsErrorKind::InvalidPath => ErrorKind::InvalidInput,
        VfsErrorKind::DirectoryExists | VfsErrorKind::FileExists => ErrorKind::AlreadyExists,
        VfsErrorKind::NotSupported => ErrorKind::Unsupported,
        VfsErrorKind::Other(_) => ErrorKind::Other,
    };
    io::Error::new(kind, error.to_string())
}

/// The metadata of a path.
pub(super) fn metadata(at: &VfsPath) -> io::Result<Metadata> {
    match foreign(|| at.metadata()) {
        Ok(found) => Ok(Metadata {
            kind: match found.file_type {
                VfsFileType::File => FileKind::File,
                VfsFileType::Directory => FileKind::Directory,
            },
            len: match found.file_type {
                VfsFileType::File => found.len,
                VfsFileType::Directory => 0,
            },
            mode: None,
            modified: found.modified,
            created: found.created,
            unique: None,
            target: None,
            owners: None,
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(why_missing(at, error)),
        Err(error) => Err(error),
    }
}

/// Some file systems look up whole paths and do not notice a file in the middle.
fn why_missing(at: &VfsPath, missing: io::Error) -> io::Error {
    let mut at = at.parent();
    while !at.is_root() {
        if let Ok(found) = foreign(|| at.metadata()) {
            if found.file_type == VfsFileType::File {
                return ErrorKind::NotADirectory.into();
            }
            break;
        }
        at = at.parent();
    }
    missing
}

/// The names in a directory, as the file system returns them. Entries without a readable name are
/// left out.
pub(super) fn names(directory: &VfsPath) -> io::Result<Vec<String>> {
    let mut entries = foreign(|| directory.read_dir())?;
    let mut names = Vec::new();
    let mut broken = 0;
    loop {
        match foreign(|| Ok(entries.next().map(|entry| entry.filename()))) {
            Ok(Some(name)) => names.push(name),
            Ok(None) => return Ok(names),
            Err(error) if broken == MAX_BROKEN => return Err(error),
            Err(_) => broken += 1,
        }
    }
}

/// Moves a file to a free name and keeps its time. Nothing is left at the new name on failure.
pub(super) fn move_file(from: &VfsPath, to: &VfsPath) -> io::Result<()> {
    let modified = metadata(from)?.modified;
    if let Err(error) = foreign(|| from.move_file(to)) {
        // A file system that cannot move has copied, maybe incompletely.
        if foreign(|| from.exists()).unwrap_or(false) {
            remove_quietly(to);
        }
        return Err(error);
    }
    if let Some(modified) = modified {
        // Not every file system supports it; the move has succeeded.
        let _kept = foreign(|| to.set_modification_time(modified));
    }
    Ok(())
}

/// Removes a temporary file; a failure has no consequence.
pub(super) fn remove_quietly(at: &VfsPath) {
    let _removed = foreign(|| at.remove_file());
}
