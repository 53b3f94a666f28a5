//! The faults of a plan on one control connection, injected around a command.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::super::shared::{Shared, Slot};
use super::stream::ControlStream;
use super::{Connection, End};
use crate::dtp::DataFaults;
use crate::fault::{
    Action, BadCertificate, EARLY, FaultEvent, FaultyStorage, IN_PLACE_OF_TLS, Injection,
    apply_to_reply,
};
use crate::observe::journal::{EventKind, without_secrets};
use crate::observe::sessions::SessionRecord;
use crate::observe::tap::{Channel, Side, StreamEnd};
use crate::storage::Storage;
use crate::wire::Reply;

/// Between the segments of a reply that is sent octet by octet.
pub(super) const BETWEEN_OCTETS: Duration = Duration::from_millis(2);
/// The TLS record of the fatal alert `handshake_failure` (RFC 5246 §7.2).
const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// The state of the fault plan on one connection; without a plan there is none.
#[derive(Debug)]
pub(super) struct FaultState {
    shared: Arc<Shared>,
    record: Arc<SessionRecord>,
    session: u64,
    /// The name last given with USER.
    user: Vec<u8>,
    /// The actions for the current command.
    armed: Vec<Action>,
    /// Replies that are held back, to be sent in the way of a fault.
    held: Vec<u8>,
    /// Whether its completion reply was given.
    completed: bool,
    /// Whether it was given too early.
    early: bool,
    /// The user's storage, while it is replaced by one with faults.
    storage: Option<Arc<dyn Storage>>,
    idle: Option<Duration>,
}

impl FaultState {
    pub(super) fn over(slot: &Slot, record: &Arc<SessionRecord>) -> Option<Box<Self>> {
        slot.shared.faults.is_some().then(|| {
            Box::new(Self {
                shared: Arc::clone(&slot.shared),
                record: Arc::clone(record),
                session: slot.number,
                user: Vec::new(),
                armed: Vec::new(),
                held: Vec::new(),
                completed: false,
                early: false,
                storage: None,
                idle: None,
            })
        })
    }

    fn does(&self, action: &Action) -> bool {
        self.armed.contains(action)
    }

    /// Encodes a reply: unchanged, held back, changed or not at all.
    pub(super) fn encode(&mut self, reply: &Reply, to: &mut Vec<u8>) {
        if reply.code.0 < 200 {
            if self.does(&Action::Glue) {
                reply.encode(&mut self.held);
            } else if !self.does(&Action::MissingPreliminary) {
                reply.encode(to);
            }
            if self.does(&Action::EarlyCompletion) {
                to.extend_from_slice(EARLY);
                self.early = true;
            }
        } else if std::mem::take(&mut self.early) {
            self.completed = true;
        } else if self.held.is_empty() && (self.completed || self.armed.is_empty()) {
            reply.encode(to);
        } else if self.completed {
            // ABOR's own reply, after that of the transfer.
            reply.encode(&mut self.held);
        } else {
            self.completed = true;
            let mut octets = Vec::new();
            reply.encode(&mut octets);
            self.held.extend(apply_to_reply(&octets, &self.armed));
        }
    }

    /// Applies the plan to a TLS handshake: ends it, or returns a bad certificate to present.
    pub(super) async fn fault_handshake(
        &mut self,
        stream: &TcpStream,
        shared: &Shared,
    ) -> Result<Option<BadCertificate>, End> {
        let actions = self.faults_at(FaultEvent::Handshake);
        let mut certificate = None;
        for action in actions {
            let answer: &[u8] = match action {
                Action::HandshakeStall => b"",
                Action::HandshakeAlert => &HANDSHAKE_FAILURE,
                Action::Plaintext => IN_PLACE_OF_TLS,
                Action::Certificate(kind) => {
                    certificate = Some(kind);
                    continue;
                }
                _ => continue,
            };
            let timeouts = shared.limits.handshake;
            // A client that sends nothing is not waited for any longer than one that does.
            let channel = &self.record.control;
            let _ = timeout(timeouts, instead_of_tls(stream, answer, channel)).await;
            if answer.is_empty() {
                sleep(timeouts).await;
            }
            return Err(End::Lost);
        }
        Ok(certificate)
    }

    fn faults_at(&mut self, event: FaultEvent<'_>) -> Vec<Action> {
        let Some(faults) = &self.shared.faults else {
            return Vec::new();
        };
        let injections = faults.injections(event, self.session, &mut self.user, |_| None);
        injected(&self.record, &injections, None)
    }
}

/// Records the faults that are injected, and returns their actions.
fn injected(
    record: &Arc<SessionRecord>,
    injections: &[Injection<'_>],
    line: Option<&[u8]>,
) -> Vec<Action> {
    for injection in injections {
        record.note(|| EventKind::FaultInjected {
            number: injection.number,
            fault: injection.fault.to_string(),
            line: line.map(without_secrets),
        });
    }
    let actions = injections
        .iter()
        .map(|injection| injection.fault.action.clone());
    actions.collect()
}

/// Answers the ClientHello with something else. It is read, so that closing sends no reset.
async fn instead_of_tls(stream: &TcpStream, octets: &[u8], channel: &Channel) {
    let mut hello = vec![0; 16 << 10];
    loop {
        let _ = stream.readable().await;
        match stream.try_read(&mut hello) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => break,
        }
    }
    // The replies before were small and are sent: there is room.
    let _ = stream.try_write(octets);
    channel.octets(Side::Server, octets);
}

impl Connection {
    /// Applies the plan to a new control connection. Returns whether its greeting was replaced.
    pub(super) async fn faults_at_connect(&mut self) -> Result<bool, End> {
        let sessions = self.shared().sessions();
        let Some(state) = &mut self.faults else {
            return Ok(false);
        };
        state.armed = state.faults_at(FaultEvent::Connect);
        for action in state.armed.clone() {
            match action {
                Action::MaxSessions(most) if sessions > most => {
                    self.reply(&Reply::line(421, "Too many sessions."));
                    return Err(End::Quit);
                }
                action => self.replace_command(action)?,
            }
        }
        Ok(self.faults.as_ref().is_some_and(|state| state.completed))
    }

    /// Counts a command for the plan, and returns what is done to it.
    pub(super) fn faults_of(&mut self, line: &[u8]) -> Vec<Action> {
        let (session, Some(state)) = (&self.session, &mut self.faults) else {
            return Vec::new();
        };
        let Some(faults) = &state.shared.faults else {
            return Vec::new();
        };
        let event = FaultEvent::Line(line);
        let user = &mut state.user;
        let injections = faults.injections(event, state.session, user, |path| session.locate(path));
        injected(&state.record, &injections, Some(line))
    }

    /// Applies `actions` to the next command. Returns whether they replace it.
    pub(super) async fn arm(&mut self, actions: Vec<Action>) -> Result<bool, End> {
        if actions.is_empty() {
            return Ok(false);
        }
        let storage = self
            .session
            .exchange_storage(|storage| FaultyStorage::around(storage, &actions));
        // The replies to earlier commands are not this one's.
        self.send().await?;
        if let Some(state) = &mut self.faults {
            state.storage = storage;
            state.armed.clone_from(&actions);
            state.completed = false;
            state.early = false;
        }
        for action in actions {
            self.replace_command(action)?;
        }
        let replaced = self.faults.as_ref().is_some_and(|state| state.completed);
        if replaced {
            self.end_faults().await?;
        }
        Ok(replaced)
    }

    /// From now on the session may be idle for this long.
    pub(super) fn set_idle_limit(&mut self, time: Duration) {
        if let Some(state) = &mut self.faults {
            state.idle = Some(time);
        }
    }

    /// Applies an action that replaces the command.
    fn replace_command(&mut self, action: Action) -> Result<(), End> {
        match action {
            Action::HangUp => return Err(End::Lost),
            Action::Idle(time) => self.set_idle_limit(time),
            Action::Reply { code, text } => {
                self.reply(&Reply::text(code, text));
                if code == 421 {
                    return Err(End::Quit);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends the faults of a command: sends the replies that were held back, and restores the
    /// storage.
    pub(super) async fn end_faults(&mut self) -> Result<(), End> {
        let Some(state) = &mut self.faults else {
            return Ok(());
        };
        if state.armed.is_empty() {
            return Ok(());
        }
        if let Some(own) = state.storage.take() {
            self.session.exchange_storage(|_| Some(own));
        }
        self.flush().await?;
        let armed = match &mut self.faults {
            Some(state) => std::mem::take(&mut state.armed),
            None => Vec::new(),
        };
        for action in armed {
            if let Action::Unsolicited421(text) = action {
                self.reply(&Reply::text(421, text));
                return Err(End::Quit);
            }
        }
        Ok(())
    }

    /// The same when the connection ends.
    pub(super) async fn end_faults_at_close(&mut self, end: End) {
        let Some(state) = &mut self.faults else {
            return;
        };
        let bare = state.does(&Action::NoCloseNotify);
        if end == End::Lost || self.flush().await.is_err() {
            return;
        }
        if let Some(state) = &mut self.faults {
            state.armed.clear();
        }
        if bare {
            self.stream = match std::mem::replace(&mut self.stream, ControlStream::Gone) {
                ControlStream::Tls(stream) => {
                    let channel = &self.record.control;
                    channel.ended(Side::Server, StreamEnd::MissingCloseNotify);
                    ControlStream::Clear(stream.into_inner().0.into_parts().0)
                }
                other => other,
            };
        }
    }

    /// Whether a reply was held back.
    pub(super) fn holds_replies(&self) -> bool {
        (self.faults.as_ref()).is_some_and(|state| !state.held.is_empty())
    }

    /// Sends the replies that were held back, as the plan says.
    pub(super) async fn send_held_replies(&mut self) -> Result<(), End> {
        let Some(state) = &mut self.faults else {
            return Ok(());
        };
        if state.held.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut state.held);
        let bytewise = state.does(&Action::SplitBytewise);
        let delay = state.armed.iter().find_map(|action| match action {
            Action::Delay(time) => Some(*time),
            _ => None,
        });
        self.send().await?;
        if let Some(delay) = delay {
            sleep(delay).await;
        }
        if !bytewise {
            self.replies.extend(held);
            return Ok(());
        }
        for octet in held {
            self.replies.push(octet);
            self.send().await?;
            sleep(BETWEEN_OCTETS).await;
        }
        Ok(())
    }

    /// How long the session may be idle.
    pub(super) fn idle_limit(&self) -> Duration {
        let planned = self.faults.as_ref().and_then(|state| state.idle);
        let chosen = || self.session.idle_limit();
        planned.or_else(chosen).unwrap_or(self.shared().limits.idle)
    }

    /// The address that PASV and EPSV announce, changed if the plan says so.
    pub(super) fn announced_address(
        &mut self,
        at: io::Result<SocketAddr>,
    ) -> io::Result<SocketAddr> {
        let Some(state) = &self.faults else {
            return at;
        };
        let mut at = at?;
        let mut refuse = false;
        for action in &state.armed {
            match action {
                Action::WrongAddress(address) => at.set_ip(IpAddr::V4(*address)),
                Action::WrongPort(port) => {
                    at.set_port(port.unwrap_or_else(|| at.port().checked_add(1).unwrap_or(1)));
                }
                Action::Refuse => refuse = true,
                _ => {}
            }
        }
        if refuse {
            self.drop_data_port();
        }
        Ok(at)
    }

    /// The faults of this transfer's data connection.
    pub(super) fn data_faults(&self) -> Option<DataFaults> {
        DataFaults::of(&self.faults.as_ref()?.armed)
    }
}
