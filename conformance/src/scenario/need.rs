//! What a scenario needs of the server under test.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a scenario or a variant needs; its text is that of the front matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Need {
    /// A FEAT label or a verb.
    Feature(String),
    /// TLS after AUTH TLS.
    Tls,
    /// An IPv6 address.
    Ipv6,
    /// A target that is named by a host name, not by an address.
    ServerName,
    /// A user whose password is checked.
    OwnPassword,
}

impl Need {
    /// The needs that are neither a FEAT label nor a verb.
    pub const OTHERS: [Self; 4] = [Self::Tls, Self::Ipv6, Self::ServerName, Self::OwnPassword];

    /// The text of the front matter.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Feature(label) => label,
            Self::Tls => "TLS",
            Self::Ipv6 => "ipv6",
            Self::ServerName => "server-name",
            Self::OwnPassword => "own-password",
        }
    }

    /// The label under which FEAT lists it (RFC 4217 §6; MLST also lists MLSD, RFC 3659 §7.8).
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::Tls => "AUTH TLS",
            Self::Feature(label) if label.eq_ignore_ascii_case("MLSD") => "MLST",
            other => other.as_str(),
        }
    }

    /// Its verb and the parameter of that verb; `None` if it is decided by the target's address or
    /// user.
    #[must_use]
    pub fn command(&self) -> Option<(&str, Option<&str>)> {
        let label = match self {
            Self::Feature(label) => label,
            Self::Tls => "AUTH TLS",
            Self::Ipv6 | Self::ServerName | Self::OwnPassword => return None,
        };
        let (verb, parameter) = match label.split_once(' ') {
            Some((verb, rest)) => (verb, Some(rest)),
            None => (label, None),
        };
        // `REST STREAM` and similar needs name a feature, not the argument of a command.
        let takes = matches!(verb, "MODE" | "TYPE" | "STRU" | "AUTH" | "PROT" | "OPTS");
        Some((verb, parameter.filter(|_| takes)))
    }
}

impl From<String> for Need {
    fn from(text: String) -> Self {
        let mut others = Self::OTHERS.into_iter();
        let other = others.find(|need| need.as_str() == text);
        other.unwrap_or(Self::Feature(text))
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&str> for Need {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<Need> for String {
    fn from(need: Need) -> Self {
        need.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("TLS", "AUTH TLS", Some(("AUTH", Some("TLS"))))]
    #[case("mlsd", "MLST", Some(("mlsd", None)))]
    #[case("MODE Z", "MODE Z", Some(("MODE", Some("Z"))))]
    #[case("REST STREAM", "REST STREAM", Some(("REST", None)))]
    #[case("ipv6", "ipv6", None)]
    #[case("server-name", "server-name", None)]
    #[case("own-password", "own-password", None)]
    fn a_need_has_a_label_and_a_command(
        #[case] text: &str,
        #[case] label: &str,
        #[case] command: Option<(&str, Option<&str>)>,
    ) {
        let need = Need::from(text);
        assert_eq!((need.label(), need.command()), (label, command));
        assert_eq!(need.to_string(), text);
    }
}
