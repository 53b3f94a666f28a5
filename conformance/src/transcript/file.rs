//! Transcripts as files: JSON lines, first a header with the version of the format, then one event a line.
//!
//! A newer minor version may add events and fields; a newer major version is refused, because guessing at evidence is
//! worse than having none.
//!
//! Version 1.2 added the event `limit_exceeded`, and octets of a transfer as a list of parts where much of them can be
//! computed: text, `{"pattern":[from,to]}` for positions of the test pattern, and `{"repeat":text,"of":[from,to]}` for
//! positions of an endless repetition of the text.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::{Event, Transcript};

/// `major.minor` of the format written.
pub const FORMAT: (u32, u32) = (1, 2);

/// Why a transcript cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no header.
    #[error("transcript: it is empty, not even a header line")]
    Empty,
    /// A newer program wrote it.
    #[error("transcript: format {major}.{minor}, and this program reads up to {}.x", FORMAT.0)]
    Newer {
        /// Its major version.
        major: u32,
        /// Its minor version.
        minor: u32,
    },
    /// A line is no JSON of this format.
    #[error("transcript line {line}: {problem}")]
    Line {
        /// 1-based.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

/// As JSON lines.
#[must_use]
pub fn write(transcript: &Transcript) -> String {
    let mut text = Vec::new();
    write_to(transcript, &mut text).expect("a vector takes everything");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// As JSON lines, event by event.
///
/// # Errors
/// Those of the writer.
pub fn write_to(transcript: &Transcript, to: &mut impl io::Write) -> io::Result<()> {
    let header = Header {
        version: Version {
            major: FORMAT.0,
            minor: FORMAT.1,
        },
        name: transcript.name.clone(),
        variant: transcript.variant.clone(),
        variables: transcript.variables.clone(),
    };
    line(&header, to)?;
    transcript
        .events
        .iter()
        .try_for_each(|event| line(event, to))
}

/// From JSON lines; empty lines are ignored.
///
/// # Errors
/// [`ReadError`]
pub fn read(text: &str) -> Result<Transcript, ReadError> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, text)| (index + 1, text.trim()))
        .filter(|(_, text)| !text.is_empty());
    let (number, first) = lines.next().ok_or(ReadError::Empty)?;
    // The version alone first: the rest of a newer header may look different.
    let Versioned { version } = parsed(number, first)?;
    if version.major > FORMAT.0 {
        return Err(ReadError::Newer {
            major: version.major,
            minor: version.minor,
        });
    }
    let header: Header = parsed(number, first)?;
    let events = lines
        .map(|(number, text)| parsed::<Event>(number, text))
        .collect::<Result<_, _>>()?;
    Ok(Transcript {
        name: header.name,
        variant: header.variant,
        variables: header.variables,
        events,
    })
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    #[serde(rename = "ftpspec_transcript")]
    version: Version,
    name: String,
    #[serde(default)]
    variant: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    variables: BTreeMap<String, String>,
}

/// What every header of any version has.
#[derive(Debug, Deserialize)]
struct Versioned {
    #[serde(rename = "ftpspec_transcript")]
    version: Version,
}

#[derive(Debug, Serialize, Deserialize)]
struct Version {
    major: u32,
    minor: u32,
}

fn parsed<'a, T: Deserialize<'a>>(line: usize, text: &'a str) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| ReadError::Line {
        line,
        problem: error.to_string(),
    })
}

fn line(value: &impl Serialize, to: &mut impl io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::data::Data;
    use crate::transcript::{Awaited, CloseKind, End, EventKind, Excess, Limit, Side, TlsFacts};
    use crate::transcript::{Connection, DataMode};

    fn everything() -> Transcript {
        let octets: Vec<u8> = (0..=255).collect();
        let mut long = Data::of_pattern(7..100_000);
        long.extend("\\ä".into());
        long.extend(Data::repeated(b"a\n".to_vec(), 9));
        let what = [
            EventKind::Connected {
                local: "127.0.0.1:1".into(),
                peer: "127.0.0.1:21".into(),
            },
            EventKind::ConnectFailed {
                error: "refused".into(),
            },
            EventKind::Sent {
                octets: octets.clone(),
            },
            EventKind::Received {
                octets: octets.clone(),
            },
            EventKind::TlsEstablished(TlsFacts {
                data: true,
                version: "TLS 1.3".into(),
                suite: "x".into(),
                resumed: true,
                certificate: Some("0f".into()),
            }),
            EventKind::TlsFailed {
                data: false,
                error: "e".into(),
            },
            EventKind::TlsEnded { clean: true },
            EventKind::Closed(End {
                by: Side::Server,
                how: CloseKind::NoCloseNotify,
            }),
            EventKind::Silence {
                waited_ms: 200,
                awaited: Awaited::DataConnection,
            },
            EventKind::DataListening {
                local: "[::1]:3".into(),
            },
            EventKind::DataOpened {
                mode: DataMode::Eprt,
                local: "a".into(),
                peer: "b".into(),
            },
            EventKind::DataFailed { error: "e".into() },
            EventKind::DataSent {
                octets: octets.clone().into(),
            },
            EventKind::DataReceived {
                octets: Data::default(),
            },
            EventKind::DataReceived { octets: long },
            EventKind::LimitExceeded(Excess {
                limit: Limit::Data,
                most: 16 << 20,
            }),
            EventKind::DataClosed(End {
                by: Side::Us,
                how: CloseKind::Reset,
            }),
            EventKind::Observed {
                fact: "f".into(),
                octets: octets.into(),
                ok: false,
            },
        ];
        let event = |(at, what)| Event {
            at,
            connection: Connection::main(),
            line: 7,
            what,
        };
        Transcript {
            name: "rfc959/x".into(),
            variant: "pasv".into(),
            variables: BTreeMap::from([("dir".into(), "/d".into())]),
            events: (0..).zip(what).map(event).collect(),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let transcript = everything();
        assert_eq!(read(&write(&transcript)).unwrap(), transcript);
    }

    #[test]
    fn the_header_comes_first_and_names_the_format() {
        let text = write(&everything());
        assert!(
            text.starts_with(r#"{"ftpspec_transcript":{"major":1,"minor":2},"#),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1 + everything().events.len());
    }

    #[test]
    fn what_can_be_computed_is_written_as_such_and_read_back() {
        let text = write(&everything());
        let long =
            r#""octets":[{"pattern":[7,100000]},"\\\\\\xc3\\xa4",{"repeat":"a\\n","of":[0,18]}]"#;
        assert!(text.contains(long), "{text}");
        for broken in [
            r#"{"repeat":"","of":[0,1]}"#,
            r#"{"pattern":[0,99999999999]}"#,
        ] {
            let text = text.replace(r#"{"pattern":[7,100000]}"#, broken);
            assert!(
                matches!(read(&text), Err(ReadError::Line { .. })),
                "{broken}"
            );
        }
    }

    #[test]
    fn what_version_1_1_wrote_is_read() {
        let event = r#"{"at":1,"connection":"main","line":7,"what":{"event":"data_received","octets":"a\\r\\n\\xff"}}"#;
        let header = r#"{"ftpspec_transcript":{"major":1,"minor":1},"name":"x"}"#;
        let transcript = read(&format!("{header}\n{event}\n")).unwrap();
        let octets = Data::from(&b"a\r\n\xff"[..]);
        assert_eq!(
            transcript.events[0].what,
            EventKind::DataReceived { octets }
        );
    }

    #[test]
    fn a_newer_minor_version_is_read() {
        let text = write(&everything()).replace(r#""minor":2"#, r#""minor":9,"more":1"#);
        assert_eq!(read(&text).unwrap(), everything());
    }

    #[test]
    fn a_newer_major_version_is_refused_whatever_else_it_says() {
        let error = read(r#"{"ftpspec_transcript":{"major":2,"minor":1},"name":{}}"#).unwrap_err();
        assert_eq!(error, ReadError::Newer { major: 2, minor: 1 });
    }

    #[test]
    fn an_error_names_the_line() {
        let mut text = write(&everything());
        text.push_str("\n{\"at\":1}\n");
        let line = everything().events.len() + 3;
        assert!(matches!(read(&text), Err(ReadError::Line { line: l, .. }) if l == line));
        assert_eq!(read("\n\n"), Err(ReadError::Empty));
        assert!(matches!(read("{}"), Err(ReadError::Line { line: 1, .. })));
    }
}
