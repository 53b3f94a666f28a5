//! `ftpspec record` and `ftpspec proxy`, as processes, in front of reference servers.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod client;
mod compare;
mod faults;
mod peers;
mod processes;
mod record;
mod scale;
mod sides;
