//! The data transfer process: how file content becomes octets of the data connection and back (RFC 959 §2.3, §3).

mod ascii;
#[cfg(target_os = "linux")]
mod by_host;
mod coded_upload;
mod coding;
mod faulty;
mod flow;
mod listing;
mod mask;
mod port;
mod protection;
mod shared_ports;
mod size;
mod stream;
mod ticket_gate;
mod transfer;
mod watch;

pub use ascii::{AsciiDecoder, AsciiEncoder};
pub use coding::{Decoder, Encoder, Piece, from_ebcdic, to_ebcdic};
pub use protection::SessionReuse;
pub use size::coded_size;

pub(crate) use faulty::DataFaults;
pub(crate) use flow::{on_a_thread, on_storage};
pub(crate) use listing::listing_lines;
pub(crate) use port::PassivePort;
pub(crate) use protection::{CONTROL_SESSIONS, DataProtection, SessionMap, Sessions, Terms};
pub(crate) use shared_ports::SharedPorts;
pub(crate) use transfer::{CLOSING_TIME, Patience, Route, carry, open};
pub(crate) use watch::Progress;
