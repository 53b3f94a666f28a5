//! Frozen sets: named, versioned lists of scenarios that mean the same tomorrow as today.

use crate::scenario::{DriverKind, Scenario, Step};
use crate::suite::{Suite, embedded_sets};
use crate::text::{hexadecimal, joined};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::LazyLock;

/// No list of ours is as long.
const FILE_LIMIT: u64 = 16 << 20;

/// A named list of scenarios. Its name ends in its version, `core-1`; another list or a changed
/// scenario is another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrozenSet {
    /// Its name: that of its file without the ending.
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// What is in it, and why.
    pub about: String,
    /// The ids, each with the digest its scenario had when the set was made.
    pub scenarios: BTreeMap<String, String>,
}

/// What `scenarios/sets/*.toml` holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    about: String,
    scenarios: BTreeMap<String, String>,
}

/// Why a text is no set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetError {
    /// It is not the TOML of a set.
    #[error("set {0}: {1}")]
    Toml(String, #[source] Box<toml::de::Error>),
    /// A name without a version.
    #[error("set {0}: the name does not end in a version, as `{0}-1` does")]
    NoVersion(String),
    /// Nothing in it.
    #[error("set {0}: there is no scenario in it")]
    Empty(String),
}

/// How a set is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thawed {
    /// The scenario is not in the suite.
    Missing(String),
    /// The scenario does not ask what it asked.
    Changed {
        scenario: String,
        /// Its digest now.
        now: String,
    },
}

impl fmt::Display for Thawed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(scenario) => write!(f, "{scenario} is not in the suite any more"),
            Self::Changed { scenario, now } => {
                write!(
                    f,
                    "{scenario} does not ask what it asked; its digest is {now} now"
                )
            }
        }
    }
}

impl FrozenSet {
    /// Reads a set; the name is that of its file without the ending.
    ///
    /// # Errors
    /// A text that is no set, a name without a version, a set of nothing.
    pub(crate) fn read(name: &str, text: &str) -> Result<Self, SetError> {
        let file: Written =
            toml::from_str(text).map_err(|error| SetError::Toml(name.into(), Box::new(error)))?;
        let version = name.rsplit_once('-').map_or("", |(_, version)| version);
        if version.parse::<u32>().is_err() {
            return Err(SetError::NoVersion(name.into()));
        }
        if file.scenarios.is_empty() {
            return Err(SetError::Empty(name.into()));
        }
        Ok(Self {
            name: name.into(),
            title: file.title,
            about: file.about,
            scenarios: file.scenarios,
        })
    }

    /// The sets inside the binary, by name.
    pub(crate) fn built_in() -> &'static BTreeMap<String, Self> {
        static SETS: LazyLock<BTreeMap<String, FrozenSet>> = LazyLock::new(|| {
            let sets = embedded_sets().into_iter().map(|(name, text)| {
                let set = FrozenSet::read(&name, text).expect("a test reads every set");
                (name, set)
            });
            sets.collect()
        });
        &SETS
    }

    /// The set of this name, or in this file (`….toml`).
    ///
    /// # Errors
    /// In words, with the names there are.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        if let Some(path) = name.ends_with(".toml").then(|| Path::new(name)) {
            let read = |path: &Path| {
                let mut text = String::new();
                File::open(path)?
                    .take(FILE_LIMIT)
                    .read_to_string(&mut text)?;
                io::Result::Ok(text)
            };
            let text = read(path).map_err(|error| format!("{name}: {error}"))?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            return Self::read(&stem, &text).map_err(|error| error.to_string());
        }
        Self::built_in().get(name).cloned().ok_or_else(|| {
            let names: Vec<_> = Self::built_in().keys().map(String::as_str).collect();
            format!(
                "set: there is no set `{name}`; there are {}, and files *.toml",
                names.join(", ")
            )
        })
    }

    /// How it is not what it was, given these scenarios; empty if it is.
    pub(crate) fn thawed(&self, suite: &Suite) -> Vec<Thawed> {
        let looked = self.scenarios.iter().map(|(id, frozen)| {
            let Some(scenario) = suite.get(id) else {
                return Some(Thawed::Missing(id.clone()));
            };
            let now = digest(scenario);
            (now != *frozen).then(|| Thawed::Changed {
                scenario: id.clone(),
                now,
            })
        });
        looked.flatten().collect()
    }

    pub(crate) fn ids(&self) -> BTreeSet<&str> {
        self.scenarios.keys().map(String::as_str).collect()
    }
}

/// A set of these scenarios as the TOML of a new file, to be given its title.
pub(crate) fn freeze<'a>(scenarios: impl IntoIterator<Item = &'a Scenario>) -> String {
    let mut text = "title = \"\"\nabout = \"\"\n\n[scenarios]\n".to_owned();
    for scenario in scenarios {
        text.push_str(&format!("\"{}\" = \"{}\"\n", scenario.id, digest(scenario)));
    }
    text
}

/// The first half of a SHA-256 of everything that decides what a scenario asks and what its answer
/// is worth: the statements in canonical form and the front matter they are played by, but no
/// comment, title or clause.
pub(crate) fn digest(scenario: &Scenario) -> String {
    let about = &scenario.about;
    let drivers: Vec<_> = about
        .drivers
        .iter()
        .map(|driver| match driver {
            DriverKind::Raw => "raw",
            DriverKind::Suppaftp => "suppaftp",
            DriverKind::ClientUnderTest => "client",
        })
        .collect();
    let mut text = format!(
        "level {}\nneeds {}\naxes {}{}\nlogin {}\nbarrier {}\ndrivers {}\nprofile {}\n",
        about.level.word(),
        joined(&about.needs),
        if about.axes.data { "data " } else { "" },
        if about.axes.tls { "tls" } else { "" },
        about.login,
        about.barrier,
        drivers.join(" "),
        about.profile.as_deref().unwrap_or_default(),
    );
    for statement in scenario.steps.iter().map(Step::to_string) {
        text.push_str(&statement);
        text.push('\n');
    }
    hexadecimal(&Sha256::digest(text.as_bytes())[..16])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::scenario::{ScenarioId, parse};
    use rstest::rstest;

    #[test]
    fn a_frozen_set_is_what_it_was() {
        let suite = Suite::embedded();
        assert!(FrozenSet::built_in().len() >= 3);
        for (name, set) in FrozenSet::built_in() {
            let thawed = set.thawed(&suite);
            let lines: Vec<_> = thawed.iter().map(Thawed::to_string).collect();
            assert!(
                lines.is_empty(),
                "scenarios/sets/{name}.toml is frozen; make a new version of it beside (`ftpspec list --freeze`), or \
                 put these back:\n{}",
                lines.join("\n")
            );
            assert!(!set.title.is_empty() && !set.about.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_set_holds_nothing_that_is_only_played_when_asked_for() {
        let suite = Suite::embedded();
        for set in FrozenSet::built_in().values() {
            for id in set.ids() {
                let profile = &suite.get(id).unwrap().about.profile;
                assert_eq!(*profile, None, "{}: {id}", set.name);
            }
        }
    }

    fn scenario(front: &str, steps: &str) -> Scenario {
        let level = if front.contains("level") {
            ""
        } else {
            "level = \"must\"\n"
        };
        let text = format!(
            "+++\ntitle = \"A claim\"\ncites = [\"RFC 959 §5.4\"]\ncovers = [\"a\"]\n{level}{front}\n+++\n{steps}"
        );
        parse(ScenarioId("rfc959/a".into()), &text).unwrap()
    }

    #[rstest]
    #[case::comment("", "# why\n> NOOP\n\n<   200\n", true)]
    #[case::title_aside("needs = []", "> NOOP\n< 200\n", true)]
    #[case::other_code("", "> NOOP\n< 200 | 250\n", false)]
    #[case::other_command("", "> SYST\n< 200\n", false)]
    #[case::one_more("", "> NOOP\n< 200\n@alive\n", false)]
    #[case::level("level = \"should\"", "> NOOP\n< 200\n", false)]
    #[case::needs("needs = [\"HASH\"]", "> NOOP\n< 200\n", false)]
    #[case::axes("axes = [\"tls\"]", "> NOOP\n< 200\n", false)]
    #[case::login("login = false", "> NOOP\n< 200\n", false)]
    #[case::barrier("barrier = false", "> NOOP\n< 200\n", false)]
    fn the_digest_is_of_what_is_asked_and_not_of_how_it_is_laid_out(
        #[case] front: &str,
        #[case] steps: &str,
        #[case] same: bool,
    ) {
        let frozen = digest(&scenario("", "> NOOP\n< 200\n"));
        assert_eq!(frozen.len(), 32);
        assert_eq!(digest(&scenario(front, steps)) == frozen, same);
    }

    #[test]
    fn a_changed_and_a_missing_scenario_are_noticed() {
        let frozen = scenario("", "> NOOP\n< 200\n");
        let text = freeze([&frozen]).replace("\"rfc959/a\"", "\"rfc959/b\" = \"x\"\n\"rfc959/a\"");
        let set = FrozenSet::read("some-1", &text).unwrap();
        let suite = |scenario| Suite {
            scenarios: vec![scenario],
            ..Suite::default()
        };
        let missing = Thawed::Missing("rfc959/b".into());
        assert_eq!(set.thawed(&suite(frozen)), std::slice::from_ref(&missing));
        let changed = scenario("", "> NOOP\n< 2yz\n");
        let now = digest(&changed);
        let changed_now = Thawed::Changed {
            scenario: "rfc959/a".into(),
            now,
        };
        assert_eq!(set.thawed(&suite(changed)), [changed_now, missing]);
    }

    #[rstest]
    #[case(
        "core",
        "title = \"a\"\nabout = \"b\"\n[scenarios]\n\"a\" = \"b\"\n",
        "does not end in a version"
    )]
    #[case(
        "core-1",
        "title = \"a\"\nabout = \"b\"\n[scenarios]\n",
        "there is no scenario in it"
    )]
    #[case("core-1", "title = \"a\"\n", "missing field")]
    #[case("core-1", "title = 1 2", "set core-1: ")]
    fn what_is_no_set_says_why(#[case] name: &str, #[case] text: &str, #[case] why: &str) {
        let error = FrozenSet::read(name, text).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
