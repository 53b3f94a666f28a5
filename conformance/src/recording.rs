//! Transcripts on disk: a file of JSON lines, and beside it a folder with octets that are too long for
//! a line.
//!
//! ```text
//!  session.jsonl
//!  session.jsonl.data/{sha256}
//! ```

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::data::Data;
use crate::transcript::{Blobs, Header, ReadError, Transcript, Writer, read_with, write_to};

/// Octets that are shown before and after the place of an error.
const AROUND: usize = 36;

/// Why a recording cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system reported.
        error: io::Error,
    },
    /// It is not a transcript.
    #[error("{}: {error}{excerpt}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: ReadError,
        /// The place in the file, on lines of its own; may be empty.
        excerpt: String,
    },
}

/// Octets in a folder, each in a file named by its SHA-256. The folder is made when it is needed.
#[derive(Debug, Clone)]
pub struct BlobFolder(PathBuf);

impl BlobFolder {
    /// The folder beside this transcript file.
    #[must_use]
    pub fn beside(file: &Path) -> Self {
        let mut name = file.as_os_str().to_owned();
        name.push(".data");
        Self(name.into())
    }
}

impl Blobs for BlobFolder {
    fn store(&mut self, sha256: &str, octets: &Data) -> io::Result<bool> {
        let path = self.0.join(sha256);
        if path.exists() {
            return Ok(true);
        }
        fs::create_dir_all(&self.0)?;
        // Under another name first: what has the name of a digest is whole.
        let part = self.0.join(format!("{sha256}.part"));
        let mut file = BufWriter::new(File::create(&part)?);
        for piece in octets.pieces() {
            file.write_all(&piece)?;
        }
        file.into_inner()?;
        fs::rename(part, path)?;
        Ok(true)
    }

    fn load(&mut self, sha256: &str) -> io::Result<Data> {
        Ok(fs::read(self.0.join(sha256))?.into())
    }
}

/// Starts a recording that is written event by event, each with one write to the file.
///
/// # Errors
/// Those of the file system.
pub fn create(path: &Path, header: Header) -> io::Result<Writer<File, BlobFolder>> {
    Writer::new(File::create(path)?, BlobFolder::beside(path), header)
}

/// Writes a whole transcript.
///
/// # Errors
/// Those of the file system.
pub fn save(transcript: &Transcript, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    write_to(transcript, &mut file, BlobFolder::beside(path))?;
    file.flush()
}

/// Reads a transcript, also one that was not written to its end. For the scenario that was written
/// from a transcript (`*.ftpt`) it is the transcript beside it.
///
/// # Errors
/// [`RecordingError`]
pub fn open(path: &Path) -> Result<Transcript, RecordingError> {
    let beside = path.with_extension("jsonl");
    let path = match path.extension() {
        Some(ending) if ending == "ftpt" => &beside,
        _ => path,
    };
    let octets = fs::read(path).map_err(|error| RecordingError::Io {
        path: path.into(),
        error,
    })?;
    let text = String::from_utf8_lossy(&octets);
    read_with(&text, &mut BlobFolder::beside(path)).map_err(|error| RecordingError::Format {
        path: path.into(),
        excerpt: excerpt(&text, &error),
        error,
    })
}

/// The part of a line where an error is, and a caret below it.
fn excerpt(text: &str, error: &ReadError) -> String {
    let ReadError::Line {
        line,
        column: Some(column),
        ..
    } = error
    else {
        return String::new();
    };
    let line = text.lines().nth(line - 1).unwrap_or_default().trim();
    let at = line.floor_char_boundary((column - 1).min(line.len()));
    let from = line.floor_char_boundary(at.saturating_sub(AROUND));
    let to = line.ceil_char_boundary((at + AROUND).min(line.len()));
    let shown: String = line[from..to].escape_debug().collect();
    let before = line[from..at].escape_debug().count();
    format!("\n  {shown}\n  {:before$}^", "")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::transcript::{Channel, Connection, Event, EventKind};

    #[test]
    fn what_is_saved_is_opened_again_with_its_long_octets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.jsonl");
        let event = |octets: Data| Event {
            at: 1,
            connection: Connection::main(),
            channel: Channel::Data(1),
            line: 0,
            what: EventKind::DataFromServer { octets },
        };
        let transcript = Transcript {
            name: "x".into(),
            events: vec![event("short".into()), event(vec![9; 100_000].into())],
            ..Transcript::default()
        };
        save(&transcript, &path).unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 1000);
        assert_eq!(open(&path).unwrap(), transcript);
    }
}
