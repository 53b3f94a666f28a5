//! Octets in memory of their own, which goes back to the system as soon as they are dropped.

use bytes::Bytes;
use memmap2::MmapMut;

/// A copy of `octets` in pages that nothing else is in.
///
/// What is freed by the allocator stays with the process as long as anything small that came later
/// is still in use: a server whose large files were all deleted would keep their memory. Where the
/// system has no more mappings to give, the copy is an ordinary one.
pub(super) fn mapped(octets: &[u8]) -> Bytes {
    match MmapMut::map_anon(octets.len()) {
        Ok(mut pages) => {
            pages.copy_from_slice(octets);
            Bytes::from_owner(pages)
        }
        Err(_) => Bytes::copy_from_slice(octets),
    }
}
