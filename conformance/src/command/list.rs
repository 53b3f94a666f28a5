//! `ftpspec list`: which scenarios there are.

use super::suggest::stray;
use super::{NOTHING, OK, USAGE, stdout};
use crate::coverage::word;
use crate::scenario::{DriverKind, Level, Scenario};
use crate::suite::Suite;
use crate::suite::sets::{FrozenSet, freeze};
use serde::Serialize;
use std::collections::BTreeSet;

/// One scenario for other programs.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    impact: &'a str,
    level: Level,
    cites: &'a [String],
    covers: &'a [String],
    needs: &'a [String],
    axes: Vec<&'static str>,
    drivers: &'a [DriverKind],
    profile: Option<&'a str>,
}

/// How the list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListForm {
    /// For people.
    Human,
    /// For programs.
    Json,
    /// As a new frozen set.
    Set,
}

/// Lists the scenarios any of the patterns selects, all without a pattern; of these sets, if there are some. The one
/// pattern `sets` lists the sets. Returns the exit code: 0, 2 if there is no such set, or 4 if there is no such scenario.
#[must_use]
pub fn list(patterns: &[String], sets: &[String], form: ListForm) -> i32 {
    if patterns == ["sets"] {
        return stdout::say(&as_sets(form), OK);
    }
    let suite = Suite::embedded();
    let mut chosen = BTreeSet::new();
    for name in sets {
        match FrozenSet::find(name) {
            Ok(set) => chosen.extend(set.scenarios.into_keys()),
            Err(error) => {
                anstream::eprintln!("{error}");
                return USAGE;
            }
        }
    }
    if let Some(why) = stray(&suite, patterns) {
        anstream::eprintln!("list: {why}");
        return NOTHING;
    }
    let mut scenarios = suite.select(patterns);
    scenarios.retain(|scenario| sets.is_empty() || chosen.contains(&scenario.id.0));
    let text = match form {
        ListForm::Human => as_table(&scenarios),
        ListForm::Json => format!("{}\n", as_json(&scenarios)),
        ListForm::Set => freeze(scenarios.iter().copied()),
    };
    let code = if scenarios.is_empty() {
        anstream::eprintln!("list: the sets and the patterns have no scenario in common");
        NOTHING
    } else {
        OK
    };
    stdout::say(&text, code)
}

/// One set for other programs.
#[derive(Serialize)]
struct ListedSet<'a> {
    name: &'a str,
    title: &'a str,
    about: &'a str,
    scenarios: BTreeSet<&'a str>,
}

fn as_sets(form: ListForm) -> String {
    let sets = FrozenSet::built_in().values();
    if form == ListForm::Json {
        let listed: Vec<_> = sets
            .map(|set| ListedSet {
                name: &set.name,
                title: &set.title,
                about: &set.about,
                scenarios: set.ids(),
            })
            .collect();
        let text = serde_json::to_string_pretty(&listed);
        return text.expect("texts and lists are always JSON") + "\n";
    }
    let line = |set: &FrozenSet| {
        let (name, title, count) = (&set.name, &set.title, set.scenarios.len());
        format!("{name:12}  {count:>4}  {title}\n")
    };
    sets.map(line).collect()
}

fn as_table(scenarios: &[&Scenario]) -> String {
    let width = scenarios
        .iter()
        .map(|scenario| scenario.id.0.len())
        .max()
        .unwrap_or(0);
    let line = |scenario: &&Scenario| {
        let about = &scenario.about;
        let profile = match &about.profile {
            Some(profile) => format!("  (only in the profile {profile})"),
            None => String::new(),
        };
        let level = word(about.level);
        format!(
            "{:width$}  {level:8}  {}{profile}\n",
            scenario.id.0, about.title
        )
    };
    scenarios.iter().map(line).collect()
}

fn as_json(scenarios: &[&Scenario]) -> String {
    let listed: Vec<_> = scenarios
        .iter()
        .map(|scenario| {
            let about = &scenario.about;
            let axes = [(about.axes.data, "data"), (about.axes.tls, "tls")];
            Listed {
                id: &scenario.id.0,
                title: &about.title,
                impact: &about.impact,
                level: about.level,
                cites: &about.cites,
                covers: &about.covers,
                needs: &about.needs,
                axes: axes
                    .into_iter()
                    .filter_map(|(is, axis)| is.then_some(axis))
                    .collect(),
                drivers: &about.drivers,
                profile: about.profile.as_deref(),
            }
        })
        .collect();
    serde_json::to_string_pretty(&listed).expect("texts and lists are always JSON")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    #[test]
    fn every_scenario_is_one_line_and_one_object() {
        let suite = Suite::embedded();
        let all = suite.select(&[]);
        assert_eq!(as_table(&all).lines().count(), all.len());
        let objects: Vec<serde_json::Value> = serde_json::from_str(&as_json(&all)).unwrap();
        assert_eq!(objects.len(), all.len());
        assert!(objects.iter().all(|object| object["covers"].is_array()));
    }

    #[test]
    fn selecting_nothing_is_told_by_the_exit_code() {
        assert_eq!(
            list(&["no-such-scenario".into()], &[], ListForm::Human),
            NOTHING
        );
        assert_eq!(list(&[], &["no-such-set-1".into()], ListForm::Human), USAGE);
    }

    #[test]
    fn every_set_is_one_line_and_one_object() {
        let lines = as_sets(ListForm::Human);
        assert_eq!(lines.lines().count(), FrozenSet::built_in().len());
        assert!(lines.contains("core-1"));
        let objects: Vec<serde_json::Value> =
            serde_json::from_str(&as_sets(ListForm::Json)).unwrap();
        assert!(
            objects
                .iter()
                .all(|set| !set["scenarios"].as_array().unwrap().is_empty())
        );
    }
}
