//! A storage whose calls may wait, and which has the digests of some files.

use std::io;

use ftpspec_server::storage::HashAlgorithm;
use ftpspec_server::storage::{
    Abilities, Digest, Entry, MemFs, Metadata, OpenWrite, ReadHandle, Storage, Times, VirtualPath,
    WriteHandle,
};

#[derive(Debug)]
pub(crate) struct Blocking(pub(crate) MemFs);

impl Storage for Blocking {
    fn abilities(&self) -> Abilities {
        Abilities {
            never_blocks: false,
            ..self.0.abilities()
        }
    }

    fn stat(&self, path: &VirtualPath, follow: bool) -> io::Result<Metadata> {
        self.0.stat(path, follow)
    }

    fn list(
        &self,
        path: &VirtualPath,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Entry>> + Send>> {
        self.0.list(path)
    }

    fn open_read(&self, path: &VirtualPath, offset: u64) -> io::Result<Box<dyn ReadHandle>> {
        self.0.open_read(path, offset)
    }

    fn open_write(&self, path: &VirtualPath, how: OpenWrite) -> io::Result<Box<dyn WriteHandle>> {
        self.0.open_write(path, how)
    }

    fn make_directory(&self, path: &VirtualPath) -> io::Result<()> {
        self.0.make_directory(path)
    }

    fn remove_directory(&self, path: &VirtualPath) -> io::Result<()> {
        self.0.remove_directory(path)
    }

    fn remove_file(&self, path: &VirtualPath) -> io::Result<()> {
        self.0.remove_file(path)
    }

    fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
        self.0.rename(from, to)
    }

    /// The digest of the file `cached`, which contains the algorithm and the range.
    fn digest(
        &self,
        path: &VirtualPath,
        algorithm: HashAlgorithm,
        start: u64,
        end: Option<u64>,
    ) -> io::Result<Option<Digest>> {
        let len = self.0.stat(path, true)?.len;
        let end = end.unwrap_or(len);
        let value = [algorithm.name().as_bytes(), &[start as u8, end as u8]].concat();
        Ok((path.name() == Some(b"cached")).then_some(Digest { value, end }))
    }

    fn set_times(&self, path: &VirtualPath, times: Times) -> io::Result<()> {
        self.0.set_times(path, times)
    }
}
