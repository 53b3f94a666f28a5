//! The size of a file on the wire, where the file has to be read for it.

use std::io;

use super::{AsciiEncoder, Encoder};
use crate::pi::{Coding, Representation};
use crate::storage::{Storage, VirtualPath};

/// Octets read at once.
const CHUNK: usize = 64 << 10;

/// Octets a RETR of the file would send (RFC 3659 §4). The file is read for it.
///
/// # Errors
/// As [`Storage::open_read`] and reading.
pub fn coded_size(storage: &dyn Storage, path: &VirtualPath, coding: &Coding) -> io::Result<u64> {
    if coding.is_plain() && coding.representation == Representation::Ascii {
        return ascii_size(storage, path);
    }
    let mut file = storage.open_read(path, 0)?;
    let mut encoder = Encoder::new(coding, 0);
    let mut data = Vec::new();
    let mut size = 0;
    loop {
        let octets = file.read_chunk(CHUNK)?;
        if octets.is_empty() {
            encoder.finish(&mut data);
            return Ok(size + data.len() as u64);
        }
        encoder.encode(octets, &mut data);
        size += data.len() as u64;
        data.clear();
    }
}

fn ascii_size(storage: &dyn Storage, path: &VirtualPath) -> io::Result<u64> {
    let mut file = storage.open_read(path, 0)?;
    let mut encoder = AsciiEncoder::new();
    let mut size = 0;
    loop {
        let octets = file.read_chunk(CHUNK)?;
        if octets.is_empty() {
            return Ok(size);
        }
        size += encoder.count(&octets);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::*;
    use crate::storage::{MemFs, write_file};

    use std::io::ErrorKind;

    #[test]
    fn the_ascii_size_counts_the_cr_of_every_line_end() {
        let fs = MemFs::new();
        let path = VirtualPath::root().join(b"a").unwrap();
        write_file(&fs, &path, "one\ntwo\r\nthree\rfour\n".into()).unwrap();
        assert_eq!(ascii_size(&fs, &path).unwrap(), 22);
        write_file(&fs, &path, vec![b'\n'; 3 * CHUNK + 1].into()).unwrap();
        assert_eq!(ascii_size(&fs, &path).unwrap(), 2 * (3 * CHUNK as u64 + 1));
    }

    #[test]
    fn a_directory_has_no_ascii_size() {
        let error = ascii_size(&MemFs::new(), &VirtualPath::root()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IsADirectory);
    }
}
