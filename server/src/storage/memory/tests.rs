//! What only [`MemFs`] claims: links, modes, quota, snapshots, many threads.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use super::*;
use crate::storage::tests::{content, kind, listed, path, put, try_put};
use crate::storage::{CHUNK, FileKind, make_directories, read_file, write_file};

use bytes::Bytes;
use rstest::rstest;
use std::collections::HashSet;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

/// `/d/e/file`, and links in `/d`.
fn linked() -> MemFs {
    let fs = MemFs::new();
    make_directories(&fs, &path("d/e")).unwrap();
    put(&fs, "d/e/file", "content");
    put(&fs, "top", "top");
    for (name, target) in [
        ("relative", "e/file"),
        ("absolute", "/d/e/file"),
        ("directory", "e"),
        ("up", "../top"),
        ("out", "../../../../../../top"),
        ("etc", "../../../etc/passwd"),
        ("chain", "./directory/../relative"),
        ("slashes", ".//e///file"),
        ("self", "self"),
        ("ping", "pong"),
        ("pong", "ping"),
        ("dangling", "e/new"),
        ("nowhere", "missing/new"),
        ("root", "/"),
    ] {
        fs.symlink(target.as_bytes(), &path("d").join(name.as_bytes()).unwrap())
            .unwrap();
    }
    fs
}

#[rstest]
#[case("d/relative", "content")]
#[case("d/absolute", "content")]
#[case("d/directory/file", "content")]
#[case("d/chain", "content")]
#[case("d/slashes", "content")]
#[case("d/up", "top")]
#[case("d/out", "top")]
#[case("d/root/d/root/top", "top")]
fn links_lead_to_their_targets_and_never_out(#[case] link: &str, #[case] expected: &str) {
    assert_eq!(content(&linked(), link), expected);
}

#[rstest]
#[case("d/etc")]
#[case("d/self")]
#[case("d/ping")]
#[case("d/self/x")]
#[case("d/dangling")]
#[case("d/nowhere")]
fn dangling_links_are_not_found(#[case] link: &str) {
    let fs = linked();
    assert_eq!(kind(fs.stat(&path(link), true)), ErrorKind::NotFound);
    assert_eq!(kind(fs.open_read(&path(link), 0)), ErrorKind::NotFound);
}

#[test]
fn a_chain_of_links_ends_after_forty() {
    let fs = MemFs::new();
    put(&fs, "0", "end");
    for number in 1..=41 {
        let target = (number - 1).to_string();
        fs.symlink(target.as_bytes(), &path(&number.to_string()))
            .unwrap();
    }
    assert_eq!(content(&fs, "40"), "end");
    assert_eq!(kind(fs.stat(&path("41"), true)), ErrorKind::NotFound);
    assert_eq!(fs.stat(&path("41"), false).unwrap().kind, FileKind::Symlink);
}

#[test]
fn links_that_fork_are_followed_forty_times_and_no_more() {
    let fs = MemFs::new();
    fs.symlink(b"b/b/b/b/b/b/b/b", &path("a")).unwrap();
    fs.symlink(b"./c/c/c/c/c/c/c/c", &path("b")).unwrap();
    fs.symlink(b".", &path("c")).unwrap();
    assert_eq!(kind(fs.stat(&path("a"), true)), ErrorKind::NotFound);
}

#[test]
fn a_link_that_is_not_followed_is_described_as_a_link() {
    let fs = linked();
    let link = fs.stat(&path("d/etc"), false).unwrap();
    assert_eq!(link.kind, FileKind::Symlink);
    assert_eq!(link.target.as_deref(), Some(&b"../../../etc/passwd"[..]));
    let entries: Vec<Entry> = fs.list(&path("d")).unwrap().map(Result::unwrap).collect();
    let links = entries
        .iter()
        .filter(|entry| entry.metadata.kind == FileKind::Symlink);
    assert_eq!(links.count(), 14);
}

#[test]
fn writing_to_a_link_writes_to_where_it_leads() {
    let fs = linked();
    put(&fs, "d/relative", "changed");
    assert_eq!(content(&fs, "d/e/file"), "changed");
    for link in ["d/dangling", "d/nowhere", "d/self"] {
        assert_eq!(kind(try_put(&fs, link, "")), ErrorKind::NotFound, "{link}");
    }
    assert_eq!(kind(fs.stat(&path("d/e/new"), false)), ErrorKind::NotFound);
    let unique = fs.open_write(&path("d/etc"), OpenWrite::CreateNew);
    assert_eq!(kind(unique), ErrorKind::AlreadyExists);
}

#[test]
fn removing_and_renaming_a_link_leaves_where_it_leads() {
    let fs = linked();
    fs.remove_file(&path("d/directory")).unwrap();
    fs.rename(&path("d/relative"), &path("d/renamed")).unwrap();
    assert_eq!(
        kind(fs.remove_directory(&path("d/root"))),
        ErrorKind::NotADirectory
    );
    assert_eq!(content(&fs, "d/renamed"), "content");
    assert_eq!(content(&fs, "d/e/file"), "content");
}

#[test]
fn a_directory_is_not_moved_into_itself_through_a_link() {
    let fs = linked();
    let moved = fs.rename(&path("d"), &path("d/directory/../x"));
    assert_eq!(kind(moved), ErrorKind::InvalidInput);
    fs.symlink(b"d/e", &path("inside")).unwrap();
    assert_eq!(
        kind(fs.rename(&path("d"), &path("inside/x"))),
        ErrorKind::InvalidInput
    );
    fs.rename(&path("d/e"), &path("e")).unwrap();
    fs.symlink(b"../top", &path("e/up")).unwrap();
    assert_eq!(content(&fs, "e/up"), "top");
}

#[rstest]
#[case(b"")]
#[case(b"a\0b")]
#[case(b"a\r\nb")]
#[case(&[b'a'; MAX_PATH + 1])]
fn a_target_that_cannot_be_a_pathname_is_invalid(#[case] target: &[u8]) {
    assert_eq!(
        kind(MemFs::new().symlink(target, &path("a"))),
        ErrorKind::InvalidInput
    );
}

#[test]
fn names_are_octets() {
    let fs = MemFs::new();
    let name = VirtualPath::root().join(b"\xff\xfe \x01").unwrap();
    write_file(&fs, &name, "x".into()).unwrap();
    let mut entries = fs.list(&VirtualPath::root()).unwrap();
    assert_eq!(entries.next().unwrap().unwrap().name, b"\xff\xfe \x01");
    assert!(entries.next().is_none());
}

#[test]
fn modes_and_times_are_kept_to_the_bit() {
    let fs = MemFs::new();
    put(&fs, "a", "");
    assert_eq!(fs.stat(&path("a"), true).unwrap().mode, Some(0o644));
    fs.set_mode(&path("a"), 0o17_4751).unwrap();
    let times = Times {
        modified: Some(UNIX_EPOCH - Duration::from_nanos(1)),
        created: Some(UNIX_EPOCH + Duration::from_nanos(1)),
    };
    fs.set_times(&path("a"), times).unwrap();
    let metadata = fs.stat(&path("a"), true).unwrap();
    assert_eq!(metadata.mode, Some(0o4751));
    assert_eq!(
        (metadata.modified, metadata.created),
        (times.modified, times.created)
    );
    put(&fs, "a", "stored again");
    let again = fs.stat(&path("a"), true).unwrap();
    assert_eq!(
        (again.mode, again.created, again.unique),
        (metadata.mode, metadata.created, metadata.unique)
    );
    assert_ne!(again.modified, metadata.modified);
}

#[test]
fn the_unique_of_a_removed_file_is_not_given_again() {
    let fs = MemFs::new();
    let mut seen = HashSet::new();
    for _ in 0..10 {
        put(&fs, "a", "");
        assert!(seen.insert(fs.stat(&path("a"), true).unwrap().unique.unwrap()));
        fs.remove_file(&path("a")).unwrap();
    }
}

#[test]
fn the_quota_counts_what_files_hold() {
    let fs = MemFs::new().with_quota(10);
    put(&fs, "a", "123456");
    assert_eq!(fs.available(&path("/")).unwrap(), 4);
    assert_eq!(kind(try_put(&fs, "b", "12345")), ErrorKind::QuotaExceeded);
    assert_eq!((fs.used(), listed(&fs, "/").len()), (6, 1));
    put(&fs, "b", "1234");
    fs.rename(&path("b"), &path("a")).unwrap();
    assert_eq!(fs.used(), 4);
    fs.remove_file(&path("a")).unwrap();
    assert_eq!(fs.available(&path("/")).unwrap(), 10);
}

#[test]
fn a_full_storage_takes_a_file_again() {
    let fs = MemFs::new().with_quota(10);
    put(&fs, "a", "1234567890");
    put(&fs, "a", "abcdefghij");
    let mut file = fs.open_write(&path("a"), OpenWrite::At(4)).unwrap();
    file.write_chunk("efghij".into()).unwrap();
    assert_eq!(kind(file.write_chunk("k".into())), ErrorKind::QuotaExceeded);
    file.commit().unwrap();
    assert_eq!(fs.used(), 10);
}

#[test]
fn uploads_under_way_count_against_the_quota() {
    let fs = MemFs::new().with_quota(10);
    put(&fs, "a", "12345");
    let mut uploads: Vec<_> = (0..3)
        .map(|_| fs.open_write(&path("a"), OpenWrite::Truncate).unwrap())
        .collect();
    uploads[0].write_chunk("12345".into()).unwrap();
    uploads[1].write_chunk("12345".into()).unwrap();
    assert_eq!(
        kind(uploads[2].write_chunk("x".into())),
        ErrorKind::QuotaExceeded
    );
    assert_eq!(fs.available(&path("/")).unwrap(), 0);
    uploads.truncate(1);
    assert_eq!(fs.available(&path("/")).unwrap(), 0);
    uploads.clear();
    assert_eq!(fs.available(&path("/")).unwrap(), 5);
}

#[test]
fn what_an_upload_was_to_replace_must_still_be_there_at_commit() {
    let fs = MemFs::new().with_quota(10);
    put(&fs, "a", "1234567890");
    let mut upload = fs.open_write(&path("a"), OpenWrite::Truncate).unwrap();
    upload.write_chunk("1234567890".into()).unwrap();
    fs.rename(&path("a"), &path("b")).unwrap();
    assert_eq!(kind(upload.commit()), ErrorKind::QuotaExceeded);
    assert_eq!((fs.used(), listed(&fs, "/").len()), (10, 1));
}

#[test]
fn a_file_does_not_grow_beyond_its_limit() {
    let fs = MemFs::new().with_max_file_size(4);
    put(&fs, "a", "1234");
    for how in [OpenWrite::Append, OpenWrite::At(4)] {
        let mut file = fs.open_write(&path("a"), how).unwrap();
        assert_eq!(kind(file.write_chunk("5".into())), ErrorKind::QuotaExceeded);
    }
    assert_eq!(kind(try_put(&fs, "b", "12345")), ErrorKind::QuotaExceeded);
    assert_eq!(content(&fs, "a"), "1234");
}

#[test]
fn there_are_no_more_entries_than_allowed() {
    let fs = MemFs::new().with_max_entries(3);
    fs.make_directory(&path("a")).unwrap();
    put(&fs, "b", "x");
    assert_eq!(kind(fs.make_directory(&path("c"))), ErrorKind::StorageFull);
    assert_eq!(kind(try_put(&fs, "c", "x")), ErrorKind::StorageFull);
    assert_eq!(kind(fs.symlink(b"a", &path("c"))), ErrorKind::StorageFull);
    assert_eq!(fs.used(), 1);
    fs.remove_file(&path("b")).unwrap();
    fs.make_directory(&path("c")).unwrap();
}

#[test]
fn a_snapshot_and_its_original_change_independently() {
    let fs = linked();
    let snapshot = fs.snapshot();
    put(&fs, "top", "changed");
    put(&fs, "new", "");
    fs.remove_file(&path("d/e/file")).unwrap();
    let mut appended = snapshot
        .open_write(&path("top"), OpenWrite::Append)
        .unwrap();
    appended.write_chunk(" of the snapshot".into()).unwrap();
    appended.commit().unwrap();
    assert_eq!(content(&snapshot, "top"), "top of the snapshot");
    assert_eq!(content(&snapshot, "d/relative"), "content");
    assert_eq!(kind(snapshot.stat(&path("new"), true)), ErrorKind::NotFound);
    assert_eq!(content(&fs, "top"), "changed");
    assert_eq!((fs.used(), snapshot.used()), (7, 26));
}

#[test]
fn a_snapshot_shares_the_octets() {
    let fs = MemFs::new();
    write_file(&fs, &path("a"), vec![1; CHUNK].into()).unwrap();
    let snapshot = fs.snapshot();
    let first = |fs: &MemFs| {
        fs.open_read(&path("a"), 0)
            .unwrap()
            .read_chunk(CHUNK)
            .unwrap()
    };
    assert_eq!(first(&fs).as_ptr(), first(&snapshot).as_ptr());
}

#[test]
fn what_was_restored_is_seen_through_every_handle() {
    let fs = linked();
    let quota = fs.available(&path("/")).unwrap() + fs.used();
    let (handle, snapshot) = (fs.clone(), fs.snapshot());
    let mut upload = fs.open_write(&path("top"), OpenWrite::Truncate).unwrap();
    upload.write_chunk("uploaded".into()).unwrap();
    let mut reading = fs.open_read(&path("d/e/file"), 0).unwrap();
    fs.remove_file(&path("d/e/file")).unwrap();
    put(&fs, "new", "x");
    fs.restore(&snapshot);
    assert_eq!(content(&handle, "d/e/file"), "content");
    assert_eq!(reading.read_chunk(99).unwrap(), "content");
    assert_eq!(kind(handle.stat(&path("new"), true)), ErrorKind::NotFound);
    assert_eq!(fs.used(), 10);
    upload.commit().unwrap();
    assert_eq!(content(&handle, "top"), "uploaded");
    assert_eq!(fs.available(&path("/")).unwrap(), quota - 15);
    handle.restore(&fs);
    assert_eq!(fs.used(), 15);
}

#[test]
fn a_reader_reads_the_file_it_opened() {
    let fs = MemFs::new();
    put(&fs, "a", "before");
    let mut reading = fs.open_read(&path("a"), 0).unwrap();
    assert_eq!(reading.read_chunk(3).unwrap(), "bef");
    put(&fs, "a", "AFTER");
    fs.remove_file(&path("a")).unwrap();
    assert_eq!(reading.read_chunk(99).unwrap(), "ore");
}

#[test]
fn reading_does_not_copy() {
    let fs = MemFs::new();
    write_file(&fs, &path("a"), vec![5; CHUNK].into()).unwrap();
    let read = |offset| {
        let mut file = fs.open_read(&path("a"), offset).unwrap();
        file.read_chunk(100).unwrap()
    };
    assert_eq!(read(10).as_ptr(), read(0)[10..].as_ptr());
}

#[test]
fn a_large_directory_is_listed_once_while_it_changes() {
    let fs = MemFs::new();
    let count = 3 * LIST_BATCH + 1;
    for number in 0..count {
        put(&fs, &format!("{number:05}"), "");
    }
    let mut listing = fs.list(&VirtualPath::root()).unwrap();
    assert_eq!(listing.next().unwrap().unwrap().name, b"00000");
    fs.remove_file(&path("00001")).unwrap();
    fs.remove_file(&path(&format!("{:05}", count - 1))).unwrap();
    put(&fs, "00000a", "");
    put(&fs, &format!("{:05}a", count - 2), "");
    let rest: Vec<Vec<u8>> = listing.map(|entry| entry.unwrap().name).collect();
    assert!(rest.is_sorted());
    assert_eq!(rest.len(), count - 1);
    assert_eq!(
        rest.last().unwrap(),
        format!("{:05}a", count - 2).as_bytes()
    );
    let exact = MemFs::new();
    for number in 0..LIST_BATCH {
        put(&exact, &number.to_string(), "");
    }
    assert_eq!(listed(&exact, "/").len(), LIST_BATCH);
}

#[test]
fn one_of_many_threads_gets_a_new_name() {
    let fs = MemFs::new();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..200 {
                    let name = path(&number.to_string());
                    let Ok(mut file) = fs.open_write(&name, OpenWrite::CreateNew) else {
                        continue;
                    };
                    file.write_chunk("x".into()).unwrap();
                    file.commit().unwrap();
                }
            });
        }
    });
    assert_eq!(listed(&fs, "/").len(), 200);
    assert_eq!(fs.used(), 200);
}

#[test]
fn threads_append_store_read_and_remove_without_losing_an_octet() {
    let fs = MemFs::new();
    let (threads, rounds) = (4_usize, 200_usize);
    thread::scope(|scope| {
        for number in 0..threads {
            let fs = &fs;
            scope.spawn(move || {
                for round in 0..rounds {
                    let mut file = fs.open_write(&path("log"), OpenWrite::Append).unwrap();
                    let line = format!("{number:03} {round:03}\n");
                    file.write_chunk(line.into()).unwrap();
                    file.commit().unwrap();
                    put(fs, "shared", &"x".repeat(round));
                    // Another thread may have renamed it meanwhile.
                    let seen = read_file(fs, &path("shared"), 1 << 20).unwrap_or_default();
                    assert!(seen.len() < rounds && seen.iter().all(|octet| *octet == b'x'));
                    let own = format!("own-{number}");
                    fs.rename(&path("shared"), &path(&own)).ok();
                    put(fs, "shared", "");
                    fs.remove_file(&path(&own)).ok();
                }
            });
        }
    });
    let log = content(&fs, "log");
    assert_eq!(log.len(), threads * rounds * 8);
    for number in 0..threads {
        let rounds_of = log
            .lines()
            .filter(|line| line.starts_with(&format!("{number:03}")));
        assert!(rounds_of.is_sorted());
    }
    fs.remove_file(&path("log")).unwrap();
    fs.remove_file(&path("shared")).ok();
    assert_eq!(fs.used(), 0);
    assert_eq!(listed(&fs, "/"), Vec::<String>::new());
}

#[test]
fn small_appends_do_not_make_small_pieces() {
    let fs = MemFs::new();
    for _ in 0..10_000 {
        let mut file = fs.open_write(&path("a"), OpenWrite::Append).unwrap();
        file.write_chunk(Bytes::from_static(&[7; 100])).unwrap();
        file.commit().unwrap();
    }
    let mut file = fs.open_read(&path("a"), 0).unwrap();
    let mut pieces = 0;
    while !file.read_chunk(CHUNK).unwrap().is_empty() {
        pieces += 1;
    }
    assert_eq!(pieces, 1_000_000_usize.div_ceil(CHUNK));
}
