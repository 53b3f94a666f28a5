//! Octets as printable text, and back.

use std::fmt::{self, Write as _};

/// Displays octets escaped.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |octet: &u8| matches!(octet, b' '..=b'~') && *octet != b'\\';
        let mut rest = self.0;
        while let Some(octet) = rest.first() {
            let end = rest.iter().position(|octet| !plain(octet));
            let (text, behind) = rest.split_at(end.unwrap_or(rest.len()));
            if !text.is_empty() {
                // Printable ASCII only.
                f.write_str(std::str::from_utf8(text).unwrap_or_default())?;
                rest = behind;
                continue;
            }
            match octet {
                b'\r' => f.write_str("\\r")?,
                b'\n' => f.write_str("\\n")?,
                b'\t' => f.write_str("\\t")?,
                b'\\' => f.write_str("\\\\")?,
                _ => write!(f, "\\x{octet:02x}")?,
            }
            rest = &rest[1..];
        }
        Ok(())
    }
}

/// Octets as text: printable ASCII as it is, `\r \n \t \\` short, everything else `\xNN`.
#[must_use]
pub fn escape(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let _ = write!(text, "{}", Escaped(octets));
    text
}

/// The inverse of [`escape`]; `None` if an escape is invalid.
#[must_use]
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        octets.push(match rest.next()? {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'\\' => b'\\',
            b'x' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(octets)
}
