//! Traps of particular file systems.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use super::*;
use crate::storage::MemFs;
use crate::storage::tests::{content, kind, listed, path, put, try_put};

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vfs::error::VfsErrorKind;
use vfs::{
    FileSystem, MemoryFS, OverlayFS, PhysicalFS, SeekAndWrite, VfsError, VfsMetadata, VfsResult,
};

#[test]
fn names_that_are_not_utf8_are_invalid() {
    let storage = VfsStorage::new(MemoryFS::new().into());
    let name = VirtualPath::root().join(b"\xff").unwrap();
    assert_eq!(kind(storage.stat(&name, true)), ErrorKind::InvalidInput);
}

#[test]
fn temporary_files_cannot_be_named() {
    let root = VfsPath::new(MemoryFS::new());
    let storage = VfsStorage::new(root.clone());
    let upload = storage.open_write(&path("a"), OpenWrite::Truncate).unwrap();
    let temporary = root.read_dir().unwrap().next().unwrap().filename();
    assert!(temporary.starts_with(PREFIX));
    assert_eq!(
        kind(storage.stat(&path(&temporary), true)),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        kind(try_put(&storage, &format!("{PREFIX}x/y"), "")),
        ErrorKind::InvalidInput
    );
    drop(upload);
    assert_eq!(root.read_dir().unwrap().count(), 0);
}

#[test]
fn what_a_server_left_over_is_not_shown_and_does_not_hold_a_directory() {
    let root = VfsPath::new(MemoryFS::new());
    let storage = VfsStorage::new(root.clone());
    storage.make_directory(&path("d")).unwrap();
    let left_over = root.join(format!("d/{PREFIX}0123-0")).unwrap();
    drop(left_over.create_file().unwrap());
    assert_eq!(listed(&storage, "d"), Vec::<String>::new());
    let upload = storage
        .open_write(&path("d/a"), OpenWrite::Truncate)
        .unwrap();
    assert_eq!(
        kind(storage.remove_directory(&path("d"))),
        ErrorKind::DirectoryNotEmpty
    );
    drop(upload);
    storage.remove_directory(&path("d")).unwrap();
    assert!(!root.join("d").unwrap().exists().unwrap());
}

#[test]
fn an_overlay_does_not_gather_a_mark_for_every_upload() {
    let upper = VfsPath::new(MemoryFS::new());
    let lower = VfsPath::new(MemoryFS::new());
    let storage = VfsStorage::new(OverlayFS::new(&[upper.clone(), lower]).into());
    for _ in 0..20 {
        put(&storage, "a", "content");
    }
    let marks = upper.join(".whiteout").unwrap().read_dir().unwrap().count();
    assert!(marks <= 3, "{marks} marks");
}

#[test]
fn an_overlay_shows_the_lower_layer_and_leaves_it_alone() {
    let upper = VfsPath::new(MemoryFS::new());
    let lower = VfsPath::new(MemoryFS::new());
    lower.join("d").unwrap().create_dir().unwrap();
    for name in ["d/a", "d/b"] {
        let mut file = lower.join(name).unwrap().create_file().unwrap();
        file.write_all(b"lower").unwrap();
    }
    let storage = VfsStorage::new(OverlayFS::new(&[upper, lower.clone()]).into());
    assert_eq!(
        kind(storage.remove_directory(&path("d"))),
        ErrorKind::DirectoryNotEmpty
    );
    let times = Times {
        modified: Some(UNIX_EPOCH),
        created: None,
    };
    assert_eq!(
        kind(storage.set_times(&path("d/a"), times)),
        ErrorKind::Unsupported
    );
    put(&storage, "d/a", "upper");
    storage.remove_file(&path("d/b")).unwrap();
    assert_eq!(content(&storage, "d/a"), "upper");
    assert_eq!(listed(&storage, "d"), ["a"]);
    for name in ["d/a", "d/b"] {
        assert_eq!(lower.join(name).unwrap().read_to_string().unwrap(), "lower");
    }
}

#[cfg(unix)]
#[test]
fn a_directory_of_the_host_with_odd_names_and_dangling_links_is_listed() {
    use std::os::unix::ffi::OsStrExt;

    let host = tempfile::tempdir().unwrap();
    for name in [&b"\xff"[..], b"two\r\nlines", b"plain"] {
        std::fs::write(host.path().join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
    }
    std::os::unix::fs::symlink("nowhere", host.path().join("dangling")).unwrap();
    let storage = VfsStorage::new(PhysicalFS::new(host.path()).into());
    assert_eq!(listed(&storage, "/"), ["plain"]);
}

/// A file system with errors on demand.
#[derive(Debug, Default)]
struct Breaking {
    inner: MemFs,
    on_write: Arc<AtomicBool>,
    on_move: Arc<AtomicBool>,
    on_metadata: Arc<AtomicBool>,
}

struct BreakingFile(Box<dyn SeekAndWrite + Send>, Arc<AtomicBool>);

impl io::Write for BreakingFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.1.load(Ordering::Relaxed) {
            return Err(ErrorKind::StorageFull.into());
        }
        self.0.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl io::Seek for BreakingFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl FileSystem for Breaking {
    fn read_dir(&self, path: &str) -> VfsResult<Box<dyn Iterator<Item = String> + Send>> {
        self.inner.read_dir(path)
    }

    fn create_dir(&self, path: &str) -> VfsResult<()> {
        self.inner.create_dir(path)
    }

    fn open_file(&self, path: &str) -> VfsResult<Box<dyn SeekAndRead + Send>> {
        self.inner.open_file(path)
    }

    fn create_file(&self, path: &str) -> VfsResult<Box<dyn SeekAndWrite + Send>> {
        let file = self.inner.create_file(path)?;
        Ok(Box::new(BreakingFile(file, self.on_write.clone())))
    }

    fn append_file(&self, path: &str) -> VfsResult<Box<dyn SeekAndWrite + Send>> {
        let file = self.inner.append_file(path)?;
        Ok(Box::new(BreakingFile(file, self.on_write.clone())))
    }

    fn metadata(&self, path: &str) -> VfsResult<VfsMetadata> {
        assert!(!self.on_metadata.load(Ordering::Relaxed), "set to break");
        self.inner.metadata(path)
    }

    fn set_modification_time(&self, path: &str, time: SystemTime) -> VfsResult<()> {
        self.inner.set_modification_time(path, time)
    }

    fn exists(&self, path: &str) -> VfsResult<bool> {
        self.inner.exists(path)
    }

    fn remove_file(&self, path: &str) -> VfsResult<()> {
        FileSystem::remove_file(&self.inner, path)
    }

    fn remove_dir(&self, path: &str) -> VfsResult<()> {
        self.inner.remove_dir(path)
    }

    fn move_file(&self, source: &str, destination: &str) -> VfsResult<()> {
        if self.on_move.load(Ordering::Relaxed) && source.contains(PREFIX) && destination == "/a" {
            self.on_move.store(false, Ordering::Relaxed);
            return Err(VfsError::from(VfsErrorKind::Other("broken".into())));
        }
        self.inner.move_file(source, destination)
    }
}

#[test]
fn an_upload_the_storage_has_no_room_for_leaves_the_old_file() {
    let breaking = Breaking::default();
    let on_write = breaking.on_write.clone();
    let storage = VfsStorage::new(breaking.into());
    put(&storage, "a", "old");
    let mut upload = storage.open_write(&path("a"), OpenWrite::Truncate).unwrap();
    upload.write_chunk("some".into()).unwrap();
    on_write.store(true, Ordering::Relaxed);
    assert_eq!(
        kind(upload.write_chunk("more".into())),
        ErrorKind::StorageFull
    );
    on_write.store(false, Ordering::Relaxed);
    upload.write_chunk("goes on".into()).unwrap_err();
    upload.commit().unwrap_err();
    assert_eq!(content(&storage, "a"), "old");
    assert_eq!(listed(&storage, "/"), ["a"]);
}

#[test]
fn a_file_that_could_not_be_replaced_comes_back() {
    let breaking = Breaking::default();
    let on_move = breaking.on_move.clone();
    let root = VfsPath::new(breaking);
    let storage = VfsStorage::new(root.clone());
    put(&storage, "a", "old");
    let times = Times {
        modified: Some(UNIX_EPOCH + Duration::from_secs(1)),
        created: None,
    };
    storage.set_times(&path("a"), times).unwrap();
    on_move.store(true, Ordering::Relaxed);
    try_put(&storage, "a", "new").unwrap_err();
    assert!(!on_move.load(Ordering::Relaxed));
    assert_eq!(content(&storage, "a"), "old");
    assert_eq!(
        storage.stat(&path("a"), true).unwrap().modified,
        times.modified
    );
    assert_eq!(root.read_dir().unwrap().count(), 1);
    put(&storage, "a", "new");
    assert_eq!(content(&storage, "a"), "new");
}

#[test]
fn a_panic_in_the_file_system_is_an_error_of_that_call_alone() {
    let breaking = Breaking::default();
    let on_metadata = breaking.on_metadata.clone();
    let storage = VfsStorage::new(breaking.into());
    put(&storage, "a", "content");
    on_metadata.store(true, Ordering::Relaxed);
    assert_eq!(kind(storage.stat(&path("a"), true)), ErrorKind::Other);
    assert!(storage.open_write(&path("a"), OpenWrite::Truncate).is_err());
    on_metadata.store(false, Ordering::Relaxed);
    assert_eq!(content(&storage, "a"), "content");
}
