//! Changes to a storage.

use super::VirtualPath;
use crate::text::{as_text, optional_octal, optional_rfc3339};

use serde::Serialize;
use std::time::SystemTime;

/// A change that a client has made to a storage. As JSON it is an event of the
/// [journal](crate::observe::journal).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// A file was stored.
    Stored {
        /// Which.
        path: VirtualPath,
    },
    /// A file was removed.
    Removed {
        /// Which.
        path: VirtualPath,
    },
    /// A file or directory was renamed.
    Renamed {
        /// The old one.
        from: VirtualPath,
        /// The new one.
        to: VirtualPath,
    },
    /// A directory was made.
    DirectoryMade {
        /// Which.
        path: VirtualPath,
    },
    /// A directory was removed.
    DirectoryRemoved {
        /// Which.
        path: VirtualPath,
    },
    /// A directory was removed with its content (RMDA, SITE RMDIR).
    SubtreeRemoved {
        /// Which.
        path: VirtualPath,
    },
    /// A symbolic link was made.
    LinkMade {
        /// Which.
        path: VirtualPath,
        /// Its target.
        #[serde(serialize_with = "as_text")]
        target: Vec<u8>,
    },
    /// Facts of a file or directory were set (MFMT, MFCT, MFF, SITE CHMOD, SITE UTIME).
    FactsSet {
        /// Which.
        path: VirtualPath,
        /// The time of the last modification, if that was set.
        #[serde(
            skip_serializing_if = "Option::is_none",
            serialize_with = "optional_rfc3339"
        )]
        modified: Option<SystemTime>,
        /// The time of creation, if that was set.
        #[serde(
            skip_serializing_if = "Option::is_none",
            serialize_with = "optional_rfc3339"
        )]
        created: Option<SystemTime>,
        /// The permission bits, if they were set. As JSON they are octal text.
        #[serde(
            skip_serializing_if = "Option::is_none",
            serialize_with = "optional_octal"
        )]
        mode: Option<u32>,
    },
}

impl Change {
    /// The octets of its pathnames.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Stored { path }
            | Self::Removed { path }
            | Self::DirectoryMade { path }
            | Self::DirectoryRemoved { path }
            | Self::SubtreeRemoved { path }
            | Self::FactsSet { path, .. } => path.as_bytes().len(),
            Self::Renamed { from, to } => from.as_bytes().len() + to.as_bytes().len(),
            Self::LinkMade { path, target } => path.as_bytes().len() + target.len(),
        }
    }
}
