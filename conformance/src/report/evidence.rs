//! The wire around a finding, as lines a person reads.

use crate::text;
use crate::transcript::{Transcript, lines};

/// Lines shown before those of the event a finding points to.
const BEFORE: usize = 7;
/// Lines shown of that event, the first and the last of them.
const MOST: usize = 12;
/// Characters shown of one line.
const WIDTH: usize = 160;

/// The dialogue up to `event` on the same control connection, or up to its end if there is no such
/// event; passwords are left out.
pub(crate) fn excerpt(transcript: &Transcript, event: usize) -> Vec<String> {
    let events = &transcript.events;
    let Some(last) = events.len().checked_sub(1).map(|last| last.min(event)) else {
        return Vec::new();
    };
    let own = events[..last]
        .iter()
        .filter(|other| other.connection == events[last].connection);
    // From the end backwards, so that a long dialogue is cheap.
    let mut before: Vec<String> = Vec::new();
    for event in own.rev() {
        before.extend(lines(event).into_iter().rev());
        if before.len() >= BEFORE {
            break;
        }
    }
    before.truncate(BEFORE);
    before.reverse();
    before.extend(cut(lines(&events[last])));
    let cut = |line: &String| text::cut(line, WIDTH).into_owned();
    before.iter().map(cut).collect()
}

/// A long reply without its middle.
fn cut(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > MOST {
        let left_out = lines.len() - (MOST - 1);
        lines.splice(
            MOST - 2..MOST - 2 + left_out,
            [format!("-- {left_out} lines left out")],
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{Event, EventKind};

    fn transcript(whats: Vec<EventKind>) -> Transcript {
        let events = whats.into_iter().map(|what| Event::at_line(1, what));
        Transcript {
            events: events.collect(),
            ..Transcript::default()
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let sent = EventKind::from_client(b"pass hunter2\r\n");
        assert_eq!(excerpt(&transcript(vec![sent]), 0), ["C: pass <secret>"]);
    }

    #[test]
    fn only_the_lines_just_before_are_shown() {
        let noop = || EventKind::from_client(b"NOOP\r\n");
        let shown = excerpt(&transcript((0..50).map(|_| noop()).collect()), 40);
        assert_eq!(shown.len(), BEFORE + 1);
    }

    #[test]
    fn an_event_that_is_not_there_shows_the_end() {
        let said = EventKind::from_server(b"200 Okay.\r\n");
        for event in [99, usize::MAX] {
            assert_eq!(
                excerpt(&transcript(vec![said.clone()]), event),
                ["S: 200 Okay."]
            );
        }
        assert!(excerpt(&Transcript::default(), 0).is_empty());
    }

    #[test]
    fn a_long_reply_loses_its_middle() {
        let lines: String = (0..30).map(|n| format!("211-{n}\r\n")).collect();
        let said = EventKind::from_server(lines);
        let shown = excerpt(&transcript(vec![said]), 0);
        assert_eq!(shown.len(), MOST);
        assert_eq!(shown[9], "S: 211-9");
        assert_eq!(shown[10], "-- 19 lines left out");
        assert_eq!(shown[11], "S: 211-29");
    }

    #[test]
    fn a_long_line_is_shortened() {
        let said = EventKind::from_server([b"200 ".as_slice(), &[b'x'; 500], b"\r\n"].concat());
        assert_eq!(
            excerpt(&transcript(vec![said]), 0)[0].chars().count(),
            WIDTH + 2
        );
    }
}
