//! Writes a file: to a temporary one first, so that a failed upload leaves the old file unchanged.

use super::place::{Identity, Place, kind};
use super::temporary::{Temporary, readable};
use super::{AbortedUpload, DiskStorage, Durability, Reservation};
use crate::storage::{FileKind, OpenWrite, VirtualPath, WriteHandle};

use bytes::Bytes;
use cap_std::fs::MetadataExt;
use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;

/// How often a file that changes while it is copied is copied again before other commits are
/// blocked.
const MAX_COPIES: usize = 3;

/// An upload in progress.
pub(super) struct Upload {
    disk: DiskStorage,
    path: VirtualPath,
    temporary: Temporary,
    file: File,
    commit: Commit,
    /// Octets were written and nothing failed: worth keeping.
    sound: bool,
    committed: bool,
}

/// How the temporary file is published.
#[derive(Debug)]
enum Commit {
    /// As the new file. `extends` is the file it begins with: all of it, or nothing.
    Replace { extends: Option<Identity> },
    /// As the new file, if the name is still free.
    New { _kept: Reservation },
    /// Its octets are appended to the file.
    Append,
}

impl Upload {
    pub(super) fn open(disk: &DiskStorage, path: &VirtualPath, how: OpenWrite) -> io::Result<Self> {
        let uploads = disk.uploads()?;
        let place = disk.find(path, how != OpenWrite::CreateNew)?;
        let old = place.found_if_any()?;
        // Writing to a dangling link does not create its target.
        if old.is_none() && disk.find(path, false)?.found_if_any()?.is_some() {
            return Err(ErrorKind::NotFound.into());
        }
        let commit = match (&old, how) {
            (None, OpenWrite::CreateNew) => Commit::New {
                _kept: disk.reserve(&place)?,
            },
            (Some(_), OpenWrite::CreateNew) => return Err(ErrorKind::AlreadyExists.into()),
            (None, OpenWrite::At(1..)) => return Err(beyond_the_end()),
            (None, OpenWrite::At(0) | OpenWrite::Truncate) => Commit::Replace { extends: None },
            (None, OpenWrite::Append) => Commit::Append,
            (Some(old), how) => {
                place.check_replaceable(old)?;
                match how {
                    OpenWrite::Append => Commit::Append,
                    OpenWrite::At(offset) if offset > old.len() => {
                        return Err(beyond_the_end());
                    }
                    OpenWrite::At(offset) if offset == old.len() => Commit::Replace {
                        extends: Some(Identity::of(old)),
                    },
                    _ => Commit::Replace { extends: None },
                }
            }
        };
        let (temporary, mut file) = uploads.make()?;
        if let OpenWrite::At(offset @ 1..) = how {
            let (head, _) = place.open_file()?;
            let copied = io::copy(&mut head.into_std().take(offset), &mut file)?;
            if copied < offset {
                return Err(beyond_the_end());
            }
        }
        Ok(Self {
            disk: disk.clone(),
            path: path.clone(),
            temporary,
            file,
            commit,
            sound: false,
            committed: false,
        })
    }

    fn publish(&mut self) -> io::Result<()> {
        if matches!(self.commit, Commit::Append) {
            return self.append();
        }
        let disk = self.disk.clone();
        let _in_turn = disk.in_turn();
        let new = matches!(self.commit, Commit::New { .. });
        put(&disk, &self.find()?, &self.temporary, &self.file, new)
    }

    /// Creates a new file from the old one and the upload. It is copied without blocking others,
    /// and used if the old file did not change meanwhile; the last attempt blocks them.
    fn append(&mut self) -> io::Result<()> {
        let disk = self.disk.clone();
        for attempt in 0..=MAX_COPIES {
            let early = (attempt == MAX_COPIES).then(|| disk.in_turn());
            let place = self.find()?;
            let old = match place.found_if_any()? {
                Some(found) => {
                    place.check_replaceable(&found)?;
                    Some(place.open_file()?)
                }
                None => None,
            };
            let whole = match &old {
                None => None,
                Some((old, _)) => Some(self.appended_to(old.try_clone()?.into_std())?),
            };
            let in_turn = early.unwrap_or_else(|| disk.in_turn());
            let place = self.find()?;
            let now = place.found_if_any()?;
            let before = old.map(|(_, found)| Identity::of(&found));
            if now.as_ref().map(Identity::of) == before {
                let (temporary, file) = whole
                    .as_ref()
                    .map_or((&self.temporary, &self.file), |(at, file)| (at, file));
                return put(&disk, &place, temporary, file, false);
            }
            drop(in_turn);
        }
        Err(ErrorKind::ResourceBusy.into())
    }

    /// A new file with the octets of `old`, followed by those of the upload. Octets are shared
    /// between the files if the file system supports it.
    fn appended_to(&mut self, mut old: File) -> io::Result<(Temporary, File)> {
        let (temporary, mut whole) = self.disk.uploads()?.make()?;
        io::copy(&mut old, &mut whole)?;
        self.file.rewind()?;
        io::copy(&mut self.file, &mut whole)?;
        Ok((temporary, whole))
    }

    fn find(&self) -> io::Result<Place> {
        let follow = !matches!(self.commit, Commit::New { .. });
        self.disk.find(&self.path, follow)
    }

    /// Publishes the received part of an upload that was not completed, if that loses no octet of
    /// an existing file.
    fn keep(&mut self) -> io::Result<()> {
        if let Commit::Replace { extends } = self.commit {
            let disk = self.disk.clone();
            let _in_turn = disk.in_turn();
            let place = self.find()?;
            if place.found_if_any()?.as_ref().map(Identity::of) != extends {
                return Ok(());
            }
            return put(&disk, &place, &self.temporary, &self.file, false);
        }
        self.publish()
    }
}

impl WriteHandle for Upload {
    fn write_chunk(&mut self, octets: Bytes) -> io::Result<()> {
        self.sound = false;
        self.file.write_all(&octets)?;
        self.sound = true;
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> io::Result<()> {
        // After this there is nothing left to keep, also after a failure.
        self.committed = true;
        self.publish()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.committed && self.sound && self.disk.aborted == AbortedUpload::Keep {
            // Nobody is left to receive the error.
            let _kept = self.keep();
        }
    }
}

/// Gives a finished file its name.
fn put(
    disk: &DiskStorage,
    place: &Place,
    temporary: &Temporary,
    file: &File,
    new: bool,
) -> io::Result<()> {
    let name = place.named(ErrorKind::IsADirectory)?;
    if let Some(old) = place.found_if_any()? {
        if kind(&old) == Some(FileKind::Directory) {
            return Err(ErrorKind::IsADirectory.into());
        }
        if !new {
            let bits = old.mode() & 0o777;
            if file.metadata()?.permissions().mode() & 0o777 != bits {
                file.set_permissions(Permissions::from_mode(bits))?;
            }
        }
    }
    if disk.durability == Durability::AtCommit {
        file.sync_all()?;
    }
    if new {
        temporary.create(&place.parent, name)?;
    } else {
        temporary.replace(&place.parent, name)?;
    }
    if disk.durability == Durability::AtCommit {
        readable(&place.parent)?.sync_all()?;
    }
    Ok(())
}

fn beyond_the_end() -> io::Error {
    io::Error::new(
        ErrorKind::InvalidInput,
        "the restart marker is beyond the end of the file",
    )
}
