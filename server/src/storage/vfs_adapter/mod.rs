//! [`VfsStorage`]: any file system of the vfs crate as a [`Storage`].

mod foreign;
mod upload;

use super::{
    Abilities, CHUNK, Entry, FileKind, Metadata, OpenWrite, ReadHandle, Storage, Times,
    VirtualPath, WriteHandle,
};
use bytes::{Bytes, BytesMut};
use foreign::{foreign, foreign_io, metadata, move_file, names, remove_quietly};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Read, SeekFrom};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use upload::{PREFIX, Upload};
use vfs::{SeekAndRead, VfsPath};

/// A [`Storage`] on a file system of the vfs crate.
///
/// It adds what those file systems do not guarantee: an upload goes to a temporary file beside its
/// target and is moved at commit; a file can be renamed onto another; kinds are checked before
/// anything is created or removed. This holds among users of this storage and its clones; others on
/// the same file system see temporary files (`.ftpspec-upload-…`) and, for a moment, no file where
/// one is being replaced.
///
/// Paths are UTF-8 here. Entries that cannot be examined, among them dangling symbolic links, are
/// not listed.
///
/// Limitations that remain:
///
/// * vfs follows symbolic links, so a [`vfs::PhysicalFS`] is as safe as the links in its directory.
/// * An [`OpenWrite::Append`] that exceeds the free space may leave a part of its octets.
/// * [`vfs::OverlayFS`] cannot set times of files in a lower layer (`Unsupported`), and shows its
///   `.whiteout`.
/// * [`vfs::MemoryFS`] copies content to rename it. [`MemFs`](super::MemFs) does not.
#[derive(Clone)]
pub struct VfsStorage(Arc<Shared>);

struct Shared {
    root: VfsPath,
    /// Distinguishes temporary files from those of another server on the same files.
    instance: u64,
    /// Write-locked while names change, read-locked while they are read.
    names: RwLock<Names>,
}

#[derive(Default)]
struct Names {
    /// Taken by uploads of [`OpenWrite::CreateNew`] that have stored nothing yet.
    reserved: HashSet<VirtualPath>,
    /// Temporary files in use, by number.
    temporary: BTreeMap<u32, String>,
}

/// A path in both forms.
struct Place {
    path: VirtualPath,
    at: VfsPath,
}

impl VfsStorage {
    /// Serves what is below `root`.
    #[must_use]
    pub fn new(root: VfsPath) -> Self {
        Self(Arc::new(Shared {
            root,
            instance: RandomState::new().hash_one(std::process::id()),
            names: RwLock::default(),
        }))
    }

    fn names(&self) -> RwLockReadGuard<'_, Names> {
        self.0.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn names_mut(&self) -> RwLockWriteGuard<'_, Names> {
        self.0.names.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, path: &VirtualPath) -> io::Result<Place> {
        let unfit = |why| io::Error::new(ErrorKind::InvalidInput, why);
        let Some(text) = path.to_str() else {
            return Err(unfit("the pathname is not UTF-8"));
        };
        if text.split('/').any(|name| name.starts_with(PREFIX)) {
            return Err(unfit("the name is kept for temporary files"));
        }
        if cfg!(windows) && text.contains(['\\', ':']) {
            return Err(unfit("the pathname means something else here"));
        }
        // With a `/` in front, `join` would start from the root of the file system.
        let at = foreign(|| self.0.root.join(text.trim_start_matches('/')))?;
        let path = path.clone();
        Ok(Place { path, at })
    }

    /// As [`place`](Self::place), for operations that create, remove or rename.
    fn place_to_change(&self, path: &VirtualPath) -> io::Result<Place> {
        if path.is_root() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        self.place(path)
    }
}

impl fmt::Debug for VfsStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VfsStorage").field(&self.0.root).finish()
    }
}

impl Storage for VfsStorage {
    fn abilities(&self) -> Abilities {
        Abilities {
            write_at: true,
            ..Abilities::default()
        }
    }

    fn stat(&self, path: &VirtualPath, _follow: bool) -> io::Result<Metadata> {
        let _unchanged = self.names();
        metadata(&self.place(path)?.at)
    }

    fn list(
        &self,
        path: &VirtualPath,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Entry>> + Send>> {
        let directory = self.place(path)?.at;
        let mut found = {
            let _unchanged = self.names();
            if metadata(&directory)?.kind != FileKind::Directory {
                return Err(ErrorKind::NotADirectory.into());
            }
            names(&directory)?
        };
        // Others may have created names that are not valid here.
        found.retain(|name| !name.starts_with(PREFIX) && is_name(name));
        found.sort_unstable();
        found.dedup();
        let storage = self.clone();
        Ok(Box::new(found.into_iter().filter_map(move |name| {
            let _unchanged = storage.names();
            let at = foreign(|| directory.join(&name)).ok()?;
            let metadata = metadata(&at).ok()?;
            let name = name.into_bytes();
            Some(Ok(Entry { name, metadata }))
        })))
    }

    fn open_read(&self, path: &VirtualPath, offset: u64) -> io::Result<Box<dyn ReadHandle>> {
        let _unchanged = self.names();
        let at = self.place(path)?.at;
        let found = metadata(&at)?;
        if found.kind == FileKind::Directory {
            return Err(ErrorKind::IsADirectory.into());
        }
        // Not every reader supports a position beyond the end: vfs::MemoryFS panics.
        if offset > found.len {
            return Ok(Box::new(Reader(None)));
        }
        let mut file = foreign(|| at.open_file())?;
        if offset > 0 {
            foreign_io(|| file.seek(SeekFrom::Start(offset)))?;
        }
        Ok(Box::new(Reader(Some(file))))
    }

    fn open_write(&self, path: &VirtualPath, how: OpenWrite) -> io::Result<Box<dyn WriteHandle>> {
        Ok(Box::new(Upload::open(self, self.place(path)?, how)?))
    }

    fn make_directory(&self, path: &VirtualPath) -> io::Result<()> {
        let _changed = self.names_mut();
        let at = self.place(path)?.at;
        match metadata(&at) {
            Ok(_) => return Err(ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        metadata(&at.parent())?;
        foreign(|| at.create_dir())
    }

    fn remove_directory(&self, path: &VirtualPath) -> io::Result<()> {
        let in_use = self.names_mut();
        let at = self.place_to_change(path)?.at;
        if metadata(&at)?.kind != FileKind::Directory {
            return Err(ErrorKind::NotADirectory.into());
        }
        let mut left_over = Vec::new();
        for name in names(&at)? {
            let entry = foreign(|| at.join(&name))?;
            let busy = in_use.temporary.values().any(|used| used == entry.as_str());
            if busy || !name.starts_with(PREFIX) {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            left_over.push(entry);
        }
        // Left by a server that was killed during an upload; clients cannot see them to remove
        // them.
        left_over.iter().for_each(remove_quietly);
        foreign(|| at.remove_dir())
    }

    fn remove_file(&self, path: &VirtualPath) -> io::Result<()> {
        let mut names = self.names_mut();
        let place = self.place(path)?;
        if metadata(&place.at)?.kind == FileKind::Directory {
            return Err(ErrorKind::IsADirectory.into());
        }
        foreign(|| place.at.remove_file())?;
        names.reserved.remove(&place.path);
        Ok(())
    }

    fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
        let mut names = self.names_mut();
        let (from, to) = (self.place_to_change(from)?, self.place_to_change(to)?);
        let moved = metadata(&from.at)?.kind;
        if from.path == to.path {
            return Ok(());
        }
        if moved == FileKind::Directory && to.path.is_within(&from.path) {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "a directory cannot be moved into itself",
            ));
        }
        let replaced = match metadata(&to.at) {
            Ok(replaced) => Some(replaced.kind),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        match (moved, replaced) {
            (FileKind::Directory, Some(FileKind::Directory)) => replace_directory(&from, &to)?,
            (FileKind::Directory, Some(_)) => return Err(ErrorKind::NotADirectory.into()),
            (_, Some(FileKind::Directory)) => return Err(ErrorKind::IsADirectory.into()),
            (_, Some(_)) => upload::replace(&mut names, self, &from.at, &to)?,
            (_, None) => {
                metadata(&to.at.parent())?;
                if moved == FileKind::Directory {
                    foreign(|| from.at.move_dir(&to.at))?;
                } else {
                    move_file(&from.at, &to.at)?;
                }
            }
        }
        names.reserved.remove(&from.path);
        names.reserved.remove(&to.path);
        Ok(())
    }

    fn set_times(&self, path: &VirtualPath, times: Times) -> io::Result<()> {
        let _changed = self.names_mut();
        let at = self.place(path)?.at;
        metadata(&at)?;
        // The entry exists, so `NotFound` means that it is not in the writable layer.
        let unsupported = |error: io::Error| match error.kind() {
            ErrorKind::NotFound => ErrorKind::Unsupported.into(),
            _ => error,
        };
        if let Some(created) = times.created {
            foreign(|| at.set_creation_time(created)).map_err(unsupported)?;
        }
        if let Some(modified) = times.modified {
            foreign(|| at.set_modification_time(modified)).map_err(unsupported)?;
        }
        Ok(())
    }
}

/// Replaces an empty directory.
fn replace_directory(from: &Place, to: &Place) -> io::Result<()> {
    if !names(&to.at)?.is_empty() {
        return Err(ErrorKind::DirectoryNotEmpty.into());
    }
    foreign(|| to.at.remove_dir())?;
    foreign(|| from.at.move_dir(&to.at)).inspect_err(|_| {
        // It was empty and is created again.
        let _restored = foreign(|| to.at.create_dir());
    })
}

/// Whether a client could send this name.
fn is_name(name: &str) -> bool {
    VirtualPath::root()
        .join(name.as_bytes())
        .is_ok_and(|path| path.name() == Some(name.as_bytes()))
}

/// Reads an open file; nothing if it was opened beyond its end.
struct Reader(Option<Box<dyn SeekAndRead + Send>>);

impl ReadHandle for Reader {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        let Some(file) = &mut self.0 else {
            return Ok(Bytes::new());
        };
        let mut octets = BytesMut::zeroed(max.min(CHUNK));
        loop {
            match foreign_io(|| file.read(&mut octets)) {
                Ok(count) => {
                    octets.truncate(count);
                    return Ok(octets.freeze());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests;
