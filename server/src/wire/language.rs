//! The language of reply texts (RFC 2640 §4).
//!
//! Replies are decided in English. A session in another language looks each line up by its English
//! text where the reply leaves. Lines without a translation stay English, and so do codes and
//! everything that programs read (227, 229, FEAT, facts).

/// A language that LANG can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// The default.
    #[default]
    English,
    /// The most frequent replies only: enough for a client to see that LANG takes effect.
    German,
}

/// A line for each text, `English = German`.
const GERMAN: &str = include_str!("german.txt");

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

    /// The language of a tag. Only the primary tag counts: `de-AT` is German (RFC 2640 §4.2).
    #[must_use]
    pub fn named(tag: &LanguageTag<'_>) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.tag().as_bytes().eq_ignore_ascii_case(tag.primary))
    }

    /// The line in this language; `None` if it stays as it is.
    #[must_use]
    pub fn translation(self, english: &[u8]) -> Option<&'static str> {
        match self {
            Self::English => None,
            Self::German => GERMAN
                .lines()
                .filter_map(|line| line.split_once(" = "))
                .find_map(|(from, to)| (from.as_bytes() == english).then_some(to)),
        }
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
    fn a_language_is_found_by_its_primary_tag(
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
    fn a_malformed_tag_is_refused(#[case] tag: &str) {
        assert_eq!(LanguageTag::parse(tag.as_bytes()), None);
    }

    #[test]
    fn every_line_of_the_german_texts_is_a_translation() {
        let mut seen = HashSet::new();
        for line in GERMAN.lines() {
            let parts = line.split_once(" = ");
            let (english, german) = parts.unwrap_or_else(|| panic!("no separator: {line}"));
            assert!(seen.insert(english), "twice: {english}");
            assert_eq!(
                Language::German.translation(english.as_bytes()),
                Some(german)
            );
            assert_eq!(Language::English.translation(english.as_bytes()), None);
        }
    }
}
