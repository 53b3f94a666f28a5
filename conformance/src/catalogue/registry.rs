//! The registry of commands: syntax, level and replies of each, as the RFCs give them.

use super::CatalogueError;
use super::Level;
use serde::Deserialize;
use std::sync::LazyLock;

/// Every command of the RFCs, and the rules for all commands.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// Codes any command may be answered with.
    pub general: Vec<General>,
    /// The replies to a new control connection.
    pub greeting: Greeting,
    /// The commands, in the order of their documents.
    #[serde(rename = "command")]
    pub commands: Vec<CommandRecord>,
}

/// Codes any command may be answered with, and the clause that says so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct General {
    /// The codes.
    pub codes: Vec<u16>,
    /// The clause.
    pub source: String,
}

/// The replies to a new control connection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Greeting {
    /// 1yz that may come first.
    pub preliminary: Vec<u16>,
    /// 2yz.
    pub success: Vec<u16>,
    /// 4yz and 5yz.
    pub refusal: Vec<u16>,
    /// The clause.
    pub source: String,
}

/// One command. `scenarios/registry.toml` explains each field.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRecord {
    pub verb: String,
    pub syntax: String,
    pub sources: Vec<String>,
    pub kind: Kind,
    pub level: Level,
    pub level_source: String,
    pub feat: Option<String>,
    #[serde(default)]
    pub preliminary: Vec<u16>,
    #[serde(default)]
    pub during: Vec<u16>,
    #[serde(default)]
    pub success: Vec<u16>,
    #[serde(default)]
    pub intermediate: Vec<u16>,
    #[serde(default)]
    pub after: Vec<u16>,
    #[serde(default)]
    pub refusal: Vec<u16>,
    #[serde(default)]
    pub any: Vec<u16>,
    #[serde(default)]
    pub secondary: Vec<Secondary>,
}

/// Codes outside a command's row that another clause gives.
pub(crate) type Secondary = General;

/// The three groups of RFC 959 §4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Access,
    Parameter,
    Service,
}

/// How a code relates to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In the command's row.
    Primary,
    /// Not in the row, but another clause gives it.
    Secondary,
    /// In no list, but its first digit is one the command can be answered with.
    OtherCode,
    /// Its first digit is none the command can be answered with.
    WrongClass,
}

/// The replies to a command or a new control connection.
#[derive(Debug, Clone)]
pub struct CodeRule<'a> {
    row: Vec<u16>,
    secondary: Vec<u16>,
    any: &'a [u16],
    /// The clause of the row.
    pub source: &'a str,
}

impl Registry {
    /// The registry inside the binary.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
            Registry::read(include_str!("../../../scenarios/registry.toml"))
                .expect("the registry in the binary is tested")
        });
        &REGISTRY
    }

    /// Reads the text of a registry.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, CatalogueError> {
        toml::from_str(text).map_err(|error| CatalogueError {
            file: "registry.toml".into(),
            problem: error.to_string(),
        })
    }

    /// A command by its verb, in any case.
    #[must_use]
    pub fn get(&self, verb: &str) -> Option<&CommandRecord> {
        self.commands
            .iter()
            .find(|entry| entry.verb.eq_ignore_ascii_case(verb))
    }

    /// Whether a reply with this code says that the command is not implemented: 500 and 502, and
    /// 202 (RFC 959 §4.2.2) where it is not in the command's own row.
    #[must_use]
    pub fn says_not_implemented(&self, verb: &str, code: u16) -> bool {
        let in_row = |entry: &CommandRecord| entry.success.contains(&code);
        matches!(code, 500 | 502) || code == 202 && !self.get(verb).is_some_and(in_row)
    }

    /// Every verb.
    pub fn verbs(&self) -> impl Iterator<Item = &str> {
        self.commands.iter().map(|entry| entry.verb.as_str())
    }

    /// The replies to this command; `None` if no document defines it.
    #[must_use]
    pub fn rule(&self, verb: &str) -> Option<CodeRule<'_>> {
        let entry = self.get(verb)?;
        let lists = [
            &entry.preliminary,
            &entry.during,
            &entry.success,
            &entry.intermediate,
            &entry.after,
            &entry.refusal,
        ];
        let secondary = entry.secondary.iter().chain(&self.general);
        Some(CodeRule {
            row: lists.into_iter().flatten().copied().collect(),
            secondary: secondary
                .flat_map(|group| group.codes.iter().copied())
                .collect(),
            any: &entry.any,
            source: entry.sources.last().map_or("RFC 959 §5.4", String::as_str),
        })
    }

    /// The replies to a new control connection.
    #[must_use]
    pub fn greeting_rule(&self) -> CodeRule<'_> {
        let lists = [
            &self.greeting.preliminary,
            &self.greeting.success,
            &self.greeting.refusal,
        ];
        CodeRule {
            row: lists.into_iter().flatten().copied().collect(),
            secondary: Vec::new(),
            any: &[],
            source: &self.greeting.source,
        }
    }
}

impl CodeRule<'_> {
    /// How a code relates to it.
    #[must_use]
    pub fn standing(&self, code: u16) -> Standing {
        let class = code / 100;
        if self.row.contains(&code) {
            Standing::Primary
        } else if self.secondary.contains(&code) || self.any.contains(&class) {
            Standing::Secondary
        } else if self
            .row
            .iter()
            .chain(&self.secondary)
            .any(|known| known / 100 == class)
        {
            Standing::OtherCode
        } else {
            Standing::WrongClass
        }
    }

    /// The codes of the row, as people write them.
    #[must_use]
    pub fn shown(&self) -> String {
        let codes: Vec<String> = self.row.iter().map(u16::to_string).collect();
        codes.join(", ")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use rstest::rstest;
    use std::collections::BTreeSet;

    #[test]
    fn the_registry_in_the_binary_is_sound() {
        let registry = Registry::built_in();
        let verbs: BTreeSet<&str> = registry.verbs().collect();
        assert_eq!(
            verbs.len(),
            registry.commands.len(),
            "a verb is there twice"
        );
        for entry in &registry.commands {
            assert!(entry.syntax.starts_with(&entry.verb), "{}", entry.verb);
            assert!(!entry.sources.is_empty(), "{}", entry.verb);
            let all = registry.rule(&entry.verb).unwrap();
            assert!(
                all.row.iter().all(|code| (100..700).contains(code)),
                "{}",
                entry.verb
            );
            for (list, classes) in [
                (&entry.preliminary, 1..=1),
                (&entry.during, 1..=1),
                (&entry.success, 2..=6),
                (&entry.intermediate, 3..=3),
                (&entry.after, 4..=5),
                (&entry.refusal, 4..=5),
            ] {
                let wrong = list.iter().find(|code| !classes.contains(&(**code / 100)));
                assert_eq!(wrong, None, "{}", entry.verb);
            }
            for group in &entry.secondary {
                let twice = group.codes.iter().find(|code| all.row.contains(code));
                assert_eq!(
                    twice, None,
                    "{}: a secondary code is in the row",
                    entry.verb
                );
            }
        }
    }

    #[rstest]
    #[case("NOOP", 200, Standing::Primary)]
    #[case("noop", 530, Standing::Secondary)]
    #[case("NOOP", 250, Standing::OtherCode)]
    #[case("NOOP", 331, Standing::WrongClass)]
    #[case("STOR", 150, Standing::Primary)]
    #[case("STOR", 550, Standing::Secondary)]
    #[case("RNFR", 250, Standing::WrongClass)]
    #[case("RNFR", 350, Standing::Primary)]
    #[case("MDTM", 456, Standing::Secondary)]
    #[case("CDUP", 250, Standing::Secondary)]
    fn a_code_is_in_the_row_or_in_another_clause_or_wrong(
        #[case] verb: &str,
        #[case] code: u16,
        #[case] standing: Standing,
    ) {
        assert_eq!(
            Registry::built_in().rule(verb).unwrap().standing(code),
            standing
        );
    }

    #[test]
    fn no_document_says_anything_about_an_unknown_verb() {
        assert!(Registry::built_in().rule("XYZZY").is_none());
    }
}
