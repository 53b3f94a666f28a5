//! The result of a run in one line.

use super::{FaultKind, Report, RunStatus};
use crate::text::counted;
use crate::verdict::{Accepted, Outcome};
use std::collections::BTreeSet;

impl Report {
    /// The result of the run, in words, with the reasons why it fails.
    #[must_use]
    pub fn conclusion(&self, strict: bool) -> String {
        let said = match self.status(strict) {
            RunStatus::AsExpected => "As expected",
            RunStatus::NotAsExpected => "Not as expected",
            RunStatus::InvalidScenarios => "A scenario file cannot be read",
            RunStatus::NothingPlayed => "Nothing was played",
            RunStatus::Interrupted => "Interrupted",
            RunStatus::Error => "An internal error, or the server is no longer reachable",
        };
        let counts = self.failing(strict);
        let parts = counts.iter().map(|(count, word)| format!("{count} {word}"));
        match parts.collect::<Vec<_>>().as_slice() {
            [] => said.into(),
            parts => format!("{said}: {}", parts.join(", ")),
        }
    }

    /// How much was played: `3 scenarios in 8 variants and 8 judges`.
    #[must_use]
    pub fn played(&self) -> String {
        let ids = self.scenarios.iter().map(|row| &row.verdict.scenario);
        let scenarios = ids.collect::<BTreeSet<_>>().len();
        let variants = match self.scenarios.len() {
            // A judge without a transcript has no verdict.
            0 => return "0 scenarios".into(),
            rows if rows == scenarios => String::new(),
            rows => format!(" in {}", counted(rows, "variant")),
        };
        let judges = counted(self.judges.len(), "judge");
        format!("{}{variants} and {judges}", counted(scenarios, "scenario"))
    }

    /// What fails the run, and how often.
    fn failing(&self, strict: bool) -> Vec<(usize, &'static str)> {
        let scenarios = self.scenarios.iter();
        let scenarios = scenarios.map(|row| (row.known.as_ref(), row.verdict.outcome));
        let judges = self.judges.iter();
        let judges = judges.map(|row| (row.known.as_ref(), row.outcome));
        let failing = scenarios
            .chain(judges)
            .filter(|(known, outcome)| Accepted::fails(*known, *outcome, strict));
        let (stale, failing): (Vec<_>, Vec<_>) =
            failing.partition(|(known, outcome)| Accepted::is_stale(*known, *outcome));
        let of = |wanted| {
            let same = failing.iter().filter(|(_, outcome)| *outcome == wanted);
            same.count()
        };
        let faults = |wanted| {
            let same = self.baseline_errors.iter();
            same.filter(|fault| fault.fault == wanted).count()
        };
        // An entry may be about many rows, or about none that was played.
        let stale = stale.len().max(faults(FaultKind::Stale));
        let counts = Outcome::ALL
            .into_iter()
            .map(|outcome| (of(outcome), outcome.word()));
        let known = [
            (stale, "STALE in the baseline"),
            (faults(FaultKind::Unknown), "UNKNOWN in the baseline"),
        ];
        let counts = counts.chain(known);
        counts.filter(|(count, _)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::BaselineFault;
    use crate::report::tests::report;

    #[test]
    fn the_conclusion_says_what_fails_the_run() {
        let mut report = report(&[Outcome::Pass, Outcome::Fail, Outcome::Fail, Outcome::Warn]);
        assert_eq!(report.conclusion(false), "Not as expected: 2 FAIL");
        assert_eq!(report.conclusion(true), "Not as expected: 2 FAIL, 1 WARN");
        for at in [0, 1] {
            report.scenarios[at].known = Some(Accepted {
                reason: "ticket 7".into(),
            });
        }
        let parts = "Not as expected: 1 FAIL, 1 STALE in the baseline";
        assert_eq!(report.conclusion(false), parts);
        report.interrupted = true;
        assert_eq!(
            report.conclusion(false),
            parts.replace("Not as expected", "Interrupted")
        );
    }

    #[test]
    fn a_run_that_fails_for_its_baseline_alone_says_so() {
        let mut report = report(&[Outcome::Pass]);
        assert_eq!(report.conclusion(false), "As expected");
        report.baseline_errors.push(BaselineFault {
            file: "known.toml".into(),
            line: 1,
            entry: "a/b".into(),
            fault: FaultKind::Unknown,
            message: String::new(),
        });
        assert_eq!(
            report.conclusion(false),
            "Not as expected: 1 UNKNOWN in the baseline"
        );
    }
}
