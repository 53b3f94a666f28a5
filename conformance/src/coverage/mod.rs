//! What the suite covers of the catalogue: requirement by requirement, and counted by document and
//! level.
//!
//! A requirement is covered where a scenario names it, or an always-on judge claims it. One that no
//! test from outside can decide says why in the catalogue, and is counted apart.

mod levels;
mod text;

pub(crate) use levels::{levels, shown};
pub(crate) use text::{human, json, markdown};

use crate::catalogue::{Catalogue, Requirement, RequirementSide};
use crate::judge::Judge;
use crate::scenario::{Level, Scenario};
use serde::Serialize;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The levels requirements have, from the most binding.
pub(crate) const LEVELS: [Level; 3] = [Level::Must, Level::Should, Level::May];

/// The status of a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    /// A scenario covers it, and perhaps a judge, too.
    Scenario,
    /// An always-on judge covers it, and no scenario.
    Judge,
    /// No test from outside can decide it.
    Untestable,
    /// Nothing covers it.
    Open,
}

/// One requirement and what covers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    /// The requirement.
    pub requirement: &'a Requirement,
    /// Ids of the scenarios that name it, sorted.
    pub scenarios: Vec<&'a str>,
    /// For scenarios with `!about`, the lines about it; other scenarios show it as a whole.
    pub lines: BTreeMap<&'a str, Vec<u32>>,
    /// Names of the judges that claim it, in their order.
    pub judges: Vec<&'a str>,
}

impl Row<'_> {
    /// Its status. A covered requirement is testable, whatever the catalogue says.
    pub(crate) fn standing(&self) -> Standing {
        if !self.scenarios.is_empty() {
            Standing::Scenario
        } else if !self.judges.is_empty() {
            Standing::Judge
        } else if self.requirement.untestable.is_some() {
            Standing::Untestable
        } else {
            Standing::Open
        }
    }
}

/// The number of requirements by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Count {
    /// All of them.
    pub all: usize,
    /// Covered by a scenario.
    pub scenario: usize,
    /// Covered by a judge alone.
    pub judge: usize,
    /// Untestable.
    pub untestable: usize,
    /// Open.
    pub open: usize,
}

impl Count {
    fn add(&mut self, standing: Standing) {
        self.all += 1;
        *match standing {
            Standing::Scenario => &mut self.scenario,
            Standing::Judge => &mut self.judge,
            Standing::Untestable => &mut self.untestable,
            Standing::Open => &mut self.open,
        } += 1;
    }

    /// Those covered, by whatever it is.
    pub(crate) fn covered(&self) -> usize {
        self.scenario + self.judge
    }

    /// Those that can be tested.
    pub(crate) fn testable(&self) -> usize {
        self.all - self.untestable
    }

    /// Whether this percentage of the testable requirements is covered; true if there are none.
    pub(crate) fn reaches(&self, percent: u8) -> bool {
        self.covered() * 100 >= usize::from(percent) * self.testable()
    }
}

/// Minimum coverage: `must=95`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Threshold {
    /// Of the requirements of this level
    pub level: Level,
    /// a percentage of those that can be tested, 0 to 100.
    pub percent: u8,
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('=').and_then(|(level, percent)| {
            let level = LEVELS
                .into_iter()
                .find(|known| word(*known).eq_ignore_ascii_case(level))?;
            let percent = percent.parse().ok().filter(|percent| *percent <= 100)?;
            Some(Self { level, percent })
        });
        parsed.ok_or_else(|| "expected LEVEL=PERCENT, for example must=95".into())
    }
}

/// Every requirement and what covers it, in the order of the catalogue.
#[derive(Debug, Clone)]
pub(crate) struct Coverage<'a> {
    /// Requirements on the side that is tested; servers, except in [`Self::of_clients`].
    pub server: Vec<Row<'a>>,
    /// Requirements on clients, separately: no scenario against a server can cover them.
    pub client: Vec<Row<'a>>,
}

impl<'a> Coverage<'a> {
    /// The coverage of the selected requirements by these scenarios and judges.
    pub(crate) fn of(
        catalogue: &'a Catalogue,
        scenarios: &'a [Scenario],
        judges: &'a [Judge],
        wanted: impl Fn(&Requirement) -> bool,
    ) -> Self {
        let mut named: BTreeMap<&str, Vec<&Scenario>> = BTreeMap::new();
        for scenario in scenarios {
            for id in &scenario.about.covers {
                named.entry(id).or_default().push(scenario);
            }
        }
        let row = |requirement: &'a Requirement| {
            let id = requirement.id.as_str();
            let naming = named.get(id).map_or(&[][..], Vec::as_slice);
            let mut scenarios: Vec<&str> = naming.iter().map(|it| it.id.0.as_str()).collect();
            scenarios.sort_unstable();
            let lines = naming.iter().map(|it| (it.id.0.as_str(), it.bound_to(id)));
            let lines = lines.map(|(name, lines)| (name, lines.collect::<Vec<_>>()));
            let lines = lines.filter(|(_, lines)| !lines.is_empty()).collect();
            let judges = judges.iter().filter(|judge| judge.covers.contains(&id));
            let judges = judges.map(|judge| judge.name).collect();
            Row {
                requirement,
                scenarios,
                lines,
                judges,
            }
        };
        let rows = catalogue.iter().filter(|one| wanted(one)).map(row);
        let (server, client) =
            rows.partition(|row| row.requirement.side == RequirementSide::Server);
        Self { server, client }
    }

    /// The coverage of the selected requirements on clients by scenarios and rules for clients, each
    /// given by its name and what it covers. [`Self::server`] has the requirements on clients then:
    /// those on the side that is tested.
    #[must_use]
    pub(crate) fn of_clients(
        catalogue: &'a Catalogue,
        scenarios: &[(&'a str, &[String])],
        rules: &[(&'a str, &[&str])],
        wanted: impl Fn(&Requirement) -> bool,
    ) -> Self {
        let row = |requirement: &'a Requirement| {
            let id = requirement.id.as_str();
            let naming = scenarios
                .iter()
                .filter(|(_, covers)| covers.iter().any(|it| it == id));
            let claiming = rules.iter().filter(|(_, covers)| covers.contains(&id));
            Row {
                requirement,
                scenarios: naming.map(|(name, _)| *name).collect(),
                lines: BTreeMap::new(),
                judges: claiming.map(|(name, _)| *name).collect(),
            }
        };
        let on_clients = |one: &&Requirement| one.side == RequirementSide::Client && wanted(one);
        Self {
            server: catalogue.iter().filter(on_clients).map(row).collect(),
            client: Vec::new(),
        }
    }

    /// Whether no threshold is set.
    pub(crate) fn is_empty(&self) -> bool {
        self.server.is_empty() && self.client.is_empty()
    }

    /// The requirements of one level that bind servers, counted.
    pub(crate) fn count(&self, level: Level) -> Count {
        count(&self.server, level)
    }

    /// Requirements on servers, counted by document and level: RFCs by number, then others by name.
    pub(crate) fn by_document(&self) -> Vec<(&'a str, [(Level, Count); 3])> {
        let mut documents: Vec<&str> = Vec::new();
        for row in &self.server {
            let document = row.requirement.document.as_str();
            if !documents.contains(&document) {
                documents.push(document);
            }
        }
        documents.sort_by_key(|document| {
            let number = document.strip_prefix("RFC ");
            let number = number.and_then(|number| number.parse::<u32>().ok());
            (number.is_none(), number, *document)
        });
        let counted = |document: &'a str| {
            let mine = || {
                let rows = self.server.iter();
                rows.filter(|row| row.requirement.document == document)
            };
            (document, LEVELS.map(|level| (level, count(mine(), level))))
        };
        documents.into_iter().map(counted).collect()
    }

    /// The thresholds that are not reached, each with its count.
    pub(crate) fn below(&self, thresholds: &[Threshold]) -> Vec<(Threshold, Count)> {
        thresholds
            .iter()
            .map(|threshold| (*threshold, self.count(threshold.level)))
            .filter(|(threshold, count)| !count.reaches(threshold.percent))
            .collect()
    }
}

fn count<'r, 'a: 'r>(rows: impl IntoIterator<Item = &'r Row<'a>>, level: Level) -> Count {
    let mut count = Count::default();
    for row in rows {
        if row.requirement.level == level {
            count.add(row.standing());
        }
    }
    count
}

/// A level as people write it.
pub(crate) fn word(level: Level) -> &'static str {
    match level {
        Level::Must => "MUST",
        Level::Should => "SHOULD",
        Level::May => "MAY",
        Level::Practice => "PRACTICE",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;
    use crate::judge::JUDGES;
    use crate::scenario::{ScenarioId, parse};
    use crate::suite::Suite;
    use rstest::rstest;
    use std::path::Path;

    const CATALOGUE: &str = r#"
document = "RFC 0"
[[requirement]]
id = "a"
section = "1"
level = "must"
statement = "x"
side = "server"
[[requirement]]
id = "b"
section = "2"
level = "must"
statement = "x"
side = "server"
untestable = "nobody sees the disk"
[[requirement]]
id = "c"
section = "3"
level = "must"
statement = "x"
side = "server"
[[requirement]]
id = "d"
section = "4"
level = "should"
statement = "x"
side = "server"
[[requirement]]
id = "e"
section = "5"
level = "must"
statement = "x"
side = "client"
"#;

    const JUDGE: Judge = Judge {
        name: "judge",
        statement: "",
        impact: "Nobody can log in.",
        clause: "",
        covers: &["a", "c"],
        judge: |_| Vec::new(),
    };

    pub(super) fn with_example<T>(look: impl FnOnce(&Coverage<'_>) -> T) -> T {
        let catalogue = Catalogue::read([("a.toml".to_owned(), CATALOGUE)]).unwrap();
        let text = "+++\ntitle = \"t\"\ncites = [\"RFC 0 §1\"]\ncovers = [\"a\"]\nlevel = \"must\"\n+++\n> NOOP\n< 200\n";
        let scenario = |name: &str, more: &str| {
            let text = format!("{text}{more}");
            parse(ScenarioId::of_path(Path::new(name)), &text).unwrap()
        };
        let scenarios = [
            scenario("rfc0/z.ftpt", ""),
            scenario("rfc0/y.ftpt", "!about a\n@alive\n!about a\n"),
        ];
        look(&Coverage::of(&catalogue, &scenarios, &[JUDGE], |_| true))
    }

    #[test]
    fn a_requirement_is_covered_by_scenarios_or_judges_or_says_why_not_or_is_open() {
        with_example(|coverage| {
            let standings: Vec<Standing> = coverage.server.iter().map(Row::standing).collect();
            use Standing::{Judge, Open, Scenario, Untestable};
            assert_eq!(standings, [Scenario, Untestable, Judge, Open]);
            assert_eq!(coverage.server[0].scenarios, ["rfc0/y", "rfc0/z"]);
            assert_eq!(coverage.server[0].judges, ["judge"]);
            let must = coverage.count(Level::Must);
            assert_eq!((must.all, must.covered(), must.testable()), (3, 2, 2));
            assert_eq!(coverage.client.len(), 1);
            assert_eq!(coverage.by_document().len(), 1);
        });
    }

    #[test]
    fn a_threshold_is_about_what_can_be_tested() {
        with_example(|coverage| {
            let of = |text: &str| coverage.below(&[text.parse().unwrap()]).len();
            assert_eq!((of("must=100"), of("should=1"), of("should=0")), (0, 1, 0));
            assert_eq!(of("may=100"), 0, "of nothing everything is covered");
        });
        let third = Count {
            all: 3,
            scenario: 2,
            open: 1,
            ..Count::default()
        };
        assert!(third.reaches(66) && !third.reaches(67));
    }

    #[rstest]
    #[case("must=95", Some((Level::Must, 95)))]
    #[case("SHOULD=0", Some((Level::Should, 0)))]
    #[case("must=101", None)]
    #[case("must", None)]
    #[case("practice=1", None)]
    fn a_threshold_is_a_level_and_a_percentage(
        #[case] text: &str,
        #[case] expected: Option<(Level, u8)>,
    ) {
        let read = text.parse::<Threshold>().ok();
        assert_eq!(read.map(|read| (read.level, read.percent)), expected);
    }

    #[test]
    fn documents_are_sorted_as_people_would() {
        let coverage = Coverage::of(Catalogue::built_in(), &[], JUDGES, |_| true);
        let documents: Vec<&str> = coverage.by_document().iter().map(|row| row.0).collect();
        assert_eq!(documents[..3], ["RFC 854", "RFC 959", "RFC 1123"]);
        assert_eq!(documents.last(), Some(&"vendor practice"));
    }

    #[test]
    fn every_requirement_is_counted_and_nothing_covered_is_called_untestable() {
        let (catalogue, suite) = (Catalogue::built_in(), Suite::embedded());
        let coverage = Coverage::of(catalogue, &suite.scenarios, JUDGES, |_| true);
        let counted: usize = LEVELS.map(|level| coverage.count(level).all).iter().sum();
        assert_eq!(counted, coverage.server.len());
        for row in coverage.server.iter().chain(&coverage.client) {
            let covered = !row.scenarios.is_empty() || !row.judges.is_empty();
            let id = &row.requirement.id;
            assert!(
                !covered || row.requirement.untestable.is_none(),
                "{id} is covered by {:?} {:?}: take its `untestable` away",
                row.scenarios,
                row.judges
            );
        }
    }
}
