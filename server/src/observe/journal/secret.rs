//! Passwords never get into the journal.

use crate::wire::{Service, Verb};

/// Commands whose argument is a secret: passwords (RFC 959 §4.1.1), and what RFC 2228 §3 lets a
/// security mechanism carry, which may be the base64 of a PASS.
const SECRET: [&str; 6] = ["PASS", "ACCT", "ADAT", "MIC", "CONF", "ENC"];
/// What people type before a password, here and at other servers: recognized with more or fewer
/// letters, too.
const PASSWORDS: [&str; 3] = ["PASS", "ACCT", "PSWD"];
/// What commands of other servers that take a password have in their names: SITE PSWD, SITE PASSWD,
/// XPASS.
const PARTS: [&str; 3] = ["PASS", "PSW", "PWD"];

/// A line as it may be kept: what is or may be a password is replaced by `***`.
pub(crate) fn without_secrets(line: &[u8]) -> Vec<u8> {
    let open = open_part(line);
    if open.len() == line.len() {
        return line.to_vec();
    }
    [open, b" ***"].concat()
}

/// The part of a line before what is or may be a password, which is the whole line for most.
///
/// It is generous in what it takes for a password: `pass secret` after blanks, without a blank,
/// with other octets among its letters, or with a letter that was lost as a part of a Telnet
/// command (`P IAC A S S`) is refused by the server, but it is a password all the same. A command
/// that the server knows is never mistaken for another.
pub(crate) fn open_part(line: &[u8]) -> &[u8] {
    let mut words = Words(line, 0);
    let Some(first) = words.next() else {
        return line;
    };
    let end = match Verb::named(first.text) {
        Some(Verb::Site) => words.next().and_then(|word| end_of_service(&word)),
        Some(verb) if SECRET.contains(&verb.row().name) => Some(first.end),
        Some(_) => None,
        None => {
            end_of_secret(&first).or_else(|| words.next().and_then(|word| end_of_service(&word)))
        }
    };
    // What follows is blanks only: there is nothing to be hidden.
    match end {
        Some(end) if !line[end..].trim_ascii().is_empty() => &line[..end],
        _ => line,
    }
}

/// A word of a line: it begins with a letter and ends before a blank.
struct Word<'a> {
    text: &'a [u8],
    /// Where it ends in the line.
    end: usize,
    /// Its letters, in capitals.
    letters: String,
}

/// The words of a line, and where the next may begin.
struct Words<'a>(&'a [u8], usize);

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let Self(line, at) = self;
        let start = *at + line[*at..].iter().position(u8::is_ascii_alphabetic)?;
        let length = line[start..].iter().position(u8::is_ascii_whitespace);
        let end = length.map_or(line.len(), |length| start + length);
        *at = end;
        let text = &line[start..end];
        let letters = text.iter().filter(|octet| octet.is_ascii_alphabetic());
        Some(Word {
            text,
            end,
            letters: letters
                .map(|octet| char::from(octet.to_ascii_uppercase()))
                .collect(),
        })
    }
}

impl Word<'_> {
    /// Where its first letters end in the line.
    fn end_of_letters(&self, count: usize) -> usize {
        let letters = self
            .text
            .iter()
            .enumerate()
            .filter(|(_, octet)| octet.is_ascii_alphabetic());
        let last = letters.map(|(at, _)| at).nth(count.saturating_sub(1));
        self.end - self.text.len() + last.map_or(self.text.len(), |last| last + 1)
    }
}

/// Where a word ends that is not a known verb, and may be one that carries a password; without a
/// blank after it the password begins within the word.
fn end_of_secret(word: &Word<'_>) -> Option<usize> {
    let letters = &word.letters;
    if let Some(verb) = PASSWORDS
        .iter()
        .chain(&["ADAT"])
        .find(|verb| letters.starts_with(**verb))
    {
        return Some(word.end_of_letters(verb.len()));
    }
    if PARTS.iter().any(|part| letters.contains(part)) {
        return Some(word.end);
    }
    let near = |text: &str| {
        let lost = (2..=4).contains(&text.len());
        PASSWORDS.iter().any(|verb| {
            strsim::osa_distance(text, verb) <= 1 || (lost && is_subsequence(text, verb))
        })
    };
    if near(letters) {
        return Some(word.end);
    }
    let count = (3..=5).find(|count| letters.get(..*count).is_some_and(near))?;
    Some(word.end_of_letters(count))
}

/// Where the name of a service ends that is not one of ours and may carry a password.
fn end_of_service(word: &Word<'_>) -> Option<usize> {
    match Service::named(word.text) {
        Some(_) => None,
        None => end_of_secret(word),
    }
}

fn is_subsequence(text: &str, of: &str) -> bool {
    let mut rest = of.chars();
    text.chars().all(|letter| rest.any(|other| other == letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden_however_it_is_written() {
        for line in [
            &b"PASS secret"[..],
            b"pass secret",
            b"PaSs  secret",
            b"PASS\tsecret",
            b"PASSsecret",
            b"  PASS secret",
            b"\x01PASS secret",
            b"P\x01ASS secret",
            b"P\xe4ASSsecret",
            b"ACCT secret",
            b"adat c2VjcmV0",
            b"MIC UEFTUyBzZWNyZXQ=",
            b"ENC UEFTUyBzZWNyZXQ=",
            b"CONF UEFTUyBzZWNyZXQ=",
            // A letter is lost as a part of a Telnet command, doubled, or another.
            b"ASS secret",
            b"PSS secret",
            b"PAS secret",
            b"PSSsecret",
            b"PS secret",
            b"PASD secret",
            b"PPASS secret",
            b"PSAS secret secret",
            b"ACT secret",
            b"XPASS secret",
            b"PASSWORD secret",
            // Services of other servers.
            b"SITE PSWD secret secret",
            b"site pswd secret secret",
            b"SITE  PASSWD secret",
            b"SITE GPASS secret",
            b"SITE PSD secret secret",
            b"STE PSWD secret secret",
            b"NOSUCH PASS secret",
        ] {
            let kept = without_secrets(line);
            let shown = kept.escape_ascii().to_string();
            assert!(kept.ends_with(b" ***"), "{shown}");
            for secret in ["secret", "c2V", "UEF"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }

    #[test]
    fn other_lines_are_kept_as_they_are() {
        for line in [
            &b"USER bob"[..],
            b"PASS",
            b"PASS ",
            b"PAS",
            b"",
            b"\xff\xff",
            b"STOR PASS x",
            b"PASV x",
            b"STAT PASS x",
            b"SITE CHMOD 644 pass",
            b"SITE HELP PSWD x",
            b"NONSENSE and more",
            b"PRET RETR file",
            b"CLNT a client",
        ] {
            assert_eq!(without_secrets(line), line, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn every_verb_we_know_and_only_six_of_them_hide_their_argument() {
        for row in crate::wire::VERBS {
            let line = [row.name.as_bytes(), b" argument"].concat();
            let hides = without_secrets(&line) != line;
            assert_eq!(hides, SECRET.contains(&row.name), "{}", row.name);
        }
    }
}
