//! Redacted dialogues as snapshots. Pure: the command reads and writes the files.

mod compare;
mod format;

pub(crate) use compare::{Change, Compared, Lost, compare, unified};
pub(crate) use format::{Snap, SnapError};

use crate::scenario::TestCase;
use crate::verdict::Outcome;
use std::fmt;

/// The extension of a saved snapshot.
pub(crate) const ENDING: &str = "snap";
/// The extension of a differing snapshot that waits for review.
pub(crate) const PENDING: &str = "snap.new";

/// The redacted dialogue of one scenario in one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// What was played.
    pub case: TestCase,
    /// Its outcome when it was played.
    pub outcome: Outcome,
    /// The output of [`crate::transcript::redact`], without a final line end.
    pub dialogue: String,
}

impl Snapshot {
    /// Reads a file written by [`Display`](fmt::Display) or by insta.
    ///
    /// # Errors
    /// The text is not a snapshot, or was not written by ftpspec.
    pub(crate) fn read(text: &str) -> Result<Self, SnapError> {
        let snap = Snap::read(text)?;
        let described = || {
            let (outcome, rest) = snap.description.split_once(": ")?;
            let (scenario, variant) = rest.strip_suffix(']')?.split_once(" [")?;
            let case = TestCase {
                scenario: scenario.to_owned(),
                variant: variant.parse().ok()?,
            };
            Some((outcome.parse().ok()?, case))
        };
        let (outcome, case) = described().ok_or(SnapError::NotOurs)?;
        Ok(Self {
            case,
            outcome,
            dialogue: snap.contents,
        })
    }

    /// Its file name, in the style of insta: `rfc959__noop-says-200@epsv-tls.snap`.
    pub(crate) fn file_name(&self) -> String {
        let safe = |letter: char| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => letter,
            _ => '-',
        };
        let TestCase { scenario, variant } = &self.case;
        let scenario: String = scenario.replace('/', "__").chars().map(safe).collect();
        let variant: String = variant.to_string().chars().map(safe).collect();
        format!("{scenario}@{variant}.{ENDING}")
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snap = Snap {
            source: format!("scenarios/{}.ftpt", self.case.scenario),
            description: format!("{}: {}", self.outcome.word(), self.case),
            contents: self.dialogue.clone(),
        };
        snap.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    fn snapshot(outcome: Outcome) -> Snapshot {
        Snapshot {
            case: TestCase {
                scenario: "rfc959/noop-says-200".into(),
                variant: "epsv tls".parse().unwrap(),
            },
            outcome,
            dialogue: "S: 220 x\nC: NOOP\nS: 200 y".into(),
        }
    }

    #[test]
    fn a_snapshot_of_any_outcome_is_read_back() {
        for outcome in Outcome::ALL {
            let snapshot = snapshot(outcome);
            assert_eq!(Snapshot::read(&snapshot.to_string()).unwrap(), snapshot);
        }
    }

    #[test]
    fn a_snapshot_of_something_else_is_refused() {
        for description in [
            "PASS: rfc959/noop-says-200",
            "GOOD: a [b]",
            "",
            "PASS: a b]",
            "PASS: a [b]",
        ] {
            let text = format!("---\nsource: a.rs\ndescription: \"{description}\"\n---\nx\n");
            assert_eq!(
                Snapshot::read(&text),
                Err(SnapError::NotOurs),
                "{description}"
            );
        }
    }

    #[test]
    fn a_file_name_has_nothing_a_file_system_minds() {
        assert_eq!(
            snapshot(Outcome::Pass).file_name(),
            "rfc959__noop-says-200@epsv-tls.snap"
        );
        let mut hostile = snapshot(Outcome::Pass);
        hostile.case.scenario = "../a\\b:c".into();
        assert_eq!(hostile.file_name(), "..__a-b-c@epsv-tls.snap");
    }
}
