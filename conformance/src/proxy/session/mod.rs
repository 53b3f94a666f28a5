//! One session through the proxy. One task owns the control connections with the client and with
//! the server and watches them and the data connection at the same time, whatever it waits for.

mod commands;
mod control;
mod injection;
mod output;
mod replies;
mod security;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::address::PortCommand;
use super::data::{DataConnection, Protection, Setup, UNPROTECTED};
use super::faults::{Action, SessionFaults};
use super::lines::{ClientLines, ServerLines};
use super::observer::{Channel, Leg, Observer, Sighting};
use super::stream::Stream;
use super::tls::SessionTls;
use crate::transcript::CloseKind;
use control::Control;
use output::{Item, Output};

/// The first port that PORT and EPRT may name (RFC 2577 §3).
const FIRST_PORT: u16 = 1024;
/// Octets that may wait to be sent to one side before the other is read on.
const WAITING: usize = 256 << 10;
/// Commands without a final reply that are remembered; a client that sends more is not read on.
const PENDING: usize = 10_000;
/// How long a final reply waits for a data connection on which nothing moves.
const NO_PROGRESS: Duration = Duration::from_secs(10);
/// How long one side may go on after the other has ended.
const PARTING: Duration = Duration::from_secs(60);

/// Commands that use the data connection.
pub(super) const TRANSFERS: [&str; 8] = [
    "RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD", "THMB",
];

/// Those with which the client sends.
const UPLOADS: [&str; 3] = ["STOR", "STOU", "APPE"];

/// Said before a session ends that was idle longer than its fault plan allows.
const IDLE: &[u8] = b"421 The session was idle for too long.\r\n";

/// Commands that lead around the proxy, and what it replies in place of the server.
const REFUSED: [&str; 5] = ["PRET", "CPSV", "SSCN", "LPRT", "LPSV"];

/// What a final reply of the server means for the proxy.
#[derive(Debug)]
enum Effect {
    /// Nothing.
    None,
    /// With 234, TLS begins on both sides.
    Auth,
    /// With 200, both sides go on in clear.
    Ccc,
    /// With 200, data connections are protected from now on, or not.
    Prot(bool),
    /// With 227 or 229, a data connection; the client asked in this form.
    Passive(PortCommand),
    /// With 2yz, a data connection that the server makes.
    Active(PortCommand, Setup),
    /// The end of a transfer; whether the client sends.
    Transfer { upload: bool },
    /// With 2yz, all is as after connecting; the server may end TLS.
    Rein,
    /// With 2yz, the working directory is this one, named from the one before.
    Enter(Vec<u8>),
    /// A 257 names the working directory.
    Directory,
    /// The proxy replies this itself, in its turn.
    Local(Vec<Item>),
    /// This is sent in place of the reply.
    Replaced(Vec<Item>),
}

/// A command without a final reply.
struct Pending {
    effect: Effect,
    /// What the fault plan does to its reply and its transfer.
    armed: Vec<Action>,
}

/// What woke the session.
enum Wakeup {
    Read(Leg, Result<usize, CloseKind>),
    Data,
    Timeout,
    /// Octets were sent, so that more can be read.
    Sent,
    Lost(Leg),
}

/// What ends a wait of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// A pause of the fault plan is over.
    Pause,
    /// A reply that was held has waited without progress.
    Held,
    /// One side has ended, and the other goes on too long.
    Parting,
    /// The idle time of the fault plan is over.
    Idle,
}

/// A session through the proxy.
pub(crate) struct Session {
    client: Control,
    server: Control,
    client_lines: ClientLines,
    server_lines: ServerLines,
    /// The effects of final replies that are still to come, in order.
    pending: VecDeque<Pending>,
    /// Whether AUTH, PBSZ, PROT and CCC are for the proxy and not for the server.
    local_tls: bool,
    tls: Arc<SessionTls>,
    observer: Arc<dyn Observer>,
    protection: Protection,
    data: Option<DataConnection>,
    data_number: u32,
    /// A final reply, and what came after it, that waits for the end of the data connection.
    held: Option<Held>,
    /// Whether the transfer that is to be completed next has had its preliminary reply.
    preliminary: bool,
    /// Whether REIN was the last that was done, so that the server may end TLS now.
    reinitialized: bool,
    buffer: Vec<u8>,
    /// What is to be sent to the client after what its control connection has already.
    output: Output,
    /// How the session ends, once everything is sent.
    closing: Option<CloseKind>,
    faults: Option<SessionFaults>,
    /// What the plan does to the command that is passed on next.
    armed: Vec<Action>,
    /// The lines so far of a reply that the plan changes.
    reply_lines: Vec<u8>,
    /// A preliminary reply that waits for the completion.
    glued: Vec<u8>,
    /// Whether the completion of the transfer was sent too early.
    early: bool,
}

struct Held {
    code: u16,
    reply: Vec<u8>,
    armed: Vec<Action>,
    /// What came after it.
    after: Output,
    /// Octets carried when progress was last looked at.
    carried: u64,
}

impl Session {
    /// A session between a client that has connected and a server that has been connected to.
    pub(crate) fn new(
        client: Stream,
        server: Stream,
        local_tls: bool,
        tls: SessionTls,
        observer: Arc<dyn Observer>,
        faults: Option<SessionFaults>,
    ) -> Self {
        Self {
            client: Control::new(Leg::Client, client),
            server: Control::new(Leg::Server, server),
            client_lines: ClientLines::default(),
            server_lines: ServerLines::default(),
            pending: VecDeque::new(),
            local_tls,
            tls: Arc::new(tls),
            observer,
            protection: UNPROTECTED,
            data: None,
            data_number: 0,
            held: None,
            preliminary: false,
            reinitialized: false,
            buffer: vec![0; 16 << 10],
            output: Output::default(),
            closing: None,
            faults,
            armed: Vec::new(),
            reply_lines: Vec::new(),
            glued: Vec::new(),
            early: false,
        }
    }

    /// Ends a session that could not begin, with a reply that says why.
    pub(crate) async fn refuse(mut self, problem: &str) {
        let reply = format!("421 {problem}.\r\n");
        self.client.out.clear();
        self.client.out.extend(reply.as_bytes());
        self.finish().await;
    }

    /// Serves the session to its end.
    pub(crate) async fn run(mut self) {
        let mut timer = std::pin::pin!(tokio::time::sleep(PARTING));
        let mut alive = self.client_pieces().await.is_ok();
        while alive {
            self.settle();
            self.advance_output();
            if self.is_over() {
                break;
            }
            let limit = self.limit();
            if let Some((until, _)) = limit {
                timer.as_mut().reset(until);
            }
            alive = match self.wakeup(timer.as_mut(), limit.is_some()).await {
                Wakeup::Read(leg, Ok(octets)) => self.received(leg, octets).await.is_ok(),
                // A server ends TLS after REIN and goes on in clear (RFC 4217 §13).
                Wakeup::Read(Leg::Server, Err(CloseKind::Clean)) if self.reinitialized => {
                    self.reinitialized = false;
                    self.protection = UNPROTECTED;
                    self.end_tls().await.is_ok()
                }
                Wakeup::Read(leg, Err(how)) => {
                    self.side_ended(leg, how);
                    true
                }
                Wakeup::Timeout => self.timed_out(limit.map(|(_, limit)| limit)),
                Wakeup::Lost(leg) => {
                    self.control(leg.other()).stream.reset();
                    false
                }
                Wakeup::Data | Wakeup::Sent => true,
            };
        }
        self.finish().await;
    }

    /// When the present wait ends, and what ends it.
    fn limit(&self) -> Option<(Instant, Limit)> {
        let now = Instant::now();
        let ended = self.client.ended.or(self.server.ended).is_some();
        let idle = self.faults.as_ref().and_then(|faults| faults.idle);
        let limits = [
            self.output.until().map(|until| (until, Limit::Pause)),
            self.held.as_ref().map(|_| (now + NO_PROGRESS, Limit::Held)),
            (ended && self.held.is_none()).then_some((now + PARTING, Limit::Parting)),
            idle.filter(|_| self.pending.is_empty() && self.output.is_empty())
                .map(|idle| (now + idle, Limit::Idle)),
        ];
        limits.into_iter().flatten().min_by_key(|(until, _)| *until)
    }

    /// Does what follows from a limit; whether the session goes on.
    fn timed_out(&mut self, limit: Option<Limit>) -> bool {
        match limit {
            Some(Limit::Held) => self.release_unless_moving(),
            Some(Limit::Idle) => {
                let farewell = Item::Octets(IDLE.to_vec());
                self.emit([farewell, Item::Close(CloseKind::Clean)]);
            }
            Some(Limit::Pause) => {}
            Some(Limit::Parting) | None => return false,
        }
        true
    }

    /// Sends what is still to be sent and ends both connections.
    async fn finish(&mut self) {
        let observer = Arc::clone(&self.observer);
        for leg in [Leg::Server, Leg::Client] {
            let passed_on = self.control(leg.other()).ended.unwrap_or(CloseKind::Clean);
            let how = match leg {
                Leg::Client => self.closing.unwrap_or(passed_on),
                Leg::Server => passed_on,
            };
            let control = self.control(leg);
            let parting = poll_fn(|context| {
                match control.poll_send(context, observer.as_ref()) {
                    Poll::Ready(Ok(())) => {}
                    other => return other.map(drop),
                }
                control.stream.poll_end(context, how).map(drop)
            });
            let _too_slow = tokio::time::timeout(NO_PROGRESS, parting).await;
        }
    }

    fn is_over(&self) -> bool {
        let drained = |control: &Control| control.ended.is_some() && control.out.is_empty();
        let sent = self.client.out.is_empty() && self.output.is_empty() && self.held.is_none();
        self.closing.is_some()
            || (drained(&self.client) && drained(&self.server))
            || (self.server.ended.is_some() && sent)
    }

    /// Sends to the client, after what waits for that already.
    fn emit(&mut self, items: impl IntoIterator<Item = Item>) {
        for item in items {
            match (&mut self.held, item) {
                (Some(held), item) => held.after.push(item),
                (None, Item::Octets(octets)) if self.output.is_empty() => {
                    self.client.out.extend(octets);
                }
                (None, item) => self.output.push(item),
            }
        }
    }

    /// Does what waits and whose time has come.
    fn advance_output(&mut self) {
        while self.closing.is_none()
            && let Some(item) = self.output.next(Instant::now())
        {
            match item {
                Item::Octets(octets) => self.client.out.extend(octets),
                Item::DropData => self.data = None,
                Item::Close(how) => self.closing = Some(how),
                Item::Pause(_) | Item::Hold(_) => {}
            }
        }
    }

    fn control(&mut self, leg: Leg) -> &mut Control {
        match leg {
            Leg::Client => &mut self.client,
            Leg::Server => &mut self.server,
        }
    }

    /// Sends what can be sent, and waits until something comes, moves or takes too long.
    async fn wakeup(&mut self, mut timer: std::pin::Pin<&mut Sleep>, timed: bool) -> Wakeup {
        let Self {
            client,
            server,
            data,
            buffer,
            pending,
            observer,
            held,
            output,
            ..
        } = self;
        poll_fn(|context| {
            let ends = [server.ended, client.ended];
            let ending = ends.iter().any(Option::is_some);
            for (control, end) in [&mut *client, &mut *server].into_iter().zip(ends) {
                let (some, waited) = (!control.out.is_empty(), control.out.len() > WAITING);
                let sent = control.poll_send(context, observer.as_ref());
                // The end of the server's side is passed on when the session ends.
                if let (Leg::Server, Some(end), false, Poll::Ready(Ok(()))) =
                    (control.leg, end, control.closed, &sent)
                {
                    control.closed = control.stream.poll_end(context, end).is_ready();
                }
                match sent {
                    Poll::Ready(Err(_)) => return Poll::Ready(Wakeup::Lost(control.leg)),
                    // What waited for it goes on: reading, or the end of the session.
                    _ if waited && control.out.len() <= WAITING => {
                        return Poll::Ready(Wakeup::Sent);
                    }
                    _ if some && control.out.is_empty() && ending => {
                        return Poll::Ready(Wakeup::Sent);
                    }
                    _ => {}
                }
            }
            let held = held
                .as_ref()
                .map_or(0, |held| held.reply.len() + held.after.octets());
            if server.ended.is_none()
                && client.out.len() + output.octets() + held <= WAITING
                && let Poll::Ready(read) = server.stream.poll_read_control(context, buffer)
            {
                return Poll::Ready(Wakeup::Read(Leg::Server, read));
            }
            if client.ended.is_none()
                && server.out.len() <= WAITING
                && pending.len() < PENDING
                && let Poll::Ready(read) = client.stream.poll_read_control(context, buffer)
            {
                return Poll::Ready(Wakeup::Read(Leg::Client, read));
            }
            if let Some(data) = data
                && data.poll_progress(context).is_ready()
            {
                return Poll::Ready(Wakeup::Data);
            }
            if timed && timer.as_mut().poll(context).is_ready() {
                return Poll::Ready(Wakeup::Timeout);
            }
            Poll::Pending
        })
        .await
    }

    /// Passes the end of one side on to the other.
    fn side_ended(&mut self, leg: Leg, how: CloseKind) {
        self.observer
            .see(leg, Channel::Control, &Sighting::Ended(how));
        let rest = match leg {
            Leg::Client => self.client_lines.rest(),
            Leg::Server => self.server_lines.rest(),
        };
        self.control(leg).ended = Some(how);
        match leg {
            Leg::Client => self.server.out.extend(rest),
            Leg::Server => {
                let lines = std::mem::take(&mut self.reply_lines);
                self.emit([Item::Octets(lines), Item::Octets(rest)]);
            }
        }
    }

    async fn received(&mut self, leg: Leg, octets: usize) -> Result<(), ()> {
        let octets = self.buffer[..octets].to_vec();
        self.observer
            .see(leg, Channel::Control, &Sighting::Received(&octets));
        match leg {
            Leg::Client => {
                self.client_lines.push(&octets);
                self.client_pieces().await?;
            }
            Leg::Server => {
                self.server_lines.push(&octets);
                while let Some(piece) = self.server_lines.next_piece() {
                    self.server_piece(piece).await?;
                }
            }
        }
        Ok(())
    }

    /// Sends all that waits for the client, and for the server.
    async fn flush_client(&mut self) -> Result<(), ()> {
        self.release();
        self.advance_output();
        while let (Some(until), None) = (self.output.until(), self.closing) {
            tokio::time::sleep_until(until).await;
            self.advance_output();
        }
        for leg in [Leg::Client, Leg::Server] {
            let observer = Arc::clone(&self.observer);
            let control = self.control(leg);
            let sent = poll_fn(|context| control.poll_send(context, observer.as_ref()));
            match tokio::time::timeout(PARTING, sent).await {
                Ok(Ok(())) => {}
                _ => return Err(()),
            }
        }
        Ok(())
    }

    /// Goes on in clear on both sides.
    async fn end_tls(&mut self) -> Result<(), ()> {
        self.flush_client().await?;
        for leg in [Leg::Server, Leg::Client] {
            self.control(leg).stream.end_tls().await;
            self.observer
                .see(leg, Channel::Control, &Sighting::TlsEnded);
        }
        Ok(())
    }
}
