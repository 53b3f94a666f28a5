//! What a person wants to see of sessions while they happen: logins, transfers, faults, ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::lines::{ClientLines, ClientPiece, ServerLines, ServerPiece, split_command};
use super::observer::{Channel, Leg, Observer, Sighting};

/// Commands that are remembered until their replies come; those of a client that sends more are not
/// shown.
const REMEMBERED: usize = 1000;

/// Something that happened in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Activity {
    /// A client has connected from here.
    Connected(String),
    /// The login of this user was accepted.
    LoggedIn(Vec<u8>),
    /// The login of this user was refused with this code.
    LoginRefused(Vec<u8>, u16),
    /// Octets of a transfer have moved; how many so far.
    Moved {
        /// The command and its argument.
        command: Vec<u8>,
        /// Octets so far.
        octets: u64,
    },
    /// A transfer has ended with a reply of this code.
    Transferred {
        /// The command and its argument.
        command: Vec<u8>,
        /// Octets of both directions.
        octets: u64,
        /// From the command to the reply.
        took: Duration,
        /// The code.
        code: u16,
    },
    /// A fault of the plan was injected.
    Fault(String),
    /// The session is not as the recorded one.
    Drift(String),
    /// A connection could not be made or protected.
    Problem(Leg, String),
    /// The session has ended.
    Ended,
}

/// Called with the number of the session.
pub(crate) type OnActivity = Arc<dyn Fn(u64, Activity) + Send + Sync>;

/// Derives the activities of one session from what is observed, and passes everything on to another
/// observer.
pub(crate) struct Watcher {
    inner: Arc<dyn Observer>,
    session: u64,
    on_activity: OnActivity,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    commands: ClientLines,
    replies: ServerLines,
    pending: VecDeque<Command>,
    user: Vec<u8>,
    greeted: bool,
    /// Of all transfers, in both directions.
    octets: u64,
}

struct Command {
    verb: String,
    line: Vec<u8>,
    at: Instant,
    /// Octets of all transfers when it came.
    before: u64,
}

impl Command {
    fn is_transfer(&self) -> bool {
        super::session::TRANSFERS.contains(&self.verb.as_str())
    }
}

impl Watcher {
    /// Of the session with this number.
    pub(crate) fn new(inner: Arc<dyn Observer>, session: u64, on_activity: OnActivity) -> Self {
        Self {
            inner,
            session,
            on_activity,
            state: Mutex::default(),
        }
    }
}

impl Observer for Watcher {
    fn see(&self, leg: Leg, channel: Channel, sighting: &Sighting<'_>) {
        self.inner.see(leg, channel, sighting);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for activity in state.see(leg, channel, sighting) {
            (self.on_activity)(self.session, activity);
        }
    }

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_ready(context)
    }

    fn ended(&self) {
        self.inner.ended();
        (self.on_activity)(self.session, Activity::Ended);
    }
}

impl State {
    fn see(&mut self, leg: Leg, channel: Channel, sighting: &Sighting<'_>) -> Vec<Activity> {
        match (leg, channel, sighting) {
            (Leg::Client, Channel::Control, Sighting::Opened { theirs, .. }) => {
                vec![Activity::Connected(theirs.to_string())]
            }
            (Leg::Client, Channel::Control, Sighting::Received(octets)) => {
                self.received(octets);
                Vec::new()
            }
            (Leg::Client, Channel::Control, Sighting::Sent(octets)) => self.sent(octets),
            (_, Channel::Data(_), Sighting::Data(octets)) => {
                self.octets += octets.len() as u64;
                let total = self.octets;
                let transfer = self.pending.iter().find(|it| it.is_transfer());
                let moved = transfer.map(|command| Activity::Moved {
                    command: command.line.clone(),
                    octets: total - command.before,
                });
                moved.into_iter().collect()
            }
            (_, _, Sighting::Fault(fault)) => vec![Activity::Fault((*fault).to_owned())],
            (leg, _, Sighting::Failed(problem)) => {
                vec![Activity::Problem(leg, (*problem).to_owned())]
            }
            _ => Vec::new(),
        }
    }

    fn received(&mut self, octets: &[u8]) {
        self.commands.push(octets);
        while let Some(piece) = self.commands.next_piece() {
            let ClientPiece::Command(line) = piece else {
                continue;
            };
            let (verb, argument) = split_command(&line);
            if verb == "USER" {
                self.user = argument.to_vec();
            }
            if self.pending.len() < REMEMBERED {
                let line = match verb.as_str() {
                    "PASS" | "ACCT" | "ADAT" => verb.clone().into_bytes(),
                    _ => line.trim_ascii_end().to_vec(),
                };
                self.pending.push_back(Command {
                    verb,
                    line,
                    at: Instant::now(),
                    before: self.octets,
                });
            }
        }
    }

    fn sent(&mut self, octets: &[u8]) -> Vec<Activity> {
        self.replies.push(octets);
        let mut found = Vec::new();
        while let Some(piece) = self.replies.next_piece() {
            let ServerPiece::Reply(code @ 200.., _) = piece else {
                continue;
            };
            if !std::mem::replace(&mut self.greeted, true) {
                continue;
            }
            let Some(command) = self.pending.pop_front() else {
                continue;
            };
            if command.is_transfer() {
                found.push(Activity::Transferred {
                    octets: self.octets - command.before,
                    took: command.at.elapsed(),
                    command: command.line,
                    code,
                });
            } else if matches!(command.verb.as_str(), "USER" | "PASS" | "ACCT") {
                match code {
                    230 | 232 => found.push(Activity::LoggedIn(self.user.clone())),
                    300..400 => {}
                    _ => found.push(Activity::LoginRefused(self.user.clone(), code)),
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn logins_and_transfers_are_found_among_commands_and_replies() {
        let mut state = State::default();
        let mut found = Vec::new();
        let mut say = |from_client: bool, text: &str| {
            let sighting = match from_client {
                true => Sighting::Received(text.as_bytes()),
                false => Sighting::Sent(text.as_bytes()),
            };
            found.extend(state.see(Leg::Client, Channel::Control, &sighting));
            if text.starts_with("150") {
                let octets = Bytes::from_static(b"12345");
                let data = Sighting::Data(&octets);
                found.extend(state.see(Leg::Server, Channel::Data(1), &data));
            }
        };
        say(false, "220 Hello\r\n");
        say(true, "USER bob\r\nPASS secret\r\n");
        say(false, "331 Password\r\n230 Welcome\r\n");
        say(true, "RETR a b\r\n");
        say(false, "150 Here\r\n");
        say(false, "226 Done\r\n");
        say(true, "PASS x\r\n");
        say(false, "530 No\r\n");
        for activity in &mut found {
            if let Activity::Transferred { took, .. } = activity {
                *took = Duration::ZERO;
            }
        }
        let command = b"RETR a b".to_vec();
        let expected = [
            Activity::LoggedIn(b"bob".to_vec()),
            Activity::Moved {
                command: command.clone(),
                octets: 5,
            },
            Activity::Transferred {
                command,
                octets: 5,
                took: Duration::ZERO,
                code: 226,
            },
            Activity::LoginRefused(b"bob".to_vec(), 530),
        ];
        assert_eq!(found, expected);
    }
}
