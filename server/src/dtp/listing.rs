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
    Ok(ListingReader { lister, entries })
}

impl ReadHandle for ListingReader {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        let mut lines = Vec::new();
        while lines.len() < PIECE.min(max) {
            match self.entries.next() {
                Some(entry) => self.lister.write(&entry?, &mut lines),
                None => break,
            }
        }
        Ok(lines.into())
    }
}

/// The listing as lines, for STAT.
///
/// # Errors
/// As [`open_listing`]; `FileTooLarge` if it is too long for a reply.
pub(crate) fn listing_lines(storage: &dyn Storage, listing: &Listing) -> io::Result<Vec<Vec<u8>>> {
    let mut reader = open_listing(storage, listing)?;
    let mut lines = Vec::new();
    for entry in reader.entries.by_ref() {
        if lines.len() == STAT_LINES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut line = Vec::new();
        reader.lister.write(&entry?, &mut line);
        line.truncate(line.len().saturating_sub(2));
        lines.push(line);
    }
    Ok(lines)
}
