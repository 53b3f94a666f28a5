//! Octets as text that can be read.

use crate::data::{Escaped, unescape};
use serde::{Deserialize, Deserializer, Serializer};

/// In JSON: text with `\xNN` for what is not printable ASCII.
pub(super) fn serialize<S: Serializer>(octets: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&Escaped(octets))
}

pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<u8>, D::Error> {
    unescaped(&String::deserialize(from)?)
}

fn unescaped<E: serde::de::Error>(text: &str) -> Result<Vec<u8>, E> {
    unescape(text).ok_or_else(|| E::custom("octets with a broken \\ escape"))
}

/// Octets of a transfer in JSON: text as for other octets, or a list of its parts.
pub(super) mod data {
    use super::unescaped;
    use crate::data::{CONTENT_LIMIT, Data, Escaped, Part};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    /// What is no longer is written as text.
    const TEXT: u64 = 64 << 10;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Parts(Vec<WrittenPart>),
    }

    /// Octets as they are, or as positions of the test pattern or of an endless repetition.
    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum WrittenPart {
        Text(String),
        Pattern { pattern: [u64; 2] },
        Repeat { repeat: String, of: [u64; 2] },
    }

    pub(in crate::transcript) fn serialize<S: Serializer>(
        octets: &Data,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let computed = |part: &Part| !matches!(part, Part::Octets(_));
        if octets.len() <= TEXT || !octets.parts().iter().any(computed) {
            return to.collect_str(&Escaped(&octets.joined()));
        }
        let text = |octets: &[u8]| Escaped(octets).to_string();
        to.collect_seq(octets.parts().iter().map(|part| match part {
            Part::Octets(octets) => WrittenPart::Text(text(octets)),
            Part::Pattern(range) => WrittenPart::Pattern {
                pattern: [range.start, range.end],
            },
            Part::Repeat(unit, range) => WrittenPart::Repeat {
                repeat: text(unit),
                of: [range.start, range.end],
            },
        }))
    }

    pub(in crate::transcript) fn deserialize<'a, D: Deserializer<'a>>(
        from: D,
    ) -> Result<Data, D::Error> {
        let parts = match Written::deserialize(from)? {
            Written::Text(text) => return Ok(unescaped(&text)?.into()),
            Written::Parts(parts) => parts,
        };
        let mut data = Data::default();
        for part in parts {
            let more = match part {
                WrittenPart::Text(text) => unescaped(&text)?.into(),
                WrittenPart::Pattern {
                    pattern: [from, to],
                } => Data::of_pattern(from..to.max(from)),
                WrittenPart::Repeat {
                    repeat,
                    of: [from, to],
                } => {
                    let unit = unescaped(&repeat)?;
                    let range = from..to.max(from);
                    if unit.is_empty() {
                        return Err(D::Error::custom("octets that repeat nothing"));
                    }
                    Data::of([Part::Repeat(unit.into(), range)])
                }
            };
            data.extend(more);
            // Both positions and their number are small enough to compute with.
            if data.len() > CONTENT_LIMIT {
                return Err(D::Error::custom("octets of more than 64 MiB"));
            }
        }
        Ok(data)
    }
}
