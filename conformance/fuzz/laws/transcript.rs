//! Transcripts: a transcript that is read is written the same; for any other file the error names the
//! wrong line; each finding of a judge names an event of the transcript.

use super::wire::{ended, received, sent, transcript as of_events};
use ftpspec::internals::catalogue::Registry;
use ftpspec::internals::judge::{Context, JUDGES};
use ftpspec::transcript::{
    Awaited, Conversation, EventKind, ReadError, Transcript, read, redact, write,
};

/// The octets are a transcript file, or else a line for each thing that happened:
///
/// ```text
/// >MLSD          we sent this line
/// <226 Done.     the server sent this line; other beginnings too
/// [200 a         it sent these octets, and no line end
/// {type=dir; a   it sent this line over the data connection
/// }              and ended that
/// ~              no reply came
/// ^              it ended the control connection
/// ```
pub fn transcript(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        match read(text) {
            Ok(transcript) => judged(&transcript),
            Err(error) => refused(text, &error),
        }
    }
    judged(&of_events(data.split(|octet| *octet == b'\n').map(what)));
}

fn refused(text: &str, error: &ReadError) {
    match error {
        ReadError::Line { line, problem, .. } => {
            let wrong = text.lines().nth(line - 1);
            assert!(
                wrong.is_some_and(|line| !line.trim().is_empty()),
                "{problem}"
            );
        }
        ReadError::Newer { major, .. } => assert!(*major > 2),
        ReadError::Empty => assert!(text.trim().is_empty()),
    }
}

fn judged(transcript: &Transcript) {
    let written = write(transcript);
    // Passwords are masked, and what was masked stays as it is.
    let again = read(&written).map(|transcript| write(&transcript));
    assert_eq!(again.as_ref(), Ok(&written));
    assert_eq!(written.lines().count(), transcript.events.len() + 1);
    let _ = redact(transcript);
    let conversations = Conversation::all(transcript);
    let context = Context {
        transcript,
        conversations: &conversations,
        registry: Registry::built_in(),
    };
    for finding in JUDGES.iter().flat_map(|judge| judge.findings(&context)) {
        assert!(finding.event < transcript.events.len(), "{finding:?}");
        assert!(!finding.expected.is_empty() && !finding.requirement.is_empty());
    }
}

fn what(line: &[u8]) -> EventKind {
    match line {
        [b'>', line @ ..] => sent(line),
        [b'<', line @ ..] => received(&[line, b"\r\n"].concat()),
        [b'[', octets @ ..] => received(octets),
        [b'{', line @ ..] => EventKind::DataFromServer {
            octets: [line, b"\r\n"].concat().into(),
        },
        [b'}', ..] => EventKind::DataClosed(ended()),
        [b'~', ..] => EventKind::Silence {
            waited_ms: 5000,
            awaited: Awaited::Reply,
        },
        [b'^', ..] => EventKind::Closed(ended()),
        line => received(&[line, b"\r\n"].concat()),
    }
}
