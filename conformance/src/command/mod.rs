//! What the verbs of the command line do. Arguments are read elsewhere; here are functions that return an exit code.

pub mod check;
mod explain;
mod fmt;
mod lint;
mod list;
pub mod serve;

pub use explain::explain;
pub use fmt::{Fmt, fmt};
pub use lint::{knowledge, lint};
pub use list::list;

/// Everything is as expected.
pub const OK: i32 = 0;
/// Something is not as it should be.
pub const NOT_AS_EXPECTED: i32 = 1;
/// Wrong arguments, or a scenario with errors.
pub const USAGE: i32 = 2;
/// There is nothing to work on.
pub const NOTHING: i32 = 4;
