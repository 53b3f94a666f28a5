//! How a scenario is played: data mode, protection, address family, driver.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{DataMode, DriverKind, Need};

/// How a scenario is played. Shown as `pasv`, `epsv tls`, `epsv ipv6`, `suppaftp`; for a client under
/// test as `passive`, `active tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variant {
    /// How `@data` prepares data connections.
    pub data: DataMode,
    /// What TLS protects.
    pub protection: Protection,
    /// Whether the target is spoken to over IPv6.
    pub ipv6: bool,
    /// Who speaks.
    pub driver: DriverKind,
}

/// What TLS protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// Nothing.
    Clear,
    /// The control connection after AUTH TLS (RFC 4217 §4), and the data connections if wished.
    Explicit {
        /// `PROT P` rather than `PROT C`.
        data_private: bool,
    },
    /// Everything from the first octet on (the deprecated `ftps` port).
    Implicit,
}

/// A scenario in one of its variants; shown as `rfc959/noop-says-200 [epsv tls]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TestCase {
    /// The id of the scenario.
    pub scenario: String,
    /// The variant.
    pub variant: Variant,
}

/// As [`TestCase`] is shown; the scenario alone without a variant.
pub(crate) fn shown_case(scenario: &str, variant: Option<Variant>) -> String {
    match variant {
        Some(variant) => format!("{scenario} [{variant}]"),
        None => scenario.to_owned(),
    }
}

impl fmt::Display for TestCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.scenario, self.variant)
    }
}

impl Variant {
    /// What is played where nothing is asked for: PASV in clear over IPv4 by the raw driver.
    pub const PLAIN: Self = Self {
        data: DataMode::Pasv,
        protection: Protection::Clear,
        ipv6: false,
        driver: DriverKind::Raw,
    };

    /// What it needs of a server besides what its scenario needs.
    pub fn needs(self) -> impl Iterator<Item = Need> {
        let data = match self.data {
            DataMode::Epsv => Some(Need::Feature("EPSV".into())),
            DataMode::Eprt => Some(Need::Feature("EPRT".into())),
            DataMode::Pasv | DataMode::Port => None,
        };
        let tls = matches!(self.protection, Protection::Explicit { .. });
        data.into_iter().chain(tls.then_some(Need::Tls))
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = self.data.verb().to_ascii_lowercase();
        match self.driver {
            DriverKind::Raw => f.write_str(&mode)?,
            DriverKind::Suppaftp if self.data == DataMode::Pasv => f.write_str("suppaftp")?,
            DriverKind::Suppaftp => write!(f, "suppaftp {mode}")?,
            DriverKind::ClientUnderTest => f.write_str(match self.data {
                DataMode::Pasv | DataMode::Epsv => "passive",
                DataMode::Port | DataMode::Eprt => "active",
            })?,
        }
        match self.protection {
            Protection::Clear => {}
            Protection::Explicit { data_private: true } => f.write_str(" tls")?,
            Protection::Explicit {
                data_private: false,
            } => f.write_str(" tls-control")?,
            Protection::Implicit => f.write_str(" implicit")?,
        }
        if self.ipv6 {
            f.write_str(" ipv6")
        } else {
            Ok(())
        }
    }
}

/// A text that is no variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "variant: `{0}` is none of pasv, epsv, port, eprt, suppaftp, tls, tls-control, implicit, ipv6"
)]
pub struct VariantError(pub String);

impl FromStr for Variant {
    type Err = VariantError;

    /// Reads what [`Display`](fmt::Display) shows; in any order of the words.
    fn from_str(text: &str) -> Result<Self, VariantError> {
        let mut variant = Self::PLAIN;
        for word in text.split_whitespace() {
            match word {
                "suppaftp" => variant.driver = DriverKind::Suppaftp,
                "passive" => variant.driver = DriverKind::ClientUnderTest,
                "active" => {
                    variant.driver = DriverKind::ClientUnderTest;
                    variant.data = DataMode::Port;
                }
                "tls" => variant.protection = Protection::Explicit { data_private: true },
                "tls-control" => {
                    variant.protection = Protection::Explicit {
                        data_private: false,
                    }
                }
                "implicit" => variant.protection = Protection::Implicit,
                "ipv6" => variant.ipv6 = true,
                _ => {
                    let mut modes = DataMode::ALL.into_iter();
                    let mode = modes.find(|mode| mode.verb().to_ascii_lowercase() == word);
                    variant.data = mode.ok_or_else(|| VariantError(word.to_owned()))?;
                }
            }
        }
        Ok(variant)
    }
}

/// Written as it is shown.
impl Serialize for Variant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Variant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A variant or none; none is written as an empty text.
pub(crate) mod optional {
    use super::{Deserialize, Deserializer, Serializer, Variant};

    /// Writes the variant as it is shown.
    ///
    /// # Errors
    /// Those of the serializer.
    pub(crate) fn serialize<S: Serializer>(it: &Option<Variant>, to: S) -> Result<S::Ok, S::Error> {
        match it {
            Some(variant) => to.collect_str(variant),
            None => to.serialize_str(""),
        }
    }

    /// Reads what [`serialize`] writes.
    ///
    /// # Errors
    /// The text is neither empty nor a variant.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Variant>, D::Error> {
        let text = String::deserialize(from)?;
        let variant = (!text.is_empty()).then(|| text.parse());
        variant.transpose().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    #[test]
    fn every_variant_is_read_back_from_what_it_shows() {
        for data in DataMode::ALL {
            for protection in [
                Protection::Clear,
                Protection::Explicit { data_private: true },
                Protection::Explicit {
                    data_private: false,
                },
                Protection::Implicit,
            ] {
                for ipv6 in [false, true] {
                    for driver in [DriverKind::Raw, DriverKind::Suppaftp] {
                        let variant = Variant {
                            data,
                            protection,
                            ipv6,
                            driver,
                        };
                        assert_eq!(variant.to_string().parse::<Variant>().unwrap(), variant);
                    }
                }
            }
        }
    }

    #[test]
    fn the_plainest_variants_are_one_word() {
        assert_eq!(Variant::PLAIN.to_string(), "pasv");
        let suppaftp = Variant {
            driver: DriverKind::Suppaftp,
            ..Variant::PLAIN
        };
        assert_eq!(suppaftp.to_string(), "suppaftp");
    }

    #[test]
    fn an_unknown_word_is_named() {
        assert_eq!(
            "pasv tsl".parse::<Variant>(),
            Err(VariantError("tsl".into()))
        );
    }
}
