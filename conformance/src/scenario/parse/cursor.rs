//! Reads the arguments of one statement from left to right.

use std::ops::Range;
use std::time::Duration;

use super::super::ranges::without_range;
use super::super::{CONTENT_LIMIT, Content, Piece, Slice, Source, TextPattern};
use super::{Problem, SLOW_SILENCE, check_variables, did_you_mean, shown};

/// A place in a line.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Where `text` starts in the file.
    start: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str, start: usize) -> Self {
        Self { text, at: 0, start }
    }

    /// Everything that is left.
    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Where we are in the file.
    pub(crate) fn position(&self) -> usize {
        self.start + self.at
    }

    /// The next character, or the end of the line, as a span.
    pub(crate) fn here(&self) -> Range<usize> {
        let width = self.rest().chars().next().map_or(0, char::len_utf8);
        self.position()..self.position() + width
    }

    /// From an earlier position to here.
    pub(crate) fn since(&self, position: usize) -> Range<usize> {
        position..self.position()
    }

    pub(crate) fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Whether nothing but blanks is left.
    pub(crate) fn at_end(&self) -> bool {
        self.rest().trim_start().is_empty()
    }

    /// Takes this text, if it is next.
    pub(crate) fn take(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    /// Takes everything that is left, without blanks around it, and where that starts.
    pub(crate) fn take_rest(&mut self) -> (&'a str, usize) {
        self.skip_blanks();
        let (rest, position) = (self.rest(), self.position());
        self.at = self.text.len();
        (rest.trim_end(), position)
    }

    /// Takes characters while they fit.
    pub(crate) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|character| !fits(character))
            .unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Takes the next word, if there is one.
    pub(crate) fn word(&mut self) -> Option<(&'a str, Range<usize>)> {
        self.skip_blanks();
        let position = self.position();
        let word = self.take_while(|character| !character.is_whitespace());
        (!word.is_empty()).then(|| (word, self.since(position)))
    }

    /// Only blanks may be left.
    pub(crate) fn end(mut self) -> Result<(), Problem> {
        let (rest, position) = self.take_rest();
        if rest.is_empty() {
            return Ok(());
        }
        let span = position..position + rest.len();
        let problem = Problem::new(span, format!("`{}` is too much here", shown(rest)));
        Err(match rest.starts_with('#') {
            true => problem.help("a comment has a line of its own"),
            false => problem,
        })
    }

    /// A pathname: a word, or quoted.
    pub(crate) fn name(&mut self) -> Result<String, Problem> {
        self.skip_blanks();
        let position = self.position();
        if self.rest().starts_with('"') {
            let octets = self.quoted()?;
            return String::from_utf8(octets)
                .map_err(|_| Problem::new(self.since(position), "a name has to be UTF-8"));
        }
        let Some((word, span)) = self.word() else {
            return Err(Problem::new(self.here(), "a name is missing"));
        };
        check_variables(word, span.start)?;
        Ok(word.to_owned())
    }

    /// A pathname in which `${1..300}` may be a range of numbers.
    pub(crate) fn name_or_range(&mut self) -> Result<String, Problem> {
        self.skip_blanks();
        if self.rest().starts_with('"') {
            return self.name();
        }
        let Some((word, span)) = self.word() else {
            return Err(Problem::new(self.here(), "a name is missing"));
        };
        check_variables(&without_range(word), span.start)?;
        Ok(word.to_owned())
    }

    /// `"…"` with its escapes resolved and `${name}` still in it.
    pub(crate) fn quoted(&mut self) -> Result<Vec<u8>, Problem> {
        let opening = self.here();
        if !self.take("\"") {
            return Err(Problem::new(opening, "a text in quotes is missing"));
        }
        let inside = self.position();
        let mut octets = Vec::new();
        let mut last_escaped = false;
        loop {
            let before = self.position();
            let Some(character) = self.next_character() else {
                return Err(Problem::new(opening, "the quote is not closed"));
            };
            match character {
                '"' => break,
                '\\' => {
                    let octet = self.escape(before)?;
                    // What an escape spells never opens a variable.
                    if octet == b'{' && octets.last() == Some(&b'$') {
                        octets.push(b'$');
                    }
                    octets.push(octet);
                    last_escaped = true;
                }
                character => {
                    if character == '{' && last_escaped && octets.last() == Some(&b'$') {
                        octets.push(b'$');
                    }
                    octets.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    last_escaped = false;
                }
            }
        }
        let raw = &self.text[inside - self.start..self.at - 1];
        check_variables(raw, inside)?;
        Ok(octets)
    }

    fn next_character(&mut self) -> Option<char> {
        let character = self.rest().chars().next()?;
        self.at += character.len_utf8();
        Some(character)
    }

    /// The octet after a `\` that was just read.
    fn escape(&mut self, backslash: usize) -> Result<u8, Problem> {
        Ok(match self.next_character() {
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('0') => 0,
            Some('\\') => b'\\',
            Some('"') => b'"',
            Some('x') => {
                let digits = self.rest().get(..2).unwrap_or_default();
                let octet = u8::from_str_radix(digits, 16)
                    .ok()
                    .filter(|_| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
                let Some(octet) = octet else {
                    let problem =
                        Problem::new(self.since(backslash), "two hexadecimal digits follow `\\x`");
                    return Err(problem.help("as in `\\xff`"));
                };
                self.at += 2;
                octet
            }
            _ => {
                let problem = Problem::new(self.since(backslash), "this is not a valid escape");
                return Err(problem.help(r#"the escapes are `\r \n \t \0 \\ \" \xNN`"#));
            }
        })
    }

    /// A glob between quotes. It has the escapes of globs only, so `\"` is a quote and `\\` a
    /// backslash.
    pub(crate) fn quoted_glob(&mut self) -> Result<TextPattern, Problem> {
        let opening = self.here();
        if !self.take("\"") {
            return Err(Problem::new(opening, "a glob in quotes is missing").help("`\"*name\"`"));
        }
        let inside = self.at;
        loop {
            match self.next_character() {
                Some('"') => break,
                Some('\\') => {
                    self.next_character();
                }
                Some(_) => {}
                None => return Err(Problem::new(opening, "the quote is not closed")),
            }
        }
        self.pattern(&self.text[inside..self.at - 1], self.start + inside)
    }

    /// A glob or regular expression.
    pub(crate) fn pattern(&self, source: &str, start: usize) -> Result<TextPattern, Problem> {
        let whole = start..start + source.len();
        let pattern = TextPattern::parse(source).map_err(|message| Problem::new(whole, message))?;
        if pattern.regex().is_none() {
            check_glob_variables(source, start)?;
        }
        Ok(pattern)
    }

    /// A number without sign.
    pub(crate) fn number(&mut self) -> Result<u64, Problem> {
        let position = self.position();
        let digits = self.take_while(|character| character.is_ascii_digit());
        if digits.is_empty() {
            return Err(Problem::new(self.here(), "a number is missing"));
        }
        digits
            .parse()
            .map_err(|_| Problem::new(self.since(position), "the number is too large"))
    }

    /// `200ms` or `2s`.
    pub(crate) fn duration(&mut self) -> Result<Duration, Problem> {
        self.skip_blanks();
        let position = self.position();
        let number = self.number()?;
        let duration = match self.take_while(|character| !character.is_whitespace()) {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            _ => {
                let problem = Problem::new(self.since(position), "a time has a unit");
                return Err(problem.help("as in `200ms` or `2s`"));
            }
        };
        if duration > SLOW_SILENCE {
            return Err(Problem::new(
                self.since(position),
                "the longest time is 30 minutes",
            ));
        }
        Ok(duration)
    }

    /// Pieces joined by `+`.
    pub(crate) fn content(&mut self) -> Result<Content, Problem> {
        self.skip_blanks();
        let start = self.position();
        let mut pieces = Vec::new();
        let mut length = 0u64;
        loop {
            self.skip_blanks();
            let piece = self.piece()?;
            length = length.saturating_add(piece.static_cost());
            pieces.push(piece);
            if length > CONTENT_LIMIT {
                return Err(Problem::new(
                    self.since(start),
                    "the content is larger than 64 MiB",
                ));
            }
            let before = self.at;
            self.skip_blanks();
            if !self.take("+") {
                self.at = before;
                return Ok(Content(pieces));
            }
        }
    }

    fn piece(&mut self) -> Result<Piece, Problem> {
        let start = self.position();
        let source = self.source()?;
        let mut piece = Piece {
            source,
            slice: None,
        };
        let before_slice = self.position();
        if self.take("[") {
            let from = self.slice_end()?;
            self.expect("..")?;
            let to = self.slice_end()?;
            self.expect("]")?;
            let span = self.since(before_slice);
            if from.is_some_and(|from| to.is_some_and(|to| from > to)) {
                return Err(Problem::new(span, "the slice ends before it begins"));
            }
            if let Some(length) = piece.static_length()
                && from.max(to).is_some_and(|end| end > length)
            {
                return Err(Problem::new(
                    span,
                    format!("there are only {length} octets to slice"),
                ));
            }
            piece.slice = Some(Slice { from, to });
        }
        if self
            .rest()
            .starts_with(|next: char| !next.is_whitespace() && next != '+')
        {
            let rest = self.take_while(|next| !next.is_whitespace());
            let problem = Problem::new(
                self.since(start),
                format!("`{}` does not belong here", shown(rest)),
            );
            return Err(problem.help("pieces are joined by `+`"));
        }
        Ok(piece)
    }

    fn slice_end(&mut self) -> Result<Option<u64>, Problem> {
        match self.rest().starts_with(|next: char| next.is_ascii_digit()) {
            true => self.number().map(Some),
            false => Ok(None),
        }
    }

    fn source(&mut self) -> Result<Source, Problem> {
        if self.rest().starts_with('"') {
            return self.quoted().map(Source::Literal);
        }
        if let Some(name) = super::variable_at(self.rest().as_bytes()) {
            self.at += name.len() + 3;
            return Ok(Source::Variable(name.to_owned()));
        }
        let start = self.position();
        let word =
            self.take_while(|next| next.is_alphanumeric() || matches!(next, '_' | '.' | '-'));
        let span = self.since(start);
        let source = match word {
            "pattern" => {
                self.expect("(")?;
                Source::Pattern(self.number()?)
            }
            "repeat" => {
                self.expect("(")?;
                let unit = self.quoted()?;
                self.skip_blanks();
                self.expect(",")?;
                self.skip_blanks();
                Source::Repeat(unit, self.number()?)
            }
            "crlf" => {
                self.expect("(")?;
                Source::Crlf(self.quoted()?)
            }
            _ => {
                let span = if span.is_empty() { self.here() } else { span };
                let problem = Problem::new(span, "octets are missing here");
                let meant = did_you_mean(word, ["pattern", "repeat", "crlf"]);
                return Err(problem.help(meant.unwrap_or_else(|| {
                    "`\"…\"`, `pattern(N)`, `repeat(\"…\", N)`, `crlf(\"…\")` or `${name}`".into()
                })));
            }
        };
        self.expect(")")?;
        Ok(source)
    }

    fn expect(&mut self, expected: &str) -> Result<(), Problem> {
        match self.take(expected) {
            true => Ok(()),
            false => Err(Problem::new(
                self.here(),
                format!("`{expected}` is missing here"),
            )),
        }
    }
}

/// As [`check_variables`], but a `\` takes the meaning of what follows.
fn check_glob_variables(source: &str, start: usize) -> Result<(), Problem> {
    let octets = source.as_bytes();
    let mut at = 0;
    while at < octets.len() {
        if octets[at] == b'\\' {
            at += 2;
        } else if octets[at..].starts_with(b"$${") {
            at += 3;
        } else if octets[at..].starts_with(b"${") {
            let Some(name) = super::variable_at(&octets[at..]) else {
                let problem = Problem::new(
                    start + at..start + at + 2,
                    "`${` does not begin a variable here",
                );
                return Err(problem.help("a variable is `${name}`, a literal `${` is `$${`"));
            };
            at += name.len() + 3;
        } else {
            at += 1;
        }
    }
    Ok(())
}
