//! The only mapping from errors of a storage to reply codes (RFC 959 §5.4).

use crate::storage::PathError;
use crate::wire::{Completion, done};
use std::io::{self, ErrorKind};

/// The kind of operation: its row of RFC 959 §5.4 determines the possible codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// RETR and everything that names one existing file or directory: 550.
    Find,
    /// STOR, STOU, APPE, RNTO: operations that create a name, 553.
    Name,
    /// LIST, NLST, STAT: their rows have no other refusal than 450.
    List,
    /// HASH: draft-bryan-ftpext-hash-02 §3.5.
    Hash,
}

impl Act {
    /// The reply to an error of a storage.
    pub(super) fn failed(self, kind: ErrorKind) -> Completion {
        use Act::{Find, Hash, List, Name};
        match (self, kind) {
            (Hash, ErrorKind::PermissionDenied) => done(552, "Permission denied."),
            (_, ErrorKind::PermissionDenied) => done(550, "Permission denied."),
            (_, ErrorKind::ReadOnlyFilesystem) => done(550, "Read-only file system."),

            (Find | Hash, ErrorKind::NotFound) => done(550, "No such file or directory."),
            (Name, ErrorKind::NotFound) => {
                done(553, "No such directory, or a dangling symbolic link.")
            }
            (List, ErrorKind::NotFound) => done(450, "No such file or directory."),

            (Find, ErrorKind::IsADirectory) => done(550, "Is a directory."),
            (Name | Hash, ErrorKind::IsADirectory) => done(553, "Is a directory."),
            (List, ErrorKind::IsADirectory) => done(450, "Is a directory."),

            (Find | Hash, ErrorKind::NotADirectory) => done(550, "Not a directory."),
            (Name, ErrorKind::NotADirectory) => done(553, "Not a directory."),
            (List, ErrorKind::NotADirectory) => done(450, "Not a directory."),

            (Find | Hash, ErrorKind::AlreadyExists) => done(550, "File exists."),
            (Name, ErrorKind::AlreadyExists) => done(553, "File exists."),
            (List, ErrorKind::AlreadyExists) => done(450, "File exists."),

            (Find | Hash, ErrorKind::DirectoryNotEmpty) => done(550, "Directory not empty."),
            (Name, ErrorKind::DirectoryNotEmpty) => done(553, "Directory not empty."),
            (List, ErrorKind::DirectoryNotEmpty) => done(450, "Directory not empty."),

            (Find | Hash, ErrorKind::InvalidInput | ErrorKind::InvalidFilename) => {
                done(550, "Invalid pathname for this operation.")
            }
            (Name, ErrorKind::InvalidInput | ErrorKind::InvalidFilename) => {
                done(553, "Invalid pathname for this operation.")
            }
            (List, ErrorKind::InvalidInput | ErrorKind::InvalidFilename) => {
                done(450, "Invalid pathname for this operation.")
            }

            (_, ErrorKind::ResourceBusy) => done(450, "The file is busy; try again."),
            (_, ErrorKind::WouldBlock) => done(450, "The server is busy; try again."),
            (_, ErrorKind::ArgumentListTooLong) => done(451, "Too many entries in the directory."),
            (_, ErrorKind::StorageFull) => done(452, "Insufficient storage space."),
            (_, ErrorKind::QuotaExceeded) => done(552, "Storage quota exceeded."),
            (_, ErrorKind::FileTooLarge) => done(552, "File too large."),
            (_, ErrorKind::Unsupported) => done(504, "Not supported by this storage."),
            (Hash, _) => done(551, "Digest calculation failed."),
            (_, _) => done(451, "Storage error."),
        }
    }

    /// The reply to an error of a storage. The message of the error is not sent: it may contain
    /// host paths.
    pub(super) fn refused(self, error: &io::Error) -> Completion {
        self.failed(error.kind())
    }
}

/// The reply to an invalid pathname. Where a name is to be created the code is 553.
pub(super) fn path_refused(act: Act, error: PathError) -> Completion {
    match (act, error) {
        (Act::Name, PathError::Control) => done(553, "The pathname contains NUL or a line end."),
        (_, PathError::Control) => done(501, "The pathname contains NUL or a line end."),
        (Act::Name, PathError::TooLong) => done(553, "Pathname too long."),
        (Act::List, PathError::TooLong) => done(450, "Pathname too long."),
        (Act::Find | Act::Hash, PathError::TooLong) => done(550, "Pathname too long."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [ErrorKind; 13] = [
        ErrorKind::NotFound,
        ErrorKind::AlreadyExists,
        ErrorKind::PermissionDenied,
        ErrorKind::NotADirectory,
        ErrorKind::IsADirectory,
        ErrorKind::DirectoryNotEmpty,
        ErrorKind::InvalidInput,
        ErrorKind::Unsupported,
        ErrorKind::StorageFull,
        ErrorKind::QuotaExceeded,
        ErrorKind::ReadOnlyFilesystem,
        ErrorKind::ResourceBusy,
        ErrorKind::Other,
    ];

    #[test]
    fn every_error_is_a_refusal_that_reveals_nothing_of_the_host() {
        for act in [Act::Find, Act::Name, Act::List, Act::Hash] {
            for kind in KINDS {
                let Completion(reply) = act.refused(&io::Error::new(kind, "/etc/secret"));
                assert!((400..600).contains(&reply.code.0), "{act:?} {kind:?}");
                assert!(
                    reply
                        .lines()
                        .all(|line| !line.windows(6).any(|part| part == b"secret"))
                );
            }
        }
    }

    #[test]
    fn what_may_pass_is_4yz_and_what_stays_is_5yz() {
        for act in [Act::Find, Act::Name] {
            assert_eq!(act.failed(ErrorKind::StorageFull).0.code.0, 452);
            assert_eq!(act.failed(ErrorKind::ResourceBusy).0.code.0, 450);
            assert!(act.failed(ErrorKind::NotFound).0.code.0 >= 500);
        }
    }
}
