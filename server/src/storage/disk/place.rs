//! Resolves paths below a root directory on disk.

use super::temporary::is_uploads;
use crate::storage::{FileKind, MAX_PATH, Metadata, Owner, Owners, VirtualPath};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, File, MetadataExt, OpenOptions};
use rustix::fs::{Access, AtFlags, accessat};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;

/// The most symbolic links on one path, as on Linux.
const MAX_LINKS: usize = 40;
/// Directories of a path that are held open, so that `..` of a link returns the same way.
const MAX_HELD: usize = 40;

/// A name in an open directory, which cannot be replaced meanwhile.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) parent: Arc<Dir>,
    /// `None` if there is no name: the root, or `..` at the end of a link. `parent` itself is meant
    /// then.
    pub(super) name: Option<OsString>,
    /// Whether `parent` is the root of the storage.
    pub(super) at_root: bool,
}

/// Distinguishes every state of every file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    file: (u64, u64),
    len: u64,
    modified: (i64, i64),
}

impl Identity {
    pub(super) fn of(found: &cap_std::fs::Metadata) -> Self {
        Self {
            file: (found.dev(), found.ino()),
            len: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
        }
    }
}

impl Place {
    /// Follows `path` from `root`, one name at a time. Only the last name may be missing; a link at
    /// the end is followed if `follow`.
    ///
    /// The kernel never resolves more than one name: directories are opened with O_NOFOLLOW, a link
    /// is read and its names are resolved here, from the root if it is absolute, and `..` ends at
    /// the root. So no link leads outside, even if links change meanwhile, and none leads to
    /// uploads in progress.
    pub(super) fn find(root: &Arc<Dir>, path: &VirtualPath, follow: bool) -> io::Result<Self> {
        let mut ahead: Vec<OsString> = path.components().rev().map(owned).collect();
        let mut held: Vec<Arc<Dir>> = Vec::new();
        let mut depth = 0_usize;
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            if name == ".." {
                depth = depth.saturating_sub(1);
                held.pop();
                if depth > 0 && held.is_empty() {
                    return Err(too_many_links());
                }
                continue;
            }
            let here = held.last().unwrap_or(root);
            if depth == 0 && is_uploads(&name) {
                return Err(ErrorKind::InvalidInput.into());
            }
            let last = ahead.is_empty();
            let place = || Self {
                parent: Arc::clone(here),
                name: Some(name.clone()),
                at_root: depth == 0,
            };
            if last {
                let link = follow && here.symlink_metadata(&name).is_ok_and(|at| at.is_symlink());
                if !link {
                    return Ok(place());
                }
            } else {
                match here.open_dir_nofollow(&name) {
                    Ok(directory) => {
                        if held.len() == MAX_HELD {
                            held.remove(0);
                        }
                        held.push(Arc::new(directory));
                        depth += 1;
                        continue;
                    }
                    Err(error) => {
                        let found = here.symlink_metadata(&name)?;
                        if found.is_dir() {
                            return Err(error);
                        }
                        if !found.is_symlink() {
                            return Err(ErrorKind::NotADirectory.into());
                        }
                    }
                }
            }
            links += 1;
            let target = here.read_link_contents(&name)?;
            let target = target.as_os_str().as_bytes();
            if links > MAX_LINKS || target.len() > MAX_PATH {
                return Err(too_many_links());
            }
            if target.starts_with(b"/") {
                held.clear();
                depth = 0;
            }
            let names = target.rsplit(|octet| *octet == b'/');
            ahead.extend(names.filter(|name| !matches!(*name, b"" | b".")).map(owned));
        }
        Ok(Self {
            at_root: depth == 0,
            parent: held.pop().unwrap_or_else(|| Arc::clone(root)),
            name: None,
        })
    }

    /// The name, for operations that create, remove or rename.
    pub(super) fn named(&self, unnamed: ErrorKind) -> io::Result<&OsStr> {
        self.name.as_deref().ok_or_else(|| unnamed.into())
    }

    /// The metadata on disk; a link is not followed.
    pub(super) fn found(&self) -> io::Result<cap_std::fs::Metadata> {
        match &self.name {
            Some(name) => self.parent.symlink_metadata(name),
            None => self.parent.dir_metadata(),
        }
    }

    /// As [`found`](Self::found), if the name exists.
    pub(super) fn found_if_any(&self) -> io::Result<Option<cap_std::fs::Metadata>> {
        match self.found() {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The metadata; an error if the name does not exist.
    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        let found = self.found()?;
        let kind = kind(&found).ok_or(ErrorKind::PermissionDenied)?;
        let target = match (&self.name, kind) {
            (Some(name), FileKind::Symlink) => Some(self.parent.read_link_contents(name)?),
            _ => None,
        };
        Ok(Metadata {
            kind,
            len: match kind {
                FileKind::Directory => 0,
                FileKind::File | FileKind::Symlink => found.len(),
            },
            mode: Some(found.mode() & 0o7777),
            modified: found
                .modified()
                .ok()
                .map(cap_std::time::SystemTime::into_std),
            created: found
                .created()
                .ok()
                .map(cap_std::time::SystemTime::into_std),
            // Inodes of one file system differ in the low bits, file systems in the high ones.
            unique: Some(found.dev().rotate_right(16) ^ found.ino()),
            target: target.map(|target| target.into_os_string().into_vec()),
            owners: Some(Owners {
                owner: Owner::number(found.uid()),
                group: Owner::number(found.gid()),
            }),
        })
    }

    /// Opens the directory.
    pub(super) fn open_directory(&self) -> io::Result<Arc<Dir>> {
        let Some(name) = &self.name else {
            return Ok(Arc::clone(&self.parent));
        };
        if !self.found()?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        self.parent.open_dir_nofollow(name).map(Arc::new)
    }

    /// Opens the file. Only regular files are opened without waiting: a FIFO would block.
    pub(super) fn open_file(&self) -> io::Result<(File, cap_std::fs::Metadata)> {
        let name = self.named(ErrorKind::IsADirectory)?;
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let file = self.parent.open_with(name, &options)?;
        let found = file.metadata()?;
        match kind(&found) {
            Some(FileKind::File) => Ok((file, found)),
            Some(FileKind::Directory) => Err(ErrorKind::IsADirectory.into()),
            Some(FileKind::Symlink) | None => Err(ErrorKind::PermissionDenied.into()),
        }
    }

    /// Whether the file may be replaced: a rename would not check that.
    pub(super) fn check_replaceable(&self, found: &cap_std::fs::Metadata) -> io::Result<()> {
        let name = self.named(ErrorKind::IsADirectory)?;
        match kind(found) {
            Some(FileKind::Directory) => Err(ErrorKind::IsADirectory.into()),
            Some(FileKind::File) => {
                accessat(&*self.parent, name, Access::WRITE_OK, AtFlags::empty())?;
                Ok(())
            }
            Some(FileKind::Symlink) | None => Err(ErrorKind::PermissionDenied.into()),
        }
    }
}

/// The kind of an entry; `None` for devices, sockets and FIFOs, which are neither shown nor opened.
pub(super) fn kind(found: &cap_std::fs::Metadata) -> Option<FileKind> {
    let file_type = found.file_type();
    if file_type.is_symlink() {
        Some(FileKind::Symlink)
    } else if file_type.is_dir() {
        Some(FileKind::Directory)
    } else {
        file_type.is_file().then_some(FileKind::File)
    }
}

fn owned(name: &[u8]) -> OsString {
    OsStr::from_bytes(name).to_owned()
}

fn too_many_links() -> io::Error {
    io::Error::new(ErrorKind::NotFound, "too many levels of symbolic links")
}
