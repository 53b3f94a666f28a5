//! `${name}`: values that a dialogue captures and uses again.

use std::collections::BTreeMap;

/// Variables by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(pub BTreeMap<String, String>);

impl Variables {
    /// The value of a variable, if it has one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Gives a variable a value; an earlier one is forgotten.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Text with each `${name}` replaced and `$${` made `${`; the name of the first unknown
    /// variable otherwise.
    ///
    /// # Errors
    /// The name of the first variable without a value.
    pub fn expand(&self, text: &str) -> Result<String, String> {
        let octets = self.expand_octets(text.as_bytes())?;
        // Text is only ever cut at ASCII characters and values are text, so nothing is replaced
        // here.
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    /// [`Variables::expand`] for octets that need not be UTF-8.
    ///
    /// # Errors
    /// The name of the first variable without a value.
    pub fn expand_octets(&self, octets: &[u8]) -> Result<Vec<u8>, String> {
        let mut out = Vec::with_capacity(octets.len());
        for part in parts(octets) {
            match part {
                Part::Octets(octets) => out.extend_from_slice(octets),
                Part::Variable(name) => {
                    let value = self.get(name).ok_or_else(|| name.to_owned())?;
                    out.extend_from_slice(value.as_bytes());
                }
            }
        }
        Ok(out)
    }
}

/// A stretch of octets as they are, or a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// As they are; for `$${` this is its `${`.
    Octets(&'a [u8]),
    /// The name between `${` and `}`.
    Variable(&'a str),
}

/// The parts of a text with variables. A `${` without name or `}` is itself; the grammar refuses it
/// beforehand.
pub(super) fn parts(mut rest: &[u8]) -> impl Iterator<Item = Part<'_>> {
    std::iter::from_fn(move || {
        let (part, used) = first_part(rest)?;
        rest = &rest[used..];
        Some(part)
    })
}

fn first_part(rest: &[u8]) -> Option<(Part<'_>, usize)> {
    if rest.is_empty() {
        return None;
    }
    if rest.starts_with(b"$${") {
        return Some((Part::Octets(&rest[1..3]), 3));
    }
    if let Some(name) = variable_at(rest) {
        return Some((Part::Variable(name), name.len() + 3));
    }
    // A dollar here is not a variable; the search for the next one starts after it.
    let end = memchr::memchr(b'$', &rest[1..]).map_or(rest.len(), |at| at + 1);
    Some((Part::Octets(&rest[..end]), end))
}

/// The name, if the octets begin with `${name}`.
pub(super) fn variable_at(octets: &[u8]) -> Option<&str> {
    let inside = octets.strip_prefix(b"${")?;
    let end = inside.iter().position(|octet| !is_name_octet(*octet))?;
    if inside[end] != b'}' || end == 0 || inside[0].is_ascii_digit() {
        return None;
    }
    std::str::from_utf8(&inside[..end]).ok()
}

fn is_name_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn variables() -> Variables {
        let mut variables = Variables::default();
        variables.set("user", "anna");
        variables.set("dir", "/a b");
        variables
    }

    #[rstest]
    #[case::nothing_to_replace("NOOP", "NOOP")]
    #[case::one("USER ${user}", "USER anna")]
    #[case::two_in_a_row("${user}${dir}", "anna/a b")]
    #[case::escaped("$${user}", "${user}")]
    #[case::dollar_before_escaped("$$${user}", "$${user}")]
    #[case::lone_dollars("a$ $b $", "a$ $b $")]
    #[case::unclosed("${user", "${user")]
    #[case::values_are_not_expanded_again("ä${user}ö", "äannaö")]
    fn variables_are_replaced(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(variables().expand(text), Ok(expected.to_owned()));
    }

    #[test]
    fn an_unknown_variable_is_named() {
        assert_eq!(
            variables().expand("${user} ${nobody} ${x}"),
            Err("nobody".to_owned())
        );
    }
}
