//! The summary of FTP requirements (RFC 1123 §4.1.5), as far as it binds servers.

use super::CatalogueError;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// The table of RFC 1123 §4.1.5: its headings, and its rows below them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequirementsSummary {
    /// In the order of the table.
    #[serde(rename = "group")]
    pub groups: Vec<SummaryGroup>,
}

/// The rows below one heading.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SummaryGroup {
    /// The common fields of the rows.
    pub heading: String,
    /// In the order of the table.
    pub rows: Vec<SummaryRow>,
}

/// One row of the table. `scenarios/rfc1123-table.toml` explains each field.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SummaryRow {
    pub feature: String,
    pub section: String,
    pub level: SummaryLevel,
    #[serde(default)]
    pub requirements: Vec<String>,
    #[serde(default)]
    pub judges: Vec<String>,
    pub command: Option<String>,
    pub only_where: Option<String>,
    pub unseen: Option<String>,
}

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SummaryLevel {
    Must,
    Should,
    May,
    ShouldNot,
    MustNot,
}

impl SummaryLevel {
    /// As RFC 2119 writes it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
            Self::ShouldNot => "SHOULD NOT",
            Self::MustNot => "MUST NOT",
        }
    }
}

impl RequirementsSummary {
    /// The table inside the binary.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub(crate) fn built_in() -> &'static Self {
        static SUMMARY: LazyLock<RequirementsSummary> = LazyLock::new(|| {
            RequirementsSummary::read(include_str!("../../../scenarios/rfc1123-table.toml"))
                .expect("the table in the binary is tested")
        });
        &SUMMARY
    }

    /// Reads the text of a table.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, CatalogueError> {
        toml::from_str(text).map_err(|error| CatalogueError {
            file: "rfc1123-table.toml".into(),
            problem: error.to_string(),
        })
    }
}

impl SummaryRow {
    /// The section with its document.
    pub(crate) fn clause(&self) -> String {
        if self.section.starts_with(|c: char| c.is_ascii_digit()) {
            format!("RFC 1123 §{}", self.section)
        } else {
            self.section.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Catalogue, Registry, RequirementSide};
    use crate::judge::JUDGES;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_of_the_table_is_answered_by_requirements_or_says_why_not() {
        let (catalogue, registry) = (Catalogue::built_in(), Registry::built_in());
        let mut seen = BTreeSet::new();
        for group in &RequirementsSummary::built_in().groups {
            for row in &group.rows {
                let feature = &row.feature;
                assert!(
                    seen.insert((&group.heading, feature)),
                    "{feature} is there twice"
                );
                assert!(
                    !row.requirements.is_empty() || row.unseen.is_some(),
                    "{feature} has no requirement and no reason"
                );
                for id in &row.requirements {
                    let side = catalogue.get(id).map(|requirement| requirement.side);
                    assert_eq!(side, Some(RequirementSide::Server), "{feature}: {id}");
                }
                for judge in &row.judges {
                    assert!(
                        JUDGES.iter().any(|known| known.name == judge),
                        "{feature}: {judge}"
                    );
                }
                if let Some(verb) = &row.command {
                    assert!(registry.get(verb).is_some(), "{feature}: {verb}");
                }
            }
        }
    }

    #[test]
    fn the_table_has_every_row_of_the_rfc_that_binds_servers() {
        let rows: Vec<usize> = RequirementsSummary::built_in()
            .groups
            .iter()
            .map(|group| group.rows.len())
            .collect();
        assert_eq!(rows, [19, 7, 2, 3, 33]);
        let row = RequirementsSummary::built_in()
            .groups
            .iter()
            .flat_map(|group| &group.rows)
            .find(|row| row.feature == "SMNT");
        assert_eq!(
            row.map(SummaryRow::clause).as_deref(),
            Some("RFC 959 §5.3.1")
        );
    }
}
