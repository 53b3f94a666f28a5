//! `mdtm-size-213`: the replies of MDTM and SIZE are a time and a number, and nothing else.

use super::mlsx::{is_number, is_time};
use super::{Context, Judge, Rule, quoted};
use crate::scenario::Level;
use crate::verdict::Finding;

pub(super) const JUDGE: Judge = Judge {
    name: "mdtm-size-213",
    statement: "213 to MDTM is a time in UTC, 213 to SIZE is a decimal number, and nothing follows",
    impact: "Clients compare SIZE and MDTM with what they have: they resume at a wrong octet, or copy too much or too little.",
    clause: "RFC 3659 §2.3, §3 and §4",
    covers: &[
        "3659-3.1-mdtm-213",
        "3659-3.1-mdtm-single-line",
        "3659-4.1-size-213",
        "3659-4.1-size-single-line",
        "3659-2.3-time-val-syntax",
        "3659-2.3-time-val-ranges",
        "3659-2.3-no-bare-dot",
    ],
    judge,
};

const TIME: Rule = Rule {
    level: Level::Must,
    clause: "RFC 3659 §2.3 and §3.1",
    requirement: "MDTM is answered with 213 and the time as YYYYMMDDHHMMSS, with a fraction if there is one",
};

const NUMBER: Rule = Rule {
    level: Level::Must,
    clause: "RFC 3659 §4.1",
    requirement: "SIZE is answered with 213 and the number of octets in decimal digits",
};

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for whole in context.whole() {
        let text = whole.reply.text();
        let (rule, expected, sound) = if whole.is(&["MDTM"], 213) {
            (&TIME, "213 YYYYMMDDHHMMSS[.fraction]", is_time(&text))
        } else if whole.is(&["SIZE"], 213) {
            (&NUMBER, "213 and digits", is_number(&text))
        } else {
            continue;
        };
        if !sound {
            findings.push(context.broken(rule, &whole.place, expected, quoted(whole.reply)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::findings;
    use rstest::rstest;

    #[rstest]
    #[case::time("MDTM a", "213 20240229235960", true)]
    #[case::fraction("MDTM a", "213 20240229235959.123", true)]
    #[case::refused("MDTM a", "550 no", true)]
    #[case::month("MDTM a", "213 20241301000000", false)]
    #[case::with_words("MDTM a", "213 20240229235959 UTC", false)]
    #[case::y2k("MDTM a", "213 191240229235959", false)]
    #[case::number("SIZE a", "213 0", true)]
    #[case::space("SIZE a", "213  1", false)]
    #[case::unit("SIZE a", "213 1 bytes", false)]
    #[case::negative("SIZE a", "213 -1", false)]
    #[case::status("STAT a", "213 anything", true)]
    fn values_are_judged(#[case] command: &str, #[case] reply: &str, #[case] sound: bool) {
        let (command, reply) = (format!("C: {command}"), format!("S: {reply}"));
        let findings = findings(&JUDGE, &["S: 220 x", &command, &reply]);
        assert_eq!(findings.is_empty(), sound, "{findings:?}");
        assert!(findings.iter().all(|finding| finding.level == Level::Must));
    }
}
