//! The description of a name: of the target of a symbolic link, or of the link itself if it is
//! dangling.

use super::{FileKind, Metadata, Storage, VirtualPath};

use std::io;

/// The description of a name in MLSD, MLST and LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The metadata of the target. Of kind [`FileKind::Symlink`] only if the link cannot be
    /// followed: because it is dangling or leads to itself, or because this storage does not follow
    /// links.
    pub metadata: Metadata,
    /// Whether the name is a symbolic link. DELE, RNFR and RNTO act on the link, not on its target.
    pub link: bool,
}

/// Describes the file at `path`.
///
/// # Errors
/// As [`Storage::stat`] without following links: a dangling link is found.
pub fn describe(storage: &dyn Storage, path: &VirtualPath) -> io::Result<Described> {
    Ok(describe_found(storage, path, storage.stat(path, false)?))
}

/// As [`describe`], if the metadata of the name itself is known already.
pub(crate) fn describe_found(
    storage: &dyn Storage,
    path: &VirtualPath,
    found: Metadata,
) -> Described {
    let link = found.kind == FileKind::Symlink;
    let target = if link {
        storage.stat(path, true).ok()
    } else {
        None
    };
    Described {
        metadata: target.unwrap_or(found),
        link,
    }
}
