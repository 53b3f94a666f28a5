//! Reads and writes whole files, for fixtures and embedding.

use super::{CHUNK, FileKind, OpenWrite, Storage, Times, VirtualPath};

use bytes::Bytes;
use std::io::{self, ErrorKind};

/// The content of a file that has at most `limit` octets.
///
/// # Errors
/// As [`Storage::open_read`] and reading; `InvalidInput` when there are more octets.
pub fn read_file(storage: &dyn Storage, path: &VirtualPath, limit: usize) -> io::Result<Vec<u8>> {
    let mut file = storage.open_read(path, 0)?;
    let mut content = Vec::new();
    loop {
        let octets = file.read_chunk(CHUNK)?;
        if octets.is_empty() {
            return Ok(content);
        }
        if octets.len() > limit - content.len() {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "the file is larger than asked for",
            ));
        }
        content.extend_from_slice(&octets);
    }
}

/// Creates a file with this content, replacing an existing file.
///
/// # Errors
/// As [`Storage::open_write`], writing and committing.
pub fn write_file(storage: &dyn Storage, path: &VirtualPath, content: Bytes) -> io::Result<()> {
    let mut file = storage.open_write(path, OpenWrite::Truncate)?;
    if !content.is_empty() {
        file.write_chunk(content)?;
    }
    file.commit()
}

/// Sets times and permission bits of a file or directory, the bits first, so that an error of a
/// storage without bits changes nothing.
///
/// # Errors
/// As [`Storage::set_mode`] and [`Storage::set_times`].
pub fn set_facts(
    storage: &dyn Storage,
    path: &VirtualPath,
    times: Times,
    mode: Option<u32>,
) -> io::Result<()> {
    storage.stat(path, true)?;
    if let Some(mode) = mode {
        storage.set_mode(path, mode)?;
    }
    if times != Times::default() {
        storage.set_times(path, times)?;
    }
    Ok(())
}

/// Creates a directory and its missing parents. Returns those that were created, the uppermost
/// first.
///
/// # Errors
/// As [`Storage::make_directory`]; `NotADirectory` if something else has one of the names.
pub fn make_directories(storage: &dyn Storage, path: &VirtualPath) -> io::Result<Vec<VirtualPath>> {
    let mut missing = Vec::new();
    let mut at = Some(path.clone());
    while let Some(path) = at {
        match storage.stat(&path, true) {
            Ok(metadata) if metadata.kind == FileKind::Directory => break,
            Ok(_) => return Err(ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                at = path.parent();
                missing.push(path);
            }
            Err(error) => return Err(error),
        }
    }
    let mut made = Vec::new();
    for path in missing.into_iter().rev() {
        match storage.make_directory(&path) {
            Ok(()) => made.push(path),
            // Another session has created it meanwhile.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(made)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::super::MemFs;
    use super::super::tests::{kind, path};
    use super::*;

    #[test]
    fn missing_directories_are_made_and_present_ones_kept() {
        let fs = MemFs::new();
        make_directories(&fs, &path("/a/b")).unwrap();
        write_file(&fs, &path("/a/b/file"), "kept".into()).unwrap();
        make_directories(&fs, &path("/a/b/c/d")).unwrap();
        make_directories(&fs, &path("/")).unwrap();
        assert_eq!(
            fs.stat(&path("/a/b/c/d"), true).unwrap().kind,
            FileKind::Directory
        );
        assert_eq!(read_file(&fs, &path("/a/b/file"), 4).unwrap(), b"kept");
    }

    #[test]
    fn a_file_on_the_way_is_not_a_directory() {
        let fs = MemFs::new();
        write_file(&fs, &path("/a"), "x".into()).unwrap();
        for pathname in ["/a", "/a/b", "/a/b/c"] {
            assert_eq!(
                kind(make_directories(&fs, &path(pathname))),
                ErrorKind::NotADirectory,
                "{pathname}"
            );
        }
    }

    #[test]
    fn a_file_larger_than_the_limit_is_not_read() {
        let fs = MemFs::new();
        write_file(&fs, &path("/a"), "12345".into()).unwrap();
        assert_eq!(
            kind(read_file(&fs, &path("/a"), 4)),
            ErrorKind::InvalidInput
        );
    }
}
