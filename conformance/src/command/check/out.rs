//! Where a report goes.

use super::wish::Wish;
use crate::report::{self, Look, Report};
use std::io::{self, Write as _};

/// Writes the report to stdout, in the form that was asked for.
pub(super) fn hand_over(report: &Report, wish: &Wish) {
    let text = if wish.json {
        report::json(report)
    } else {
        let colour = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        let look = Look {
            colour,
            strict: wish.strict,
        };
        report::terminal(report, look)
    };
    // A reader that left early (`| head`) is no failure of the run.
    let _ = io::stdout().write_all(text.as_bytes());
}
