//! Where a path leads below a root directory on disk.

use super::temporary::is_uploads;
use crate::storage::{FileKind, MAX_PATH, Metadata, Owner, Owners, VirtualPath};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, File, MetadataExt, OpenOptions};
use rustix::fs::{Access, AtFlags, accessat};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;

/// How many symbolic links one path may lead through, as Linux has it.
const MAX_LINKS: usize = 40;
/// Directories of a path that are held open, so that `..` of a link leads back the way it came.
const MAX_HELD: usize = 40;

/// A name in an open directory: nobody can move it out from under us.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) parent: Arc<Dir>,
    /// `None` where there is no name: the root, or `..` at the end of a link. `parent` is then
    /// meant itself.
    pub(super) name: Option<OsString>,
    /// Whether `parent` is the root of the storage.
    pub(super) at_root: bool,
}

/// What tells one state of one file from any other.
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
    /// No name is left to the kernel to follow: directories are opened with O_NOFOLLOW, a link is
    /// read and its names are followed here, from the root if it is absolute, and `..` ends at the
    /// root. So no link leads out, whoever makes and changes links meanwhile, and none leads to the
    /// uploads under way.
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

    /// The name, where one is needed to make, take away or rename something.
    pub(super) fn named(&self, unnamed: ErrorKind) -> io::Result<&OsStr> {
        self.name.as_deref().ok_or_else(|| unnamed.into())
    }

    /// What the disk says of it; a link is not followed.
    pub(super) fn found(&self) -> io::Result<cap_std::fs::Metadata> {
        match &self.name {
            Some(name) => self.parent.symlink_metadata(name),
            None => self.parent.dir_metadata(),
        }
    }

    /// As [`found`](Self::found), if something is there.
    pub(super) fn found_if_any(&self) -> io::Result<Option<cap_std::fs::Metadata>> {
        match self.found() {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What stands there.
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

    /// Opens the directory that stands there.
    pub(super) fn open_directory(&self) -> io::Result<Arc<Dir>> {
        let Some(name) = &self.name else {
            return Ok(Arc::clone(&self.parent));
        };
        if !self.found()?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        self.parent.open_dir_nofollow(name).map(Arc::new)
    }

    /// Opens the file that stands there. What is no file is never waited for: a FIFO would block
    /// for good.
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

    /// Whether the file there may be replaced: a rename would not ask.
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

/// What an entry is; `None` for devices, sockets and FIFOs, which are neither shown nor opened.
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
