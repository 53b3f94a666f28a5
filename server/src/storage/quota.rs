//! [`Quota`]: a limit on the octets of any storage.

use super::usage::Usage;
use super::{
    Abilities, Digest, Entry, FileKind, Metadata, OpenWrite, ReadHandle, Storage, Times,
    VirtualPath, WriteHandle,
};

use super::HashAlgorithm;

use bytes::Bytes;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A storage whose files together hold at most a number of octets.
///
/// Effects count, not commands: files are measured before and after every change, so APPE, a
/// restarted STOR, COMB, a rename onto a file and an aborted upload that is kept all count for what
/// they leave. Uploads in progress count, too; one that replaces a file is credited with the octets
/// of that file, so a full storage can still replace a file.
///
/// Changes by others in the storage below are not seen until [`recount`](Self::recount). A file
/// counts once for each of its names. Clones share the same count.
#[derive(Clone)]
pub struct Quota(Arc<Account>);

struct Account {
    inner: Arc<dyn Storage>,
    /// Held from the measurement before a change to the one after it. Locked before `usage`.
    measuring: Mutex<()>,
    usage: Mutex<Usage>,
}

impl Quota {
    /// Limits the files of `storage` to `octets` together. Existing files are counted now, and stay
    /// even if they exceed it.
    ///
    /// # Errors
    /// If the storage cannot be listed.
    pub fn new(storage: Arc<dyn Storage>, octets: u64) -> io::Result<Self> {
        let quota = Self(Arc::new(Account {
            inner: storage,
            measuring: Mutex::default(),
            usage: Mutex::new(Usage::new(octets, u64::MAX)),
        }));
        quota.recount()?;
        Ok(quota)
    }

    /// The octets of all files.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.usage().used()
    }

    /// Counts the existing files again, after others have changed them.
    ///
    /// # Errors
    /// If the storage cannot be listed.
    pub fn recount(&self) -> io::Result<()> {
        let _measuring = self.0.measuring();
        let mut octets = 0_u64;
        let mut ahead = vec![VirtualPath::root()];
        while let Some(directory) = ahead.pop() {
            for entry in self.0.inner.list(&directory)? {
                let entry = entry?;
                match entry.metadata.kind {
                    FileKind::File => octets = octets.saturating_add(entry.metadata.len),
                    FileKind::Directory => ahead.extend(directory.join(&entry.name)),
                    FileKind::Symlink => {}
                }
            }
        }
        let mut usage = self.0.usage();
        let counted = usage.used();
        usage.settle(counted, octets);
        Ok(())
    }
}

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quota")
            .field("inner", &self.0.inner)
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}

impl Account {
    fn measuring(&self) -> MutexGuard<'_, ()> {
        let measuring = self.measuring.lock();
        measuring.unwrap_or_else(PoisonError::into_inner)
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The octets of the file at `path`; 0 for anything else.
    fn len(&self, path: &VirtualPath, follow: bool) -> u64 {
        match self.inner.stat(path, follow) {
            Ok(found) if found.kind == FileKind::File => found.len,
            _ => 0,
        }
    }

    /// Changes the files at `paths`, and counts the result.
    fn charged<T>(&self, paths: &[&VirtualPath], change: impl FnOnce() -> T) -> T {
        let _measuring = self.measuring();
        let measure = || paths.iter().map(|path| self.len(path, false)).sum();
        let before = measure();
        let outcome = change();
        self.usage().settle(before, measure());
        outcome
    }
}

impl Storage for Quota {
    fn abilities(&self) -> Abilities {
        Abilities {
            available: true,
            ..self.0.inner.abilities()
        }
    }

    fn stat(&self, path: &VirtualPath, follow: bool) -> io::Result<Metadata> {
        self.0.inner.stat(path, follow)
    }

    fn list(
        &self,
        path: &VirtualPath,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Entry>> + Send>> {
        self.0.inner.list(path)
    }

    fn open_read(&self, path: &VirtualPath, offset: u64) -> io::Result<Box<dyn ReadHandle>> {
        self.0.inner.open_read(path, offset)
    }

    fn open_write(&self, path: &VirtualPath, how: OpenWrite) -> io::Result<Box<dyn WriteHandle>> {
        let inner = self.0.inner.open_write(path, how)?;
        let old = self.0.len(path, true);
        let (before, credit) = match how {
            OpenWrite::Truncate => (0, old),
            OpenWrite::CreateNew => (0, 0),
            OpenWrite::Append => (old, 0),
            OpenWrite::At(offset) => (offset, old.saturating_sub(offset)),
        };
        Ok(Box::new(Upload {
            account: Arc::clone(&self.0),
            path: path.clone(),
            inner: Some(inner),
            append: how == OpenWrite::Append,
            before,
            credit,
            staged: 0,
        }))
    }

    fn make_directory(&self, path: &VirtualPath) -> io::Result<()> {
        self.0.inner.make_directory(path)
    }

    fn remove_directory(&self, path: &VirtualPath) -> io::Result<()> {
        self.0.inner.remove_directory(path)
    }

    fn remove_file(&self, path: &VirtualPath) -> io::Result<()> {
        self.0.charged(&[path], || self.0.inner.remove_file(path))
    }

    fn rename(&self, from: &VirtualPath, to: &VirtualPath) -> io::Result<()> {
        self.0
            .charged(&[from, to], || self.0.inner.rename(from, to))
    }

    fn set_times(&self, path: &VirtualPath, times: Times) -> io::Result<()> {
        self.0.inner.set_times(path, times)
    }

    fn set_mode(&self, path: &VirtualPath, mode: u32) -> io::Result<()> {
        self.0.inner.set_mode(path, mode)
    }

    fn symlink(&self, target: &[u8], path: &VirtualPath) -> io::Result<()> {
        self.0.inner.symlink(target, path)
    }

    fn available(&self, path: &VirtualPath) -> io::Result<u64> {
        let left = self.0.usage().available();
        match self.0.inner.available(path) {
            Ok(room) => Ok(room.min(left)),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.0.inner.stat(path, true).map(|_| left)
            }
            Err(error) => Err(error),
        }
    }

    fn allocate(&self, path: &VirtualPath, octets: u64) -> io::Result<()> {
        self.0.usage().room_for(octets)?;
        self.0.inner.allocate(path, octets)
    }

    fn digest(
        &self,
        path: &VirtualPath,
        algorithm: HashAlgorithm,
        start: u64,
        end: Option<u64>,
    ) -> io::Result<Option<Digest>> {
        self.0.inner.digest(path, algorithm, start, end)
    }
}

/// An upload in progress.
struct Upload {
    account: Arc<Account>,
    path: VirtualPath,
    inner: Option<Box<dyn WriteHandle>>,
    append: bool,
    /// Octets of the file before the upload.
    before: u64,
    /// Octets of the old file that will be replaced.
    credit: u64,
    staged: u64,
}

impl Upload {
    /// Ends the upload, and counts the result.
    fn end<T>(
        &self,
        check: impl FnOnce(u64) -> io::Result<()>,
        end: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let _measuring = self.account.measuring();
        let before = self.account.len(&self.path, true);
        let ended = check(before).and_then(|()| end());
        let after = self.account.len(&self.path, true);
        self.account.usage().settle(before, after);
        ended
    }
}

impl WriteHandle for Upload {
    fn write_chunk(&mut self, octets: Bytes) -> io::Result<()> {
        let Some(inner) = &mut self.inner else {
            return Err(ErrorKind::BrokenPipe.into());
        };
        let count = octets.len() as u64;
        let len = self
            .before
            .saturating_add(self.staged)
            .saturating_add(count);
        self.account.usage().stage(count, self.credit, len)?;
        self.staged += count;
        inner.write_chunk(octets)
    }

    fn commit(mut self: Box<Self>) -> io::Result<()> {
        let Some(inner) = self.inner.take() else {
            return Err(ErrorKind::BrokenPipe.into());
        };
        let fits = |old: u64| {
            let before = if self.append { old } else { self.before };
            let len = before.saturating_add(self.staged);
            self.account.usage().check(old, len)
        };
        self.end(fits, || inner.commit())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            // A storage may keep a part of an aborted upload.
            let _ended = self.end(
                |_| Ok(()),
                || {
                    drop(inner);
                    Ok(())
                },
            );
        }
        self.account.usage().unstage(self.staged);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::super::tests::{content, kind, path, put};
    use super::super::{MemFs, combine};
    use super::*;

    fn upload(quota: &Quota, name: &str, how: OpenWrite, len: usize) -> io::Result<()> {
        let mut file = quota.open_write(&path(name), how)?;
        file.write_chunk(vec![b'x'; len].into())?;
        file.commit()
    }

    fn of(octets: u64) -> Quota {
        let fs = MemFs::new();
        fs.make_directory(&path("d")).unwrap();
        put(&fs, "d/there", "1234");
        Quota::new(Arc::new(fs), octets).unwrap()
    }

    fn exceeded(outcome: io::Result<()>) {
        assert_eq!(kind(outcome), ErrorKind::QuotaExceeded);
    }

    #[test]
    fn what_is_there_counts_and_every_way_to_make_it_more_is_charged() {
        let quota = of(10);
        assert_eq!(quota.used(), 4);
        upload(&quota, "a", OpenWrite::Truncate, 4).unwrap();
        exceeded(upload(&quota, "a", OpenWrite::Append, 3));
        exceeded(upload(&quota, "a", OpenWrite::At(3), 4));
        exceeded(upload(&quota, "b", OpenWrite::CreateNew, 3));
        exceeded(upload(&quota, "a", OpenWrite::Truncate, 7));
        assert_eq!((quota.used(), quota.available(&path("/")).unwrap()), (8, 2));
        upload(&quota, "a", OpenWrite::At(1), 5).unwrap();
        assert_eq!(
            (quota.used(), quota.available(&path("/")).unwrap()),
            (10, 0)
        );
        upload(&quota, "a", OpenWrite::Truncate, 6).unwrap();
        exceeded(combine(&quota, &path("new"), &[path("a")]));
        assert_eq!(quota.used(), 10);
    }

    #[test]
    fn what_is_gone_is_given_back() {
        let quota = of(100);
        upload(&quota, "a", OpenWrite::Truncate, 10).unwrap();
        upload(&quota, "b", OpenWrite::Truncate, 20).unwrap();
        quota.rename(&path("a"), &path("b")).unwrap();
        assert_eq!(quota.used(), 14);
        quota.rename(&path("b"), &path("b")).unwrap();
        quota.rename(&path("d"), &path("e")).unwrap();
        assert_eq!(quota.used(), 14);
        combine(&quota, &path("e/there"), &[path("b")]).unwrap();
        assert_eq!(quota.used(), 14);
        upload(&quota, "e/there", OpenWrite::At(1), 1).unwrap();
        assert_eq!(quota.used(), 2);
        quota.remove_file(&path("e/there")).unwrap();
        assert_eq!(quota.used(), 0);
    }

    #[test]
    fn uploads_under_way_share_what_is_left_and_give_it_back() {
        let quota = of(10);
        let mut first = quota.open_write(&path("a"), OpenWrite::Truncate).unwrap();
        let mut second = quota.open_write(&path("b"), OpenWrite::Truncate).unwrap();
        first.write_chunk("12345".into()).unwrap();
        exceeded(second.write_chunk("12".into()));
        drop(first);
        second.write_chunk("123456".into()).unwrap();
        second.commit().unwrap();
        assert_eq!(
            (quota.used(), quota.available(&path("/")).unwrap()),
            (10, 0)
        );
    }

    #[test]
    fn an_append_is_charged_for_the_file_it_extends() {
        let quota = of(10);
        let mut tail = quota
            .open_write(&path("d/there"), OpenWrite::Append)
            .unwrap();
        tail.write_chunk("12345".into()).unwrap();
        exceeded(upload(&quota, "d/there", OpenWrite::Append, 2));
        upload(&quota, "d/there", OpenWrite::Append, 1).unwrap();
        tail.commit().unwrap();
        assert_eq!(quota.used(), 10);
        assert_eq!(content(&quota, "d/there"), "1234x12345");
    }

    #[test]
    #[cfg(unix)]
    fn an_aborted_upload_that_is_kept_is_charged() {
        use super::super::{AbortedUpload, DiskStorage};
        let directory = tempfile::tempdir().unwrap();
        let disk = DiskStorage::open(directory.path()).unwrap();
        let quota = Quota::new(Arc::new(disk.aborted(AbortedUpload::Keep)), 10).unwrap();
        for (name, kept) in [("a", 6), ("b", 10)] {
            let mut file = quota.open_write(&path(name), OpenWrite::Append).unwrap();
            let _full = (0..6).try_for_each(|_| file.write_chunk("x".into()));
            drop(file);
            assert_eq!(quota.used(), kept);
        }
        exceeded(upload(&quota, "c", OpenWrite::Truncate, 1));
        std::fs::remove_file(directory.path().join("a")).unwrap();
        quota.recount().unwrap();
        assert_eq!(quota.used(), 4);
    }
}
