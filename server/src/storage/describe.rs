//! What a name is described as: what a symbolic link leads to, or the link itself if it leads to
//! nothing.

use super::{FileKind, Metadata, Storage, VirtualPath};

use std::io;

/// What MLSD, MLST and LIST describe under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Of what the name leads to. Of kind [`FileKind::Symlink`] only if the link cannot be
    /// followed: because there is nothing at its end, because it leads to itself, or because this
    /// storage follows no links.
    pub metadata: Metadata,
    /// Whether the name is a symbolic link. DELE, RNFR and RNTO act on the link, not on what it
    /// leads to.
    pub link: bool,
}

/// Describes what stands at `path`.
///
/// # Errors
/// As [`Storage::stat`] without following: a link that leads to nothing is there, too.
pub fn describe(storage: &dyn Storage, path: &VirtualPath) -> io::Result<Described> {
    Ok(describe_found(storage, path, storage.stat(path, false)?))
}

/// The same where it is known what stands at `path` if a link is not followed.
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
