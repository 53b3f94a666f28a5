//! `serve --journal`: the journal as a file.

use super::about;
use ftpspec_server::observe::journal::Journal;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use tokio::task::JoinHandle;

/// Writes the events of a server to a file.
pub(super) struct JournalFile {
    journal: Journal,
    path: PathBuf,
    writing: JoinHandle<io::Result<()>>,
    /// The result of writing, once it has ended.
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

    /// The journal for the server.
    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Waits until everything is written, after the server has ended, or until writing fails.
    ///
    /// # Errors
    /// The file is incomplete. This has been reported on stderr.
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

/// Opens a file to append to it, starting with a new line. Only its owner can read a new file. A
/// symbolic link is refused, since another user may have created it.
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
        // The previous server was killed while it wrote a line.
        file.write_all(b"\n")?;
    }
    Ok(file)
}

#[cfg(unix)]
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits() as i32;

/// Whether this is a link to a descriptor of this process, as from the shell's `>(command)`.
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
