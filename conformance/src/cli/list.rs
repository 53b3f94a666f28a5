//! `ftpspec list`: lists scenarios and frozen sets.

use super::Format;
use super::exit_code::{CommandError, ExitCode};
use super::output::finish;
use crate::client;
use crate::coverage::word;
use crate::scenario::{DriverKind, Level, Need, Scenario};
use crate::suite::Suite;
use crate::suite::sets::{FrozenSet, freeze};
use crate::suite::suggest::unmatched_pattern;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One scenario in JSON.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    impact: &'a str,
    level: Level,
    cites: &'a [String],
    covers: &'a [String],
    needs: &'a [Need],
    axes: Vec<&'static str>,
    drivers: &'a [DriverKind],
    profile: Option<&'a str>,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only scenarios whose id matches; `sets` lists the frozen sets.
    patterns: Vec<String>,
    /// Only scenarios of this frozen set; may be repeated.
    #[arg(long = "set", value_name = "SET")]
    sets: Vec<String>,
    /// Lists the scenarios for clients instead.
    #[arg(long, conflicts_with_all = ["sets", "freeze"])]
    clients: bool,
    /// Prints the scenarios as a new frozen set (scenarios/sets/NAME-VERSION.toml).
    #[arg(long, conflicts_with = "format")]
    freeze: bool,
    /// The format of stdout.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

impl List {
    pub(super) fn run(self) -> Result<ExitCode, CommandError> {
        if self.patterns == ["sets"] {
            return finish(&sets(self.format), ExitCode::Success);
        }
        if self.clients {
            return self.list_clients();
        }
        let suite = Suite::embedded();
        let mut in_sets = BTreeSet::new();
        for name in &self.sets {
            let set = FrozenSet::find(name).map_err(CommandError::usage)?;
            in_sets.extend(set.scenarios.into_keys());
        }
        if let Some(message) = unmatched_pattern(&suite, &self.patterns) {
            return Err(CommandError::nothing_selected(format!("list: {message}")));
        }
        let mut scenarios = suite.select(&self.patterns);
        scenarios.retain(|scenario| self.sets.is_empty() || in_sets.contains(&scenario.id.0));
        if scenarios.is_empty() {
            let message = "list: no scenario matches both the sets and the patterns";
            return Err(CommandError::nothing_selected(message));
        }
        let text = match (self.freeze, self.format) {
            (true, _) => freeze(scenarios.iter().copied()),
            (false, Format::Human) => as_table(&scenarios),
            (false, Format::Json) => format!("{}\n", as_json(&scenarios)),
        };
        finish(&text, ExitCode::Success)
    }
}

impl List {
    fn list_clients(&self) -> Result<ExitCode, CommandError> {
        let scenarios = client::suite::Suite::embedded().select(&self.patterns);
        if scenarios.is_empty() {
            let message = "list: no scenario for clients matches the patterns";
            return Err(CommandError::nothing_selected(message));
        }
        let text = match self.format {
            Format::Human => {
                let row = |it: &Arc<client::language::Scenario>| {
                    let about = &it.about;
                    (it.id.0.clone(), about.level, about.title.clone())
                };
                table(scenarios.iter().map(row).collect())
            }
            Format::Json => {
                let scenarios: Vec<_> = scenarios.iter().map(AsRef::as_ref).collect();
                let text =
                    serde_json::to_string_pretty::<Vec<&client::language::Scenario>>(&scenarios);
                text.expect("texts, numbers and lists are always JSON") + "\n"
            }
        };
        finish(&text, ExitCode::Success)
    }
}

/// One set in JSON.
#[derive(Serialize)]
struct ListedSet<'a> {
    name: &'a str,
    title: &'a str,
    about: &'a str,
    scenarios: BTreeSet<&'a str>,
}

fn sets(format: Format) -> String {
    let sets = FrozenSet::built_in().values();
    if format == Format::Json {
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
    let row = |scenario: &&Scenario| {
        let about = &scenario.about;
        let profile = match &about.profile {
            Some(profile) => format!("  (only in the profile {profile})"),
            None => String::new(),
        };
        (
            scenario.id.0.clone(),
            about.level,
            format!("{}{profile}", about.title),
        )
    };
    table(scenarios.iter().map(row).collect())
}

/// Ids, levels and titles in columns.
fn table(rows: Vec<(String, Level, String)>) -> String {
    let width = rows.iter().map(|(id, ..)| id.len()).max().unwrap_or(0);
    let line = |(id, level, title): &(String, Level, String)| {
        format!("{id:width$}  {:8}  {title}\n", word(*level))
    };
    rows.iter().map(line).collect()
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
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

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
    fn selecting_nothing_has_its_own_exit_code() {
        let code = |patterns: &[&str], sets: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().copied().map(String::from).collect();
            let list = List {
                clients: false,
                patterns: owned(patterns),
                sets: owned(sets),
                freeze: false,
                format: Format::Human,
            };
            list.run().unwrap_err().code
        };
        assert_eq!(code(&["no-such-scenario"], &[]), ExitCode::NothingSelected);
        assert_eq!(code(&[], &["no-such-set-1"]), ExitCode::Usage);
    }

    #[test]
    fn every_set_is_one_line_and_one_object() {
        let lines = sets(Format::Human);
        assert_eq!(lines.lines().count(), FrozenSet::built_in().len());
        assert!(lines.contains("core-1"));
        let objects: Vec<serde_json::Value> = serde_json::from_str(&sets(Format::Json)).unwrap();
        assert!(
            objects
                .iter()
                .all(|set| !set["scenarios"].as_array().unwrap().is_empty())
        );
    }
}
