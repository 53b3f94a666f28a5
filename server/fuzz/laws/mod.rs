//! What must hold of any octets a peer may send: each law panics where it does not.
//!
//! A law is written once and used twice: the fuzz targets try it on octets they make up, and the ordinary test
//! `server/tests/fuzz_corpus.rs` on those that were kept in `corpus/`.

mod command;
mod fault_plan;
mod framing;
mod line_reader;
mod mlsx;
mod pathname;
mod session;

pub use command::command;
pub use fault_plan::fault_plan;
pub use framing::{block, compressed, deflate, records};
pub use line_reader::line_reader;
pub use mlsx::mlsx;
pub use pathname::pathname;
pub use session::session;

/// A law with the name of its target and of its corpus.
pub type Law = (&'static str, fn(&[u8]));

/// All of them.
pub const LAWS: &[Law] = &[
    ("block", block),
    ("command", command),
    ("compressed", compressed),
    ("deflate", deflate),
    ("fault_plan", fault_plan),
    ("line_reader", line_reader),
    ("mlsx", mlsx),
    ("pathname", pathname),
    ("records", records),
    ("session", session),
];
