//! Reading and writing files of a [`MemFs`].

use super::content::{Content, Cursor};
use super::tree::{Id, Node};
use super::{MemFs, opened};
use crate::storage::{OpenWrite, ReadHandle, VirtualPath, WriteHandle};

use bytes::Bytes;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::time::SystemTime;

/// Reads the content a file had when it was opened.
#[derive(Debug)]
pub(super) struct Reader {
    content: Arc<Content>,
    cursor: Cursor,
}

impl Reader {
    pub(super) fn new(content: Arc<Content>, offset: u64) -> Self {
        Self {
            content,
            cursor: Cursor::new(offset),
        }
    }
}

impl ReadHandle for Reader {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        Ok(self.cursor.next(&self.content, max))
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let octets = self.cursor.next(&self.content, buffer.len());
        buffer[..octets.len()].copy_from_slice(&octets);
        Ok(octets.len())
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = sought(to, self.cursor.at(), self.content.len())?;
        self.cursor = Cursor::new(at);
        Ok(at)
    }
}

/// The target of a seek; an error before the beginning.
pub(super) fn sought(to: SeekFrom, at: u64, len: u64) -> io::Result<u64> {
    match to {
        SeekFrom::Start(offset) => Some(offset),
        SeekFrom::Current(by) => at.checked_add_signed(by),
        SeekFrom::End(by) => len.checked_add_signed(by),
    }
    .ok_or_else(|| ErrorKind::InvalidInput.into())
}

/// Collects an upload and installs it at commit.
#[derive(Debug)]
pub(super) struct Writer {
    fs: MemFs,
    path: VirtualPath,
    content: Content,
    /// Octets received, for the quota.
    staged: u64,
    /// Octets of the old file that will be replaced.
    credit: u64,
    /// Octets before the upload in the file: the limit of the file is checked while it is written.
    before: u64,
    append: bool,
    /// The name reserved for the upload; released if nothing was stored.
    reserved: Option<Id>,
}

impl Writer {
    pub(super) fn open(fs: &MemFs, path: &VirtualPath, how: OpenWrite) -> io::Result<Self> {
        let mut writer = Self {
            fs: fs.clone(),
            path: path.clone(),
            content: Content::default(),
            staged: 0,
            credit: 0,
            before: 0,
            append: false,
            reserved: None,
        };
        if how == OpenWrite::CreateNew {
            let mut tree = fs.tree_mut();
            let place = tree.locate(path, false)?;
            let node = Node::File {
                content: Arc::default(),
                reserved: true,
            };
            writer.reserved = Some(tree.insert(&place, node)?);
            return Ok(writer);
        }
        let old = {
            let tree = fs.tree();
            let place = tree.locate(path, true)?;
            match place.id {
                Some(id) => opened(&tree.get(id)?.node)?,
                None => {
                    tree.entries(place.parent)?;
                    // Writing to a dangling link does not create its target.
                    if tree.locate(path, false)?.id.is_some() {
                        return Err(ErrorKind::NotFound.into());
                    }
                    Arc::default()
                }
            }
        };
        match how {
            OpenWrite::Append => {
                writer.append = true;
                writer.before = old.len();
            }
            OpenWrite::At(offset) if offset > old.len() => {
                return Err(io::Error::new(
                    ErrorKind::InvalidInput,
                    "the restart marker is beyond the end of the file",
                ));
            }
            OpenWrite::At(offset) => {
                writer.content = old.head(offset);
                writer.before = offset;
                writer.credit = old.len() - offset;
            }
            OpenWrite::Truncate | OpenWrite::CreateNew => writer.credit = old.len(),
        }
        Ok(writer)
    }

    /// Installs the content. Returns the previous content, to be dropped without a lock.
    fn publish(&mut self) -> io::Result<Option<Arc<Content>>> {
        let fs = self.fs.clone();
        let mut tree = fs.tree_mut();
        let place = tree.locate(&self.path, true)?;
        let mut usage = fs.usage();
        let Some(id) = place.id else {
            let len = self.content.len();
            usage.change(0, len)?;
            let node = Node::file(std::mem::take(&mut self.content));
            let inserted = tree.insert(&place, node);
            if inserted.is_err() {
                usage.release(len);
            }
            return inserted.map(|_| None);
        };
        let inode = tree.get_mut(id)?;
        let old = match &mut inode.node {
            Node::File { content, reserved } => {
                let len = self.content.len() + if self.append { content.len() } else { 0 };
                usage.change(content.len(), len)?;
                *reserved = false;
                let new = std::mem::take(&mut self.content);
                if self.append && content.len() > 0 {
                    Arc::make_mut(content).append(new);
                    None
                } else {
                    Some(std::mem::replace(content, Arc::new(new)))
                }
            }
            Node::Directory { .. } => return Err(ErrorKind::IsADirectory.into()),
            Node::Link(_) => return Err(ErrorKind::NotFound.into()),
        };
        inode.modified = SystemTime::now();
        Ok(old)
    }

    fn give_back_name(&self, reserved: Id) {
        let mut tree = self.fs.tree_mut();
        let Ok(place) = tree.locate(&self.path, false) else {
            return;
        };
        let untouched = place.id == Some(reserved)
            && tree
                .get(reserved)
                .is_ok_and(|inode| matches!(inode.node, Node::File { reserved: true, .. }));
        if untouched {
            // It was found under the same lock.
            let _empty = tree.remove(&place);
        }
    }
}

impl WriteHandle for Writer {
    fn write_chunk(&mut self, octets: Bytes) -> io::Result<()> {
        let count = octets.len() as u64;
        let len = self.before + self.staged + count;
        self.fs.usage().stage(count, self.credit, len)?;
        self.staged += count;
        self.content.push(&octets);
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> io::Result<()> {
        let old = self.publish()?;
        self.reserved = None;
        drop(old);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(reserved) = self.reserved {
            self.give_back_name(reserved);
        }
        self.fs.usage().unstage(self.staged);
    }
}
