//! `<` lines: replies, blocks, and the wishes that follow them.

use std::str::FromStr as _;

use super::super::{Action, CodePattern, Codes, Ends, Expect, ReplyPattern, Step, TextPattern};
use super::cursor::Cursor;
use super::{Line, Problem, Reader, split_connection};

impl Reader<'_, '_> {
    /// `< CODES [TEXT]`, or a block with all its lines.
    pub(super) fn reply(
        &mut self,
        name: Option<&str>,
        line: Line<'_>,
        mut cursor: Cursor<'_>,
    ) -> Result<Action, Problem> {
        if let Some(code) = block_opening(&mut cursor) {
            return self.block(name, line, code, cursor);
        }
        let codes = codes(&mut cursor)?;
        let text = text(&mut cursor)?.map(ReplyPattern::Text);
        Ok(Action::Expect(Expect {
            codes,
            text,
            should: None,
            after: None,
            ends: None,
        }))
    }

    fn block(
        &mut self,
        name: Option<&str>,
        opening: Line<'_>,
        code: CodePattern,
        mut cursor: Cursor<'_>,
    ) -> Result<Action, Problem> {
        let first = text_or_any(&mut cursor);
        let closing = code.to_string();
        let mut between: Vec<Result<Option<TextPattern>, Problem>> = Vec::new();
        let last = loop {
            let before = self.next;
            let line = self.next_line();
            let inside = line.and_then(|line| {
                split_connection(line)
                    .ok()
                    .filter(|(other, sigil, _)| *other == name && *sigil == '<')
                    .map(|(_, _, cursor)| cursor)
            });
            let Some(mut cursor) = inside else {
                // The line belongs to another statement.
                self.next = before;
                let problem =
                    Problem::new(opening.span(), "this reply of several lines has no end");
                break Err(problem.help(format!("a line `< {closing} …` ends it")));
            };
            cursor.take(" ");
            let whole = cursor.rest().trim_end();
            if whole == "..." {
                between.push(Ok(None));
            } else if let Some(rest) = whole.strip_prefix(closing.as_str())
                && (rest.is_empty() || rest.starts_with(' '))
            {
                cursor.take(&closing);
                break text_or_any(&mut cursor);
            } else {
                between.push(cursor.pattern(whole, cursor.position()).map(Some));
            }
        };
        let (first, last) = (first?, last?);
        let between = between.into_iter().collect::<Result<_, _>>()?;
        let codes = Codes(vec![code]);
        let text = Some(ReplyPattern::Block {
            first,
            between,
            last,
        });
        Ok(Action::Expect(Expect {
            codes,
            text,
            should: None,
            after: None,
            ends: None,
        }))
    }
}

/// `!should CODES [TEXT]`, `!after CODES`, `!ends CODES | closed`: adds it to the expected reply
/// just before.
pub(super) fn wish(
    expected: Option<&mut Step>,
    name: Option<&str>,
    line: Line<'_>,
    mut cursor: Cursor<'_>,
) -> Result<(), Problem> {
    let word = cursor.take_while(|character| !character.is_whitespace());
    if !matches!(word, "should" | "after" | "ends") {
        let problem = Problem::new(line.span(), "this is not a line about a reply");
        return Err(problem.help("`!should CODES [TEXT]`, `!after CODES` or `!ends CODES`"));
    }
    let expected = expected
        .filter(|step| name.is_none_or(|name| name == step.connection.0))
        .map(|step| &mut step.action);
    let expected = match expected {
        Some(Action::Expect(expected)) => expected,
        Some(action @ Action::Tls(_)) if word == "ends" && cursor.at_end() => {
            if let Action::Tls(version) = *action {
                *action = Action::TlsOrEnd(version);
            }
            return Ok(());
        }
        _ => {
            let problem = Problem::new(
                line.span(),
                format!("`!{word}` must come right after a `<`"),
            );
            return Err(problem.help("it says more about that reply"));
        }
    };
    let (codes, closed) = alternatives(&mut cursor, word == "ends")?;
    if word == "ends" {
        if expected.ends.is_some() {
            return Err(Problem::new(line.span(), "`!ends` is a duplicate"));
        }
        expected.ends = Some(Ends {
            line: line.number,
            codes,
            closed,
        });
        return cursor.end();
    }
    if word == "after" {
        if expected.after.is_some() || expected.ends.is_some() {
            let problem = Problem::new(line.span(), "`!after` may appear once, before `!ends`");
            return Err(problem);
        }
        expected.after = Some((line.number, codes));
        return cursor.end();
    }
    if expected.should.is_some() || expected.after.is_some() || expected.ends.is_some() {
        let message = "`!should` may appear once, before `!after` and `!ends`";
        let problem = Problem::new(line.span(), message);
        return Err(problem);
    }
    let text = text(&mut cursor)?.map(ReplyPattern::Text);
    let wish = Expect {
        codes,
        text,
        should: None,
        after: None,
        ends: None,
    };
    expected.should = Some(Box::new((line.number, wish)));
    Ok(())
}

/// Takes `211-`, if that is next.
fn block_opening(cursor: &mut Cursor<'_>) -> Option<CodePattern> {
    cursor.skip_blanks();
    let code = cursor.rest().get(..3)?.parse().ok()?;
    if cursor.rest().as_bytes().get(3) != Some(&b'-') {
        return None;
    }
    let opening = &cursor.rest()[..4];
    cursor.take(opening).then_some(code)
}

/// `CODES`
fn codes(cursor: &mut Cursor<'_>) -> Result<Codes, Problem> {
    alternatives(cursor, false).map(|(codes, _)| codes)
}

/// `CODES`, and whether `closed` is among them, where that is allowed.
fn alternatives(cursor: &mut Cursor<'_>, may_close: bool) -> Result<(Codes, bool), Problem> {
    let mut codes = Vec::new();
    let mut closed = false;
    loop {
        cursor.skip_blanks();
        let position = cursor.position();
        let word = cursor.take_while(|character| !character.is_whitespace() && character != '|');
        if word.is_empty() {
            let problem = Problem::new(cursor.here(), "a reply code is missing here");
            return Err(problem.help("as in `< 200`, `< 125 | 150` or `< 2yz`"));
        }
        let span = cursor.since(position);
        if word
            .get(..3)
            .is_some_and(|code| CodePattern::from_str(code).is_ok())
            && word[3..].starts_with('-')
        {
            return Err(Problem::new(span, "a reply of several lines has one code"));
        }
        if may_close && word == "closed" {
            closed = true;
        } else {
            codes.push(
                word.parse()
                    .map_err(|message: String| Problem::new(span, message))?,
            );
        }
        let mut ahead = cursor.clone();
        ahead.skip_blanks();
        if !ahead.take("|") {
            return Ok((Codes(codes), closed));
        }
        *cursor = ahead;
    }
}

/// `TEXT` to the end of the line.
fn text(cursor: &mut Cursor<'_>) -> Result<Option<TextPattern>, Problem> {
    let (text, start) = cursor.take_rest();
    match text.is_empty() {
        true => Ok(None),
        false => cursor.pattern(text, start).map(Some),
    }
}

/// `TEXT` of the first or last line of a block, where no text means any text.
fn text_or_any(cursor: &mut Cursor<'_>) -> Result<TextPattern, Problem> {
    Ok(text(cursor)?.unwrap_or_else(|| TextPattern { source: "*".into() }))
}
