//! Passwords never get into the journal.

/// Commands whose argument is a secret (RFC 959 §4.1.1; ADAT may carry one, RFC 2228 §3).
const SECRET: [&[u8]; 3] = [b"PASS", b"ACCT", b"ADAT"];

/// A line as it may be kept.
///
/// Generous in what it takes for a password: `pass secret` behind blanks, without a blank, or behind a Telnet octet is
/// refused by the server, but a password it is all the same.
pub(crate) fn without_secrets(line: &[u8]) -> Vec<u8> {
    let start = line
        .iter()
        .position(u8::is_ascii_alphabetic)
        .unwrap_or(line.len());
    let begins_with = |verb: &&[u8]| {
        line[start..]
            .get(..verb.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(verb))
    };
    match SECRET.iter().find(|verb| begins_with(verb)) {
        Some(verb) if line.len() > start + verb.len() => {
            [&line[..start + verb.len()], b" ***"].concat()
        }
        _ => line.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden_however_it_is_written() {
        for line in [
            "PASS secret",
            "pass secret",
            "PaSs  secret",
            "PASS\tsecret",
            "PASSsecret",
            "  PASS secret",
            "\u{1}PASS secret",
            "ACCT secret",
            "adat c2VjcmV0",
        ] {
            let kept = String::from_utf8(without_secrets(line.as_bytes())).expect("text");
            assert!(kept.ends_with(" ***"), "{line:?} {kept:?}");
            assert!(
                !kept.contains("secret") && !kept.contains("c2V"),
                "{kept:?}"
            );
        }
    }

    #[test]
    fn other_lines_are_kept_as_they_are() {
        for line in [
            &b"USER bob"[..],
            b"PASS",
            b"PAS",
            b"",
            b"\xff\xff",
            b"STOR PASS x",
        ] {
            assert_eq!(without_secrets(line), line);
        }
    }
}
