//! How far a run is.

use crate::runner::Job;
use crate::verdict::Outcome;
use std::io::{self, IsTerminal as _};

/// One line on stderr that says how far it is; only on a terminal.
pub(super) struct Progress {
    shown: bool,
    jobs: usize,
    done: usize,
    bad: usize,
}

impl Progress {
    pub(super) fn new(jobs: usize) -> Self {
        Self {
            // A dumb terminal cannot take a line back.
            shown: io::stderr().is_terminal()
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
            jobs,
            done: 0,
            bad: 0,
        }
    }

    pub(super) fn started(&self, job: &Job) {
        if self.shown {
            let bad = if self.bad > 0 {
                format!(", {} not as it should be", self.bad)
            } else {
                String::new()
            };
            eprint!(
                "\r\x1b[2K{}/{}{bad}  {} [{}]",
                self.done, self.jobs, job.scenario.id, job.variant
            );
        }
    }

    pub(super) fn finished(&mut self, outcome: Outcome) {
        self.done += 1;
        self.bad += usize::from(outcome.fails(false));
    }

    pub(super) fn clear(&self) {
        if self.shown {
            eprint!("\r\x1b[2K");
        }
    }
}
