//! What a session that is played again sends on its control connection.

use super::super::data::Instruction;
use super::super::substitute::{SUBSTITUTED, is_masked};
use super::Playing;
use crate::driver::{eprt_argument, listen, port_argument};
use crate::proxy::{PortCommand, active_address};
use crate::transcript::Command;

/// The longest command line that is held back to see which command it is.
const LONGEST_HELD: usize = 4096;

impl Playing<'_> {
    /// Sends octets as they were recorded, but for arguments that are worked out anew.
    pub(super) async fn send(&mut self, octets: &[u8]) -> Result<(), String> {
        self.held.extend_from_slice(octets);
        let mut ready = Vec::new();
        let first = self.control()?.conversation().exchanges.len();
        let mut aborts = false;
        let mut number = first;
        while let Some(end) = memchr::memchr(b'\n', &self.held) {
            let line: Vec<u8> = self.held.drain(..=end).collect();
            aborts |= memchr::memmem::find(&line.to_ascii_uppercase(), b"ABOR").is_some();
            ready.extend(self.live_line(number, &line)?);
            number += 1;
        }
        if !may_change(&self.held) || self.held.len() > LONGEST_HELD {
            ready.append(&mut self.held);
        }
        if ready.is_empty() {
            return Ok(());
        }
        let urgent = std::mem::take(&mut self.urgent);
        self.control()?.send(&ready, urgent).await?;
        if aborts {
            // Some servers do not see the command while they cannot send.
            for data in self.data.values_mut() {
                data.instruct(Instruction::ReceiveToEnd);
            }
        }
        Ok(())
    }

    /// The line to send in place of a recorded one; `number` is that of its exchange.
    fn live_line(&mut self, number: usize, line: &[u8]) -> Result<Vec<u8>, String> {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let ending = &line[text.len()..];
        let command = Command::of_line(text);
        let Some(argument) = &command.argument else {
            return Ok(line.to_vec());
        };
        let verb = &text[..text.len() - argument.len()];
        let credentials = &self.playback.credentials;
        let argument = match command.verb.as_str() {
            "USER" if !self.is_refused(number) => {
                let user = credentials.user.as_ref();
                user.map_or_else(|| argument.clone(), |user| user.clone().into_bytes())
            }
            "PASS" if is_masked(argument) && !self.is_refused(number) => {
                let password = credentials.password.as_ref();
                password
                    .unwrap_or(&self.target.password)
                    .clone()
                    .into_bytes()
            }
            "ACCT" if is_masked(argument) && !self.is_refused(number) => {
                credentials.account.clone().unwrap_or_default().into_bytes()
            }
            "PORT" | "EPRT" => return self.port_line(&command.verb, argument, line),
            other => self.pathnames.live(other, argument),
        };
        Ok([verb, &argument, ending].concat())
    }

    /// Whether the recorded server refused this login: the command, or the PASS after a USER.
    fn is_refused(&self, number: usize) -> bool {
        let refused = |number: usize| {
            let exchange = self.recorded.exchanges.get(number)?;
            Some((exchange.verb(), exchange.completion()?.class() >= 4))
        };
        match (refused(number), refused(number + 1)) {
            (Some(("USER", false)), Some(("PASS", refused))) => refused,
            (own, _) => own.is_some_and(|(_, refused)| refused),
        }
    }

    /// PORT or EPRT with a port of ours. What named no address is sent as it was.
    fn port_line(&mut self, verb: &str, argument: &[u8], line: &[u8]) -> Result<Vec<u8>, String> {
        let command =
            PortCommand::of(verb).filter(|command| active_address(*command, argument).is_some());
        let (Some(command), Some(mut local)) = (command, self.control()?.local()) else {
            return Ok(line.to_vec());
        };
        local.set_port(0);
        let listener = listen(local).map_err(|error| format!("no port to listen on: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        self.listener = Some(listener);
        self.passive = None;
        Ok(match (command, port_argument(address)) {
            (PortCommand::Port, Some(argument)) => format!("PORT {argument}\r\n"),
            _ => format!("EPRT {}\r\n", eprt_argument(address)),
        }
        .into_bytes())
    }
}

/// Whether the beginning of a line may be one whose argument is not sent as it was recorded.
fn may_change(beginning: &[u8]) -> bool {
    let upper = beginning.to_ascii_uppercase();
    let upper = upper
        .split(|octet| *octet == b' ')
        .next()
        .unwrap_or_default();
    !upper.is_empty()
        && SUBSTITUTED
            .iter()
            .any(|verb| verb.as_bytes().starts_with(upper))
}
