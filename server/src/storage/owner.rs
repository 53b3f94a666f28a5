//! Owners of files.

use std::fmt;
use std::sync::Arc;

/// The owner and the group of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owners {
    /// Who owns it.
    pub owner: Owner,
    /// The group.
    pub group: Owner,
}

/// A user or a group as shown in listings: one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Number(u32),
    Name(Arc<str>),
}

impl Owner {
    /// The one with this number. Its name is not looked up.
    #[must_use]
    pub fn number(number: u32) -> Self {
        Self(Kind::Number(number))
    }

    /// The one of this name. White space, control characters and semicolons would break a listing
    /// and become `_`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let breaks = |letter: char| letter.is_whitespace() || letter.is_control() || letter == ';';
        let name = if name.is_empty() { "_" } else { name };
        Self(Kind::Name(name.replace(breaks, "_").into()))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            // With the requested width.
            Kind::Number(number) => number.to_string().fmt(f),
            Kind::Name(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_one_word() {
        assert_eq!(Owner::number(1000).to_string(), "1000");
        assert_eq!(format!("{:<6}|", Owner::number(7)), "7     |");
        for (name, word) in [
            ("alice", "alice"),
            ("Jürgen", "Jürgen"),
            ("", "_"),
            ("a b;c\r\nd\u{a0}e", "a_b_c__d_e"),
        ] {
            assert_eq!(Owner::named(name).to_string(), word);
        }
    }
}
