//! Telnet on the control connection (RFC 959 §2.2, RFC 854).

/// Interpret as command.
pub(super) const IAC: u8 = 0xff;
/// The first of the four that negotiate an option.
pub(super) const WILL: u8 = 0xfb;
const WONT: u8 = 0xfc;
const DO: u8 = 0xfd;
/// The last of them.
pub(super) const DONT: u8 = 0xfe;

/// A sequence after an IAC: the octet it represents, if any, and its length (RFC 854).
pub(super) fn telnet(behind: &[u8]) -> (Option<u8>, usize) {
    match behind.first() {
        Some(&IAC) => (Some(IAC), 1),
        Some(&(WILL..=DONT)) => (None, behind.len().min(2)),
        Some(0xf0..=0xfa) => (None, 1),
        _ => (Some(IAC), 0),
    }
}

/// One step of a Telnet negotiation: the request or answer, and its option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiation {
    verb: u8,
    /// The option's number.
    pub option: u8,
}

impl Negotiation {
    /// Those in these octets, each with the place of its last octet.
    pub fn all(octets: &[u8]) -> impl Iterator<Item = (usize, Self)> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < octets.len() {
                let behind = &octets[at + 1..];
                if octets[at] != IAC {
                    at += 1;
                    continue;
                }
                at += 1 + telnet(behind).1;
                if let [verb @ WILL..=DONT, option, ..] = *behind {
                    return Some((at - 1, Self { verb, option }));
                }
            }
            None
        })
    }

    /// Whether it asks for an answer: WILL and DO do.
    #[must_use]
    pub fn asks(self) -> bool {
        matches!(self.verb, WILL | DO)
    }

    /// Whether it is a yes or a no to `other`.
    #[must_use]
    pub fn answers(self, other: Self) -> bool {
        let fits = match other.verb {
            WILL => matches!(self.verb, DO | DONT),
            DO => matches!(self.verb, WILL | WONT),
            _ => false,
        };
        fits && self.option == other.option
    }

    /// The no to it.
    #[must_use]
    pub fn refusal(self) -> Self {
        let verb = if self.verb == WILL { DONT } else { WONT };
        Self { verb, ..self }
    }
}

impl std::fmt::Display for Negotiation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = match self.verb {
            WILL => "WILL",
            WONT => "WONT",
            DO => "DO",
            _ => "DONT",
        };
        write!(f, "IAC {verb} {}", self.option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(b"NOOP\r\n", &[])]
    #[case(b"\xff\xfb\x01NOOP\r\n", &["2 IAC WILL 1"])]
    #[case(b"RMD ma\xff\xfd\x03de\xff\xfe\xff\r\n", &["8 IAC DO 3", "13 IAC DONT 255"])]
    #[case(b"RMD \xff\xff\xfb\x01\r\n", &[])]
    #[case(b"\xff\xf4\xff\xf2ABOR\r\n", &[])]
    #[case(b"NOOP\xff\xfb", &[])]
    #[case(b"NOOP\xff", &[])]
    fn negotiations_are_found_with_the_place_of_their_last_octet(
        #[case] octets: &[u8],
        #[case] expected: &[&str],
    ) {
        let found = Negotiation::all(octets).map(|(at, what)| format!("{at} {what}"));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
