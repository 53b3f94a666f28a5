//! Removes secrets from what a client sends, before it is shown or stored.

/// The replacement of a secret.
pub(crate) const SECRET: &str = "<secret>";
/// The commands with a secret argument (RFC 959 §4.1.1, RFC 2228 §3).
const VERBS: [&[u8]; 3] = [b"PASS", b"ACCT", b"ADAT"];
/// No verb is longer.
const LONGEST_VERB: usize = 4;

/// Replaces the arguments of PASS, ACCT and ADAT. A line may come in any number of pieces.
#[derive(Debug, Default)]
pub(super) struct Mask {
    state: State,
}

#[derive(Debug)]
enum State {
    /// At the beginning of a line: its letters so far, in capitals.
    Verb(Vec<u8>),
    /// In a line without a secret, or after its verb.
    Clear,
    /// In a secret, and whether its replacement was written.
    Secret(bool),
}

impl Default for State {
    fn default() -> Self {
        Self::Verb(Vec::new())
    }
}

impl Mask {
    /// The next octets that the client sent, without secrets.
    pub(super) fn apply(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(octets.len());
        for &octet in octets {
            if matches!(octet, b'\r' | b'\n') {
                self.state = State::default();
                shown.push(octet);
                continue;
            }
            match &mut self.state {
                State::Secret(true) => continue,
                State::Secret(written) => {
                    *written = true;
                    shown.extend_from_slice(SECRET.as_bytes());
                    continue;
                }
                State::Clear => {}
                State::Verb(verb) if octet.is_ascii_alphabetic() => {
                    verb.push(octet.to_ascii_uppercase());
                    if verb.len() > LONGEST_VERB {
                        self.state = State::Clear;
                    }
                }
                State::Verb(verb) if octet == b' ' && !verb.is_empty() => {
                    self.state = match VERBS.contains(&verb.as_slice()) {
                        true => State::Secret(false),
                        false => State::Clear,
                    };
                }
                // Telnet commands and spaces before a verb.
                State::Verb(_) => {}
            }
            shown.push(octet);
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masked(pieces: &[&str]) -> String {
        let mut mask = Mask::default();
        let shown = pieces.iter().flat_map(|piece| mask.apply(piece.as_bytes()));
        String::from_utf8_lossy(&shown.collect::<Vec<_>>()).into_owned()
    }

    #[test]
    fn secrets_are_replaced_in_whatever_pieces_they_come() {
        let expected = "USER a\r\nPass <secret>\r\nNOOP\r\n";
        assert_eq!(masked(&["USER a\r\nPass b c\r\nNOOP\r\n"]), expected);
        assert_eq!(
            masked(&["USER a\r\nPa", "ss b", " ", "c\r", "\nNOOP\r\n"]),
            expected
        );
        assert_eq!(
            masked(&["PASS\r\nPASSWORD x\r\n"]),
            "PASS\r\nPASSWORD x\r\n"
        );
        assert_eq!(masked(&[" PASS x"]), " PASS <secret>");
    }

    proptest! {
        #[test]
        fn what_is_masked_stays_as_it_is(text in "(PASS |acct |NOOP|[a ]|\r\n|\n){0,12}") {
            let once = masked(&[&text]);
            prop_assert_eq!(masked(&[&once]), once);
        }
    }
}
