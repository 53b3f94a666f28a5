//! A storage with faults, around one without.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Action;
use crate::storage::{
    Abilities, Digest, Entry, HashAlgorithm, Metadata, OpenWrite, ReadHandle, Storage, Times,
    VirtualPath, WriteHandle,
};

/// The storage of a user, for the one command into which faults are injected.
#[derive(Debug)]
pub(crate) struct FaultyStorage {
    inner: Arc<dyn Storage>,
    /// It is full after this many octets of one file, with this error.
    full: Option<(u64, io::ErrorKind)>,
    denied: bool,
    vanish: Option<Option<u64>>,
    slow: Option<Duration>,
}

impl FaultyStorage {
    /// `inner` with faults; `None` if none of the actions concerns a storage.
    pub(crate) fn around(inner: &Arc<dyn Storage>, actions: &[Action]) -> Option<Arc<dyn Storage>> {
        let mut faulty = Self {
            inner: Arc::clone(inner),
            full: None,
            denied: false,
            vanish: None,
            slow: None,
        };
        for action in actions {
            match action {
                Action::Full { at, allocation } => {
                    let kind = if *allocation {
                        io::ErrorKind::QuotaExceeded
                    } else {
                        io::ErrorKind::StorageFull
                    };
                    faulty.full = Some((*at, kind));
                }
                Action::Denied => faulty.denied = true,
                Action::Vanish(at) => faulty.vanish = Some(*at),
                Action::SlowStorage(time) => faulty.slow = Some(*time),
                _ => {}
            }
        }
        let does = faulty.full.is_some()
            || faulty.denied
            || faulty.vanish.is_some()
            || faulty.slow.is_some();
        does.then(|| Arc::new(faulty) as Arc<dyn Storage>)
    }

    /// What every call does first.
    fn call(&self) -> io::Result<&dyn Storage> {
        if let Some(time) = self.slow {
            // Such a storage says that it blocks, so this is a thread for that.
            std::thread::sleep(time);
        }
        if self.denied {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(&*self.inner)
    }
}

impl Storage for FaultyStorage {
    fn abilities(&self) -> Abilities {
        let abilities = self.inner.abilities();
        Abilities {
            never_blocks: abilities.never_blocks && self.slow.is_none(),
            ..abilities
        }
    }

    fn stat(&self, path: &VirtualPath, follow: bool) -> io::Result<Metadata> {
        self.call()?.stat(path, follow)
    }

    fn list(
        &self,
        path: &VirtualPath,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Entry>> + Send>> {
        let storage = self.call()?;
        if self.vanish.is_some() {
            return Err(io::ErrorKind::NotFound.into());
        }
        storage.list(path)
    }

    fn open_read(&self, path: &VirtualPath, offset: u64) -> io::Result<Box<dyn ReadHandle>> {
        let handle = self.call()?.open_read(path, offset)?;
        match self.vanish {
            Some(None) => Err(io::ErrorKind::NotFound.into()),
            vanish if vanish.is_none() && self.slow.is_none() => Ok(handle),
            vanish => Ok(Box::new(FaultyRead {
                handle,
                left: vanish.flatten(),
                slow: self.slow,
            })),
        }
    }

    fn open_write(&self, path: &VirtualPath, how: OpenWrite) -> io::Result<Box<dyn WriteHandle>> {
        let storage = self.call()?;
        if self.vanish.is_some() {
            // The directory is gone.
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Box::new(FaultyWrite {
            handle: storage.open_write(path, how)?,
            left: self.full,
            slow: self.slow,
        }))
    }

    fn make_directory(&self, path: &VirtualPath) -> io::Result<()> {
        let storage = self.call()?;
        match self.full {
            Some((0, kind)) => Err(kind.into()),
            _ => storage.make_directory(path),
        }
    }

    fn remove_directory(&self, path: &VirtualPath) -> io::Result<()> {
        self.seen()?.remove_directory(path)
    }

    fn remove_file(&self, path: &VirtualPath) -> io::Result<()> {
        self.seen()?.remove_file(path)
    }

    fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
        self.seen()?.rename(from, to)
    }

    fn set_times(&self, path: &VirtualPath, times: Times) -> io::Result<()> {
        self.seen()?.set_times(path, times)
    }

    fn set_mode(&self, path: &VirtualPath, mode: u32) -> io::Result<()> {
        self.seen()?.set_mode(path, mode)
    }

    fn symlink(&self, target: &[u8], path: &VirtualPath) -> io::Result<()> {
        self.call()?.symlink(target, path)
    }

    fn available(&self, path: &VirtualPath) -> io::Result<u64> {
        self.call()?.available(path)
    }

    fn allocate(&self, path: &VirtualPath, octets: u64) -> io::Result<()> {
        let storage = self.call()?;
        match self.full {
            Some((most, kind)) if octets > most => Err(kind.into()),
            _ => storage.allocate(path, octets),
        }
    }

    fn digest(
        &self,
        path: &VirtualPath,
        algorithm: HashAlgorithm,
        start: u64,
        end: Option<u64>,
    ) -> io::Result<Option<Digest>> {
        self.seen()?.digest(path, algorithm, start, end)
    }
}

impl FaultyStorage {
    /// What changes something that must be there.
    fn seen(&self) -> io::Result<&dyn Storage> {
        let storage = self.call()?;
        if self.vanish.is_some() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(storage)
    }
}

struct FaultyRead {
    handle: Box<dyn ReadHandle>,
    /// Octets until the file is gone.
    left: Option<u64>,
    slow: Option<Duration>,
}

impl ReadHandle for FaultyRead {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        if let Some(time) = self.slow {
            std::thread::sleep(time);
        }
        let Some(left) = &mut self.left else {
            return self.handle.read_chunk(max);
        };
        let max = usize::try_from(*left).unwrap_or(max).min(max);
        if max == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        let octets = self.handle.read_chunk(max)?;
        *left -= octets.len() as u64;
        Ok(octets)
    }
}

struct FaultyWrite {
    handle: Box<dyn WriteHandle>,
    left: Option<(u64, io::ErrorKind)>,
    slow: Option<Duration>,
}

impl WriteHandle for FaultyWrite {
    fn write_chunk(&mut self, octets: Bytes) -> io::Result<()> {
        if let Some(time) = self.slow {
            std::thread::sleep(time);
        }
        if let Some((left, kind)) = &mut self.left {
            *left = left.checked_sub(octets.len() as u64).ok_or(*kind)?;
        }
        self.handle.write_chunk(octets)
    }

    fn commit(self: Box<Self>) -> io::Result<()> {
        self.handle.commit()
    }
}
