//! `telnet`: requests for a Telnet option are answered, and only those.

use super::{Context, Judge, Location, Rule};
use crate::scenario::{Connection, Level};
use crate::transcript::{EventKind, Negotiation};
use crate::verdict::Finding;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const JUDGE: Judge = Judge {
    name: "telnet",
    statement: "Telnet negotiations on the control connection are answered, by DONT or WONT if nothing else, and only once",
    impact: "A client that uses a Telnet library waits for an answer that does not come.",
    clause: "RFC 1123 §4.1.2.12",
    covers: &["1123-4.1.2.12-telnet-refuse", "854-no-answer-to-what-is-so"],
    judge,
};

const ANSWERED: Rule = Rule {
    level: Level::Must,
    clause: "RFC 1123 §4.1.2.12",
    requirement: "WILL and DO are answered: refused with DONT and WONT, or accepted",
};

/// Two programs that acknowledge each other's refusals do so for ever.
const NO_LOOP: Rule = Rule {
    level: Level::Should,
    clause: "RFC 854 page 2",
    requirement: "A refusal is sent only in answer to WILL or DO, or to end an accepted option",
};

/// A negotiation without an answer so far.
struct Open {
    asked: Negotiation,
    event: usize,
    /// The server has replied since.
    heard: bool,
    /// And received something else after that.
    spoke: bool,
}

/// One control connection.
#[derive(Default)]
struct Dialogue {
    /// Sent octets that are not complete: a negotiation may come in several segments.
    sent: Vec<u8>,
    open: Vec<Open>,
    /// Options the server has agreed to: a refusal may end them.
    agreed: BTreeSet<u8>,
}

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut dialogues: BTreeMap<&Connection, Dialogue> = BTreeMap::new();
    let mut findings = Vec::new();
    for (index, event) in context.transcript.events.iter().enumerate() {
        let dialogue = dialogues.entry(&event.connection).or_default();
        match &event.what {
            EventKind::Connected { .. } => *dialogue = Dialogue::default(),
            EventKind::FromClient { octets } => dialogue.sends(octets, index),
            EventKind::FromServer { octets } => {
                if let Some(refusal) = dialogue.unasked(octets) {
                    let place = Location {
                        connection: &event.connection,
                        event: index,
                    };
                    let expected = "no answer to WONT, DONT and what was answered already";
                    findings.push(context.broken(&NO_LOOP, &place, expected, refusal.to_string()));
                }
                for open in dialogue.receives(octets) {
                    let place = Location {
                        connection: &event.connection,
                        event: open.event,
                    };
                    let expected = format!(
                        "{} before the reply to a later command",
                        open.asked.refusal()
                    );
                    let observed = format!("no answer to {}", open.asked);
                    findings.push(context.broken(&ANSWERED, &place, expected, observed));
                }
            }
            _ => {}
        }
    }
    findings
}

impl Dialogue {
    fn sends(&mut self, octets: &[u8], event: usize) {
        for open in &mut self.open {
            open.spoke = open.heard;
        }
        self.sent.extend_from_slice(octets);
        let asked = Negotiation::all(&self.sent).map(|(_, asked)| asked);
        self.open
            .extend(asked.filter(|it| it.asks()).map(|asked| Open {
                asked,
                event,
                heard: false,
                spoke: false,
            }));
        // A negotiation never extends beyond the end of a complete line.
        let whole = Negotiation::all(&self.sent)
            .last()
            .map_or(0, |(at, _)| at + 1);
        self.sent.drain(..whole);
        if let Some(end) = self.sent.iter().rposition(|octet| *octet == b'\n') {
            self.sent.drain(..=end);
        }
    }

    /// The first refusal in a reply that answers nothing that is open.
    fn unasked(&mut self, octets: &[u8]) -> Option<Negotiation> {
        let mut open: Vec<Negotiation> = self.open.iter().map(|open| open.asked).collect();
        let mut unasked = None;
        for (_, answer) in Negotiation::all(octets) {
            let of = open.iter().position(|asked| answer.answers(*asked));
            of.map(|at| open.remove(at));
            let refuses = !answer.asks();
            if of.is_none() && refuses && !self.agreed.contains(&answer.option) {
                unasked = unasked.or(Some(answer));
            }
            if !refuses {
                self.agreed.insert(answer.option);
            }
        }
        unasked
    }

    /// The negotiations that stay unanswered although the server has replied to later commands.
    fn receives(&mut self, octets: &[u8]) -> Vec<Open> {
        for (_, answer) in Negotiation::all(octets) {
            let answered = self.open.iter().position(|open| answer.answers(open.asked));
            answered.map(|at| self.open.remove(at));
        }
        let (ignored, open) = self.open.drain(..).partition(|open| open.spoke);
        self.open = open;
        for open in &mut self.open {
            open.heard = true;
        }
        ignored
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::{findings, levels};
    use Level::{Must, Should};
    use rstest::rstest;

    #[rstest]
    #[case::refused(&["C! \\xff\\xfb\\x01NOOP\\r\\n", "S! \\xff\\xfe\\x01200 x\\r\\n", "C: NOOP", "S: 200 x"], &[])]
    #[case::agreed_to(&["C! \\xff\\xfd\\x01NOOP\\r\\n", "S! \\xff\\xfb\\x01200 x\\r\\n", "C: NOOP", "S: 200 x"], &[])]
    #[case::answered_behind_the_reply(&["C! \\xff\\xfb\\x01NOOP\\r\\n", "S: 200 x", "C: NOOP", "S! \\xff\\xfe\\x01200 x\\r\\n"], &[])]
    #[case::in_pieces(&["C! NOOP\\xff", "C! \\xfb", "C! \\x01\\r\\n", "S: 200 x", "C: NOOP", "S: 200 x"], &[Must])]
    #[case::never(&["C! \\xff\\xfb\\x01NOOP\\r\\n", "S: 200 x", "C: NOOP", "S: 200 x", "C: NOOP", "S: 200 x"], &[Must])]
    #[case::another_option(&["C! \\xff\\xfb\\x01NOOP\\r\\n", "S! \\xff\\xfe\\x03200 x\\r\\n", "C: NOOP", "S: 200 x"], &[Should, Must])]
    #[case::the_wrong_way_round(&["C! \\xff\\xfb\\x01NOOP\\r\\n", "S! \\xff\\xfc\\x01200 x\\r\\n", "C: NOOP", "S: 200 x"], &[Should, Must])]
    #[case::once_for_two(&["C! \\xff\\xfb\\x01\\xff\\xfb\\x01NOOP\\r\\n", "S! \\xff\\xfe\\x01200 x\\r\\n", "C: NOOP", "S: 200 x"], &[Must])]
    #[case::nothing_came_after_it(&["C! \\xff\\xfb\\x01NOOP\\r\\n", "S: 200 x"], &[])]
    #[case::two_replies_to_one_line(&["C! \\xff\\xfb\\x01RETR a\\r\\n", "S: 150 x", "S: 226 x"], &[])]
    #[case::wont_and_dont_ask_nothing(&["C! \\xff\\xfc\\x01\\xff\\xfe\\x01NOOP\\r\\n", "S: 200 x", "C: NOOP", "S: 200 x"], &[])]
    #[case::wont_is_acknowledged(&["C! \\xff\\xfc\\x01NOOP\\r\\n", "S! \\xff\\xfe\\x01200 x\\r\\n"], &[Should])]
    #[case::answered_twice(&["C! \\xff\\xfb\\x01NOOP\\r\\n", "S! \\xff\\xfe\\x01\\xff\\xfe\\x01200 x\\r\\n"], &[Should])]
    #[case::agreed_and_ended(&["C! \\xff\\xfb\\x01NOOP\\r\\n", "S! \\xff\\xfd\\x01200 x\\r\\n", "C! \\xff\\xfc\\x01NOOP\\r\\n", "S! \\xff\\xfe\\x01200 x\\r\\n"], &[])]
    #[case::an_octet_of_a_name(&["C! RMD \\xff\\xff\\xfb\\x01\\r\\n", "S: 250 x", "C: NOOP", "S: 200 x"], &[])]
    fn who_asks_is_answered(#[case] dialogue: &[&str], #[case] expected: &[Level]) {
        assert_eq!(levels(&JUDGE, dialogue), expected);
    }

    #[test]
    fn it_points_at_what_was_asked() {
        let dialogue = &[
            "C! \\xff\\xfd\\x01NOOP\\r\\n",
            "S: 200 x",
            "C: NOOP",
            "S: 200 x",
        ];
        let found = findings(&JUDGE, dialogue);
        assert_eq!(found[0].event, 1);
        assert_eq!(found[0].observed, "no answer to IAC DO 1");
        assert!(
            found[0].expected.starts_with("IAC WONT 1 "),
            "{}",
            found[0].expected
        );
    }
}
