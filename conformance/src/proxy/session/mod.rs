//! One session through the proxy. One task owns the control connections with the client and with
//! the server and watches them and the data connection at the same time, whatever it waits for.

mod commands;
mod replies;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::address::PortCommand;
use super::data::{DataConnection, Protection, Setup, UNPROTECTED};
use super::lines::{ClientLines, ServerLines, ServerPiece};
use super::observer::{Channel, Leg, Observer, Sighting};
use super::stream::Stream;
use super::tls::SessionTls;
use crate::transcript::CloseKind;

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
const TRANSFERS: [&str; 8] = [
    "RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD", "THMB",
];

/// Commands that lead around the proxy, and what it replies in place of the server.
const REFUSED: [&str; 5] = ["PRET", "CPSV", "SSCN", "LPRT", "LPSV"];

/// How the connection with the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum UpstreamTls {
    /// As the client protects its own.
    #[default]
    Same,
    /// Not at all: only the client's side is under TLS, if the client wants that.
    Off,
    /// With AUTH TLS before anything else, whatever the client does.
    Explicit,
}

/// A control connection of the session.
struct Control {
    leg: Leg,
    stream: Stream,
    /// What is still to be sent.
    out: VecDeque<u8>,
    /// How this side ended its direction.
    ended: Option<CloseKind>,
    /// Whether we have ended ours.
    closed: bool,
}

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
    /// The end of a transfer.
    Transfer,
    /// With 2yz, all is as after connecting; the server may end TLS.
    Rein,
    /// The proxy replies this itself, in its turn.
    Local(Vec<u8>),
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

/// A session through the proxy.
pub(crate) struct Session {
    client: Control,
    server: Control,
    client_lines: ClientLines,
    server_lines: ServerLines,
    /// The effects of final replies that are still to come, in order.
    pending: VecDeque<Effect>,
    upstream_tls: UpstreamTls,
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
}

struct Held {
    octets: Vec<u8>,
    /// Octets carried when progress was last looked at.
    carried: u64,
}

impl Session {
    /// A session between a client that has connected and a server that has been connected to.
    pub(crate) fn new(
        client: Stream,
        server: Stream,
        upstream_tls: UpstreamTls,
        tls: SessionTls,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let control = |leg, stream| Control {
            leg,
            stream,
            out: VecDeque::new(),
            ended: None,
            closed: false,
        };
        Self {
            client: control(Leg::Client, client),
            server: control(Leg::Server, server),
            client_lines: ClientLines::default(),
            server_lines: ServerLines::default(),
            // The greeting.
            pending: VecDeque::from([Effect::None]),
            upstream_tls,
            tls: Arc::new(tls),
            observer,
            protection: UNPROTECTED,
            data: None,
            data_number: 0,
            held: None,
            preliminary: false,
            reinitialized: false,
            buffer: vec![0; 16 << 10],
        }
    }

    /// Begins TLS with the client and the server before anything is said (implicit TLS).
    ///
    /// # Errors
    /// In words, when a handshake fails.
    pub(crate) async fn begin_implicit(
        &mut self,
        client: bool,
        server: bool,
    ) -> Result<(), String> {
        if server {
            self.start_tls(Leg::Server).await?;
        }
        if client {
            self.start_tls(Leg::Client).await?;
        }
        self.protection = Protection { client, server };
        Ok(())
    }

    /// Logs the proxy's own connection into TLS before the client's first command, and keeps the
    /// greeting for the client ([`UpstreamTls::Explicit`]).
    ///
    /// # Errors
    /// In words, when the server refuses.
    pub(crate) async fn begin_explicit(&mut self) -> Result<(), String> {
        let greeting = self.server_reply().await?;
        self.client.out.extend(greeting.1);
        self.pending.clear();
        for (line, code) in [
            ("AUTH TLS\r\n", 234),
            ("PBSZ 0\r\n", 200),
            ("PROT P\r\n", 200),
        ] {
            self.server.out.extend(line.as_bytes());
            let (found, reply) = self.server_reply().await?;
            if found != code {
                let reply = String::from_utf8_lossy(&reply).trim_end().to_owned();
                return Err(format!(
                    "the server answered {} with {reply}",
                    line.trim_end()
                ));
            }
            if code == 234 {
                self.start_tls(Leg::Server).await?;
            }
        }
        self.protection.server = true;
        Ok(())
    }

    /// One whole reply of the server.
    async fn server_reply(&mut self) -> Result<(u16, Vec<u8>), String> {
        let mut reply = Vec::new();
        loop {
            while let Some(piece) = self.server_lines.next_piece() {
                match piece {
                    ServerPiece::Line(line) => reply.extend(line),
                    ServerPiece::Reply(code, line) => {
                        reply.extend(line);
                        return Ok((code, reply));
                    }
                }
            }
            let deadline = std::pin::pin!(tokio::time::sleep(PARTING));
            match self.wakeup(deadline, true).await {
                Wakeup::Read(Leg::Server, Ok(octets)) => {
                    let octets = &self.buffer[..octets];
                    self.observer
                        .see(Leg::Server, Channel::Control, &Sighting::Received(octets));
                    self.server_lines.push(octets);
                }
                Wakeup::Sent | Wakeup::Data => {}
                Wakeup::Timeout => return Err("the server does not answer".into()),
                _ => return Err("the server closed the connection".into()),
            }
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
        loop {
            self.settle();
            if self.is_over() {
                break;
            }
            let wait = match (&self.held, self.client.ended.or(self.server.ended)) {
                (Some(_), _) => Some(NO_PROGRESS),
                (None, Some(_)) => Some(PARTING),
                (None, None) => None,
            };
            if let Some(wait) = wait {
                timer.as_mut().reset(Instant::now() + wait);
            }
            match self.wakeup(timer.as_mut(), wait.is_some()).await {
                Wakeup::Read(leg, Ok(octets)) => {
                    if self.received(leg, octets).await.is_err() {
                        break;
                    }
                }
                // A server ends TLS after REIN and goes on in clear (RFC 4217 §13).
                Wakeup::Read(Leg::Server, Err(CloseKind::Clean)) if self.reinitialized => {
                    self.reinitialized = false;
                    self.protection = UNPROTECTED;
                    if self.end_tls().await.is_err() {
                        break;
                    }
                }
                Wakeup::Read(leg, Err(how)) => self.side_ended(leg, how),
                Wakeup::Timeout if self.held.is_some() => self.release_unless_moving(),
                Wakeup::Timeout => break,
                Wakeup::Lost(leg) => {
                    self.control(leg.other()).stream.reset();
                    break;
                }
                Wakeup::Data | Wakeup::Sent => {}
            }
        }
        self.finish().await;
    }

    /// Sends what is still to be sent and ends both connections.
    async fn finish(&mut self) {
        for leg in [Leg::Server, Leg::Client] {
            let how = match self.control(leg.other()).ended {
                Some(how) => how,
                None => CloseKind::Clean,
            };
            let control = self.control(leg);
            let parting = poll_fn(|context| {
                while !control.out.is_empty() {
                    let part = control.out.as_slices().0;
                    match control.stream.poll_write(context, part) {
                        Poll::Ready(Ok(octets)) => drop(control.out.drain(..octets)),
                        Poll::Ready(Err(_)) => return Poll::Ready(()),
                        Poll::Pending => return Poll::Pending,
                    }
                }
                match control.stream.poll_flush(context) {
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
        (drained(&self.client) && drained(&self.server))
            || (self.server.ended.is_some() && self.client.out.is_empty() && self.held.is_none())
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
            let held = held.as_ref().map_or(0, |held| held.octets.len());
            if server.ended.is_none()
                && client.out.len() + held <= WAITING
                && let Poll::Ready(read) = server.stream.poll_read(context, buffer)
            {
                return Poll::Ready(Wakeup::Read(Leg::Server, read));
            }
            if client.ended.is_none()
                && server.out.len() <= WAITING
                && pending.len() < PENDING
                && let Poll::Ready(read) = client.stream.poll_read(context, buffer)
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
        let other = self.control(leg.other());
        other.out.extend(rest);
    }

    async fn received(&mut self, leg: Leg, octets: usize) -> Result<(), ()> {
        let octets = self.buffer[..octets].to_vec();
        self.observer
            .see(leg, Channel::Control, &Sighting::Received(&octets));
        match leg {
            Leg::Client => {
                self.client_lines.push(&octets);
                while let Some(piece) = self.client_lines.next_piece() {
                    self.client_piece(piece).await?;
                }
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

    async fn start_tls(&mut self, leg: Leg) -> Result<(), String> {
        let tls = Arc::clone(&self.tls);
        let stream = &mut self.control(leg).stream;
        let shaken = tls.begin(leg, stream, false).await;
        match shaken {
            Ok(facts) => {
                self.observer
                    .see(leg, Channel::Control, &Sighting::TlsStarted(&facts));
                Ok(())
            }
            Err(error) => {
                self.observer
                    .see(leg, Channel::Control, &Sighting::Failed(&error));
                Err(error)
            }
        }
    }
}

impl Control {
    /// Ready when everything has been sent.
    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        observer: &dyn Observer,
    ) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let part = self.out.make_contiguous();
            let written = std::task::ready!(self.stream.poll_write(context, part))?;
            observer.see(
                self.leg,
                Channel::Control,
                &Sighting::Sent(&part[..written]),
            );
            self.out.drain(..written);
        }
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        self.stream.poll_flush(context)
    }
}
