//! The data transfer process: how file content becomes octets of the data connection and back (RFC 959 §2.3, §3).

mod ascii;

pub use ascii::{AsciiDecoder, AsciiEncoder};
