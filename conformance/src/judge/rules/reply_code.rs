//! `reply-code`: every reply code is one its command can be answered with.

use super::{Context, Judge, Location, Rule, quoted};
use crate::catalogue::Standing;
use crate::scenario::Level;
use crate::verdict::Finding;

pub(super) const JUDGE: Judge = Judge {
    name: "reply-code",
    statement: "Every reply code is a valid reply to its command",
    impact: "Clients decide by the code alone: with a wrong code they give up or continue by mistake.",
    clause: "RFC 959 §5.4 and RFC 1123 §4.1.2.11",
    covers: &[
        "959-5.4-greeting-code",
        "959-5.4-table-strict",
        "959-4.2-no-new-codes",
        "1123-4.1.2.11-use-959-codes",
        "959-5.4-user-replies",
        "959-5.4-pass-replies",
        "959-5.4-acct-replies",
        "959-5.4-cwd-replies",
        "959-5.4-cdup-replies",
        "959-5.4-smnt-replies",
        "959-5.4-rein-replies",
        "959-5.4-quit-reply",
        "959-5.4-port-replies",
        "959-5.4-pasv-replies",
        "959-5.4-type-replies",
        "959-5.4-stru-replies",
        "959-5.4-mode-replies",
        "959-5.4-retr-replies",
        "959-5.4-stor-replies",
        "959-5.4-stou-replies",
        "959-5.4-appe-replies",
        "959-5.4-allo-replies",
        "959-5.4-rest-replies",
        "959-5.4-rnfr-replies",
        "959-5.4-rnto-replies",
        "959-5.4-dele-replies",
        "959-5.4-rmd-replies",
        "959-5.4-mkd-replies",
        "959-5.4-pwd-replies",
        "959-5.4-abor-replies",
        "959-5.4-list-replies",
        "959-5.4-nlst-replies",
        "959-5.4-site-replies",
        "959-5.4-syst-replies",
        "959-5.4-stat-replies",
        "959-5.4-help-replies",
        "959-5.4-noop-replies",
    ],
    judge,
};

/// RFC 1123 §4.1.2.11 lets servers use other codes as long as the first digit is right.
const CLASS: Rule = Rule {
    level: Level::Must,
    clause: "RFC 959 §5.4",
    requirement: "The first digit of a reply is valid for the command",
};

const CODE: Rule = Rule {
    level: Level::Should,
    clause: "RFC 1123 §4.1.2.11",
    requirement: "The codes of RFC 959 are used where they apply",
};

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for conversation in context.conversations {
        // After a security exchange any reply may come wrapped (RFC 2228 §5.2).
        let wrapped = conversation
            .exchanges
            .iter()
            .any(|exchange| matches!(exchange.name(), "ADAT" | "MIC" | "CONF" | "ENC"));
        for exchange in conversation
            .exchanges
            .iter()
            .filter(|exchange| exchange.is_whole())
        {
            let rule = match &exchange.command {
                None => context.registry.greeting_rule(),
                Some(command) => match context.registry.rule(&command.verb) {
                    Some(rule) => rule,
                    None => continue,
                },
            };
            for (event, reply) in &exchange.replies {
                let readable = reply.is_whole() && (100..700).contains(&reply.code);
                if !readable || (wrapped && reply.class() == 6) {
                    continue;
                }
                let broken = match rule.standing(reply.code) {
                    Standing::Primary | Standing::Secondary => continue,
                    Standing::OtherCode => &CODE,
                    Standing::WrongClass => &CLASS,
                };
                let place = Location {
                    connection: &conversation.connection,
                    event: *event,
                };
                let expected = format!("{}: {} ({})", exchange.name(), rule.shown(), rule.source);
                findings.push(context.broken(broken, &place, expected, quoted(reply)));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::levels;
    use Level::{Must, Should};
    use rstest::rstest;

    #[rstest]
    #[case::clean(&["S: 220 x", "C: RETR a", "S: 150 x", "S: 226 x"], &[])]
    #[case::beside_the_row(&["S: 220 x", "C: STOR a", "S: 550 x"], &[])]
    #[case::shutdown(&["S: 220 x", "C: NOOP", "S: 421 x"], &[])]
    #[case::unknown_verb(&["S: 220 x", "C: XYZZY", "S: 299 x"], &[])]
    #[case::half_a_line(&["S: 220 x", "C! NOOP\\n", "S: 350 x"], &[])]
    #[case::wrapped(&["S: 220 x", "C: ADAT x", "S: 235 x", "C: NOOP", "S: 631 x"], &[])]
    #[case::greeting(&["S: 230 x"], &[Should])]
    #[case::other_code(&["S: 220 x", "C: NOOP", "S: 250 x"], &[Should])]
    #[case::wrong_class(&["S: 220 x", "C: RNFR a", "S: 250 x"], &[Must])]
    #[case::refused_greeting(&["S: 554 x"], &[Must])]
    #[case::unasked_protection(&["S: 220 x", "C: NOOP", "S: 631 x"], &[Must])]
    fn codes_are_judged(#[case] dialogue: &[&str], #[case] expected: &[Level]) {
        assert_eq!(levels(&JUDGE, dialogue), expected);
    }
}
