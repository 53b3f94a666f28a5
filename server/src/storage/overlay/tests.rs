#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use super::super::make_directories;
use super::super::tests::{content, kind, listed, path, put, upload};
use super::*;

use std::time::{Duration, UNIX_EPOCH};

/// A storage below, and what is above it.
fn layers() -> (MemFs, Overlay) {
    let lower = MemFs::new();
    make_directories(&lower, &path("d/e")).unwrap();
    put(&lower, "a", "below");
    put(&lower, "d/file", "deep below");
    put(&lower, "d/e/file", "deeper below");
    lower.symlink(b"/d", &path("link")).unwrap();
    let modified = Some(UNIX_EPOCH + Duration::new(1_000_000_000, 5));
    for name in ["a", "d", "d/file"] {
        lower
            .set_times(
                &path(name),
                Times {
                    modified,
                    created: None,
                },
            )
            .unwrap();
    }
    lower.set_mode(&path("a"), 0o600).unwrap();
    let overlay = Overlay::new(Arc::new(lower.clone()));
    (lower, overlay)
}

#[test]
fn what_is_below_is_shown_as_it_is() {
    let (lower, overlay) = layers();
    for name in ["a", "d", "d/file", "d/e/file"] {
        let (shown, there) = (
            overlay.stat(&path(name), true).unwrap(),
            lower.stat(&path(name), true).unwrap(),
        );
        assert_eq!(
            (
                shown.kind,
                shown.len,
                shown.mode,
                shown.modified,
                shown.created
            ),
            (
                there.kind,
                there.len,
                there.mode,
                there.modified,
                there.created
            ),
            "{name}"
        );
    }
    assert_eq!(listed(&overlay, "/"), ["a", "d", "link"]);
    let sizes: Vec<u64> = overlay
        .list(&path("d"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata.len)
        .collect();
    assert_eq!(sizes, [0, 10]);
}

#[test]
fn links_lead_into_unread_directories() {
    let (_, overlay) = layers();
    assert_eq!(content(&overlay, "link/e/file"), "deeper below");
    let (_, overlay) = layers();
    assert_eq!(listed(&overlay, "link"), ["e", "file"]);
}

#[test]
fn changes_to_an_overlay_do_not_change_the_lower_layer() {
    let (lower, overlay) = layers();
    let untouched = lower.snapshot();
    upload(&overlay, "a", OpenWrite::Append, " and above")
        .commit()
        .unwrap();
    upload(&overlay, "d/file", OpenWrite::At(4), " above")
        .commit()
        .unwrap();
    upload(&overlay, "d/e/file", OpenWrite::Truncate, "new")
        .commit()
        .unwrap();
    overlay
        .set_times(
            &path("d"),
            Times {
                modified: Some(UNIX_EPOCH),
                created: None,
            },
        )
        .unwrap();
    overlay.set_mode(&path("d"), 0o700).unwrap();
    assert_eq!(content(&overlay, "a"), "below and above");
    assert_eq!(content(&overlay, "d/file"), "deep above");
    assert_eq!(content(&overlay, "d/e/file"), "new");
    overlay.rename(&path("d"), &path("x")).unwrap();
    overlay.remove_file(&path("a")).unwrap();
    overlay.remove_file(&path("x/e/file")).unwrap();
    overlay.remove_directory(&path("x/e")).unwrap();
    assert_eq!(listed(&overlay, "/"), ["link", "x"]);
    for name in ["a", "d/file", "d/e/file"] {
        assert_eq!(content(&lower, name), content(&untouched, name));
        let shown = |fs: &MemFs| fs.stat(&path(name), true).unwrap().modified;
        assert_eq!(shown(&lower), shown(&untouched));
    }
    assert_eq!(listed(&lower, "/"), ["a", "d", "link"]);
}

#[test]
fn a_directory_made_where_one_was_removed_is_empty() {
    let (_, overlay) = layers();
    assert_eq!(
        kind(overlay.remove_directory(&path("d/e"))),
        ErrorKind::DirectoryNotEmpty
    );
    overlay.remove_file(&path("d/e/file")).unwrap();
    overlay.remove_directory(&path("d/e")).unwrap();
    overlay.make_directory(&path("d/e")).unwrap();
    assert_eq!(listed(&overlay, "d/e"), Vec::<String>::new());
}

#[test]
fn an_unread_directory_is_renamed_with_its_content() {
    let (_, overlay) = layers();
    assert_eq!(
        kind(overlay.rename(&path("d/e"), &path("link"))),
        ErrorKind::NotADirectory
    );
    overlay.rename(&path("d"), &path("x")).unwrap();
    overlay.rename(&path("x/e"), &path("e")).unwrap();
    assert_eq!(content(&overlay, "e/file"), "deeper below");
    assert_eq!(content(&overlay, "x/file"), "deep below");
    overlay.make_directory(&path("d")).unwrap();
    assert_eq!(listed(&overlay, "link"), Vec::<String>::new());
    assert_eq!(
        kind(overlay.rename(&path("x"), &path("e"))),
        ErrorKind::DirectoryNotEmpty
    );
}

#[test]
fn a_file_below_that_is_replaced_by_a_rename_is_gone() {
    let (_, overlay) = layers();
    overlay.rename(&path("d/file"), &path("a")).unwrap();
    assert_eq!(content(&overlay, "a"), "deep below");
    put(&overlay, "new", "above");
    overlay.rename(&path("new"), &path("a")).unwrap();
    assert_eq!(content(&overlay, "a"), "above");
    assert_eq!(overlay.stat(&path("a"), true).unwrap().len, 5);
}

#[test]
fn an_aborted_upload_leaves_the_lower_file() {
    let (_, overlay) = layers();
    let before = overlay.stat(&path("a"), true).unwrap();
    for how in [
        OpenWrite::Truncate,
        OpenWrite::Append,
        OpenWrite::At(0),
        OpenWrite::At(5),
    ] {
        drop(upload(&overlay, "a", how, "new"));
        assert_eq!(content(&overlay, "a"), "below", "{how:?}");
    }
    assert_eq!(overlay.stat(&path("a"), true).unwrap(), before);
    let beyond = overlay.open_write(&path("a"), OpenWrite::At(6)).map(drop);
    assert_eq!(beyond.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_memory_without_room_leaves_the_file_below() {
    let (lower, _) = layers();
    let overlay = Overlay::with_memory(Arc::new(lower), MemFs::new().with_quota(7));
    assert_eq!(
        kind(upload(&overlay, "a", OpenWrite::Append, "123").commit()),
        ErrorKind::QuotaExceeded
    );
    assert_eq!(content(&overlay, "a"), "below");
    upload(&overlay, "a", OpenWrite::Append, "12")
        .commit()
        .unwrap();
    assert_eq!(content(&overlay, "a"), "below12");
}

#[test]
fn a_directory_too_large_for_the_memory_is_not_shown_in_part() {
    let (lower, _) = layers();
    let overlay = Overlay::with_memory(Arc::new(lower), MemFs::new().with_max_entries(3));
    for _ in 0..2 {
        assert_eq!(
            kind(overlay.list(&path("/")).map(drop)),
            ErrorKind::StorageFull
        );
    }
    assert!(overlay.stat(&path("a"), true).is_err());
}

#[test]
fn owners_are_those_below() {
    use crate::storage::{Owner, Owners};
    let (lower, _) = layers();
    let owners = Owners {
        owner: Owner::named("alice"),
        group: Owner::number(100),
    };
    for name in ["a", "d"] {
        lower.set_owners(&path(name), owners.clone()).unwrap();
    }
    let overlay = Overlay::new(Arc::new(lower));
    for name in ["a", "d"] {
        let found = overlay.stat(&path(name), true).unwrap();
        assert_eq!(found.owners, Some(owners.clone()));
    }
    // Who stores a file anew does not change whose it is.
    put(&overlay, "a", "above");
    assert_eq!(overlay.stat(&path("a"), true).unwrap().owners, Some(owners));
    assert_eq!(overlay.stat(&path("d/file"), true).unwrap().owners, None);
}
