//! The files that a session needs: what has to be there before it begins, and what it makes.

use std::collections::BTreeMap;

use crate::data::Data;

/// A pathname below the directory that the session starts in; empty for that directory.
pub(super) type Path = Vec<String>;

/// What a transfer says about the content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Body {
    /// As it was on the wire.
    pub(super) octets: Data,
    /// It was transferred as text (TYPE A).
    pub(super) text: bool,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Directory,
    /// With its content, and its size where only that is known.
    File(Option<Body>, Option<u64>),
}

/// The tree as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// What has to be there first, in order.
    given: Vec<(Path, Entry)>,
    /// What is there now; of what was given, its index.
    now: BTreeMap<Path, Now>,
    pub(super) cwd: Path,
}

#[derive(Debug, Clone)]
enum Now {
    Given(usize),
    Made(Entry),
    Gone,
}

impl Tree {
    /// A tree in which this is there.
    pub(super) fn with(given: &[(Path, Entry)]) -> Self {
        let paths = given.iter().enumerate();
        Self {
            now: paths
                .map(|(index, (path, _))| (path.clone(), Now::Given(index)))
                .collect(),
            given: given.to_vec(),
            cwd: Path::new(),
        }
    }

    /// What has to be there before the session begins, directories before what is in them.
    pub(super) fn given(&self) -> &[(Path, Entry)] {
        &self.given
    }

    /// The file at a pathname.
    pub(super) fn file(&self, path: &Path) -> Option<&Body> {
        let entry = match self.now.get(path)? {
            Now::Given(index) => &self.given[*index].1,
            Now::Made(entry) => entry,
            Now::Gone => return None,
        };
        match entry {
            Entry::File(body, _) => body.as_ref(),
            Entry::Directory => None,
        }
    }

    /// Whether something at this pathname was made outside the session, although the session has
    /// removed the pathname, or has made the directory and nothing in it.
    pub(super) fn is_foreign(&self, path: &Path) -> bool {
        match self.now.get(path) {
            Some(now) => matches!(now, Now::Gone),
            None => (1..path.len()).any(|length| {
                let parent = self.now.get(&path[..length]);
                matches!(parent, Some(Now::Made(_) | Now::Gone))
            }),
        }
    }

    /// Whether the session has made a directory and nothing in it that is there now.
    pub(super) fn is_empty_directory(&self, path: &Path) -> bool {
        matches!(self.now.get(path), Some(Now::Made(Entry::Directory)))
            && self.names_in(path).next().is_none()
    }

    /// A file was read: it was there.
    pub(super) fn read(&mut self, path: &Path, body: Body) {
        if let Some(Entry::File(known @ None, _)) = self.need(path, Entry::File(None, None)) {
            *known = Some(body);
        }
    }

    /// A file was there, with this size.
    pub(super) fn sized(&mut self, path: &Path, size: Option<u64>) {
        if let Some(Entry::File(_, known @ None)) = self.need(path, Entry::File(None, None)) {
            *known = size;
        }
    }

    /// A file or directory was there.
    pub(super) fn exists(&mut self, path: &Path, entry: Entry) {
        self.need(path, entry);
    }

    /// The session made a file or directory.
    pub(super) fn make(&mut self, path: &Path, entry: Entry) {
        self.parents(path);
        self.now.insert(path.clone(), Now::Made(entry));
    }

    /// The session removed what was there.
    pub(super) fn remove(&mut self, path: &Path, entry: Entry) {
        self.need(path, entry);
        self.now.insert(path.clone(), Now::Gone);
    }

    /// The session renamed what was there.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        self.need(from, Entry::File(None, None));
        let below: Vec<Path> = self
            .now
            .keys()
            .filter(|path| path.starts_with(from))
            .cloned()
            .collect();
        for path in below {
            if let Some(now) = self.now.insert(path.clone(), Now::Gone) {
                let renamed = [to.as_slice(), &path[from.len()..]].concat();
                self.now.insert(renamed, now);
            }
        }
    }

    /// The names in a directory, as far as they are known.
    pub(super) fn names_in(&self, directory: &Path) -> impl Iterator<Item = &str> {
        self.now.iter().filter_map(move |(path, now)| {
            let (name, parent) = path.split_last()?;
            let is_there = !matches!(now, Now::Gone);
            (is_there && parent == directory.as_slice()).then_some(name.as_str())
        })
    }

    /// What was there before the session, if this is; it has to be there if nothing is known yet.
    fn need(&mut self, path: &Path, entry: Entry) -> Option<&mut Entry> {
        if path.is_empty() {
            return None;
        }
        if !self.now.contains_key(path) {
            self.parents(path);
            self.now.insert(path.clone(), Now::Given(self.given.len()));
            self.given.push((path.clone(), entry));
        }
        match self.now.get(path)? {
            Now::Given(index) => self.given.get_mut(*index).map(|(_, entry)| entry),
            _ => None,
        }
    }

    fn parents(&mut self, path: &Path) {
        for length in 1..path.len() {
            let parent = path[..length].to_vec();
            if !self.now.contains_key(&parent) {
                self.now
                    .insert(parent.clone(), Now::Given(self.given.len()));
                self.given.push((parent, Entry::Directory));
            }
        }
    }
}
