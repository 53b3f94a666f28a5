//! Helpers for text: pluralisation, hexadecimal digits and text files.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// `1 scenario`, `2 scenarios`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// Shown, with commas between.
pub(crate) fn joined<T: ToString>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(T::to_string).collect();
    items.join(", ")
}

/// The text, truncated to this number of characters, with a sign that it goes on.
pub(crate) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    match text.char_indices().nth(width) {
        Some((end, _)) => Cow::Owned(format!("{} …", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Octets in lower-case hexadecimal digits.
pub(crate) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The first `limit` octets of a UTF-8 file.
///
/// # Errors
/// The file cannot be read or is not UTF-8. The message names the file.
pub(crate) fn read_limited(path: &Path, limit: u64) -> io::Result<String> {
    let read = || {
        let mut text = String::new();
        File::open(path)?.take(limit).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut(&"ü".repeat(40), 40).chars().count(), 40);
        assert_eq!(cut(&"ü".repeat(1 << 20), 40).chars().count(), 42);
    }
}
