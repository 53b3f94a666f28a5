//! [`Subdirectory`]: a directory of a storage as a storage.

use super::{
    Abilities, Digest, Entry, FileKind, Metadata, OpenWrite, ReadHandle, Storage, Times,
    VirtualPath, WriteHandle,
};

use super::HashAlgorithm;

use bytes::Bytes;
use std::io::{self, ErrorKind};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A directory of a storage as a storage of its own, for a user who must not see the rest.
///
/// Symbolic links are listed and can be removed and renamed, but not created and not followed
/// (`PermissionDenied`): they could lead out of this directory to other parts of the storage. This
/// applies to the path of the directory, too.
///
/// Clones, and directories returned by [`at`](Self::at), share a lock, so that none of them moves a
/// link between the check of a path and its use.
#[derive(Debug, Clone)]
pub struct Subdirectory {
    inner: Arc<dyn Storage>,
    root: VirtualPath,
    /// Write-locked by operations that move links, read-locked by those that must not meet one.
    turn: Arc<RwLock<()>>,
}

impl Subdirectory {
    /// The root directory of `storage`, with links not followed.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            inner: storage,
            root: VirtualPath::root(),
            turn: Arc::default(),
        }
    }

    /// A directory below this one, which need not exist.
    ///
    /// # Errors
    /// `InvalidFilename` if the path would be too long.
    pub fn at(&self, path: &VirtualPath) -> io::Result<Self> {
        Ok(Self {
            root: self.place(path)?,
            ..self.clone()
        })
    }

    /// The path in the storage.
    fn place(&self, path: &VirtualPath) -> io::Result<VirtualPath> {
        let below = path.as_bytes().strip_prefix(b"/");
        let whole = self.root.join(below.unwrap_or_default());
        whole.map_err(|_| ErrorKind::InvalidFilename.into())
    }

    /// The same, but not for the root itself, which cannot be changed.
    fn named(&self, path: &VirtualPath) -> io::Result<VirtualPath> {
        if path.is_root() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        self.place(path)
    }

    fn shared(&self) -> RwLockReadGuard<'_, ()> {
        self.turn.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.turn.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a path with a link in it; with `last` also one that ends at a link.
    fn refuse_links(&self, place: &VirtualPath, last: bool) -> io::Result<()> {
        let mut at = VirtualPath::root();
        let mut names = place.components().peekable();
        while let Some(name) = names.next() {
            if !last && names.peek().is_none() {
                break;
            }
            at = at.join(name).map_err(|_| ErrorKind::InvalidFilename)?;
            match self.inner.stat(&at, false) {
                Ok(found) if found.kind == FileKind::Symlink => {
                    return Err(ErrorKind::PermissionDenied.into());
                }
                Ok(_) => {}
                // The storage returns the better error.
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Runs an operation on a checked path.
    fn with<T>(
        &self,
        path: &VirtualPath,
        act: impl FnOnce(&VirtualPath) -> io::Result<T>,
    ) -> io::Result<T> {
        let place = self.place(path)?;
        let _turn = self.shared();
        self.refuse_links(&place, true)?;
        act(&place)
    }
}

/// The target of a link in the storage is not revealed.
fn veiled(mut found: Metadata) -> Metadata {
    found.target = None;
    found
}

impl Storage for Subdirectory {
    fn abilities(&self) -> Abilities {
        Abilities {
            symlinks: false,
            ..self.inner.abilities()
        }
    }

    fn stat(&self, path: &VirtualPath, follow: bool) -> io::Result<Metadata> {
        let place = self.place(path)?;
        let _turn = self.shared();
        self.refuse_links(&place, follow)?;
        self.inner.stat(&place, follow).map(veiled)
    }

    fn list(
        &self,
        path: &VirtualPath,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Entry>> + Send>> {
        let entries = self.with(path, |place| self.inner.list(place))?;
        Ok(Box::new(entries.map(|entry| {
            let Entry { name, metadata } = entry?;
            let metadata = veiled(metadata);
            Ok(Entry { name, metadata })
        })))
    }

    fn open_read(&self, path: &VirtualPath, offset: u64) -> io::Result<Box<dyn ReadHandle>> {
        self.with(path, |place| self.inner.open_read(place, offset))
    }

    fn open_write(&self, path: &VirtualPath, how: OpenWrite) -> io::Result<Box<dyn WriteHandle>> {
        self.with(path, |place| {
            Ok(Box::new(Upload {
                inner: self.inner.open_write(place, how)?,
                directory: self.clone(),
                place: place.clone(),
            }) as Box<dyn WriteHandle>)
        })
    }

    fn make_directory(&self, path: &VirtualPath) -> io::Result<()> {
        let place = self.place(path)?;
        let _turn = self.shared();
        self.refuse_links(&place, false)?;
        self.inner.make_directory(&place)
    }

    fn remove_directory(&self, path: &VirtualPath) -> io::Result<()> {
        let place = self.named(path)?;
        let _turn = self.shared();
        self.refuse_links(&place, false)?;
        self.inner.remove_directory(&place)
    }

    fn remove_file(&self, path: &VirtualPath) -> io::Result<()> {
        let place = self.place(path)?;
        let _turn = self.shared();
        self.refuse_links(&place, false)?;
        self.inner.remove_file(&place)
    }

    fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
        let (from, to) = (self.named(from)?, self.named(to)?);
        let _turn = self.alone();
        self.refuse_links(&from, false)?;
        self.refuse_links(&to, false)?;
        self.inner.rename(&from, &to)
    }

    fn set_times(&self, path: &VirtualPath, times: Times) -> io::Result<()> {
        self.with(path, |place| self.inner.set_times(place, times))
    }

    fn set_mode(&self, path: &VirtualPath, mode: u32) -> io::Result<()> {
        self.with(path, |place| self.inner.set_mode(place, mode))
    }

    fn available(&self, path: &VirtualPath) -> io::Result<u64> {
        self.with(path, |place| self.inner.available(place))
    }

    fn allocate(&self, path: &VirtualPath, octets: u64) -> io::Result<()> {
        self.with(path, |place| self.inner.allocate(place, octets))
    }

    fn digest(
        &self,
        path: &VirtualPath,
        algorithm: HashAlgorithm,
        start: u64,
        end: Option<u64>,
    ) -> io::Result<Option<Digest>> {
        self.with(path, |place| {
            self.inner.digest(place, algorithm, start, end)
        })
    }
}

/// An upload creates the file at its end: the path is checked once more.
struct Upload {
    inner: Box<dyn WriteHandle>,
    directory: Subdirectory,
    place: VirtualPath,
}

impl WriteHandle for Upload {
    fn write_chunk(&mut self, octets: Bytes) -> io::Result<()> {
        self.inner.write_chunk(octets)
    }

    fn commit(self: Box<Self>) -> io::Result<()> {
        let _turn = self.directory.shared();
        self.directory.refuse_links(&self.place, true)?;
        self.inner.commit()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::super::tests::{kind, listed, path};
    use super::super::{MemFs, make_directories, read_file, write_file};
    use super::*;

    /// `/home` of `/home/in`, `/secret` and other files.
    fn home() -> (MemFs, Subdirectory) {
        let fs = MemFs::new();
        for directory in ["home/d", "secret"] {
            make_directories(&fs, &path(directory)).unwrap();
        }
        for name in ["home/in", "secret/out"] {
            write_file(&fs, &path(name), "x".into()).unwrap();
        }
        let home = Subdirectory::new(Arc::new(fs.clone())).at(&path("home"));
        (fs, home.unwrap())
    }

    fn denied<T>(outcome: io::Result<T>) {
        assert_eq!(kind(outcome), ErrorKind::PermissionDenied);
    }

    #[test]
    fn what_is_above_is_not_there() {
        let (_, home) = home();
        assert_eq!(listed(&home, ""), ["d", "in"]);
        assert!(home.stat(&path("../secret/out"), true).is_err());
        assert!(home.stat(&path("/secret"), true).is_err());
        let lower = home.at(&path("d")).unwrap().at(&path("../..")).unwrap();
        assert!(listed(&lower, "").is_empty());
    }

    #[test]
    fn no_link_is_followed_whatever_made_it() {
        let (fs, home) = home();
        for (target, link) in [
            ("/secret", "home/l"),
            ("../secret/out", "home/f"),
            ("d", "home/ok"),
        ] {
            fs.symlink(target.as_bytes(), &path(link)).unwrap();
        }
        for way in ["l/out", "l", "f", "ok"] {
            denied(home.stat(&path(way), true));
            denied(home.open_read(&path(way), 0));
            denied(home.open_write(&path(way), OpenWrite::Truncate));
            denied(home.set_times(&path(way), Times::default()));
            denied(home.set_mode(&path(way), 0o600));
            denied(home.available(&path(way)));
        }
        denied(home.list(&path("l")));
        denied(home.make_directory(&path("l/new")));
        denied(home.remove_file(&path("l/out")));
        denied(home.rename(&path("in"), &path("l/in")));
        denied(home.rename(&path("l/out"), &path("out")));
        let seen = home.stat(&path("l"), false).unwrap();
        assert_eq!((seen.kind, seen.target), (FileKind::Symlink, None));
        assert!(home.symlink(b"in", &path("new")).is_err() && !home.abilities().symlinks);
        home.remove_file(&path("l")).unwrap();
        assert_eq!(listed(&fs, "secret"), ["out"]);
    }

    #[test]
    fn an_upload_does_not_end_where_a_link_was_moved_to_meanwhile() {
        let (fs, home) = home();
        fs.symlink(b"/secret", &path("home/l")).unwrap();
        let mut upload = home
            .open_write(&path("d/out"), OpenWrite::Truncate)
            .unwrap();
        upload.write_chunk("mine".into()).unwrap();
        home.rename(&path("d"), &path("e")).unwrap();
        home.rename(&path("l"), &path("d")).unwrap();
        denied(upload.commit());
        assert_eq!(read_file(&fs, &path("secret/out"), 9).unwrap(), b"x");
    }

    #[test]
    fn a_root_that_became_a_link_is_not_followed() {
        let (fs, home) = home();
        fs.rename(&path("home"), &path("other")).unwrap();
        fs.symlink(b"/secret", &path("home")).unwrap();
        denied(home.list(&path("")));
        denied(home.open_read(&path("out"), 0));
    }

    #[test]
    fn the_root_stays_where_it_is() {
        let (_, home) = home();
        denied(home.remove_directory(&path("")));
        denied(home.rename(&path(""), &path("d/x")));
        denied(home.rename(&path("d"), &path("")));
    }
}
