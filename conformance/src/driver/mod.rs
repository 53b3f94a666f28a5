//! The clients of the runner: raw octets, or the suppaftp crate.
//!
//! Everything here records what happens as it happens ([`Recorder`]) and judges nothing. A peer is
//! hostile: each wait has a time-out ([`Timeouts`]), each buffer a limit.

mod address;
mod budget;
mod control;
mod data;
mod listen;
mod recorder;
mod suppaftp;
mod tls;
mod user;
mod wire;

pub(crate) use self::suppaftp::{Client, Suppaftp, misses_extended_passive, misses_passive};
pub(crate) use address::{eprt_argument, host_number};
pub use address::{extended_passive_port, passive_address, port_argument, quoted_pathname};
pub(crate) use budget::{Budget, Large};
pub(crate) use control::{ConnectError, Control};
pub(crate) use data::DataPort;
pub(crate) use data::Expected;
pub(crate) use listen::{draw, listen};
pub(crate) use recorder::Recorder;
pub(crate) use tls::TlsClient;
pub use tls::Trust;
pub(crate) use tls::{facts, in_words as handshake_error};
pub(crate) use user::{ResolvedStep, StepResult};
pub(crate) use wire::RecordGate;

use std::time::Duration;

use crate::scenario::Scenario;
use crate::transcript::Excess;

/// How long each kind of wait may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a control or passive data connection is established.
    pub connect: Duration,
    /// Until a whole reply is received, for each reply.
    pub reply: Duration,
    /// Until the server opens its data connection, and between octets on it.
    pub data: Duration,
    /// Until a TLS handshake or a close_notify is done.
    pub handshake: Duration,
    /// How long to check that nothing arrives, if the scenario gives no time.
    pub quiet: Duration,
    /// The addition to the silence in a scenario, for the latency of the network.
    pub way: Duration,
    /// The maximum silence; longer ones in scenarios are shortened to this.
    pub longest_silence: Duration,
    /// The additional time for each statement of a dialogue, and of the clean-up after it.
    pub statement: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let five = Duration::from_secs(5);
        Self {
            connect: five,
            reply: five,
            data: five,
            handshake: five,
            quiet: Duration::from_millis(300),
            way: Duration::ZERO,
            longest_silence: Duration::MAX,
            statement: Duration::from_millis(250),
        }
    }
}

impl Timeouts {
    /// The additional time for all statements of a dialogue.
    pub(crate) fn for_statements(self, scenario: &Scenario) -> Duration {
        let count = u32::try_from(scenario.in_order().count()).unwrap_or(u32::MAX);
        self.statement.saturating_mul(count)
    }

    /// The time-outs for a target with this round-trip time: a step may need several round trips.
    #[must_use]
    pub fn for_round_trip(self, round_trip: Duration) -> Self {
        let more = round_trip.min(Duration::from_secs(2)).saturating_mul(8);
        Self {
            connect: self.connect + more,
            reply: self.reply + more,
            data: self.data + more,
            handshake: self.handshake + more,
            quiet: self.quiet + more / 4,
            way: self.way + more / 8,
            longest_silence: self.longest_silence,
            statement: self.statement + more,
        }
    }
}

/// Why a step could not be done. The event is recorded in the transcript already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DriverError {
    /// The awaited event did not happen in time.
    TimedOut,
    /// The control connection has ended.
    Ended,
    /// The dialogue cannot go on after what was received.
    Broken,
    /// The server sent more than a limit allows.
    LimitExceeded(Excess),
    /// An internal error of the tester.
    Internal(String),
}

/// Why the preparation of a dialogue failed.
#[derive(Debug)]
pub(crate) enum SetupError {
    /// No connection.
    Gone(String),
    /// The server refused, as text.
    Refused(String),
    /// The server refuses a further control connection with 421 (RFC 959 §4.2.2), as text.
    Busy(String),
    /// An internal error of the tester.
    Internal(String),
}

/// Why nothing is stored, renamed or removed. The same text for every session, so that a report
/// contains it once.
pub(crate) const UNSAFE: &str = "no safe place to work: CWD does not lead into the directory that MKD made \
    (what was made in it could not be removed there)";

impl SetupError {
    /// The error for a driver error during `what`.
    pub(crate) fn of(what: &str, fault: DriverError) -> Self {
        Self::Refused(match fault {
            DriverError::Internal(error) => return Self::Internal(error),
            DriverError::TimedOut => format!("{what}: no answer in time"),
            DriverError::Ended => format!("{what}: the server closed the control connection"),
            DriverError::Broken => format!("{what}: failed"),
            DriverError::LimitExceeded(excess) => format!("{what}: {excess}"),
        })
    }
}

impl From<ConnectError> for SetupError {
    fn from(error: ConnectError) -> Self {
        Self::Gone(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wait_grows_with_the_round_trip_within_reason() {
        let near = Timeouts::default();
        let far = near.for_round_trip(Duration::from_millis(250));
        assert_eq!(far.connect, near.connect + Duration::from_secs(2));
        assert_eq!(far.reply, near.reply + Duration::from_secs(2));
        assert_eq!(far.data, near.data + Duration::from_secs(2));
        assert_eq!(far.handshake, near.handshake + Duration::from_secs(2));
        assert_eq!(far.quiet, near.quiet + Duration::from_millis(500));
        assert_eq!(far.way, Duration::from_millis(250));
        assert_eq!(far.statement, near.statement + Duration::from_secs(2));
        let endless = near.for_round_trip(Duration::from_secs(3600));
        assert_eq!(endless.reply, near.reply + Duration::from_secs(16));
        assert_eq!(near.for_round_trip(Duration::ZERO), near);
    }
}
