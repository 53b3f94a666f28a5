//! Uploads under way: files in a hidden directory of the root, so that publishing one is a rename.

use cap_fs_ext::{DirExt, OpenOptionsMaybeDirExt};
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, File, MetadataExt, OpenOptions};
use std::ffi::OsStr;
use std::fs::TryLockError;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The directory uploads are written to.
const UPLOADS: &str = ".ftpspec-uploads";
/// How often starting is tried while another server stops at the same root.
const MAX_ATTEMPTS: usize = 100;
/// A temporary name that is taken is not tried for ever.
const MAX_NAMES: usize = 1000;

/// Whether a name at the root is the one no path may have. In any case: some disks know no
/// difference.
pub(super) fn is_uploads(name: &OsStr) -> bool {
    name.as_bytes().eq_ignore_ascii_case(UPLOADS.as_bytes())
}

/// The directory of the uploads, held by a lock that several servers on one root share.
///
/// Whoever gets the lock for itself knows that nobody uploads, and clears away what a killed server
/// left.
#[derive(Debug)]
pub(super) struct Uploads {
    root: Arc<Dir>,
    directory: Arc<Dir>,
    lock: std::fs::File,
    next: AtomicU64,
}

impl Uploads {
    /// # Errors
    /// When the directory cannot be made: the root is read-only, or something else has the name.
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
            // The last server at this root may have removed the directory while we waited.
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
                // Of another server with our number: process numbers are not the same to all
                // containers.
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
        // A clean end leaves nothing behind, unless another server uses the directory.
        if self.lock.unlock().is_ok() && self.lock.try_lock().is_ok() {
            let _not_empty = self.root.remove_dir(UPLOADS);
        }
    }
}

/// A file nobody sees; removed when dropped, unless it was given a name.
#[derive(Debug)]
pub(super) struct Temporary {
    directory: Arc<Dir>,
    name: String,
}

impl Temporary {
    /// Gives the file its name, in place of a file that has it.
    pub(super) fn replace(&self, directory: &Dir, name: &OsStr) -> io::Result<()> {
        self.directory.rename(&self.name, directory, name)
    }

    /// Gives the file its name, if that is free.
    pub(super) fn create(&self, directory: &Dir, name: &OsStr) -> io::Result<()> {
        match self.directory.hard_link(&self.name, directory, name) {
            // Not every file system has links. Sessions of this server are kept apart by the
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
        // Not found is what a renamed one is; what else fails is cleared away at the next start.
        let _gone = self.directory.remove_file(&self.name);
    }
}

/// A directory opened for more than finding names in it: to be locked and synchronised.
pub(super) fn readable(directory: &Dir) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.read(true).maybe_dir(true);
    directory.open_with(".", &options).map(File::into_std)
}

/// Removes what a killed server left.
fn clear(directory: &Dir) -> io::Result<()> {
    for entry in directory.entries()? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            entry.remove_file()?;
        }
    }
    Ok(())
}
