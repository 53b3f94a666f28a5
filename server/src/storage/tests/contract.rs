//! What is claimed of every storage, for each of ours.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use super::{content, kind, listed, path, put};
use crate::storage::*;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;
use vfs::{AltrootFS, MemoryFS, OverlayFS, PhysicalFS, VfsPath};

/// A storage to be questioned.
pub(in crate::storage) struct Subject {
    pub(in crate::storage) storage: Box<dyn Storage>,
    _directory: Option<TempDir>,
}

pub(in crate::storage) fn subject(storage: impl Storage) -> Subject {
    Subject {
        storage: Box::new(storage),
        _directory: None,
    }
}

/// A storage of a directory of the host.
fn in_a_directory<S: Storage>(open: impl FnOnce(&Path) -> S) -> Subject {
    let directory = tempfile::tempdir().unwrap();
    Subject {
        storage: Box::new(open(directory.path())),
        _directory: Some(directory),
    }
}

/// Storages of every kind, each with nothing in it.
pub(in crate::storage) fn subjects() -> [Subject; 5] {
    [
        memory(),
        vfs_memory(),
        vfs_physical(),
        vfs_overlay(),
        disk(),
    ]
}

pub(in crate::storage) fn memory() -> Subject {
    subject(MemFs::new())
}

pub(in crate::storage) fn vfs_memory() -> Subject {
    subject(VfsStorage::new(MemoryFS::new().into()))
}

pub(in crate::storage) fn vfs_mem_fs() -> Subject {
    subject(VfsStorage::new(MemFs::new().into()))
}

pub(in crate::storage) fn vfs_physical() -> Subject {
    in_a_directory(|directory| VfsStorage::new(PhysicalFS::new(directory).into()))
}

pub(in crate::storage) fn vfs_overlay() -> Subject {
    let (upper, lower) = (MemoryFS::new().into(), MemoryFS::new().into());
    subject(VfsStorage::new(OverlayFS::new(&[upper, lower]).into()))
}

pub(in crate::storage) fn vfs_below_the_root() -> Subject {
    let root = VfsPath::new(MemoryFS::new());
    let below = root.join("some/where").unwrap();
    below.create_dir_all().unwrap();
    subject(VfsStorage::new(AltrootFS::new(below).into()))
}

#[cfg(unix)]
pub(in crate::storage) fn disk() -> Subject {
    in_a_directory(|directory| DiskStorage::open(directory).unwrap())
}

#[cfg(unix)]
pub(in crate::storage) fn overlay() -> Subject {
    in_a_directory(|directory| {
        let lower = DiskStorage::open_read_only(directory).unwrap();
        Overlay::new(Arc::new(lower))
    })
}

pub(in crate::storage) fn quota() -> Subject {
    subject(Quota::new(Arc::new(MemFs::new()), 1 << 40).unwrap())
}

pub(in crate::storage) fn subdirectory() -> Subject {
    let whole = MemFs::new();
    make_directories(&whole, &path("some/where")).unwrap();
    let whole = Subdirectory::new(Arc::new(whole));
    subject(whole.at(&path("some/where")).unwrap())
}

#[cfg(unix)]
pub(in crate::storage) fn quota_on_disk() -> Subject {
    in_a_directory(|directory| {
        let inner = Arc::new(DiskStorage::open(directory).unwrap());
        Quota::new(inner, 1 << 40).unwrap()
    })
}

fn exists(storage: &dyn Storage, pathname: &str) -> bool {
    storage.stat(&path(pathname), true).is_ok()
}

fn open(storage: &dyn Storage, pathname: &str, how: OpenWrite) -> Box<dyn WriteHandle> {
    storage.open_write(&path(pathname), how).unwrap()
}

fn refused(storage: &dyn Storage, pathname: &str, how: OpenWrite) -> ErrorKind {
    kind(storage.open_write(&path(pathname), how))
}

/// One test for each storage.
macro_rules! on_each_storage {
    ($test:ident: $($(#[$attribute:meta])? $name:ident => $subject:ident,)*) => {$(
        $(#[$attribute])?
        #[test]
        fn $name() {
            $test(&*$subject().storage);
        }
    )*};
}

/// One test for each claim and each storage, as `claim::storage`.
macro_rules! claims {
    ($(fn $claim:ident($storage:ident: &dyn Storage) $body:block)*) => {$(
        mod $claim {
            use super::*;

            fn claim($storage: &dyn Storage) $body

            on_each_storage! {
                claim:
                mem_fs => memory,
                #[cfg(unix)] disk_storage => disk,
                #[cfg(unix)] overlay_on_disk => overlay,
                quota_on_mem_fs => quota,
                a_subdirectory_of_mem_fs => subdirectory,
                #[cfg(unix)] quota_on_disk_storage => quota_on_disk,
                vfs_memory_fs => vfs_memory,
                mem_fs_through_vfs => vfs_mem_fs,
                vfs_physical_fs => vfs_physical,
                vfs_overlay_fs => vfs_overlay,
                vfs_altroot_fs => vfs_below_the_root,
            }
        }
    )*};
}

claims! {
    fn what_is_written_is_read(storage: &dyn Storage) {
        put(storage, "a", "");
        put(storage, "b", "content");
        assert_eq!(content(storage, "a"), "");
        assert_eq!(content(storage, "b"), "content");
        let metadata = storage.stat(&path("b"), true).unwrap();
        assert_eq!((metadata.kind, metadata.len), (FileKind::File, 7));
        assert!(metadata.modified.is_some());
    }

    fn reading_starts_at_the_offset_and_ends_at_the_end(storage: &dyn Storage) {
        put(storage, "a", "0123456789");
        for (offset, expected) in [(0, "0123456789"), (7, "789"), (10, ""), (11, ""), (1 << 62, ""), (u64::MAX, "")] {
            let mut file = storage.open_read(&path("a"), offset).unwrap();
            let mut octets = Vec::new();
            loop {
                let piece = file.read_chunk(4).unwrap();
                assert!(piece.len() <= 4);
                if piece.is_empty() {
                    break;
                }
                octets.extend_from_slice(&piece);
            }
            assert_eq!(octets, expected.as_bytes(), "from {offset}");
        }
    }

    fn until_commit_everybody_sees_the_old_file(storage: &dyn Storage) {
        put(storage, "a", "old");
        let mut file = open(storage, "a", OpenWrite::Truncate);
        file.write_chunk("new ".into()).unwrap();
        assert_eq!(content(storage, "a"), "old");
        assert_eq!(listed(storage, ""), ["a"]);
        file.write_chunk("content".into()).unwrap();
        file.commit().unwrap();
        assert_eq!(content(storage, "a"), "new content");
        assert_eq!(listed(storage, ""), ["a"]);
    }

    fn an_aborted_upload_leaves_no_trace(storage: &dyn Storage) {
        storage.make_directory(&path("d")).unwrap();
        put(storage, "d/a", "old");
        for how in [OpenWrite::Truncate, OpenWrite::Append, OpenWrite::At(0), OpenWrite::At(2), OpenWrite::At(3)] {
            let mut file = open(storage, "d/a", how);
            file.write_chunk("new content".into()).unwrap();
            drop(file);
            assert_eq!(content(storage, "d/a"), "old", "{how:?}");
        }
        for how in [OpenWrite::Truncate, OpenWrite::Append, OpenWrite::CreateNew] {
            let mut file = open(storage, "d/b", how);
            file.write_chunk("new content".into()).unwrap();
            drop(file);
            assert!(!exists(storage, "d/b"), "{how:?}");
        }
        assert_eq!(listed(storage, "d"), ["a"]);
        storage.remove_file(&path("d/a")).unwrap();
        storage.remove_directory(&path("d")).unwrap();
    }

    fn octets_are_appended_to_the_content_at_commit(storage: &dyn Storage) {
        let mut first = open(storage, "a", OpenWrite::Append);
        first.write_chunk("first".into()).unwrap();
        let mut second = open(storage, "a", OpenWrite::Append);
        second.write_chunk(" second".into()).unwrap();
        first.commit().unwrap();
        second.commit().unwrap();
        assert_eq!(content(storage, "a"), "first second");
    }

    fn from_a_restart_marker_on_the_file_is_new(storage: &dyn Storage) {
        for (offset, expected) in [(0, "XY"), (4, "0123XY"), (9, "012345678XY"), (10, "0123456789XY")] {
            put(storage, "a", "0123456789");
            let mut file = open(storage, "a", OpenWrite::At(offset));
            file.write_chunk("XY".into()).unwrap();
            assert_eq!(content(storage, "a"), "0123456789");
            file.commit().unwrap();
            assert_eq!(content(storage, "a"), expected, "from {offset}");
        }
        open(storage, "a", OpenWrite::At(3)).commit().unwrap();
        assert_eq!(content(storage, "a"), "012");
        open(storage, "new", OpenWrite::At(0)).commit().unwrap();
        assert_eq!(content(storage, "new"), "");
    }

    fn a_restart_marker_beyond_the_end_is_invalid(storage: &dyn Storage) {
        put(storage, "a", "0123456789");
        for offset in [11, 1 << 62, u64::MAX] {
            assert_eq!(refused(storage, "a", OpenWrite::At(offset)), ErrorKind::InvalidInput);
        }
        assert_eq!(refused(storage, "new", OpenWrite::At(1)), ErrorKind::InvalidInput);
        assert!(!exists(storage, "new"));
    }

    fn a_new_name_is_given_once(storage: &dyn Storage) {
        let mut file = open(storage, "a", OpenWrite::CreateNew);
        assert_eq!(refused(storage, "a", OpenWrite::CreateNew), ErrorKind::AlreadyExists);
        assert_eq!(kind(storage.make_directory(&path("a"))), ErrorKind::AlreadyExists);
        file.write_chunk("unique".into()).unwrap();
        file.commit().unwrap();
        assert_eq!(content(storage, "a"), "unique");
        assert_eq!(refused(storage, "a", OpenWrite::CreateNew), ErrorKind::AlreadyExists);
        assert_eq!(refused(storage, "", OpenWrite::CreateNew), ErrorKind::AlreadyExists);
    }

    fn an_aborted_new_name_leaves_what_was_stored_there_meanwhile(storage: &dyn Storage) {
        let given_up = open(storage, "a", OpenWrite::CreateNew);
        put(storage, "a", "");
        drop(given_up);
        assert_eq!(content(storage, "a"), "");
        let given_up = open(storage, "b", OpenWrite::CreateNew);
        storage.remove_file(&path("b")).unwrap();
        storage.make_directory(&path("b")).unwrap();
        drop(given_up);
        assert_eq!(listed(storage, ""), ["a", "b"]);
    }

    fn a_commit_goes_to_the_path_whatever_became_of_the_file(storage: &dyn Storage) {
        put(storage, "removed", "old");
        put(storage, "renamed", "old");
        let removed = open(storage, "removed", OpenWrite::Truncate);
        let renamed = open(storage, "renamed", OpenWrite::Truncate);
        let appended = open(storage, "removed", OpenWrite::Append);
        storage.remove_file(&path("removed")).unwrap();
        storage.rename(&path("renamed"), &path("elsewhere")).unwrap();
        assert_eq!(listed(storage, ""), ["elsewhere"]);
        for (mut file, octets) in [(removed, "1"), (renamed, "2"), (appended, "3")] {
            file.write_chunk(octets.into()).unwrap();
            file.commit().unwrap();
        }
        assert_eq!(content(storage, "removed"), "13");
        assert_eq!(content(storage, "renamed"), "2");
        assert_eq!(content(storage, "elsewhere"), "old");
    }

    fn a_commit_fails_where_it_has_no_place(storage: &dyn Storage) {
        put(storage, "a", "file");
        let upload = open(storage, "a", OpenWrite::Truncate);
        storage.remove_file(&path("a")).unwrap();
        storage.make_directory(&path("a")).unwrap();
        assert_eq!(kind(upload.commit()), ErrorKind::IsADirectory);
        storage.make_directory(&path("d")).unwrap();
        let upload = open(storage, "d/x", OpenWrite::Truncate);
        storage.rename(&path("d"), &path("e")).unwrap();
        assert_eq!(kind(upload.commit()), ErrorKind::NotFound);
        assert_eq!(listed(storage, ""), ["a", "e"]);
        storage.remove_directory(&path("e")).unwrap();
    }

    fn directories_are_made_listed_and_removed(storage: &dyn Storage) {
        for name in ["b", "a", "b/c"] {
            storage.make_directory(&path(name)).unwrap();
        }
        put(storage, "B", "file");
        assert_eq!(listed(storage, ""), ["B", "a", "b"]);
        let entries: Vec<Entry> = storage.list(&path("b")).unwrap().map(Result::unwrap).collect();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].name, b"c");
        assert_eq!(entries[0].metadata.kind, FileKind::Directory);
        assert_eq!(entries[0].metadata.len, 0);
        storage.remove_directory(&path("b/c")).unwrap();
        storage.remove_directory(&path("b")).unwrap();
        assert_eq!(listed(storage, ""), ["B", "a"]);
    }

    fn what_is_no_directory_is_not_treated_as_one(storage: &dyn Storage) {
        put(storage, "f", "file");
        let inside = path("f/x");
        assert_eq!(kind(storage.list(&path("f"))), ErrorKind::NotADirectory);
        assert_eq!(kind(storage.remove_directory(&path("f"))), ErrorKind::NotADirectory);
        assert_eq!(kind(storage.stat(&inside, true)), ErrorKind::NotADirectory);
        assert_eq!(kind(storage.stat(&path("f/x/y"), true)), ErrorKind::NotADirectory);
        assert_eq!(kind(storage.make_directory(&inside)), ErrorKind::NotADirectory);
        assert_eq!(kind(storage.remove_file(&inside)), ErrorKind::NotADirectory);
        assert_eq!(kind(storage.open_read(&inside, 0)), ErrorKind::NotADirectory);
        assert_eq!(refused(storage, "f/x", OpenWrite::Truncate), ErrorKind::NotADirectory);
        assert_eq!(kind(storage.rename(&path("f"), &inside)), ErrorKind::NotADirectory);
        assert_eq!(content(storage, "f"), "file");
    }

    fn what_is_a_directory_is_not_treated_as_a_file(storage: &dyn Storage) {
        storage.make_directory(&path("d")).unwrap();
        put(storage, "d/inside", "kept");
        for pathname in ["d", ""] {
            assert_eq!(kind(storage.open_read(&path(pathname), 0)), ErrorKind::IsADirectory);
            for how in [OpenWrite::Truncate, OpenWrite::Append, OpenWrite::At(0), OpenWrite::At(5)] {
                assert_eq!(refused(storage, pathname, how), ErrorKind::IsADirectory);
            }
            assert_eq!(kind(storage.remove_file(&path(pathname))), ErrorKind::IsADirectory);
        }
        assert_eq!(kind(storage.make_directory(&path("d"))), ErrorKind::AlreadyExists);
        assert_eq!(kind(storage.make_directory(&path(""))), ErrorKind::AlreadyExists);
        assert_eq!(kind(storage.remove_directory(&path("d"))), ErrorKind::DirectoryNotEmpty);
        assert_eq!(content(storage, "d/inside"), "kept");
    }

    fn what_is_missing_is_not_found(storage: &dyn Storage) {
        for pathname in ["a", "a/b"] {
            let missing = path(pathname);
            assert_eq!(kind(storage.stat(&missing, true)), ErrorKind::NotFound);
            assert_eq!(kind(storage.list(&missing)), ErrorKind::NotFound);
            assert_eq!(kind(storage.open_read(&missing, 0)), ErrorKind::NotFound);
            assert_eq!(kind(storage.remove_file(&missing)), ErrorKind::NotFound);
            assert_eq!(kind(storage.remove_directory(&missing)), ErrorKind::NotFound);
            assert_eq!(kind(storage.rename(&missing, &path("x"))), ErrorKind::NotFound);
            assert_eq!(kind(storage.set_times(&missing, Times::default())), ErrorKind::NotFound);
        }
        assert_eq!(kind(storage.make_directory(&path("a/b"))), ErrorKind::NotFound);
        assert_eq!(refused(storage, "a/b", OpenWrite::Truncate), ErrorKind::NotFound);
        assert_eq!(refused(storage, "a/b", OpenWrite::CreateNew), ErrorKind::NotFound);
        assert_eq!(listed(storage, ""), Vec::<String>::new());
    }

    fn the_root_stays(storage: &dyn Storage) {
        storage.make_directory(&path("d")).unwrap();
        assert_eq!(kind(storage.remove_directory(&path("/"))), ErrorKind::PermissionDenied);
        assert_eq!(kind(storage.rename(&path("/"), &path("x"))), ErrorKind::PermissionDenied);
        assert_eq!(kind(storage.rename(&path("d"), &path("/"))), ErrorKind::PermissionDenied);
        assert_eq!(storage.stat(&path("/"), true).unwrap().kind, FileKind::Directory);
    }

    fn a_file_renamed_onto_a_file_replaces_it(storage: &dyn Storage) {
        put(storage, "a", "kept");
        put(storage, "b", "replaced");
        storage.rename(&path("a"), &path("b")).unwrap();
        assert_eq!(content(storage, "b"), "kept");
        assert_eq!(listed(storage, ""), ["b"]);
        storage.rename(&path("b"), &path("b")).unwrap();
        assert_eq!(content(storage, "b"), "kept");
    }

    fn a_directory_is_renamed_with_what_is_in_it(storage: &dyn Storage) {
        make_directories(storage, &path("a/b/c")).unwrap();
        put(storage, "a/b/file", "inside");
        storage.make_directory(&path("empty")).unwrap();
        storage.rename(&path("a"), &path("x")).unwrap();
        assert_eq!(content(storage, "x/b/file"), "inside");
        storage.rename(&path("x"), &path("empty")).unwrap();
        assert_eq!(content(storage, "empty/b/file"), "inside");
        assert_eq!(listed(storage, "empty/b"), ["c", "file"]);
        assert_eq!(listed(storage, ""), ["empty"]);
    }

    fn a_rename_that_cannot_be_changes_nothing(storage: &dyn Storage) {
        make_directories(storage, &path("d/e")).unwrap();
        put(storage, "f", "file");
        put(storage, "d/g", "inside");
        for (from, to, expected) in [
            ("d", "d/e/x", ErrorKind::InvalidInput),
            ("d", "d/e", ErrorKind::InvalidInput),
            ("d", "f", ErrorKind::NotADirectory),
            ("f", "d", ErrorKind::IsADirectory),
            ("d/e", "d", ErrorKind::DirectoryNotEmpty),
            ("f", "missing/f", ErrorKind::NotFound),
            ("d", "f/x", ErrorKind::NotADirectory),
        ] {
            let error = storage.rename(&path(from), &path(to)).unwrap_err();
            assert_eq!(error.kind(), expected, "{from} to {to}");
        }
        assert_eq!(listed(storage, ""), ["d", "f"]);
        assert_eq!(listed(storage, "d"), ["e", "g"]);
        assert_eq!(content(storage, "f"), "file");
    }

    fn the_time_of_modification_is_set_and_survives_a_rename(storage: &dyn Storage) {
        put(storage, "a", "content");
        let modified = Some(UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789));
        storage.set_times(&path("a"), Times { modified, created: None }).unwrap();
        assert_eq!(storage.stat(&path("a"), true).unwrap().modified, modified);
        storage.rename(&path("a"), &path("b")).unwrap();
        assert_eq!(storage.stat(&path("b"), true).unwrap().modified, modified);
    }

    fn names_of_every_kind_are_kept(storage: &dyn Storage) {
        let mut names = ["-l", "...", "\"quoted\"", "a b", "a\\b", "c:", "grüße", "名前", "~", "*?[x]"];
        names.sort_unstable();
        for name in names {
            put(storage, name, name);
        }
        assert_eq!(listed(storage, ""), names);
        for name in names {
            assert_eq!(content(storage, name), name);
            storage.remove_file(&path(name)).unwrap();
        }
    }

    fn a_large_file_is_taken_in_pieces_of_any_size(storage: &dyn Storage) {
        let octets: Vec<u8> = (0..3 * CHUNK + 17).map(|at| (at % 253) as u8).collect();
        let mut file = open(storage, "a", OpenWrite::Truncate);
        for piece in octets.chunks(CHUNK - 1) {
            file.write_chunk(Bytes::copy_from_slice(piece)).unwrap();
        }
        file.commit().unwrap();
        assert_eq!(storage.stat(&path("a"), true).unwrap().len, octets.len() as u64);
        assert!(read_file(storage, &path("a"), octets.len()).unwrap() == octets);
    }
}
