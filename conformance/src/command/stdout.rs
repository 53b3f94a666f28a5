//! What goes to stdout, where the reader may have left or the disk be full.

use super::TROUBLE;
use std::io::{self, Write as _};

/// Whether colours do any good there.
pub(super) fn has_colour() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Writes a text, without its colours where they do no good.
///
/// # Errors
/// What hindered it. A reader that left early (`| head`) is no failure.
pub(super) fn write(text: &str) -> Result<(), String> {
    let mut stdout = anstream::stdout();
    let written = stdout.write_all(text.as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("stdout: {error}")),
        _ => Ok(()),
    }
}

/// The same as all that is left to do. Returns `code`; where it cannot be written that is said, and the code is 3.
pub(super) fn say(text: &str, code: i32) -> i32 {
    match write(text) {
        Ok(()) => code,
        Err(error) => {
            eprintln!("{error}");
            TROUBLE
        }
    }
}
