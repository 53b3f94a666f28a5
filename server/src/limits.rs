//! Limits of a server.

use std::time::Duration;

/// Limits on what clients can make the server hold or wait for. The default limits fit a server
/// that is open to untrusted clients on one machine; `usize::MAX` and `u64::MAX` are no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Control connections at a time; one more is answered 421 and closed.
    pub sessions: usize,
    /// Control connections at a time from one client address, or from one /64 network of IPv6.
    pub sessions_per_address: usize,
    /// Control connections at a time of one user name; one more is answered 421 instead of 230.
    pub sessions_per_user: usize,
    /// New control connections per second from one client address, or from one /64 network of IPv6.
    pub connections_per_second: usize,
    /// Wrong passwords before a control connection is closed (RFC 2577 §5); 0 is no limit.
    pub failed_logins: u8,
    /// Delay of the reply to the first wrong password from a client address. It doubles with each
    /// further one; other sessions are not delayed (RFC 2577 §5).
    pub login_delay: Duration,
    /// The longest such delay.
    pub longest_login_delay: Duration,
    /// Time until a client is logged in, from its connection or its last logout, whatever it sends.
    pub login: Duration,
    /// Duration of a session, transfers included; `None` is no limit.
    pub session: Option<Duration>,
    /// Idle time of a control connection between transfers: five minutes or more, except in tests
    /// (RFC 1123 §4.1.3.2).
    pub idle: Duration,
    /// The longest idle time that a session can choose with SITE IDLE.
    pub longest_idle: Duration,
    /// Duration of a TLS handshake.
    pub handshake: Duration,
    /// Time until a data connection is established.
    pub data_connection: Duration,
    /// Time in which a data connection transfers nothing.
    pub data_stall: Duration,
    /// Time in which a client does not read its replies.
    pub reply_stall: Duration,
    /// Commands that wait for the end of a transfer; equal ones in a row count once. With more, the
    /// server stops reading the control connection.
    pub queued_commands: usize,
    /// Commands of one session per second; further commands wait until the second is over. Other
    /// sessions are not delayed.
    pub commands_per_second: usize,
    /// Octets of replies that wait to be sent. With more, the server stops reading the control
    /// connection.
    pub queued_replies: usize,
    /// Octets of one upload; a longer one is answered 552 and the file stays as it was.
    pub upload: u64,
    /// Entries of one listing; a longer one is answered 451. STAT lists at most 10 000.
    pub listing: usize,
    /// Digests, sizes in TYPE A, copies and directory walks at a time, of all sessions: each
    /// occupies a thread and a processor. If there are more than one, no single user has all of
    /// them, and waiting users get them in turn.
    pub long_jobs: usize,
    /// How long such a job waits for its turn before it is answered 450.
    pub long_job_wait: Duration,
    /// Octets of the largest file whose size SIZE computes in TYPE A, which reads the whole file.
    pub ascii_size: u64,
    /// Time for transfers to end when the server is stopped; then they are answered 426 and their
    /// sessions 421.
    pub stop: Duration,
}

impl Limits {
    /// Whether connections are counted per client address.
    pub(crate) fn counts_addresses(&self) -> bool {
        self.sessions_per_address != usize::MAX || self.connections_per_second != usize::MAX
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 20_000,
            sessions_per_address: usize::MAX,
            sessions_per_user: usize::MAX,
            connections_per_second: usize::MAX,
            failed_logins: 5,
            login_delay: Duration::ZERO,
            longest_login_delay: Duration::from_secs(20),
            login: Duration::from_mins(5),
            session: None,
            idle: Duration::from_mins(10),
            longest_idle: Duration::from_hours(2),
            handshake: Duration::from_secs(20),
            data_connection: Duration::from_secs(30),
            data_stall: Duration::from_mins(2),
            reply_stall: Duration::from_mins(1),
            queued_commands: 64,
            commands_per_second: usize::MAX,
            queued_replies: 16 << 10,
            upload: u64::MAX,
            listing: usize::MAX,
            long_jobs: 4,
            long_job_wait: Duration::from_secs(10),
            ascii_size: 1 << 30,
            stop: Duration::from_secs(5),
        }
    }
}
