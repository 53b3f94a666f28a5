//! Patterns of texts, and the variables they fill.

use std::collections::BTreeMap;
use std::fmt;

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};
use serde::Serialize;

use super::Variables;
use super::variables::variable_at;

/// What a compiled pattern may weigh, so that no file and no captured value makes us build a
/// monster.
const COMPILED_LIMIT: usize = 4 << 20;

/// A glob for the whole text, or between slashes a regular expression that is searched for.
///
/// Both are matched in linear time by the regex crate, whatever a server sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TextPattern {
    /// As in the file, `/…/` included.
    pub source: String,
}

impl TextPattern {
    /// A pattern as in a file. Only its syntax is checked; [`TextPattern::matcher`]
    /// finds the rest.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn parse(source: impl Into<String>) -> Result<Self, String> {
        let pattern = Self {
            source: source.into(),
        };
        if let Some(inside) = pattern.regex() {
            let expression = regex_with_values(inside, &pattern.any_values())?;
            regex_syntax::parse(&expression).map_err(|error| in_one_line(&error.to_string()))?;
        }
        Ok(pattern)
    }

    /// A glob that fits exactly this text.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let mut source = String::with_capacity(text.len());
        for (index, character) in text.chars().enumerate() {
            let special = matches!(character, '*' | '?' | '\\' | '$');
            // A slash matters only where it could open a regular expression, a blank only where it
            // would be cut off.
            if special || (index == 0 && matches!(character, '/' | ' ')) {
                source.push('\\');
            }
            source.push(character);
        }
        Self { source }
    }

    /// Whether the text fits; captures are set in `variables` only if it does.
    pub fn matches(&self, text: &str, variables: &mut Variables) -> bool {
        let Some(captured) = self
            .matcher(variables)
            .ok()
            .and_then(|matcher| matcher.captures(text))
        else {
            return false;
        };
        variables.0.extend(captured);
        true
    }

    /// The pattern made ready, with the values variables have now. For many texts, make it once.
    ///
    /// # Errors
    /// What is wrong with it, or which variable a regular expression lacks, as a sentence.
    pub fn matcher(&self, variables: &Variables) -> Result<Matcher, String> {
        let (expression, captures) = match self.regex() {
            Some(inside) => (regex_with_values(inside, variables)?, None),
            None => {
                let (expression, captures) = regex_of_glob(&self.source, variables);
                (expression, Some(captures))
            }
        };
        let regex = RegexBuilder::new(&expression)
            .size_limit(COMPILED_LIMIT)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
                error => in_one_line(&error.to_string()),
            })?;
        Ok(Matcher { regex, captures })
    }

    /// The text between the slashes, if it is a regular expression.
    #[must_use]
    pub fn regex(&self) -> Option<&str> {
        self.source.strip_prefix('/')?.strip_suffix('/')
    }

    /// The names of all `${name}`, in order.
    pub(super) fn variables(&self) -> Vec<&str> {
        let is_glob = self.regex().is_none();
        tokens(&self.source, is_glob)
            .filter_map(|token| match token {
                Token::Variable(name) => Some(name),
                _ => None,
            })
            .collect()
    }

    /// The names a regular expression captures.
    pub(super) fn groups(&self) -> Vec<String> {
        let mut names = Vec::new();
        let expression = self
            .regex()
            .and_then(|inside| regex_with_values(inside, &self.any_values()).ok());
        if let Some(hir) = expression.and_then(|text| regex_syntax::parse(&text).ok()) {
            collect_groups(&hir, &mut names);
        }
        names
    }

    /// Some value for each variable: enough to see whether the rest is well-formed.
    pub(super) fn any_values(&self) -> Variables {
        let mut values = Variables::default();
        for name in self.variables() {
            values.set(name, "x");
        }
        values
    }
}

/// The parser limits the nesting of groups.
fn collect_groups(hir: &Hir, names: &mut Vec<String>) {
    match hir.kind() {
        HirKind::Capture(capture) => {
            names.extend(capture.name.as_deref().map(str::to_owned));
            collect_groups(&capture.sub, names);
        }
        HirKind::Repetition(repetition) => collect_groups(&repetition.sub, names),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => {
            subs.iter().for_each(|sub| collect_groups(sub, names));
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
    }
}

impl fmt::Display for TextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// A pattern with the values of its variables in it.
#[derive(Debug, Clone)]
pub struct Matcher {
    regex: Regex,
    /// Of a glob: the variable each group fills.
    captures: Option<Vec<String>>,
}

impl Matcher {
    /// The values of the variables of the pattern, if the text fits.
    #[must_use]
    pub fn captures(&self, text: &str) -> Option<BTreeMap<String, String>> {
        let groups = self.regex.captures(text)?;
        let mut captured: BTreeMap<String, String> = BTreeMap::new();
        let names = match &self.captures {
            Some(names) => names.iter().map(|name| Some(name.as_str())).collect(),
            None => self.regex.capture_names().skip(1).collect::<Vec<_>>(),
        };
        for (name, group) in names.into_iter().zip(groups.iter().skip(1)) {
            let (Some(name), Some(group)) = (name, group) else {
                continue;
            };
            match captured.get(name) {
                // A new name that occurs twice in one glob has the same value both times.
                Some(earlier) if earlier != group.as_str() => return None,
                Some(_) => {}
                None => {
                    captured.insert(name.to_owned(), group.as_str().to_owned());
                }
            }
        }
        Some(captured)
    }

    /// Whether the text fits.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.captures(text).is_some()
    }
}

/// One element of a pattern.
enum Token<'a> {
    /// A character as it is.
    Literal(char),
    /// `\` and a character.
    Escaped(char),
    Variable(&'a str),
}

/// The tokens of a glob, or of a regular expression (where `$${` means nothing special).
fn tokens(source: &str, glob: bool) -> impl Iterator<Item = Token<'_>> {
    let mut rest = source;
    std::iter::from_fn(move || {
        if let Some(name) = variable_at(rest.as_bytes()) {
            rest = &rest[name.len() + 3..];
            return Some(Token::Variable(name));
        }
        let mut characters = rest.chars();
        let first = characters.next()?;
        let escapes = first == '\\' || (glob && rest.starts_with("$${"));
        let token = match characters.clone().next() {
            Some(next) if escapes => {
                characters.next();
                Token::Escaped(next)
            }
            _ => Token::Literal(first),
        };
        rest = characters.as_str();
        Some(token)
    })
}

/// The regular expression of a glob, and the variable each of its groups fills.
fn regex_of_glob(glob: &str, variables: &Variables) -> (String, Vec<String>) {
    let mut expression = String::from(r"(?s)\A");
    let mut captures = Vec::new();
    let mut literal = [0; 4];
    for token in tokens(glob, true) {
        match token {
            Token::Literal('*') => expression.push_str(".*?"),
            Token::Literal('?') => expression.push('.'),
            Token::Literal(character) | Token::Escaped(character) => {
                expression.push_str(&regex::escape(character.encode_utf8(&mut literal)));
            }
            Token::Variable(name) => match variables.get(name) {
                Some(value) => expression.push_str(&regex::escape(value)),
                None => {
                    expression.push_str("(.*?)");
                    captures.push(name.to_owned());
                }
            },
        }
    }
    expression.push_str(r"\z");
    (expression, captures)
}

/// A regular expression with the values of its variables in it, taken literally.
fn regex_with_values(inside: &str, variables: &Variables) -> Result<String, String> {
    let mut expression = String::with_capacity(inside.len());
    for token in tokens(inside, false) {
        match token {
            Token::Literal(character) => expression.push(character),
            Token::Escaped(character) => expression.extend(['\\', character]),
            Token::Variable(name) => {
                let value = variables
                    .get(name)
                    .ok_or_else(|| format!("the variable `{name}` has no value here"))?;
                // A group, so that what follows repeats the value and not its last character.
                expression.push_str("(?:");
                expression.push_str(&regex::escape(value));
                expression.push(')');
            }
        }
    }
    Ok(expression)
}

/// The last line of the regex crate's drawing says what is wrong.
fn in_one_line(drawing: &str) -> String {
    let last = drawing.lines().last().unwrap_or_default();
    let sentence = last.strip_prefix("error: ").unwrap_or(last);
    format!("the regular expression is broken: {sentence}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn pattern(source: &str) -> TextPattern {
        TextPattern::parse(source).unwrap()
    }

    #[rstest]
    #[case("Ready", "Ready", true)]
    #[case("Ready", "Ready.", false)]
    #[case("*", "", true)]
    #[case("*end", "first\nthe end", true)]
    #[case("a?c", "a\nc", true)]
    #[case("a?c", "ac", false)]
    #[case(r"\*", "*", true)]
    #[case(r"\*", "x", false)]
    #[case(r"a\", r"a\", true)]
    #[case("$${x}", "${x}", true)]
    #[case("ä?", "äö", true)]
    #[case("(a|b)+.", "(a|b)+.", true)]
    #[case("/b+/", "abba", true)]
    #[case("/^b/", "abba", false)]
    #[case("/", "/", true)]
    #[case(r"\/a/", "/a/", true)]
    #[case("/home*", "/home/anna", true)]
    fn a_pattern_fits_or_does_not(#[case] source: &str, #[case] text: &str, #[case] fits: bool) {
        assert_eq!(
            pattern(source).matches(text, &mut Variables::default()),
            fits
        );
    }

    #[test]
    fn a_variable_without_value_captures_the_shortest_text() {
        let mut variables = Variables::default();
        assert!(pattern("\"${made}\"*").matches("\"/a\" is \"new\"", &mut variables));
        assert_eq!(variables.get("made"), Some("/a"));
    }

    #[test]
    fn a_variable_with_a_value_is_that_text() {
        let mut variables = Variables::default();
        variables.set("user", "a.b");
        assert!(pattern("Hello ${user}").matches("Hello a.b", &mut variables));
        assert!(!pattern("Hello ${user}").matches("Hello axb", &mut variables));
        assert!(pattern("/o ${user}$/").matches("Hello a.b", &mut variables));
        assert!(!pattern("/o ${user}$/").matches("Hello axb", &mut variables));
    }

    #[test]
    fn the_same_new_variable_twice_is_the_same_text() {
        let mut variables = Variables::default();
        assert!(pattern("${a}-${a}").matches("x-x", &mut variables));
        assert!(!pattern("${b}-${b}").matches("x-y", &mut variables));
        assert_eq!(variables.get("b"), None);
    }

    #[test]
    fn nothing_is_captured_by_what_does_not_fit() {
        let mut variables = Variables::default();
        assert!(!pattern("${name} there").matches("hello here", &mut variables));
        assert_eq!(variables, Variables::default());
    }

    #[test]
    fn a_regular_expression_captures_named_groups() {
        let mut variables = Variables::default();
        assert!(pattern(r"/\|\|\|(?<port>\d+)\|/").matches("Ok (|||4711|)", &mut variables));
        assert_eq!(variables.get("port"), Some("4711"));
        assert_eq!(pattern(r"/(?<port>\d+)(?:x)(y)/").groups(), ["port"]);
    }

    #[test]
    fn a_broken_pattern_says_why() {
        let why = |source: &str| {
            let pattern = TextPattern::parse(source)?;
            pattern.matcher(&Variables::default())
        };
        let broken = "the regular expression is broken: unclosed group";
        assert_eq!(why("/(/").unwrap_err(), broken);
        assert_eq!(
            why("/(?:a{1000}){1000}/").unwrap_err(),
            "the pattern is too large"
        );
        assert_eq!(
            why("/${x}/").unwrap_err(),
            "the variable `x` has no value here"
        );
    }

    #[test]
    fn an_evil_pattern_takes_linear_time() {
        let text = "a".repeat(100_000);
        assert!(!pattern("*a*a*a*a*a*a*b").matches(&text, &mut Variables::default()));
    }

    /// A simple reference implementation of globs.
    fn naive(glob: &[char], text: &[char]) -> bool {
        match glob {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            ['?', rest @ ..] => !text.is_empty() && naive(rest, &text[1..]),
            ['\\', literal, rest @ ..] => text.first() == Some(literal) && naive(rest, &text[1..]),
            [literal, rest @ ..] => text.first() == Some(literal) && naive(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn globs_agree_with_the_naive_matcher(glob in r"[ab*?\\]{0,8}", text in r"[ab*?\\\n]{0,8}") {
            let glob_characters: Vec<char> = glob.chars().collect();
            let text_characters: Vec<char> = text.chars().collect();
            prop_assert_eq!(
                pattern(&glob).matches(&text, &mut Variables::default()),
                naive(&glob_characters, &text_characters)
            );
        }

        #[test]
        fn a_literal_pattern_fits_its_text(text in any::<String>(), other in any::<String>()) {
            let pattern = TextPattern::literal(&text);
            let mut variables = Variables::default();
            prop_assert!(pattern.matches(&text, &mut variables));
            prop_assert_eq!(pattern.matches(&other, &mut variables), text == other);
        }

        #[test]
        fn any_text_is_a_pattern_or_an_error(source in any::<String>()) {
            if let Ok(pattern) = TextPattern::parse(source) {
                pattern.matches("text", &mut Variables::default());
            }
        }
    }
}
