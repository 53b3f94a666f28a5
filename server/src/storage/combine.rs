//! COMB: appends files to a file.

use super::{CHUNK, FileKind, OpenWrite, Storage, VirtualPath};

use std::io::{self, ErrorKind};

/// Appends the sources to the target in order, then removes the sources. The target is created if
/// it is missing.
///
/// Nothing changes until the target is committed. If a source cannot be removed afterwards, the
/// others are still removed and the first error is returned: the target is complete then.
///
/// # Errors
/// `InvalidInput` without sources, for a source named twice, or one that is the target;
/// `IsADirectory`; as [`Storage::open_read`] and [`Storage::open_write`].
pub fn combine(
    storage: &dyn Storage,
    target: &VirtualPath,
    sources: &[VirtualPath],
) -> io::Result<()> {
    check(storage, target, sources)?;
    let mut writing = storage.open_write(target, OpenWrite::Append)?;
    for source in sources {
        let mut reading = storage.open_read(source, 0)?;
        loop {
            let octets = reading.read_chunk(CHUNK)?;
            if octets.is_empty() {
                break;
            }
            writing.write_chunk(octets)?;
        }
    }
    writing.commit()?;
    let mut removed = Ok(());
    for source in sources {
        let outcome = storage.remove_file(source);
        removed = removed.and(outcome);
    }
    removed
}

/// Two names of one file are one file: appending it to itself and then removing it would lose it.
fn check(storage: &dyn Storage, target: &VirtualPath, sources: &[VirtualPath]) -> io::Result<()> {
    if sources.is_empty() {
        return Err(invalid("there is nothing to combine"));
    }
    let mut paths = vec![target];
    let mut unique = match storage.stat(target, true) {
        Ok(metadata) => Vec::from_iter(metadata.unique),
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    for source in sources {
        let metadata = storage.stat(source, true)?;
        if metadata.kind == FileKind::Directory {
            return Err(ErrorKind::IsADirectory.into());
        }
        let seen = metadata.unique.is_some_and(|id| unique.contains(&id));
        if seen || paths.contains(&source) {
            return Err(invalid("a file is named twice"));
        }
        unique.extend(metadata.unique);
        paths.push(source);
    }
    Ok(())
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::super::MemFs;
    use super::super::tests::{content, kind, path, put};
    use super::*;

    use rstest::rstest;

    fn fixture() -> MemFs {
        let fs = MemFs::new();
        for name in ["t", "a", "b", "c"] {
            put(&fs, name, &format!("<{name}>"));
        }
        fs.make_directory(&path("d")).unwrap();
        fs.symlink(b"t", &path("link-to-t")).unwrap();
        fs.symlink(b"a", &path("link-to-a")).unwrap();
        fs
    }

    fn combined(fs: &MemFs, target: &str, sources: &[&str]) -> io::Result<()> {
        let sources: Vec<VirtualPath> = sources.iter().map(|name| path(name)).collect();
        combine(fs, &path(target), &sources)
    }

    #[rstest]
    #[case("t", "<t><b><a>")]
    #[case("new", "<b><a>")]
    fn sources_are_appended_in_order_and_removed(#[case] target: &str, #[case] expected: &str) {
        let fs = fixture();
        combined(&fs, target, &["b", "a"]).unwrap();
        assert_eq!(content(&fs, target), expected);
        assert!(fs.stat(&path("a"), false).is_err());
        assert!(fs.stat(&path("b"), false).is_err());
        assert!(fs.stat(&path("c"), false).is_ok());
    }

    #[rstest]
    #[case("t", &[], ErrorKind::InvalidInput)]
    #[case("t", &["a", "t"], ErrorKind::InvalidInput)]
    #[case("t", &["a", "b", "a"], ErrorKind::InvalidInput)]
    #[case("t", &["a", "link-to-t"], ErrorKind::InvalidInput)]
    #[case("t", &["a", "link-to-a"], ErrorKind::InvalidInput)]
    #[case("new", &["a", "new"], ErrorKind::NotFound)]
    #[case("t", &["a", "missing"], ErrorKind::NotFound)]
    #[case("t", &["a", "d"], ErrorKind::IsADirectory)]
    #[case("d", &["a", "b"], ErrorKind::IsADirectory)]
    #[case("a/t", &["b"], ErrorKind::NotADirectory)]
    fn what_is_refused_changes_nothing(
        #[case] target: &str,
        #[case] sources: &[&str],
        #[case] kind: ErrorKind,
    ) {
        let fs = fixture();
        assert_eq!(combined(&fs, target, sources).unwrap_err().kind(), kind);
        for name in ["t", "a", "b", "c"] {
            assert_eq!(content(&fs, name), format!("<{name}>"));
        }
        assert!(fs.stat(&path("new"), false).is_err());
    }

    #[test]
    fn a_full_storage_leaves_target_and_sources() {
        let fs = fixture().with_quota(16);
        assert_eq!(
            kind(combined(&fs, "t", &["a", "b"])),
            ErrorKind::QuotaExceeded
        );
        assert_eq!(content(&fs, "t"), "<t>");
        assert_eq!(content(&fs, "a"), "<a>");
    }
}
