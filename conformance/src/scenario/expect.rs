//! Whether a reply is the expected one.

use super::pattern::Matcher;
use super::{Expect, ReplyPattern, TextPattern, Variables};
use crate::transcript::Reply;

/// How a reply relates to the expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// It is what was expected.
    Holds,
    /// None of the codes.
    WrongCode,
    /// The code fits, the text does not.
    WrongText,
}

/// Whether the reply is the expected one; captures are set in `variables` only if it is.
///
/// `!should`, `!after` and `!ends` of the expectation are not looked at: what they are
/// worth is for the caller to say.
pub(crate) fn matches(expect: &Expect, reply: &Reply, variables: &mut Variables) -> Match {
    if !expect.codes.matches(reply.code) {
        return Match::WrongCode;
    }
    let holds = match &expect.text {
        None => true,
        Some(ReplyPattern::Text(text)) => text.matches(&reply.text(), variables),
        Some(ReplyPattern::Block {
            first,
            between,
            last,
        }) => matches_block(first, between, last, reply, variables).is_some(),
    };
    if holds {
        Match::Holds
    } else {
        Match::WrongText
    }
}

fn matches_block(
    first: &TextPattern,
    between: &[Option<TextPattern>],
    last: &TextPattern,
    reply: &Reply,
    variables: &mut Variables,
) -> Option<()> {
    let [first_line, lines @ .., last_line] = reply.lines.as_slice() else {
        return None;
    };
    let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
    let behind =
        |line: &[u8], separator| (line.get(3) == Some(&separator)).then(|| text(&line[4..]));
    let mut captured = first
        .matcher(variables)
        .ok()?
        .captures(&behind(first_line, b'-')?)?;
    captured.extend(
        last.matcher(variables)
            .ok()?
            .captures(&behind(last_line, b' ')?)?,
    );

    let matchers = between
        .iter()
        .map(|line| {
            line.as_ref()
                .map(|line| line.matcher(variables))
                .transpose()
        })
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    let lines: Vec<String> = lines.iter().map(|line| text(line)).collect();
    for (pattern, line) in pair_lines(&matchers, &lines)? {
        captured.extend(matchers[pattern].as_ref()?.captures(&lines[line])?);
    }
    variables.0.extend(captured);
    Some(())
}

/// Which pattern matches which line, where `None` matches any number of lines.
///
/// As in a glob, the earliest place for what follows a `None` is always good enough: only the
/// latest `None` ever has to take one line more. That bounds the work to patterns × lines.
fn pair_lines(patterns: &[Option<Matcher>], lines: &[String]) -> Option<Vec<(usize, usize)>> {
    let mut pairs = Vec::new();
    let (mut pattern, mut line) = (0, 0);
    let mut latest: Option<(usize, usize, usize)> = None;
    while line < lines.len() || pattern < patterns.len() {
        match patterns.get(pattern) {
            Some(None) => {
                latest = Some((pattern, line, pairs.len()));
                pattern += 1;
                continue;
            }
            Some(Some(matcher)) if lines.get(line).is_some_and(|line| matcher.is_match(line)) => {
                pairs.push((pattern, line));
                pattern += 1;
                line += 1;
                continue;
            }
            _ => {}
        }
        let (dots, taken, kept) = latest?;
        if taken >= lines.len() {
            return None;
        }
        pairs.truncate(kept);
        pattern = dots + 1;
        line = taken + 1;
        latest = Some((dots, line, kept));
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use rstest::rstest;

    fn reply(code: u16, lines: &[&str]) -> Reply {
        Reply {
            code,
            lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect(),
            octets: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn block(between: &[&str]) -> Expect {
        let pattern = |text: &str| TextPattern::parse(text).unwrap();
        Expect {
            codes: "211".parse().unwrap(),
            text: Some(ReplyPattern::Block {
                first: pattern("*"),
                between: between
                    .iter()
                    .map(|line| (*line != "...").then(|| pattern(line)))
                    .collect(),
                last: pattern("End"),
            }),
            should: None,
            after: None,
            ends: None,
        }
    }

    #[rstest]
    #[case::dots_take_any_lines(&["...", " REST STREAM", "..."], Match::Holds)]
    #[case::all_lines_spelled_out(&[" MDTM", " REST STREAM", " SIZE"], Match::Holds)]
    #[case::globs_per_line(&[" M*", " REST *", " S???"], Match::Holds)]
    #[case::dots_in_a_row(&["...", "...", " SIZE", "..."], Match::Holds)]
    #[case::one_line_too_few(&[" MDTM", " REST STREAM"], Match::WrongText)]
    #[case::one_line_too_many(&[" MDTM", " REST STREAM", " SIZE", "*"], Match::WrongText)]
    #[case::wrong_order(&["...", " SIZE", "...", " MDTM", "..."], Match::WrongText)]
    #[case::no_line_at_all(&[], Match::WrongText)]
    fn a_block_is_compared_line_by_line(#[case] between: &[&str], #[case] expected: Match) {
        let reply = reply(
            211,
            &["211-Features", " MDTM", " REST STREAM", " SIZE", "211 End"],
        );
        assert_eq!(
            matches(&block(between), &reply, &mut Variables::default()),
            expected
        );
    }

    #[test]
    fn a_block_needs_a_reply_of_several_lines() {
        let mut variables = Variables::default();
        assert_eq!(
            matches(&block(&["..."]), &reply(211, &["211 End"]), &mut variables),
            Match::WrongText
        );
        let bare = reply(211, &["211-", "211 End"]);
        assert_eq!(
            matches(&block(&["..."]), &bare, &mut variables),
            Match::Holds
        );
        let odd = reply(211, &["2", "2"]);
        assert_eq!(
            matches(&block(&["..."]), &odd, &mut variables),
            Match::WrongText
        );
    }

    #[test]
    fn a_block_captures_when_all_of_it_fits() {
        let mut variables = Variables::default();
        let good = reply(211, &["211-x", " AUTH TLS", " size=3;", "211 End"]);
        assert_eq!(
            matches(&block(&["...", " size=${size};"]), &good, &mut variables),
            Match::Holds
        );
        assert_eq!(variables.get("size"), Some("3"));
        let bad = reply(211, &["211-x", " name=3;", "211 Fin"]);
        assert_eq!(
            matches(&block(&[" name=${name};"]), &bad, &mut variables),
            Match::WrongText
        );
        assert_eq!(variables.get("name"), None);
    }

    #[test]
    fn the_code_is_looked_at_first() {
        let reply = reply(500, &["500 End"]);
        assert_eq!(
            matches(&block(&[]), &reply, &mut Variables::default()),
            Match::WrongCode
        );
    }
}
