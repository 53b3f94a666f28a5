//! Every storage against the simplest thing that could be one: a map from paths to content.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use super::contract::{self, Subject};
use super::{listed, path};
use crate::storage::*;

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

/// `None` is a directory. The root is not in it.
#[derive(Debug, Clone, Default)]
struct Model(BTreeMap<Vec<u8>, Option<Vec<u8>>>);

#[derive(Debug, Clone)]
enum Operation {
    Store(VirtualPath, OpenWrite, Vec<usize>, bool),
    MakeDirectory(VirtualPath),
    RemoveDirectory(VirtualPath),
    RemoveFile(VirtualPath),
    Rename(VirtualPath, VirtualPath),
}

type Outcome = Result<(), ErrorKind>;

impl Model {
    fn kind(&self, path: &VirtualPath) -> Result<FileKind, ErrorKind> {
        if path.is_root() {
            return Ok(FileKind::Directory);
        }
        match self.0.get(path.as_bytes()) {
            Some(None) => Ok(FileKind::Directory),
            Some(Some(_)) => Ok(FileKind::File),
            None => match self.kind(&path.parent().unwrap())? {
                FileKind::Directory => Err(ErrorKind::NotFound),
                _ => Err(ErrorKind::NotADirectory),
            },
        }
    }

    /// What stands there; nothing may, if a directory is there to hold it.
    fn kind_or_free(&self, path: &VirtualPath) -> Result<Option<FileKind>, ErrorKind> {
        match self.kind(path) {
            Ok(kind) => Ok(Some(kind)),
            Err(ErrorKind::NotFound) => self.kind(&path.parent().unwrap()).map(|_| None),
            Err(error) => Err(error),
        }
    }

    fn below(&self, path: &VirtualPath) -> Vec<Vec<u8>> {
        let below = |at: &&Vec<u8>| {
            let at = VirtualPath::root().join(at).unwrap();
            at != *path && at.is_within(path)
        };
        self.0.keys().filter(below).cloned().collect()
    }

    fn store(
        &mut self,
        path: &VirtualPath,
        how: OpenWrite,
        octets: &[u8],
        commit: bool,
    ) -> Outcome {
        let there = self.kind_or_free(path)?;
        let old = self
            .0
            .get(path.as_bytes())
            .cloned()
            .flatten()
            .unwrap_or_default();
        let mut new = match (how, there) {
            (OpenWrite::CreateNew, Some(_)) => return Err(ErrorKind::AlreadyExists),
            (_, Some(FileKind::Directory)) => return Err(ErrorKind::IsADirectory),
            (OpenWrite::Truncate | OpenWrite::CreateNew, _) => Vec::new(),
            (OpenWrite::Append, _) => old,
            (OpenWrite::At(offset), _) => {
                let head = old.get(..usize::try_from(offset).unwrap());
                head.ok_or(ErrorKind::InvalidInput)?.to_vec()
            }
        };
        if commit {
            new.extend_from_slice(octets);
            self.0.insert(path.as_bytes().to_vec(), Some(new));
        }
        Ok(())
    }

    fn make_directory(&mut self, path: &VirtualPath) -> Outcome {
        if self.kind_or_free(path)?.is_some() {
            return Err(ErrorKind::AlreadyExists);
        }
        self.0.insert(path.as_bytes().to_vec(), None);
        Ok(())
    }

    fn remove(&mut self, path: &VirtualPath, directory: bool) -> Outcome {
        if directory && path.is_root() {
            return Err(ErrorKind::PermissionDenied);
        }
        match (self.kind(path)?, directory) {
            (FileKind::Directory, false) => Err(ErrorKind::IsADirectory),
            (FileKind::Directory, true) if !self.below(path).is_empty() => {
                Err(ErrorKind::DirectoryNotEmpty)
            }
            (FileKind::Directory, true) | (_, false) => {
                self.0.remove(path.as_bytes());
                Ok(())
            }
            (_, true) => Err(ErrorKind::NotADirectory),
        }
    }

    fn rename(&mut self, from: &VirtualPath, to: &VirtualPath) -> Outcome {
        if from.is_root() || to.is_root() {
            return Err(ErrorKind::PermissionDenied);
        }
        let moved = self.kind(from)?;
        if from == to {
            return Ok(());
        }
        if moved == FileKind::Directory && to.is_within(from) {
            return Err(ErrorKind::InvalidInput);
        }
        match (moved, self.kind_or_free(to)?) {
            (FileKind::Directory, Some(FileKind::File)) => return Err(ErrorKind::NotADirectory),
            (FileKind::File, Some(FileKind::Directory)) => return Err(ErrorKind::IsADirectory),
            (_, Some(FileKind::Directory)) if !self.below(to).is_empty() => {
                return Err(ErrorKind::DirectoryNotEmpty);
            }
            _ => {}
        }
        let mut moving = self.below(from);
        moving.push(from.as_bytes().to_vec());
        for old in moving {
            let content = self.0.remove(&old).unwrap();
            let new = [to.as_bytes(), &old[from.as_bytes().len()..]].concat();
            self.0.insert(new, content);
        }
        Ok(())
    }

    fn apply(&mut self, operation: &Operation, seed: u8) -> Outcome {
        match operation {
            Operation::Store(path, how, pieces, commit) => {
                let octets: Vec<u8> = pieces.iter().flat_map(|len| octets(*len, seed)).collect();
                self.store(path, *how, &octets, *commit)
            }
            Operation::MakeDirectory(path) => self.make_directory(path),
            Operation::RemoveDirectory(path) => self.remove(path, true),
            Operation::RemoveFile(path) => self.remove(path, false),
            Operation::Rename(from, to) => self.rename(from, to),
        }
    }
}

fn octets(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8 ^ seed).collect()
}

fn apply(storage: &dyn Storage, operation: &Operation, seed: u8) -> io::Result<()> {
    match operation {
        Operation::Store(path, how, pieces, commit) => {
            let mut file = storage.open_write(path, *how)?;
            for len in pieces {
                file.write_chunk(octets(*len, seed).into())?;
            }
            if *commit { file.commit() } else { Ok(()) }
        }
        Operation::MakeDirectory(path) => storage.make_directory(path),
        Operation::RemoveDirectory(path) => storage.remove_directory(path),
        Operation::RemoveFile(path) => storage.remove_file(path),
        Operation::Rename(from, to) => storage.rename(from, to),
    }
}

/// Everything below a directory, as the model has it.
fn everything(storage: &dyn Storage, directory: &str, found: &mut Model) {
    for name in listed(storage, directory) {
        let pathname = format!("{directory}/{name}");
        let at = path(&pathname);
        let metadata = storage.stat(&at, true).unwrap();
        let content = match metadata.kind {
            FileKind::Directory => None,
            _ => Some(read_file(storage, &at, 1 << 24).unwrap()),
        };
        assert_eq!(metadata.len, content.as_ref().map_or(0, Vec::len) as u64);
        found.0.insert(pathname.clone().into_bytes(), content);
        if metadata.kind == FileKind::Directory {
            everything(storage, &pathname, found);
        }
    }
}

fn paths() -> impl Strategy<Value = VirtualPath> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    prop::collection::vec(name, 0..4).prop_map(|names| path(&names.join("/")))
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let how = prop_oneof![
        4 => Just(OpenWrite::Truncate),
        2 => Just(OpenWrite::CreateNew),
        3 => Just(OpenWrite::Append),
        3 => (0_u64..20).prop_map(OpenWrite::At),
    ];
    let len = prop_oneof![8 => 0_usize..10, 1 => 60_000_usize..70_000];
    let pieces = prop::collection::vec(len, 0..4);
    let commit = prop::bool::weighted(0.8);
    let operation = prop_oneof![
        4 => (paths(), how, pieces, commit)
            .prop_map(|(path, how, pieces, commit)| Operation::Store(path, how, pieces, commit)),
        4 => paths().prop_map(Operation::MakeDirectory),
        1 => paths().prop_map(Operation::RemoveDirectory),
        1 => paths().prop_map(Operation::RemoveFile),
        3 => (paths(), paths()).prop_map(|(from, to)| Operation::Rename(from, to)),
    ];
    prop::collection::vec(operation, 1..40)
}

fn compare(subject: &Subject, operations: &[Operation]) -> Model {
    compare_from(Model::default(), &*subject.storage, operations)
}

/// As [`compare`], where the storage is what the model is already.
fn compare_from(mut model: Model, storage: &dyn Storage, operations: &[Operation]) -> Model {
    for (seed, operation) in operations.iter().enumerate() {
        let expected = model.apply(operation, seed as u8);
        let outcome = apply(storage, operation, seed as u8).map_err(|error| error.kind());
        assert_eq!(outcome, expected, "{operation:?} as number {seed}");
    }
    let mut found = Model::default();
    everything(storage, "", &mut found);
    assert!(
        found.0 == model.0,
        "{:?} instead of {:?}",
        found.0.keys(),
        model.0.keys()
    );
    model
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn mem_fs_is_what_the_model_is(operations in operations()) {
        let fs = MemFs::new().with_quota(MemFs::DEFAULT_QUOTA);
        let model = compare(&contract::subject(fs.clone()), &operations);
        let held: usize = model.0.values().flatten().map(Vec::len).sum();
        prop_assert_eq!(fs.used(), held as u64);
        prop_assert_eq!(fs.available(&path("/")).unwrap(), MemFs::DEFAULT_QUOTA - held as u64);
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn an_overlay_is_what_the_model_is_and_its_lower_storage_stays(
        below in operations(),
        above in operations(),
    ) {
        let lower = MemFs::new();
        let model = compare(&contract::subject(lower.clone()), &below);
        let overlay = Overlay::new(Arc::new(lower.clone()));
        compare_from(model.clone(), &overlay, &above);
        compare_from(model, &lower, &[]);
    }

    #[test]
    #[cfg(unix)]
    fn an_overlay_on_disk_is_what_the_model_is_and_the_disk_stays(
        below in operations(),
        above in operations(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let lower = DiskStorage::open(directory.path()).unwrap();
        let model = compare(&contract::subject(lower.clone()), &below);
        let read_only = DiskStorage::open_read_only(directory.path()).unwrap();
        compare_from(model.clone(), &Overlay::new(Arc::new(read_only)), &above);
        compare_from(model, &lower, &[]);
    }

    #[test]
    fn a_quota_counts_what_the_model_holds(operations in operations()) {
        let files = MemFs::new().with_quota(MemFs::DEFAULT_QUOTA);
        let quota = Quota::new(Arc::new(files), 1 << 40).unwrap();
        let model = compare(&contract::subject(quota.clone()), &operations);
        let held: usize = model.0.values().flatten().map(Vec::len).sum();
        prop_assert_eq!(quota.used(), held as u64);
        prop_assert_eq!(quota.available(&path("/")).unwrap(), MemFs::DEFAULT_QUOTA - held as u64);
    }

}

macro_rules! is_what_the_model_is {
    ($($(#[$attribute:meta])? $test:ident => $subject:ident,)*) => {
        proptest! {
            #![proptest_config(cases(48))]

            $(
                $(#[$attribute])?
                #[test]
                fn $test(operations in operations()) {
                    compare(&contract::$subject(), &operations);
                }
            )*
        }
    };
}

is_what_the_model_is! {
    #[cfg(unix)] disk_storage_is_what_the_model_is => disk,
    vfs_memory_fs_is_what_the_model_is => vfs_memory,
    mem_fs_through_vfs_is_what_the_model_is => vfs_mem_fs,
    vfs_physical_fs_is_what_the_model_is => vfs_physical,
    vfs_overlay_fs_is_what_the_model_is => vfs_overlay,
}
