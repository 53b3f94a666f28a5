//! `reply-syntax`: every reply has the form of RFC 959 §4.2.

use super::{Context, Judge, Location, Rule, quoted};
use crate::scenario::Level;
use crate::transcript::{Awaited, EventKind, Reply, ReplyFault, Side};
use crate::verdict::Finding;

pub(super) const JUDGE: Judge = Judge {
    name: "reply-syntax",
    statement: "Every reply has the form of RFC 959: three digits, a space or hyphen, text, CRLF",
    impact: "Clients that parse replies strictly hang or close the connection.",
    clause: "RFC 959 §4.2",
    covers: &[
        "959-4.2-three-digit-code",
        "959-4.2-first-digit-range",
        "959-4.2-second-digit-range",
        "959-4.2-crlf-line-ends",
        "959-4.2-multiline-open",
        "959-4.2-multiline-close",
        "959-4.2-multiline-inner-pad",
        "959-4.2-multiline-no-nesting",
        "1123-4.1.2.11-only-correct-replies",
    ],
    judge,
};

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for conversation in context.conversations {
        let asked = conversation.exchanges.iter().flat_map(|exchange| {
            exchange
                .replies
                .iter()
                .map(move |(event, reply)| (exchange.name(), *event, reply))
        });
        let unasked = conversation
            .unasked
            .iter()
            .map(|(event, reply)| ("", *event, reply));
        for (verb, event, reply) in asked.chain(unasked) {
            let place = Location {
                connection: &conversation.connection,
                event,
            };
            for fault in &reply.faults {
                if *fault == ReplyFault::Unfinished && !was_given_up(context, &place) {
                    continue;
                }
                if let Some(rule) = rule(fault, reply, verb) {
                    let observed = format!("{fault}: {}", quoted(reply));
                    findings.push(context.broken(&rule, &place, expected(fault), observed));
                }
            }
            if reply.code % 100 >= 60 && (100..700).contains(&reply.code) {
                let observed = format!("{}: {}", reply.code, quoted(reply));
                findings.push(context.broken(
                    &SECOND_DIGIT,
                    &place,
                    "a second digit of 0 to 5",
                    observed,
                ));
            }
        }
    }
    findings
}

const SECOND_DIGIT: Rule = Rule {
    level: Level::Should,
    clause: "RFC 959 §4.2",
    requirement: "The second digit of a reply code is one of the six groups that are defined",
};

/// A reply without an end is the server's fault only if we waited for the end, or the server left.
fn was_given_up(context: &Context<'_>, place: &Location<'_>) -> bool {
    let later = context.transcript.events.iter().skip(place.event + 1);
    later
        .filter(|event| event.connection == *place.connection)
        .any(|event| match &event.what {
            EventKind::Silence { awaited, .. } => *awaited == Awaited::Reply,
            EventKind::Closed(end) => end.by == Side::Server,
            _ => false,
        })
}

/// The rule a defect breaks; `None` if a document allows it, or none forbids it.
fn rule(fault: &ReplyFault, reply: &Reply, verb: &str) -> Option<Rule> {
    let must = |clause, requirement| Rule {
        level: Level::Must,
        clause,
        requirement,
    };
    let style = |clause, requirement| Rule {
        level: Level::Practice,
        clause,
        requirement,
    };
    Some(match fault {
        ReplyFault::BareLf { .. } => must(
            "RFC 959 §4.2",
            "A line of a reply ends with the Telnet end-of-line code, CR LF",
        ),
        ReplyFault::BareCr { .. } => must(
            "RFC 854 and RFC 2640 §3.1",
            "On the control connection a CR is followed by LF, or by NUL if it is not a line end",
        ),
        ReplyFault::Nul { .. } => must(
            "RFC 959 §4.2",
            "The text of a reply is printable; a NUL only follows a CR",
        ),
        ReplyFault::LoneIac { .. } => must(
            "RFC 854 and RFC 3659 §2.2",
            "On the control connection the octet 255 is doubled if it is data",
        ),
        ReplyFault::NoCode | ReplyFault::ImpossibleCode => must(
            "RFC 959 §4.2",
            "A reply begins with three digits, the first of which is 1 to 5",
        ),
        // RFC 3659 §7.2 and §7.8 leave the space out together with the text.
        ReplyFault::NoSeparator { .. } if verb == "MLSD" && reply.lines[0].len() == 3 => {
            return None;
        }
        ReplyFault::BareLastLine if verb == "MLST" => return None,
        ReplyFault::NoSeparator { .. } | ReplyFault::BareLastLine => must(
            "RFC 959 §4.2",
            "The code is followed by a space, or by a hyphen if lines follow",
        ),
        // Every line of a protected reply has the code (RFC 2228 §5.2).
        ReplyFault::RepeatedCode { .. } if (631..=633).contains(&reply.code) => return None,
        // With a hyphen after it the reply's own code is not mistaken for the end, and many
        // greetings have it.
        ReplyFault::RepeatedCode { .. } => style(
            "RFC 959 §4.2",
            "A line between the first and the last of a reply does not begin with a reply code",
        ),
        ReplyFault::InteriorNumber { .. } => must(
            "RFC 959 §4.2",
            "A line between the first and the last of a reply that begins with three digits is padded, and no reply is within another",
        ),
        ReplyFault::Unfinished => must(
            "RFC 959 §4.2",
            "A multi-line reply ends with a line of its own code and a space",
        ),
        ReplyFault::TooLong | ReplyFault::LongLine { .. } => style(
            "RFC 959 §4.2",
            "Replies and their lines are not too long for clients",
        ),
        ReplyFault::NotUtf8 { .. } => return None,
    })
}

fn expected(fault: &ReplyFault) -> &'static str {
    match fault {
        ReplyFault::BareLf { .. } | ReplyFault::BareCr { .. } => "CR LF at the end of every line",
        ReplyFault::Nul { .. } => "no NUL",
        ReplyFault::LoneIac { .. } => "255 255",
        ReplyFault::NoCode => "three digits at the beginning",
        ReplyFault::ImpossibleCode => "a first digit of 1 to 5",
        ReplyFault::NoSeparator { .. } => "a space or a hyphen after the code",
        ReplyFault::BareLastLine => "the code and a space at the beginning of the last line",
        ReplyFault::RepeatedCode { .. } | ReplyFault::InteriorNumber { .. } => {
            "lines between that begin with something else, or with a space"
        }
        ReplyFault::Unfinished => "a last line with the same code and a space",
        ReplyFault::TooLong | ReplyFault::LongLine { .. } => "shorter",
        ReplyFault::NotUtf8 { .. } => "UTF-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::levels;
    use Level::{Must, Practice, Should};
    use rstest::rstest;

    #[rstest]
    #[case::clean(&["S: 220-hi /  there / 220 end", "C: NOOP", "S: 200 ok"], &[])]
    #[case::mlst_without_text(&["S: 220 x", "C: MLST", "S: 250-x /  type=dir; / / 250"], &[])]
    #[case::cut_by_us(&["S: 220 x", "C: FEAT", "S: 211-x"], &[])]
    #[case::protected(&["S: 220 x", "C: MIC x", "S: 631-a / 631-b / 631 c"], &[])]
    #[case::bare_lf(&["S! 220 hi\\n"], &[Must])]
    #[case::no_code(&["S: 220 x", "C: NOOP", "S: ok"], &[Must])]
    #[case::no_space(&["S: 220 x", "C: NOOP", "S: 200"], &[Must])]
    #[case::lone_iac(&["S: 220 x", "C: PWD", "S: 257 \"/\\xffx\""], &[Must])]
    #[case::doubled_iac(&["S: 220 x", "C: PWD", "S: 257 \"/\\xff\\xffx\""], &[])]
    #[case::telnet_command(&["S: 220 x", "C: NOOP", "S: 200 \\xff\\xfb\\x01 \\xff\\xf1x"], &[])]
    #[case::unfinished(&["S: 220 x", "C: FEAT", "S: 211-x", "silence"], &[Must])]
    #[case::left(&["S: 220 x", "C: FEAT", "S: 211-x", "closed"], &[Must])]
    #[case::number(&["S: 220 x", "C: STAT", "S: 211-x / 213 y / 211 z"], &[Must])]
    #[case::padded(&["S: 220 x", "C: STAT", "S: 211-x /  213 y / 211 z"], &[])]
    #[case::nested(&["S: 220 x", "C: STAT", "S: 211-x / 213-y / 213 y / 211 z"], &[Must])]
    #[case::repeated(&["S: 220 x", "C: FEAT", "S: 211-x / 211-y / 211 z"], &[Practice])]
    #[case::second_digit(&["S: 220 x", "C: NOOP", "S: 290 x"], &[Should])]
    #[case::in_an_unasked_reply(&["S: 220 x", "S! 421 bye\\n"], &[Must])]
    fn form_is_judged(#[case] dialogue: &[&str], #[case] expected: &[Level]) {
        assert_eq!(levels(&JUDGE, dialogue), expected);
    }
}
