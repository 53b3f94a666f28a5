//! The progress of a run on a terminal.

use crate::runner::Job;
use crate::verdict::Outcome;
use std::io::{self, IsTerminal as _};

/// One line on stderr with the progress of a run; nothing where stderr is not a terminal.
#[derive(Default)]
pub(super) struct Progress {
    shown: bool,
    jobs: usize,
    done: usize,
    failed: usize,
}

impl Progress {
    pub(super) fn new(jobs: usize) -> Self {
        Self {
            // A dumb terminal cannot erase a line.
            shown: io::stderr().is_terminal()
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
            jobs,
            ..Self::default()
        }
    }

    pub(super) fn started(&self, job: &Job) {
        if self.shown {
            let failed = match self.failed {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            };
            eprint!(
                "\r\x1b[2K{}/{}{failed}  {} [{}]",
                self.done, self.jobs, job.scenario.id, job.variant
            );
        }
    }

    pub(super) fn finished(&mut self, outcome: Outcome) {
        self.done += 1;
        self.failed += usize::from(outcome.fails(false));
    }

    pub(super) fn clear(&self) {
        if self.shown {
            eprint!("\r\x1b[2K");
        }
    }
}
