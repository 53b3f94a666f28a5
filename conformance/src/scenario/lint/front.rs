//! The front matter: what it says about the catalogue and the registry, and how.

use super::{Action, DriverKind, Knowledge, Linter};
use crate::scenario::Need;
use crate::text::did_you_mean;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Features without a verb of their own that scenarios need (RFC 2640 §2.2, RFC 3659 §6).
const WITHOUT_VERB: [&str; 2] = ["TVFS", "UTF8"];

/// The longest `impact`, in characters.
const MEANING_LIMIT: usize = 200;

impl Linter<'_> {
    pub(super) fn front_matter(&mut self, knowledge: &Knowledge) {
        let about = &self.scenario.about;
        if about.title.ends_with('.') {
            self.warning(
                self.in_front(&about.title),
                "a title has no full stop",
                None,
            );
        }
        self.meaning(&about.impact);
        for cite in &about.cites {
            if !is_clause(cite) {
                let help = "as in `RFC 959 §5.4` or `draft-bryan-ftpext-hash-02 §3`";
                self.warning(
                    self.in_front(cite),
                    "this cites no clause",
                    Some(help.into()),
                );
            }
        }
        let mut seen = BTreeSet::new();
        for id in &about.covers {
            if self.is_full() {
                break;
            }
            if !seen.insert(id) {
                self.warning(self.in_front(id), format!("`{id}` is covered twice"), None);
            }
            if !knowledge.requirements.is_empty() && !knowledge.requirements.contains_key(id) {
                let help = did_you_mean(id, knowledge.requirements.keys().map(String::as_str));
                self.error(
                    self.in_front(id),
                    format!("there is no requirement `{id}`"),
                    help,
                );
            }
        }
        self.level(knowledge);
        for need in &about.needs {
            if self.is_full() {
                break;
            }
            let text = need.as_str();
            let verb = text.split_whitespace().next().unwrap_or_default();
            let known = !matches!(need, Need::Feature(_))
                || WITHOUT_VERB.contains(&text)
                || knowledge.verbs.contains(verb);
            if !knowledge.verbs.is_empty() && !known {
                let others = Need::OTHERS.iter().map(Need::as_str);
                let names = knowledge.verbs.iter().map(String::as_str);
                let help = did_you_mean(verb, names.chain(WITHOUT_VERB).chain(others));
                self.warning(
                    self.in_front(text),
                    format!("the need `{need}` is unknown"),
                    help,
                );
            }
        }
        if about.drivers.contains(&DriverKind::Suppaftp) {
            let wire = self
                .scenario
                .steps
                .iter()
                .find(|step| !is_for_any_driver(&step.action));
            if let Some(step) = wire {
                let help = "user steps are `@put`, `@get`, `@names` …";
                let message = "only user steps can be played by suppaftp";
                self.error(self.line(step.line), message, Some(help.into()));
            }
        }
        if self.scenario.steps.is_empty() {
            let end = self.scenario.text.len();
            self.error(end..end, "the dialogue is empty", None);
        }
    }

    /// The level of a scenario is not above that of its requirements.
    fn level(&mut self, knowledge: &Knowledge) {
        let about = &self.scenario.about;
        let known = about.covers.iter().map(|id| knowledge.requirements.get(id));
        let Some(strictest) = known
            .collect::<Option<Vec<_>>>()
            .and_then(|all| all.into_iter().min())
        else {
            return;
        };
        if about.level < *strictest {
            let message = format!(
                "level {} is above {}, the strictest level of the requirements it covers",
                about.level.word(),
                strictest.word()
            );
            let help = "the level of a scenario is not above that of the requirements it covers"
                .to_owned();
            self.error(self.in_front(about.level.word()), message, Some(help));
        }
    }

    /// `impact` is shown beside a failure, to readers who may never have read an RFC.
    fn meaning(&mut self, impact: &str) {
        let length = impact.chars().count();
        if length > MEANING_LIMIT {
            let message = format!(
                "{length} characters are a lot; a person reads {MEANING_LIMIT} at a glance"
            );
            self.warning(self.in_front(impact), message, None);
        }
        if !impact.is_empty() && !impact.ends_with('.') {
            let help = "as in `A download that is resumed ends up damaged.`";
            self.warning(
                self.in_front(impact),
                "what it means for a person is a sentence with a full stop",
                Some(help.into()),
            );
        }
    }

    /// The place of a text of the front matter.
    pub(super) fn in_front(&self, text: &str) -> Range<usize> {
        // A text with escapes is not found as it is meant; the first line will do then.
        self.quoted
            .get(text)
            .map_or(0..0, |at| *at..at + text.len())
    }
}

/// `RFC 959 §5.4`, `RFC 959 App. II`, `draft-bryan-ftpext-hash-02 §3`, or a vendor's document and a
/// place in it.
fn is_clause(cite: &str) -> bool {
    let (document, clause) = match cite.strip_prefix("RFC ") {
        Some(rest) => match rest.split_once(' ') {
            Some((number, _)) if number.bytes().any(|octet| !octet.is_ascii_digit()) => {
                return false;
            }
            Some(parts) => parts,
            None => return false,
        },
        None if cite.starts_with("RFC") => return false,
        None => match cite.split_once(' ') {
            Some(parts) => parts,
            None => return false,
        },
    };
    !document.is_empty() && !clause.is_empty() && clause.trim() == clause
}

/// The first place of each text between quotes in the front matter.
pub(super) fn quoted_texts(text: &str) -> BTreeMap<&str, usize> {
    let mut places = BTreeMap::new();
    let mut start = 0;
    let front = text.find("\n+++").unwrap_or(0);
    for (index, piece) in text[..front].split('"').enumerate() {
        if index % 2 == 1 {
            places.entry(piece).or_insert(start);
        }
        start += piece.len() + 1;
    }
    places
}

fn is_for_any_driver(action: &Action) -> bool {
    matches!(
        action,
        Action::User { .. }
            | Action::Given(_)
            | Action::Stored(..)
            | Action::Missing(_)
            | Action::Repeat(_)
            | Action::End
    )
}
