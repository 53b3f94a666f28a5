//! `feat`: the reply to FEAT has the form RFC 2389 §3.2 fixes.

use super::{Context, Judge, Rule, Whole, quoted, shown};
use crate::scenario::Level;
use crate::verdict::Finding;

const NAME: &str = "feat";

pub(super) const JUDGE: Judge = Judge {
    name: NAME,
    statement: "FEAT is answered with `211-`, one feature a line behind one space, and `211 End`",
    clause: "RFC 2389 §3.2",
    covers: &[
        "2389-3.2-one-space-indent",
        "2389-3.2-last-line",
        "2389-3.2-no-blank-lines",
    ],
    judge,
};

const ONE_SPACE: Rule = Rule {
    judge: NAME,
    level: Level::Must,
    clause: "RFC 2389 §3.2",
    requirement: "Every feature line begins with exactly one space",
};

/// Every client in the wild only looks for the code.
const END: Rule = Rule {
    judge: NAME,
    level: Level::Should,
    clause: "RFC 2389 §3.2",
    requirement: "The last line of the feature listing is `211 End`",
};

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let listings = context.whole().filter(|whole| whole.is(&["FEAT"], 211));
    listings
        .flat_map(|whole| listing(context, &whole))
        .collect()
}

fn listing(context: &Context<'_>, whole: &Whole<'_>) -> Vec<Finding> {
    let reply = whole.reply;
    // One line is how a server says that it has no features.
    let [_, between @ .., last] = reply.lines.as_slice() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let wrong = between.iter().find(|line| !is_feature(line));
    if let Some(line) = wrong {
        let expected = "one space and the name of the feature";
        findings.push(context.broken(&ONE_SPACE, &whole.place, expected, shown(line)));
    }
    if !last
        .get(4..)
        .is_some_and(|text| text.eq_ignore_ascii_case(b"end"))
    {
        findings.push(context.broken(&END, &whole.place, "211 End", quoted(reply)));
    }
    findings
}

fn is_feature(line: &[u8]) -> bool {
    matches!(line, [b' ', first, ..] if first.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::super::testing::levels;
    use super::*;
    use Level::{Must, Should};
    use rstest::rstest;

    #[rstest]
    #[case::clean("211-Features: /  MDTM /  REST STREAM / 211 End", &[])]
    #[case::case_of_end("211-Features: /  MDTM / 211 END", &[])]
    #[case::none("211 no features", &[])]
    #[case::refused("502 no", &[])]
    #[case::no_space("211-Features: / MDTM / 211 End", &[Must])]
    #[case::two_spaces("211-Features: /   MDTM / 211 End", &[Must])]
    #[case::old_style("211-Features: / 211-MDTM / 211 End", &[Must])]
    #[case::other_end("211-Features: /  MDTM / 211 End.", &[Should])]
    #[case::both("211-Features: / MDTM / 211 done", &[Must, Should])]
    fn listings_are_judged(#[case] reply: &str, #[case] expected: &[Level]) {
        let reply = format!("S: {reply}");
        assert_eq!(levels(&JUDGE, &["S: 220 x", "C: FEAT", &reply]), expected);
    }
}
