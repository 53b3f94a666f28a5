//! Octets in memory of their own, which returns to the system when they are dropped.

use bytes::Bytes;
use memmap2::MmapMut;

/// A copy of `octets` in pages of its own.
///
/// Memory freed by the allocator stays with the process while any later small allocation is in use:
/// a server would keep the memory of deleted large files. If the system has no more mappings, the
/// copy is an ordinary one.
pub(super) fn mapped(octets: &[u8]) -> Bytes {
    match MmapMut::map_anon(octets.len()) {
        Ok(mut pages) => {
            pages.copy_from_slice(octets);
            Bytes::from_owner(pages)
        }
        Err(_) => Bytes::copy_from_slice(octets),
    }
}
