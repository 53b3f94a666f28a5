//! `ftpspec list`: which scenarios there are.

use super::{NOTHING, OK};
use crate::coverage::word;
use crate::scenario::{DriverKind, Level, Scenario};
use crate::suite::Suite;
use serde::Serialize;

/// One scenario for other programs.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    title: &'a str,
    level: Level,
    cites: &'a [String],
    covers: &'a [String],
    needs: &'a [String],
    axes: Vec<&'static str>,
    drivers: &'a [DriverKind],
    profile: Option<&'a str>,
}

/// Lists the scenarios any of the patterns selects, all without a pattern. Returns the exit code: 0, or 4 if there is none.
#[must_use]
pub fn list(patterns: &[String], json: bool) -> i32 {
    let suite = Suite::embedded();
    let scenarios = suite.select(patterns);
    if json {
        anstream::println!("{}", as_json(&scenarios));
    } else {
        anstream::print!("{}", as_table(&scenarios));
    }
    if scenarios.is_empty() {
        anstream::eprintln!("list: no scenario is selected by {}", patterns.join(" "));
        return NOTHING;
    }
    OK
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
        assert_eq!(list(&["no-such-scenario".into()], false), NOTHING);
    }
}
