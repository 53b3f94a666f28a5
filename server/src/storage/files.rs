//! Files of a server, as a test reads them.

use std::io;
use std::sync::Arc;

use super::{Storage, VirtualPath, read_file};

/// A storage for reading in tests. Pathnames are those of FTP: `/` separates names, and a relative
/// one starts at the root.
#[derive(Debug, Clone)]
pub struct Files(Arc<dyn Storage>);

impl Files {
    /// The files of this storage.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self(storage)
    }

    /// The octets of a file.
    ///
    /// # Errors
    /// As [`Storage::open_read`] and reading; `InvalidInput` for an invalid pathname.
    pub fn read(&self, pathname: &str) -> io::Result<Vec<u8>> {
        read_file(&*self.0, &path(pathname)?, usize::MAX)
    }

    /// The names in a directory, sorted. Octets that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// As [`Storage::list`]; `InvalidInput` for an invalid pathname.
    pub fn list(&self, pathname: &str) -> io::Result<Vec<String>> {
        self.0
            .list(&path(pathname)?)?
            .map(|entry| Ok(String::from_utf8_lossy(&entry?.name).into_owned()))
            .collect()
    }

    /// Whether a file, directory or symbolic link has this name.
    #[must_use]
    pub fn exists(&self, pathname: &str) -> bool {
        path(pathname).is_ok_and(|path| self.0.stat(&path, false).is_ok())
    }
}

fn path(pathname: &str) -> io::Result<VirtualPath> {
    let path = VirtualPath::root().join(pathname.as_bytes());
    path.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::super::{MemFs, make_directories, write_file};
    use super::*;

    #[test]
    fn files_are_read_and_listed_by_their_pathnames() {
        let storage = MemFs::new();
        make_directories(&storage, &path("/in").unwrap()).unwrap();
        write_file(&storage, &path("/in/b").unwrap(), "two".into()).unwrap();
        write_file(&storage, &path("/in/a").unwrap(), "".into()).unwrap();
        let files = Files::new(Arc::new(storage));
        assert_eq!(files.read("/in/b").unwrap(), b"two");
        assert_eq!(files.list("in").unwrap(), ["a", "b"]);
        assert!(files.exists("/in") && files.exists("in/a") && !files.exists("/in/c"));
        let error = files.read("a\nb").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(
            files.read("/in").unwrap_err().kind(),
            io::ErrorKind::IsADirectory
        );
    }
}
