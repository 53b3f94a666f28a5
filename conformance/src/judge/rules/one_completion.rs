//! `one-completion`: every command gets exactly one completion, after at most one preliminary
//! reply.

use super::{Context, Judge, Location, Rule, quoted};
use crate::scenario::Level;
use crate::transcript::{Conversation, Exchange};
use crate::verdict::Finding;

pub(super) const JUDGE: Judge = Judge {
    name: "one-completion",
    statement: "Every command gets exactly one completion, after at most one preliminary reply, and there are no unsolicited replies",
    impact: "From that command on the client reads each reply as that to another command: it hangs, or takes a failure as a success.",
    clause: "RFC 959 §4.2 and §5.4",
    covers: &[
        "959-4.2-one-preliminary-only",
        "959-5.4-prelim-before-final-order",
        "959-5.4-no-spontaneous-reply",
        "1123-4.1.2.11-only-correct-replies",
    ],
    judge,
};

const ONE_PRELIMINARY: Rule = Rule {
    level: Level::Must,
    clause: "RFC 959 §4.2",
    requirement: "At most one 1yz reply is sent per command",
};

const PRELIMINARY_FIRST: Rule = Rule {
    level: Level::Must,
    clause: "RFC 959 §5.4",
    requirement: "A transfer that succeeds is announced with 125 or 150 before it is completed",
};

const NOTHING_UNASKED: Rule = Rule {
    level: Level::Must,
    clause: "RFC 959 §5.4 and RFC 1123 §4.1.2.11",
    requirement: "There are no spontaneous replies: one command, one completion",
};

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for conversation in context.conversations {
        for exchange in conversation
            .exchanges
            .iter()
            .filter(|exchange| exchange.is_whole())
        {
            findings.extend(preliminaries(context, conversation, exchange));
        }
        // The number of replies to an incomplete or over-long line is not defined.
        if conversation
            .exchanges
            .iter()
            .any(|exchange| exchange.irregular)
        {
            continue;
        }
        for (event, reply) in &conversation.unasked {
            // 421 announces that the server closes (RFC 959 §4.2.1, RFC 1123 §4.1.3.2); a reply
            // without code is for the judge `reply-syntax`.
            if reply.code == 421 || reply.class() == 0 {
                continue;
            }
            let place = Location {
                connection: &conversation.connection,
                event: *event,
            };
            let expected = "no reply while no command waits for one";
            findings.push(context.broken(&NOTHING_UNASKED, &place, expected, quoted(reply)));
        }
    }
    findings
}

fn preliminaries(
    context: &Context<'_>,
    conversation: &Conversation,
    exchange: &Exchange,
) -> Option<Finding> {
    // 110 is a restart marker; there may be any number while data moves (RFC 959 §5.4).
    let mut preliminary = exchange
        .preliminary()
        .filter(|(_, reply)| reply.code != 110);
    let first = preliminary.next();
    if let Some((event, reply)) = preliminary.next() {
        let place = Location {
            connection: &conversation.connection,
            event: *event,
        };
        let expected = format!(
            "{}: one preliminary reply, then the completion",
            exchange.name()
        );
        return Some(context.broken(&ONE_PRELIMINARY, &place, expected, quoted(reply)));
    }
    let (event, reply) = exchange.completion()?;
    // An empty LIST or NLST without a data connection is common and harmless.
    let announced = matches!(exchange.name(), "RETR" | "STOR" | "STOU" | "APPE" | "MLSD");
    if announced && first.is_none() && matches!(reply.code, 226 | 250) {
        let place = Location {
            connection: &conversation.connection,
            event: *event,
        };
        let expected = format!("{}: 125 or 150, then 226 or 250", exchange.name());
        return Some(context.broken(&PRELIMINARY_FIRST, &place, expected, quoted(reply)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::findings;
    use rstest::rstest;

    #[rstest]
    #[case::clean(&["S: 220 x", "C: RETR a", "S: 150 x", "S: 226 x", "C: NOOP", "S: 200 x"])]
    #[case::markers(&["S: 220 x", "C: STOR a", "S: 150 x", "S: 110 MARK 1 = 1", "S: 110 MARK 2 = 2", "S: 226 x"])]
    #[case::empty_list(&["S: 220 x", "C: NLST", "S: 226 x"])]
    #[case::idle(&["S: 220 x", "S: 421 idle", "closed"])]
    #[case::aborted(&["S: 220 x", "C: RETR a", "S: 150 x", "C: ABOR", "S: 426 x", "S: 226 x"])]
    #[case::aborted_with_one_reply(
        &["S: 220 x", "C: RETR a", "S: 150 x", "C: ABOR", "S: 226 x", "C: NOOP", "S: 200 x"])]
    #[case::half_a_line(&["S: 220 x", "C: A\\nB", "S: 500 x", "S: 500 x"])]
    fn what_the_rfc_allows_is_no_finding(#[case] dialogue: &[&str]) {
        assert_eq!(findings(&JUDGE, dialogue), []);
    }

    #[rstest]
    #[case::two_completions(&["S: 220 x", "C: NOOP", "S: 200 x", "S: 200 x"], "RFC 959 §5.4 and RFC 1123 §4.1.2.11")]
    #[case::two_preliminaries(&["S: 220 x", "C: RETR a", "S: 125 x", "S: 150 x", "S: 226 x"], "RFC 959 §4.2")]
    #[case::no_preliminary(&["S: 220 x", "C: RETR a", "S: 226 x"], "RFC 959 §5.4")]
    fn a_reply_too_many_or_too_few_is_found(#[case] dialogue: &[&str], #[case] clause: &str) {
        let findings = findings(&JUDGE, dialogue);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(
            (findings[0].level, findings[0].clause.as_str()),
            (Level::Must, clause)
        );
    }
}
