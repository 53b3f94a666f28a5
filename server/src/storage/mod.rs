//! Storage of files. A [`Storage`] is blocking and object safe; paths are validated
//! ([`VirtualPath`]); errors are [`io::Error`] with documented kinds, which `pi` maps to reply
//! codes.
//!
//! Nothing in this module knows replies, sockets or tokio.

mod change;
mod combine;
mod describe;
mod digest;
#[cfg(unix)]
mod disk;
mod files;
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

pub use change::Change;
pub use combine::combine;
pub(crate) use describe::describe_found;
pub use describe::{Described, describe};
pub use digest::{Digest, digest};
#[cfg(unix)]
pub use disk::{AbortedUpload, DiskStorage, Durability};
pub use files::Files;
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

/// The size in octets of the pieces in which files are read, written and stored.
pub const CHUNK: usize = 256 * 1024;

/// A tree of files and directories.
///
/// Error kinds with a meaning: `NotFound`, `AlreadyExists`, `PermissionDenied`, `NotADirectory`,
/// `IsADirectory`, `DirectoryNotEmpty`, `InvalidInput` (a name this storage cannot hold),
/// `Unsupported`, `StorageFull`, `QuotaExceeded`, `ReadOnlyFilesystem`.
pub trait Storage: Send + Sync + Debug + 'static {
    /// The capabilities of this storage.
    fn abilities(&self) -> Abilities;

    /// The metadata of `path`. A symbolic link is followed unless `follow` is false.
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

    /// Opens a file for reading from `offset`; beyond its end nothing is read.
    ///
    /// # Errors
    /// `NotFound`, `IsADirectory`.
    fn open_read(&self, path: &VirtualPath, offset: u64) -> io::Result<Box<dyn ReadHandle>>;

    /// Opens a file for writing. Others see the old content until [`WriteHandle::commit`].
    ///
    /// # Errors
    /// `NotFound` (no such directory, or a dangling symbolic link), `AlreadyExists`
    /// ([`OpenWrite::CreateNew`]), `IsADirectory`, `InvalidInput` ([`OpenWrite::At`] beyond the
    /// end), or the storage's own.
    fn open_write(&self, path: &VirtualPath, how: OpenWrite) -> io::Result<Box<dyn WriteHandle>>;

    /// Creates a directory.
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

    /// Creates a symbolic link. Its target is always resolved inside the tree.
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

    /// Whether `octets` more can be stored at `path` now (ALLO). A storage may reserve them. The
    /// default compares with [`available`](Self::available); a storage that does not know its free
    /// space accepts any number.
    ///
    /// # Errors
    /// `StorageFull` (452), `QuotaExceeded` or `FileTooLarge` (552). Other errors do not refuse
    /// ALLO.
    fn allocate(&self, path: &VirtualPath, octets: u64) -> io::Result<()> {
        match self.available(path) {
            Ok(available) if octets > available => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    /// The digest of the octets of a file from `start` to `end` (excluded; `None` is the end of the
    /// file), if the storage knows it without reading the file, for example from a cache. With
    /// `None`, the default, the server reads the octets.
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

/// The capabilities of a [`Storage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Abilities {
    /// No call ever waits, so the server calls it on async threads.
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

    /// The host file of these octets, if they are its octets from its current position to its end,
    /// unchanged: the server can then use sendfile(2). Moving the position counts as reading.
    fn host_file(&mut self) -> Option<&std::fs::File> {
        None
    }
}

/// Writes a file piece by piece. If it is dropped without [`commit`](Self::commit), the old content
/// stays.
pub trait WriteHandle: Send {
    /// Takes the next octets.
    ///
    /// # Errors
    /// `StorageFull`, `QuotaExceeded`, or the storage's own.
    fn write_chunk(&mut self, octets: Bytes) -> io::Result<()>;

    /// Makes everything written visible, atomically.
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
    /// STOU: only if the name is free.
    CreateNew,
    /// APPE: at the end of the file.
    Append,
    /// REST and STOR: from this offset on; the octets before it stay, those after it are cut off.
    /// An offset beyond the end is refused: such a restart marker cannot be of this file.
    At(u64),
}

/// The metadata of a file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The kind.
    pub kind: FileKind,
    /// The length in octets; 0 for directories.
    pub len: u64,
    /// Permission bits, if the storage has them.
    pub mode: Option<u32>,
    /// Last modification.
    pub modified: Option<SystemTime>,
    /// Creation.
    pub created: Option<SystemTime>,
    /// An identifier that is the same for all names of one file, and differs from those of other
    /// files.
    pub unique: Option<u64>,
    /// The target of a symbolic link.
    pub target: Option<Vec<u8>>,
    /// The owner and group, if the storage knows them. Listings show `ftp` otherwise.
    pub owners: Option<Owners>,
}

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name; never empty, no `/`.
    pub name: Vec<u8>,
    /// Its metadata (a link is not followed).
    pub metadata: Metadata,
}

/// Times to set; `None` leaves a time unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// Last modification (MFMT).
    pub modified: Option<SystemTime>,
    /// Creation (MFCT).
    pub created: Option<SystemTime>,
}
