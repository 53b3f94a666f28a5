//! A transcript as text a person can read, and as text a snapshot can hold: passwords, ports,
//! addresses, dates and directory names replaced.

use super::mask::Mask;
use super::{Awaited, CloseKind, End, Event, EventKind, Side, Transcript, escape};
use crate::data::Data;
use crate::text::hexadecimal;
use crate::transcript::Connection;
use regex::{Captures, Regex};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

/// Longer data is shown as its length and the beginning of its SHA-256.
const SHOWN_DATA: u64 = 64;
/// Of longer text only the number of its lines is shown: listings hold dates, so that neither their
/// length nor their digest is the same the next time.
const SHOWN_TEXT: usize = 4096;
/// What is longer is not looked at as text.
const LISTING: u64 = 32 << 20;

/// What the names of markers hold: directories that the runner makes and a session removes, to
/// prove that it works where it should.
pub(crate) const MARKER: &str = "-marker-";

/// The dialogue as text, one line per event, everything that changes from run to run replaced. What
/// the runner does for itself, on a connection of its own or to prove where a session works, is
/// left out.
#[must_use]
pub fn redact(transcript: &Transcript) -> String {
    let own = Connection::runner();
    let mut proving = None;
    let events = transcript.events.iter().filter(|event| {
        if event.connection == own {
            return false;
        }
        let is_proof = match &event.what {
            EventKind::FromClient { octets } => is_proof(octets),
            EventKind::FromServer { .. } => proving == Some(&event.connection),
            _ => false,
        };
        match is_proof && matches!(event.what, EventKind::FromClient { .. }) {
            true => proving = Some(&event.connection),
            false if is_proof => proving = None,
            false => {}
        }
        !is_proof
    });
    let mut text = String::new();
    for event in events {
        for line in lines(event) {
            text.push_str(&stable(&line, transcript));
            text.push('\n');
        }
    }
    text
}

/// Whether this is the command by which a session proves where it works.
fn is_proof(sent: &[u8]) -> bool {
    sent.starts_with(b"RMD ftpspec-") && memchr::memmem::find(sent, MARKER.as_bytes()).is_some()
}

/// One event as lines a person can read, passwords replaced: `C: ` is the client, `S: ` the server,
/// `D> ` and `D< ` the data connection, `-- ` everything else.
#[must_use]
pub fn lines(event: &Event) -> Vec<String> {
    let label = if event.connection == Connection::main() {
        String::new()
    } else {
        format!("{} ", event.connection)
    };
    let what = match &event.what {
        EventKind::FromClient { octets } => {
            return control("C: ", &Mask::default().apply(octets))
                .map(|line| label.clone() + &line)
                .collect();
        }
        EventKind::FromServer { octets } => {
            return control("S: ", octets)
                .map(|line| label.clone() + &line)
                .collect();
        }
        EventKind::DataFromClient { octets } => {
            let lines = data(octets).into_iter();
            return lines.map(|line| format!("{label}D> {line}")).collect();
        }
        EventKind::DataFromServer { octets } => {
            let lines = data(octets).into_iter();
            return lines.map(|line| format!("{label}D< {line}")).collect();
        }
        EventKind::DataListening { .. } => "-- listening for a data connection".into(),
        EventKind::DataOpened { mode, .. } => format!("-- data connection ({})", mode.verb()),
        EventKind::DataFailed { error } => format!("-- no data connection: {error}"),
        EventKind::DataClosed(end) => format!("-- data connection {}", ended(end)),
        EventKind::Connected { .. } => "-- connected".into(),
        EventKind::ConnectFailed { error } => format!("-- no connection: {error}"),
        EventKind::TlsEstablished(facts) => format!(
            "-- {}{}{}",
            facts.version,
            if facts.data {
                " on the data connection"
            } else {
                ""
            },
            if facts.resumed { ", resumed" } else { "" }
        ),
        EventKind::TlsFailed { data, error } => format!(
            "-- TLS handshake failed{}: {error}",
            if *data { " on the data connection" } else { "" }
        ),
        EventKind::TlsEnded { clean: true } => "-- in clear again".into(),
        EventKind::TlsEnded { clean: false } => "-- in clear again, without close_notify".into(),
        EventKind::Urgent { from: Side::Client } => "-- urgent data from the client".into(),
        EventKind::Urgent { from: Side::Server } => "-- urgent data from the server".into(),
        EventKind::HalfClosed(end) => format!("-- half-{}", ended(end)),
        EventKind::Closed(end) => format!("-- {}", ended(end)),
        EventKind::Silence { awaited, .. } => format!("-- {}", silence(*awaited)),
        EventKind::LimitExceeded(excess) => format!("-- {excess}"),
        EventKind::Observed { fact, .. } => format!("-- {fact}"),
    };
    vec![label + &what]
}

/// A control connection's octets, line by line. What is no whole line shows its octets.
fn control<'a>(who: &'a str, octets: &[u8]) -> impl Iterator<Item = String> + use<'a> {
    let mut shown = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let (line, behind) = match memchr::memmem::find(rest, b"\r\n") {
            Some(end) => (&rest[..end], &rest[end + 2..]),
            None => (rest, &[][..]),
        };
        shown.push(readable(line));
        rest = behind;
    }
    if !octets.ends_with(b"\r\n")
        && let Some(last) = shown.last_mut()
    {
        last.push_str(" (no line end)");
    }
    shown.into_iter().map(move |line| format!("{who}{line}"))
}

/// Escaped, but for text in other languages.
fn readable(octets: &[u8]) -> String {
    let mut text = String::new();
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_ascii() || character.is_control() {
                let mut buffer = [0; 4];
                text.push_str(&escape(character.encode_utf8(&mut buffer).as_bytes()));
            } else {
                text.push(character);
            }
        }
        text.push_str(&escape(chunk.invalid()));
    }
    text
}

/// Data as lines: text line by line, anything else on one line, what is long summed up.
fn data(octets: &Data) -> Vec<String> {
    let is_text = |octets: &[u8]| {
        let text = std::str::from_utf8(octets).ok();
        let plain = |letter: char| !letter.is_control() || matches!(letter, '\r' | '\n');
        text.is_some_and(|text| text.ends_with("\r\n") && text.chars().all(plain))
    };
    let begins_as_text = || {
        let head = octets.slice(0..1024);
        let head = std::str::from_utf8(&head.joined()).err();
        head.is_none_or(|error| error.error_len().is_none())
    };
    let joined = (octets.len() <= LISTING && begins_as_text()).then(|| octets.joined());
    if let Some(joined) = joined.filter(|joined| is_text(joined)) {
        let text = String::from_utf8_lossy(&joined);
        let lines = text.split_inclusive("\r\n");
        return match text.len() {
            0..=SHOWN_TEXT => lines.map(|line| readable(line.as_bytes())).collect(),
            _ => vec![format!("{} lines", lines.count())],
        };
    }
    if octets.len() <= SHOWN_DATA {
        return vec![readable(&octets.joined())];
    }
    let mut digest = Sha256::new();
    octets.pieces().for_each(|piece| digest.update(&piece));
    let digest = hexadecimal(&digest.finalize()[..8]);
    vec![format!("{} octets, sha256 {digest}…", octets.len())]
}

fn ended(end: &End) -> String {
    let by = match end.by {
        Side::Client => "by the client",
        Side::Server => "by the server",
    };
    match end.how {
        CloseKind::Clean => format!("closed {by}"),
        CloseKind::NoCloseNotify => format!("closed {by} without close_notify"),
        CloseKind::Reset => format!("reset {by}"),
    }
}

fn silence(awaited: Awaited) -> &'static str {
    match awaited {
        Awaited::Reply => "no reply",
        Awaited::Nothing => "silence",
        Awaited::Data => "no more data, and no end",
        Awaited::DataConnection => "no data connection came",
        Awaited::Close => "still open",
        Awaited::Handshake => "no handshake",
    }
}

/// What changes from run to run, and its replacement. More specific patterns come first.
static CHANGING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
    let patterns: [(String, &str); 19] = [
        (r"(?i)(PORT )\d+(?:,\d+){5}".into(), "${1}<host-port>"),
        (r"\b\d+(?:,\d+){5}\b".into(), "<host-port>"),
        (
            r"\|([12])\|[0-9a-fA-F:.]+\|\d+\|".into(),
            "|${1}|<address>|<port>|",
        ),
        // Any delimiter, and what scenarios make of it on purpose.
        (r"(?i)(C: EPRT .*\D)\d{4,5}".into(), "${1}<port>"),
        (r"\((.)(.)(.)\d+(.)\)".into(), "(${1}${2}${3}<port>${4})"),
        (
            r"(?i)\b(modify|create)=\d{14}(?:\.\d+)?".into(),
            "${1}=<time>",
        ),
        (r"(?i)\bunique=[^; ]+".into(), "unique=<unique>"),
        (r"\b\d{14}(?:\.\d+)?\b".into(), "<time>"),
        (
            r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?Z?".into(),
            "<time>",
        ),
        (
            format!(r"\b{month} [ \d]\d  ?(?:\d\d:\d\d|\d{{4}})\b"),
            "<date>",
        ),
        (r"\b\d\d:\d\d:\d\d(?:\.\d+)?\b".into(), "<time>"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}:\d+\b".into(), "<address>"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}\b".into(), "<address>"),
        (
            r"\[[0-9a-fA-F:]*::[0-9a-fA-F:]*\](?::\d+)?".into(),
            "<address>",
        ),
        (r"(?i)\b(pid|port) \d+\b".into(), "${1} <number>"),
        // How far a transfer is, and how long it took.
        (
            r"(?i)\b\d+ (octets|bytes) (moved|transferred|sent|received)\b".into(),
            "<number> ${1} ${2}",
        ),
        (
            r"(?i)\b\d+(?:\.\d+)? ?[kmg]?i?(?:bytes|octets|b)(?: per second|/s(?:ec)?)\b".into(),
            "<rate>",
        ),
        (r"(?i)\b\d+\.\d+ (seconds|secs?|ms)\b".into(), "<time> ${1}"),
        // AVBL: what is free depends on what else is being tested.
        (r"(S: 213 )\d{7,}$".into(), "${1}<octets>"),
    ];
    let compiled = patterns.into_iter().map(|(pattern, stands)| {
        (
            Regex::new(&pattern).expect("a test compiles every pattern"),
            stands,
        )
    });
    compiled.collect()
});

fn stable(line: &str, transcript: &Transcript) -> String {
    let mut line = line.to_owned();
    // The whole path first, so that its last name alone is only what is left.
    if let Some(directory) = transcript.variables.get("dir").filter(|dir| dir.len() > 1) {
        line = line.replace(directory.as_str(), "<dir>");
        let name = directory.rsplit('/').next().unwrap_or_default();
        if name.len() > 3 {
            line = line.replace(name, "<dir>");
        }
    }
    // A short password, or one that is the user's name, would be found where it is none.
    let user = transcript.variables.get("user");
    let password = transcript
        .variables
        .get("password")
        .filter(|it| it.len() > 3);
    if let Some(password) = password.filter(|password| user != Some(*password)) {
        line = line.replace(password.as_str(), "<secret>");
    }
    masked(line)
}

/// The line with a name in place of each address, port, time and rate in it.
pub(crate) fn masked(mut line: String) -> String {
    for (pattern, stands) in CHANGING.iter() {
        line = pattern
            .replace_all(&line, |found: &Captures<'_>| {
                let mut text = String::new();
                found.expand(stands, &mut text);
                text
            })
            .into_owned();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::TlsFacts;
    use proptest::prelude::*;
    use rstest::rstest;

    fn event(connection: Connection, what: EventKind) -> Event {
        Event {
            at: 17,
            channel: crate::transcript::Channel::Control,
            connection,
            line: 1,
            what,
        }
    }

    fn redacted(what: EventKind) -> String {
        let variables = [("dir", "/home/ftpspec-x-0001"), ("password", "hunter2")];
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let transcript = Transcript {
            events: vec![event(Connection::main(), what)],
            variables: variables.collect(),
            ..Transcript::default()
        };
        redact(&transcript)
    }

    fn received(text: &str) -> EventKind {
        EventKind::from_server(format!("{text}\r\n"))
    }

    #[rstest]
    #[case(
        "227 Entering Passive Mode (127,0,0,1,200,13).",
        "227 Entering Passive Mode (<host-port>)."
    )]
    #[case("229 Extended (|||51213|)", "229 Extended (|||<port>|)")]
    #[case("213 20240102030405.678", "213 <time>")]
    #[case("257 \"/home/ftpspec-x-0001/a\" made", "257 \"<dir>/a\" made")]
    #[case("250 ftpspec-x-0001 removed", "250 <dir> removed")]
    #[case(
        "250-x\r\n type=file;modify=20240102030405;unique=a1; b\r\n250 End",
        "250-x\nS:  type=file;modify=<time>;unique=<unique>; b\nS: 250 End"
    )]
    #[case(
        "211 from 192.168.0.1:2000 at 10:11:12",
        "211 from <address> at <time>"
    )]
    #[case("211 RETR, 3919872 octets moved", "211 RETR, <number> octets moved")]
    #[case(
        "226 0.001 seconds (measured here), 3.91 Kbytes per second",
        "226 <time> seconds (measured here), <rate>"
    )]
    #[case("150 a (5 bytes), 7 seconds", "150 a (5 bytes), 7 seconds")]
    #[case("213-rw 1 a 3 Jan  2 2024 f", "213-rw 1 a 3 <date> f")]
    #[case("230 hello hunter2", "230 hello <secret>")]
    #[case("257 \"/grüße\"", "257 \"/grüße\"")]
    #[case("200 1,2,3", "200 1,2,3")]
    fn what_changes_from_run_to_run_is_replaced(#[case] reply: &str, #[case] expected: &str) {
        assert_eq!(redacted(received(reply)), format!("S: {expected}\n"));
    }

    #[rstest]
    #[case("PASS top secret\r\n", "C: PASS <secret>\n")]
    #[case("pass x\r\nNOOP\r\n", "C: pass <secret>\nC: NOOP\n")]
    #[case("PORT 127,0,0,1,4,5\r\n", "C: PORT <host-port>\n")]
    #[case("EPRT |2|::1|5000|\r\n", "C: EPRT |2|<address>|<port>|\n")]
    #[case("NOOP\n", "C: NOOP\\n (no line end)\n")]
    fn what_we_send_is_shown_without_secrets(#[case] sent: &str, #[case] expected: &str) {
        assert_eq!(
            redacted(EventKind::FromClient {
                octets: sent.into()
            }),
            expected
        );
    }

    #[test]
    fn data_is_shown_or_summed_up() {
        assert_eq!(
            redacted(EventKind::DataFromClient {
                octets: "a\r\n".into()
            }),
            "D> a\\r\\n\n"
        );
        let long = redacted(EventKind::DataFromServer {
            octets: vec![b'x'; 100].into(),
        });
        assert!(
            long.starts_with("D< 100 octets, sha256 ") && long.len() < 60,
            "{long}"
        );
    }

    #[test]
    fn tls_is_a_version_and_no_cipher_suite() {
        let suite = "TLS13_AES_256_GCM_SHA384".into();
        let facts = TlsFacts {
            data: true,
            version: "TLS 1.3".into(),
            suite,
            resumed: true,
            certificate: Some("0f".into()),
        };
        let shown = redacted(EventKind::TlsEstablished(facts));
        assert_eq!(shown, "-- TLS 1.3 on the data connection, resumed\n");
    }

    #[test]
    fn other_connections_have_a_label_and_the_runner_s_own_is_left_out() {
        let noop = || EventKind::from_client(b"NOOP\r\n");
        let events = vec![
            event(Connection("B".into()), noop()),
            event(Connection::runner(), noop()),
        ];
        assert_eq!(
            redact(&Transcript {
                events,
                ..Transcript::default()
            }),
            "B C: NOOP\n"
        );
    }

    proptest! {
        #[test]
        fn any_octets_can_be_shown(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            for what in [
                EventKind::FromClient { octets: octets.clone() },
                EventKind::FromServer { octets: octets.clone() },
                EventKind::DataFromServer { octets: octets.clone().into() },
            ] {
                let shown = redacted(what);
                prop_assert!(!shown.contains('\r') && !shown.contains('\0'));
            }
        }
    }
}
