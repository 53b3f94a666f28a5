//! Where files live. A [`Storage`] is blocking and object safe; paths come validated as
//! [`VirtualPath`]; errors are [`io::Error`] with stable kinds that one table (`pi`) turns into
//! reply codes.
//!
//! Nothing in this room knows a reply, a socket or tokio.

mod combine;
mod describe;
mod digest;
#[cfg(unix)]
mod disk;
mod hash_algorithm;
mod memory;
mod overlay;
mod owner;
mod path;
mod quota;
mod range;
mod seed;
mod subdirectory;
mod subtree;
mod usage;
mod vfs_adapter;
mod whole;

#[cfg(test)]
mod tests;

pub use combine::combine;
pub(crate) use describe::describe_found;
pub use describe::{Described, describe};
pub use digest::{Digest, digest};
#[cfg(unix)]
pub use disk::{AbortedUpload, DiskStorage, Durability};
pub use hash_algorithm::HashAlgorithm;
pub use memory::MemFs;
pub use overlay::Overlay;
pub use owner::{Owner, Owners};
pub use path::{MAX_NAME, MAX_PATH, PathError, VirtualPath};
pub use quota::Quota;
pub use range::{open_read_range, open_write_range};
pub use seed::{MAX_SEED_DEPTH, MAX_SEED_ENTRIES, Seeded, SkipReason, Skipped, seed};
pub use subdirectory::Subdirectory;
pub use subtree::{MAX_SUBTREE, remove_subtree, subtree_size};
pub use vfs_adapter::VfsStorage;
pub use whole::{make_directories, read_file, set_facts, write_file};

use bytes::Bytes;
use std::fmt::Debug;
use std::io;
use std::time::SystemTime;

/// How large a piece of a file is read, written and kept at once.
pub const CHUNK: usize = 256 * 1024;

/// A tree of files and directories.
///
/// Error kinds with a meaning: `NotFound`, `AlreadyExists`, `PermissionDenied`, `NotADirectory`,
/// `IsADirectory`, `DirectoryNotEmpty`, `InvalidInput` (a name this storage cannot hold),
/// `Unsupported`, `StorageFull`, `QuotaExceeded`, `ReadOnlyFilesystem`.
pub trait Storage: Send + Sync + Debug + 'static {
    /// What this storage can do.
    fn abilities(&self) -> Abilities;

    /// What stands at `path`. A symbolic link is followed unless `follow` is false.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory` (a file on the way), or the storage's own.
    fn stat(&self, path: &VirtualPath, follow: bool) -> io::Result<Metadata>;

    /// The entries of a directory, sorted by name, without `.` and `..`. No lock is held while
    /// iterating.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`.
    fn list(
        &self,
        path: &VirtualPath,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Entry>> + Send>>;

    /// Opens a file for reading from `offset`; beyond its end there is nothing to read.
    ///
    /// # Errors
    /// `NotFound`, `IsADirectory`.
    fn open_read(&self, path: &VirtualPath, offset: u64) -> io::Result<Box<dyn ReadHandle>>;

    /// Opens a file for writing. Until [`WriteHandle::commit`] the old content stays what others
    /// see.
    ///
    /// # Errors
    /// `NotFound` (no such directory, or a symbolic link that leads to nothing), `AlreadyExists`
    /// ([`OpenWrite::CreateNew`]), `IsADirectory`, `InvalidInput`
    /// ([`OpenWrite::At`] beyond the end), and what the storage refuses.
    fn open_write(&self, path: &VirtualPath, how: OpenWrite) -> io::Result<Box<dyn WriteHandle>>;

    /// Makes a directory.
    ///
    /// # Errors
    /// `AlreadyExists`, `NotFound` (no parent).
    fn make_directory(&self, path: &VirtualPath) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `NotADirectory`, `DirectoryNotEmpty`, `NotFound`; `PermissionDenied` for the root.
    fn remove_directory(&self, path: &VirtualPath) -> io::Result<()>;

    /// Removes a file or a symbolic link.
    ///
    /// # Errors
    /// `IsADirectory`, `NotFound`.
    fn remove_file(&self, path: &VirtualPath) -> io::Result<()>;

    /// Renames a file or directory; a file at `to` is replaced, atomically where
    /// [`Abilities::atomic_rename`].
    ///
    /// # Errors
    /// `NotFound`, `InvalidInput` (into its own subtree), `IsADirectory`, `NotADirectory`,
    /// `DirectoryNotEmpty`.
    fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> io::Result<()>;

    /// Sets the given times of a file or directory.
    ///
    /// # Errors
    /// `NotFound`, `Unsupported`.
    fn set_times(&self, path: &VirtualPath, times: Times) -> io::Result<()>;

    /// Sets the permission bits.
    ///
    /// # Errors
    /// `Unsupported` unless overridden.
    fn set_mode(&self, path: &VirtualPath, mode: u32) -> io::Result<()> {
        let _ = (path, mode);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes a symbolic link. Its target is resolved inside the tree, whatever it says.
    ///
    /// # Errors
    /// `Unsupported` unless overridden.
    fn symlink(&self, target: &[u8], path: &VirtualPath) -> io::Result<()> {
        let _ = (target, path);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Octets that can still be stored at `path`.
    ///
    /// # Errors
    /// `Unsupported` unless overridden.
    fn available(&self, path: &VirtualPath) -> io::Result<u64> {
        let _ = path;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether `octets` more can be stored at `path` now (ALLO). A storage that can reserve them
    /// may do so. Unless overridden it is what [`available`](Self::available) says; a storage that
    /// does not know refuses nothing.
    ///
    /// # Errors
    /// `StorageFull` (452), `QuotaExceeded` or `FileTooLarge` (552). Any other error refuses
    /// nothing.
    fn allocate(&self, path: &VirtualPath, octets: u64) -> io::Result<()> {
        match self.available(path) {
            Ok(available) if octets > available => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    /// The digest of a file, or of its octets from `start` up to before `end` (`None` is the end of
    /// the file), if the storage knows it without reading the file, from a cache for example.
    /// `None` has the server read the octets and take the digest; that is what happens unless
    /// overridden.
    ///
    /// # Errors
    /// As [`digest()`].
    fn digest(
        &self,
        path: &VirtualPath,
        algorithm: HashAlgorithm,
        start: u64,
        end: Option<u64>,
    ) -> io::Result<Option<Digest>> {
        let _ = (path, algorithm, start, end);
        Ok(None)
    }
}

/// What a [`Storage`] can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Abilities {
    /// No call ever waits: the server runs them on its async threads.
    pub never_blocks: bool,
    /// [`OpenWrite::At`] works at any offset, not only at the end.
    pub write_at: bool,
    /// Symbolic links.
    pub symlinks: bool,
    /// Permission bits.
    pub modes: bool,
    /// [`Storage::available`].
    pub available: bool,
    /// `rename` is atomic.
    pub atomic_rename: bool,
}

/// Reads a file piece by piece.
pub trait ReadHandle: Send {
    /// The next octets, at most `max`, which is not 0; empty at the end. Zero-copy where the
    /// storage can.
    ///
    /// # Errors
    /// The storage's own.
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes>;

    /// The file of the host that these octets come from, if they are its octets from its position
    /// on, unchanged and to its end: where nothing has to be done to them, the host is asked to
    /// send them. Moving its position is reading.
    fn host_file(&mut self) -> Option<&std::fs::File> {
        None
    }
}

/// Writes a file piece by piece. Dropped without [`commit`](Self::commit), nothing has happened to
/// the old content.
pub trait WriteHandle: Send {
    /// Takes the next octets.
    ///
    /// # Errors
    /// `StorageFull`, `QuotaExceeded`, or the storage's own.
    fn write_chunk(&mut self, octets: Bytes) -> io::Result<()>;

    /// Makes everything written visible, at once.
    ///
    /// # Errors
    /// As [`write_chunk`](Self::write_chunk).
    fn commit(self: Box<Self>) -> io::Result<()>;
}

/// How a file is opened for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenWrite {
    /// STOR: new content.
    Truncate,
    /// STOU: only if there is nothing yet.
    CreateNew,
    /// APPE: behind what is there.
    Append,
    /// REST and STOR: from this offset on; what stands before it stays, what stood behind is cut
    /// off. An offset beyond the end is refused: such a restart marker cannot have come from this
    /// file.
    At(u64),
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// Octets; 0 for directories.
    pub len: u64,
    /// Permission bits, where the storage has them.
    pub mode: Option<u32>,
    /// Last modification.
    pub modified: Option<SystemTime>,
    /// Creation.
    pub created: Option<SystemTime>,
    /// What is the same for two names of one file and for no other file.
    pub unique: Option<u64>,
    /// Where a symbolic link leads.
    pub target: Option<Vec<u8>>,
    /// Whose it is, where the storage knows. Listings say `ftp` where it does not.
    pub owners: Option<Owners>,
}

/// What can stand at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name; never empty, no `/`.
    pub name: Vec<u8>,
    /// What it names (a link is not followed).
    pub metadata: Metadata,
}

/// Times to set; `None` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// Last modification (MFMT).
    pub modified: Option<SystemTime>,
    /// Creation (MFCT).
    pub created: Option<SystemTime>,
}
