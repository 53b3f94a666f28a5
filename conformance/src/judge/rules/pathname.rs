//! `pathname-257`: a 257 reply begins with the pathname in quotes.

use super::{Context, Judge, Rule, quoted};
use crate::scenario::Level;
use crate::verdict::Finding;

pub(super) const JUDGE: Judge = Judge {
    name: "pathname-257",
    statement: "257 begins with the pathname in double quotes, quotes within it doubled",
    impact: "Clients read their directory from 257: in a directory with such a name they use a wrong path or give up.",
    clause: "RFC 959 §4.2.1 and Appendix II",
    covers: &["959-a2-257-quoted-path", "959-a2-257-quote-doubling"],
    judge,
};

const FIRST: Rule = Rule {
    level: Level::Must,
    clause: "RFC 959 §4.2.1 and Appendix II",
    requirement: "The pathname comes first in the text of 257, in double quotes",
};

const DOUBLED: Rule = Rule {
    level: Level::Should,
    clause: "RFC 959 Appendix II",
    requirement: "A double quote within the pathname of 257 is doubled",
};

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let pathname_in = |whole: &super::Whole<'_>| whole.is(&["PWD", "XPWD", "MKD", "XMKD"], 257);
    let faulty = context.whole().filter(pathname_in).filter_map(|whole| {
        let (rule, expected) = match quotation(&whole.reply.first_line_text()) {
            Quotation::Sound => return None,
            Quotation::Missing => (&FIRST, "257 \"pathname\" and then anything"),
            Quotation::GoesOn => (
                &DOUBLED,
                "the end of the text or a space after the closing quote",
            ),
        };
        Some(context.broken(rule, &whole.place, expected, quoted(whole.reply)))
    });
    faulty.collect()
}

enum Quotation {
    Sound,
    /// No opening quote at the beginning, or no closing one.
    Missing,
    /// Something else than a space follows the closing quote: it was part of the name.
    GoesOn,
}

fn quotation(text: &str) -> Quotation {
    let Some(mut rest) = text.strip_prefix('"') else {
        return Quotation::Missing;
    };
    loop {
        let Some(quote) = rest.find('"') else {
            return Quotation::Missing;
        };
        rest = &rest[quote + 1..];
        match rest.chars().next() {
            None | Some(' ') => return Quotation::Sound,
            Some('"') => rest = &rest[1..],
            // A full stop or comma is commentary that forgot its space, as `257 "/".`
            Some('.' | ',' | ';' | ':') if !rest.contains('"') => return Quotation::Sound,
            Some(_) => return Quotation::GoesOn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::levels;
    use Level::{Must, Should};
    use rstest::rstest;

    #[rstest]
    #[case::clean("257 \"/\" is the current directory", &[])]
    #[case::alone("257 \"/a b\"", &[])]
    #[case::doubled("257 \"/a\"\"b\" created", &[])]
    #[case::quoted_commentary("257 \"/a\" is \"current\"", &[])]
    #[case::text_first("257 Created dir \"/a\"", &[Must])]
    #[case::no_quotes("257 /a", &[Must])]
    #[case::open("257 \"/a", &[Must])]
    #[case::not_doubled("257 \"/a\"b\" created", &[Should])]
    fn pathnames_are_judged(#[case] reply: &str, #[case] expected: &[Level]) {
        let reply = format!("S: {}", reply);
        assert_eq!(levels(&JUDGE, &["S: 220 x", "C: PWD", &reply]), expected);
    }
}
