//! Requirements and the scenarios that show them, where their levels differ.
//!
//! A requirement that every scenario shows at a lower level is reported as less than the clause
//! says: the catalogue gives the reason (`weaker`), and a test fails where it does not. A scenario
//! above a requirement it covers is in order where another of its requirements has that level; lint
//! refuses it where none has.

use super::word;
use crate::catalogue::{Catalogue, Requirement, RequirementSide};
use crate::scenario::{Level, Scenario};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A requirement, and the scenarios that show it at each level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown<'a> {
    /// The requirement.
    pub requirement: &'a Requirement,
    /// Ids of the scenarios that cover it, by the level at which they report a failure of it.
    pub at: BTreeMap<Level, Vec<&'a str>>,
}

impl Shown<'_> {
    /// The highest level at which a scenario shows it.
    pub(crate) fn highest(&self) -> Option<Level> {
        self.at.keys().next().copied()
    }

    /// Whether every scenario shows it at a lower level than its own.
    pub(crate) fn is_weaker(&self) -> bool {
        let own = rank(self.requirement.level);
        self.highest().is_some_and(|level| rank(level) > own)
    }

    /// The scenarios that show it at a higher level than its own.
    pub(crate) fn above(&self) -> impl Iterator<Item = (Level, &str)> {
        let own = rank(self.requirement.level);
        let above = self.at.iter().filter(move |(level, _)| rank(**level) < own);
        above.flat_map(|(level, ids)| ids.iter().map(|id| (*level, *id)))
    }
}

/// Both MAY and PRACTICE are reported as a NOTE.
pub(crate) fn rank(level: Level) -> u8 {
    match level {
        Level::Must => 0,
        Level::Should => 1,
        Level::May | Level::Practice => 2,
    }
}

/// Every requirement of servers that a scenario covers, in the order of the catalogue.
pub(crate) fn shown<'a>(
    catalogue: &'a Catalogue,
    scenarios: &'a [Scenario],
    wanted: impl Fn(&Requirement) -> bool,
) -> Vec<Shown<'a>> {
    let mut at: BTreeMap<&str, BTreeMap<Level, Vec<&str>>> = BTreeMap::new();
    for scenario in scenarios {
        for id in &scenario.about.covers {
            let level = level_of(scenario, id);
            let of = at.entry(id).or_default().entry(level).or_default();
            of.push(scenario.id.0.as_str());
        }
    }
    let servers = catalogue
        .iter()
        .filter(|one| one.side == RequirementSide::Server && wanted(one));
    servers
        .filter_map(|requirement| {
            let at = at.remove(requirement.id.as_str())?;
            Some(Shown { requirement, at })
        })
        .collect()
}

/// The level at which a scenario reports a failure of one of its requirements: its own, or that of
/// a wish where only `!should` lines are about the requirement.
fn level_of(scenario: &Scenario, id: &str) -> Level {
    let mut bound = scenario.bound_to(id).peekable();
    let statements = || scenario.steps.iter().map(|step| step.line);
    let only_wishes =
        bound.peek().is_some() && bound.all(|line| statements().all(|statement| statement != line));
    match only_wishes {
        true => scenario.about.level.max(Level::Should),
        false => scenario.about.level,
    }
}

/// Both lists, as a person reads them.
pub(crate) fn levels(shown: &[Shown<'_>]) -> String {
    let mut out = String::new();
    let weaker: Vec<_> = shown.iter().filter(|one| one.is_weaker()).collect();
    let _ = writeln!(
        out,
        "{} requirements are shown at a lower level than their own:",
        weaker.len()
    );
    for one in weaker {
        let requirement = one.requirement;
        for (level, ids) in &one.at {
            let (own, shown, ids) = (word(requirement.level), word(*level), ids.join(" "));
            let _ = writeln!(out, "  {own:6} {} as {shown} by {ids}", requirement.id);
        }
        let reason = requirement
            .weaker
            .as_deref()
            .unwrap_or("no reason is given");
        let _ = writeln!(out, "         {reason}");
    }
    let above: Vec<_> = shown
        .iter()
        .flat_map(|one| {
            one.above()
                .map(move |(level, id)| (level, one.requirement, id))
        })
        .collect();
    let _ = writeln!(
        out,
        "\n{} times a scenario has a higher level than one of its requirements:",
        above.len()
    );
    for (level, requirement, id) in above {
        let (own, level) = (word(requirement.level), word(level));
        let _ = writeln!(out, "  {own:6} {} as {level} by {id}", requirement.id);
    }
    out
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;
    use crate::scenario::{ScenarioId, parse};
    use crate::suite::Suite;
    use std::path::Path;

    fn listed(scenario: &str, dialogue: &str, requirement: &str) -> (bool, usize) {
        let catalogue = format!(
            "document = \"RFC 0\"\n[[requirement]]\nid = \"a\"\nsection = \"1\"\nlevel = \"{requirement}\"\nstatement = \"x\"\nside = \"server\"\n"
        );
        let catalogue = Catalogue::read([("a.toml".to_owned(), catalogue.as_str())]).unwrap();
        let text = format!(
            "+++\ntitle = \"t\"\ncites = [\"RFC 0 §1\"]\ncovers = [\"a\"]\nlevel = \"{scenario}\"\n+++\n{dialogue}"
        );
        let id = ScenarioId::of_path(Path::new("rfc0/a.ftpt"));
        let scenarios = [parse(id, &text).unwrap()];
        let shown = shown(&catalogue, &scenarios, |_| true);
        (shown[0].is_weaker(), shown[0].above().count())
    }

    #[test]
    fn a_level_that_differs_is_listed_in_the_direction_it_differs() {
        let noop = "> NOOP\n< 200\n";
        assert_eq!(listed("must", noop, "must"), (false, 0));
        assert_eq!(listed("should", noop, "must"), (true, 0));
        assert_eq!(listed("must", noop, "should"), (false, 1));
        assert_eq!(listed("practice", noop, "may"), (false, 0));
    }

    #[test]
    fn what_only_a_wish_shows_is_shown_as_should() {
        let wish = "> NOOP\n< 2yz\n!should 200\n!about a\n";
        assert_eq!(listed("must", wish, "must"), (true, 0));
        let both = "> NOOP\n< 2yz\n!about a\n!should 200\n!about a\n";
        assert_eq!(listed("must", both, "must"), (false, 0));
        assert_eq!(listed("practice", wish, "should"), (true, 0));
    }

    #[test]
    fn every_requirement_that_is_shown_at_a_lower_level_says_why() {
        let suite = Suite::embedded();
        for one in shown(Catalogue::built_in(), &suite.scenarios, |_| true) {
            let (id, given) = (&one.requirement.id, one.requirement.weaker.is_some());
            assert_eq!(
                one.is_weaker(),
                given,
                "{id}: shown at {:?}; give the reason as `weaker` in the catalogue, or take it away",
                one.at
            );
        }
    }

    #[test]
    fn the_list_names_requirement_scenario_and_reason() {
        let suite = Suite::embedded();
        let text = levels(&shown(Catalogue::built_in(), &suite.scenarios, |_| true));
        assert!(!text.contains("no reason is given"), "{text}");
        assert!(
            text.contains("  MUST   959-4.1.1-pass-immediately-after-user as SHOULD by rfc959/"),
            "{text}"
        );
    }
}
