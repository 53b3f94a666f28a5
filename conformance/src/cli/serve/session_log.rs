//! One line per session, login, transfer and fault, for a terminal.

use crate::data::escape;
use ftpspec_server::observe::journal::{CloseReason, Event, EventKind, Journal, Notice, Outcome};
use std::io::{self, Write as _};
use tokio::task::JoinHandle;

/// Events that are kept while the terminal does not read.
pub(super) const MAX_EVENTS: usize = 10_000;

/// Prints the events of the journal on stdout until the server has ended. Printing happens on a
/// thread of its own and ends early if stdout cannot be written to.
pub(super) fn print(journal: &Journal) -> JoinHandle<io::Result<()>> {
    let mut events = journal.subscribe();
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        while let Some(notice) = runtime.block_on(events.next()) {
            let line = match notice {
                Notice::Event(event) => line(&event),
                Notice::Lagged(count) => Some(format!("{count} events are not shown")),
            };
            if let Some(line) = line {
                writeln!(io::stdout(), "{line}")?;
            }
        }
        Ok(())
    })
}

/// The line for an event; `None` if it is not shown.
fn line(event: &Event) -> Option<String> {
    let text = describe(&event.what)?;
    let time = jiff::Timestamp::try_from(event.time).unwrap_or_default();
    let time = time.strftime("%H:%M:%SZ");
    Some(format!("{time} session {}: {text}", event.session))
}

fn describe(event: &EventKind) -> Option<String> {
    Some(match event {
        EventKind::Connected { peer, .. } => format!("connected from {peer}"),
        EventKind::HandshakeFailed { error } => {
            format!("TLS handshake failed: {}", escape(error.as_bytes()))
        }
        EventKind::LoggedIn { user } => format!("logged in as {}", escape(user.as_bytes())),
        EventKind::LoginRefused { user } => format!("login refused for {}", escape(user)),
        EventKind::TransferEnded(facts) => {
            let path = facts.path.as_bytes();
            transfer(&facts.verb, path, facts.octets, &facts.outcome)
        }
        EventKind::FaultInjected { fault, .. } => format!("fault injected: {fault}"),
        EventKind::Closed { reason } => match reason {
            CloseReason::Quit => "closed",
            CloseReason::Idle => "closed: idle for too long",
            CloseReason::Limit => "closed: a limit was exceeded",
            CloseReason::Stopped | CloseReason::Cut => "closed: the server stopped",
            CloseReason::ClosedByOperator => "closed by the operator",
            CloseReason::Lost => "disconnected by the client",
        }
        .to_owned(),
        _ => return None,
    })
}

fn transfer(verb: &str, path: &[u8], octets: u64, outcome: &Outcome) -> String {
    let reason = match outcome {
        Outcome::Complete => None,
        Outcome::NotOpened { error }
        | Outcome::StorageFailed { error }
        | Outcome::Malformed { error } => Some(escape(error.as_bytes())),
        other => Some(
            match other {
                Outcome::NoConnection => "no data connection",
                Outcome::NoProtection => "no TLS on the data connection",
                Outcome::NotResumed => "the data connection did not resume the TLS session",
                Outcome::OtherClient => "the data connection has another client certificate",
                Outcome::ConnectionLost => "the data connection was lost",
                Outcome::Aborted => "aborted by the client",
                Outcome::SessionEnded => "the session ended",
                _ => "unknown reason",
            }
            .to_owned(),
        ),
    };
    let path = escape(path);
    match reason {
        None => format!("{verb} {path}: {octets} octets"),
        Some(reason) => format!("{verb} {path} failed after {octets} octets: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_logins_and_faults_are_shown_in_one_line_each() {
        let peer = ([192, 0, 2, 1], 1024).into();
        let error = "bad\nrecord".to_owned();
        let fault = "when LIST do missing 226".to_owned();
        for (event, expected) in [
            (
                EventKind::Connected { peer, local: peer },
                "connected from 192.0.2.1:1024",
            ),
            (
                EventKind::HandshakeFailed { error },
                "TLS handshake failed: bad\\nrecord",
            ),
            (
                EventKind::LoggedIn {
                    user: "test".into(),
                },
                "logged in as test",
            ),
            (
                EventKind::LoginRefused {
                    user: b"a\x1b[2J".to_vec(),
                },
                "login refused for a\\x1b[2J",
            ),
            (
                EventKind::FaultInjected {
                    number: 1,
                    fault,
                    line: None,
                },
                "fault injected: when LIST do missing 226",
            ),
            (
                EventKind::Closed {
                    reason: CloseReason::Idle,
                },
                "closed: idle for too long",
            ),
        ] {
            assert_eq!(describe(&event).as_deref(), Some(expected));
        }
        let line = b"NOOP".to_vec();
        assert_eq!(describe(&EventKind::Command { line }), None);
    }

    #[test]
    fn a_transfer_is_shown_with_its_octets_or_why_it_failed() {
        let error = "not found".to_owned();
        for (outcome, expected) in [
            (Outcome::Complete, "RETR /a\\r: 5 octets"),
            (
                Outcome::NotOpened { error },
                "RETR /a\\r failed after 5 octets: not found",
            ),
            (
                Outcome::Aborted,
                "RETR /a\\r failed after 5 octets: aborted by the client",
            ),
        ] {
            assert_eq!(transfer("RETR", b"/a\r", 5, &outcome), expected);
        }
    }
}
