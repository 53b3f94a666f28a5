//! The words of a line of a plan, quoted or not.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

use super::error::ParseError;

/// A word of the line. A quoted one is text, and never a word of the grammar.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// Its place, in octets of the line.
    pub(super) at: Range<usize>,
    /// As text; what is not UTF-8 is replaced.
    pub(super) text: String,
    /// With its escapes resolved.
    pub(super) octets: Vec<u8>,
    pub(super) quoted: bool,
}

/// The words of a line.
pub(super) fn tokens(line: &str) -> Result<Vec<Token>, ParseError> {
    let mut tokens = Vec::new();
    let mut rest = line.char_indices().peekable();
    while let Some((start, first)) = rest.next() {
        if first.is_whitespace() {
            continue;
        }
        let mut octets = Vec::new();
        let put = |letter: char, octets: &mut Vec<u8>| {
            octets.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        };
        let quoted = first == '"';
        let mut end = start + first.len_utf8();
        let mut open = quoted;
        if !quoted {
            put(first, &mut octets);
        }
        while let Some((at, next)) = rest.next_if(|(_, next)| quoted || !next.is_whitespace()) {
            end = at + next.len_utf8();
            match next {
                '"' if quoted => {
                    open = false;
                    break;
                }
                '\\' if quoted => {
                    if let Some((octet, after)) = escaped(line, at, &mut rest)? {
                        end = after;
                        octets.push(octet);
                    }
                }
                other => put(other, &mut octets),
            }
        }
        if open {
            return Err(ParseError {
                message: "the quoted text has no end".into(),
                suggestion: None,
                at: start..end,
                line: line.into(),
            });
        }
        tokens.push(Token {
            at: start..end,
            text: String::from_utf8_lossy(&octets).into_owned(),
            octets,
            quoted,
        });
    }
    Ok(tokens)
}

/// Reads what follows the backslash at `start` of `line`: the octet it stands for, and where the
/// escape ends. `None` at the end of the line.
fn escaped(
    line: &str,
    start: usize,
    rest: &mut Peekable<CharIndices<'_>>,
) -> Result<Option<(u8, usize)>, ParseError> {
    let Some((at, letter)) = rest.next() else {
        return Ok(None);
    };
    let end = at + letter.len_utf8();
    let octet = match letter {
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        '\\' => b'\\',
        '"' => b'"',
        'x' => {
            let digits = line.get(end..end + 2).unwrap_or_default();
            let digits = digits
                .bytes()
                .all(|digit| digit.is_ascii_hexdigit())
                .then_some(digits);
            let Some(octet) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
                return Err(ParseError {
                    message: r"`\x` needs two hexadecimal digits, as in `\x1b`".into(),
                    suggestion: None,
                    at: start..end,
                    line: line.into(),
                });
            };
            rest.next();
            rest.next();
            return Ok(Some((octet, end + 2)));
        }
        other => {
            return Err(ParseError {
                message: format!(
                    r#"there is no escape `\{other}`, only `\n`, `\r`, `\t`, `\\`, `\"` and `\xNN`"#
                ),
                suggestion: Some(format!(r"\\{other}")),
                at: start..end,
                line: line.into(),
            });
        }
    };
    Ok(Some((octet, end)))
}
