//! SITE CPTO: copies of files and directories.

use super::subtree::{Met, remove_subtree, walk};
use super::{CHUNK, FileKind, OpenWrite, Storage, VirtualPath};

use std::io::{self, ErrorKind};

/// How the name of a directory begins that is still being copied.
const UNFINISHED: &str = ".copying-";
/// Names tried for it.
const TRIES: u32 = 100;

/// Copies a file, or a directory with all that is in it. The copy appears at once and whole: a file as any upload does,
/// a directory by a rename when all is there. What fails leaves nothing. Links in a directory stay links.
///
/// A file that is at `to` is replaced; a directory that is there is not.
///
/// # Errors
/// `InvalidInput` onto itself or into its own subtree; `AlreadyExists`, `IsADirectory`, `NotADirectory`; as
/// [`Storage::open_write`] and [`Storage::make_directory`]; `ArgumentListTooLong` for a directory that holds too much.
pub fn copy(storage: &dyn Storage, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
    let source = storage.stat(from, true)?;
    if to.is_root() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    if from == to {
        return Err(into_itself());
    }
    let target = match storage.stat(to, true) {
        Ok(target) => Some(target),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let same = |id: Option<u64>| id.is_some() && id == source.unique;
    if target.as_ref().is_some_and(|target| same(target.unique)) {
        return Err(into_itself());
    }
    if source.kind != FileKind::Directory {
        return match target.map(|target| target.kind) {
            Some(FileKind::Directory) => Err(ErrorKind::IsADirectory.into()),
            _ => copy_file(storage, from, to),
        };
    }
    if to.is_within(from) {
        return Err(into_itself());
    }
    if target.is_some() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let unfinished = unfinished(storage, to)?;
    let copied =
        copy_directory(storage, from, &unfinished).and_then(|()| storage.rename(&unfinished, to));
    if copied.is_err() {
        // What stays behind cannot be helped; the first failure is what is told.
        let _removed = remove_subtree(storage, &unfinished);
    }
    copied
}

fn copy_file(storage: &dyn Storage, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
    let mut reading = storage.open_read(from, 0)?;
    let mut writing = storage.open_write(to, OpenWrite::Truncate)?;
    loop {
        let octets = reading.read_chunk(CHUNK)?;
        if octets.is_empty() {
            return writing.commit();
        }
        writing.write_chunk(octets)?;
    }
}

/// Makes a directory beside `to` under a name nobody has.
fn unfinished(storage: &dyn Storage, to: &VirtualPath) -> io::Result<VirtualPath> {
    let parent = to.parent().ok_or(ErrorKind::AlreadyExists)?;
    for number in 0..TRIES {
        let path = parent
            .join(format!("{UNFINISHED}{number}").as_bytes())
            .map_err(|_| ErrorKind::InvalidFilename)?;
        match storage.make_directory(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::ResourceBusy.into())
}

fn copy_directory(storage: &dyn Storage, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
    let links = storage.abilities().symlinks;
    // The way there may lead through links into the source: the copy would come upon itself and never end.
    let own = storage.stat(to, false)?.unique;
    let there = |path: &VirtualPath| {
        let below = path.as_bytes().get(from.as_bytes().len()..);
        let joined = [to.as_bytes(), below.unwrap_or_default()].concat();
        VirtualPath::root()
            .join(&joined)
            .map_err(|_| io::Error::from(ErrorKind::InvalidFilename))
    };
    walk(storage, from, |met| match met {
        Met::Enter(_, entry) if own.is_some() && entry.metadata.unique == own => Err(into_itself()),
        Met::Enter(path, _) => storage.make_directory(&there(&path)?),
        Met::Leave(_) => Ok(()),
        Met::Leaf(path, entry) => match &entry.metadata.target {
            Some(target) if entry.metadata.kind == FileKind::Symlink && links => {
                storage.symlink(target, &there(&path)?)
            }
            _ if entry.metadata.kind == FileKind::Symlink => Err(ErrorKind::Unsupported.into()),
            _ => copy_file(storage, &path, &there(&path)?),
        },
    })
}

fn into_itself() -> io::Error {
    io::Error::new(
        ErrorKind::InvalidInput,
        "nothing is copied onto or into itself",
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::super::tests::contract::{listed, path, subjects};
    use super::super::{MemFs, make_directories, read_file, write_file};
    use super::*;

    use rstest::rstest;

    fn grow(storage: &dyn Storage) {
        make_directories(storage, &path("d/e/f")).unwrap();
        for name in ["d/a", "d/e/b", "d/e/f/c", "g"] {
            write_file(storage, &path(name), format!("<{name}>").into()).unwrap();
        }
    }

    fn content(storage: &dyn Storage, pathname: &str) -> String {
        String::from_utf8(read_file(storage, &path(pathname), 99).unwrap()).unwrap()
    }

    #[test]
    fn a_file_is_copied_and_may_replace_another() {
        for subject in subjects() {
            let storage = &*subject.storage;
            grow(storage);
            copy(storage, &path("g"), &path("new")).unwrap();
            copy(storage, &path("g"), &path("d/a")).unwrap();
            assert_eq!(content(storage, "new"), "<g>");
            assert_eq!(content(storage, "d/a"), "<g>");
            assert_eq!(content(storage, "g"), "<g>");
        }
    }

    #[test]
    fn a_directory_is_copied_with_all_that_is_in_it() {
        for subject in subjects() {
            let storage = &*subject.storage;
            grow(storage);
            copy(storage, &path("d"), &path("x")).unwrap();
            copy(storage, &path("d/e"), &path("e")).unwrap();
            assert_eq!(listed(storage, ""), ["d", "e", "g", "x"]);
            assert_eq!(listed(storage, "x"), ["a", "e"]);
            assert_eq!(content(storage, "x/e/f/c"), "<d/e/f/c>");
            assert_eq!(content(storage, "e/f/c"), "<d/e/f/c>");
            assert_eq!(content(storage, "d/e/f/c"), "<d/e/f/c>");
        }
    }

    #[rstest]
    #[case("g", "g", ErrorKind::InvalidInput)]
    #[case("d", "d", ErrorKind::InvalidInput)]
    #[case("d", "d/x", ErrorKind::InvalidInput)]
    #[case("d", "d/e/f/x", ErrorKind::InvalidInput)]
    #[case("/", "x", ErrorKind::InvalidInput)]
    #[case("d", "/", ErrorKind::AlreadyExists)]
    #[case("d/e", "d", ErrorKind::AlreadyExists)]
    #[case("d", "g", ErrorKind::AlreadyExists)]
    #[case("g", "d", ErrorKind::IsADirectory)]
    #[case("g", "nosuch/x", ErrorKind::NotFound)]
    #[case("d", "nosuch/x", ErrorKind::NotFound)]
    #[case("nosuch", "x", ErrorKind::NotFound)]
    #[case("g", "g/x", ErrorKind::NotADirectory)]
    fn what_is_refused_changes_nothing(
        #[case] from: &str,
        #[case] to: &str,
        #[case] kind: ErrorKind,
    ) {
        for subject in subjects() {
            let storage = &*subject.storage;
            grow(storage);
            let error = copy(storage, &path(from), &path(to)).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert_eq!(listed(storage, ""), ["d", "g"]);
            assert_eq!(listed(storage, "d"), ["a", "e"]);
            assert_eq!(listed(storage, "d/e/f"), ["c"]);
            assert_eq!(content(storage, "g"), "<g>");
        }
    }

    #[test]
    fn no_link_is_a_way_around() {
        let fs = MemFs::new();
        grow(&fs);
        fs.symlink(b"/g", &path("to-g")).unwrap();
        fs.symlink(b"/d/e", &path("to-e")).unwrap();
        for (from, to) in [
            ("g", "to-g"),
            ("to-g", "g"),
            ("d", "to-e/x"),
            ("to-e", "d/e/x"),
        ] {
            let error = copy(&fs, &path(from), &path(to)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{from} to {to}");
        }
        assert_eq!(listed(&fs, "d/e"), ["b", "f"]);
        assert_eq!(content(&fs, "g"), "<g>");
    }

    #[test]
    fn links_in_a_directory_stay_links() {
        let fs = MemFs::new();
        grow(&fs);
        fs.symlink(b"../g", &path("d/link")).unwrap();
        fs.symlink(b"/", &path("d/loop")).unwrap();
        copy(&fs, &path("d"), &path("x")).unwrap();
        let link = fs.stat(&path("x/link"), false).unwrap();
        assert_eq!(link.target.as_deref(), Some(&b"../g"[..]));
        assert_eq!(content(&fs, "x/link"), "<g>");
        assert_eq!(
            fs.stat(&path("x/loop"), false).unwrap().kind,
            FileKind::Symlink
        );
    }

    #[test]
    fn a_copy_counts_against_the_quota_and_what_does_not_fit_leaves_nothing() {
        let fs = MemFs::new();
        grow(&fs);
        let fs = fs.with_quota(31);
        let used = fs.used();
        for (from, to) in [("d", "x"), ("d/e/f/c", "y")] {
            let error = copy(&fs, &path(from), &path(to)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
            assert_eq!(listed(&fs, ""), ["d", "g"]);
            assert_eq!(fs.used(), used);
        }
        copy(&fs, &path("g"), &path("h")).unwrap();
        assert_eq!(fs.used(), used + 3);
    }
}
