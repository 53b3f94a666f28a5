//! The names of connections, and how data connections are prepared.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The label of a control connection; the main one is `main`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Connection(pub String);

impl Connection {
    /// The main control connection.
    #[must_use]
    pub fn main() -> Self {
        Self("main".into())
    }

    /// The runner's own connection, for preparation and clean-up.
    #[must_use]
    pub fn runner() -> Self {
        Self("runner".into())
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a data connection is prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataMode {
    /// RFC 959 §4.1.2, passive.
    Pasv,
    /// RFC 2428 §3, passive.
    Epsv,
    /// RFC 959 §4.1.2, active.
    Port,
    /// RFC 2428 §2, active.
    Eprt,
}

impl DataMode {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Pasv, Self::Epsv, Self::Port, Self::Eprt];

    /// The command that prepares the data connection.
    #[must_use]
    pub fn verb(self) -> &'static str {
        match self {
            Self::Pasv => "PASV",
            Self::Epsv => "EPSV",
            Self::Port => "PORT",
            Self::Eprt => "EPRT",
        }
    }

    /// The mode that this command prepares, whatever the case of its letters.
    pub(crate) fn of(verb: &str) -> Option<Self> {
        let mut modes = Self::ALL.into_iter();
        modes.find(|mode| mode.verb().eq_ignore_ascii_case(verb))
    }
}

impl fmt::Display for DataMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())
    }
}
