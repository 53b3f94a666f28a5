//! [`DiskStorage`]: a directory of the host.
//!
//! ```text
//!  ROOT/                    opened once; every path is resolved from here, name by name
//!  ROOT/.ftpspec-uploads/   uploads in progress; not reachable by paths, not listed
//! ```

mod place;
mod temporary;
mod upload;

use super::{
    Abilities, CHUNK, Entry, MAX_PATH, Metadata, OpenWrite, ReadHandle, Storage, Times,
    VirtualPath, WriteHandle,
};

use bytes::{Bytes, BytesMut};
use cap_fs_ext::{DirExt, SystemTimeSpec};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt, Permissions, PermissionsExt};
use place::Place;
use std::collections::{HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use temporary::{Uploads, is_uploads};
use upload::Upload;

/// Extra space for octets that are appended to a file while it is read.
const MIN_PIECE: usize = 4096;
/// Buffers that are kept for reuse: as many as can be in use at once.
const MAX_GIVEN: usize = 8;

/// A directory of the host as a [`Storage`]. Clones are handles to the same directory.
///
/// * No path leads outside the directory: not by `..`, links or races with programs that create
///   links. Links are resolved as if the directory were the root of the host.
/// * Names are octets. Times have nanoseconds; `unique` is made from device and inode.
/// * An upload goes to a hidden directory below the root and is renamed at commit: others see
///   either the old file or the new one, also if the server is killed. Files left by a killed
///   server are removed at the next start. The root should be on one file system, since a commit
///   across file systems fails.
/// * [`OpenWrite::At`] copies the octets before the offset when it is opened, and
///   [`OpenWrite::Append`] the old file at commit, so that the old file stays complete until then.
///   btrfs and XFS share the octets instead.
/// * A replaced file keeps its permission bits. Its other names (hard links) keep the old content.
/// * [`OpenWrite::CreateNew`] reserves the name in this storage without touching the disk.
/// * Devices, sockets and FIFOs are neither shown nor opened. The host checks permissions for the
///   user of the server.
#[derive(Debug, Clone)]
pub struct DiskStorage {
    shared: Arc<Shared>,
    aborted: AbortedUpload,
    durability: Durability,
}

/// How an upload that is not completed is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AbortedUpload {
    /// It is discarded.
    #[default]
    Discard,
    /// The received part is published, so that the client can continue with REST or APPE, if that
    /// loses no octet of an existing file: under a free name, or at the end of a file. Otherwise it
    /// is discarded.
    Keep,
}

/// When an upload is safe from a crash of the host (not of the server, which is always safe).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When the host writes it out.
    #[default]
    Host,
    /// At commit: file and directory are synchronised before the reply.
    AtCommit,
}

#[derive(Debug)]
struct Shared {
    root: Arc<Dir>,
    /// `None` if the storage is read-only.
    uploads: Option<Uploads>,
    /// Held while a name is created or removed.
    turn: Mutex<()>,
    names: Mutex<Names>,
}

/// Names that are reserved for uploads, by directory.
#[derive(Debug, Default)]
struct Names {
    next: u64,
    reserved: HashMap<(u64, u64, OsString), u64>,
}

/// A name that is reserved until this is dropped.
#[derive(Debug)]
struct Reservation {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut names = self.shared.names();
        names.reserved.retain(|_, number| *number != self.number);
    }
}

impl Shared {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DiskStorage {
    /// Serves the files below `root`.
    ///
    /// # Errors
    /// If it is not a directory that can be read and written.
    pub fn open(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = Arc::new(Dir::open_ambient_dir(root, ambient_authority())?);
        let uploads = Uploads::open(&root)?;
        Ok(Self::with(root, Some(uploads)))
    }

    /// Serves the files below `root` and never changes anything there, not even temporarily.
    ///
    /// # Errors
    /// If it is not a directory that can be read.
    pub fn open_read_only(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = Dir::open_ambient_dir(root, ambient_authority())?;
        Ok(Self::with(Arc::new(root), None))
    }

    /// How uploads that are not completed are handled. Default: they are discarded.
    #[must_use]
    pub fn aborted(mut self, policy: AbortedUpload) -> Self {
        self.aborted = policy;
        self
    }

    /// When uploads are safe from a crash of the host. Default: when the host writes them out.
    #[must_use]
    pub fn durability(mut self, policy: Durability) -> Self {
        self.durability = policy;
        self
    }

    fn with(root: Arc<Dir>, uploads: Option<Uploads>) -> Self {
        Self {
            shared: Arc::new(Shared {
                root,
                uploads,
                turn: Mutex::default(),
                names: Mutex::default(),
            }),
            aborted: AbortedUpload::default(),
            durability: Durability::default(),
        }
    }

    fn find(&self, path: &VirtualPath, follow: bool) -> io::Result<Place> {
        Place::find(&self.shared.root, path, follow)
    }

    fn uploads(&self) -> io::Result<&Uploads> {
        let uploads = self.shared.uploads.as_ref();
        uploads.ok_or_else(|| ErrorKind::ReadOnlyFilesystem.into())
    }

    fn in_turn(&self) -> MutexGuard<'_, ()> {
        let turn = self.shared.turn.lock();
        turn.unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a free name.
    fn reserve(&self, place: &Place) -> io::Result<Reservation> {
        let key = key(place)?;
        let mut names = self.shared.names();
        if names.reserved.contains_key(&key) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        names.next += 1;
        let number = names.next;
        names.reserved.insert(key, number);
        drop(names);
        Ok(Reservation {
            shared: Arc::clone(&self.shared),
            number,
        })
    }

    fn is_reserved(&self, place: &Place) -> io::Result<bool> {
        Ok(self.shared.names().reserved.contains_key(&key(place)?))
    }

    fn place_to_change(&self, path: &VirtualPath) -> io::Result<Place> {
        self.uploads()?;
        if path.is_root() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        self.find(path, false)
    }
}

fn key(place: &Place) -> io::Result<(u64, u64, OsString)> {
    let directory = place.parent.dir_metadata()?;
    let name = place.named(ErrorKind::AlreadyExists)?.to_owned();
    Ok((directory.dev(), directory.ino(), name))
}

impl Storage for DiskStorage {
    fn abilities(&self) -> Abilities {
        Abilities {
            never_blocks: false,
            write_at: true,
            symlinks: true,
            modes: true,
            available: true,
            atomic_rename: true,
        }
    }

    fn stat(&self, path: &VirtualPath, follow: bool) -> io::Result<Metadata> {
        self.find(path, follow)?.metadata()
    }

    fn list(
        &self,
        path: &VirtualPath,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Entry>> + Send>> {
        let place = self.find(path, true)?;
        let directory = place.open_directory()?;
        let at_root = place.at_root && place.name.is_none();
        let mut names = Vec::new();
        for entry in directory.entries()? {
            let name = entry?.file_name();
            if !(at_root && is_uploads(&name)) && is_name(&name) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(Box::new(names.into_iter().filter_map(move |name| {
            let place = Place {
                parent: Arc::clone(&directory),
                name: Some(name),
                at_root,
            };
            // Entries that have been removed, and those that are neither files nor directories, are
            // not shown.
            let metadata = place.metadata().ok()?;
            let name = place.name?.into_vec();
            Some(Ok(Entry { name, metadata }))
        })))
    }

    fn open_read(&self, path: &VirtualPath, offset: u64) -> io::Result<Box<dyn ReadHandle>> {
        let (file, found) = self.find(path, true)?.open_file()?;
        let mut file = file.into_std();
        let rest = found.len().saturating_sub(offset);
        // An offset beyond the end may exceed the range of the host.
        let ended = offset > found.len();
        if offset > 0 && !ended {
            file.seek(SeekFrom::Start(offset))?;
        }
        Ok(Box::new(Reader {
            file,
            rest,
            ended,
            given: VecDeque::new(),
        }))
    }

    fn open_write(&self, path: &VirtualPath, how: OpenWrite) -> io::Result<Box<dyn WriteHandle>> {
        Ok(Box::new(Upload::open(self, path, how)?))
    }

    fn make_directory(&self, path: &VirtualPath) -> io::Result<()> {
        self.uploads()?;
        let place = self.find(path, false)?;
        let name = place.named(ErrorKind::AlreadyExists)?;
        let _in_turn = self.in_turn();
        if self.is_reserved(&place)? {
            return Err(ErrorKind::AlreadyExists.into());
        }
        place.parent.create_dir(name)
    }

    fn remove_directory(&self, path: &VirtualPath) -> io::Result<()> {
        let place = self.place_to_change(path)?;
        let _in_turn = self.in_turn();
        if !place.found()?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        place
            .parent
            .remove_dir(place.named(ErrorKind::PermissionDenied)?)
    }

    fn remove_file(&self, path: &VirtualPath) -> io::Result<()> {
        self.uploads()?;
        let place = self.find(path, false)?;
        let name = place.named(ErrorKind::IsADirectory)?;
        let _in_turn = self.in_turn();
        match place.found_if_any()? {
            Some(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
            Some(_) => place.parent.remove_file(name),
            None => {
                let given_back = self.shared.names().reserved.remove(&key(&place)?);
                given_back
                    .map(drop)
                    .ok_or_else(|| ErrorKind::NotFound.into())
            }
        }
    }

    fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
        if to.is_root() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let old = self.place_to_change(from)?;
        let _in_turn = self.in_turn();
        let moved = old.found()?;
        if from == to {
            return Ok(());
        }
        // Checked on the paths first, so that the right error is returned even if the parent of
        // `to` is missing.
        if moved.is_dir() && to.is_within(from) {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "a directory cannot be moved into itself",
            ));
        }
        // Here the host would report that the directory is not empty.
        if !moved.is_dir() && from.is_within(to) {
            return Err(ErrorKind::IsADirectory.into());
        }
        let new = self.find(to, false)?;
        old.parent.rename(
            old.named(ErrorKind::PermissionDenied)?,
            &new.parent,
            new.named(ErrorKind::PermissionDenied)?,
        )
    }

    fn set_times(&self, path: &VirtualPath, times: Times) -> io::Result<()> {
        self.uploads()?;
        let place = self.find(path, true)?;
        place.found()?;
        if times.created.is_some() {
            return Err(ErrorKind::Unsupported.into());
        }
        let Some(modified) = times.modified else {
            return Ok(());
        };
        let modified = cap_std::time::SystemTime::from_std(modified);
        let name = place.name.as_deref().unwrap_or_else(|| OsStr::new("."));
        let modified = Some(SystemTimeSpec::from(modified));
        place.parent.set_symlink_times(name, None, modified)
    }

    /// Set-user-ID and set-group-ID are refused: clients must not create programs that run as the
    /// user of the server.
    fn set_mode(&self, path: &VirtualPath, mode: u32) -> io::Result<()> {
        self.uploads()?;
        if mode & !0o1777 != 0 {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let place = self.find(path, true)?;
        place.metadata()?;
        let name = place.name.as_deref().unwrap_or_else(|| OsStr::new("."));
        place
            .parent
            .set_permissions(name, Permissions::from_mode(mode))
    }

    /// The link is relative and never climbs above the root, so that it has the same target for
    /// other programs on the host.
    fn symlink(&self, target: &[u8], path: &VirtualPath) -> io::Result<()> {
        self.uploads()?;
        let place = self.find(path, false)?;
        let name = place.named(ErrorKind::AlreadyExists)?;
        let parent = path.parent().unwrap_or_else(VirtualPath::root);
        if target.is_empty() {
            return Err(ErrorKind::InvalidInput.into());
        }
        let absolute = parent.join(target).map_err(|_| ErrorKind::InvalidInput)?;
        let target = relative(&parent, &absolute);
        if target.len() > MAX_PATH {
            return Err(ErrorKind::InvalidInput.into());
        }
        let _in_turn = self.in_turn();
        if self.is_reserved(&place)? {
            return Err(ErrorKind::AlreadyExists.into());
        }
        place
            .parent
            .symlink_contents(OsStr::from_bytes(&target), name)
    }

    fn available(&self, path: &VirtualPath) -> io::Result<u64> {
        let place = self.find(path, true)?;
        place.found()?;
        let room = rustix::fs::fstatvfs(&*place.parent)?;
        Ok(room.f_bavail.saturating_mul(room.f_frsize))
    }
}

/// The relative path of `to` from the directory `from`.
fn relative(from: &VirtualPath, to: &VirtualPath) -> Vec<u8> {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from.len() - common;
    let mut names = vec![&b".."[..]; up];
    names.extend(&to[common..]);
    match names.join(&b'/') {
        nothing if nothing.is_empty() => b".".to_vec(),
        path => path,
    }
}

/// Whether a client could send this name.
fn is_name(name: &OsStr) -> bool {
    VirtualPath::root()
        .join(name.as_bytes())
        .is_ok_and(|path| path.name() == Some(name.as_bytes()))
}

/// Reads an open file.
struct Reader {
    file: File,
    /// The octets that are not read yet, as of opening: it determines the size of a buffer.
    rest: u64,
    ended: bool,
    /// Large buffers that were handed out, in order, to be reused when they are no longer
    /// referenced: memory that the host has to clear first costs more than reading.
    given: VecDeque<Bytes>,
}

impl Reader {
    /// A buffer of `room` octets that may be overwritten.
    fn taken_back(&mut self, room: usize) -> Option<BytesMut> {
        self.given
            .pop_front_if(|oldest| oldest.len() == room && oldest.is_unique())
            .and_then(|oldest| oldest.try_into_mut().ok())
    }
}

impl ReadHandle for Reader {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        if self.ended {
            return Ok(Bytes::new());
        }
        let max = max.min(CHUNK);
        // The file may have grown since it was opened.
        let room = usize::try_from(self.rest).map_or(max, |rest| rest.max(MIN_PIECE).min(max));
        let octets = if let Some(mut octets) = self.taken_back(room) {
            let count = fill(&mut self.file, &mut octets)?;
            octets.truncate(count);
            octets.freeze()
        } else {
            let mut octets = Vec::with_capacity(room);
            let mut file = Read::by_ref(&mut self.file).take(room as u64);
            file.read_to_end(&mut octets)?;
            octets.into()
        };
        self.rest = self.rest.saturating_sub(octets.len() as u64);
        if octets.len() == CHUNK && self.given.len() < MAX_GIVEN {
            self.given.push_back(octets.clone());
        }
        Ok(octets)
    }

    fn host_file(&mut self) -> Option<&File> {
        // Nothing more is read.
        self.given.clear();
        (!self.ended).then_some(&self.file)
    }
}

/// Reads until `octets` is full or the file ends; returns the number of octets.
fn fill(file: &mut File, octets: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < octets.len() {
        match file.read(&mut octets[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
