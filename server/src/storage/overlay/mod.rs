//! [`Overlay`]: a writable layer in memory above a read-only storage.

use super::{
    Abilities, CHUNK, Digest, Entry, FileKind, MemFs, Metadata, OpenWrite, ReadHandle, Storage,
    Times, VirtualPath, WriteHandle, write_file,
};

use super::HashAlgorithm;

use bytes::Bytes;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How many symbolic links one path may lead through, as [`MemFs`] has it.
const MAX_LINKS: usize = 40;
/// How often an operation that conflicts with another session is tried.
const MAX_ATTEMPTS: usize = 10;

/// A read-only storage, with all changes kept in memory above it.
///
/// A directory of the lower storage is read once, at its first use; from then on its names are in
/// the [`MemFs`] above, where they are removed, renamed and created: removed names need no marks,
/// and a renamed directory needs no copy. The octets of a file stay below until an upload to it is
/// committed. APPE and REST copy the part of the old file that they need then.
///
/// Names that appear below in a directory that was already read are not seen; a file that
/// disappears there can no longer be read. The quota of the memory applies to uploads. Clones are
/// handles to the same files.
#[derive(Debug, Clone)]
pub struct Overlay(Arc<Layers>);

#[derive(Debug)]
struct Layers {
    lower: Arc<dyn Storage>,
    upper: MemFs,
    /// Write-locked by changes of names or content above, read-locked by operations that need both
    /// layers to be consistent.
    origins: RwLock<Origins>,
}

/// Files whose content is still below, by [`Metadata::unique`] of their names above.
#[derive(Debug, Default)]
struct Origins {
    /// Directories that have not been read yet.
    directories: HashMap<u64, VirtualPath>,
    files: HashMap<u64, Below>,
}

/// A file of the storage below.
#[derive(Debug, Clone)]
struct Below {
    path: VirtualPath,
    len: u64,
}

impl Origins {
    fn below(&self, found: &Metadata) -> Option<&Below> {
        self.files.get(&found.unique?)
    }

    fn is_unread(&self, found: &Metadata) -> bool {
        found
            .unique
            .is_some_and(|unique| self.directories.contains_key(&unique))
    }

    fn forget(&mut self, found: &Metadata) {
        if let Some(unique) = found.unique {
            self.files.remove(&unique);
            self.directories.remove(&unique);
        }
    }
}

impl Overlay {
    /// An overlay above `lower`, which is never changed.
    #[must_use]
    pub fn new(lower: Arc<dyn Storage>) -> Self {
        Self::with_memory(lower, MemFs::new())
    }

    /// As [`new`](Self::new), with an empty `memory` that has its own limits.
    #[must_use]
    pub fn with_memory(lower: Arc<dyn Storage>, memory: MemFs) -> Self {
        let mut origins = Origins::default();
        if let Ok(root) = memory.stat(&VirtualPath::root(), false) {
            let unique = root.unique.unwrap_or_default();
            origins.directories.insert(unique, VirtualPath::root());
        }
        Self(Arc::new(Layers {
            lower,
            upper: memory,
            origins: RwLock::new(origins),
        }))
    }
}

impl Layers {
    fn origins(&self) -> RwLockReadGuard<'_, Origins> {
        self.origins.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn origins_mut(&self) -> RwLockWriteGuard<'_, Origins> {
        self.origins.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the directories on the way to `path`, through links, and with `into` also the one at
    /// its end. If the path does not exist, the memory above returns the error.
    fn reach(&self, path: &VirtualPath, into: bool) -> io::Result<()> {
        if self.origins().directories.is_empty() {
            return Ok(());
        }
        let mut ahead: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        // A directory; this path contains no link.
        let mut at = VirtualPath::root();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            if name == b".." {
                at = at.parent().unwrap_or(at);
                continue;
            }
            self.read_directory(&at)?;
            let Ok(next) = at.join(&name) else {
                return Ok(());
            };
            match self.upper.stat(&next, false) {
                Ok(found) if found.kind == FileKind::Directory => at = next,
                Ok(Metadata {
                    target: Some(target),
                    ..
                }) if links < MAX_LINKS => {
                    links += 1;
                    if target.starts_with(b"/") {
                        at = VirtualPath::root();
                    }
                    let names = target.rsplit(|octet| *octet == b'/');
                    ahead.extend(
                        names
                            .filter(|name| !matches!(*name, b"" | b"."))
                            .map(<[u8]>::to_vec),
                    );
                }
                _ => return Ok(()),
            }
        }
        if into {
            self.read_directory(&at)
        } else {
            Ok(())
        }
    }

    /// Copies the names of a directory to the memory, unless that is done.
    fn read_directory(&self, at: &VirtualPath) -> io::Result<()> {
        let origin = {
            let origins = self.origins();
            let Ok(found) = self.upper.stat(at, false) else {
                return Ok(());
            };
            let origin = found
                .unique
                .and_then(|unique| origins.directories.get(&unique));
            match origin {
                Some(origin) => origin.clone(),
                None => return Ok(()),
            }
        };
        // It may block; others are not locked out.
        let entries: io::Result<Vec<Entry>> = self.lower.list(&origin)?.collect();
        let entries = entries?;
        let mut origins = self.origins_mut();
        let Ok(directory) = self.upper.stat(at, false) else {
            return Ok(());
        };
        let unread = directory
            .unique
            .and_then(|unique| origins.directories.get(&unique));
        if unread != Some(&origin) {
            return Ok(());
        }
        let mut brought = Vec::with_capacity(entries.len());
        for entry in entries {
            let (Ok(path), Ok(below)) = (at.join(&entry.name), origin.join(&entry.name)) else {
                continue;
            };
            match self.bring_up(&path, below, &entry.metadata, &mut origins) {
                Ok(()) => brought.push(path),
                // A link with a target that is not a valid path.
                Err(error) if error.kind() == ErrorKind::InvalidInput => {}
                Err(error) => {
                    // All or nothing: the next access tries again.
                    for path in brought {
                        if let Ok(found) = self.upper.stat(&path, false) {
                            origins.forget(&found);
                        }
                        let _gone = self
                            .upper
                            .remove_file(&path)
                            .or_else(|_| self.upper.remove_directory(&path));
                    }
                    return Err(error);
                }
            }
        }
        origins.forget(&directory);
        self.upper.set_times(at, times(&directory))
    }

    fn bring_up(
        &self,
        path: &VirtualPath,
        below: VirtualPath,
        entry: &Metadata,
        origins: &mut Origins,
    ) -> io::Result<()> {
        match entry.kind {
            FileKind::Symlink => {
                let target = entry.target.as_deref().ok_or(ErrorKind::InvalidInput)?;
                return self.upper.symlink(target, path);
            }
            FileKind::Directory => self.upper.make_directory(path)?,
            FileKind::File => write_file(&self.upper, path, Bytes::new())?,
        }
        if let Some(mode) = entry.mode {
            self.upper.set_mode(path, mode)?;
        }
        if let Some(owners) = &entry.owners {
            self.upper.set_owners(path, owners.clone())?;
        }
        self.upper.set_times(path, times(entry))?;
        let unique = self.upper.stat(path, false)?.unique.unwrap_or_default();
        if entry.kind == FileKind::Directory {
            origins.directories.insert(unique, below);
        } else {
            let len = entry.len;
            origins.files.insert(unique, Below { path: below, len });
        }
        Ok(())
    }

    /// The metadata above, with the length below.
    fn complete(&self, mut found: Metadata) -> Metadata {
        if let Some(below) = self.origins().below(&found) {
            found.len = below.len;
        }
        found
    }

    /// Copies the octets of a lower file to the memory, which is not visible to others.
    fn copy_up(&self, path: &VirtualPath) -> io::Result<()> {
        let (before, below) = {
            let origins = self.origins();
            match self.upper.stat(path, true) {
                Ok(found) => match origins.below(&found) {
                    Some(below) => (found, below.clone()),
                    None => return Ok(()),
                },
                Err(_) => return Ok(()),
            }
        };
        let mut copy = self.upper.open_write(path, OpenWrite::Truncate)?;
        copy_head(&*self.lower, &below.path, u64::MAX, &mut *copy)?;
        let mut origins = self.origins_mut();
        let unchanged = self
            .upper
            .stat(path, true)
            .is_ok_and(|now| now.unique == before.unique && origins.below(&now).is_some());
        if unchanged {
            copy.commit()?;
            self.upper.set_times(path, times(&before))?;
            origins.forget(&before);
        }
        Ok(())
    }
}

impl Storage for Overlay {
    fn abilities(&self) -> Abilities {
        Abilities {
            never_blocks: self.0.lower.abilities().never_blocks,
            ..self.0.upper.abilities()
        }
    }

    fn stat(&self, path: &VirtualPath, follow: bool) -> io::Result<Metadata> {
        self.0.reach(path, false)?;
        Ok(self.0.complete(self.0.upper.stat(path, follow)?))
    }

    fn list(
        &self,
        path: &VirtualPath,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Entry>> + Send>> {
        self.0.reach(path, true)?;
        let entries = self.0.upper.list(path)?;
        let layers = Arc::clone(&self.0);
        Ok(Box::new(entries.map(move |entry| {
            entry.map(|entry| Entry {
                metadata: layers.complete(entry.metadata),
                ..entry
            })
        })))
    }

    fn open_read(&self, path: &VirtualPath, offset: u64) -> io::Result<Box<dyn ReadHandle>> {
        self.0.reach(path, false)?;
        let origins = self.0.origins();
        let found = self.0.upper.stat(path, true)?;
        match origins.below(&found) {
            Some(below) => self.0.lower.open_read(&below.path, offset),
            None => self.0.upper.open_read(path, offset),
        }
    }

    fn open_write(&self, path: &VirtualPath, how: OpenWrite) -> io::Result<Box<dyn WriteHandle>> {
        self.0.reach(path, false)?;
        let below = match (how, self.0.upper.stat(path, true)) {
            (OpenWrite::At(1..), Ok(found)) => self.0.origins().below(&found).cloned(),
            _ => None,
        };
        let inner = match (how, below) {
            (OpenWrite::At(offset), Some(below)) => {
                let mut inner = self.0.upper.open_write(path, OpenWrite::Truncate)?;
                if copy_head(&*self.0.lower, &below.path, offset, &mut *inner)? < offset {
                    return Err(io::Error::new(
                        ErrorKind::InvalidInput,
                        "the restart marker is beyond the end of the file",
                    ));
                }
                inner
            }
            (how, _) => self.0.upper.open_write(path, how)?,
        };
        Ok(Box::new(Upload {
            layers: Arc::clone(&self.0),
            path: path.clone(),
            inner,
            append: how == OpenWrite::Append,
        }))
    }

    fn make_directory(&self, path: &VirtualPath) -> io::Result<()> {
        self.0.reach(path, false)?;
        let _names = self.0.origins_mut();
        self.0.upper.make_directory(path)
    }

    fn remove_directory(&self, path: &VirtualPath) -> io::Result<()> {
        for _ in 0..MAX_ATTEMPTS {
            self.0.reach(path, true)?;
            let origins = self.0.origins_mut();
            let unread = |found| origins.is_unread(&found);
            // Another session has put a directory here meanwhile; whether it is empty is not known.
            if !self.0.upper.stat(path, false).is_ok_and(unread) {
                return self.0.upper.remove_directory(path);
            }
        }
        Err(ErrorKind::ResourceBusy.into())
    }

    fn remove_file(&self, path: &VirtualPath) -> io::Result<()> {
        self.0.reach(path, false)?;
        let mut origins = self.0.origins_mut();
        let found = self.0.upper.stat(path, false)?;
        self.0.upper.remove_file(path)?;
        origins.forget(&found);
        Ok(())
    }

    fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
        for _ in 0..MAX_ATTEMPTS {
            self.0.reach(from, false)?;
            self.0.reach(to, true)?;
            let mut origins = self.0.origins_mut();
            let moved = self.0.upper.stat(from, false);
            let replaced = self.0.upper.stat(to, false);
            let same = |a: &Metadata| moved.as_ref().is_ok_and(|b| a.unique == b.unique);
            let replaced = replaced.ok().filter(|found| !same(found));
            if replaced
                .as_ref()
                .is_some_and(|found| origins.is_unread(found))
            {
                continue;
            }
            self.0.upper.rename(from, to)?;
            if let Some(replaced) = replaced {
                origins.forget(&replaced);
            }
            return Ok(());
        }
        Err(ErrorKind::ResourceBusy.into())
    }

    fn set_times(&self, path: &VirtualPath, times: Times) -> io::Result<()> {
        self.0.reach(path, false)?;
        self.0.upper.set_times(path, times)
    }

    fn set_mode(&self, path: &VirtualPath, mode: u32) -> io::Result<()> {
        self.0.reach(path, false)?;
        self.0.upper.set_mode(path, mode)
    }

    fn symlink(&self, target: &[u8], path: &VirtualPath) -> io::Result<()> {
        self.0.reach(path, false)?;
        let _names = self.0.origins_mut();
        self.0.upper.symlink(target, path)
    }

    fn available(&self, path: &VirtualPath) -> io::Result<u64> {
        self.0.reach(path, false)?;
        self.0.upper.available(path)
    }

    fn allocate(&self, path: &VirtualPath, octets: u64) -> io::Result<()> {
        self.0.reach(path, false)?;
        self.0.upper.allocate(path, octets)
    }

    fn digest(
        &self,
        path: &VirtualPath,
        algorithm: HashAlgorithm,
        start: u64,
        end: Option<u64>,
    ) -> io::Result<Option<Digest>> {
        self.0.reach(path, false)?;
        let found = self.0.upper.stat(path, true)?;
        let below = self.0.origins().below(&found).cloned();
        match below {
            Some(below) => self.0.lower.digest(&below.path, algorithm, start, end),
            None => self.0.upper.digest(path, algorithm, start, end),
        }
    }
}

/// An upload in progress, in memory.
struct Upload {
    layers: Arc<Layers>,
    path: VirtualPath,
    inner: Box<dyn WriteHandle>,
    append: bool,
}

impl WriteHandle for Upload {
    fn write_chunk(&mut self, octets: Bytes) -> io::Result<()> {
        self.inner.write_chunk(octets)
    }

    fn commit(self: Box<Self>) -> io::Result<()> {
        let Self {
            layers,
            path,
            inner,
            append,
        } = *self;
        for _ in 0..MAX_ATTEMPTS {
            layers.reach(&path, false)?;
            if append {
                layers.copy_up(&path)?;
            }
            let mut origins = layers.origins_mut();
            let before = layers.upper.stat(&path, true);
            let below = |found: &Metadata| origins.below(found).is_some();
            // Another session has put a lower file here meanwhile.
            if append && before.as_ref().is_ok_and(below) {
                continue;
            }
            inner.commit()?;
            if let Ok(before) = before {
                origins.forget(&before);
            }
            return Ok(());
        }
        Err(ErrorKind::ResourceBusy.into())
    }
}

/// Copies at most the first `limit` octets of a file, and returns their number.
fn copy_head(
    storage: &dyn Storage,
    path: &VirtualPath,
    limit: u64,
    to: &mut dyn WriteHandle,
) -> io::Result<u64> {
    let mut file = storage.open_read(path, 0)?;
    let mut copied = 0;
    while copied < limit {
        let most = usize::try_from(limit - copied).map_or(CHUNK, |rest| rest.min(CHUNK));
        let octets = file.read_chunk(most)?;
        if octets.is_empty() {
            break;
        }
        copied += octets.len() as u64;
        to.write_chunk(octets)?;
    }
    Ok(copied)
}

fn times(of: &Metadata) -> Times {
    Times {
        modified: of.modified,
        created: of.created,
    }
}

#[cfg(test)]
mod tests;
