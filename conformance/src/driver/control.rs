//! The control connection (RFC 959 §2.3): sends octets, receives whole replies, and records both.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::tls::TlsClient;
use super::wire::{Handshake, Wire};
use super::{DriverError, Recorder, Timeouts};
use crate::data::Data;
use crate::scenario::{Connection, TlsVersion};
use crate::transcript::{
    Awaited, CloseKind, End, EventKind, Excess, LONG_REPLY, Limit, ObservationKind, Reply,
    ReplyFault, ReplyReader, Side,
};

/// The maximum number of replies on one control connection.
const REPLIES: u64 = 10_000;
/// The maximum number of octets of replies on one control connection.
const REPLY_OCTETS: u64 = 8 << 20;
/// The memory of a reply besides its octets, as an event and when parsed.
const REPLY_COST: u64 = 256;
/// The maximum number of reply lines on one control connection.
const REPLY_LINES: u64 = 100_000;
/// The additional time for a reply to PASS: RFC 2577 §5 asks servers to wait before they refuse a
/// password, and some wait longer each time.
const AFTER_PASS: Duration = Duration::from_secs(10);
/// The maximum number of commands without completion reply; older ones are forgotten.
const PENDING_LIMIT: usize = 256;
/// The pause between two segments, so that the peer's TCP delivers them separately.
const BETWEEN_SEGMENTS: Duration = Duration::from_millis(2);

/// One control connection.
///
/// Follows the dialogue only to know whether data connections are private (RFC 4217 §9: after PROT
/// P was accepted).
#[derive(Debug)]
pub(crate) struct Control {
    name: Connection,
    recorder: Recorder,
    timeouts: Timeouts,
    wire: Wire,
    reader: ReplyReader,
    came: Received,
    ended: bool,
    local: SocketAddr,
    peer: SocketAddr,
    tls: TlsClient,
    greeted: bool,
    line: Vec<u8>,
    pending: VecDeque<String>,
    private: bool,
    /// Why the TLS handshake failed.
    tls_failure: Option<String>,
}

/// Counts what was received on a control connection.
#[derive(Debug, Default)]
struct Received {
    replies: u64,
    octets: u64,
    lines: u64,
    /// Stored octets that are not yet counted in the budget.
    fresh: u64,
    /// A reply was too long.
    cut_off: bool,
}

impl Received {
    /// The exceeded limit, if any.
    fn excess(&self, rest: usize) -> Option<Excess> {
        let reply = LONG_REPLY as u64;
        let rest = if self.cut_off { u64::MAX } else { rest as u64 };
        [
            (Limit::Reply, rest, reply),
            (Limit::Replies, self.replies, REPLIES),
            (Limit::ReplyOctets, self.octets, REPLY_OCTETS),
            (Limit::ReplyLines, self.lines, REPLY_LINES),
        ]
        .into_iter()
        .find(|(_, came, most)| came > most)
        .map(|(limit, _, most)| Excess { limit, most })
    }
}

/// The control connection could not be opened; also recorded in the transcript.
#[derive(Debug, thiserror::Error)]
#[error("no connection to {address}: {error}")]
pub(crate) struct ConnectError {
    /// The address.
    pub address: SocketAddr,
    /// The error of the operating system.
    pub error: io::Error,
}

impl Control {
    /// Connects and leaves the greeting unread.
    ///
    /// # Errors
    /// If the TCP connection is not established in time.
    pub(crate) async fn connect(
        name: Connection,
        address: SocketAddr,
        tls: TlsClient,
        timeouts: Timeouts,
        recorder: Recorder,
    ) -> Result<Self, ConnectError> {
        let connected = timeout(timeouts.connect, TcpStream::connect(address))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .and_then(|tcp| {
                tcp.set_nodelay(true)?;
                Ok((tcp.local_addr()?, tcp.peer_addr()?, tcp))
            });
        let (local, peer, tcp) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                recorder.record(
                    &name,
                    EventKind::ConnectFailed {
                        error: error.to_string(),
                    },
                );
                return Err(ConnectError { address, error });
            }
        };
        let stands = EventKind::Connected {
            local: local.to_string(),
            peer: peer.to_string(),
        };
        recorder.record(&name, stands);
        Ok(Self {
            name,
            recorder,
            timeouts,
            wire: Wire::Clear(tcp),
            reader: ReplyReader::default(),
            came: Received::default(),
            ended: false,
            local,
            peer,
            tls,
            greeted: false,
            line: Vec::new(),
            pending: VecDeque::new(),
            private: false,
            tls_failure: None,
        })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.ended
    }

    pub(crate) fn is_greeted(&self) -> bool {
        self.greeted
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.wire.is_tls()
    }

    /// The TLS client to shake hands with on a data connection, if data connections are private
    /// now.
    pub(crate) fn data_protection(&self) -> Option<&TlsClient> {
        self.private.then_some(&self.tls)
    }

    /// Sends one line and its CRLF.
    ///
    /// # Errors
    /// [`DriverError::TimedOut`] if the server does not read. A closed connection is reported when
    /// a reply is expected.
    pub(crate) async fn send_line(&mut self, line: &str) -> Result<(), DriverError> {
        let mut octets = line.as_bytes().to_vec();
        octets.extend_from_slice(b"\r\n");
        self.send(&[octets]).await
    }

    /// Sends octets, each piece in a TCP segment of its own.
    ///
    /// # Errors
    /// As [`Self::send_line`].
    pub(crate) async fn send(&mut self, segments: &[Vec<u8>]) -> Result<(), DriverError> {
        let octets = segments.concat();
        self.follow(&octets);
        // Recorded before it is sent, so that the reply comes later in the transcript.
        self.record(EventKind::FromClient { octets });
        let wire = &mut self.wire;
        let sending = async {
            for (index, segment) in segments.iter().enumerate() {
                if index > 0 {
                    sleep(BETWEEN_SEGMENTS).await;
                }
                wire.write_all(segment).await?;
            }
            io::Result::Ok(())
        };
        let count = u32::try_from(segments.len()).unwrap_or(u32::MAX);
        let patience = self.timeouts.reply + BETWEEN_SEGMENTS.saturating_mul(count);
        match timeout(patience, sending).await {
            // A failed write does not end the connection yet: the server may have sent a reason.
            Ok(_) => Ok(()),
            Err(_) => Err(self.timed_out(patience, Awaited::Reply)),
        }
    }

    /// The next reply.
    ///
    /// # Errors
    /// If none arrives in time, the connection ends first, or the reply exceeds a limit.
    pub(crate) async fn read_reply(&mut self) -> Result<Reply, DriverError> {
        let mut patience = self.timeouts.reply;
        if self
            .pending
            .front()
            .is_some_and(|line| line.starts_with("PASS"))
        {
            patience += AFTER_PASS;
        }
        let mut deadline = Instant::now() + patience;
        loop {
            let reply = self.take_reply();
            deadline += self.within_limits().await?;
            if let Some(reply) = reply {
                return Ok(reply);
            }
            if self.ended {
                return Err(DriverError::Ended);
            }
            match timeout_at(deadline, self.read()).await {
                Ok(Ok(())) => {}
                Ok(Err(end)) => {
                    self.server_ended(end);
                    return Err(DriverError::Ended);
                }
                Err(_) => return Err(self.timed_out(patience, Awaited::Reply)),
            }
        }
    }

    /// Checks that nothing arrives for this long.
    ///
    /// # Errors
    /// If something arrives, or the connection ends.
    pub(crate) async fn silent(&mut self, duration: Duration) -> Result<(), DriverError> {
        let deadline = Instant::now() + duration;
        loop {
            if self.take_reply().is_some() {
                return Err(DriverError::Broken);
            }
            self.within_limits().await?;
            if self.ended {
                return Err(DriverError::Ended);
            }
            match timeout_at(deadline, self.read()).await {
                Ok(Ok(())) => {}
                Ok(Err(end)) => {
                    self.server_ended(end);
                    return Err(DriverError::Ended);
                }
                Err(_) if self.reader.rest().is_empty() => {
                    self.timed_out(duration, Awaited::Nothing);
                    return Ok(());
                }
                Err(_) => {
                    self.give_up_on_rest();
                    return Err(DriverError::Broken);
                }
            }
        }
    }

    /// Waits for the server to end the connection; replies that still arrive are recorded.
    ///
    /// # Errors
    /// If it does not end in time.
    pub(crate) async fn until_closed(&mut self) -> Result<(), DriverError> {
        self.until_closed_within(self.timeouts.reply).await
    }

    /// Like [`Self::until_closed`], with another time-out.
    ///
    /// # Errors
    /// If the connection does not end in time.
    pub(crate) async fn until_closed_within(
        &mut self,
        patience: Duration,
    ) -> Result<(), DriverError> {
        let mut deadline = Instant::now() + patience;
        while !self.ended {
            self.record_unread_replies();
            deadline += self.within_limits().await?;
            match timeout_at(deadline, self.read()).await {
                Ok(Ok(())) => {}
                Ok(Err(end)) => self.server_ended(end),
                Err(_) => return Err(self.timed_out(patience, Awaited::Close)),
            }
        }
        Ok(())
    }

    /// Records whole replies that were received but not read.
    pub(crate) fn record_unread_replies(&mut self) {
        while self.came.excess(0).is_none() && self.take_reply().is_some() {}
    }

    /// Performs the TLS handshake, restricted to a version if one is given.
    ///
    /// # Errors
    /// If the handshake fails, which ends the connection.
    pub(crate) async fn handshake(
        &mut self,
        version: Option<TlsVersion>,
    ) -> Result<(), DriverError> {
        if version.is_some() {
            self.tls.held_to(version).map_err(DriverError::Internal)?;
        }
        let patience = self.timeouts.handshake;
        match self.wire.handshake(&self.tls, false, patience).await {
            Ok(facts) => {
                self.record(EventKind::TlsEstablished(facts));
                if self.tls.trusts_anything() {
                    let fact = "the server's certificate was accepted without verification";
                    self.record(EventKind::Observed {
                        kind: ObservationKind::UnverifiedCertificate,
                        fact: fact.into(),
                        octets: Data::default(),
                        ok: true,
                    });
                }
                Ok(())
            }
            Err(Handshake::TimedOut) => {
                self.ended = true;
                Err(self.timed_out(patience, Awaited::Handshake))
            }
            Err(Handshake::Failed(error)) => {
                self.ended = true;
                self.tls_failure = Some(error.clone());
                self.record(EventKind::TlsFailed { data: false, error });
                Err(DriverError::Broken)
            }
        }
    }

    /// Why the last TLS handshake failed, if one did.
    pub(crate) fn tls_failure(&self) -> Option<&str> {
        self.tls_failure.as_deref()
    }

    /// Returns to clear text after CCC (RFC 4217 §12.3).
    ///
    /// # Errors
    /// If the connection is not under TLS.
    pub(crate) async fn back_to_clear(&mut self) -> Result<(), DriverError> {
        if !self.wire.is_tls() {
            return Err(DriverError::Broken);
        }
        let clean = self.wire.back_to_clear(self.timeouts.handshake).await;
        self.record(EventKind::TlsEnded { clean });
        Ok(())
    }

    /// Closes from our side, without QUIT.
    pub(crate) async fn close(&mut self) {
        if self.ended {
            return;
        }
        // Errors are ignored: the peer may have closed already.
        let _ = self.wire.finish(self.timeouts.handshake).await;
        self.wire.linger(self.timeouts.quiet);
        self.ended = true;
        self.record(EventKind::Closed(End {
            by: Side::Client,
            how: CloseKind::Clean,
        }));
    }

    async fn read(&mut self) -> Result<(), End> {
        let mut octets = [0; 8192];
        let read = self.wire.read(&mut octets).await?;
        self.reader.push(&octets[..read]);
        self.came.octets += read as u64;
        self.came.fresh += read as u64;
        Ok(())
    }

    /// Waits until the budget of the run permits what was received; returns the duration of the
    /// wait. Ends the connection if a limit is exceeded.
    async fn within_limits(&mut self) -> Result<Duration, DriverError> {
        if self.ended {
            return Ok(Duration::ZERO);
        }
        let fresh = std::mem::take(&mut self.came.fresh);
        let held = self.recorder.hold(fresh).await;
        let excess = match (self.came.excess(self.reader.rest().len()), held) {
            (Some(excess), _) | (None, Err(excess)) => excess,
            (None, Ok(waited)) => return Ok(waited),
        };
        self.give_up_on_rest();
        self.record(EventKind::LimitExceeded(excess));
        // Errors are ignored: the connection may have ended already.
        let _ = self.wire.reset();
        self.ended = true;
        self.record(EventKind::Closed(End {
            by: Side::Client,
            how: CloseKind::Reset,
        }));
        Err(DriverError::LimitExceeded(excess))
    }

    fn take_reply(&mut self) -> Option<Reply> {
        let reply = self.reader.next_reply()?;
        self.record(EventKind::from_server(reply.octets.clone()));
        self.came.replies += 1;
        self.came.fresh += REPLY_COST;
        self.came.lines += reply.lines.len() as u64;
        self.came.cut_off |= reply.faults.contains(&ReplyFault::TooLong);
        self.answered(reply.code);
        Some(reply)
    }

    fn timed_out(&mut self, waited: Duration, awaited: Awaited) -> DriverError {
        self.give_up_on_rest();
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.record(EventKind::Silence { waited_ms, awaited });
        DriverError::TimedOut
    }

    fn server_ended(&mut self, end: End) {
        self.give_up_on_rest();
        self.ended = true;
        self.wire = Wire::Closed;
        self.record(EventKind::Closed(end));
    }

    /// Records octets that do not form a whole reply.
    fn give_up_on_rest(&mut self) {
        let octets = self.reader.rest().to_vec();
        if !octets.is_empty() {
            self.reader = ReplyReader::default();
            self.record(EventKind::FromServer { octets });
        }
    }

    fn record(&self, what: EventKind) {
        self.recorder.record(&self.name, what);
    }

    /// Remembers each command line that was sent, until its completion reply.
    fn follow(&mut self, octets: &[u8]) {
        for octet in octets {
            match octet {
                b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    let line = String::from_utf8_lossy(&line).trim().to_ascii_uppercase();
                    if self.pending.len() == PENDING_LIMIT {
                        self.pending.pop_front();
                    }
                    self.pending.push_back(line);
                }
                // Enough of an over-long line to recognise that it is not one of these commands.
                _ if self.line.len() < 64 => self.line.push(*octet),
                _ => {}
            }
        }
    }

    fn answered(&mut self, code: u16) {
        if !self.greeted {
            self.greeted = true;
            return;
        }
        if (100..200).contains(&code) {
            return;
        }
        let Some(command) = self.pending.pop_front() else {
            return;
        };
        if !(200..300).contains(&code) {
            return;
        }
        match command.split_whitespace().collect::<Vec<_>>()[..] {
            ["PROT", level] => self.private = level == "P",
            // A new security exchange or login starts without protection (RFC 4217 §9, RFC 2228
            // §3).
            ["AUTH", _] | ["REIN"] => self.private = false,
            _ => {}
        }
    }
}
