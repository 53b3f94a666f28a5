//! The wire around a finding, as lines a person reads.

use crate::transcript::{Event, Transcript, What, escape};

/// Control events shown before the one a finding points to.
const BEFORE: usize = 7;
/// Octets shown of one line.
const WIDTH: usize = 160;

/// The lines of the dialogue up to `event`, on the same control connection; passwords hidden.
#[must_use]
pub fn excerpt(transcript: &Transcript, event: usize) -> Vec<String> {
    let Some(at) = transcript.events.get(event).or(transcript.events.last()) else {
        return Vec::new();
    };
    let end = (event + 1).min(transcript.events.len());
    let mut lines: Vec<String> = transcript.events[..end]
        .iter()
        .filter(|other| other.connection == at.connection)
        .flat_map(lines)
        .collect();
    let cut = lines.len().saturating_sub(BEFORE + 1);
    lines.drain(..cut);
    lines
}

fn lines(event: &Event) -> Vec<String> {
    match &event.what {
        What::Sent { octets } => split(octets).map(|line| format!("C: {}", hidden(&line))).collect(),
        What::Received { octets } => split(octets).map(|line| format!("S: {line}")).collect(),
        What::DataReceived { octets } => vec![format!("D< {}", content(octets))],
        What::DataSent { octets } => vec![format!("D> {}", content(octets))],
        What::TlsEstablished(facts) => {
            let which = if facts.data { "data" } else { "control" };
            vec![format!("-- {} on the {which} connection", facts.version)]
        }
        What::TlsFailed { error, .. } => vec![format!("-- no TLS: {error}")],
        What::TlsEnded { .. } => vec!["-- in clear again".into()],
        What::Closed(end) => vec![format!("-- control connection ended by {:?} ({:?})", end.by, end.how)],
        What::DataClosed(end) => vec![format!("-- data connection ended by {:?} ({:?})", end.by, end.how)],
        What::Silence { waited_ms, awaited } => vec![format!("-- {waited_ms} ms without {awaited:?}")],
        What::DataFailed { error } => vec![format!("-- no data connection: {error}")],
        What::ConnectFailed { error } => vec![format!("-- no connection: {error}")],
        What::Observed { fact, .. } => vec![format!("-- {fact}")],
        What::Connected { .. } | What::DataListening { .. } | What::DataOpened { .. } => Vec::new(),
    }
}

/// The lines of octets without their line ends, everything unprintable escaped.
fn split(octets: &[u8]) -> impl Iterator<Item = String> {
    octets.split_inclusive(|octet| *octet == b'\n').map(|line| {
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        shortened(&escape(line))
    })
}

fn content(octets: &[u8]) -> String {
    format!("{} octets: {}", octets.len(), shortened(&escape(&octets[..octets.len().min(WIDTH)])))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        Some((cut, _)) => format!("{} …", &text[..cut]),
        None => text.to_owned(),
    }
}

fn hidden(line: &str) -> String {
    match line.get(..5) {
        Some(verb) if verb.eq_ignore_ascii_case("PASS ") => format!("{verb}***"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Connection;

    fn transcript(whats: Vec<What>) -> Transcript {
        let event = |what| Event { at: 0, connection: Connection::main(), line: 1, what };
        Transcript { events: whats.into_iter().map(event).collect(), ..Transcript::default() }
    }

    #[test]
    fn a_password_is_never_shown() {
        let sent = What::Sent { octets: b"pass hunter2\r\n".to_vec() };
        assert_eq!(excerpt(&transcript(vec![sent]), 0), ["C: pass ***"]);
    }

    #[test]
    fn only_the_lines_just_before_are_shown() {
        let noop = || What::Sent { octets: b"NOOP\r\n".to_vec() };
        let shown = excerpt(&transcript((0..50).map(|_| noop()).collect()), 40);
        assert_eq!(shown.len(), BEFORE + 1);
    }

    #[test]
    fn an_event_that_is_not_there_shows_the_end() {
        let said = What::Received { octets: b"200 Okay.\r\n".to_vec() };
        assert_eq!(excerpt(&transcript(vec![said]), 99), ["S: 200 Okay."]);
        assert!(excerpt(&Transcript::default(), 0).is_empty());
    }
}
