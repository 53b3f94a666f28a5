//! Properties that hold for any octets of a peer; each law panics if its property does not hold.
//!
//! The fuzz targets run each law on generated octets, and the test `server/tests/fuzz_corpus.rs` on
//! the files in `corpus/`.

mod command;
mod digest_argument;
mod fault_plan;
mod framing;
mod line_reader;
mod mlsx;
mod pathname;
mod session;
mod shell;

pub use command::command;
pub use digest_argument::digest_argument;
pub use fault_plan::fault_plan;
pub use framing::{block, compressed, deflate, records};
pub use line_reader::line_reader;
pub use mlsx::mlsx;
pub use pathname::pathname;
pub use session::session;
pub use shell::{certificate, host_name, proxy, record_gate};

/// A law with the name of its target and of its corpus.
pub type Law = (&'static str, fn(&[u8]));

/// All of them.
pub const LAWS: &[Law] = &[
    ("block", block),
    ("certificate", certificate),
    ("command", command),
    ("compressed", compressed),
    ("deflate", deflate),
    ("digest_argument", digest_argument),
    ("fault_plan", fault_plan),
    ("host_name", host_name),
    ("line_reader", line_reader),
    ("mlsx", mlsx),
    ("pathname", pathname),
    ("proxy", proxy),
    ("record_gate", record_gate),
    ("records", records),
    ("session", session),
];
