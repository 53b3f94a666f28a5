//! The arguments of MFMT, MFCT and MFF (draft-somers-ftp-mfxx).

use super::argument::{before_pathname, octal};
use super::time::{parse_time_val, write_time_val};
use crate::storage::Times;
use std::io::Write as _;

/// Facts of a file to be set; `None` leaves a fact unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FactChanges {
    /// `Modify=` and `Create=`
    pub times: Times,
    /// `UNIX.mode=`, in octal.
    pub mode: Option<u32>,
}

/// The argument of MFF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MffArgument<'a> {
    /// Facts that can be set, and the pathname.
    Known(FactChanges, &'a [u8]),
    /// A fact that cannot be set: 504 with its name.
    Unknown(&'a [u8]),
}

/// The longest name of a fact that is repeated in a reply.
const MAX_NAME: usize = 64;

impl FactChanges {
    /// Appends the facts as in the 213 reply, each with its semicolon.
    pub fn write(&self, to: &mut Vec<u8>) {
        for (name, time) in [
            (&b"Modify="[..], self.times.modified),
            (b"Create=", self.times.created),
        ] {
            if let Some(time) = time {
                to.extend_from_slice(name);
                write_time_val(time, to);
                to.push(b';');
            }
        }
        if let Some(mode) = self.mode {
            let _ = write!(to, "UNIX.mode={mode:04o};");
        }
    }
}

/// `1*( fact "=" value ";" ) SP pathname`. A fact that is named twice would be ambiguous:
/// malformed.
pub(super) fn mff_argument(argument: &[u8]) -> Option<MffArgument<'_>> {
    let (facts, pathname) = before_pathname(argument)?;
    let mut changes = FactChanges::default();
    let mut unknown = None;
    for fact in facts.strip_suffix(b";")?.split(|octet| *octet == b';') {
        let (name, value) = named_value(fact)?;
        let times = &mut changes.times;
        let twice = match &name.to_ascii_lowercase()[..] {
            b"modify" => times.modified.replace(parse_time_val(value)?).is_some(),
            b"create" => times.created.replace(parse_time_val(value)?).is_some(),
            b"unix.mode" => changes.mode.replace(octal(value, 1..=4)?).is_some(),
            _ => {
                unknown.get_or_insert(name);
                false
            }
        };
        if twice {
            return None;
        }
    }
    Some(match unknown {
        Some(name) => MffArgument::Unknown(name),
        None => MffArgument::Known(changes, pathname),
    })
}

/// `1*( name "=" value ";" [SP] )`: unknown facts of CSID are ignored.
pub(super) fn identity(argument: &[u8]) -> Option<()> {
    let facts = argument.strip_suffix(b";").unwrap_or(argument);
    facts
        .split(|octet| *octet == b';')
        .all(|fact| named_value(fact.trim_ascii()).is_some())
        .then_some(())
}

/// Base64 with its padding (RFC 2228 §9).
pub(super) fn base64(argument: &[u8]) -> Option<()> {
    let padding = argument
        .iter()
        .rev()
        .take_while(|octet| **octet == b'=')
        .count();
    let digits = &argument[..argument.len() - padding];
    let well_formed = !digits.is_empty()
        && argument.len().is_multiple_of(4)
        && padding <= 2
        && digits
            .iter()
            .all(|octet| octet.is_ascii_alphanumeric() || b"+/".contains(octet));
    well_formed.then_some(())
}

fn named_value(fact: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = memchr::memchr(b'=', fact)?;
    let name = &fact[..equals];
    let token = |octet: &u8| octet.is_ascii_alphanumeric() || b".-/_".contains(octet);
    ((1..=MAX_NAME).contains(&name.len()) && name.iter().all(token))
        .then_some((name, &fact[equals + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn facts_in_any_case_and_order() {
        let argument = b"unix.mode=777;CREATE=20020718012845; Fred  t.txt";
        let changes = FactChanges {
            times: Times {
                created: parse_time_val(b"20020718012845"),
                modified: None,
            },
            mode: Some(0o777),
        };
        assert_eq!(
            mff_argument(argument),
            Some(MffArgument::Known(changes, b"Fred  t.txt"))
        );
        let mut text = Vec::new();
        changes.write(&mut text);
        assert_eq!(text, b"Create=20020718012845;UNIX.mode=0777;");
    }

    #[rstest]
    #[case("Modify=20020717210715 a")]
    #[case("Modify=20020717210715;")]
    #[case("Modify=20020717210715; ")]
    #[case("Modify=20010229000000; a")]
    #[case("Modify; a")]
    #[case("=1; a")]
    #[case("; a")]
    #[case(";; a")]
    #[case("UNIX.mode=8; a")]
    #[case("UNIX.mode=; a")]
    #[case("UNIX.mode=77777; a")]
    #[case("Modify=20020717210715;Modify=20020717210716; a")]
    #[case("X.fr\u{fc}h=1; a")]
    fn what_mff_does_not_read(#[case] argument: &str) {
        assert_eq!(mff_argument(argument.as_bytes()), None);
    }

    #[test]
    fn a_fact_that_cannot_be_set_is_named() {
        assert_eq!(
            mff_argument(b"Modify=20020717210715;UNIX.owner=root;Type=dir; a"),
            Some(MffArgument::Unknown(b"UNIX.owner"))
        );
    }

    #[rstest]
    #[case("YWJj", true)]
    #[case("YWI=", true)]
    #[case("YQ==", true)]
    #[case("+/+/", true)]
    #[case("", false)]
    #[case("YWJ", false)]
    #[case("Y===", false)]
    #[case("====", false)]
    #[case("YQ==YQ==", false)]
    #[case("YW*j", false)]
    fn base64_is_recognized(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(base64(text.as_bytes()).is_some(), expected);
    }

    #[rstest]
    #[case("Name=Client; Version=1.0.0.1;", true)]
    #[case("Name=Client;Anything=", true)]
    #[case("Name", false)]
    #[case("", false)]
    #[case(";", false)]
    fn identities_are_facts(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(identity(text.as_bytes()).is_some(), expected);
    }
}
