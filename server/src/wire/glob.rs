//! Patterns in the last name of a LIST or NLST pathname: `*`, `?`, `[a-z]`, `[!a-z]`.

/// Whether `name` matches `pattern`. The time is proportional to the product of the two lengths for
/// any pattern (CVE-2010-2632). `{}`, `/` and `..` have no special meaning.
#[must_use]
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    // Where to continue if the part after the last star does not match: one octet further.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if at == pattern.len() && position == name.len() {
            return true;
        }
        let step = match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, position));
                at += 1;
                continue;
            }
            Some(_) => name
                .get(position)
                .and_then(|octet| one(&pattern[at..], *octet)),
            None => None,
        };
        if let Some(length) = step {
            at += length;
            position += 1;
        } else if let Some((after_star, from)) = retry.filter(|(_, from)| *from < name.len()) {
            retry = Some((after_star, from + 1));
            at = after_star;
            position = from + 1;
        } else {
            return false;
        }
    }
}

/// Whether a name contains a wildcard.
#[must_use]
pub fn is_pattern(name: &[u8]) -> bool {
    memchr::memchr3(b'*', b'?', b'[', name).is_some()
}

/// The length of the first item of `pattern`, if it matches `octet`.
fn one(pattern: &[u8], octet: u8) -> Option<usize> {
    match pattern[0] {
        b'?' => Some(1),
        b'[' => class(pattern, octet).unwrap_or_else(|| (octet == b'[').then_some(1)),
        literal => (literal == octet).then_some(1),
    }
}

/// `[…]` at the start of `pattern`: `None` if it is not closed, else its length if it matches
/// `octet`.
fn class(pattern: &[u8], octet: u8) -> Option<Option<usize>> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = if negated { 2 } else { 1 };
    // A `]` at the start is literal.
    let end = start + 1 + memchr::memchr(b']', pattern.get(start + 1..)?)?;
    let mut items = &pattern[start..end];
    let mut found = false;
    while let [first, rest @ ..] = items {
        (found, items) = match rest {
            [b'-', last, rest @ ..] => (found || (*first..=*last).contains(&octet), rest),
            _ => (found || *first == octet, rest),
        };
    }
    Some((found != negated).then_some(end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("*", "", true)]
    #[case("*.txt", "a.txt", true)]
    #[case("*.txt", "a.txt.gz", false)]
    #[case("a?c", "abc", true)]
    #[case("a?c", "ac", false)]
    #[case("[a-c]x", "bx", true)]
    #[case("[!a-c]x", "bx", false)]
    #[case("[]x]", "]", true)]
    #[case("[", "[", true)]
    #[case("[a", "[a", true)]
    #[case("*a*b", "xxaxxb", true)]
    #[case("*a*b", "xxaxx", false)]
    #[case("", "", true)]
    #[case("", "a", false)]
    fn patterns_match_names(#[case] pattern: &str, #[case] name: &str, #[case] expected: bool) {
        assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected);
    }

    #[test]
    fn a_pattern_full_of_stars_ends_soon() {
        let pattern = b"*a".repeat(100);
        let mut name = vec![b'a'; 254];
        name.push(b'b');
        assert!(!matches(&pattern, &name));
    }
}
