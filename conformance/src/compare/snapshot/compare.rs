//! Compares saved snapshots with those of a run.

use super::Snapshot;
use crate::scenario::TestCase;
use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// A difference from the saved snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Played, but not saved.
    New(Snapshot),
    /// Played with another dialogue.
    Changed { kept: Snapshot, now: Snapshot },
    /// Saved, but not playable any more.
    Vanished {
        kept: Snapshot,
        /// Why it was not played.
        why: String,
    },
}

/// The result of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    /// Equal snapshots, in the order of the run.
    pub same: Vec<Snapshot>,
    /// Differences: first those of the run, in its order, then the missing ones.
    pub changes: Vec<Change>,
}

/// Why a saved scenario and variant was not played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It is not selected, or was not completed: not a difference.
    NotAsked,
    /// It is selected, but cannot be played; the reason.
    Gone(String),
}

/// Compares. `lost` classifies a saved scenario and variant that was not played.
pub(crate) fn compare(
    kept: impl IntoIterator<Item = Snapshot>,
    played: impl IntoIterator<Item = Snapshot>,
    lost: impl Fn(&TestCase) -> Lost,
) -> Compared {
    let kept = kept.into_iter().map(|kept| (kept.case.clone(), kept));
    let mut kept: BTreeMap<TestCase, Snapshot> = kept.collect();
    let mut compared = Compared::default();
    for now in played {
        match kept.remove(&now.case) {
            None => compared.changes.push(Change::New(now)),
            Some(kept) if kept.dialogue.trim_end() == now.dialogue.trim_end() => {
                compared.same.push(now);
            }
            Some(kept) => compared.changes.push(Change::Changed { kept, now }),
        }
    }
    for (case, kept) in kept {
        if let Lost::Gone(why) = lost(&case) {
            compared.changes.push(Change::Vanished { kept, why });
        }
    }
    compared
}

/// The number of context lines.
const AROUND: usize = 3;
/// The time limit for finding a minimal diff: replies may have any number of lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// A unified diff: `-` marks lines of the first text only, `+` those of the second.
pub(crate) fn unified(old: &str, new: &str, colour: bool) -> String {
    // Lines without their ends: the last one has none, and is like any other.
    let (old, new): (Vec<_>, Vec<_>) = (
        old.trim_end().lines().collect(),
        new.trim_end().lines().collect(),
    );
    let diff = TextDiff::configure()
        .timeout(PATIENCE)
        .diff_slices(&old, &new);
    let mut text = String::new();
    for (index, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if index > 0 {
            text.push_str("  …\n");
        }
        for change in group
            .iter()
            .flat_map(|operation| diff.iter_changes(operation))
        {
            let (sign, style) = match change.tag() {
                ChangeTag::Delete => ('-', AnsiColor::Red.on_default()),
                ChangeTag::Insert => ('+', AnsiColor::Green.on_default()),
                ChangeTag::Equal => (' ', Style::new().dimmed()),
            };
            let line = change.value();
            // Writing to a String does not fail.
            let _ = if colour {
                writeln!(text, "{style}{sign} {line}{style:#}")
            } else {
                writeln!(text, "{sign} {line}")
            };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Variant;
    use crate::verdict::Outcome;

    fn snapshot(scenario: &str, dialogue: &str) -> Snapshot {
        Snapshot {
            case: TestCase {
                scenario: scenario.into(),
                variant: Variant::PLAIN,
            },
            outcome: Outcome::Pass,
            dialogue: dialogue.into(),
        }
    }

    #[test]
    fn new_changed_and_missing_snapshots_are_distinguished() {
        let kept = [
            ("same", "S: 1\n"),
            ("changed", "S: 2"),
            ("gone", "S: 3"),
            ("other", "S: 4"),
        ];
        let played = [("changed", "S: 2!"), ("new", "S: 5"), ("same", "S: 1")];
        let made = |list: &[(&str, &str)]| {
            let one = |(scenario, dialogue): &(&str, &str)| snapshot(scenario, dialogue);
            list.iter().map(one).collect::<Vec<_>>()
        };
        let lost = |case: &TestCase| match case.scenario.as_str() {
            "gone" => Lost::Gone("no EPSV".into()),
            _ => Lost::NotAsked,
        };
        let compared = compare(made(&kept), made(&played), lost);
        assert_eq!(compared.same, [snapshot("same", "S: 1")]);
        assert_eq!(
            compared.changes,
            [
                Change::Changed {
                    kept: snapshot("changed", "S: 2"),
                    now: snapshot("changed", "S: 2!")
                },
                Change::New(snapshot("new", "S: 5")),
                Change::Vanished {
                    kept: snapshot("gone", "S: 3"),
                    why: "no EPSV".into()
                },
            ]
        );
    }

    #[test]
    fn the_outcome_alone_is_no_change_of_the_server() {
        let failed = Snapshot {
            outcome: Outcome::Fail,
            ..snapshot("a", "S: 1")
        };
        let compared = compare([snapshot("a", "S: 1")], [failed], |_| Lost::NotAsked);
        assert!(compared.changes.is_empty());
    }

    #[test]
    fn a_diff_shows_the_lines_around_and_no_others() {
        let old: String = (0..30).map(|n| format!("S: {n}\n")).collect();
        let new = old.replace("S: 5\n", "S: five\n").replace("S: 29\n", "");
        insta::assert_snapshot!(unified(&old, &new, false), @r"
          S: 2
          S: 3
          S: 4
        - S: 5
        + S: five
          S: 6
          S: 7
          S: 8
          …
          S: 26
          S: 27
          S: 28
        - S: 29
        ");
        assert!(unified(&old, &new, true).contains("\u{1b}[31m- S: 5\u{1b}[0m\n"));
        assert_eq!(unified(&old, &old, true), "");
    }
}
