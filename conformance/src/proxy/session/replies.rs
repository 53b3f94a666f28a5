//! The server's side of a session: what follows from its replies.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::super::address::{PortCommand, passive_line, passive_reply};
use super::super::data::{DataConnection, Protection, Setup, Spoiled};
use super::super::faults::{Action, EARLY};
use super::super::lines::ServerPiece;
use super::super::observer::Leg;
use super::output::{Item, Output, shaped};
use super::{Effect, Held, Pending, Session};
use crate::driver::{listen, quoted_pathname};
use crate::transcript::CloseKind;

/// A reply that the plan changes is passed on in pieces where it is longer.
const LONGEST_CHANGED: usize = 1 << 20;

impl Session {
    pub(super) async fn server_piece(&mut self, piece: ServerPiece) -> Result<(), ()> {
        match piece {
            ServerPiece::Line(line) if self.changes_replies() => {
                self.reply_lines.extend(line);
                if self.reply_lines.len() > LONGEST_CHANGED {
                    let lines = std::mem::take(&mut self.reply_lines);
                    self.send_to_client(lines);
                }
            }
            ServerPiece::Line(line) => self.send_to_client(line),
            ServerPiece::Reply(code, line) => {
                let mut reply = std::mem::take(&mut self.reply_lines);
                reply.extend(line);
                if code < 200 {
                    self.begun(reply);
                } else {
                    let pending = self.pending_of(code);
                    self.completed(pending, code, reply).await?;
                    self.local_replies().await?;
                }
            }
        }
        Ok(())
    }

    /// Passes on a preliminary reply.
    fn begun(&mut self, reply: Vec<u8>) {
        let front = self.pending.front();
        let is_transfer = |it: &Pending| matches!(it.effect, Effect::Transfer { .. });
        self.preliminary = front.is_some_and(is_transfer);
        let does = |action| front.is_some_and(|it| it.armed.contains(action));
        let early = self.preliminary && does(&Action::EarlyCompletion);
        if does(&Action::Glue) {
            self.glued.extend(reply);
        } else if !does(&Action::MissingPreliminary) {
            self.send_to_client(reply);
        }
        if early {
            self.send_to_client(EARLY.to_vec());
            self.early = true;
        }
    }

    /// The command that the final reply that came completes. Where a server replies more or less
    /// than once, the codes that belong to one command only say which it was.
    fn pending_of(&mut self, code: u16) -> Pending {
        let is_transfer = |it: &Pending| matches!(it.effect, Effect::Transfer { .. });
        let transfer_first = self.pending.front().is_some_and(is_transfer);
        // NOOP and STAT are answered during a transfer, which never ends with 20z and 21z.
        let during_transfer = transfer_first && matches!(code, 200..=219);
        let is_it = |it: &Pending| match code {
            227 | 229 => matches!(it.effect, Effect::Passive(_)),
            234 => matches!(it.effect, Effect::Auth),
            _ => !during_transfer || !is_transfer(it),
        };
        match self.pending.iter().position(is_it) {
            Some(position) if during_transfer => self.pending.remove(position),
            Some(position) => {
                self.pending.drain(..position);
                self.pending.pop_front()
            }
            None => None,
        }
        .unwrap_or(Pending {
            effect: Effect::None,
            armed: Vec::new(),
        })
    }

    pub(super) async fn completed(
        &mut self,
        pending: Pending,
        code: u16,
        mut reply: Vec<u8>,
    ) -> Result<(), ()> {
        let done = (200..300).contains(&code);
        let Pending { effect, armed } = pending;
        match effect {
            Effect::Transfer { .. } => {
                self.transfer_completed(code, reply, armed);
                return Ok(());
            }
            Effect::Replaced(items) => {
                self.emit(items);
                return Ok(());
            }
            Effect::Passive(asked) if matches!(code, 227 | 229) => {
                reply = self.passive_reply(asked, code, reply, &armed);
            }
            Effect::Active(command, setup) if done => self.begin_data(command, setup),
            Effect::Prot(private) if done => {
                self.protection = Protection {
                    client: private,
                    server: private,
                };
            }
            Effect::Auth if code == 234 => {
                self.emit(shaped(reply, &armed));
                // What came before TLS is not said under TLS (RFC 4217 §15.3).
                self.server_lines.rest();
                self.client_lines.rest();
                self.flush_client().await?;
                for leg in [Leg::Server, Leg::Client] {
                    self.start_tls(leg).await.map_err(drop)?;
                }
                return Ok(());
            }
            Effect::Ccc if code == 200 => {
                self.emit(shaped(reply, &armed));
                return self.end_tls().await;
            }
            Effect::Rein if done => self.reinitialized = self.server.stream.is_tls(),
            Effect::Enter(pathname) if done => self.enter(&pathname),
            Effect::Directory if code == 257 => {
                let named = quoted_pathname(&String::from_utf8_lossy(&reply));
                self.enter(named.unwrap_or_default().as_bytes());
            }
            _ => {}
        }
        self.emit(shaped(reply, &armed));
        self.end_without_close_notify(&armed);
        Ok(())
    }

    /// After the reply to QUIT the session ends as the plan says.
    fn end_without_close_notify(&mut self, armed: &[Action]) {
        if armed.contains(&Action::NoCloseNotify) {
            self.emit([Item::Close(CloseKind::NoCloseNotify)]);
        }
    }

    /// Passes on replies of our own whose turn it is.
    pub(super) async fn local_replies(&mut self) -> Result<(), ()> {
        loop {
            match self.pending.front().map(|pending| &pending.effect) {
                Some(Effect::Local(_)) => {
                    if let Some(Effect::Local(items)) = self.pending.pop_front().map(|it| it.effect)
                    {
                        self.emit(items);
                    }
                }
                // It follows a 234 of our own.
                Some(Effect::Auth) if self.local_tls => {
                    self.pending.pop_front();
                    self.client_lines.rest();
                    self.flush_client().await?;
                    self.start_tls(Leg::Client).await.map_err(drop)?;
                }
                _ => return Ok(()),
            }
        }
    }

    fn passive_reply(
        &mut self,
        asked: PortCommand,
        code: u16,
        reply: Vec<u8>,
        armed: &[Action],
    ) -> Vec<u8> {
        match self.passive(asked, code, &reply, armed) {
            Ok(Some((line, setup))) => {
                self.begin_data(asked, setup);
                if armed.contains(&Action::Refuse) {
                    // Its listener is closed.
                    self.data = None;
                }
                line
            }
            // A reply that names no port is passed on: the client sees what the server said.
            Ok(None) => reply,
            Err(error) => format!("425 The proxy cannot listen: {error}.\r\n").into_bytes(),
        }
    }

    fn passive(
        &self,
        asked: PortCommand,
        code: u16,
        reply: &[u8],
        armed: &[Action],
    ) -> io::Result<Option<(Vec<u8>, Setup)>> {
        let peer = self.server.stream.peer()?.ip();
        let Some(server) = passive_reply(code, reply, peer) else {
            return Ok(None);
        };
        let mut ours = self.client.stream.local()?;
        let client = self.client.stream.peer()?.ip();
        ours.set_port(0);
        let listener = listen(ours)?;
        let line = passive_line(asked, announced(listener.local_addr()?, armed))
            .ok_or_else(|| io::Error::other("PASV cannot name an IPv6 address, EPSV can"))?;
        let setup = Setup::Passive {
            listener,
            client,
            server,
        };
        Ok(Some((line, setup)))
    }

    /// Holds the final reply of a transfer until the client has all of the data.
    fn transfer_completed(&mut self, code: u16, reply: Vec<u8>, armed: Vec<Action>) {
        let begun = std::mem::take(&mut self.preliminary);
        let mut held = Held {
            code,
            reply,
            armed,
            after: Output::default(),
            carried: 0,
        };
        match &self.data {
            Some(data)
                if begun && !data.ended && (data.established || data.stalls || code < 400) =>
            {
                held.carried = data.carried();
                self.held = Some(held);
            }
            _ => {
                let spoiled = self.data.as_ref().and_then(|data| data.spoiled);
                // Refused: the data port is still there for the next transfer.
                if begun {
                    self.data = None;
                }
                self.complete(held, spoiled);
            }
        }
    }

    /// Sends the final reply of a transfer, as the plan changes it.
    fn complete(&mut self, held: Held, spoiled: Option<Spoiled>) {
        let reply = match spoiled {
            Some(Spoiled::NoReuse) => Spoiled::NoReuse.reply().to_vec(),
            // A server that had sent everything has not seen it.
            Some(spoiled) if held.code < 400 => spoiled.reply().to_vec(),
            _ => held.reply,
        };
        let mut octets = std::mem::take(&mut self.glued);
        if !std::mem::take(&mut self.early) {
            for item in shaped(reply, &held.armed) {
                match item {
                    // In one segment with the preliminary reply.
                    Item::Octets(more) if !octets.is_empty() => octets.extend(more),
                    other => self.emit([other]),
                }
            }
        }
        if !octets.is_empty() {
            self.emit([Item::Octets(octets)]);
        }
        let mut after = held.after;
        self.emit(after.take());
    }

    /// Passes on what was held when its data connection has ended, and does what can be done now.
    pub(super) fn settle(&mut self) {
        if self.data.as_ref().is_none_or(|data| data.ended) {
            self.release();
        }
    }

    pub(super) fn release(&mut self) {
        if let Some(held) = self.held.take() {
            let spoiled = self.data.as_ref().and_then(|data| data.spoiled);
            self.complete(held, spoiled);
        }
    }

    pub(super) fn release_unless_moving(&mut self) {
        let carried = self.data.as_ref().map_or(0, DataConnection::carried);
        let stalls = self.data.as_ref().is_some_and(|data| data.stalls);
        match &mut self.held {
            Some(held) if held.carried != carried || stalls => held.carried = carried,
            _ => self.release(),
        }
    }

    fn send_to_client(&mut self, octets: Vec<u8>) {
        self.emit([Item::Octets(octets)]);
    }
}

/// The address that is announced in place of ours where the plan says so.
fn announced(mut ours: SocketAddr, armed: &[Action]) -> SocketAddr {
    for action in armed {
        match action {
            Action::WrongAddress(address) => ours.set_ip(IpAddr::V4(*address)),
            Action::WrongPort(port) => {
                let next = || ours.port().checked_add(1).unwrap_or(1);
                ours.set_port(port.unwrap_or_else(next));
            }
            _ => {}
        }
    }
    ours
}
