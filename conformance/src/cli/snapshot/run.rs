//! The snapshots of a run.

use crate::campaign::{Event, Options};
use crate::cli::exit_code::{CommandError, ExitCode};
use crate::cli::play::play;
use crate::compare::snapshot::{Lost, Snapshot};
use crate::report::Report;
use crate::scenario::TestCase;
use crate::suite::Suite;
use crate::transcript::redact;
use crate::verdict::{Outcome, Stop};
use std::collections::BTreeSet;

/// The snapshots of a run.
pub(in crate::cli) struct RunSnapshots {
    pub(in crate::cli) report: Report,
    /// The dialogues, except those that ended in ERROR or were not played.
    pub(in crate::cli) snapshots: Vec<Snapshot>,
    /// Those that ended with a time-out.
    timed_out: BTreeSet<TestCase>,
}

impl RunSnapshots {
    pub(in crate::cli) async fn play(options: &Options) -> Result<Self, CommandError> {
        let mut snapshots = Vec::new();
        let mut timed_out = BTreeSet::new();
        let report = play(options, &mut |event| {
            let Event::Finished { played, row, .. } = event else {
                return;
            };
            let dialogue = redact(&played.transcript).trim_end().to_owned();
            // An empty dialogue was not played, because a prerequisite failed.
            if row.verdict.outcome != Outcome::Error && !dialogue.is_empty() {
                if matches!(played.stop, Some(Stop::TimedOut { .. })) {
                    timed_out.insert(row.verdict.case());
                }
                snapshots.push(Snapshot {
                    case: row.verdict.case(),
                    outcome: row.verdict.outcome,
                    dialogue,
                });
            }
        })
        .await?;
        Ok(Self {
            report,
            snapshots,
            timed_out,
        })
    }

    /// Whether it ended with a time-out: a slow server would have sent more.
    pub(super) fn is_timed_out(&self, snapshot: &Snapshot) -> bool {
        self.timed_out.contains(&snapshot.case)
    }

    /// The complete snapshots, without those that ended with a time-out.
    pub(super) fn complete(&self) -> impl Iterator<Item = &Snapshot> {
        self.snapshots.iter().filter(|it| !self.is_timed_out(it))
    }

    pub(super) fn played(&self, case: &TestCase) -> bool {
        let mut rows = self.report.scenarios.iter().map(|row| &row.verdict);
        rows.any(|it| it.scenario == case.scenario && it.variant == case.variant)
    }

    /// Why a saved scenario has no new snapshot.
    pub(super) fn lost(&self, options: &Options, case: &TestCase) -> Lost {
        if self.played(case) {
            // An ERROR, or a blocked scenario, says nothing about the dialogue.
            return Lost::NotAsked;
        }
        let suite = Suite::embedded();
        let known = suite.get(&case.scenario);
        let not_asked = known
            .and_then(|known| known.about.profile.as_ref())
            .is_some_and(|profile| !options.profiles.contains(profile));
        if not_asked {
            return Lost::NotAsked;
        }
        let mut skipped = self.report.skipped.iter().filter(|skipped| {
            skipped.scenario == case.scenario
                && skipped
                    .variant
                    .is_none_or(|variant| variant == case.variant)
        });
        match skipped.next() {
            Some(skipped) => Lost::Gone(skipped.reason.clone()),
            None if known.is_none() && options.selects_all() => {
                Lost::Gone("the suite no longer has this scenario".into())
            }
            None => Lost::NotAsked,
        }
    }

    /// The scenarios that ended in ERROR, and why.
    pub(super) fn errors(&self) -> impl Iterator<Item = (TestCase, &str)> {
        let rows = self.report.scenarios.iter().map(|row| &row.verdict);
        let errors = rows.filter(|verdict| verdict.outcome == Outcome::Error);
        errors.map(|verdict| (verdict.case(), verdict.reason.as_str()))
    }

    pub(super) fn exit_code(&self, as_expected: bool) -> ExitCode {
        if self.report.interrupted {
            ExitCode::Interrupted
        } else if self.errors().next().is_some() {
            ExitCode::Failure
        } else if !as_expected {
            ExitCode::NotAsExpected
        } else if self.snapshots.is_empty() {
            ExitCode::NothingSelected
        } else {
            ExitCode::Success
        }
    }
}
