//! Differences between two runs or servers: verdicts, features and replies. Pure.

mod replies;
mod terminal;
#[cfg(test)]
mod tests;

pub(crate) use replies::Replies;
pub(crate) use terminal::terminal;

use crate::compare::snapshot::Snapshot;
use crate::report::Report;
use crate::scenario::TestCase;
use crate::verdict::Outcome;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The version of the JSON form. Fields are only ever added within one.
pub(crate) const VERSION: u32 = 1;

/// The results of one side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Side {
    /// Its name: a URL without password, a path or `embedded`.
    pub name: String,
    /// The outcome of each scenario and variant.
    pub outcomes: BTreeMap<TestCase, Outcome>,
    /// The outcome of each always-on judge; empty if unknown.
    pub judges: BTreeMap<String, Outcome>,
    /// The redacted dialogues; `None` for a report, which contains none.
    pub dialogues: Option<BTreeMap<TestCase, String>>,
    /// The lines of FEAT; `None` if unknown, or if the server does not support FEAT.
    pub features: Option<BTreeSet<String>>,
}

impl Side {
    pub(crate) fn of_report(name: impl Into<String>, report: &Report) -> Self {
        let verdicts = report.scenarios.iter().map(|row| &row.verdict);
        let judges = report.judges.iter();
        let features = report.target.features.as_ref();
        Self {
            name: name.into(),
            outcomes: verdicts.map(|it| (it.case(), it.outcome)).collect(),
            judges: judges.map(|row| (row.judge.clone(), row.outcome)).collect(),
            dialogues: None,
            features: features.map(|lines| lines.iter().map(|line| line.trim().into()).collect()),
        }
    }

    pub(crate) fn of_snapshots(name: impl Into<String>, snapshots: &[Snapshot]) -> Self {
        let mut side = Self {
            name: name.into(),
            ..Self::default()
        };
        side.hear(snapshots);
        side.features = side
            .dialogues
            .iter()
            .flatten()
            .find_map(|(_, dialogue)| replies::features(dialogue));
        side
    }

    /// Adds dialogues to the results of a report.
    pub(crate) fn with(mut self, snapshots: &[Snapshot]) -> Self {
        self.hear(snapshots);
        self
    }

    /// Removes all other scenarios and variants.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&TestCase) -> bool) {
        self.outcomes.retain(|case, _| wanted(case));
        if let Some(dialogues) = &mut self.dialogues {
            dialogues.retain(|case, _| wanted(case));
        }
    }

    fn hear(&mut self, snapshots: &[Snapshot]) {
        let dialogues = self.dialogues.get_or_insert_default();
        for snapshot in snapshots {
            dialogues.insert(snapshot.case.clone(), snapshot.dialogue.clone());
            self.outcomes
                .insert(snapshot.case.clone(), snapshot.outcome);
        }
    }
}

/// Everything that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// Always `ftpspec-diff`.
    pub schema: &'static str,
    /// [`VERSION`].
    pub version: u32,
    /// The name of the first side.
    pub a: String,
    /// The name of the second side.
    pub b: String,
    /// The number of scenarios and variants both sides have.
    pub compared: usize,
    /// Those with different verdicts.
    pub verdicts: Vec<OtherVerdict>,
    /// Always-on judges with different verdicts.
    pub judges: Vec<OtherJudge>,
    /// Scenarios and variants only the first side has.
    pub only_a: Vec<Only>,
    /// Scenarios and variants only the second side has.
    pub only_b: Vec<Only>,
    /// Feature lines; `None` if FEAT is unknown for a side.
    pub features: Option<Features>,
    /// Replies; `None` if a side is a report, which contains none.
    pub replies: Option<Replies>,
}

/// A scenario with different outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OtherVerdict {
    #[serde(flatten)]
    pub case: TestCase,
    /// The outcome of the first side.
    pub a: Outcome,
    /// The outcome of the second side.
    pub b: Outcome,
}

/// An always-on judge with different outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OtherJudge {
    /// Which judge.
    pub judge: String,
    /// The outcome of the first side.
    pub a: Outcome,
    /// The outcome of the second side.
    pub b: Outcome,
}

/// Something only one side has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Only {
    #[serde(flatten)]
    pub case: TestCase,
    /// Its outcome there.
    pub outcome: Outcome,
}

/// Lines of FEAT only one side has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Features {
    /// Only the first.
    pub only_a: Vec<String>,
    /// Only the second.
    pub only_b: Vec<String>,
}

impl Features {
    fn is_empty(&self) -> bool {
        self.only_a.is_empty() && self.only_b.is_empty()
    }
}

/// Compares two sides.
pub(crate) fn compare(a: &Side, b: &Side) -> Difference {
    let only = |one: &Side, other: &Side| {
        let rest = one.outcomes.iter();
        let rest = rest.filter(|(key, _)| !other.outcomes.contains_key(*key));
        rest.map(|(case, outcome)| Only {
            case: case.clone(),
            outcome: *outcome,
        })
        .collect::<Vec<_>>()
    };
    let both = a.outcomes.iter().filter_map(|(key, outcome)| {
        let other = b.outcomes.get(key)?;
        Some((key, *outcome, *other))
    });
    let verdicts = both.clone().filter(|(_, a, b)| a != b);
    let judges = a.judges.iter().filter_map(|(judge, a)| {
        let (a, b) = (*a, *b.judges.get(judge)?);
        (a != b).then(|| OtherJudge {
            judge: judge.clone(),
            a,
            b,
        })
    });
    let features = a.features.as_ref().zip(b.features.as_ref());
    let dialogues = a.dialogues.as_ref().zip(b.dialogues.as_ref());
    Difference {
        schema: "ftpspec-diff",
        version: VERSION,
        a: a.name.clone(),
        b: b.name.clone(),
        compared: both.count(),
        verdicts: verdicts
            .map(|(case, a, b)| OtherVerdict {
                case: case.clone(),
                a,
                b,
            })
            .collect(),
        judges: judges.collect(),
        only_a: only(a, b),
        only_b: only(b, a),
        features: features.map(|(a, b)| Features {
            only_a: a.difference(b).cloned().collect(),
            only_b: b.difference(a).cloned().collect(),
        }),
        replies: dialogues.map(|(a, b)| replies::compare(a, b)),
    }
}

impl Difference {
    /// Whether nothing that could be compared differs.
    pub(crate) fn is_empty(&self) -> bool {
        self.verdicts.is_empty()
            && self.judges.is_empty()
            && self.only_a.is_empty()
            && self.only_b.is_empty()
            && self.features.as_ref().is_none_or(Features::is_empty)
            && self.replies.as_ref().is_none_or(Replies::is_empty)
    }

    /// As JSON, with a newline at its end.
    pub(crate) fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("it holds only strings, numbers and lists, which JSON can hold");
        text.push('\n');
        text
    }
}
