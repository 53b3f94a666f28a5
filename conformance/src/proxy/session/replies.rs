//! The server's side of a session: what follows from its replies.

use std::io;

use super::super::address::{PortCommand, passive_line, passive_reply};
use super::super::data::{DataConnection, Protection, Setup};
use super::super::lines::ServerPiece;
use super::super::observer::Leg;
use super::{Effect, Held, Session, UpstreamTls};
use crate::driver::listen;

impl Session {
    pub(super) async fn server_piece(&mut self, piece: ServerPiece) -> Result<(), ()> {
        match piece {
            ServerPiece::Line(line) => self.send_to_client(&line),
            ServerPiece::Reply(code, line) if code < 200 => {
                self.preliminary = matches!(self.pending.front(), Some(Effect::Transfer));
                self.send_to_client(&line);
            }
            ServerPiece::Reply(code, line) => {
                let effect = self.effect_of(code);
                self.completed(effect, code, line).await?;
                self.local_replies().await?;
            }
        }
        Ok(())
    }

    /// What the final reply that came means. Where a server replies more or less than once, the
    /// codes that belong to one command only say which it was.
    fn effect_of(&mut self, code: u16) -> Effect {
        let transfer_first = matches!(self.pending.front(), Some(Effect::Transfer));
        // NOOP and STAT are answered during a transfer, which never ends with 20z and 21z.
        let during_transfer = transfer_first && matches!(code, 200..=219);
        let is_it = |effect: &Effect| match code {
            227 | 229 => matches!(effect, Effect::Passive(_)),
            234 => matches!(effect, Effect::Auth),
            _ => !during_transfer || !matches!(effect, Effect::Transfer),
        };
        match self.pending.iter().position(is_it) {
            Some(position) if during_transfer => self.pending.remove(position),
            Some(position) => {
                self.pending.drain(..position);
                self.pending.pop_front()
            }
            None => None,
        }
        .unwrap_or(Effect::None)
    }

    async fn completed(&mut self, effect: Effect, code: u16, line: Vec<u8>) -> Result<(), ()> {
        let done = (200..300).contains(&code);
        match effect {
            Effect::Passive(asked) if matches!(code, 227 | 229) => {
                let line = self.passive_reply(asked, code, line);
                self.send_to_client(&line);
            }
            Effect::Active(command, setup) if done => {
                self.begin_data(command, setup);
                self.send_to_client(&line);
            }
            Effect::Prot(private) if done => {
                self.protection = Protection {
                    client: private,
                    server: private,
                };
                self.send_to_client(&line);
            }
            Effect::Auth if code == 234 => {
                self.send_to_client(&line);
                // What came before TLS is not said under TLS (RFC 4217 §15.3).
                self.server_lines.rest();
                self.client_lines.rest();
                self.flush_client().await?;
                for leg in [Leg::Server, Leg::Client] {
                    self.start_tls(leg).await.map_err(drop)?;
                }
            }
            Effect::Ccc if code == 200 => {
                self.send_to_client(&line);
                self.end_tls().await?;
            }
            Effect::Transfer => self.transfer_completed(code, &line),
            Effect::Rein if done => {
                self.reinitialized = self.server.stream.is_tls();
                self.send_to_client(&line);
            }
            _ => self.send_to_client(&line),
        }
        Ok(())
    }

    /// Passes on replies of our own whose turn it is.
    pub(super) async fn local_replies(&mut self) -> Result<(), ()> {
        loop {
            match self.pending.front() {
                Some(Effect::Local(_)) => {
                    if let Some(Effect::Local(line)) = self.pending.pop_front() {
                        self.send_to_client(&line);
                    }
                }
                // It follows a 234 of our own.
                Some(Effect::Auth) if self.upstream_tls != UpstreamTls::Same => {
                    self.pending.pop_front();
                    self.client_lines.rest();
                    self.flush_client().await?;
                    self.start_tls(Leg::Client).await.map_err(drop)?;
                }
                _ => return Ok(()),
            }
        }
    }

    fn passive_reply(&mut self, asked: PortCommand, code: u16, line: Vec<u8>) -> Vec<u8> {
        let made = self.passive(asked, code, &line);
        match made {
            Ok(Some((line, setup))) => {
                self.begin_data(asked, setup);
                line
            }
            // A reply that names no port is passed on: the client sees what the server said.
            Ok(None) => line,
            Err(error) => format!("425 The recorder cannot listen: {error}.\r\n").into_bytes(),
        }
    }

    fn passive(
        &self,
        asked: PortCommand,
        code: u16,
        line: &[u8],
    ) -> io::Result<Option<(Vec<u8>, Setup)>> {
        let peer = self.server.stream.peer()?.ip();
        let Some(server) = passive_reply(code, line, peer) else {
            return Ok(None);
        };
        let mut ours = self.client.stream.local()?;
        let client = self.client.stream.peer()?.ip();
        ours.set_port(0);
        let listener = listen(ours)?;
        let line = passive_line(asked, listener.local_addr()?)
            .ok_or_else(|| io::Error::other("PASV cannot name an IPv6 address, EPSV can"))?;
        let setup = Setup::Passive {
            listener,
            client,
            server,
        };
        Ok(Some((line, setup)))
    }

    /// Holds the final reply of a transfer until the client has all of the data.
    fn transfer_completed(&mut self, code: u16, line: &[u8]) {
        let begun = std::mem::take(&mut self.preliminary);
        match &self.data {
            // Refused: the data port is still there for the next transfer.
            _ if !begun => self.send_to_client(line),
            Some(data) if !data.ended && (data.established || code < 400) => {
                self.held = Some(Held {
                    octets: line.to_vec(),
                    carried: data.carried(),
                });
            }
            _ => {
                self.data = None;
                self.send_to_client(line);
            }
        }
    }

    /// Passes on what was held when its data connection has ended, and does what can be done now.
    pub(super) fn settle(&mut self) {
        if self.data.as_ref().is_none_or(|data| data.ended) {
            self.release();
        }
    }

    pub(super) fn release(&mut self) {
        if let Some(held) = self.held.take() {
            self.client.out.extend(held.octets);
        }
    }

    pub(super) fn release_unless_moving(&mut self) {
        let carried = self.data.as_ref().map_or(0, DataConnection::carried);
        match &mut self.held {
            Some(held) if held.carried != carried => held.carried = carried,
            _ => self.release(),
        }
    }

    fn send_to_client(&mut self, line: &[u8]) {
        match &mut self.held {
            Some(held) => held.octets.extend_from_slice(line),
            None => self.client.out.extend(line),
        }
    }
}
