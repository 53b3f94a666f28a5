//! What the verbs of the command line do. Arguments are read elsewhere; here are functions that return an exit code.

mod baseline;
pub mod check;
mod coverage;
mod diff;
mod explain;
mod files;
mod fmt;
mod lint;
mod list;
mod report;
mod selftest;
pub mod serve;
pub mod signals;
mod snapshot;
mod stdout;
mod suggest;

pub use baseline::{BaselineWish, update_baseline};
pub use coverage::{CoverageWish, Form, coverage};
pub use diff::{DiffWish, diff};
pub use explain::explain;
pub use files::ReportFiles;
pub use fmt::{Fmt, fmt};
pub use lint::lint;
pub use list::{ListForm, list};
pub use report::{ReportWish, merge as merge_reports, report, report_schema};
pub use selftest::selftest;
pub use snapshot::{SnapshotWish, check_snapshots, record_snapshots};

use crate::suite::{SourceFile, files_in};
use std::path::PathBuf;

/// Everything is as expected.
pub const OK: i32 = 0;
/// Something is not as it should be.
pub const NOT_AS_EXPECTED: i32 = 1;
/// Wrong arguments, or a scenario with errors.
pub const USAGE: i32 = 2;
/// The target cannot be reached, or the tester itself failed.
pub const TROUBLE: i32 = 3;
/// There is nothing to work on.
pub const NOTHING: i32 = 4;
/// Somebody did not want to wait for the end.
pub const INTERRUPTED: i32 = 130;

/// The scenario files among these paths and below them; without one, the exit code, and the reason is on stderr.
fn some_files(paths: &[PathBuf]) -> Result<Vec<SourceFile>, i32> {
    match files_in(paths) {
        Ok(files) if files.is_empty() => {
            anstream::eprintln!("error: there is no scenario (*.ftpt) here");
            Err(NOTHING)
        }
        Ok(files) => Ok(files),
        Err(error) => {
            anstream::eprintln!("error: {error}");
            Err(USAGE)
        }
    }
}
