//! What a server says it has, and what it turned out to have.

use crate::transcript::Conversation;
use std::collections::BTreeSet;

/// What a server says it has (FEAT), and which commands it turned out to have.
///
/// Whether something is UNSUPPORTED or falsely advertised can only be said with this at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// Feature lines, trimmed; `None` while no FEAT reply was seen.
    lines: Option<BTreeSet<String>>,
    /// Verbs that were answered with anything but 500, 502, 504 or 530.
    known: BTreeSet<String>,
    /// Verbs that were answered 500 or 502 at least once.
    refused: BTreeSet<String>,
}

impl Features {
    /// What can be learned from conversations.
    #[must_use]
    pub fn of(conversations: &[Conversation]) -> Self {
        let mut features = Self::default();
        features.learn(conversations);
        features
    }

    /// Learns more, as from another transcript of the same server.
    pub fn learn(&mut self, conversations: &[Conversation]) {
        for exchange in conversations
            .iter()
            .flat_map(|conversation| &conversation.exchanges)
        {
            let (Some(command), Some((_, reply))) = (&exchange.command, exchange.completion())
            else {
                continue;
            };
            if exchange.irregular {
                continue;
            }
            if command.verb == "FEAT" && reply.code == 211 {
                let text = |line: &Vec<u8>| String::from_utf8_lossy(line).trim().to_owned();
                let lines = reply.between().iter().map(text);
                self.lines.get_or_insert_default().extend(lines);
            }
            if matches!(reply.code, 500 | 502) {
                self.refused.insert(command.verb.clone());
            }
            if !matches!(reply.code, 0 | 421 | 500 | 502 | 504 | 530) {
                self.known.insert(command.verb.clone());
            }
        }
    }

    /// Whether the server was asked.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.lines.is_some()
    }

    /// Whether some command with this verb was understood.
    #[must_use]
    pub fn understood(&self, verb: &str) -> bool {
        self.known.contains(&verb.to_ascii_uppercase())
    }

    /// Only what FEAT lists: no verb was seen.
    #[must_use]
    pub fn listed(lines: Option<&[String]>) -> Self {
        let trimmed = |lines: &[String]| lines.iter().map(|line| line.trim().to_owned()).collect();
        Self {
            lines: lines.map(trimmed),
            ..Self::default()
        }
    }

    /// Every verb that was understood, sorted.
    pub fn implemented(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }

    /// Every verb that was only ever answered 500 or 502, sorted.
    pub fn not_implemented(&self) -> impl Iterator<Item = &str> {
        self.refused.difference(&self.known).map(String::as_str)
    }

    /// The feature line that advertises a need such as `MLST`, `REST STREAM` or `AUTH TLS`.
    #[must_use]
    pub fn advertised(&self, need: &str) -> Option<&str> {
        let need = if need.eq_ignore_ascii_case("TLS") {
            "AUTH TLS"
        } else {
            need
        };
        let (label, parameter) = need
            .split_once(' ')
            .map_or((need, None), |(label, rest)| (label, Some(rest.trim())));
        // MLSD has no line of its own (RFC 3659 §7.8).
        let label = if label.eq_ignore_ascii_case("MLSD") {
            "MLST"
        } else {
            label
        };
        self.lines
            .iter()
            .flatten()
            .map(String::as_str)
            .find(|line| {
                let mut words = line.split([' ', ';', ',', '*']);
                words
                    .next()
                    .is_some_and(|word| word.eq_ignore_ascii_case(label))
                    && parameter.is_none_or(|parameter| {
                        words.any(|word| word.eq_ignore_ascii_case(parameter))
                    })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::transcript;
    use super::*;
    use rstest::rstest;

    fn features() -> Features {
        let feat =
            "S: 211-x /  AUTH TLS;SSL /  MLST type*;size*; /  REST STREAM /  MODE Z / 211 End";
        let dialogue = [
            "S: 220 x",
            "C: FEAT",
            feat,
            "C: MLST",
            "S: 501 x",
            "C: HASH a",
            "S: 502 x",
        ];
        Features::of(&Conversation::all(&transcript(&dialogue)))
    }

    #[rstest]
    #[case("MLST", true)]
    #[case("mlsd", true)]
    #[case("REST STREAM", true)]
    #[case("REST BLOCK", false)]
    #[case("AUTH TLS", true)]
    #[case("TLS", true)]
    #[case("MODE Z", true)]
    #[case("TVFS", false)]
    #[case("HASH", false)]
    fn a_need_is_advertised_by_its_line(#[case] need: &str, #[case] expected: bool) {
        assert_eq!(features().advertised(need).is_some(), expected);
    }

    #[test]
    fn a_verb_is_understood_when_more_than_not_implemented_is_said_to_it() {
        let features = features();
        assert!(features.asked() && features.understood("mlst") && !features.understood("HASH"));
        assert_eq!(features.implemented().collect::<Vec<_>>(), ["FEAT", "MLST"]);
        assert_eq!(features.not_implemented().collect::<Vec<_>>(), ["HASH"]);
    }
}
