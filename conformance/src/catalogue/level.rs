//! How binding a requirement is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// RFC 2119 levels, and common practice.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Broken: FAIL.
    Must,
    /// Broken: WARN.
    Should,
    /// Not followed: NOTE.
    May,
    /// Not in any RFC, but what clients rely on. Not followed: NOTE.
    Practice,
}

impl Level {
    /// As it is written in scenarios and in the catalogue.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::May => "may",
            Self::Practice => "practice",
        }
    }
}
