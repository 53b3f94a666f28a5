//! Where a report goes.

use super::wish::Wish;
use crate::command::TROUBLE;
use crate::report::{self, Look, Report};
use std::io::{self, Write as _};

/// Writes the report to stdout, in the form that was asked for, and into files. Returns the exit code of the run, or 3 if
/// a file could not be written.
pub(super) fn hand_over(report: &Report, wish: &Wish) -> i32 {
    print(report, wish.strict, wish.json);
    match wish.outputs.write(report, wish.strict) {
        Ok(()) => report.exit_code(wish.strict),
        Err(message) => {
            eprintln!("check: the report could not be kept: {message}");
            TROUBLE
        }
    }
}

/// Writes the report to stdout.
pub(in crate::command) fn print(report: &Report, strict: bool, json: bool) {
    let text = if json {
        report::json(report)
    } else {
        let colour = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        report::terminal(report, Look { colour, strict })
    };
    // A reader that left early (`| head`) is no failure of the run.
    let _ = io::stdout().write_all(text.as_bytes());
}
