//! How a run is split over machines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// The largest number of parts.
const MOST: u32 = 1000;

/// One part of a run over several machines, as in `hash:1/4`.
///
/// A scenario, in all its variants, is in part `h mod of + 1`, where `h` is the first eight octets
/// of the SHA-256 of its id, the most significant first. So a scenario stays in its part when
/// others come and go.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Part {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Part {
    /// Whether this scenario is in it.
    #[must_use]
    pub fn holds(self, id: &str) -> bool {
        let digest = Sha256::digest(id.as_bytes());
        let hash = digest
            .iter()
            .take(8)
            .fold(0, |hash, octet| hash << 8 | u64::from(*octet));
        hash % u64::from(self.of.max(1)) + 1 == u64::from(self.number)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// A text that is not a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected hash:K/N with K from 1 to N and N up to {MOST}, for example hash:1/4")]
pub struct PartitionError;

impl FromStr for Part {
    type Err = PartitionError;

    fn from_str(text: &str) -> Result<Self, PartitionError> {
        let (number, of) = text
            .strip_prefix("hash:")
            .and_then(|text| text.split_once('/'))
            .ok_or(PartitionError)?;
        let (number, of) = (
            number.parse().map_err(|_| PartitionError)?,
            of.parse().map_err(|_| PartitionError)?,
        );
        if (1..=of).contains(&number) && of <= MOST {
            Ok(Self { number, of })
        } else {
            Err(PartitionError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("hash:1/1", Some((1, 1)))]
    #[case("hash:4/4", Some((4, 4)))]
    #[case("hash:0/4", None)]
    #[case("hash:5/4", None)]
    #[case("hash:1/0", None)]
    #[case("hash:1/1001", None)]
    #[case("1/4", None)]
    #[case("slice:1/4", None)]
    #[case("hash:1", None)]
    #[case("hash:-1/4", None)]
    fn a_part_is_a_number_of_so_many(#[case] text: &str, #[case] part: Option<(u32, u32)>) {
        assert_eq!(
            text.parse().ok(),
            part.map(|(number, of)| Part { number, of })
        );
    }

    #[test]
    fn a_scenario_never_moves_to_another_part() {
        // The number is from another implementation of SHA-256.
        let parts = (1..=4).filter(|number| {
            let part = Part {
                number: *number,
                of: 4,
            };
            part.holds("rfc959/noop-says-200")
        });
        assert_eq!(parts.collect::<Vec<_>>(), [1]);
    }

    proptest! {
        #[test]
        fn every_scenario_is_in_exactly_one_part(id in ".{0,40}", of in 1u32..20) {
            let parts = (1..=of).filter(|number| Part { number: *number, of }.holds(&id));
            prop_assert_eq!(parts.count(), 1);
        }
    }
}
