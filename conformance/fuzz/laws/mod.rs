//! What must hold of any octets: a server's, a scenario's, a recording's. Each law panics where it
//! does not.
//!
//! A law is written once and used twice: the fuzz targets try it on octets they make up, and the
//! ordinary test `conformance/tests/fuzz_corpus.rs` on those that were kept in `corpus/`.

mod address;
mod baseline;
mod capture;
mod coding;
mod feat;
mod listing;
mod mlsx;
mod reply;
mod report;
mod scenario;
mod transcript;
mod wire;

pub use address::address;
pub use baseline::baseline;
pub use capture::capture;
pub use coding::coding;
pub use feat::feat;
pub use listing::listing;
pub use mlsx::mlsx;
pub use reply::reply;
pub use report::report;
pub use scenario::scenario;
pub use transcript::transcript;

/// A law with the name of its target and of its corpus.
pub type Law = (&'static str, fn(&[u8]));

/// All of them.
pub const LAWS: &[Law] = &[
    ("address", address),
    ("listing", listing),
    ("baseline", baseline),
    ("capture", capture),
    ("coding", coding),
    ("feat", feat),
    ("mlsx", mlsx),
    ("reply", reply),
    ("report", report),
    ("scenario", scenario),
    ("transcript", transcript),
];
