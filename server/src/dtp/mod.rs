//! The data transfer process: how file content becomes octets of the data connection and back (RFC
//! 959 §2.3, §3).

mod codec;
mod data_port;
mod data_tls;
mod decode_upload;
mod error;
mod faults;
mod listing;
mod progress;
#[cfg(target_os = "linux")]
mod sendfile;
mod shared_ports;
mod size;
mod storage_io;
mod stream;
mod ticket_gate;
mod transfer;

pub use codec::{AsciiDecoder, AsciiEncoder, Decoder, Encoder, Piece, from_ebcdic, to_ebcdic};
pub use data_tls::SessionReuse;
pub use size::coded_size;

pub(crate) use data_port::PassivePort;
pub(crate) use data_tls::{CONTROL_SESSIONS, DataProtection, SessionMap, Sessions, Terms};
pub(crate) use faults::DataFaults;
pub(crate) use listing::listing_lines;
pub(crate) use progress::Progress;
pub(crate) use shared_ports::SharedPorts;
pub(crate) use storage_io::{on_a_thread, on_storage};
pub(crate) use transfer::{CLOSING_TIME, Route, Timeouts, carry, open};

/// The data connection of a transfer, and what the fault plan does to it.
type DataStreamWithFaults = crate::fault_stream::FaultStream<stream::DataStream>;
