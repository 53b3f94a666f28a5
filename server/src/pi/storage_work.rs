//! Work on a storage: what is done, what it changes, and how the session continues after it.

use super::{Decision, Session, Step, StoragePath, Work};
use crate::storage::{Change, Described, Metadata, Storage, VirtualPath, describe};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Work on a storage. It may block.
pub struct StorageWork {
    /// The storage.
    pub storage: Arc<dyn Storage>,
    /// Whether its time grows with the size of files.
    pub is_long: bool,
    job: Job,
}

type Job = Box<dyn FnOnce(io::Result<&dyn Storage>) -> StorageWorkDone + Send>;

/// The outcome of work on a storage.
pub struct StorageWorkDone {
    /// The changes that were made, in order.
    pub changes: Vec<Change>,
    then: Box<dyn FnOnce(&mut Session) -> Step + Send>,
}

impl StorageWorkDone {
    /// Continues with the outcome.
    pub fn answer(self, session: &mut Session) -> Step {
        (self.then)(session)
    }
}

impl StorageWork {
    /// A `job` that changes nothing; the session continues with `then`.
    pub(super) fn inquiry<A: Send + 'static>(
        at: StoragePath,
        job: impl FnOnce(&dyn Storage, &VirtualPath) -> io::Result<A> + Send + 'static,
        then: impl FnOnce(&mut Session, StoragePath, io::Result<A>) -> Decision + Send + 'static,
    ) -> Self {
        let job = |storage: &dyn Storage, path: &VirtualPath| Ok((job(storage, path)?, Vec::new()));
        Self::new(at, job, then)
    }

    /// A `job` that returns the changes it has made; the session continues with `then`.
    pub(super) fn change(
        at: StoragePath,
        job: impl FnOnce(&dyn Storage, &VirtualPath) -> io::Result<Vec<Change>> + Send + 'static,
        then: impl FnOnce(&mut Session, StoragePath, io::Result<()>) -> Decision + Send + 'static,
    ) -> Self {
        let job = |storage: &dyn Storage, path: &VirtualPath| Ok(((), job(storage, path)?));
        Self::new(at, job, then)
    }

    fn new<A: Send + 'static>(
        at: StoragePath,
        job: impl FnOnce(&dyn Storage, &VirtualPath) -> io::Result<(A, Vec<Change>)> + Send + 'static,
        then: impl FnOnce(&mut Session, StoragePath, io::Result<A>) -> Decision + Send + 'static,
    ) -> Self {
        Self {
            storage: Arc::clone(&at.storage),
            is_long: false,
            job: Box::new(move |storage| {
                let outcome = storage.and_then(|storage| {
                    // A storage that panics fails only this command; nothing here is used again.
                    catch_unwind(AssertUnwindSafe(|| job(storage, &at.path)))
                        .unwrap_or_else(|_| Err(io::Error::other("the storage panicked")))
                });
                let (outcome, changes) = match outcome {
                    Ok((answer, changes)) => (Ok(answer), changes),
                    Err(error) => (Err(error), Vec::new()),
                };
                let then = Box::new(|session: &mut Session| {
                    then(session, at, outcome).unwrap_or_else(Step::Reply)
                });
                StorageWorkDone { changes, then }
            }),
        }
    }

    /// The same, with a time that grows with the size of files.
    pub(super) fn long(self) -> Self {
        let is_long = true;
        Self { is_long, ..self }
    }

    /// Asks the caller to do the work.
    pub(super) fn ask(self) -> Decision {
        Ok(Step::Ask(Box::new(Work::Storage(self))))
    }

    /// Does the work.
    #[must_use]
    pub fn run(self) -> StorageWorkDone {
        let Self { storage, job, .. } = self;
        job(Ok(&*storage))
    }

    /// Fails with `error` in place of the work.
    #[must_use]
    pub fn refuse(self, error: io::Error) -> StorageWorkDone {
        (self.job)(Err(error))
    }
}

impl fmt::Debug for StorageWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageWork").finish_non_exhaustive()
    }
}

/// Asks for the metadata of a path, and continues with it. Links are followed.
pub(super) fn look(
    at: StoragePath,
    then: impl FnOnce(&mut Session, StoragePath, io::Result<Metadata>) -> Decision + Send + 'static,
) -> Decision {
    StorageWork::inquiry(at, |storage, path| storage.stat(path, true), then).ask()
}

/// Asks for the description of a name; a dangling link is described as the link.
pub(super) fn look_at_name(
    at: StoragePath,
    then: impl FnOnce(&mut Session, StoragePath, io::Result<Described>) -> Decision + Send + 'static,
) -> Decision {
    StorageWork::inquiry(at, describe, then).ask()
}
