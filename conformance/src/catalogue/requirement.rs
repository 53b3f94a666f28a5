//! The requirement catalogue: every rule of the RFCs a scenario can cover, by id.

use super::{CatalogueError, Level};
use include_dir::{Dir, include_dir};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../scenarios/requirements");

/// One rule, in our words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// Its id, as in the `covers` of scenarios.
    pub id: String,
    /// The clause, as in `RFC 959 §5.4`.
    pub clause: String,
    /// The document alone, as in `RFC 959`.
    pub document: String,
    /// How binding it is.
    pub level: Level,
    /// The condition under which it applies.
    pub gate: Gate,
    /// The verbs it is about; `(connect)`, `(all)` and the like where it is about no verb.
    pub commands: Vec<String>,
    /// The rule, in our words.
    pub statement: String,
    /// Whom it binds.
    pub side: RequirementSide,
    /// Why no external test can decide it; only for untestable requirements.
    pub untestable: Option<String>,
    /// Why every scenario that covers it reports a failure at a lower level, for those where that
    /// is so.
    pub weaker: Option<String>,
}

/// The condition under which a requirement applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    /// It always applies.
    Always,
    /// It applies when FEAT has this label, or the verb is there.
    Feature(String),
}

/// Whom a requirement binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RequirementSide {
    /// The server-FTP process.
    Server,
    /// The user-FTP process.
    Client,
}

/// Every requirement, in the order of the documents.
#[derive(Debug, Clone, Default)]
pub(crate) struct Catalogue {
    requirements: Vec<Requirement>,
    by_id: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    document: String,
    #[serde(default)]
    requirement: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    section: String,
    level: Level,
    #[serde(default)]
    gate: String,
    #[serde(default)]
    commands: Vec<String>,
    statement: String,
    side: RequirementSide,
    untestable: Option<String>,
    weaker: Option<String>,
}

impl Catalogue {
    /// The catalogue inside the binary.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub(crate) fn built_in() -> &'static Self {
        static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
            let files = FILES.files().filter_map(|file| {
                let name = file.path().to_string_lossy().into_owned();
                Some((name, file.contents_utf8()?))
            });
            Catalogue::read(files).expect("the catalogue in the binary is tested")
        });
        &CATALOGUE
    }

    /// Reads files, given as name and text; others than `.toml` are passed over.
    ///
    /// # Errors
    /// The first file that is not a catalogue, a duplicate id, or an `untestable` without a reason.
    pub(crate) fn read<'a>(
        files: impl IntoIterator<Item = (String, &'a str)>,
    ) -> Result<Self, CatalogueError> {
        let mut files: Vec<_> = files
            .into_iter()
            .filter(|(name, _)| name.ends_with(".toml"))
            .collect();
        files.sort();
        let mut catalogue = Self::default();
        for (name, text) in files {
            let wrong = |problem: String| CatalogueError {
                file: name.clone(),
                problem,
            };
            let file: File = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
            for row in file.requirement {
                let id = row.id.clone();
                if row
                    .untestable
                    .as_ref()
                    .is_some_and(|reason| reason.trim().is_empty())
                {
                    return Err(wrong(format!(
                        "requirement `{id}` is untestable without a reason"
                    )));
                }
                let at = catalogue.requirements.len();
                if catalogue.by_id.insert(id.clone(), at).is_some() {
                    return Err(wrong(format!("requirement `{id}` is there twice")));
                }
                catalogue.requirements.push(row.in_document(&file.document));
            }
        }
        Ok(catalogue)
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Requirement> {
        self.by_id.get(id).map(|at| &self.requirements[*at])
    }

    /// The verbs these requirements are about, sorted, each once. Ids that are not here are passed
    /// over.
    pub(crate) fn commands(&self, ids: &[String]) -> Vec<String> {
        let about = ids.iter().filter_map(|id| self.get(id));
        let verbs = about.flat_map(|requirement| &requirement.commands);
        // `(connect)`, `(all)` and similar words are not verbs.
        let verbs = verbs.filter(|verb| !verb.starts_with('('));
        verbs
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// Every requirement, file by file, in the order of the documents.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Requirement> {
        self.requirements.iter()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }
}

impl Row {
    fn in_document(self, document: &str) -> Requirement {
        let clause = match self.section.as_str() {
            "" | "-" => document.to_owned(),
            section if section.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("{document} §{section}")
            }
            section => format!("{document} {section}"),
        };
        let gate = match self.gate.as_str() {
            "" | "-" => Gate::Always,
            feature => Gate::Feature(feature.to_owned()),
        };
        Requirement {
            id: self.id,
            clause,
            document: document.to_owned(),
            level: self.level,
            gate,
            commands: self.commands,
            statement: self.statement,
            side: self.side,
            untestable: self.untestable,
            weaker: self.weaker,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    #[test]
    fn the_catalogue_in_the_binary_can_be_read_and_names_clauses() {
        let catalogue = Catalogue::built_in();
        let greeting = catalogue.get("959-5.4-greeting-code").unwrap();
        assert_eq!(greeting.clause, "RFC 959 §5.4");
        assert_eq!(
            (greeting.level, &greeting.gate),
            (Level::Must, &Gate::Always)
        );
        assert!(catalogue.iter().count() > 700);
        for requirement in catalogue.iter() {
            assert!(
                !requirement.statement.is_empty(),
                "{} says nothing",
                requirement.id
            );
            assert!(!requirement.clause.contains("§§"), "{}", requirement.clause);
        }
    }

    #[test]
    fn what_cannot_be_tested_says_why() {
        let text = |reason: &str| {
            format!(
                "document='RFC 0'\n[[requirement]]\nid='a'\nsection='1'\nlevel='must'\nstatement='x'\nside='server'\nuntestable='{reason}'\n"
            )
        };
        let read = |text: &str| Catalogue::read([("a.toml".to_owned(), text)]);
        let error = read(&text(" ")).unwrap_err().to_string();
        assert_eq!(
            error,
            "a.toml: requirement `a` is untestable without a reason"
        );
        let catalogue = read(&text("the disk is not seen")).unwrap();
        let reason = catalogue.get("a").unwrap().untestable.as_deref();
        assert_eq!(reason, Some("the disk is not seen"));
    }

    #[test]
    fn an_id_that_is_there_twice_is_an_error() {
        let row =
            "[[requirement]]\nid='a'\nsection='1'\nlevel='must'\nstatement='x'\nside='server'\n";
        let text = format!("document='RFC 0'\n{row}{row}");
        let error = Catalogue::read([("a.toml".to_owned(), text.as_str())]).unwrap_err();
        assert_eq!(error.to_string(), "a.toml: requirement `a` is there twice");
    }
}
