//! LIST, NLST, MLSD and STAT as octets, made while they are sent: no directory is too large.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use crate::pi::Listing;
use crate::storage::{Entry, FileKind, ReadHandle, Storage, VirtualPath, describe_found};
use crate::wire::{Lister, ListingFormat, Naming};

/// Octets of a listing made at once.
const PIECE: usize = 32 << 10;

/// The lines of STAT with a pathname that fit into one reply. Longer listings need LIST.
pub(crate) const STAT_LINES: usize = 10_000;

type Entries = Box<dyn Iterator<Item = io::Result<(Entry, Naming)>> + Send>;

/// Reads a listing as if it were a file.
pub(crate) struct ListingReader {
    lister: Lister,
    entries: Entries,
    /// Entries that may still come.
    left: usize,
}

/// Opens the listing of a directory, or of one file by itself, which may be a link that leads to
/// nothing.
///
/// # Errors
/// `NotFound`; `NotADirectory` for MLSD of a file (RFC 3659 §7.2.1).
pub(crate) fn open_listing(storage: &dyn Storage, listing: &Listing) -> io::Result<ListingReader> {
    let lister = listing.lister(SystemTime::now());
    let at = &listing.at.path;
    let alone = listing.pattern.is_none() && !matches!(listing.format, ListingFormat::Facts(_));
    let entries: Entries = match storage.list(at) {
        Ok(entries) => {
            let (shown, directory) = (lister.clone(), at.clone());
            let storage = Arc::clone(&listing.at.storage);
            Box::new(entries.filter_map(move |entry| {
                let entry = match entry {
                    Ok(entry) if shown.shows(&entry) => entry,
                    Ok(_) => return None,
                    Err(error) => return Some(Err(error)),
                };
                let path = directory.join(&entry.name);
                Some(Ok(match path {
                    Ok(path) if shown.follows_links() => followed(&*storage, &path, entry),
                    _ => (entry, Naming::Own),
                }))
            }))
        }
        Err(error) if alone => {
            let found = storage.stat(at, false);
            let Some(metadata) = found.ok().filter(|it| it.kind != FileKind::Directory) else {
                return Err(error);
            };
            let name = at.name().unwrap_or(b"/").to_vec();
            let entry = Entry { name, metadata };
            let one = if lister.follows_links() {
                followed(storage, at, entry)
            } else {
                (entry, Naming::Own)
            };
            Box::new(std::iter::once(Ok(one)))
        }
        Err(error) => return Err(error),
    };
    Ok(ListingReader {
        lister,
        entries,
        left: listing.most,
    })
}

/// An entry with what a link leads to in place of the link.
fn followed(storage: &dyn Storage, path: &VirtualPath, mut entry: Entry) -> (Entry, Naming) {
    if entry.metadata.kind != FileKind::Symlink {
        return (entry, Naming::Own);
    }
    entry.metadata = describe_found(storage, path, entry.metadata).metadata;
    (entry, Naming::Link)
}

impl ListingReader {
    /// Appends the next line; whether there was one.
    fn write_next(&mut self, lines: &mut Vec<u8>) -> io::Result<bool> {
        let Some(entry) = self.entries.next() else {
            return Ok(false);
        };
        let left = self.left.checked_sub(1);
        self.left = left.ok_or(io::ErrorKind::ArgumentListTooLong)?;
        let (entry, naming) = entry?;
        self.lister.write(&entry, naming, lines);
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
