//! Uploads in progress: files in a hidden directory of the root, so that publishing one is a
//! rename.

use cap_fs_ext::{DirExt, OpenOptionsMaybeDirExt};
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, File, MetadataExt, OpenOptions};
use std::ffi::OsStr;
use std::fs::TryLockError;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The directory of uploads in progress.
const UPLOADS: &str = ".ftpspec-uploads";
/// How often starting is tried while another server stops at the same root.
const MAX_ATTEMPTS: usize = 100;
/// The most temporary names that are tried.
const MAX_NAMES: usize = 1000;

/// Whether a name at the root is the reserved one, in any case: some file systems ignore case.
pub(super) fn is_uploads(name: &OsStr) -> bool {
    name.as_bytes().eq_ignore_ascii_case(UPLOADS.as_bytes())
}

/// The directory of the uploads, with a lock that is shared by all servers on one root.
///
/// An exclusive lock means that there are no uploads, so files left by a killed server are removed.
#[derive(Debug)]
pub(super) struct Uploads {
    root: Arc<Dir>,
    directory: Arc<Dir>,
    lock: std::fs::File,
    next: AtomicU64,
}

impl Uploads {
    /// # Errors
    /// If the directory cannot be created: the root is read-only, or the name is in use.
    pub(super) fn open(root: &Arc<Dir>) -> io::Result<Self> {
        for _ in 0..MAX_ATTEMPTS {
            match root.create_dir_with(UPLOADS, DirBuilder::new().mode(0o700)) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let directory = match root.open_dir_nofollow(UPLOADS) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                opened => Arc::new(opened?),
            };
            let lock = readable(&directory)?;
            match lock.try_lock() {
                Ok(()) => {
                    clear(&directory)?;
                    lock.unlock()?;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            lock.lock_shared()?;
            // The last server at this root may have removed the directory meanwhile.
            let (held, there) = (directory.dir_metadata()?, root.symlink_metadata(UPLOADS));
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())) {
                return Ok(Self {
                    root: Arc::clone(root),
                    directory,
                    lock,
                    next: AtomicU64::new(0),
                });
            }
        }
        Err(ErrorKind::ResourceBusy.into())
    }

    /// A new, empty file to be written and read.
    pub(super) fn make(&self) -> io::Result<(Temporary, std::fs::File)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        for _ in 0..MAX_NAMES {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{number}", std::process::id());
            match self.directory.open_with(&name, &options) {
                // Of another server with the same process number, which containers may have.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                opened => {
                    let directory = Arc::clone(&self.directory);
                    return Ok((Temporary { directory, name }, opened.map(File::into_std)?));
                }
            }
        }
        Err(ErrorKind::ResourceBusy.into())
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        // On a clean stop the directory is removed, unless another server uses it.
        if self.lock.unlock().is_ok() && self.lock.try_lock().is_ok() {
            let _not_empty = self.root.remove_dir(UPLOADS);
        }
    }
}

/// A hidden file; removed when dropped, unless it was given a name.
#[derive(Debug)]
pub(super) struct Temporary {
    directory: Arc<Dir>,
    name: String,
}

impl Temporary {
    /// Gives the file its name, replacing an existing file.
    pub(super) fn replace(&self, directory: &Dir, name: &OsStr) -> io::Result<()> {
        self.directory.rename(&self.name, directory, name)
    }

    /// Gives the file its name, if that is free.
    pub(super) fn create(&self, directory: &Dir, name: &OsStr) -> io::Result<()> {
        match self.directory.hard_link(&self.name, directory, name) {
            // Not every file system has hard links. Sessions of this server are serialised by the
            // caller.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Unsupported | ErrorKind::PermissionDenied | ErrorKind::TooManyLinks
                ) =>
            {
                match directory.symlink_metadata(name) {
                    Ok(_) => Err(ErrorKind::AlreadyExists.into()),
                    Err(missing) if missing.kind() == ErrorKind::NotFound => {
                        self.replace(directory, name)
                    }
                    Err(_) => Err(error),
                }
            }
            linked => linked,
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Not found means that it was renamed; other failures are cleaned up at the next start.
        let _gone = self.directory.remove_file(&self.name);
    }
}

/// A directory that is opened for more than resolving names: to be locked and synchronised.
pub(super) fn readable(directory: &Dir) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.read(true).maybe_dir(true);
    directory.open_with(".", &options).map(File::into_std)
}

/// Removes files left by a killed server.
fn clear(directory: &Dir) -> io::Result<()> {
    for entry in directory.entries()? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            entry.remove_file()?;
        }
    }
    Ok(())
}
