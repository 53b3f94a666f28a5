//! [`MemFs`]: a file system in memory. It is a [`Storage`] and a [`vfs::FileSystem`].
//!
//! ```text
//!  MemFs --+-- tree    RwLock, held briefly     inodes, names -> inodes, links, modes, times
//!          |     \---- content  Arc per file    shared pieces; a writer makes a new one
//!          +-- usage   Mutex, taken inside      octets used and staged against the quota
//! ```
//!
//! A reader keeps the content the file had when it was opened. A writer collects its own content,
//! and commit changes one pointer.

mod content;
mod handles;
mod limit;
mod mapped;
mod tree;

mod vfs;

use super::usage::Usage;
use super::{
    Abilities, Entry, MAX_PATH, Metadata, OpenWrite, Owners, ReadHandle, Storage, Times,
    VirtualPath, WriteHandle,
};
use content::Content;
use handles::{Reader, Writer};
use limit::memory_limit;
use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tree::{Entries, Id, Node, Tree};

/// The entries of a listing that are read under one lock: a directory of at most this size is
/// listed atomically.
const LIST_BATCH: usize = 1024;

/// A file system in memory, the default [`Storage`].
///
/// Clones are handles to the same files; [`snapshot`](Self::snapshot) makes independent files.
///
/// Concurrent sessions on one file:
///
/// * Uploads are published at commit, atomically; the last commit wins. A failed upload leaves the
///   old file unchanged.
/// * A commit goes to the *path*. If the file was removed or renamed meanwhile, the commit creates
///   a new file there, as a rename of a temporary file would; the renamed file keeps its content.
/// * [`OpenWrite::CreateNew`] reserves the name at once, as an empty file, and releases it if it is
///   dropped without commit.
/// * [`OpenWrite::Append`] appends to the content at the time of the commit.
/// * [`OpenWrite::At`] keeps the octets before the offset as they were when it was opened. An
///   offset beyond the end is refused (`InvalidInput`): such a restart marker cannot be of this
///   file, and filling the gap would let a client allocate any amount of memory.
///
/// Permission bits are stored and reported but not enforced.
#[derive(Clone)]
pub struct MemFs(Arc<Shared>);

struct Shared {
    tree: RwLock<Tree>,
    usage: Mutex<Usage>,
}

impl MemFs {
    /// The default of [`with_quota`](Self::with_quota): 4 GiB for all files together, or half of
    /// the memory available to this process (physical memory, or the limit of its control group) if
    /// that is less.
    pub const DEFAULT_QUOTA: u64 = 4 << 30;
    /// The default of [`with_max_file_size`](Self::with_max_file_size): 64 GiB.
    pub const DEFAULT_MAX_FILE_SIZE: u64 = 64 << 30;
    /// The default of [`with_max_entries`](Self::with_max_entries): a million files, directories
    /// and links.
    pub const DEFAULT_MAX_ENTRIES: usize = 1_000_000;

    /// An empty file system.
    #[must_use]
    pub fn new() -> Self {
        let quota = memory_limit().map_or(Self::DEFAULT_QUOTA, |limit| {
            Self::DEFAULT_QUOTA.min(limit / 2)
        });
        Self(Arc::new(Shared {
            tree: RwLock::new(Tree::new(Self::DEFAULT_MAX_ENTRIES)),
            usage: Mutex::new(Usage::new(quota, Self::DEFAULT_MAX_FILE_SIZE)),
        }))
    }

    /// Limits the octets of all files together; more fail with `QuotaExceeded`. Existing files
    /// stay.
    #[must_use]
    pub fn with_quota(self, octets: u64) -> Self {
        self.usage().quota = octets;
        self
    }

    /// Limits the octets of one file; more fail with `QuotaExceeded`.
    #[must_use]
    pub fn with_max_file_size(self, octets: u64) -> Self {
        self.usage().max_file_size = octets;
        self
    }

    /// Limits the number of files, directories and links, including the root; creating more fails
    /// with `StorageFull`.
    #[must_use]
    pub fn with_max_entries(self, entries: usize) -> Self {
        self.tree_mut().max_entries = entries;
        self
    }

    /// Sets the owner of a file or directory for listings; the default is none. It is reported, not
    /// enforced. A symbolic link is followed.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory` (a file on the way).
    pub fn set_owners(&self, path: &VirtualPath, owners: Owners) -> io::Result<()> {
        let mut tree = self.tree_mut();
        let id = tree.find(path, true)?;
        tree.get_mut(id)?.owners = Some(Box::new(owners));
        Ok(())
    }

    /// The octets of all files.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.usage().used()
    }

    /// An independent file system with the current content. Octets are shared until one of them
    /// writes. Uploads in progress belong to the original.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let tree = self.tree();
        let usage = self.usage().at_rest();
        Self(Arc::new(Shared {
            tree: RwLock::new(tree.clone()),
            usage: Mutex::new(usage),
        }))
    }

    /// Replaces the files of all handles to this file system by those of `snapshot`, as they are
    /// now. Limits stay; open files stay readable.
    pub fn restore(&self, snapshot: &Self) {
        if Arc::ptr_eq(&self.0, &snapshot.0) {
            return;
        }
        // Never hold the locks of two file systems at once.
        let (mut tree, usage) = {
            let tree = snapshot.tree();
            (tree.clone(), snapshot.usage().at_rest())
        };
        {
            let mut own = self.tree_mut();
            tree.max_entries = own.max_entries;
            std::mem::swap(&mut *own, &mut tree);
            self.usage().restore(&usage);
        }
        drop(tree);
    }

    fn tree(&self) -> RwLockReadGuard<'_, Tree> {
        self.0.tree.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn tree_mut(&self) -> RwLockWriteGuard<'_, Tree> {
        self.0.tree.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locked after the tree, never before it.
    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.0.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, path: &VirtualPath) -> io::Result<Arc<Content>> {
        let tree = self.tree();
        opened(&tree.get(tree.find(path, true)?)?.node)
    }
}

impl Default for MemFs {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemFs")
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}

impl Storage for MemFs {
    fn abilities(&self) -> Abilities {
        Abilities {
            never_blocks: true,
            write_at: true,
            symlinks: true,
            modes: true,
            available: true,
            atomic_rename: true,
        }
    }

    fn stat(&self, path: &VirtualPath, follow: bool) -> io::Result<Metadata> {
        let tree = self.tree();
        tree.metadata(tree.find(path, follow)?)
    }

    fn list(
        &self,
        path: &VirtualPath,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Entry>> + Send>> {
        let tree = self.tree();
        let directory = tree.find(path, true)?;
        let batch = batch(&tree, directory, Bound::Unbounded)?;
        drop(tree);
        Ok(Box::new(Listing {
            fs: self.clone(),
            directory,
            more: batch.len() == LIST_BATCH,
            batch: batch.into_iter(),
        }))
    }

    fn open_read(&self, path: &VirtualPath, offset: u64) -> io::Result<Box<dyn ReadHandle>> {
        Ok(Box::new(Reader::new(self.open(path)?, offset)))
    }

    fn open_write(&self, path: &VirtualPath, how: OpenWrite) -> io::Result<Box<dyn WriteHandle>> {
        Ok(Box::new(Writer::open(self, path, how)?))
    }

    fn make_directory(&self, path: &VirtualPath) -> io::Result<()> {
        let mut tree = self.tree_mut();
        let place = tree.locate(path, false)?;
        let node = Node::Directory {
            entries: Arc::default(),
            parent: place.parent,
        };
        tree.insert(&place, node).map(drop)
    }

    fn remove_directory(&self, path: &VirtualPath) -> io::Result<()> {
        if path.is_root() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let mut tree = self.tree_mut();
        let place = tree.locate(path, false)?;
        if !tree.entries(place.found()?)?.is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        tree.remove(&place).map(drop)
    }

    fn remove_file(&self, path: &VirtualPath) -> io::Result<()> {
        let removed = {
            let mut tree = self.tree_mut();
            let place = tree.locate(path, false)?;
            if let Node::Directory { .. } = tree.get(place.found()?)?.node {
                return Err(ErrorKind::IsADirectory.into());
            }
            let removed = tree.remove(&place)?;
            self.usage().release(removed.node.len());
            removed
        };
        drop(removed);
        Ok(())
    }

    fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
        if from.is_root() || to.is_root() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let replaced = {
            let mut tree = self.tree_mut();
            let from_place = tree.locate(from, false)?;
            let id = from_place.found()?;
            let is_directory = matches!(tree.get(id)?.node, Node::Directory { .. });
            // Checked on the paths first, so that the right error is returned even if the parent of
            // `to` is missing.
            if is_directory && from != to && to.is_within(from) {
                return Err(into_itself());
            }
            let mut to_place = tree.locate(to, false)?;
            if is_directory && to_place.id != Some(id) && tree.is_within(to_place.parent, id)? {
                return Err(into_itself());
            }
            let replaced = match to_place.id {
                None => None,
                Some(same) if same == id => return Ok(()),
                Some(other) => {
                    match &tree.get(other)?.node {
                        Node::Directory { .. } if !is_directory => {
                            return Err(ErrorKind::IsADirectory.into());
                        }
                        Node::Directory { entries, .. } if !entries.is_empty() => {
                            return Err(ErrorKind::DirectoryNotEmpty.into());
                        }
                        Node::File { .. } | Node::Link(_) if is_directory => {
                            return Err(ErrorKind::NotADirectory.into());
                        }
                        Node::Directory { .. } | Node::File { .. } | Node::Link(_) => {}
                    }
                    let replaced = tree.remove(&to_place)?;
                    to_place.id = None;
                    self.usage().release(replaced.node.len());
                    Some(replaced)
                }
            };
            tree.relocate(&from_place, &to_place)?;
            replaced
        };
        drop(replaced);
        Ok(())
    }

    fn set_times(&self, path: &VirtualPath, times: Times) -> io::Result<()> {
        let mut tree = self.tree_mut();
        let id = tree.find(path, true)?;
        let inode = tree.get_mut(id)?;
        inode.modified = times.modified.unwrap_or(inode.modified);
        inode.created = times.created.unwrap_or(inode.created);
        Ok(())
    }

    fn set_mode(&self, path: &VirtualPath, mode: u32) -> io::Result<()> {
        let mut tree = self.tree_mut();
        let id = tree.find(path, true)?;
        tree.get_mut(id)?.mode = mode & 0o7777;
        Ok(())
    }

    fn symlink(&self, target: &[u8], path: &VirtualPath) -> io::Result<()> {
        let unfit = |octet: &u8| matches!(octet, 0 | b'\r' | b'\n');
        if target.is_empty() || target.len() > MAX_PATH || target.iter().any(unfit) {
            return Err(ErrorKind::InvalidInput.into());
        }
        let mut tree = self.tree_mut();
        let place = tree.locate(path, false)?;
        tree.insert(&place, Node::Link(target.into())).map(drop)
    }

    fn available(&self, path: &VirtualPath) -> io::Result<u64> {
        self.tree().find(path, true)?;
        Ok(self.usage().available())
    }

    fn allocate(&self, path: &VirtualPath, octets: u64) -> io::Result<()> {
        self.tree().find(path, true)?;
        self.usage().room_for(octets)
    }
}

/// Iterates over a directory by name, some entries at a time, without a lock in between. Entries
/// that exist all the time are visited exactly once; others may be visited or not.
struct Listing {
    fs: MemFs,
    directory: Id,
    batch: std::vec::IntoIter<Entry>,
    /// The directory may have names after this batch.
    more: bool,
}

impl Iterator for Listing {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.batch.next()?;
        if self.more && self.batch.as_slice().is_empty() {
            // A directory that was removed meanwhile has no more entries.
            let after = Bound::Excluded(&entry.name[..]);
            let batch = batch(&self.fs.tree(), self.directory, after).unwrap_or_default();
            self.more = batch.len() == LIST_BATCH;
            self.batch = batch.into_iter();
        }
        Some(Ok(entry))
    }
}

fn batch(tree: &Tree, directory: Id, after: Bound<&[u8]>) -> io::Result<Vec<Entry>> {
    let entries: &Entries = tree.entries(directory)?;
    entries
        .range::<[u8], _>((after, Bound::Unbounded))
        .take(LIST_BATCH)
        .map(|(name, id)| {
            Ok(Entry {
                name: name.to_vec(),
                metadata: tree.metadata(*id)?,
            })
        })
        .collect()
}

fn opened(node: &Node) -> io::Result<Arc<Content>> {
    match node {
        Node::File { content, .. } => Ok(Arc::clone(content)),
        Node::Directory { .. } => Err(ErrorKind::IsADirectory.into()),
        Node::Link(_) => Err(ErrorKind::NotFound.into()),
    }
}

fn into_itself() -> io::Error {
    io::Error::new(
        ErrorKind::InvalidInput,
        "a directory cannot be moved into itself",
    )
}

#[cfg(test)]
mod tests;
