//! The name of a command that is to be disabled.

use std::fmt;
use std::str::FromStr;

use crate::fault::nearest;
use crate::wire::{SERVICES, Service, VERBS, Verb};

/// A verb, or one service of SITE, that is to be disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledCommand {
    /// A verb: it is answered 502, and FEAT, HELP and SITE HELP do not name it.
    Verb(Verb),
    /// A service of SITE, written `SITE CHMOD`: it is answered 501.
    Service(Service),
}

/// A name that is not a verb and not a service of SITE.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no verb {name:?}{}", .suggestion.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
pub struct UnknownCommandError {
    name: String,
    suggestion: Option<&'static str>,
}

impl FromStr for DisabledCommand {
    type Err = UnknownCommandError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let upper = text.to_ascii_uppercase();
        let (found, suggestion) = match upper.strip_prefix("SITE ") {
            Some(name) => (
                Service::named(name.as_bytes()).map(Self::Service),
                nearest(name, SERVICES.iter().map(|row| row.name)),
            ),
            None => (
                Verb::named(upper.as_bytes()).map(Self::Verb),
                nearest(&upper, VERBS.iter().map(|row| row.name)),
            ),
        };
        found.ok_or_else(|| UnknownCommandError {
            name: text.to_owned(),
            suggestion,
        })
    }
}

impl fmt::Display for DisabledCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verb(verb) => f.write_str(verb.row().name),
            Self::Service(service) => write!(f, "SITE {}", service.row().name),
        }
    }
}
