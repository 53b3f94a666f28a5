//! How a scenario is varied for a client.

use crate::scenario::{self, DataMode, DriverKind};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Which side opens data connections, how they are protected, and over which family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Variant {
    /// The server opens data connections (PORT, EPRT).
    pub active: bool,
    /// What TLS the client has to use.
    pub protection: Protection,
    /// Over IPv6.
    pub ipv6: bool,
}

/// What TLS the client has to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Protection {
    /// None.
    #[default]
    Clear,
    /// AUTH TLS, for the control connection and data connections.
    Explicit,
    /// TLS from the first octet.
    Implicit,
}

/// A condition under which a scenario is played (`needs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Only where the client opens data connections.
    Passive,
    /// Only where the server does.
    Active,
    /// Only without TLS.
    Clear,
    /// Only with AUTH TLS.
    Tls,
    /// Only with TLS from the first octet.
    Implicit,
    /// Only over IPv4.
    Ipv4,
    /// Only over IPv6.
    Ipv6,
}

/// Every need, by its word.
pub(crate) const NEEDS: &[(&str, Need)] = &[
    ("passive", Need::Passive),
    ("active", Need::Active),
    ("clear", Need::Clear),
    ("tls", Need::Tls),
    ("implicit", Need::Implicit),
    ("ipv4", Need::Ipv4),
    ("ipv6", Need::Ipv6),
];

impl Need {
    /// Whether the variant meets it.
    #[must_use]
    pub fn holds(self, variant: Variant) -> bool {
        match self {
            Self::Passive => !variant.active,
            Self::Active => variant.active,
            Self::Clear => variant.protection == Protection::Clear,
            Self::Tls => variant.protection == Protection::Explicit,
            Self::Implicit => variant.protection == Protection::Implicit,
            Self::Ipv4 => !variant.ipv6,
            Self::Ipv6 => variant.ipv6,
        }
    }
}

impl Variant {
    /// The variants of a scenario, without those that do not meet its needs.
    ///
    /// Without axes there is one: the first that meets the needs. The axis `data` adds active data
    /// connections and passive ones over IPv6, the axis `tls` AUTH TLS and implicit TLS.
    #[must_use]
    pub fn of(data: bool, tls: bool, needs: &[Need]) -> Vec<Self> {
        let mut all = Vec::new();
        for protection in [
            Protection::Clear,
            Protection::Explicit,
            Protection::Implicit,
        ] {
            for ipv6 in [false, true] {
                for active in [false, true] {
                    all.push(Self {
                        active,
                        protection,
                        ipv6,
                    });
                }
            }
        }
        all.retain(|variant| needs.iter().all(|need| need.holds(*variant)));
        let Some(first) = all.first().copied() else {
            return all;
        };
        all.retain(|variant| {
            let other_data = variant.active != first.active || variant.ipv6 != first.ipv6;
            let other_tls = variant.protection != first.protection;
            // Active data connections over IPv6 are no other code of a client.
            let extreme = variant.active != first.active && variant.ipv6 != first.ipv6;
            let implicit = variant.protection == Protection::Implicit;
            if extreme || implicit && other_data || other_tls && variant.ipv6 != first.ipv6 {
                return false;
            }
            match (other_data, other_tls) {
                (false, false) => true,
                (true, false) => data,
                (false, true) => tls,
                (true, true) => data && tls,
            }
        });
        all
    }
}

/// The same as reports have it.
impl From<Variant> for scenario::Variant {
    fn from(variant: Variant) -> Self {
        Self {
            data: match variant.active {
                false => DataMode::Pasv,
                true => DataMode::Port,
            },
            protection: match variant.protection {
                Protection::Clear => scenario::Protection::Clear,
                Protection::Explicit => scenario::Protection::Explicit { data_private: true },
                Protection::Implicit => scenario::Protection::Implicit,
            },
            ipv6: variant.ipv6,
            driver: DriverKind::ClientUnderTest,
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.active {
            false => "passive",
            true => "active",
        })?;
        f.write_str(match self.protection {
            Protection::Clear => "",
            Protection::Explicit => " tls",
            Protection::Implicit => " implicit",
        })?;
        f.write_str(match self.ipv6 {
            false => "",
            true => " ipv6",
        })
    }
}

/// A text that is not a variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("variant: `{0}` is none of passive, active, tls, implicit, ipv6")]
pub struct VariantError(pub String);

impl FromStr for Variant {
    type Err = VariantError;

    /// Reads what [`Display`](fmt::Display) shows; the words may be in any order.
    fn from_str(text: &str) -> Result<Self, VariantError> {
        let mut variant = Self::default();
        for word in text.split_whitespace() {
            match word {
                "passive" => variant.active = false,
                "active" => variant.active = true,
                "tls" => variant.protection = Protection::Explicit,
                "implicit" => variant.protection = Protection::Implicit,
                "ipv6" => variant.ipv6 = true,
                _ => return Err(VariantError(word.to_owned())),
            }
        }
        Ok(variant)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain(false, false, &[], &["passive"])]
    #[case::data(true, false, &[], &["passive", "active", "passive ipv6"])]
    #[case::tls(false, true, &[], &["passive", "passive tls", "passive implicit"])]
    #[case::both(true, true, &[], &["passive", "active", "passive ipv6", "passive tls", "active tls", "passive implicit"])]
    #[case::only_tls(false, false, &[Need::Tls], &["passive tls"])]
    #[case::only_active(false, true, &[Need::Active], &["active", "active tls", "active implicit"])]
    #[case::impossible(true, true, &[Need::Tls, Need::Clear], &[])]
    fn a_scenario_is_played_in_the_variants_of_its_axes(
        #[case] data: bool,
        #[case] tls: bool,
        #[case] needs: &[Need],
        #[case] expected: &[&str],
    ) {
        let variants = Variant::of(data, tls, needs);
        let shown: Vec<String> = variants.iter().map(Variant::to_string).collect();
        assert_eq!(shown, expected);
        for variant in variants {
            assert_eq!(variant.to_string().parse::<Variant>().unwrap(), variant);
            let reported = scenario::Variant::from(variant);
            assert_eq!(reported.to_string(), variant.to_string());
            assert_eq!(variant.to_string().parse(), Ok(reported));
        }
    }

    #[test]
    fn an_unknown_word_is_named() {
        let error = "passive tsl".parse::<Variant>();
        assert_eq!(error, Err(VariantError("tsl".into())));
    }
}
