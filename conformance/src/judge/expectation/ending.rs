//! The end of a scenario: NOOP and exactly one reply, or an earlier end that is just as legal.

use super::{Here, Walk};
use crate::judge::quoted;
use crate::scenario::{Action, Connection, Expect, Step};
use crate::transcript::{EventKind, Side};

/// Why the rest of a scenario cannot be tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The server replied in another legal way: the outcome is INCONCLUSIVE.
    Reply,
    /// The server closed the control connection, which it may: what held so far is all there is to
    /// hold.
    Closed,
}

impl Walk<'_> {
    /// The end may have been noticed before the step that waits for it.
    pub(super) fn closed(&mut self, here: &Here<'_>) {
        if !self.is_closed(here) {
            self.broken(here, "the control connection stays open");
        }
    }

    /// Whether the server has closed the control connection by this step.
    pub(super) fn is_closed(&self, here: &Here<'_>) -> bool {
        let own = self.own_events(here);
        own.fold(false, |closed, (_, event)| match &event.what {
            EventKind::Connected { .. } => false,
            EventKind::Closed(end) => end.by == Side::Server,
            _ => closed,
        })
    }

    /// Whether the command at this line, which could not be sent any more, is one instead of whose
    /// reply the server may close the control connection (`!ends closed`).
    pub(super) fn may_be_closed_after(&self, line: u32) -> bool {
        let mut steps = self
            .scenario
            .steps
            .iter()
            .skip_while(|step| step.line < line);
        let sends = |step: &&Step| {
            step.line == line && matches!(step.action, Action::Send(_) | Action::Octets(_))
        };
        let Some(sent) = steps.next().filter(sends) else {
            return false;
        };
        let reply = steps.find_map(|step| match &step.action {
            Action::Expect(expect) if step.connection == sent.connection => Some(expect),
            _ => None,
        });
        reply.is_some_and(Expect::ends_when_closed)
    }

    /// A reply too many or too few anywhere before shows here at the latest.
    pub(super) fn barrier(&mut self) {
        let main = Connection::main();
        let events = self.context.transcript.events.iter().enumerate();
        let own: Vec<_> = events
            .filter(|(_, event)| event.connection == main)
            .collect();
        let after = own
            .iter()
            .rposition(|(_, event)| event.line > 0)
            .map_or(0, |at| at + 1);
        let end = &own[after..];
        let sent = |command: &[u8]| {
            end.iter().position(
                |(_, event)| matches!(&event.what, EventKind::FromClient { octets } if octets == command),
            )
        };
        // A command without a connection was not sent.
        let Some(noop) = sent(b"NOOP\r\n") else {
            return;
        };
        let quit = sent(b"QUIT\r\n").unwrap_or(end.len()).max(noop);
        let asked = end[noop].0;

        let to_noop = self.replies_in(end[..quit].iter().map(|(index, _)| *index));
        let to_quit = self.replies_in(end[quit..].iter().map(|(index, _)| *index));
        let wrong = match to_noop.as_slice() {
            [] => {
                let closed = end[noop..].iter().any(
                    |(_, event)| matches!(&event.what, EventKind::Closed(end) if end.by == Side::Server),
                );
                let observed = if closed {
                    "the server closed the control connection"
                } else {
                    "no reply"
                };
                Some((asked, observed.to_owned()))
            }
            // A session that is not logged in may get 530.
            [(_, reply)] if self.answers_noop(reply) || reply.code == 530 => {
                match to_quit.as_slice() {
                    [_, (event, reply), ..] if reply.code != 421 => {
                        Some((*event, format!("one more reply to QUIT: {}", quoted(reply))))
                    }
                    _ => None,
                }
            }
            [(event, reply)] => Some((*event, quoted(reply))),
            [_, (event, reply), ..] => Some((*event, format!("one more reply: {}", quoted(reply)))),
        };
        if let Some((event, observed)) = wrong {
            let expected = "NOOP at the end of the session: exactly one 200".to_owned();
            let about = self.scenario.is_about(&[]);
            self.finding(main, (0, event), about, expected, observed);
        }
    }
}
