//! Octets a scenario sends, expects or prepares.

use std::fmt;

use serde::Serialize;

use super::Variables;
use crate::data::{CONTENT_LIMIT, Data};

/// Pieces joined by `+`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(pub Vec<Piece>);

/// One piece and the part of it that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where the octets come from.
    pub source: Source,
    /// `[a..b]`
    pub slice: Option<Slice>,
}

/// `[from..to]`, either end open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// First octet.
    pub from: Option<u64>,
    /// After the last octet.
    pub to: Option<u64>,
}

/// Where the octets of a piece come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Octets as written (escapes resolved), with `${name}` still in them.
    Literal(Vec<u8>),
    /// `crlf("…")`: as written; each newline becomes CRLF.
    Crlf(Vec<u8>),
    /// `pattern(N)`
    Pattern(u64),
    /// `repeat("…", N)`
    Repeat(Vec<u8>, u64),
    /// A variable.
    Variable(String),
}

/// Why there are no octets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// A variable has no value.
    #[error("the variable `{0}` has no value here")]
    Unknown(String),
    /// More than [`CONTENT_LIMIT`].
    #[error("the content is larger than 64 MiB")]
    TooLarge,
}

impl From<ContentError> for String {
    fn from(error: ContentError) -> Self {
        error.to_string()
    }
}

impl Content {
    /// Content that is exactly these octets.
    #[must_use]
    pub fn literal(octets: &[u8]) -> Self {
        let mut source = Vec::with_capacity(octets.len());
        for octet in octets {
            // `$${` is the literal `${`.
            if *octet == b'{' && source.last() == Some(&b'$') {
                source.push(b'$');
            }
            source.push(*octet);
        }
        Self(vec![Piece {
            source: Source::Literal(source),
            slice: None,
        }])
    }

    /// The octets. Parts of the test pattern and repetitions take no memory.
    ///
    /// # Errors
    /// A variable without a value, or too many octets.
    pub fn data(&self, variables: &Variables) -> Result<Data, ContentError> {
        let mut data = Data::default();
        for piece in &self.0 {
            data.extend(piece.data(variables)?);
            if data.len() > CONTENT_LIMIT {
                return Err(ContentError::TooLarge);
            }
        }
        Ok(data)
    }

    /// [`Self::data`] in one piece.
    ///
    /// # Errors
    /// As [`Self::data`].
    pub fn octets(&self, variables: &Variables) -> Result<Vec<u8>, ContentError> {
        Ok(self.data(variables)?.to_vec())
    }

    /// How many octets it has, as far as that does not depend on variables.
    #[must_use]
    pub fn static_length(&self) -> u64 {
        let pieces = self.0.iter().map(Piece::static_cost);
        pieces.fold(0, u64::saturating_add)
    }

    /// The names of its variables, in order.
    pub(super) fn variables(&self) -> Vec<&str> {
        use super::variables::{Part, parts};
        let mut names = Vec::new();
        for piece in &self.0 {
            match &piece.source {
                Source::Variable(name) => names.push(name.as_str()),
                Source::Literal(octets) | Source::Crlf(octets) | Source::Repeat(octets, _) => {
                    names.extend(parts(octets).filter_map(|part| match part {
                        Part::Variable(name) => Some(name),
                        Part::Octets(_) => None,
                    }));
                }
                Source::Pattern(_) => {}
            }
        }
        names
    }
}

impl Piece {
    fn data(&self, variables: &Variables) -> Result<Data, ContentError> {
        let expand = |octets| {
            variables
                .expand_octets(octets)
                .map_err(ContentError::Unknown)
        };
        let whole: Data = match &self.source {
            Source::Literal(octets) => expand(octets)?.into(),
            Source::Crlf(octets) => with_crlf(&expand(octets)?).into(),
            Source::Variable(name) => {
                let value = variables.get(name);
                value
                    .ok_or_else(|| ContentError::Unknown(name.clone()))?
                    .into()
            }
            Source::Pattern(length) => Data::of_pattern(0..*length),
            Source::Repeat(octets, times) => Data::repeated(expand(octets)?, *times),
        };
        let (from, to) = self.bounds(whole.len());
        Ok(whole.slice(from..to))
    }

    /// The part of `length` octets that counts. What is sliced away beyond the end is not missed: a
    /// variable may be shorter than thought; for everything else the grammar has looked.
    fn bounds(&self, length: u64) -> (u64, u64) {
        let slice = self.slice.unwrap_or(Slice {
            from: None,
            to: None,
        });
        let to = slice.to.unwrap_or(length).min(length);
        let from = slice.from.unwrap_or(0).min(to);
        (from, to)
    }

    /// How many octets have to be made for it, as far as that does not hang on variables.
    pub(super) fn static_cost(&self) -> u64 {
        let length = self.static_length().unwrap_or(0);
        match self.source {
            Source::Pattern(_) => {
                let (from, to) = self.bounds(length);
                to - from
            }
            _ => length,
        }
    }

    /// How many octets before slicing, where that does not hang on variables.
    pub(super) fn static_length(&self) -> Option<u64> {
        let plain = |octets: &[u8]| memchr::memchr(b'$', octets).is_none();
        match &self.source {
            Source::Literal(octets) if plain(octets) => Some(octets.len() as u64),
            Source::Crlf(octets) if plain(octets) => Some(with_crlf(octets).len() as u64),
            Source::Repeat(octets, times) if plain(octets) => {
                Some((octets.len() as u64).saturating_mul(*times))
            }
            Source::Pattern(length) => Some(*length),
            _ => None,
        }
    }
}

fn with_crlf(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    for octet in octets {
        if *octet == b'\n' {
            out.push(b'\r');
        }
        out.push(*octet);
    }
    out
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, piece) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" + ")?;
            }
            write!(f, "{piece}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Literal(octets) => f.write_str(&quoted(octets))?,
            Source::Crlf(octets) => write!(f, "crlf({})", quoted(octets))?,
            Source::Pattern(length) => write!(f, "pattern({length})")?,
            Source::Repeat(octets, times) => write!(f, "repeat({}, {times})", quoted(octets))?,
            Source::Variable(name) => write!(f, "${{{name}}}")?,
        }
        if let Some(Slice { from, to }) = self.slice {
            let show = |end: Option<u64>| end.map(|end| end.to_string()).unwrap_or_default();
            write!(f, "[{}..{}]", show(from), show(to))?;
        }
        Ok(())
    }
}

impl Serialize for Content {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Octets between quotes, with the escapes of the language.
pub(crate) fn quoted(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + 2);
    text.push('"');
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                '\0' => text.push_str("\\0"),
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                // What a terminal or an editor would not show, or would show in another order.
                _ if hidden(character) => {
                    let mut octets = [0; 4];
                    for octet in character.encode_utf8(&mut octets).bytes() {
                        text.push_str(&format!("\\x{octet:02x}"));
                    }
                }
                _ => text.push(character),
            }
        }
        for octet in chunk.invalid() {
            text.push_str(&format!("\\x{octet:02x}"));
        }
    }
    text.push('"');
    text
}

fn hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use proptest::prelude::*;

    fn octets(source: Source, slice: Option<(Option<u64>, Option<u64>)>) -> Vec<u8> {
        let slice = slice.map(|(from, to)| Slice { from, to });
        Content(vec![Piece { source, slice }])
            .octets(&Variables::default())
            .unwrap()
    }

    #[test]
    fn pieces_are_joined_and_variables_replaced() {
        let mut variables = Variables::default();
        variables.set("user", "anna");
        let piece = |source| Piece {
            source,
            slice: None,
        };
        let content = Content(vec![
            piece(Source::Literal(b"\xff${user}$${user}".to_vec())),
            piece(Source::Repeat(b"${user}.".to_vec(), 2)),
            piece(Source::Crlf(b"a\nb".to_vec())),
            piece(Source::Variable("user".into())),
        ]);
        assert_eq!(
            content.octets(&variables).unwrap(),
            b"\xffanna${user}anna.anna.a\r\nbanna"
        );
        assert_eq!(
            content.octets(&Variables::default()),
            Err(ContentError::Unknown("user".to_owned()))
        );
    }

    #[test]
    fn a_slice_is_the_part_between_its_ends() {
        let source = || Source::Literal(b"0123456789".to_vec());
        assert_eq!(octets(source(), Some((Some(4), None))), b"456789");
        assert_eq!(octets(source(), Some((None, Some(4)))), b"0123");
        assert_eq!(octets(source(), Some((Some(5), Some(9)))), b"5678");
        assert_eq!(octets(source(), Some((Some(9), Some(99)))), b"9");
    }

    #[test]
    fn content_has_a_limit() {
        let too_large = [
            Content(vec![Piece {
                source: Source::Pattern(u64::MAX),
                slice: None,
            }]),
            Content(vec![Piece {
                source: Source::Repeat(b"ab".to_vec(), u64::MAX),
                slice: None,
            }]),
            Content(vec![
                Piece {
                    source: Source::Pattern(CONTENT_LIMIT / 2 + 1),
                    slice: None
                };
                2
            ]),
        ];
        for content in too_large {
            assert_eq!(
                content.octets(&Variables::default()),
                Err(ContentError::TooLarge)
            );
        }
    }

    #[test]
    fn quotes_hide_nothing() {
        assert_eq!(
            quoted(b"a\r\n\t\0\\\"\xff\x1b"),
            r#""a\r\n\t\0\\\"\xff\x1b""#
        );
        assert_eq!(quoted("Grüße\u{202e}".as_bytes()), r#""Grüße\xe2\x80\xae""#);
    }

    proptest! {
        #[test]
        fn literal_content_is_its_octets(octets in "[$a{}]{0,9}") {
            let content = Content::literal(octets.as_bytes());
            prop_assert_eq!(content.octets(&Variables::default()).unwrap(), octets.as_bytes());
        }
    }
}
