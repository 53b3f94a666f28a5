//! The arguments of HASH, XCRC and similar commands, MD5 and MMD5: names that may be quoted, and
//! ranges.

use super::argument::{number, quoted_name};

/// The most files of one MMD5.
const MAX_NAMES: usize = 64;

/// The argument of XCRC, XMD5, XSHA, XSHA1, XSHA256 and XSHA512 (Globalscape;
/// draft-bryan-ftpext-hash-02 Appendix B).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestArgument<'a> {
    /// The file.
    pub pathname: Vec<u8>,
    /// The first octet, and the one after the last.
    pub range: Option<(u64, Option<u64>)>,
    /// The whole argument: a pathname without quotes may end in numbers, which are not a range
    /// then.
    pub whole: Option<&'a [u8]>,
}

/// A name of HASH, MD5 or MMD5. The replies of the last two repeat it unchanged
/// (draft-twine-ftpmd5-00 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotedPathname<'a> {
    /// With its quotes, if there are any.
    pub as_sent: &'a [u8],
    /// Without quotes.
    pub pathname: Vec<u8>,
}

/// `name`, `name start`, `name start end`; the name may be in double quotes, and commas may follow
/// it and separate the numbers.
pub(super) fn digest_argument(argument: &[u8]) -> Option<DigestArgument<'_>> {
    if let [b'"', quoted @ ..] = argument {
        let (pathname, after) = quoted_name(quoted)?;
        let mut numbers = after
            .split(|octet| matches!(octet, b' ' | b','))
            .filter(|word| !word.is_empty());
        let bound = |word: Option<&[u8]>| word.map_or(Some(None), |word| number(word).map(Some));
        let (start, end) = (bound(numbers.next())?, bound(numbers.next())?);
        let apart = after.is_empty() || matches!(after[0], b' ' | b',');
        if pathname.is_empty() || !apart || numbers.next().is_some() {
            return None;
        }
        return Some(DigestArgument {
            pathname,
            range: start.map(|start| (start, end)),
            whole: None,
        });
    }
    let (rest, last) = last_number(argument);
    let (rest, first) = match last {
        Some(_) => last_number(rest),
        None => (rest, None),
    };
    let range = match (first, last) {
        (Some(start), end) => Some((start, end)),
        (None, Some(start)) => Some((start, None)),
        (None, None) => None,
    };
    Some(DigestArgument {
        pathname: rest.to_vec(),
        range,
        whole: range.map(|_| argument),
    })
}

/// Removes a number from the end, and the blanks or the comma before it, unless nothing would be
/// left.
fn last_number(argument: &[u8]) -> (&[u8], Option<u64>) {
    let cut = memchr::memrchr2(b' ', b',', argument);
    let found = cut.and_then(|cut| Some((&argument[..cut], number(&argument[cut + 1..])?)));
    match found {
        Some((rest, number)) => {
            let rest = rest.trim_ascii_end();
            let rest = rest.strip_suffix(b",").unwrap_or(rest);
            if rest.is_empty() {
                (argument, None)
            } else {
                (rest, Some(number))
            }
        }
        None => (argument, None),
    }
}

/// The one name of HASH or MD5. Quotes are read as in COMB.
pub(super) fn one_name(argument: &[u8]) -> Option<QuotedPathname<'_>> {
    let pathname = match argument {
        [b'"', quoted @ ..] => match quoted_name(quoted)? {
            (pathname, b"") if !pathname.is_empty() => pathname,
            _ => return None,
        },
        bare => bare.to_vec(),
    };
    Some(QuotedPathname {
        as_sent: argument,
        pathname,
    })
}

/// The names of MMD5, separated by commas. A name with a comma in it needs quotes.
pub(super) fn separated_names(argument: &[u8]) -> Option<Vec<QuotedPathname<'_>>> {
    let mut names = Vec::new();
    let mut rest = argument.trim_ascii();
    loop {
        let end = match rest {
            [b'"', quoted @ ..] => rest.len() - quoted_name(quoted)?.1.trim_ascii_start().len(),
            _ => memchr::memchr(b',', rest).unwrap_or(rest.len()),
        };
        let (as_sent, after) = rest.split_at(end);
        let name = one_name(as_sent.trim_ascii())?;
        if name.pathname.is_empty() || names.len() == MAX_NAMES {
            return None;
        }
        names.push(name);
        match after {
            [] => return Some(names),
            [b',', after @ ..] => rest = after.trim_ascii_start(),
            _ => return None,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::*;
    use rstest::rstest;

    type Bounds = Option<(u64, Option<u64>)>;

    #[rstest]
    #[case("a", "a", None)]
    #[case("a b", "a b", None)]
    #[case("a 3", "a", Some((3, None)))]
    #[case("a 3 7", "a", Some((3, Some(7))))]
    #[case("a b 3 7", "a b", Some((3, Some(7))))]
    #[case("a 1 3 7", "a 1", Some((3, Some(7))))]
    #[case("a, 3, 7", "a", Some((3, Some(7))))]
    #[case("a -3", "a -3", None)]
    #[case("a 18446744073709551616", "a 18446744073709551616", None)]
    #[case("3", "3", None)]
    #[case("3 7", "3", Some((7, None)))]
    #[case(" 7", " 7", None)]
    #[case("\"a 3\"", "a 3", None)]
    #[case("\"a 3\" 3 7", "a 3", Some((3, Some(7))))]
    #[case("\"a\"\"b\", 3, 7", "a\"b", Some((3, Some(7))))]
    fn a_range_may_follow_a_name(
        #[case] argument: &str,
        #[case] pathname: &str,
        #[case] range: Bounds,
    ) {
        let parsed = digest_argument(argument.as_bytes()).unwrap();
        assert_eq!(parsed.pathname, pathname.as_bytes());
        assert_eq!(parsed.range, range);
        let unsure = range.is_some() && !argument.starts_with('"');
        assert_eq!(parsed.whole, unsure.then_some(argument.as_bytes()));
    }

    #[rstest]
    #[case("\"a")]
    #[case("\"\"")]
    #[case("\"a\"b")]
    #[case("\"a\" b")]
    #[case("\"a\" -1")]
    #[case("\"a\" 1 2 3")]
    fn only_a_range_may_follow_quotes(#[case] argument: &str) {
        assert_eq!(digest_argument(argument.as_bytes()), None);
    }

    #[rstest]
    #[case("a", Some(vec!["a"]))]
    #[case("a b, c", Some(vec!["a b", "c"]))]
    #[case("\"a,b\" , c,\"d\"\"e\"", Some(vec!["a,b", "c", "d\"e"]))]
    #[case("", None)]
    #[case("a,", None)]
    #[case(",a", None)]
    #[case("\"a\" b", None)]
    #[case("\"a", None)]
    #[case("\"\",b", None)]
    fn names_have_commas_between_them(#[case] argument: &str, #[case] names: Option<Vec<&str>>) {
        let parsed = separated_names(argument.as_bytes()).map(|parsed| {
            parsed
                .into_iter()
                .map(|name| String::from_utf8(name.pathname).unwrap())
                .collect::<Vec<_>>()
        });
        let expected = names.map(|names| names.into_iter().map(String::from).collect());
        assert_eq!(parsed, expected);
    }

    #[test]
    fn there_is_a_last_name() {
        let names = |count: usize| {
            let argument = vec!["a"; count].join(",");
            separated_names(argument.as_bytes()).map(|names| names.len())
        };
        assert_eq!(names(MAX_NAMES), Some(MAX_NAMES));
        assert_eq!(names(MAX_NAMES + 1), None);
    }
}
