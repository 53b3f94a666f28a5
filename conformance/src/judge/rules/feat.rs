//! `feat`: the reply to FEAT has the form RFC 2389 §3.2 fixes.

use super::{Context, Judge, Rule, Whole, quoted, shown};
use crate::catalogue::Registry;
use crate::scenario::Level;
use crate::verdict::Finding;

pub(super) const JUDGE: Judge = Judge {
    name: "feat",
    statement: "FEAT is answered with `211-`, one feature per line after one space, and `211 End`",
    impact: "Clients choose features by FEAT: they miss some (exact times, TLS, resuming) or try missing ones.",
    clause: "RFC 2389 §3.2",
    covers: &[
        "5797-2.2-no-pseudo-feat",
        "2389-3.2-one-space-indent",
        "2389-3.2-last-line",
        "2389-3.2-no-blank-lines",
        "2389-3.2-no-features-single-line",
        "2389-3.2-one-feature-per-line",
        "2389-3.2-feat-not-listed",
        "2389-3.2-uppercase",
        "3659-7.8-no-feat-mlsd",
    ],
    judge,
};

const ONE_SPACE: Rule = Rule {
    level: Level::Must,
    clause: "RFC 2389 §3.2",
    requirement: "Every feature line begins with exactly one space",
};

/// Every client in the wild only looks for the code.
const END: Rule = Rule {
    level: Level::Should,
    clause: "RFC 2389 §3.2",
    requirement: "The last line of the feature listing is `211 End`",
};

const AT_LEAST_ONE: Rule = Rule {
    level: Level::Must,
    clause: "RFC 2389 §3.2",
    requirement: "A listing has at least one feature; with none, FEAT is answered in one line",
};

const ONE_A_LINE: Rule = Rule {
    level: Level::Must,
    clause: "RFC 2389 §3.2",
    requirement: "Each feature is listed on a line of its own",
};

/// It affects no client, so it is a WARN only.
const NOT_ITSELF: Rule = Rule {
    level: Level::Should,
    clause: "RFC 2389 §3.2",
    requirement: "FEAT and OPTS are not listed: the reply to FEAT implies both",
};

const UPPER_CASE: Rule = Rule {
    level: Level::Should,
    clause: "RFC 2389 §3.2",
    requirement: "The names of features are sent in upper case",
};

const NO_MLSD: Rule = Rule {
    level: Level::Should,
    clause: "RFC 3659 §7.8",
    requirement: "MLST in the list implies MLSD, which has no line of its own",
};

const EXTENSIONS: Rule = Rule {
    level: Level::May,
    clause: "RFC 2389 §3",
    requirement: "Commands of RFC 959 are not extensions and need not be listed",
};

/// A value without its name would be read as an unknown feature.
const LABEL_FIRST: Rule = Rule {
    level: Level::Should,
    clause: "RFC 2389 §3.2",
    requirement: "A feature line begins with the label that the document of the feature gives",
};

/// Clients keep the first or the last of them.
const ONCE: Rule = Rule {
    level: Level::Should,
    clause: "RFC 2389 §3.2 and RFC 3659 §7.8",
    requirement: "Each feature is listed once",
};

const NO_PSEUDO_CODE: Rule = Rule {
    level: Level::Should,
    clause: "RFC 5797 §2.2",
    requirement: "The pseudo codes of the IANA registry are not sent in reply to FEAT",
};

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let listings = context.whole().filter(|whole| whole.is(&["FEAT"], 211));
    listings
        .flat_map(|whole| listing(context, &whole))
        .collect()
}

fn listing(context: &Context<'_>, whole: &Whole<'_>) -> Vec<Finding> {
    let reply = whole.reply;
    // A single line means that the server has no features.
    let [_, between @ .., last] = reply.lines.as_slice() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if between.is_empty() {
        let expected = "a feature between the first and the last line";
        findings.push(context.broken(&AT_LEAST_ONE, &whole.place, expected, quoted(reply)));
    }
    for (rule, expected, breaks) in NAMES {
        // One finding of a sort is enough for a listing.
        let broken = between.iter().find(|line| {
            let text = String::from_utf8_lossy(line);
            let words: Vec<&str> = text.split_whitespace().collect();
            breaks(context.registry, &words)
        });
        if let Some(line) = broken {
            findings.push(context.broken(rule, &whole.place, *expected, shown(line)));
        }
    }
    let doubled = between.iter().enumerate().find(|(at, line)| {
        let before = &between[..*at];
        before.iter().any(|other| is_the_same(other, line))
    });
    if let Some((_, line)) = doubled {
        let expected = "one line for each feature";
        findings.push(context.broken(&ONCE, &whole.place, expected, shown(line)));
    }
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

/// Whether the words of a feature line break a rule.
type Breaks = fn(&Registry, &[&str]) -> bool;

/// What is listed and how it is written: the rule, what had to be, and what breaks it.
const NAMES: &[(&Rule, &str, Breaks)] = &[
    (
        &ONE_A_LINE,
        "one name on the line, and what belongs to it",
        |registry, words| match words {
            // These take no parameter.
            [
                "SIZE" | "MDTM" | "MFMT" | "EPRT" | "EPSV" | "TVFS" | "UTF8",
                next,
                ..,
            ] => registry.get(next).is_some_and(|next| next.feat.is_some()),
            _ => false,
        },
    ),
    (
        &NOT_ITSELF,
        "neither FEAT nor OPTS",
        |_, words| matches!(words, [name, ..] if name.eq_ignore_ascii_case("FEAT") || name.eq_ignore_ascii_case("OPTS")),
    ),
    (
        &LABEL_FIRST,
        "a label, a space and what belongs to it",
        |_, words| matches!(words, [name, ..] if name.contains([';', '*'])),
    ),
    (&UPPER_CASE, "capitals", |registry, words| match words {
        [name, ..] => {
            let known = registry.get(name).is_some_and(|entry| entry.feat.is_some());
            known && name.bytes().any(|octet| octet.is_ascii_lowercase())
        }
        [] => false,
    }),
    // Where the registry has no code for a command it has one of these, or `feat`, in small
    // letters.
    (&NO_PSEUDO_CODE, "codes of features", |_, words| {
        matches!(words, ["base" | "hist" | "secu" | "nat6"])
    }),
    (
        &NO_MLSD,
        "MLST alone",
        |_, words| matches!(words, [name, ..] if name.eq_ignore_ascii_case("MLSD")),
    ),
    (
        &EXTENSIONS,
        "what is beyond RFC 959",
        |registry, words| match words {
            // What follows the name is the extension: MODE Z, SITE UTIME.
            [name] => registry.get(name).is_some_and(|entry| {
                let first = entry.sources.first();
                entry.feat.is_none() && first.is_some_and(|source| source.starts_with("RFC 959"))
            }),
            _ => false,
        },
    ),
];

/// Whether both lines list one feature: the same words, or another list of facts or digests.
fn is_the_same(one: &[u8], other: &[u8]) -> bool {
    let label = |line: &[u8]| {
        let text = String::from_utf8_lossy(line).trim().to_ascii_uppercase();
        let first = text.split(' ').next().unwrap_or_default().to_owned();
        match first.as_str() {
            "MLST" | "HASH" | "LANG" => first,
            _ => text,
        }
    };
    !label(one).is_empty() && label(one) == label(other)
}

fn is_feature(line: &[u8]) -> bool {
    matches!(line, [b' ', first, ..] if first.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::levels;
    use Level::{May, Must, Should};
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
    #[case::empty("211-Features: / 211 End", &[Must])]
    #[case::two_on_a_line("211-Features: /  SIZE MDTM / 211 End", &[Must])]
    #[case::parameter("211-Features: /  AUTH TLS /  MLST type*;size*; /  UTF8 ON / 211 End", &[])]
    #[case::itself("211-Features: /  FEAT / 211 End", &[Should])]
    #[case::small("211-Features: /  mdtm / 211 End", &[Should])]
    #[case::small_parameter("211-Features: /  REST stream /  x-own / 211 End", &[])]
    #[case::pseudo_code("211-Features: /  MDTM /  nat6 / 211 End", &[Should])]
    #[case::no_pseudo_code("211-Features: /  BASE /  base64 / 211 End", &[])]
    #[case::base("211-Features: /  PASV / 211 End", &[May])]
    #[case::base_verb_with_an_extension("211-Features: /  MODE Z /  SITE UTIME / 211 End", &[])]
    #[case::mlsd("211-Features: /  MLST type*; /  MLSD / 211 End", &[Should])]
    #[case::nameless("211-Features: /  CRC32;SHA-1*; / 211 End", &[Should])]
    #[case::twice("211-Features: /  SIZE /  size / 211 End", &[Should, Should])]
    #[case::two_lists("211-Features: /  MLST type*; /  MLST size*; / 211 End", &[Should])]
    #[case::two_mechanisms("211-Features: /  AUTH TLS /  AUTH SSL / 211 End", &[])]
    #[case::both("211-Features: / MDTM / 211 done", &[Must, Should])]
    fn listings_are_judged(#[case] reply: &str, #[case] expected: &[Level]) {
        let reply = format!("S: {reply}");
        assert_eq!(levels(&JUDGE, &["S: 220 x", "C: FEAT", &reply]), expected);
    }
}
