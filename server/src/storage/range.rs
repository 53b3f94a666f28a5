//! Ranges of octets of a file (draft-bryan-ftp-range-09 §4.3).

use super::{CHUNK, OpenWrite, ReadHandle, Storage, VirtualPath, WriteHandle};

use bytes::Bytes;
use std::io::{self, ErrorKind};

/// Opens a file for reading from `start` to `end` (excluded). The part beyond the end of the file
/// is not read.
///
/// # Errors
/// As [`Storage::open_read`].
pub fn open_read_range(
    storage: &dyn Storage,
    path: &VirtualPath,
    start: u64,
    end: u64,
) -> io::Result<Box<dyn ReadHandle>> {
    let file = storage.open_read(path, start)?;
    let left = end.saturating_sub(start);
    Ok(Box::new(Reader { file, left }))
}

/// Opens a file for writing from `start` to `end` (excluded); the octets before and after it stay.
/// The range must be filled exactly: a commit with fewer octets fails and leaves the file
/// unchanged.
///
/// # Errors
/// As [`Storage::open_write`]; `InvalidInput` for a start beyond the end of the file. Later
/// `InvalidData` for another number of octets than the range has.
pub fn open_write_range(
    storage: &dyn Storage,
    path: &VirtualPath,
    start: u64,
    end: u64,
) -> io::Result<Box<dyn WriteHandle>> {
    // The octets after the range, as they are now: the commit would cut them off.
    let after = match storage.stat(path, true) {
        Ok(found) if found.len > end => Some(storage.open_read(path, end)?),
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let file = storage.open_write(path, OpenWrite::At(start))?;
    let left = end.saturating_sub(start);
    Ok(Box::new(Writer { file, after, left }))
}

struct Reader {
    file: Box<dyn ReadHandle>,
    left: u64,
}

impl ReadHandle for Reader {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        let max = usize::try_from(self.left).map_or(max, |left| left.min(max));
        if max == 0 {
            return Ok(Bytes::new());
        }
        let octets = self.file.read_chunk(max)?;
        self.left = self.left.saturating_sub(octets.len() as u64);
        Ok(octets)
    }
}

struct Writer {
    file: Box<dyn WriteHandle>,
    after: Option<Box<dyn ReadHandle>>,
    left: u64,
}

impl WriteHandle for Writer {
    fn write_chunk(&mut self, octets: Bytes) -> io::Result<()> {
        let left = self.left.checked_sub(octets.len() as u64);
        self.left = left.ok_or_else(not_as_long)?;
        self.file.write_chunk(octets)
    }

    fn commit(mut self: Box<Self>) -> io::Result<()> {
        if self.left != 0 {
            return Err(not_as_long());
        }
        while let Some(after) = &mut self.after {
            let octets = after.read_chunk(CHUNK)?;
            if octets.is_empty() {
                break;
            }
            self.file.write_chunk(octets)?;
        }
        self.file.commit()
    }
}

fn not_as_long() -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        "the data is not as long as the range",
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::super::tests::contract::{disk, memory, vfs_memory, vfs_physical};
    use super::super::tests::path;
    use super::super::{read_file, write_file};
    use super::*;

    use rstest::rstest;

    fn stored(start: u64, end: u64, pieces: &[&'static str]) -> io::Result<Vec<String>> {
        [memory(), vfs_memory(), vfs_physical(), disk()]
            .into_iter()
            .map(|subject| {
                let storage = &*subject.storage;
                write_file(storage, &path("a"), "0123456789".into()).unwrap();
                let mut result = open_write_range(storage, &path("a"), start, end);
                for piece in pieces {
                    result = result.and_then(|mut file| {
                        file.write_chunk(Bytes::from_static(piece.as_bytes()))?;
                        Ok(file)
                    });
                }
                let result = result.and_then(|file| file.commit());
                let content = read_file(storage, &path("a"), 99).unwrap();
                if result.is_err() {
                    assert_eq!(content, b"0123456789", "what fails changes nothing");
                }
                result.map(|()| String::from_utf8(content).unwrap())
            })
            .collect()
    }

    #[rstest]
    #[case(0, 1, &["x"], "x123456789")]
    #[case(2, 5, &["x", "yz"], "01xyz56789")]
    #[case(8, 10, &["xy"], "01234567xy")]
    #[case(8, 12, &["xyz", "w"], "01234567xyzw")]
    #[case(10, 11, &["x"], "0123456789x")]
    fn nothing_outside_the_range_changes(
        #[case] start: u64,
        #[case] end: u64,
        #[case] pieces: &[&'static str],
        #[case] expected: &str,
    ) {
        assert_eq!(stored(start, end, pieces).unwrap(), [expected; 4]);
    }

    #[rstest]
    #[case(2, 5, &["xy"], ErrorKind::InvalidData)]
    #[case(2, 5, &["xyz", "w"], ErrorKind::InvalidData)]
    #[case(2, 5, &[], ErrorKind::InvalidData)]
    #[case(11, 12, &["x"], ErrorKind::InvalidInput)]
    fn the_range_is_filled_exactly_or_not_at_all(
        #[case] start: u64,
        #[case] end: u64,
        #[case] pieces: &[&'static str],
        #[case] kind: ErrorKind,
    ) {
        assert_eq!(stored(start, end, pieces).unwrap_err().kind(), kind);
    }

    #[rstest]
    #[case(0, 1, "0")]
    #[case(3, 7, "3456")]
    #[case(8, 100, "89")]
    #[case(10, 11, "")]
    #[case(1 << 62, u64::MAX, "")]
    fn a_range_is_read_as_far_as_it_is_there(
        #[case] start: u64,
        #[case] end: u64,
        #[case] expected: &str,
    ) {
        for subject in [memory(), vfs_memory(), vfs_physical(), disk()] {
            let storage = &*subject.storage;
            write_file(storage, &path("a"), "0123456789".into()).unwrap();
            let mut file = open_read_range(storage, &path("a"), start, end).unwrap();
            let mut octets = Vec::new();
            loop {
                let piece = file.read_chunk(3).unwrap();
                if piece.is_empty() {
                    break;
                }
                octets.extend_from_slice(&piece);
            }
            assert_eq!(octets, expected.as_bytes());
        }
    }
}
