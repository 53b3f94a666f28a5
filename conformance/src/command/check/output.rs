//! Where a report goes.

use super::options::Wish;
use crate::command::{TROUBLE, stdout};
use crate::report::{self, Look, Report};

/// Writes the report to stdout, in the form that was asked for, and into files. Returns the exit code of the run, or 3 if
/// a file could not be written.
pub(super) fn hand_over(report: &Report, wish: &Wish) -> i32 {
    // One that cannot be written does not keep the others.
    let printed = print(report, wish.strict, wish.json);
    let written = wish.outputs.write(report, wish.strict);
    match printed.and(written) {
        Ok(()) => report.exit_code(wish.strict),
        Err(message) => {
            eprintln!("check: the report could not be kept: {message}");
            TROUBLE
        }
    }
}

/// Writes the report to stdout.
///
/// # Errors
/// What could not be written. A reader that left early (`| head`) is no failure.
pub(in crate::command) fn print(report: &Report, strict: bool, json: bool) -> Result<(), String> {
    let colour = stdout::has_colour();
    stdout::write(&if json {
        report::json(report)
    } else {
        report::terminal(report, Look { colour, strict })
    })
}
