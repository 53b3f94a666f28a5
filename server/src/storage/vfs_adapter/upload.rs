//! Writes through the adapter: to a temporary file first, so that a failed upload leaves the old
//! file unchanged.

use super::foreign::{foreign, foreign_io, metadata, move_file, remove_quietly};
use super::{Names, Place, VfsStorage};
use crate::storage::{CHUNK, FileKind, OpenWrite, WriteHandle};

use bytes::Bytes;
use std::io::{self, ErrorKind, Read, Write};
use vfs::{SeekAndWrite, VfsPath};

/// The prefix of the name of every temporary file.
pub(super) const PREFIX: &str = ".ftpspec-upload-";

/// An upload in progress.
pub(super) struct Upload {
    storage: VfsStorage,
    target: Place,
    temporary: Temporary,
    /// Closed before the temporary file is removed: vfs::MemoryFS would create it again.
    file: Option<Box<dyn SeekAndWrite + Send>>,
    commit: Commit,
    /// The name was free and is reserved.
    reserved: bool,
}

/// How the temporary file is published.
#[derive(Debug, Clone, Copy)]
enum Commit {
    /// As the new file.
    Replace,
    /// Its octets are appended to the file, if that still has the length of the restart marker.
    Append { expected: Option<u64> },
}

impl Upload {
    pub(super) fn open(storage: &VfsStorage, target: Place, how: OpenWrite) -> io::Result<Self> {
        let mut names = storage.names_mut();
        let old = match metadata(&target.at) {
            _ if target.at == storage.0.root => Some(FileKind::Directory),
            Ok(old) => Some(old.kind),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        check_parent(&target)?;
        let (commit, keep) = match (how, old) {
            (OpenWrite::CreateNew, Some(_)) => return Err(ErrorKind::AlreadyExists.into()),
            (_, Some(FileKind::Directory)) => return Err(ErrorKind::IsADirectory.into()),
            (OpenWrite::Truncate | OpenWrite::CreateNew | OpenWrite::At(0), _) => {
                (Commit::Replace, 0)
            }
            (OpenWrite::Append, _) => (Commit::Append { expected: None }, 0),
            (OpenWrite::At(offset), old) => {
                let len = old.map_or(Ok(0), |_| metadata(&target.at).map(|old| old.len))?;
                let expected = Some(offset);
                match offset.cmp(&len) {
                    std::cmp::Ordering::Less => (Commit::Replace, offset),
                    std::cmp::Ordering::Equal => (Commit::Append { expected }, 0),
                    std::cmp::Ordering::Greater => {
                        return Err(io::Error::new(
                            ErrorKind::InvalidInput,
                            "the restart marker is beyond the end of the file",
                        ));
                    }
                }
            }
        };
        let temporary = Temporary::new(&mut names, storage, &target)?;
        let reserved = how == OpenWrite::CreateNew;
        let file = foreign(|| {
            let file = temporary.at.create_file()?;
            if reserved {
                target.at.create_file().map(drop)?;
            }
            Ok(file)
        });
        let file = match file {
            Ok(file) => file,
            Err(error) => {
                temporary.release(&mut names);
                return Err(error);
            }
        };
        if reserved {
            names.reserved.insert(target.path.clone());
        }
        drop(names);
        let mut upload = Self {
            storage: storage.clone(),
            target,
            temporary,
            file: Some(file),
            commit,
            reserved,
        };
        if let Some(file) = &mut upload.file {
            copy(&upload.target.at, keep, &mut **file)?;
        }
        Ok(upload)
    }

    fn publish(&mut self) -> io::Result<()> {
        if let Some(mut file) = self.file.take() {
            foreign_io(|| {
                file.flush()?;
                drop(file);
                Ok(())
            })?;
        }
        let storage = self.storage.clone();
        let mut names = storage.names_mut();
        let (temporary, target) = (&self.temporary.at, &self.target.at);
        match (metadata(target), self.commit) {
            (Ok(old), _) if old.kind == FileKind::Directory => {
                return Err(ErrorKind::IsADirectory.into());
            }
            (Ok(_), Commit::Replace) => replace(&mut names, &storage, temporary, &self.target)?,
            (Ok(old), Commit::Append { expected }) => {
                if expected.is_some_and(|expected| expected != old.len) {
                    return Err(io::Error::new(
                        ErrorKind::InvalidInput,
                        "the file has changed since the restart marker was accepted",
                    ));
                }
                append(temporary, target)?;
            }
            (
                Err(error),
                Commit::Replace
                | Commit::Append {
                    expected: None | Some(0),
                },
            ) if error.kind() == ErrorKind::NotFound => {
                check_parent(&self.target)?;
                move_file(temporary, target)?;
            }
            (Err(error), _) => return Err(error),
        }
        names.reserved.remove(&self.target.path);
        Ok(())
    }
}

impl WriteHandle for Upload {
    fn write_chunk(&mut self, octets: Bytes) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Err(io::Error::other("the upload has failed already"));
        };
        let written = foreign_io(|| file.write_all(&octets));
        if written.is_err() {
            self.close();
        }
        written
    }

    fn commit(mut self: Box<Self>) -> io::Result<()> {
        if self.file.is_none() {
            return Err(io::Error::other("the upload has failed already"));
        }
        self.publish()
    }
}

impl Upload {
    fn close(&mut self) {
        let file = self.file.take();
        let _closed = foreign_io(|| {
            drop(file);
            Ok(())
        });
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.close();
        let storage = self.storage.clone();
        let mut names = storage.names_mut();
        self.temporary.release(&mut names);
        let unused = self.reserved && names.reserved.remove(&self.target.path);
        if unused && metadata(&self.target.at).is_ok_and(|file| file.len == 0) {
            remove_quietly(&self.target.at);
        }
    }
}

/// A hidden file beside the target. Its number is reused afterwards: an overlay keeps a mark for
/// each removed name, and there should not be one for every upload.
struct Temporary {
    number: u32,
    at: VfsPath,
}

impl Temporary {
    fn new(names: &mut Names, storage: &VfsStorage, target: &Place) -> io::Result<Self> {
        let free = (0..).find(|number| !names.temporary.contains_key(number));
        let number = free.ok_or(ErrorKind::StorageFull)?;
        let name = format!("{PREFIX}{:016x}-{number}", storage.0.instance);
        let at = foreign(|| target.at.parent().join(name))?;
        names.temporary.insert(number, at.as_str().to_owned());
        Ok(Self { number, at })
    }

    fn release(&self, names: &mut Names) {
        if foreign(|| self.at.exists()).unwrap_or(true) {
            remove_quietly(&self.at);
        }
        names.temporary.remove(&self.number);
    }
}

fn check_parent(target: &Place) -> io::Result<()> {
    match metadata(&target.at.parent())?.kind {
        FileKind::Directory => Ok(()),
        FileKind::File | FileKind::Symlink => Err(ErrorKind::NotADirectory.into()),
    }
}

/// Replaces `target` by `new`. vfs can only move to a free name, so the old file is moved away
/// first; users of this storage do not see the moment in between, and if the move fails the old
/// file is restored.
pub(super) fn replace(
    names: &mut Names,
    storage: &VfsStorage,
    new: &VfsPath,
    target: &Place,
) -> io::Result<()> {
    let aside = Temporary::new(names, storage, target)?;
    if let Err(error) = move_file(&target.at, &aside.at) {
        names.temporary.remove(&aside.number);
        return Err(error);
    }
    let moved = move_file(new, &target.at);
    if moved.is_err() {
        // If even this fails, the old content still exists under the temporary name.
        let back = move_file(&aside.at, &target.at);
        if back.is_err() {
            names.temporary.remove(&aside.number);
            return moved.and(back);
        }
    }
    aside.release(names);
    moved
}

/// Appends the octets of `tail` to `target`. If the storage becomes full, a part of them stays: vfs
/// cannot shorten a file.
fn append(tail: &VfsPath, target: &VfsPath) -> io::Result<()> {
    let mut file = foreign(|| target.append_file())?;
    copy(tail, u64::MAX, &mut *file)?;
    foreign_io(|| {
        file.flush()?;
        drop(file);
        Ok(())
    })
}

/// Copies at most the first `len` octets.
fn copy(from: &VfsPath, len: u64, to: &mut dyn SeekAndWrite) -> io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    let mut from = foreign(|| from.open_file())?.take(len);
    let mut buffer = vec![0; CHUNK];
    loop {
        match foreign_io(|| from.read(&mut buffer)) {
            Ok(0) => return Ok(()),
            Ok(count) => foreign_io(|| to.write_all(&buffer[..count]))?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
