//! TLS of the control connections of a session: how it begins, also before anything is said.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use super::super::data::HANDSHAKE_FAILURE;
use super::super::faults::{Action, FaultEvent, IN_PLACE_OF_TLS};
use super::super::lines::ServerPiece;
use super::super::observer::{Channel, Leg, Sighting};
use super::super::stream::Stream;
use super::super::tls::{Protections, UpstreamTls};
use super::{Session, Wakeup};

/// How long the server may take for a reply while the proxy sets up TLS.
const SETUP: Duration = Duration::from_mins(5);
/// The longest reply that is read then.
const LONGEST_REPLY: usize = 1 << 20;

impl Session {
    /// Begins TLS before the client's first command where it is wanted, and keeps the greeting for
    /// the client.
    ///
    /// # Errors
    /// In words, when a handshake fails or the server refuses.
    pub(crate) async fn begin(&mut self, tls: Protections) -> Result<(), String> {
        if tls.upstream == UpstreamTls::Implicit {
            self.start_tls(Leg::Server).await?;
            self.protection.server = true;
        }
        if tls.implicit_listener {
            self.start_tls(Leg::Client).await?;
            self.protection.client = true;
        }
        let explicit = tls.upstream == UpstreamTls::Explicit;
        if explicit || tls.upstream == UpstreamTls::Implicit && tls.local() {
            let greeting = self.server_reply().await?;
            self.protect_server(explicit).await?;
            if let Some(pending) = self.pending.pop_front() {
                let (code, reply) = greeting;
                let shown = self.completed(pending, code, reply).await;
                shown.map_err(|()| "the client has closed the connection".to_owned())?;
            }
        }
        Ok(())
    }

    /// Asks the server for protection. With implicit TLS data connections are protected already,
    /// and a refusal means nothing.
    async fn protect_server(&mut self, explicit: bool) -> Result<(), String> {
        let auth = [("AUTH TLS", 234)];
        let protect = [("PBSZ 0", 200), ("PROT P", 200)];
        for (line, code) in auth.into_iter().filter(|_| explicit).chain(protect) {
            self.server.out.extend(format!("{line}\r\n").as_bytes());
            let (found, reply) = self.server_reply().await?;
            if found != code && explicit {
                let reply = String::from_utf8_lossy(&reply).trim_end().to_owned();
                return Err(format!("the server answered {line} with {reply}"));
            }
            if code == 234 {
                // What came before TLS is not said under TLS (RFC 4217 §15.3).
                self.server_lines.rest();
                self.start_tls(Leg::Server).await?;
            }
        }
        self.protection.server = true;
        Ok(())
    }

    /// One whole reply of the server; what the client sends meanwhile waits.
    async fn server_reply(&mut self) -> Result<(u16, Vec<u8>), String> {
        let mut reply = Vec::new();
        let mut deadline = std::pin::pin!(tokio::time::sleep(SETUP));
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
            if reply.len() > LONGEST_REPLY {
                return Err("the reply of the server has no end".into());
            }
            match self.wakeup(deadline.as_mut(), true).await {
                Wakeup::Read(leg, Ok(octets)) => {
                    let octets = &self.buffer[..octets];
                    self.observer
                        .see(leg, Channel::Control, &Sighting::Received(octets));
                    match leg {
                        Leg::Server => self.server_lines.push(octets),
                        Leg::Client if self.client_lines.is_full() => {
                            return Err("the client does not wait for the greeting".into());
                        }
                        Leg::Client => self.client_lines.push(octets),
                    }
                }
                Wakeup::Sent | Wakeup::Data => {}
                Wakeup::Timeout => return Err("the server does not answer".into()),
                Wakeup::Read(leg, Err(_)) | Wakeup::Lost(leg) => {
                    return Err(format!("the {leg} closed the connection"));
                }
            }
        }
    }

    pub(super) async fn start_tls(&mut self, leg: Leg) -> Result<(), String> {
        let actions = match leg {
            Leg::Client => self.faults_at(FaultEvent::Handshake),
            Leg::Server => Vec::new(),
        };
        let mut certificate = None;
        for action in actions {
            match action {
                Action::Certificate(kind) => certificate = Some(kind),
                Action::HandshakeAlert => return self.no_handshake(&HANDSHAKE_FAILURE).await,
                Action::Plaintext => return self.no_handshake(IN_PLACE_OF_TLS).await,
                Action::HandshakeStall => return self.no_handshake(b"").await,
                _ => {}
            }
        }
        let tls = Arc::clone(&self.tls);
        let stream = &mut self.control(leg).stream;
        let shaken = match certificate {
            Some(kind) => tls.begin_badly(stream, kind).await,
            None => tls.begin(leg, stream, false).await,
        };
        let sighting = match &shaken {
            Ok(facts) => Sighting::TlsStarted(facts),
            Err(error) => Sighting::Failed(error),
        };
        self.observer.see(leg, Channel::Control, &sighting);
        shaken.map(drop)
    }

    /// Answers the ClientHello with something else, or not at all, and ends the session then.
    async fn no_handshake(&mut self, answer: &[u8]) -> Result<(), String> {
        let hold = self.faults.as_ref().map_or(SETUP, |faults| faults.hold());
        let stream = &mut self.client.stream;
        // The ClientHello is read, so that closing sends no reset.
        let exchange = async {
            let mut hello = [0; 16 << 10];
            let mut answered = answer.is_empty();
            while poll_fn(|context| stream.poll_read(context, &mut hello))
                .await
                .is_ok()
            {
                if !std::mem::replace(&mut answered, true) {
                    let _gone = poll_fn(|context| stream.poll_write(context, answer)).await;
                    break;
                }
            }
        };
        let _held = tokio::time::timeout(hold, exchange).await;
        if let Stream::Clear(tcp) = std::mem::replace(&mut self.client.stream, Stream::Closed) {
            Stream::Clear(tcp).close();
        }
        Err("a fault of the plan ended the TLS handshake".into())
    }
}
