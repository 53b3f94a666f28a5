//! The server-PI: decides what every command leads to. Pure: no socket, no file, no clock, no waiting
//! (RFC 959 §2.3, §5.4, §6).

mod work;

pub use work::*;

/// One control connection's state.
#[derive(Debug)]
pub struct Session {}
