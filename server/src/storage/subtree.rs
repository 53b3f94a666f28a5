//! Directories and everything in them: DSIZ and RMDA.

use super::{Entry, FileKind, Storage, VirtualPath};

use std::io::{self, ErrorKind};

/// The most files, directories and links that one command visits. More are `ArgumentListTooLong`.
pub const MAX_SUBTREE: usize = 1_000_000;

/// A directory on the way down, and its entries that have not been visited yet.
type Level = (
    VirtualPath,
    Box<dyn Iterator<Item = io::Result<Entry>> + Send>,
);

/// What [`walk`] visits.
enum Visit<'a> {
    /// A file or a symbolic link.
    Leaf(VirtualPath, &'a Entry),
    /// A directory, after its entries.
    Directory(VirtualPath),
}

/// Visits everything below a directory, but not the directory itself. Links are not followed.
///
/// # Errors
/// As [`Storage::list`]; `ArgumentListTooLong` for more than [`MAX_SUBTREE`] entries.
fn walk(
    storage: &dyn Storage,
    directory: &VirtualPath,
    mut visit: impl FnMut(Visit<'_>),
) -> io::Result<()> {
    let mut left = MAX_SUBTREE;
    let mut levels: Vec<Level> = vec![(directory.clone(), storage.list(directory)?)];
    while let Some((at, entries)) = levels.last_mut() {
        let Some(entry) = entries.next() else {
            let at = at.clone();
            levels.pop();
            if !levels.is_empty() {
                visit(Visit::Directory(at));
            }
            continue;
        };
        let entry = entry?;
        left = left.checked_sub(1).ok_or(ErrorKind::ArgumentListTooLong)?;
        let path = at
            .join(&entry.name)
            .map_err(|_| ErrorKind::InvalidFilename)?;
        if entry.metadata.kind == FileKind::Directory {
            let entries = storage.list(&path)?;
            levels.push((path, entries));
        } else {
            visit(Visit::Leaf(path, &entry));
        }
    }
    Ok(())
}

/// The sum of the lengths of all files below a directory, in octets. Links do not count.
///
/// # Errors
/// `NotADirectory`; `ArgumentListTooLong` for more than [`MAX_SUBTREE`] entries; as
/// [`Storage::list`].
pub fn subtree_size(storage: &dyn Storage, directory: &VirtualPath) -> io::Result<u64> {
    let mut size: u64 = 0;
    walk(storage, directory, |visit| {
        if let Visit::Leaf(_, entry) = visit
            && entry.metadata.kind == FileKind::File
        {
            size = size.saturating_add(entry.metadata.len);
        }
    })?;
    Ok(size)
}

/// Removes a directory and everything in it. After an error the rest is removed all the same; the
/// first error is returned (draft-peterson-streamlined-ftp-command-extensions-10 §2.2).
///
/// # Errors
/// `NotADirectory`; `PermissionDenied` for the root; as [`Storage::list`],
/// [`Storage::remove_file`] and [`Storage::remove_directory`].
pub fn remove_subtree(storage: &dyn Storage, directory: &VirtualPath) -> io::Result<()> {
    if directory.is_root() {
        return Err(ErrorKind::PermissionDenied.into());
    }
    if storage.stat(directory, false)?.kind != FileKind::Directory {
        return Err(ErrorKind::NotADirectory.into());
    }
    let mut first = Ok(());
    let mut note = |outcome: io::Result<()>| match outcome {
        // Another session removed it in the meantime.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        // A consequence of an earlier error, which says more.
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && first.is_err() => {}
        Err(error) if first.is_ok() => first = Err(error),
        _ => {}
    };
    let walked = walk(storage, directory, |visit| match visit {
        Visit::Leaf(path, _) => note(storage.remove_file(&path)),
        Visit::Directory(path) => note(storage.remove_directory(&path)),
    });
    note(walked);
    note(storage.remove_directory(directory));
    first
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::super::tests::contract::subjects;
    use super::super::tests::{kind, listed, path};
    use super::super::{MemFs, make_directories, read_file, write_file};
    use super::*;

    fn grow(storage: &dyn Storage) {
        for directory in ["d/e/f", "d/empty", "beside"] {
            make_directories(storage, &path(directory)).unwrap();
        }
        for (name, len) in [("d/a", 10), ("d/e/b", 200), ("d/e/f/c", 3000), ("g", 5)] {
            write_file(storage, &path(name), vec![b'x'; len].into()).unwrap();
        }
    }

    #[test]
    fn the_size_of_a_directory_is_that_of_all_files_below() {
        for subject in subjects() {
            let storage = &*subject.storage;
            grow(storage);
            assert_eq!(subtree_size(storage, &path("d")).unwrap(), 3210);
            assert_eq!(subtree_size(storage, &path("d/e/f")).unwrap(), 3000);
            assert_eq!(subtree_size(storage, &path("d/empty")).unwrap(), 0);
            assert_eq!(subtree_size(storage, &path("/")).unwrap(), 3215);
            assert_eq!(
                kind(subtree_size(storage, &path("g"))),
                ErrorKind::NotADirectory
            );
        }
    }

    #[test]
    fn a_directory_is_removed_with_all_that_is_in_it_and_nothing_else() {
        for subject in subjects() {
            let storage = &*subject.storage;
            grow(storage);
            remove_subtree(storage, &path("d")).unwrap();
            assert_eq!(listed(storage, ""), ["beside", "g"]);
            let kind = |at: &str| remove_subtree(storage, &path(at)).unwrap_err().kind();
            assert_eq!(kind("d"), ErrorKind::NotFound);
            assert_eq!(kind("g"), ErrorKind::NotADirectory);
            assert_eq!(kind("/"), ErrorKind::PermissionDenied);
            assert_eq!(listed(storage, ""), ["beside", "g"]);
        }
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let fs = MemFs::new();
        grow(&fs);
        fs.symlink(b"/beside", &path("d/link")).unwrap();
        fs.symlink(b"/", &path("d/loop")).unwrap();
        fs.symlink(b"/d", &path("to-d")).unwrap();
        write_file(&fs, &path("beside/kept"), "kept".into()).unwrap();
        assert_eq!(subtree_size(&fs, &path("d")).unwrap(), 3210);
        assert_eq!(
            kind(remove_subtree(&fs, &path("to-d"))),
            ErrorKind::NotADirectory
        );
        remove_subtree(&fs, &path("d")).unwrap();
        assert_eq!(listed(&fs, ""), ["beside", "g", "to-d"]);
        assert_eq!(read_file(&fs, &path("beside/kept"), 9).unwrap(), b"kept");
    }

    #[test]
    fn a_deep_tree_costs_no_stack() {
        let fs = MemFs::new();
        make_directories(&fs, &path(&"a/".repeat(2000))).unwrap();
        assert_eq!(subtree_size(&fs, &path("a")).unwrap(), 0);
        remove_subtree(&fs, &path("a")).unwrap();
        assert!(listed(&fs, "").is_empty());
    }

    /// A file that cannot be removed.
    #[derive(Debug)]
    struct Stubborn(MemFs, VirtualPath);

    impl Storage for Stubborn {
        fn abilities(&self) -> super::super::Abilities {
            self.0.abilities()
        }
        fn stat(&self, path: &VirtualPath, follow: bool) -> io::Result<super::super::Metadata> {
            self.0.stat(path, follow)
        }
        fn list(
            &self,
            path: &VirtualPath,
        ) -> io::Result<Box<dyn Iterator<Item = io::Result<Entry>> + Send>> {
            self.0.list(path)
        }
        fn open_read(
            &self,
            path: &VirtualPath,
            offset: u64,
        ) -> io::Result<Box<dyn super::super::ReadHandle>> {
            self.0.open_read(path, offset)
        }
        fn open_write(
            &self,
            path: &VirtualPath,
            how: super::super::OpenWrite,
        ) -> io::Result<Box<dyn super::super::WriteHandle>> {
            self.0.open_write(path, how)
        }
        fn make_directory(&self, path: &VirtualPath) -> io::Result<()> {
            self.0.make_directory(path)
        }
        fn remove_directory(&self, path: &VirtualPath) -> io::Result<()> {
            self.0.remove_directory(path)
        }
        fn remove_file(&self, path: &VirtualPath) -> io::Result<()> {
            if *path == self.1 {
                return Err(ErrorKind::PermissionDenied.into());
            }
            self.0.remove_file(path)
        }
        fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
            self.0.rename(from, to)
        }
        fn set_times(&self, path: &VirtualPath, times: super::super::Times) -> io::Result<()> {
            self.0.set_times(path, times)
        }
    }

    #[test]
    fn what_cannot_be_removed_stays_with_its_parents_and_is_reported() {
        let fs = MemFs::new();
        grow(&fs);
        let stubborn = Stubborn(fs.clone(), path("d/e/b"));
        assert_eq!(
            kind(remove_subtree(&stubborn, &path("d"))),
            ErrorKind::PermissionDenied
        );
        assert_eq!(listed(&fs, "d"), ["e"]);
        assert_eq!(listed(&fs, "d/e"), ["b"]);
    }
}
