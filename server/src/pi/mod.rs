//! The server-PI: decides what every command leads to. Pure: no socket, no file, no clock, no waiting
//! (RFC 959 §2.3, §5.4, §6).

mod setup;
mod work;

pub use setup::{Link, Setup, TlsPolicy};
pub use work::*;

use crate::wire::{ControlEvent, Reply, done};
use std::sync::Arc;

/// One control connection's state.
///
/// ```text
/// greeting() ; each event: receive() -> Step ; Ask(work): work.answer(&mut session, …) -> Step …
/// while a Transfer is out: during_transfer(&event) -> Meanwhile ; queued events: receive() afterwards
/// ```
#[derive(Debug)]
pub struct Session {
    setup: Arc<Setup>,
    link: Link,
    moved: u64,
}

impl Session {
    /// The session of a new control connection.
    #[must_use]
    pub fn new(setup: Arc<Setup>, link: Link) -> Self {
        Self {
            setup,
            link,
            moved: 0,
        }
    }

    /// The reply to connecting (RFC 959 §5.4).
    #[must_use]
    pub fn greeting(&self) -> Reply {
        Reply::line(220, self.setup.greeting.clone())
    }

    /// Decides what an event of the control connection leads to.
    pub fn receive(&mut self, event: ControlEvent) -> Step {
        match event {
            ControlEvent::Line(line) if line.eq_ignore_ascii_case(b"QUIT") => {
                Step::ReplyThen(done(221, "Goodbye."), Control::Close)
            }
            _ => Step::Reply(done(502, "Command not implemented.")),
        }
    }

    /// Decides about an event that comes while a [`Work::Transfer`] is out.
    pub fn during_transfer(&mut self, event: &ControlEvent) -> Meanwhile {
        let _ = event;
        Meanwhile::Queue
    }

    /// Whether data connections are to be protected now (PROT P).
    #[must_use]
    pub fn protects_data(&self) -> bool {
        self.link.protected
    }

    /// The shell says how much the running transfer has moved so far: STAT tells it.
    pub fn transfer_progress(&mut self, octets: u64) {
        self.moved = octets;
    }

    /// The shell says that the control connection is protected now. If the handshake fails it closes instead.
    pub fn tls_established(&mut self) {
        self.link.protected = true;
    }

    /// The shell says that the control connection is in the clear again, after [`Control::EndTls`].
    pub fn tls_ended(&mut self) {
        self.link.protected = false;
    }
}
