//! The language of reply texts (RFC 2640 §4).
//!
//! Replies are written in English where they are decided. In another language the session looks each line up by its
//! English text before it leaves: what is not known stays English, codes and what programs read (227, 229, FEAT, facts)
//! stay as they are, and a session in English does none of this.

mod german;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A language replies can be had in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// What the server speaks unasked.
    #[default]
    English,
    /// Deutsch.
    German,
}

impl Language {
    /// All of them, in the order of FEAT.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// The tag, as FEAT writes it.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "EN",
            Self::German => "DE",
        }
    }

    /// The language a tag names. Of `de-AT` the primary tag counts: nobody who asks for it is better served in English
    /// (RFC 2640 §4.2).
    #[must_use]
    pub fn named(tag: &LanguageTag<'_>) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.tag().as_bytes().eq_ignore_ascii_case(tag.primary))
    }

    /// A line in this language, without copying where there is nothing to fill in; `None` if it stays as it is.
    #[must_use]
    pub fn translated(self, english: &[u8]) -> Option<Cow<'static, [u8]>> {
        let words = match self {
            Self::English => return None,
            Self::German => &*GERMAN,
        };
        words.line(english)
    }
}

/// A well-formed language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanguageTag<'a> {
    primary: &'a [u8],
}

impl<'a> LanguageTag<'a> {
    /// `1*8ALPHA *( "-" 1*8ALPHA )` (RFC 2640 §4.2).
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let mut parts = text.split(|octet| *octet == b'-');
        let well_formed = parts
            .clone()
            .all(|part| (1..=8).contains(&part.len()) && part.iter().all(u8::is_ascii_alphabetic));
        let primary = parts.next().filter(|_| well_formed)?;
        Some(Self { primary })
    }
}

/// The German texts, put in order when somebody first asks for them.
static GERMAN: LazyLock<Words> = LazyLock::new(|| Words::new(german::TEXTS));

/// English lines and what they are in another language.
#[derive(Debug)]
struct Words {
    fixed: HashMap<&'static [u8], &'static str>,
    /// Those with places to fill in, written `{}`.
    patterns: Vec<(Vec<&'static str>, Vec<&'static str>)>,
}

impl Words {
    fn new(texts: &[(&'static str, &'static str)]) -> Self {
        let (patterns, fixed): (Vec<_>, Vec<_>) = texts
            .iter()
            .partition(|(english, _)| english.contains("{}"));
        Self {
            fixed: fixed
                .into_iter()
                .map(|&(english, other)| (english.as_bytes(), other))
                .collect(),
            patterns: patterns
                .into_iter()
                .map(|(english, other)| {
                    (english.split("{}").collect(), other.split("{}").collect())
                })
                .collect(),
        }
    }

    fn line(&self, english: &[u8]) -> Option<Cow<'static, [u8]>> {
        if let Some(text) = self.fixed.get(english) {
            return Some(Cow::Borrowed(text.as_bytes()));
        }
        // A line of a list stands one space to the right.
        if let Some(text) = english
            .strip_prefix(b" ")
            .and_then(|line| self.fixed.get(line))
        {
            return Some(Cow::Owned([b" ", text.as_bytes()].concat()));
        }
        self.patterns.iter().find_map(|(from, to)| {
            let filled = filled_in(english, from)?;
            let (first, rest) = to.split_first()?;
            let mut line = first.as_bytes().to_vec();
            for (value, text) in filled.iter().zip(rest) {
                line.extend_from_slice(value);
                line.extend_from_slice(text.as_bytes());
            }
            Some(Cow::Owned(line))
        })
    }
}

/// What stands in the places between `parts`; `None` if the line is another.
fn filled_in<'a>(line: &'a [u8], parts: &[&str]) -> Option<Vec<&'a [u8]>> {
    let (first, rest) = parts.split_first()?;
    let (last, between) = rest.split_last()?;
    let mut line = line
        .strip_prefix(first.as_bytes())?
        .strip_suffix(last.as_bytes())?;
    let mut values = Vec::with_capacity(rest.len());
    for part in between {
        let at = memchr::memmem::find(line, part.as_bytes())?;
        values.push(&line[..at]);
        line = &line[at + part.len()..];
    }
    values.push(line);
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::collections::HashSet;

    #[rstest]
    #[case("en", Some(Language::English))]
    #[case("DE", Some(Language::German))]
    #[case("de-AT", Some(Language::German))]
    #[case("fr", None)]
    #[case("deu", None)]
    fn languages_are_known_by_their_primary_tag(
        #[case] tag: &str,
        #[case] expected: Option<Language>,
    ) {
        let tag = LanguageTag::parse(tag.as_bytes());
        assert_eq!(tag.map(|tag| Language::named(&tag)), Some(expected));
    }

    #[rstest]
    #[case("")]
    #[case("1!")]
    #[case("abcdefghi")]
    #[case("de-")]
    #[case("-de")]
    #[case("de--at")]
    #[case("de at")]
    #[case("de_AT")]
    fn what_is_no_tag(#[case] tag: &str) {
        assert_eq!(LanguageTag::parse(tag.as_bytes()), None);
    }

    #[test]
    fn fixed_texts_are_not_copied_and_unknown_ones_stay() {
        let german = |text: &str| Language::German.translated(text.as_bytes());
        assert_eq!(
            german("Goodbye."),
            Some(Cow::Borrowed("Auf Wiedersehen.".as_bytes()))
        );
        assert!(matches!(german("Goodbye."), Some(Cow::Borrowed(_))));
        assert_eq!(german("Nobody says this."), None);
        assert_eq!(Language::English.translated(b"Goodbye."), None);
    }

    #[test]
    fn what_was_filled_in_stays_as_it_was() {
        let line = Language::German.translated(b"\"/a \xff {}\" was made.");
        assert_eq!(
            line.as_deref(),
            Some(&b"\"/a \xff {}\" wurde angelegt."[..])
        );
    }

    #[test]
    fn every_text_has_one_translation_with_the_same_places() {
        let mut seen = HashSet::new();
        for (english, german) in german::TEXTS {
            assert!(seen.insert(english), "twice: {english}");
            assert_eq!(
                english.matches("{}").count(),
                german.matches("{}").count(),
                "{english}"
            );
            assert_ne!(english, german);
            assert!(!german.contains(['\r', '\n', '\0']), "{german}");
        }
    }
}
