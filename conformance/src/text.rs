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

/// The beginning of the first line of a reply, for a message.
pub(crate) fn first_line(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    first.chars().take(120).collect()
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

/// The candidate that was probably meant, if there is one near enough.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Typing errors are not longer, and the comparison takes quadratic time.
    if word.len() > 80 {
        return None;
    }
    let lower = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        // Each character too many or too few is a step of its own (and in UTF-8 up to four octets).
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= allowed * 4)
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .min()
        .filter(|(distance, _)| *distance <= allowed)
        .map(|(_, candidate)| candidate)
}

/// The sentence for [`nearest`].
pub(crate) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
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

    #[test]
    fn only_what_is_near_is_suggested() {
        assert_eq!(nearest("recieve", ["receive", "read"]), Some("receive"));
        assert_eq!(nearest("RECEIVE", ["receive", "read"]), Some("receive"));
        assert_eq!(nearest("banana", ["receive", "read"]), None);
        assert_eq!(nearest(&"x".repeat(10_000), ["receive"]), None);
    }
}
