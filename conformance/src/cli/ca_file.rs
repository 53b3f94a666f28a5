//! The certificate of an ephemeral certificate authority as a file, for clients to trust.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The file, in a private directory with a random name. Both are removed on drop.
#[derive(Debug)]
pub(super) struct CaFile {
    path: PathBuf,
    /// Removes the directory when dropped.
    _directory: TempDir,
}

impl CaFile {
    /// Writes the certificate, in PEM.
    ///
    /// # Errors
    /// The directory for temporary files cannot be written to.
    pub(super) fn write(pem: &str) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("ftpspec-").rand_bytes(16);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let directory = builder.tempdir()?;
        let path = directory.path().join("ca.pem");
        let about =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        std::fs::write(&path, pem).map_err(about)?;
        Ok(Self {
            path,
            _directory: directory,
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
