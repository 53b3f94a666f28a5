//! The contract of every storage, and a model that each is compared with; what tests of storages
//! have in common.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

pub(super) mod contract;
mod model;

use super::{OpenWrite, Storage, VirtualPath, WriteHandle, read_file, write_file};

use std::io::{self, ErrorKind};

pub(super) fn path(pathname: &str) -> VirtualPath {
    VirtualPath::root().join(pathname.as_bytes()).unwrap()
}

pub(super) fn try_put(storage: &dyn Storage, pathname: &str, content: &str) -> io::Result<()> {
    write_file(storage, &path(pathname), content.to_owned().into())
}

pub(super) fn put(storage: &dyn Storage, pathname: &str, content: &str) {
    try_put(storage, pathname, content).unwrap();
}

pub(super) fn content(storage: &dyn Storage, pathname: &str) -> String {
    String::from_utf8(read_file(storage, &path(pathname), 1 << 20).unwrap()).unwrap()
}

/// The names in a directory, without what an overlay of the vfs crate shows of itself.
pub(super) fn listed(storage: &dyn Storage, pathname: &str) -> Vec<String> {
    let entries = storage.list(&path(pathname)).unwrap();
    entries
        .map(|entry| String::from_utf8(entry.unwrap().name).unwrap())
        .filter(|name| name != ".whiteout")
        .collect()
}

/// An upload that has got these octets.
pub(super) fn upload(
    storage: &dyn Storage,
    pathname: &str,
    how: OpenWrite,
    octets: &str,
) -> Box<dyn WriteHandle> {
    let mut file = storage.open_write(&path(pathname), how).unwrap();
    file.write_chunk(octets.to_owned().into()).unwrap();
    file
}

/// Why something was refused.
pub(super) fn kind<T>(result: io::Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.kind(),
    }
}
