//! The names of a [`MemFs`](super::MemFs): inodes, directories and symbolic links.

use super::content::Content;
use crate::storage::{FileKind, Metadata, Owners, VirtualPath};

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::SystemTime;

/// The most symbolic links on one path, as on Linux.
const MAX_LINKS: usize = 40;

/// A directory's entries, sorted by name.
pub(super) type Entries = BTreeMap<Arc<[u8]>, Id>;

/// The index of an inode. The generation distinguishes it from later inodes at the same index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id {
    slot: u32,
    generation: u32,
}

impl Id {
    /// The root directory: created first and never removed.
    pub(super) const ROOT: Self = Self {
        slot: 0,
        generation: 0,
    };
}

/// An inode.
#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) node: Node,
    pub(super) mode: u32,
    pub(super) modified: SystemTime,
    pub(super) created: SystemTime,
    pub(super) accessed: SystemTime,
    /// Boxed, since few files have owners.
    pub(super) owners: Option<Box<Owners>>,
}

/// The kind of an inode.
#[derive(Debug, Clone)]
pub(super) enum Node {
    File {
        content: Arc<Content>,
        /// The name was reserved by STOU and nothing was stored yet.
        reserved: bool,
    },
    Directory {
        entries: Arc<Entries>,
        parent: Id,
    },
    Link(Arc<[u8]>),
}

impl Node {
    pub(super) fn file(content: Content) -> Self {
        Self::File {
            content: Arc::new(content),
            reserved: false,
        }
    }

    /// Octets that count towards the quota.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::File { content, .. } => content.len(),
            Self::Directory { .. } | Self::Link(_) => 0,
        }
    }
}

/// The result of resolving a path: a name in a directory, and its inode if it exists.
#[derive(Debug)]
pub(super) struct Place<'p> {
    pub(super) parent: Id,
    /// Empty if there is no name: the root, or `..` at the end of a link.
    pub(super) name: Cow<'p, [u8]>,
    pub(super) id: Option<Id>,
}

impl Place<'_> {
    pub(super) fn found(&self) -> io::Result<Id> {
        self.id.ok_or_else(|| ErrorKind::NotFound.into())
    }
}

/// All inodes. Cloning it shares directories and content.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    slots: Vec<Slot>,
    free: Vec<u32>,
    pub(super) max_entries: usize,
}

#[derive(Debug, Clone)]
struct Slot {
    generation: u32,
    inode: Option<Inode>,
}

impl Tree {
    /// An empty root directory.
    pub(super) fn new(max_entries: usize) -> Self {
        let root = Node::Directory {
            entries: Arc::default(),
            parent: Id::ROOT,
        };
        let slot = Slot {
            generation: 0,
            inode: Some(inode(root)),
        };
        Self {
            slots: vec![slot],
            free: Vec::new(),
            max_entries,
        }
    }

    /// The inode with this identifier, if it still exists.
    pub(super) fn get(&self, id: Id) -> io::Result<&Inode> {
        self.slots
            .get(id.slot as usize)
            .filter(|slot| slot.generation == id.generation)
            .and_then(|slot| slot.inode.as_ref())
            .ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// As [`get`](Self::get), mutable.
    pub(super) fn get_mut(&mut self, id: Id) -> io::Result<&mut Inode> {
        self.slots
            .get_mut(id.slot as usize)
            .filter(|slot| slot.generation == id.generation)
            .and_then(|slot| slot.inode.as_mut())
            .ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// The entries of a directory.
    pub(super) fn entries(&self, id: Id) -> io::Result<&Arc<Entries>> {
        match &self.get(id)?.node {
            Node::Directory { entries, .. } => Ok(entries),
            Node::File { .. } | Node::Link(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// Resolves a path. Only the last name may be missing. A link at the end is followed if
    /// `follow`.
    pub(super) fn locate<'p>(&self, path: &'p VirtualPath, follow: bool) -> io::Result<Place<'p>> {
        let mut place = Place {
            parent: Id::ROOT,
            name: Cow::Borrowed(b""),
            id: Some(Id::ROOT),
        };
        let mut names = path.components().peekable();
        while let Some(name) = names.next() {
            place = self.step(place.found()?, Cow::Borrowed(name))?;
            let Some(id) = place.id else { continue };
            if matches!(self.get(id)?.node, Node::Link(_)) && (follow || names.peek().is_some()) {
                return self.locate_through_links(path, follow);
            }
        }
        Ok(place)
    }

    /// As [`locate`](Self::locate), but the name must exist.
    pub(super) fn find(&self, path: &VirtualPath, follow: bool) -> io::Result<Id> {
        self.locate(path, follow)?.found()
    }

    /// Links are resolved from the root of this tree, and `..` ends there: no link leads outside.
    fn locate_through_links(&self, path: &VirtualPath, follow: bool) -> io::Result<Place<'static>> {
        let mut ahead: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        let mut links = 0;
        let mut place = Place {
            parent: Id::ROOT,
            name: Cow::Borrowed(b""),
            id: Some(Id::ROOT),
        };
        while let Some(name) = ahead.pop() {
            let at = place.found()?;
            if name == b".." {
                place.id = Some(self.parent(at)?);
                place.name = Cow::Borrowed(b"");
                continue;
            }
            place = self.step(at, Cow::Owned(name))?;
            let Some(id) = place.id else { continue };
            let Node::Link(target) = &self.get(id)?.node else {
                continue;
            };
            if !follow && ahead.is_empty() {
                break;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(io::Error::new(
                    ErrorKind::NotFound,
                    "too many levels of symbolic links",
                ));
            }
            let names = target.rsplit(|octet| *octet == b'/');
            ahead.extend(
                names
                    .filter(|name| !matches!(*name, b"" | b"."))
                    .map(<[u8]>::to_vec),
            );
            place.name = Cow::Borrowed(b"");
            place.id = Some(if target.starts_with(b"/") {
                Id::ROOT
            } else {
                at
            });
        }
        Ok(place)
    }

    fn step<'p>(&self, parent: Id, name: Cow<'p, [u8]>) -> io::Result<Place<'p>> {
        let id = self.entries(parent)?.get(&*name).copied();
        Ok(Place { parent, name, id })
    }

    fn parent(&self, id: Id) -> io::Result<Id> {
        match self.get(id)?.node {
            Node::Directory { parent, .. } => Ok(parent),
            Node::File { .. } | Node::Link(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// Whether `id` is `directory` or below it.
    pub(super) fn is_within(&self, mut id: Id, directory: Id) -> io::Result<bool> {
        loop {
            if id == directory {
                return Ok(true);
            }
            if id == Id::ROOT {
                return Ok(false);
            }
            id = self.parent(id)?;
        }
    }

    /// Adds an inode under a free name.
    pub(super) fn insert(&mut self, place: &Place<'_>, node: Node) -> io::Result<Id> {
        self.entries(place.parent)?;
        if place.name.is_empty() || place.id.is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if self.slots.len() - self.free.len() >= self.max_entries {
            return Err(io::Error::new(
                ErrorKind::StorageFull,
                "no more files and directories can be made",
            ));
        }
        let id = self.put(inode(node))?;
        self.enter(place.parent, &place.name, id)?;
        Ok(id)
    }

    /// Removes an inode. The caller drops it without a lock: it can be large.
    pub(super) fn remove(&mut self, place: &Place<'_>) -> io::Result<Inode> {
        let id = place.found()?;
        self.leave(place.parent, &place.name)?;
        let slot = &mut self.slots[id.slot as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.slot);
        slot.inode.take().ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Renames `from` to the free name `to`.
    pub(super) fn relocate(&mut self, from: &Place<'_>, to: &Place<'_>) -> io::Result<()> {
        let id = from.found()?;
        self.entries(to.parent)?;
        self.leave(from.parent, &from.name)?;
        self.enter(to.parent, &to.name, id)?;
        if let Node::Directory { parent, .. } = &mut self.get_mut(id)?.node {
            *parent = to.parent;
        }
        Ok(())
    }

    /// The metadata of an inode.
    pub(super) fn metadata(&self, id: Id) -> io::Result<Metadata> {
        let inode = self.get(id)?;
        let (kind, len, target) = match &inode.node {
            Node::File { content, .. } => (FileKind::File, content.len(), None),
            Node::Directory { .. } => (FileKind::Directory, 0, None),
            Node::Link(target) => (
                FileKind::Symlink,
                target.len() as u64,
                Some(target.to_vec()),
            ),
        };
        Ok(Metadata {
            kind,
            len,
            mode: Some(inode.mode),
            modified: Some(inode.modified),
            created: Some(inode.created),
            unique: Some(u64::from(id.generation) << 32 | u64::from(id.slot)),
            target,
            owners: inode.owners.as_deref().cloned(),
        })
    }

    fn put(&mut self, inode: Inode) -> io::Result<Id> {
        let inode = Some(inode);
        if let Some(slot) = self.free.pop() {
            let generation = self.slots[slot as usize].generation;
            self.slots[slot as usize].inode = inode;
            return Ok(Id { slot, generation });
        }
        let slot = u32::try_from(self.slots.len()).map_err(|_| ErrorKind::StorageFull)?;
        self.slots.push(Slot {
            generation: 0,
            inode,
        });
        Ok(Id {
            slot,
            generation: 0,
        })
    }

    fn enter(&mut self, directory: Id, name: &[u8], id: Id) -> io::Result<()> {
        self.entries_mut(directory)?.insert(name.into(), id);
        Ok(())
    }

    fn leave(&mut self, directory: Id, name: &[u8]) -> io::Result<()> {
        self.entries_mut(directory)?.remove(name);
        Ok(())
    }

    fn entries_mut(&mut self, id: Id) -> io::Result<&mut Entries> {
        let inode = self.get_mut(id)?;
        match &mut inode.node {
            Node::Directory { entries, .. } => {
                inode.modified = SystemTime::now();
                Ok(Arc::make_mut(entries))
            }
            Node::File { .. } | Node::Link(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }
}

fn inode(node: Node) -> Inode {
    let now = SystemTime::now();
    let mode = match node {
        Node::File { .. } => 0o644,
        Node::Directory { .. } => 0o755,
        Node::Link(_) => 0o777,
    };
    Inode {
        node,
        mode,
        modified: now,
        created: now,
        accessed: now,
        owners: None,
    }
}
