//! The client's side of a session: what becomes of its commands.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::super::address::{PortCommand, active_address, active_line};
use super::super::data::{DataConnection, Setup};
use super::super::faults::{FaultEvent, TransferFaults};
use super::super::lines::{ClientPiece, split_command, without_end};
use super::super::observer::{Channel, Leg, Sighting};
use super::injection::Injected;
use super::output::shaped;
use super::{Effect, FIRST_PORT, NO_PROGRESS, Pending, REFUSED, Session, TRANSFERS, UPLOADS};
use crate::driver::listen;

impl Session {
    /// Does what the client has asked for so far.
    pub(super) async fn client_pieces(&mut self) -> Result<(), ()> {
        while let Some(piece) = self.client_lines.next_piece() {
            self.client_piece(piece).await?;
        }
        Ok(())
    }

    async fn client_piece(&mut self, piece: ClientPiece) -> Result<(), ()> {
        match piece {
            ClientPiece::Raw(octets) => self.server.out.extend(octets),
            ClientPiece::Telnet { octets, urgent } => {
                self.server.out.extend(octets);
                if urgent {
                    self.send_urgent().await?;
                }
            }
            ClientPiece::Command(line) => {
                let (verb, argument) = split_command(&line);
                let actions = self.faults_at(FaultEvent::Line(without_end(&line)));
                match self.inject(actions, TRANSFERS.contains(&verb.as_str())) {
                    Injected::Reply(armed) => {
                        self.armed = armed;
                        self.command(&line, &verb, argument);
                        self.armed.clear();
                    }
                    Injected::Replaced(items) => self.push_pending(Effect::Local(items)),
                }
                if verb == "ABOR" {
                    self.output.end_holds();
                }
                self.local_replies().await?;
            }
        }
        Ok(())
    }

    /// Sends what waits for the server, the last octet of it as urgent data.
    async fn send_urgent(&mut self) -> Result<(), ()> {
        let octets: Vec<u8> = self.server.out.drain(..).collect();
        let see = |sighting| {
            self.observer.see(Leg::Server, Channel::Control, &sighting);
        };
        match octets.split_last() {
            Some((last, before)) if !self.server.stream.is_tls() => {
                see(Sighting::Sent(before));
                see(Sighting::Urgent);
                see(Sighting::Sent(std::slice::from_ref(last)));
            }
            _ => see(Sighting::Sent(&octets)),
        }
        let sent = tokio::time::timeout(NO_PROGRESS, self.server.stream.send_urgent(&octets));
        match sent.await {
            Ok(Ok(())) => Ok(()),
            _ => Err(()),
        }
    }

    fn command(&mut self, line: &[u8], verb: &str, argument: &[u8]) {
        let local = self.local_tls;
        match verb {
            "" => self.server.out.extend(line),
            verb if REFUSED.contains(&verb) => {
                self.reply(format!("502 The proxy does not carry {verb}."));
            }
            "AUTH" if local => self.local_auth(argument),
            "PBSZ" if local => self.reply("200 PBSZ=0".into()),
            "PROT" if local => self.local_prot(argument),
            "CCC" if local => self.reply("534 The proxy does not carry CCC here.".into()),
            "AUTH" => self.pass(line, Effect::Auth),
            "CCC" => self.pass(line, Effect::Ccc),
            "REIN" => self.pass(line, Effect::Rein),
            "PROT" => {
                let private = argument.trim_ascii().eq_ignore_ascii_case(b"P");
                self.pass(line, Effect::Prot(private));
            }
            verb => match PortCommand::of(verb) {
                Some(command @ (PortCommand::Pasv | PortCommand::Epsv)) => {
                    self.passive_command(command, line, argument);
                }
                Some(command) => self.active_command(command, line, argument),
                None if TRANSFERS.contains(&verb) => {
                    let agreed =
                        |it: &Pending| matches!(it.effect, Effect::Passive(_) | Effect::Active(..));
                    let is_agreed = !self.pending.iter().any(agreed);
                    let upload = UPLOADS.contains(&verb);
                    self.pass(line, Effect::Transfer { upload });
                    if is_agreed {
                        self.start_data();
                    }
                }
                None if self.faults.is_some() => self.pass(line, directory_effect(verb, argument)),
                None => self.pass(line, Effect::None),
            },
        }
    }

    fn pass(&mut self, line: &[u8], effect: Effect) {
        self.server.out.extend(line);
        self.push_pending(effect);
    }

    /// Expects a final reply that means this; the faults of the present command concern it.
    pub(super) fn push_pending(&mut self, effect: Effect) {
        let armed = std::mem::take(&mut self.armed);
        self.pending.push_back(Pending { effect, armed });
    }

    /// Replies in place of the server, after the replies to all commands before.
    fn reply(&mut self, text: String) {
        let line = format!("{text}\r\n").into_bytes();
        let items = shaped(line, &self.armed);
        self.push_pending(Effect::Local(items));
    }

    fn local_auth(&mut self, argument: &[u8]) {
        let known = [&b"TLS"[..], b"TLS-C", b"SSL", b"TLS-P"];
        let argument = argument.trim_ascii().to_ascii_uppercase();
        if !known.contains(&argument.as_slice()) {
            self.reply("504 Unknown mechanism.".into());
        } else if self.client.stream.is_tls() {
            self.reply("503 The connection is protected.".into());
        } else {
            self.reply("234 TLS begins.".into());
            self.push_pending(Effect::Auth);
        }
    }

    fn local_prot(&mut self, argument: &[u8]) {
        match argument.trim_ascii().to_ascii_uppercase().as_slice() {
            b"P" => self.protection.client = true,
            b"C" => self.protection.client = false,
            _ => return self.reply("536 Not available.".into()),
        }
        self.reply("200 PROT accepted.".into());
    }

    fn passive_command(&mut self, command: PortCommand, line: &[u8], argument: &[u8]) {
        if argument.eq_ignore_ascii_case(b"ALL") {
            return self.pass(line, Effect::None);
        }
        let (client, server) = (self.peer(Leg::Client), self.peer(Leg::Server));
        let families = client
            .zip(server)
            .map(|(it, other)| it.is_ipv6() == other.is_ipv6());
        let extended = server.is_some_and(|server| command.towards(server) != command);
        // A number names the family of the client's side; that of the server's side is another.
        let named = families == Some(false) && matches!(argument, b"1" | b"2");
        match extended || named {
            true => self.pass(b"EPSV\r\n", Effect::Passive(command)),
            false => self.pass(line, Effect::Passive(command)),
        }
    }

    fn active_command(&mut self, command: PortCommand, line: &[u8], argument: &[u8]) {
        let Some(client) = active_address(command, argument) else {
            // The server says what is wrong with it.
            return self.pass(line, Effect::None);
        };
        if Some(client.ip().to_canonical()) != self.peer(Leg::Client) {
            return self.reply("504 The proxy connects to the client's own address only.".into());
        }
        if client.port() < FIRST_PORT {
            return self.reply("504 The proxy does not connect to a well-known port.".into());
        }
        let prepared = self.active(command, client);
        match prepared {
            Ok((line, setup)) => {
                self.pass(&line, Effect::Active(command, setup));
            }
            Err(error) => self.reply(format!("425 The proxy cannot listen: {error}.")),
        }
    }

    fn active(&self, command: PortCommand, client: SocketAddr) -> io::Result<(Vec<u8>, Setup)> {
        let mut ours = self.server.stream.local()?;
        let server = self.server.stream.peer()?.ip();
        ours.set_port(0);
        let listener = listen(ours)?;
        let towards = command.towards(ours.ip());
        let line = active_line(towards, listener.local_addr()?)
            .ok_or_else(|| io::Error::other("no form names the address"))?;
        let setup = Setup::Active {
            listener,
            server,
            client,
        };
        Ok((line, setup))
    }

    pub(super) fn peer(&self, leg: Leg) -> Option<IpAddr> {
        let stream = match leg {
            Leg::Client => &self.client.stream,
            Leg::Server => &self.server.stream,
        };
        stream.peer().ok().map(|peer| peer.ip().to_canonical())
    }

    pub(super) fn begin_data(&mut self, command: PortCommand, setup: Setup) {
        self.data_number += 1;
        let data = DataConnection::begin(
            setup,
            (self.data_number, command.mode()),
            Arc::clone(&self.tls),
            Arc::clone(&self.observer),
        );
        self.data = Some(data);
        // A transfer command that came before the reply to this is for this connection.
        if self.transfer().is_some() {
            self.start_data();
        }
    }

    /// The first transfer without a final reply.
    fn transfer(&self) -> Option<&Pending> {
        let is_transfer = |it: &&Pending| matches!(it.effect, Effect::Transfer { .. });
        self.pending.iter().find(is_transfer)
    }

    fn start_data(&mut self) {
        let faults = match (self.transfer(), &self.faults) {
            (Some(pending), Some(faults)) => {
                let upload = matches!(pending.effect, Effect::Transfer { upload: true });
                TransferFaults::of(&pending.armed, upload, faults.hold())
            }
            _ => TransferFaults::default(),
        };
        if let Some(data) = &mut self.data {
            data.start(self.protection, faults);
        }
    }
}

/// What a command means for the working directory.
fn directory_effect(verb: &str, argument: &[u8]) -> Effect {
    match verb {
        "CWD" | "XCWD" => Effect::Enter(argument.to_vec()),
        "CDUP" | "XCUP" => Effect::Enter(b"..".to_vec()),
        "PWD" | "XPWD" => Effect::Directory,
        _ => Effect::None,
    }
}
