//! `${1..300}` in the names of `@names` and `@list`: one name for each number.

/// The largest number of names that one statement may name.
pub(super) const NAMES_LIMIT: usize = 10_000;

/// A name with one range in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range<'a> {
    before: &'a str,
    after: &'a str,
    from: u32,
    to: u32,
    /// How many digits a number has at least: those that `from` is written with.
    width: usize,
}

/// The names in a range; a name without a range is itself.
pub(crate) fn names_in_range(name: &str) -> Vec<String> {
    let Some(range) = range(name) else {
        return vec![name.to_owned()];
    };
    let Range {
        before,
        after,
        width,
        ..
    } = range;
    (range.from..=range.to)
        .take(NAMES_LIMIT)
        .map(|number| format!("{before}{number:0width$}{after}"))
        .collect()
}

/// The number of names that a name expands to: 1 without a range.
pub(super) fn count(name: &str) -> usize {
    range(name).map_or(1, |range| (range.to - range.from) as usize + 1)
}

/// The name without its range, to look for variables in it.
pub(super) fn without_range(name: &str) -> String {
    range(name).map_or_else(
        || name.to_owned(),
        |range| format!("{}{}", range.before, range.after),
    )
}

/// The first range in a name: `${FROM..TO}`, decimal, not going down.
fn range(name: &str) -> Option<Range<'_>> {
    let mut from = 0;
    while let Some(found) = name[from..].find("${") {
        let at = from + found;
        from = at + 2;
        let escaped = name[..at].ends_with('$');
        let Some((inside, after)) = name[at + 2..].split_once('}') else {
            continue;
        };
        let Some((low, high)) = inside.split_once("..").filter(|_| !escaped) else {
            continue;
        };
        let number = |text: &str| {
            let digits =
                (1..=9).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        if let (Some(first), Some(last)) = (number(low), number(high))
            && first <= last
        {
            return Some(Range {
                before: &name[..at],
                after,
                from: first,
                to: last,
                width: low.len(),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("a", &["a"])]
    #[case::digits("a-${8..11}.txt", &["a-8.txt", "a-9.txt", "a-10.txt", "a-11.txt"])]
    #[case::padded("${008..010}", &["008", "009", "010"])]
    #[case::one("${3..3}", &["3"])]
    #[case::beside_a_variable("${user}${1..2}", &["${user}1", "${user}2"])]
    #[case::escaped("$${1..2}", &["$${1..2}"])]
    #[case::downwards("${2..1}", &["${2..1}"])]
    #[case::open("${1..2", &["${1..2"])]
    #[case::too_long("${1..9999999999}", &["${1..9999999999}"])]
    fn a_range_is_one_name_per_number(#[case] name: &str, #[case] wanted: &[&str]) {
        assert_eq!(names_in_range(name), wanted);
        assert_eq!(count(name), wanted.len());
    }

    #[test]
    fn no_range_makes_more_names_than_the_limit() {
        assert_eq!(names_in_range("${0..999999999}").len(), NAMES_LIMIT);
        assert_eq!(count("${0..999999999}"), 1_000_000_000);
    }
}
