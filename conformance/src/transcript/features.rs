//! What a server says it has, and what it turned out to have.

use crate::catalogue::Registry;
use crate::transcript::{Conversation, Exchange, LONG_LINE};
use std::collections::BTreeSet;

/// So many different feature lines are kept; no server has as many.
const LINES: usize = 2000;

/// What a server says it has (FEAT), and which commands it turned out to have.
///
/// Whether something is UNSUPPORTED or falsely advertised can only be said with this at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// Feature lines, trimmed; `None` while no FEAT reply was seen.
    lines: Option<BTreeSet<String>>,
    /// Verbs that were answered with anything but 504, 530 or that they are not implemented.
    known: BTreeSet<String>,
    /// Verbs of which a reply said at least once that they are not implemented.
    refused: BTreeSet<String>,
    /// Verbs that were answered 530 at least once.
    withheld: BTreeSet<String>,
    /// Verbs that took a parameter there is not.
    indifferent: BTreeSet<String>,
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
        for conversation in conversations {
            self.learn_from(&conversation.exchanges);
        }
    }

    fn learn_from(&mut self, exchanges: &[Exchange]) {
        let mut in_sequence = false;
        for exchange in exchanges {
            let behind_3yz = std::mem::take(&mut in_sequence);
            let (Some(command), Some((_, reply))) = (&exchange.command, exchange.completion())
            else {
                continue;
            };
            if exchange.irregular {
                continue;
            }
            in_sequence = reply.class() == 3;
            // Between the commands of a sequence a server may refuse whatever does not belong there
            // before it looks at the verb (RFC 959 §5.4: 503; ProFTPD has 501 for it).
            let out_of_sequence = behind_3yz && matches!(reply.code, 501 | 503);
            if command.verb == "FEAT" && reply.code == 211 {
                let text = |line: &Vec<u8>| String::from_utf8_lossy(line).trim().to_owned();
                let known = self.lines.get_or_insert_default();
                // A server that lists others every time would fill the memory.
                let left = LINES.saturating_sub(known.len());
                let lines = reply
                    .between()
                    .iter()
                    .filter(|line| line.len() <= LONG_LINE);
                known.extend(lines.take(left).map(text));
            }
            let absent = Registry::built_in().says_not_implemented(&command.verb, reply.code);
            if absent {
                self.refused.insert(command.verb.clone());
            }
            if reply.code == 530 {
                self.withheld.insert(command.verb.clone());
            }
            let argument = command.argument.as_deref().unwrap_or_default();
            if reply.class() == 2 && is_invented(&command.verb, argument) {
                self.indifferent.insert(command.verb.clone());
            }
            if !out_of_sequence && !absent && !matches!(reply.code, 0 | 421 | 504 | 530) {
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

    /// Whether this verb was only ever answered 500 or 502.
    #[must_use]
    pub fn lacks(&self, verb: &str) -> bool {
        let verb = verb.to_ascii_uppercase();
        self.refused.contains(&verb) && !self.known.contains(&verb)
    }

    /// Whether nothing of RFC 2228 is there. What a server does not know it may ask a login for,
    /// and AUTH comes before it.
    #[must_use]
    pub fn lacks_security(&self) -> bool {
        let asked = self.refused.contains("AUTH") || self.withheld.contains("AUTH");
        let known = ["AUTH", "PBSZ", "PROT", "CCC"];
        asked && !known.iter().any(|verb| self.known.contains(*verb))
    }

    /// Whether this verb takes parameters that do not exist: then it says nothing that it takes one
    /// that does.
    #[must_use]
    pub fn takes_anything(&self, verb: &str) -> bool {
        self.indifferent.contains(&verb.to_ascii_uppercase())
    }

    /// The feature line that advertises a label such as `MLST`, `REST STREAM` or `AUTH TLS`.
    #[must_use]
    pub fn advertised(&self, label: &str) -> Option<&str> {
        let (label, parameter) = match label.split_once(' ') {
            Some((label, rest)) => (label, Some(rest.trim())),
            None => (label, None),
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

/// Whether no document defines this type, structure or transmission mode: X, which scenarios use.
fn is_invented(verb: &str, argument: &[u8]) -> bool {
    matches!(verb, "TYPE" | "STRU" | "MODE") && argument.eq_ignore_ascii_case(b"X")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::transcript;
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
    #[case("mlst", true)]
    #[case("REST STREAM", true)]
    #[case("REST BLOCK", false)]
    #[case("AUTH TLS", true)]
    #[case("MODE Z", true)]
    #[case("TVFS", false)]
    #[case("HASH", false)]
    fn a_need_is_advertised_by_its_line(#[case] need: &str, #[case] expected: bool) {
        assert_eq!(features().advertised(need).is_some(), expected);
    }

    #[rstest]
    #[case::behind_350(&["C: RNFR a", "S: 350 x", "C: REIN", "S: 501 x"], false)]
    #[case::behind_350_as_it_should_be(&["C: RNFR a", "S: 350 x", "C: REIN", "S: 503 x"], false)]
    #[case::carried_out(&["C: RNFR a", "S: 350 x", "C: REIN", "S: 220 x"], true)]
    #[case::behind_anything_else(&["C: RNFR a", "S: 550 x", "C: REIN", "S: 503 x"], true)]
    #[case::later(&["C: RNFR a", "S: 350 x", "C: REIN", "S: 501 x", "C: REIN", "S: 501 x"], true)]
    fn what_is_refused_out_of_sequence_need_not_be_understood(
        #[case] dialogue: &[&str],
        #[case] understood: bool,
    ) {
        let dialogue = [&["S: 220 x"], dialogue].concat();
        let features = Features::of(&Conversation::all(&transcript(&dialogue)));
        assert_eq!(features.understood("REIN"), understood);
    }

    #[rstest]
    #[case::taken("MODE X", "200", true)]
    #[case::refused("MODE X", "504", false)]
    #[case::one_there_is("MODE B", "200", false)]
    #[case::of_another_verb("NOOP X", "200", false)]
    fn who_takes_a_parameter_there_is_not_takes_anything(
        #[case] command: &str,
        #[case] code: &str,
        #[case] anything: bool,
    ) {
        let (sent, reply) = (format!("C: {command}"), format!("S: {code} x"));
        let dialogue = ["S: 220 x", sent.as_str(), reply.as_str()];
        let features = Features::of(&Conversation::all(&transcript(&dialogue)));
        let verb = command.split(' ').next().unwrap_or_default();
        assert_eq!(features.takes_anything(verb), anything);
    }

    #[rstest]
    #[case::unknown(&["C: AUTH TLS", "S: 500 x"], true)]
    #[case::behind_the_login(&["C: AUTH TLS", "S: 530 x", "C: PBSZ 0", "S: 502 x"], true)]
    #[case::nobody_asked(&["C: PBSZ 0", "S: 500 x"], false)]
    #[case::another_mechanism(&["C: AUTH TLS", "S: 500 x", "C: AUTH GSSAPI", "S: 334 x"], false)]
    #[case::part_of_it(&["C: AUTH TLS", "S: 500 x", "C: PROT P", "S: 200 x"], false)]
    fn without_auth_and_what_follows_it_there_is_no_security(
        #[case] dialogue: &[&str],
        #[case] lacks: bool,
    ) {
        let dialogue = [&["S: 220 x"], dialogue].concat();
        let features = Features::of(&Conversation::all(&transcript(&dialogue)));
        assert_eq!(features.lacks_security(), lacks);
    }

    #[test]
    fn what_is_superfluous_is_not_implemented_unless_the_row_of_the_command_has_202() {
        let dialogue = ["S: 220 x", "C: AVBL", "S: 202 x", "C: ALLO 3", "S: 202 x"];
        let features = Features::of(&Conversation::all(&transcript(&dialogue)));
        assert!(features.lacks("AVBL") && !features.understood("AVBL"));
        assert!(!features.lacks("ALLO") && features.understood("ALLO"));
    }

    #[test]
    fn a_verb_is_understood_when_more_than_not_implemented_is_said_to_it() {
        let features = features();
        assert!(features.asked() && features.understood("mlst") && !features.understood("HASH"));
        assert_eq!(features.implemented().collect::<Vec<_>>(), ["FEAT", "MLST"]);
        assert_eq!(features.not_implemented().collect::<Vec<_>>(), ["HASH"]);
        assert!(features.lacks("hash") && !features.lacks("MLST") && !features.lacks("NOOP"));
    }
}
