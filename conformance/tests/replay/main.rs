//! `ftpspec replay`, both seats, with sessions that `ftpspec record` writes in front of `ftpspec
//! serve`.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod against;
mod as_server;
mod bad_input;
#[path = "../proxy/client.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod client;
#[path = "../proxy/processes.rs"]
mod processes;
mod session;
