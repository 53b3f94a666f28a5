//! [`MemFs`] as a file system of the vfs crate, for programs that use a [`vfs::VfsPath`].
//!
//! Writing changes the file at once, as in the file systems of that crate, and supports seeking.
//! Names that are not UTF-8 are invisible. Links are followed, since vfs has none.

use super::content::Content;
use super::handles::{Reader, sought};
use super::tree::{Id, Node, Tree};
use super::{MemFs, opened};
use crate::storage::{CHUNK, FileKind, Metadata, Storage, Times, VirtualPath};

use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::SystemTime;
use vfs::error::VfsErrorKind;
use vfs::{FileSystem, SeekAndRead, SeekAndWrite, VfsError, VfsFileType, VfsMetadata, VfsResult};

impl FileSystem for MemFs {
    fn read_dir(&self, path: &str) -> VfsResult<Box<dyn Iterator<Item = String> + Send>> {
        let entries = self.list(&virtual_path(path)?).map_err(failed)?;
        Ok(Box::new(entries.filter_map(|entry| {
            String::from_utf8(entry.ok()?.name).ok()
        })))
    }

    fn create_dir(&self, path: &str) -> VfsResult<()> {
        let path = virtual_path(path)?;
        self.make_directory(&path).map_err(|error| {
            if error.kind() != ErrorKind::AlreadyExists {
                return failed(error);
            }
            match self.stat(&path, true) {
                Ok(Metadata {
                    kind: FileKind::Directory,
                    ..
                }) => VfsErrorKind::DirectoryExists.into(),
                _ => VfsErrorKind::FileExists.into(),
            }
        })
    }

    fn open_file(&self, path: &str) -> VfsResult<Box<dyn SeekAndRead + Send>> {
        let content = self.open(&virtual_path(path)?).map_err(failed)?;
        Ok(Box::new(Reader::new(content, 0)))
    }

    fn create_file(&self, path: &str) -> VfsResult<Box<dyn SeekAndWrite + Send>> {
        let path = virtual_path(path)?;
        let (id, old) = self.empty_file(&path).map_err(failed)?;
        drop(old);
        Ok(Box::new(WriteThrough {
            fs: self.clone(),
            id,
            at: 0,
        }))
    }

    fn append_file(&self, path: &str) -> VfsResult<Box<dyn SeekAndWrite + Send>> {
        let path = virtual_path(path)?;
        let (id, at) = {
            let tree = self.tree();
            let id = tree.find(&path, true).map_err(failed)?;
            let content = tree.get(id).and_then(|inode| opened(&inode.node));
            (id, content.map_err(failed)?.len())
        };
        Ok(Box::new(WriteThrough {
            fs: self.clone(),
            id,
            at,
        }))
    }

    fn metadata(&self, path: &str) -> VfsResult<VfsMetadata> {
        let path = virtual_path(path)?;
        let tree = self.tree();
        let described = tree.find(&path, true).and_then(|id| {
            let metadata = tree.metadata(id)?;
            Ok(VfsMetadata {
                file_type: match metadata.kind {
                    FileKind::Directory => VfsFileType::Directory,
                    FileKind::File | FileKind::Symlink => VfsFileType::File,
                },
                len: metadata.len,
                created: metadata.created,
                modified: metadata.modified,
                accessed: Some(tree.get(id)?.accessed),
            })
        });
        described.map_err(failed)
    }

    fn set_creation_time(&self, path: &str, time: SystemTime) -> VfsResult<()> {
        let times = Times {
            created: Some(time),
            modified: None,
        };
        self.set_times(&virtual_path(path)?, times).map_err(failed)
    }

    fn set_modification_time(&self, path: &str, time: SystemTime) -> VfsResult<()> {
        let times = Times {
            modified: Some(time),
            created: None,
        };
        self.set_times(&virtual_path(path)?, times).map_err(failed)
    }

    fn set_access_time(&self, path: &str, time: SystemTime) -> VfsResult<()> {
        let path = virtual_path(path)?;
        let mut tree = self.tree_mut();
        let id = tree.find(&path, true).map_err(failed)?;
        tree.get_mut(id).map_err(failed)?.accessed = time;
        Ok(())
    }

    fn exists(&self, path: &str) -> VfsResult<bool> {
        let path = virtual_path(path)?;
        Ok(self.tree().find(&path, true).is_ok())
    }

    fn remove_file(&self, path: &str) -> VfsResult<()> {
        Storage::remove_file(self, &virtual_path(path)?).map_err(failed)
    }

    fn remove_dir(&self, path: &str) -> VfsResult<()> {
        self.remove_directory(&virtual_path(path)?).map_err(failed)
    }

    /// Shares the content: octets are copied when one of the two is written.
    fn copy_file(&self, source: &str, destination: &str) -> VfsResult<()> {
        let (source, destination) = (virtual_path(source)?, virtual_path(destination)?);
        let mut tree = self.tree_mut();
        copy(self, &mut tree, &source, &destination).map_err(failed)
    }

    fn move_file(&self, source: &str, destination: &str) -> VfsResult<()> {
        self.move_kind(source, destination, false)
    }

    fn move_dir(&self, source: &str, destination: &str) -> VfsResult<()> {
        self.move_kind(source, destination, true)
    }
}

impl MemFs {
    /// An empty file at the path, and its previous content.
    fn empty_file(&self, path: &VirtualPath) -> io::Result<(Id, Arc<Content>)> {
        let mut tree = self.tree_mut();
        let place = tree.locate(path, true)?;
        let Some(id) = place.id else {
            let id = tree.insert(&place, Node::file(Content::default()))?;
            return Ok((id, Arc::default()));
        };
        let inode = tree.get_mut(id)?;
        let old = opened(&inode.node)?;
        self.usage().release(old.len());
        inode.node = Node::file(Content::default());
        inode.modified = SystemTime::now();
        Ok((id, old))
    }

    /// As rename, but never replaces anything.
    fn move_kind(&self, source: &str, destination: &str, directory: bool) -> VfsResult<()> {
        let (source, destination) = (virtual_path(source)?, virtual_path(destination)?);
        if self.stat(&destination, false).is_ok() {
            return Err(VfsErrorKind::FileExists.into());
        }
        let kind = self.stat(&source, false).map_err(failed)?.kind;
        match (kind == FileKind::Directory, directory) {
            (true, false) => Err(failed(ErrorKind::IsADirectory.into())),
            (false, true) => Err(failed(ErrorKind::NotADirectory.into())),
            _ => self.rename(&source, &destination).map_err(failed),
        }
    }
}

fn copy(
    fs: &MemFs,
    tree: &mut Tree,
    source: &VirtualPath,
    destination: &VirtualPath,
) -> io::Result<()> {
    let inode = tree.get(tree.find(source, true)?)?;
    let content = opened(&inode.node)?;
    let mode = inode.mode;
    let place = tree.locate(destination, false)?;
    let len = content.len();
    let mut usage = fs.usage();
    usage.change(0, len)?;
    let node = Node::File {
        content,
        reserved: false,
    };
    match tree.insert(&place, node) {
        Ok(id) => tree.get_mut(id).map(|inode| inode.mode = mode),
        Err(error) => {
            usage.release(len);
            Err(error)
        }
    }
}

/// Writes to a file while others see it. After the file is removed, writes fail.
struct WriteThrough {
    fs: MemFs,
    id: Id,
    at: u64,
}

impl Write for WriteThrough {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        // One piece at a time: the lock is held while it is copied.
        let octets = &octets[..octets.len().min(CHUNK)];
        if octets.is_empty() {
            return Ok(0);
        }
        let after = self
            .at
            .checked_add(octets.len() as u64)
            .ok_or(ErrorKind::QuotaExceeded)?;
        let mut tree = self.fs.tree_mut();
        let inode = tree.get_mut(self.id)?;
        let Node::File { content, reserved } = &mut inode.node else {
            return Err(ErrorKind::NotFound.into());
        };
        let len = content.len();
        self.fs.usage().change(len, len.max(after))?;
        *reserved = false;
        Arc::make_mut(content).write_at(self.at, octets);
        inode.modified = SystemTime::now();
        self.at = after;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for WriteThrough {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let len = match to {
            SeekFrom::End(_) => opened(&self.fs.tree().get(self.id)?.node)?.len(),
            SeekFrom::Start(_) | SeekFrom::Current(_) => 0,
        };
        self.at = sought(to, self.at, len)?;
        Ok(self.at)
    }
}

fn virtual_path(path: &str) -> VfsResult<VirtualPath> {
    VirtualPath::root()
        .join(path.as_bytes())
        .map_err(|_| VfsErrorKind::InvalidPath.into())
}

/// The error with its kind preserved inside [`VfsErrorKind::IoError`].
fn failed(error: io::Error) -> VfsError {
    VfsErrorKind::IoError(error).into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::*;

    use vfs::VfsPath;

    #[expect(clippy::useless_vec, reason = "the macro is not ours")]
    mod suite {
        use super::*;

        vfs::test_vfs!(MemFs::new());
    }

    #[test]
    fn a_copy_and_its_original_go_their_own_ways() {
        let root = VfsPath::new(MemFs::new());
        let (a, b) = (root.join("a").unwrap(), root.join("b").unwrap());
        a.create_file().unwrap().write_all(b"same").unwrap();
        a.copy_file(&b).unwrap();
        b.append_file().unwrap().write_all(b" no more").unwrap();
        assert_eq!(a.read_to_string().unwrap(), "same");
        assert_eq!(b.read_to_string().unwrap(), "same no more");
    }

    #[test]
    fn names_that_are_not_utf8_are_left_out() {
        let fs = MemFs::new();
        for name in [&b"/\xff"[..], b"/text"] {
            let path = VirtualPath::root().join(name).unwrap();
            fs.make_directory(&path).unwrap();
        }
        let names: Vec<String> = fs.read_dir("").unwrap().collect();
        assert_eq!(names, ["text"]);
    }

    #[test]
    fn writing_to_a_removed_file_does_not_bring_it_back() {
        let root = VfsPath::new(MemFs::new());
        let path = root.join("a").unwrap();
        let mut file = path.create_file().unwrap();
        file.write_all(b"here").unwrap();
        path.remove_file().unwrap();
        let error = file.write_all(b"gone").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        drop(file);
        assert!(!path.exists().unwrap());
    }

    #[test]
    fn a_gap_counts_against_the_quota_and_is_not_allocated_beyond_it() {
        let fs = MemFs::new().with_quota(1 << 20);
        let root = VfsPath::new(fs.clone());
        let mut file = root.join("a").unwrap().create_file().unwrap();
        for beyond in [1 << 62, u64::MAX] {
            file.seek(SeekFrom::Start(beyond)).unwrap();
            let error = file.write(b"x").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
        }
        file.seek(SeekFrom::Start(1000)).unwrap();
        file.write_all(b"x").unwrap();
        assert_eq!(fs.used(), 1001);
    }

    #[test]
    fn the_kind_of_an_error_survives() {
        let fs = MemFs::new();
        fs.create_dir("/d").unwrap();
        fs.create_dir("/d/e").unwrap();
        let error = fs.remove_dir("/d").unwrap_err();
        let VfsErrorKind::IoError(error) = error.kind() else {
            panic!("{error}");
        };
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
    }
}
