//! Loads a directory of the host into a storage (`serve --seed`).

use super::{CHUNK, FileKind, MAX_PATH, OpenWrite, Storage, Times, VirtualPath, write_file};

use bytes::Bytes;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The most files, directories and links that are loaded.
pub const MAX_SEED_ENTRIES: usize = 100_000;
/// The deepest directory that is loaded.
pub const MAX_SEED_DEPTH: usize = 100;

/// The result of [`seed`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seeded {
    /// Files loaded.
    pub files: usize,
    /// Directories created or found, without the top one.
    pub directories: usize,
    /// Symbolic links created.
    pub symlinks: usize,
    /// Octets loaded.
    pub octets: u64,
    /// Entries that were left out, for a warning.
    pub skipped: Vec<Skipped>,
}

/// An entry that was not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its path on the host.
    pub path: PathBuf,
    /// The reason.
    pub reason: SkipReason,
}

/// Why an entry was not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// The storage has no symbolic links.
    Symlink,
    /// The symbolic link is absolute or leads outside the directory.
    SymlinkLeadsOut,
    /// A device, socket or pipe.
    Special,
    /// The name is not valid in a pathname.
    Name,
    /// It was replaced while it was read.
    Changed,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.reason {
            SkipReason::Symlink => "this storage has no symbolic links",
            SkipReason::SymlinkLeadsOut => "the symbolic link leads out of the directory",
            SkipReason::Special => "neither a file, a directory nor a symbolic link",
            SkipReason::Name => "the name cannot be a pathname here",
            SkipReason::Changed => "it changed while it was read",
        };
        write!(f, "{}: {reason}", self.path.display())
    }
}

/// Loads the entries of a host directory into a storage: files and directories with their times
/// and, if the storage has them, permission bits. Existing entries stay; files of the same name are
/// replaced.
///
/// Symbolic links are not followed. A link that stays inside the directory is created as a link.
///
/// # Errors
/// Errors of the host when reading, and of the storage when writing (among them `QuotaExceeded`);
/// `InvalidInput` for more than [`MAX_SEED_ENTRIES`] or deeper than [`MAX_SEED_DEPTH`]. Entries
/// loaded before the error stay.
pub fn seed(storage: &dyn Storage, directory: &Path) -> io::Result<Seeded> {
    let mut seeding = Seeding {
        storage,
        seeded: Seeded::default(),
        times: Vec::new(),
        ahead: vec![(directory.to_path_buf(), VirtualPath::root(), 0)],
    };
    while let Some((host, path, depth)) = seeding.ahead.pop() {
        seeding.directory(&host, &path, depth)?;
    }
    seeding.set_times()?;
    Ok(seeding.seeded)
}

struct Seeding<'s> {
    storage: &'s dyn Storage,
    seeded: Seeded,
    /// Times of directories are set last, because adding entries changes them.
    times: Vec<(VirtualPath, SystemTime)>,
    ahead: Vec<(PathBuf, VirtualPath, usize)>,
}

impl Seeding<'_> {
    fn directory(&mut self, host: &Path, path: &VirtualPath, depth: usize) -> io::Result<()> {
        let names: io::Result<Vec<OsString>> = fs::read_dir(host)?
            .take(MAX_SEED_ENTRIES + 1)
            .map(|entry| Ok(entry?.file_name()))
            .collect();
        let mut names = names?;
        names.sort_unstable();
        for name in names {
            let host = host.join(&name);
            let entries = self.seeded.files + self.seeded.directories + self.seeded.symlinks;
            if entries + self.seeded.skipped.len() >= MAX_SEED_ENTRIES {
                return Err(too_much("there are too many files"));
            }
            match below(path, &name) {
                Some(path) => self.entry(host, path, depth)?,
                None => self.skip(host, SkipReason::Name),
            }
        }
        Ok(())
    }

    fn entry(&mut self, host: PathBuf, path: VirtualPath, depth: usize) -> io::Result<()> {
        let metadata = fs::symlink_metadata(&host)?;
        if metadata.is_symlink() {
            return self.symlink(host, &path);
        }
        if metadata.is_file() {
            let Some(octets) = self.file(&host, &path, &metadata)? else {
                self.skip(host, SkipReason::Changed);
                return Ok(());
            };
            self.seeded.octets += octets;
            self.seeded.files += 1;
            if let Ok(modified) = metadata.modified() {
                self.set_time(&path, modified)?;
            }
            return self.set_mode(&path, &metadata);
        }
        if !metadata.is_dir() {
            self.skip(host, SkipReason::Special);
            return Ok(());
        }
        if depth == MAX_SEED_DEPTH {
            return Err(too_much("there are directories too deep"));
        }
        match self.storage.make_directory(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if self.storage.stat(&path, false)?.kind != FileKind::Directory {
                    return Err(error);
                }
            }
            made => made?,
        }
        self.seeded.directories += 1;
        self.set_mode(&path, &metadata)?;
        if let Ok(modified) = metadata.modified() {
            self.times.push((path.clone(), modified));
        }
        self.ahead.push((host, path, depth + 1));
        Ok(())
    }

    /// `None` if it is no longer the file that was examined.
    fn file(
        &self,
        host: &Path,
        path: &VirtualPath,
        looked_at: &fs::Metadata,
    ) -> io::Result<Option<u64>> {
        let mut file = File::open(host)?;
        if !is_same(&file.metadata()?, looked_at) {
            return Ok(None);
        }
        let (first, ended) = piece(&mut file)?;
        if ended {
            let octets = first.len() as u64;
            write_file(self.storage, path, first)?;
            return Ok(Some(octets));
        }
        let mut writing = self.storage.open_write(path, OpenWrite::Truncate)?;
        let mut octets = first.len() as u64;
        writing.write_chunk(first)?;
        loop {
            let (next, ended) = piece(&mut file)?;
            octets += next.len() as u64;
            if !next.is_empty() {
                writing.write_chunk(next)?;
            }
            if ended {
                writing.commit()?;
                return Ok(Some(octets));
            }
        }
    }

    fn symlink(&mut self, host: PathBuf, path: &VirtualPath) -> io::Result<()> {
        if !self.storage.abilities().symlinks {
            self.skip(host, SkipReason::Symlink);
            return Ok(());
        }
        let target = fs::read_link(&host)?;
        let Some(target) = octets(target.as_os_str()).filter(|target| stays_inside(path, target))
        else {
            self.skip(host, SkipReason::SymlinkLeadsOut);
            return Ok(());
        };
        match self.storage.stat(path, false) {
            Ok(metadata) if metadata.kind != FileKind::Directory => {
                self.storage.remove_file(path)?;
            }
            _ => {}
        }
        self.storage.symlink(&target, path)?;
        self.seeded.symlinks += 1;
        Ok(())
    }

    fn set_times(&self) -> io::Result<()> {
        for (path, modified) in self.times.iter().rev() {
            self.set_time(path, *modified)?;
        }
        Ok(())
    }

    fn set_time(&self, path: &VirtualPath, modified: SystemTime) -> io::Result<()> {
        let times = Times {
            modified: Some(modified),
            created: None,
        };
        match self.storage.set_times(path, times) {
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
            set => set,
        }
    }

    #[cfg(unix)]
    fn set_mode(&self, path: &VirtualPath, metadata: &fs::Metadata) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;

        if !self.storage.abilities().modes {
            return Ok(());
        }
        let mode = metadata.permissions().mode() & 0o7777;
        self.storage.set_mode(path, mode)
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "there are no permission bits here")]
    fn set_mode(&self, _path: &VirtualPath, _metadata: &fs::Metadata) -> io::Result<()> {
        Ok(())
    }

    fn skip(&mut self, path: PathBuf, reason: SkipReason) {
        self.seeded.skipped.push(Skipped { path, reason });
    }
}

/// The next octets, and whether the file has ended.
fn piece(file: &mut File) -> io::Result<(Bytes, bool)> {
    let mut octets = Vec::new();
    file.take(CHUNK as u64).read_to_end(&mut octets)?;
    let ended = octets.len() < CHUNK;
    Ok((octets.into(), ended))
}

fn below(path: &VirtualPath, name: &OsStr) -> Option<VirtualPath> {
    path.join(&octets(name)?).ok()
}

#[cfg(unix)]
fn octets(text: &OsStr) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;

    Some(text.as_bytes().to_vec())
}

#[cfg(not(unix))]
fn octets(text: &OsStr) -> Option<Vec<u8>> {
    Some(text.to_str()?.replace('\\', "/").into_bytes())
}

#[cfg(unix)]
fn is_same(opened: &fs::Metadata, looked_at: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    opened.is_file() && (opened.dev(), opened.ino()) == (looked_at.dev(), looked_at.ino())
}

#[cfg(not(unix))]
fn is_same(opened: &fs::Metadata, _looked_at: &fs::Metadata) -> bool {
    opened.is_file()
}

/// Whether a relative target, read name by name, never goes above the top directory.
fn stays_inside(link: &VirtualPath, target: &[u8]) -> bool {
    let unfit = |octet: &u8| matches!(octet, 0 | b'\r' | b'\n');
    if target.is_empty() || target[0] == b'/' || target.len() > MAX_PATH || target.iter().any(unfit)
    {
        return false;
    }
    let mut depth = link.components().count() - 1;
    for name in target.split(|octet| *octet == b'/') {
        match name {
            b"" | b"." => {}
            b".." => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    true
}

fn too_much(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why)
}

#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::super::tests::{kind, path};
    use super::super::{MemFs, VfsStorage, read_file};
    use super::*;

    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::time::{Duration, UNIX_EPOCH};
    use tempfile::TempDir;
    use vfs::MemoryFS;

    fn host() -> TempDir {
        let host = tempfile::tempdir().unwrap();
        let at = |name: &str| host.path().join(name);
        fs::create_dir_all(at("d/e")).unwrap();
        fs::write(at("d/file"), "content").unwrap();
        fs::write(at("empty"), "").unwrap();
        fs::write(at("large"), vec![7; CHUNK]).unwrap();
        fs::set_permissions(at("d/file"), fs::Permissions::from_mode(0o600)).unwrap();
        for name in ["d/file", "d"] {
            File::open(at(name))
                .unwrap()
                .set_modified(long_ago())
                .unwrap();
        }
        host
    }

    fn long_ago() -> SystemTime {
        UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789)
    }

    #[test]
    fn files_and_directories_are_loaded_with_times_and_modes() {
        let (host, fs) = (host(), MemFs::new());
        let seeded = seed(&fs, host.path()).unwrap();
        assert_eq!(
            (seeded.files, seeded.directories, seeded.symlinks),
            (3, 2, 0)
        );
        assert_eq!(seeded.octets, 7 + CHUNK as u64);
        assert_eq!(seeded.skipped, []);
        assert_eq!(read_file(&fs, &path("d/file"), 99).unwrap(), b"content");
        assert!(read_file(&fs, &path("large"), CHUNK).unwrap() == vec![7; CHUNK]);
        let metadata = fs.stat(&path("d/file"), true).unwrap();
        assert_eq!(
            (metadata.modified, metadata.mode),
            (Some(long_ago()), Some(0o600))
        );
        assert_eq!(
            fs.stat(&path("d"), true).unwrap().modified,
            Some(long_ago())
        );
        assert_eq!(
            fs.stat(&path("d/e"), true).unwrap().kind,
            FileKind::Directory
        );
    }

    #[test]
    fn links_inside_are_kept_and_links_out_are_skipped() {
        let host = host();
        let outside = tempfile::NamedTempFile::new().unwrap();
        let at = |name: &str| host.path().join(name);
        symlink("../d/file", at("d/inside")).unwrap();
        symlink(outside.path(), at("absolute")).unwrap();
        symlink("d/../../outside", at("climbs")).unwrap();
        symlink("/", at("root")).unwrap();
        let fs = MemFs::new();
        let seeded = seed(&fs, host.path()).unwrap();
        assert_eq!(seeded.symlinks, 1);
        assert_eq!(read_file(&fs, &path("d/inside"), 99).unwrap(), b"content");
        let out = |name| Skipped {
            path: at(name),
            reason: SkipReason::SymlinkLeadsOut,
        };
        assert_eq!(
            seeded.skipped,
            [out("absolute"), out("climbs"), out("root")]
        );
        assert_eq!(
            fs.stat(&path("absolute"), false).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }

    #[test]
    fn a_storage_without_links_skips_them() {
        let host = host();
        symlink("empty", host.path().join("link")).unwrap();
        let storage = VfsStorage::new(MemoryFS::new().into());
        let seeded = seed(&storage, host.path()).unwrap();
        assert_eq!(seeded.files, 3);
        assert_eq!(seeded.skipped.len(), 1);
        assert!(
            seeded.skipped[0]
                .to_string()
                .ends_with("link: this storage has no symbolic links")
        );
        assert_eq!(
            storage.stat(&path("d/file"), true).unwrap().modified,
            Some(long_ago())
        );
    }

    #[test]
    fn sockets_and_names_with_line_ends_are_skipped() {
        let host = tempfile::tempdir().unwrap();
        let _socket = UnixListener::bind(host.path().join("socket")).unwrap();
        fs::write(host.path().join("two\r\nlines"), "").unwrap();
        let seeded = seed(&MemFs::new(), host.path()).unwrap();
        let reasons: Vec<SkipReason> = seeded
            .skipped
            .iter()
            .map(|skipped| skipped.reason)
            .collect();
        assert_eq!(reasons, [SkipReason::Special, SkipReason::Name]);
    }

    #[test]
    fn seeding_twice_is_seeding_once() {
        let host = host();
        symlink("empty", host.path().join("link")).unwrap();
        let fs = MemFs::new();
        let first = seed(&fs, host.path()).unwrap();
        let used = fs.used();
        assert_eq!(seed(&fs, host.path()).unwrap(), first);
        assert_eq!(fs.used(), used);
    }

    #[test]
    fn a_seed_larger_than_the_quota_is_an_error() {
        let fs = MemFs::new().with_quota(100);
        assert_eq!(kind(seed(&fs, host().path())), ErrorKind::QuotaExceeded);
    }

    #[test]
    fn directories_too_deep_are_an_error() {
        let host = tempfile::tempdir().unwrap();
        fs::create_dir_all(host.path().join("d/".repeat(MAX_SEED_DEPTH + 1))).unwrap();
        assert_eq!(
            kind(seed(&MemFs::new(), host.path())),
            ErrorKind::InvalidInput
        );
    }

    #[test]
    fn a_seed_that_is_no_directory_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(
            kind(seed(&MemFs::new(), file.path())),
            ErrorKind::NotADirectory
        );
    }
}
