//! New files with the permission bits a session has chosen (SITE UMASK). Without a choice nothing is looked at.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::storage_io::on_storage;
use crate::storage::{Storage, VirtualPath, WriteHandle};

/// The permission bits a file is to get, if it is new and the session has chosen.
pub(super) struct Mask(Option<(Arc<dyn Storage>, VirtualPath, u32)>);

impl Mask {
    /// For a file that may be there already: then it keeps its bits.
    pub(super) async fn of(
        mode: Option<u32>,
        storage: &Arc<dyn Storage>,
        path: &VirtualPath,
    ) -> Self {
        let Some(mode) = mode else { return Self(None) };
        let at = path.clone();
        let found = on_storage(storage, move |storage| storage.stat(&at, true)).await;
        match found {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::new_file(Some(mode), storage, path)
            }
            _ => Self(None),
        }
    }

    /// For a file that nobody had before.
    pub(super) fn new_file(
        mode: Option<u32>,
        storage: &Arc<dyn Storage>,
        path: &VirtualPath,
    ) -> Self {
        Self(mode.map(|mode| (Arc::clone(storage), path.clone(), mode)))
    }

    /// The file, which gets its bits when it is committed.
    pub(super) fn on(self, file: Box<dyn WriteHandle>) -> Box<dyn WriteHandle> {
        match self.0 {
            None => file,
            Some((storage, path, mode)) => Box::new(Masked {
                file,
                storage,
                path,
                mode,
            }),
        }
    }
}

struct Masked {
    file: Box<dyn WriteHandle>,
    storage: Arc<dyn Storage>,
    path: VirtualPath,
    mode: u32,
}

impl WriteHandle for Masked {
    fn write_chunk(&mut self, octets: Bytes) -> io::Result<()> {
        self.file.write_chunk(octets)
    }

    fn commit(self: Box<Self>) -> io::Result<()> {
        self.file.commit()?;
        self.storage.set_mode(&self.path, self.mode)
    }
}
