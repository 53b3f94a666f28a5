//! `serve --journal`: the journal as a file.

use super::about;
use ftpspec_server::observe::journal::Journal;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use tokio::task::JoinHandle;

/// The events of a server on their way into a file.
pub(super) struct JournalFile {
    journal: Journal,
    path: PathBuf,
    writing: JoinHandle<io::Result<()>>,
    /// How the writing ended.
    ended: Option<Result<(), ()>>,
}

impl JournalFile {
    /// Opens the file; `-` is stderr.
    ///
    /// # Errors
    /// It cannot be opened, or it is a symbolic link.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let journal = Journal::new().hashing();
        let writing = if path.as_os_str() == "-" {
            journal.write_to(io::stderr())
        } else {
            let file = append_to(path).map_err(|error| about(&error, path))?;
            journal.write_to(BufWriter::new(file))
        };
        Ok(Self {
            journal,
            path: path.to_owned(),
            writing,
            ended: None,
        })
    }

    /// What the server writes to.
    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Waits until the writing has ended, which it does with the server, or says at once why it
    /// failed.
    ///
    /// # Errors
    /// Something is missing from the file; it has been reported on stderr.
    pub(super) async fn written(&mut self) -> Result<(), ()> {
        if let Some(ended) = self.ended {
            return ended;
        }
        let outcome = match (&mut self.writing).await {
            Ok(outcome) => outcome,
            Err(error) => Err(io::Error::other(error)),
        };
        let ended = outcome.map_err(|error| {
            super::complain(&format!(
                "the journal is incomplete, nothing more is written to it: {}",
                about(&error, &self.path)
            ));
        });
        self.ended = Some(ended);
        ended
    }
}

/// Opens a journal to be continued: what is there stays, and the new part begins with a line of its
/// own. Only we may read a new file. A symbolic link is refused: somebody else may have put it
/// there.
fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
        if !is_own_descriptor(path) {
            options.custom_flags(NO_FOLLOW);
        }
    }
    let mut file = options.open(path).map_err(|error| {
        if path.is_symlink() {
            let why = "--journal does not follow a symbolic link; name the file itself";
            return io::Error::other(why);
        }
        error
    })?;
    if file.metadata()?.is_file() && ends_within_a_line(path)? {
        // The server before this one was killed.
        file.write_all(b"\n")?;
    }
    Ok(file)
}

#[cfg(unix)]
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits() as i32;

/// Links by which the system names our own descriptors, also for the shell's `>(command)`.
#[cfg(unix)]
fn is_own_descriptor(path: &Path) -> bool {
    path.starts_with("/dev/fd")
        || path == Path::new("/dev/stdout")
        || path == Path::new("/dev/stderr")
}

fn ends_within_a_line(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
