#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use super::*;
use crate::storage::tests::{content, kind, listed, path, upload};
use crate::storage::{FileKind, read_file, write_file};

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

fn root() -> (TempDir, DiskStorage) {
    let directory = tempfile::tempdir().unwrap();
    let disk = DiskStorage::open(directory.path()).unwrap();
    (directory, disk)
}

fn refusals(disk: &DiskStorage, pathname: &str) -> Vec<ErrorKind> {
    let at = path(pathname);
    let results = [
        disk.stat(&at, true).map(drop),
        disk.stat(&at, false).map(drop),
        disk.list(&at).map(drop),
        disk.open_read(&at, 0).map(drop),
        disk.open_write(&at, OpenWrite::Truncate).map(drop),
        disk.open_write(&at, OpenWrite::CreateNew).map(drop),
        disk.make_directory(&at),
        disk.remove_directory(&at),
        disk.remove_file(&at),
        disk.rename(&at, &path("elsewhere")),
        disk.rename(&path("file"), &at),
        disk.set_times(&at, Times::default()),
        disk.set_mode(&at, 0o600),
        disk.symlink(b"file", &at),
    ];
    results
        .map(|result| result.map_or_else(|error| error.kind(), |()| panic!("{pathname}")))
        .into()
}

#[test]
fn links_never_lead_out_of_the_root() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let (directory, disk) = root();
    fs::create_dir(directory.path().join("d")).unwrap();
    fs::write(directory.path().join("d/file"), "inside").unwrap();
    for (link, target) in [
        ("up", "../../../../../../.."),
        ("absolute", "/d"),
        ("d/around", "../d/../d/./file"),
        ("loop", "loop"),
    ] {
        symlink(target, directory.path().join(link)).unwrap();
    }
    symlink(outside.path(), directory.path().join("out")).unwrap();
    assert_eq!(content(&disk, "up/d/file"), "inside");
    assert_eq!(content(&disk, "absolute/file"), "inside");
    assert_eq!(content(&disk, "d/around"), "inside");
    assert_eq!(listed(&disk, "up"), listed(&disk, "/"));
    for gone in ["out/secret", "up/etc/passwd", "loop", "loop/x"] {
        assert_eq!(
            kind(disk.stat(&path(gone), true)),
            ErrorKind::NotFound,
            "{gone}"
        );
    }
    let error = disk.open_write(&path("out/new"), OpenWrite::Truncate);
    assert_eq!(error.map(drop).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    let shown = disk.stat(&path("absolute"), false).unwrap();
    assert_eq!(shown.kind, FileKind::Symlink);
    assert_eq!(shown.target.as_deref(), Some(&b"/d"[..]));
}

#[test]
fn a_link_that_is_made_leads_to_the_same_place_for_everybody_on_the_host() {
    let (directory, disk) = root();
    fs::create_dir_all(directory.path().join("a/b")).unwrap();
    fs::write(directory.path().join("file"), "inside").unwrap();
    for (link, target, made) in [
        ("a/b/1", "/file", "../../file"),
        ("a/b/2", "../../../../file", "../../file"),
        ("3", "/", "."),
        ("a/4", "b", "b"),
    ] {
        disk.symlink(target.as_bytes(), &path(link)).unwrap();
        let there = fs::read_link(directory.path().join(link)).unwrap();
        assert_eq!(there.to_str(), Some(made), "{link}");
    }
    assert_eq!(content(&disk, "a/b/1"), "inside");
    assert_eq!(content(&disk, "3/a/b/2"), "inside");
}

#[test]
fn an_unfinished_upload_is_neither_shown_nor_reachable() {
    let (directory, disk) = root();
    fs::write(directory.path().join("file"), "content").unwrap();
    fs::create_dir(directory.path().join("d")).unwrap();
    symlink("../.ftpspec-uploads", directory.path().join("d/way")).unwrap();
    let under_way = upload(&disk, "new", OpenWrite::Truncate, "octets");
    assert_eq!(listed(&disk, "/"), ["d", "file"]);
    let hidden = fs::read_dir(directory.path().join(".ftpspec-uploads")).unwrap();
    let name = hidden
        .last()
        .unwrap()
        .unwrap()
        .file_name()
        .into_string()
        .unwrap();
    for way in [".ftpspec-uploads", ".FTPSPEC-Uploads"] {
        for pathname in [
            way.to_owned(),
            format!("{way}/{name}"),
            format!("d/../{way}/x"),
        ] {
            assert!(
                refusals(&disk, &pathname)
                    .iter()
                    .all(|kind| *kind == ErrorKind::InvalidInput),
                "{pathname}: {:?}",
                refusals(&disk, &pathname)
            );
        }
    }
    refusals(&disk, &format!("d/way/{name}"));
    assert!(disk.list(&path("d/way")).is_err());
    under_way.commit().unwrap();
    assert_eq!(content(&disk, "new"), "octets");
}

#[test]
fn what_a_killed_server_left_is_cleared_away_unless_another_one_uploads() {
    let (directory, disk) = root();
    let under_way = upload(&disk, "new", OpenWrite::Truncate, "octets");
    let uploads = directory.path().join(".ftpspec-uploads");
    let left_over = uploads.join("999-0");
    fs::write(&left_over, "half a fi").unwrap();
    let second = DiskStorage::open(directory.path()).unwrap();
    assert!(left_over.exists());
    under_way.commit().unwrap();
    drop((disk, second));
    let third = DiskStorage::open(directory.path()).unwrap();
    assert!(!left_over.exists());
    assert_eq!(listed(&third, "/"), ["new"]);
    drop(third);
    assert!(!uploads.exists(), "a clean end leaves nothing behind");
}

#[test]
fn names_are_octets() {
    let (directory, disk) = root();
    let name = b"\xff\xfe latin \xe9";
    write_file(&disk, &VirtualPath::root().join(name).unwrap(), "x".into()).unwrap();
    assert!(directory.path().join(OsStr::from_bytes(name)).exists());
    // No client can send these.
    fs::write(directory.path().join("a\nb"), "").unwrap();
    let names: Vec<_> = disk
        .list(&path("/"))
        .unwrap()
        .map(|entry| entry.unwrap().name)
        .collect();
    assert_eq!(names, [name.to_vec()]);
}

#[test]
fn what_is_no_file_is_neither_shown_nor_waited_for() {
    let (directory, disk) = root();
    let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    assert_eq!(listed(&disk, "/"), Vec::<String>::new());
    for name in ["fifo", "socket"] {
        assert!(disk.open_read(&path(name), 0).is_err());
        assert!(disk.open_write(&path(name), OpenWrite::Truncate).is_err());
        assert!(disk.stat(&path(name), true).is_err());
    }
}

#[test]
fn permission_bits_survive_an_upload_and_never_let_a_program_run_as_the_server() {
    let (directory, disk) = root();
    write_file(&disk, &path("a"), "old".into()).unwrap();
    disk.set_mode(&path("a"), 0o640).unwrap();
    upload(&disk, "a", OpenWrite::Append, " new")
        .commit()
        .unwrap();
    assert_eq!(disk.stat(&path("a"), true).unwrap().mode, Some(0o640));
    for mode in [0o4755, 0o2755] {
        assert_eq!(
            kind(disk.set_mode(&path("a"), mode)),
            ErrorKind::PermissionDenied
        );
    }
    disk.set_mode(&path("/"), 0o711).unwrap();
    let mode = fs::metadata(directory.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o711);
}

#[test]
fn two_names_of_one_file_are_one_file_and_times_have_nanoseconds() {
    let (directory, disk) = root();
    write_file(&disk, &path("a"), "x".into()).unwrap();
    write_file(&disk, &path("b"), "x".into()).unwrap();
    fs::hard_link(directory.path().join("a"), directory.path().join("c")).unwrap();
    let unique = |name| disk.stat(&path(name), true).unwrap().unique.unwrap();
    assert_eq!(unique("a"), unique("c"));
    assert_ne!(unique("a"), unique("b"));
    let modified = Some(UNIX_EPOCH + Duration::new(1_234_567_890, 987_654_321));
    for name in ["a", "/"] {
        let times = Times {
            modified,
            created: None,
        };
        disk.set_times(&path(name), times).unwrap();
        assert_eq!(disk.stat(&path(name), true).unwrap().modified, modified);
    }
    let created = Times {
        modified: None,
        created: modified,
    };
    assert_eq!(
        kind(disk.set_times(&path("a"), created)),
        ErrorKind::Unsupported
    );
}

#[test]
fn an_aborted_upload_is_kept_unless_old_octets_would_be_lost() {
    let (_directory, disk) = root();
    let disk = disk.aborted(AbortedUpload::Keep);
    for (old, how, expected) in [
        (None, OpenWrite::Truncate, Some("new")),
        (None, OpenWrite::CreateNew, Some("new")),
        (None, OpenWrite::Append, Some("new")),
        (None, OpenWrite::At(0), Some("new")),
        (Some("old"), OpenWrite::Truncate, Some("old")),
        (Some("old"), OpenWrite::Append, Some("oldnew")),
        (Some("old"), OpenWrite::At(3), Some("oldnew")),
        (Some("old"), OpenWrite::At(1), Some("old")),
    ] {
        if let Some(old) = old {
            write_file(&disk, &path("a"), old.into()).unwrap();
        }
        drop(upload(&disk, "a", how, "new"));
        assert_eq!(listed(&disk, "/"), expected.map_or(vec![], |_| vec!["a"]));
        if let Some(expected) = expected {
            assert_eq!(content(&disk, "a"), expected, "{how:?}");
            disk.remove_file(&path("a")).unwrap();
        }
        drop(disk.open_write(&path("a"), how));
        assert_eq!(
            listed(&disk, "/"),
            Vec::<String>::new(),
            "nothing came, nothing is kept"
        );
    }
    let given_up = upload(&disk, "a", OpenWrite::Truncate, "new");
    write_file(&disk, &path("a"), "of somebody else".into()).unwrap();
    drop(given_up);
    assert_eq!(content(&disk, "a"), "of somebody else");
}

#[test]
fn concurrent_appends_and_a_store_lose_nothing() {
    let (_directory, disk) = root();
    write_file(&disk, &path("log"), "".into()).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let disk = &disk;
            scope.spawn(move || {
                for line in 0..25 {
                    let octets = format!("{writer}:{line}\n");
                    upload(disk, "log", OpenWrite::Append, &octets)
                        .commit()
                        .unwrap();
                }
            });
        }
    });
    let log = content(&disk, "log");
    for writer in 0..4 {
        let lines: Vec<_> = log
            .lines()
            .filter_map(|line| line.strip_prefix(&format!("{writer}:")))
            .collect();
        let expected: Vec<_> = (0..25).map(|line| line.to_string()).collect();
        assert_eq!(lines, expected, "of writer {writer}");
    }
}

#[test]
fn a_unique_name_never_replaces_a_file_stored_in_the_meantime() {
    let (directory, disk) = root();
    let unique = upload(&disk, "a", OpenWrite::CreateNew, "unique");
    assert_eq!(listed(&disk, "/"), Vec::<String>::new());
    fs::write(directory.path().join("a"), "of the host").unwrap();
    assert_eq!(kind(unique.commit()), ErrorKind::AlreadyExists);
    assert_eq!(content(&disk, "a"), "of the host");
}

#[test]
fn read_only_nothing_is_changed_not_even_for_the_server() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "content").unwrap();
    let disk = DiskStorage::open_read_only(directory.path()).unwrap();
    assert_eq!(content(&disk, "file"), "content");
    let refused = &refusals(&disk, "new")[4..];
    assert!(
        refused
            .iter()
            .all(|kind| *kind == ErrorKind::ReadOnlyFilesystem),
        "{refused:?}"
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_very_deep_path_holds_few_directories_open() {
    let (_directory, disk) = root();
    let mut at = VirtualPath::root();
    for _ in 0..200 {
        at = at.join(b"d").unwrap();
        disk.make_directory(&at).unwrap();
    }
    write_file(&disk, &at.join(b"f").unwrap(), "deep".into()).unwrap();
    assert_eq!(
        read_file(&disk, &at.join(b"f").unwrap(), 4).unwrap(),
        b"deep"
    );
    let link = at.join(b"l").unwrap();
    symlink(
        "../../../f",
        _directory.path().join(&link.to_str().unwrap()[1..]),
    )
    .unwrap();
    assert_eq!(
        disk.stat(&link, true).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn a_synchronised_upload_is_an_upload() {
    let (_directory, disk) = root();
    let disk = disk.durability(Durability::AtCommit);
    upload(&disk, "a", OpenWrite::Truncate, "safe")
        .commit()
        .unwrap();
    assert_eq!(content(&disk, "a"), "safe");
    assert!(disk.available(&path("/")).unwrap() > 0);
}

#[test]
fn owners_are_those_of_the_host_by_number() {
    use crate::storage::{Owner, Owners};
    use std::os::unix::fs::MetadataExt as _;
    let (directory, disk) = root();
    fs::write(directory.path().join("file"), "content").unwrap();
    let there = fs::metadata(directory.path().join("file")).unwrap();
    let expected = Owners {
        owner: Owner::number(there.uid()),
        group: Owner::number(there.gid()),
    };
    let found = disk.stat(&path("file"), true).unwrap();
    assert_eq!(found.owners, Some(expected));
}
