//! Transcripts as files: JSON lines. The first line is a header with the version of the format, the
//! time at which recording started and the seat; each further line is one event.
//!
//! Lines are written one by one as events happen. What a program had written when it was killed is
//! read, too: a last line without line end that cannot be read is dropped. The arguments of PASS,
//! ACCT and ADAT are replaced before anything is written ([`Mask`]).
//!
//! Octets are text with escapes, or a list of parts where they can be computed: text,
//! `{"pattern":[from,to]}` for positions of the test pattern, and `{"repeat":text,"of":[from,to]}`
//! for positions of an endless repetition of the text. Octets of a data connection that take more
//! than [`INLINE_LIMIT`] are `{"sha256":digest,"length":n}`, and are stored beside the file.
//!
//! A newer minor version may add events and fields. A newer major version is refused, because
//! evidence that is only partly understood must not be judged.
//!
//! | version | what is different |
//! |---|---|
//! | 1.0, 1.1 | the events of the wire are called `sent`, `received`, `data_sent`, `data_received`; the client is `us`; no seat, no start, no channels, no kinds of observations, all octets are text |
//! | 1.2 | `limit_exceeded`; octets as a list of parts |
//! | 2.0 | as described here |

use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::mask::{Mask, SECRET};
use super::{ChannelNumbers, Connection, Event, EventKind, ObservationKind, Seat, Transcript};
use crate::data::{Data, Part};
use crate::text::hexadecimal;

/// `major.minor` of the format written.
pub const FORMAT: (u32, u32) = (2, 0);
/// Octets of a data connection that take more are stored beside the file.
pub const INLINE_LIMIT: u64 = 64 << 10;

/// Why a transcript cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no header.
    #[error("transcript: the file is empty; expected a header line")]
    Empty,
    /// A newer program wrote it.
    #[error("transcript: format {major}.{minor} is newer than this program, which reads up to {}.x", FORMAT.0)]
    Newer {
        /// Its major version.
        major: u32,
        /// Its minor version.
        minor: u32,
    },
    /// A line is not JSON of this format.
    #[error("transcript line {line}: {problem}")]
    Line {
        /// 1-based.
        line: usize,
        /// The octet of the line where that was found, 1-based; `None` if it is not at one place.
        column: Option<usize>,
        /// What is wrong.
        problem: String,
    },
}

/// Where octets are stored that are too long to be part of a line, by their SHA-256 in hexadecimal
/// digits.
pub trait Blobs {
    /// Stores octets; `false` if they have to be written into the line after all.
    ///
    /// # Errors
    /// Those of the store.
    fn store(&mut self, sha256: &str, octets: &Data) -> io::Result<bool>;

    /// The octets with this digest.
    ///
    /// # Errors
    /// When there are none, or they cannot be read.
    fn load(&mut self, sha256: &str) -> io::Result<Data>;
}

impl<B: Blobs> Blobs for &mut B {
    fn store(&mut self, sha256: &str, octets: &Data) -> io::Result<bool> {
        (**self).store(sha256, octets)
    }

    fn load(&mut self, sha256: &str) -> io::Result<Data> {
        (**self).load(sha256)
    }
}

/// Stores nothing: all octets are part of the lines.
impl Blobs for () {
    fn store(&mut self, _: &str, _: &Data) -> io::Result<bool> {
        Ok(false)
    }

    fn load(&mut self, _: &str) -> io::Result<Data> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// In memory.
impl Blobs for BTreeMap<String, Data> {
    fn store(&mut self, sha256: &str, octets: &Data) -> io::Result<bool> {
        self.insert(sha256.to_owned(), octets.clone());
        Ok(true)
    }

    fn load(&mut self, sha256: &str) -> io::Result<Data> {
        self.get(sha256)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// What the first line says of the events that follow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Header {
    /// From where the events were observed.
    #[serde(default)]
    pub seat: Seat,
    /// When recording started.
    #[serde(default, with = "timestamp", skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// Scenario id, or what was recorded.
    pub name: String,
    /// See [`Transcript::variant`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// See [`Transcript::variables`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

/// Writes a transcript event by event; it holds no more than one event at a time.
#[derive(Debug)]
pub struct Writer<W, B = ()> {
    to: W,
    blobs: B,
    masks: BTreeMap<(Connection, bool), Mask>,
}

impl<W: io::Write, B: Blobs> Writer<W, B> {
    /// Writes the header. The variable `password` is masked.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(mut to: W, blobs: B, mut header: Header) -> io::Result<Self> {
        if let Some(password) = header.variables.get_mut("password") {
            SECRET.clone_into(password);
        }
        let version = Version {
            major: FORMAT.0,
            minor: FORMAT.1,
        };
        write_line(&Versioned { version, header }, &mut to)?;
        Ok(Self {
            to,
            blobs,
            masks: BTreeMap::new(),
        })
    }

    /// Writes one event as one line, in one piece.
    ///
    /// # Errors
    /// Those of the writer and of the store for long octets.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        self.event_with_digest(event, digest_of(event))
    }

    /// [`event`](Self::event) with its [`digest_of`], which takes longer than writing.
    ///
    /// # Errors
    /// As there.
    pub fn event_with_digest(&mut self, event: &Event, digest: Option<String>) -> io::Result<()> {
        match &event.what {
            EventKind::FromClient { octets } => {
                let leg = event.channel.is_server_leg();
                let mask = self.masks.entry((event.connection.clone(), leg));
                let octets = mask.or_default().apply(octets);
                let what = EventKind::FromClient { octets };
                write_line(&with(event, what), &mut self.to)?;
            }
            EventKind::Connected { .. } => {
                let leg = event.channel.is_server_leg();
                self.masks.remove(&(event.connection.clone(), leg));
                write_line(event, &mut self.to)?;
            }
            what => match long_octets(what).zip(digest) {
                Some((octets, digest)) => self.long(event, octets, &digest)?,
                None => write_line(event, &mut self.to)?,
            },
        }
        Ok(())
    }

    /// Flushes what the writer holds back.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    fn long(&mut self, event: &Event, octets: &Data, digest: &str) -> io::Result<()> {
        if !self.blobs.store(digest, octets)? {
            return write_line(event, &mut self.to);
        }
        let mut what = event.what.clone();
        if let Some(octets) = data_of(&mut what) {
            *octets = Data::default();
        }
        let mut value = serde_json::to_value(with(event, what))?;
        value["what"]["octets"] = serde_json::json!({"sha256": digest, "length": octets.len()});
        write_line(&value, &mut self.to)
    }
}

/// The SHA-256 of the octets of an event that are stored beside the file; `None` where all are part
/// of the line.
#[must_use]
pub fn digest_of(event: &Event) -> Option<String> {
    let mut digest = Sha256::new();
    let octets = long_octets(&event.what)?;
    octets.pieces().for_each(|piece| digest.update(&piece));
    Some(hexadecimal(&digest.finalize()))
}

/// As JSON lines, all octets in them.
#[must_use]
pub fn write(transcript: &Transcript) -> String {
    let mut text = Vec::new();
    write_to(transcript, &mut text, ()).expect("a vector takes everything");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// As JSON lines, event by event.
///
/// # Errors
/// Those of the writer and of the store for long octets.
pub fn write_to(transcript: &Transcript, to: impl io::Write, blobs: impl Blobs) -> io::Result<()> {
    let header = Header {
        seat: transcript.seat,
        started: transcript.started,
        name: transcript.name.clone(),
        variant: transcript.variant.clone(),
        variables: transcript.variables.clone(),
    };
    let mut writer = Writer::new(to, blobs, header)?;
    let mut events = transcript.events.iter();
    events.try_for_each(|event| writer.event(event))
}

/// From JSON lines with all octets in them; see [`read_with`].
///
/// # Errors
/// [`ReadError`]
pub fn read(text: &str) -> Result<Transcript, ReadError> {
    read_with(text, &mut ())
}

/// From JSON lines of this version or an older one. Empty lines are ignored, and a last line that
/// was not written to its end.
///
/// # Errors
/// [`ReadError`]
pub fn read_with(text: &str, blobs: &mut impl Blobs) -> Result<Transcript, ReadError> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, text)| (index + 1, text.trim()))
        .filter(|(_, text)| !text.is_empty())
        .peekable();
    let (number, first) = lines.next().ok_or(ReadError::Empty)?;
    // The version alone first: the rest of a newer header may look different.
    let Versioned { version, .. } = parsed::<Versioned<Value>>(number, first)?;
    if version.major > FORMAT.0 {
        return Err(ReadError::Newer {
            major: version.major,
            minor: version.minor,
        });
    }
    let Versioned { header, .. } = parsed::<Versioned<Header>>(number, first)?;
    let is_torn = !text.ends_with('\n');
    let mut numbers = (version.major == 1).then(ChannelNumbers::default);
    let mut events = Vec::new();
    while let Some((number, text)) = lines.next() {
        let mut event = match event(number, text, blobs) {
            Ok(event) => event,
            Err(_) if is_torn && lines.peek().is_none() => break,
            Err(error) => return Err(error),
        };
        if let Some(numbers) = &mut numbers {
            event.channel = numbers.channel(&event.connection, &event.what);
            if let EventKind::Observed { kind, fact, .. } = &mut event.what {
                *kind = kind_in_version_1(fact);
            }
        }
        events.push(event);
    }
    Ok(Transcript {
        name: header.name,
        variant: header.variant,
        seat: header.seat,
        started: header.started,
        variables: header.variables,
        events,
    })
}

/// A first line.
#[derive(Debug, Serialize, Deserialize)]
struct Versioned<H> {
    #[serde(rename = "ftpspec_transcript")]
    version: Version,
    #[serde(flatten)]
    header: H,
}

#[derive(Debug, Serialize, Deserialize)]
struct Version {
    major: u32,
    minor: u32,
}

/// Octets beside the file.
#[derive(Debug, Deserialize)]
struct Blob {
    sha256: String,
    length: u64,
}

fn event(line: usize, text: &str, blobs: &mut impl Blobs) -> Result<Event, ReadError> {
    if !text.contains(r#""octets":{"#) {
        return parsed(line, text);
    }
    let mut value: Value = parsed(line, text)?;
    let octets = value.pointer_mut("/what/octets").map(Value::take);
    let problem = |problem: String| ReadError::Line {
        line,
        column: None,
        problem,
    };
    let failed = |error: serde_json::Error| problem(error.to_string());
    let blob: Blob = serde_json::from_value(octets.unwrap_or_default()).map_err(failed)?;
    let is_digest = blob.sha256.len() == 64 && blob.sha256.bytes().all(|it| it.is_ascii_hexdigit());
    if !is_digest {
        return Err(problem("sha256 is not 64 hexadecimal digits".into()));
    }
    let loaded = blobs.load(&blob.sha256);
    let loaded = loaded.map_err(|error| problem(format!("octets {}: {error}", blob.sha256)))?;
    if loaded.len() != blob.length {
        let (has, named) = (loaded.len(), blob.length);
        return Err(problem(format!("{has} octets are stored, not {named}")));
    }
    value["what"]["octets"] = Value::String(String::new());
    let mut event: Event = serde_json::from_value(value).map_err(failed)?;
    match data_of(&mut event.what) {
        Some(octets) => *octets = loaded,
        None => return Err(problem("only data is stored beside the file".into())),
    }
    Ok(event)
}

/// The octets of an event that are stored beside the file: those that are too long and cannot be
/// computed.
fn long_octets(what: &EventKind) -> Option<&Data> {
    let (EventKind::DataFromClient { octets }
    | EventKind::DataFromServer { octets }
    | EventKind::Observed { octets, .. }) = what
    else {
        return None;
    };
    let stored = octets.parts().iter().map(|part| match part {
        Part::Octets(octets) => octets.len() as u64,
        Part::Pattern(_) | Part::Repeat(..) => 0,
    });
    (stored.sum::<u64>() > INLINE_LIMIT).then_some(octets)
}

fn data_of(what: &mut EventKind) -> Option<&mut Data> {
    match what {
        EventKind::DataFromClient { octets }
        | EventKind::DataFromServer { octets }
        | EventKind::Observed { octets, .. } => Some(octets),
        _ => None,
    }
}

fn with(event: &Event, what: EventKind) -> Event {
    Event {
        at: event.at,
        connection: event.connection.clone(),
        channel: event.channel,
        line: event.line,
        what,
    }
}

/// Version 1 has only texts.
fn kind_in_version_1(fact: &str) -> ObservationKind {
    const KINDS: [(&str, ObservationKind); 12] = [
        ("@given", ObservationKind::Given),
        ("@stored", ObservationKind::Stored),
        ("@missing", ObservationKind::Missing),
        ("@repeat", ObservationKind::Turn),
        ("@stale-port", ObservationKind::StalePort),
        ("@earlier", ObservationKind::StalePort),
        ("@third-party", ObservationKind::ThirdParty),
        ("@stranger", ObservationKind::ThirdParty),
        ("the 227 names", ObservationKind::ForeignAddress),
        (
            "the server's certificate",
            ObservationKind::UnverifiedCertificate,
        ),
        ("clean-up", ObservationKind::Leftover),
        ("@", ObservationKind::UserStep),
    ];
    let known = KINDS.iter().find(|(start, _)| fact.starts_with(start));
    known.map_or(ObservationKind::Other, |(_, kind)| *kind)
}

fn parsed<'a, T: Deserialize<'a>>(line: usize, text: &'a str) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| ReadError::Line {
        line,
        column: (error.column() > 0).then(|| error.column()),
        problem: error.to_string(),
    })
}

fn write_line(value: &impl Serialize, to: &mut impl io::Write) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// RFC 3339, as in `2026-12-01T10:00:00.123456Z`.
mod timestamp {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.collect_str(time),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let time = text.map(|text| text.parse()).transpose();
        time.map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::transcript::{
        Awaited, Channel, CloseKind, DataMode, End, Excess, Leg, Limit, Side, TlsFacts,
    };

    type Store = BTreeMap<String, Data>;

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
            EventKind::from_client(octets.clone()),
            EventKind::from_server(octets.clone()),
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
            EventKind::Urgent { from: Side::Client },
            EventKind::HalfClosed(End {
                by: Side::Client,
                how: CloseKind::Clean,
            }),
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
            EventKind::DataFromClient {
                octets: octets.clone().into(),
            },
            EventKind::DataFromServer {
                octets: Data::default(),
            },
            EventKind::DataFromServer { octets: long },
            EventKind::LimitExceeded(Excess {
                limit: Limit::Data,
                most: 16 << 20,
            }),
            EventKind::DataClosed(End {
                by: Side::Client,
                how: CloseKind::Reset,
            }),
            EventKind::Observed {
                kind: ObservationKind::Stored,
                fact: "f".into(),
                octets: octets.into(),
                ok: false,
            },
        ];
        let event = |(at, what)| Event {
            at,
            channel: Channel::LegData(Leg::Server, 2),
            connection: Connection::main(),
            line: 7,
            what,
        };
        Transcript {
            name: "rfc959/x".into(),
            variant: "pasv".into(),
            seat: Seat::Client,
            started: Some("2026-12-01T10:00:00.25Z".parse().unwrap()),
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
            text.starts_with(
                r#"{"ftpspec_transcript":{"major":2,"minor":0},"seat":"client","started":"20"#
            ),
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
        let text = r#"{"ftpspec_transcript":{"major":1,"minor":1},"name":"x"}
            {"at":1,"connection":"main","line":7,"what":{"event":"data_received","octets":"a\\r\\n\\xff"}}"#;
        let transcript = read(text).unwrap();
        let octets = Data::from(&b"a\r\n\xff"[..]);
        assert_eq!(
            transcript.events[0].what,
            EventKind::DataFromServer { octets }
        );
        assert_eq!((transcript.seat, transcript.started), (Seat::Client, None));
    }

    #[test]
    fn what_version_1_2_wrote_is_read() {
        let text = r#"{"ftpspec_transcript":{"major":1,"minor":2},"name":"x","variant":"pasv","variables":{"dir":"/d"}}
            {"at":1,"connection":"main","line":0,"what":{"event":"sent","octets":"NOOP\\r\\n"}}
            {"at":2,"connection":"main","line":0,"what":{"event":"received","octets":"200 ok\\r\\n"}}
            {"at":3,"connection":"main","line":2,"what":{"event":"data_opened","mode":"pasv","local":"a","peer":"b"}}
            {"at":4,"connection":"main","line":2,"what":{"event":"data_sent","octets":[{"pattern":[0,100000]}]}}
            {"at":5,"connection":"main","line":2,"what":{"event":"data_closed","by":"us","how":"clean"}}
            {"at":6,"connection":"runner","line":3,"what":{"event":"observed","fact":"@stored a: 1 octets","octets":"x","ok":true}}
            {"at":7,"connection":"main","line":3,"what":{"event":"limit_exceeded","limit":"data","most":7}}
"#;
        let transcript = read(text).unwrap();
        let whats: Vec<_> = transcript.events.iter().map(|event| &event.what).collect();
        assert!(matches!(whats[0], EventKind::FromClient { .. }));
        assert!(matches!(whats[1], EventKind::FromServer { .. }));
        assert!(
            matches!(whats[3], EventKind::DataFromClient { octets } if octets.len() == 100_000)
        );
        assert!(matches!(whats[4], EventKind::DataClosed(end) if end.by == Side::Client));
        let stored = ObservationKind::Stored;
        assert!(matches!(whats[5], EventKind::Observed { kind, .. } if *kind == stored));
        assert_eq!(transcript.events[3].channel, Channel::Data(1));
        assert_eq!(transcript.events[5].channel, Channel::Control);
        assert_eq!(read(&write(&transcript)).unwrap(), transcript);
    }

    #[test]
    fn a_last_line_that_was_not_written_to_its_end_is_dropped() {
        let whole = write(&everything());
        let events = everything().events.len();
        let last = whole.trim_end().rfind('\n').unwrap() + 1;
        for end in last + 1..whole.len() - 1 {
            let torn = read(&whole[..end]).unwrap();
            assert_eq!(torn.events.len(), events - 1, "{}", &whole[last..end]);
        }
        assert_eq!(read(whole.trim_end()).unwrap(), everything());
        let torn = format!("{}\n", &whole[..whole.len() - 3]);
        assert!(matches!(read(&torn), Err(ReadError::Line { .. })));
    }

    #[test]
    fn long_octets_are_stored_beside_the_file() {
        let mut transcript = everything();
        let long: Data = vec![7; INLINE_LIMIT as usize + 1].into();
        transcript.events[0].what = EventKind::DataFromServer { octets: long };
        let (mut text, mut blobs) = (Vec::new(), Store::default());
        write_to(&transcript, &mut text, &mut blobs).unwrap();
        let text = String::from_utf8(text).unwrap();
        let (digest, _) = blobs.first_key_value().unwrap();
        let named = format!(r#""octets":{{"length":65537,"sha256":"{digest}"}}"#);
        assert!(text.contains(&named), "{}", &text[..1000]);
        assert_eq!(read_with(&text, &mut blobs).unwrap(), transcript);
        let error = read(&text).unwrap_err().to_string();
        assert!(error.starts_with("transcript line 2: octets"), "{error}");
        let short = text.replace("65537", "65538");
        let error = read_with(&short, &mut blobs).unwrap_err().to_string();
        assert!(
            error.ends_with("65537 octets are stored, not 65538"),
            "{error}"
        );
    }

    #[test]
    fn passwords_are_never_written() {
        let mut transcript = everything();
        transcript
            .variables
            .insert("password".into(), "hunter2".into());
        for piece in ["USER a\r\nPA", "SS hun", "ter2\r\n"] {
            transcript.events.push(Event {
                at: 1,
                connection: Connection("B".into()),
                channel: Channel::Control,
                line: 0,
                what: EventKind::from_client(piece),
            });
        }
        let text = write(&transcript);
        assert!(!text.contains("hun") && !text.contains("ter2"), "{text}");
        let masked = read(&text).unwrap();
        assert_eq!(masked.variables["password"], "<secret>");
        assert_eq!(write(&masked), text);
    }

    #[test]
    fn a_newer_minor_version_is_read() {
        let text = write(&everything()).replace(r#""minor":0"#, r#""minor":9,"more":1"#);
        assert_eq!(read(&text).unwrap(), everything());
    }

    #[test]
    fn a_newer_major_version_is_refused_whatever_else_it_says() {
        let error = read(r#"{"ftpspec_transcript":{"major":3,"minor":1},"name":{}}"#).unwrap_err();
        assert_eq!(error, ReadError::Newer { major: 3, minor: 1 });
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
