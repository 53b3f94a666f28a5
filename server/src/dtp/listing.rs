//! LIST, NLST, MLSD and STAT as octets, made while they are sent: no directory is too large.

use std::io;
use std::time::SystemTime;

use bytes::Bytes;

use crate::pi::Listing;
use crate::storage::{Entry, ReadHandle, Storage};
use crate::wire::{Lister, ListingFormat};

/// Octets of a listing made at once.
const PIECE: usize = 32 << 10;

/// The lines of STAT with a pathname that fit into one reply. Who wants more asks LIST.
pub(crate) const STAT_LINES: usize = 10_000;

type Entries = Box<dyn Iterator<Item = io::Result<Entry>> + Send>;

/// Reads a listing as if it were a file.
pub(crate) struct ListingReader {
    lister: Lister,
    entries: Entries,
    /// Entries that may still come.
    left: usize,
}

/// Opens the listing of a directory, or of one file by itself.
///
/// # Errors
/// `NotFound`; `NotADirectory` for MLSD of a file (RFC 3659 §7.2.1).
pub(crate) fn open_listing(storage: &dyn Storage, listing: &Listing) -> io::Result<ListingReader> {
    let lister = listing.lister(SystemTime::now());
    let entries: Entries = match storage.list(&listing.at.path) {
        Ok(entries) => {
            let shown = lister.clone();
            Box::new(entries.filter(move |entry| match entry {
                Ok(entry) => shown.shows(&entry.name),
                Err(_) => true,
            }))
        }
        Err(error)
            if error.kind() == io::ErrorKind::NotADirectory
                && listing.pattern.is_none()
                && !matches!(listing.format, ListingFormat::Facts(_)) =>
        {
            let metadata = storage.stat(&listing.at.path, false)?;
            let name = listing.at.path.name().unwrap_or(b"/").to_vec();
            Box::new(std::iter::once(Ok(Entry { name, metadata })))
        }
        Err(error) => return Err(error),
    };
    Ok(ListingReader {
        lister,
        entries,
        left: listing.most,
    })
}

impl ListingReader {
    /// Appends the next line; whether there was one.
    fn write_next(&mut self, lines: &mut Vec<u8>) -> io::Result<bool> {
        let Some(entry) = self.entries.next() else {
            return Ok(false);
        };
        let left = self.left.checked_sub(1);
        self.left = left.ok_or(io::ErrorKind::ArgumentListTooLong)?;
        self.lister.write(&entry?, lines);
        Ok(true)
    }
}

impl ReadHandle for ListingReader {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        let mut lines = Vec::new();
        while lines.len() < PIECE.min(max) && self.write_next(&mut lines)? {}
        Ok(lines.into())
    }
}

/// The listing as lines, for STAT.
///
/// # Errors
/// As [`open_listing`]; `ArgumentListTooLong` if it is too long for a reply.
pub(crate) fn listing_lines(storage: &dyn Storage, listing: &Listing) -> io::Result<Vec<Vec<u8>>> {
    let mut reader = open_listing(storage, listing)?;
    reader.left = reader.left.min(STAT_LINES);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    while reader.write_next(&mut line)? {
        line.truncate(line.len().saturating_sub(2));
        lines.push(std::mem::take(&mut line));
    }
    Ok(lines)
}
