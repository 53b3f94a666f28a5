//! `limits`: replies, listings and files end.

use super::{Context, Judge, Location, Rule};
use crate::scenario::Level;
use crate::transcript::{EventKind, Limit};
use crate::verdict::Finding;
use std::collections::BTreeSet;

pub(super) const JUDGE: Judge = Judge {
    name: "limits",
    statement: "Replies, listings and files come to an end",
    impact: "Clients wait for ever, or store what comes until their memory or disk is full.",
    clause: "RFC 959 §3.2, §4.2 and §5.4",
    covers: &[],
    judge,
};

const DATA: Rule = Rule {
    level: Level::Must,
    clause: "RFC 959 §3.2",
    requirement: "The server closes the data connection when it has sent the requested data",
};

const REPLY: Rule = Rule {
    level: Level::Must,
    clause: "RFC 959 §4.2",
    requirement: "A reply has a last line",
};

const REPLIES: Rule = Rule {
    level: Level::Must,
    clause: "RFC 959 §5.4",
    requirement: "Replies are sent only to commands",
};

/// Reports each limit once per transcript: later events have the same cause.
fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut found = BTreeSet::new();
    let mut findings = Vec::new();
    for (event, it) in context.transcript.events.iter().enumerate() {
        let EventKind::LimitExceeded(excess) = &it.what else {
            continue;
        };
        if !found.insert(excess.limit) {
            continue;
        }
        let (rule, expected) = match excess.limit {
            Limit::Data | Limit::Scenario => (&DATA, "the end of the data connection"),
            Limit::Reply => (&REPLY, "the last line of the reply"),
            Limit::Replies | Limit::ReplyOctets | Limit::ReplyLines => {
                (&REPLIES, "as many replies as the commands call for")
            }
        };
        let connection = &it.connection;
        let place = Location { connection, event };
        findings.push(context.broken(rule, &place, expected, excess.to_string()));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::{Context, JUDGES};
    use super::*;
    use crate::catalogue::Registry;
    use crate::judge::testing::{findings, transcript};

    use crate::transcript::{Conversation, Event, Excess};

    #[test]
    fn what_has_no_end_is_found_once() {
        let mut transcript = transcript(&["S: 220 x", "C: LIST", "S: 150 x", "D< a\\r\\n"]);
        for limit in [Limit::Data, Limit::Data, Limit::Reply] {
            let most = 1 << 20;
            transcript.events.push(Event::at_line(
                7,
                EventKind::LimitExceeded(Excess { limit, most }),
            ));
        }
        let conversations = Conversation::all(&transcript);
        let context = Context {
            transcript: &transcript,
            conversations: &conversations,
            registry: Registry::built_in(),
        };
        let found: Vec<_> = JUDGES
            .iter()
            .flat_map(|judge| judge.findings(&context))
            .collect();
        let own: Vec<_> = found.iter().filter(|it| it.judge == JUDGE.name).collect();
        assert_eq!(own.len(), 2);
        let words = "the server sent more than 1048576 octets of data in one transfer";
        assert_eq!((own[0].observed.as_str(), own[0].line), (words, 7));
        assert_eq!(own[1].clause, "RFC 959 §4.2");
    }

    #[test]
    fn what_ends_is_no_finding() {
        let dialogue = [
            "S: 220 x",
            "C: LIST",
            "S: 150 x",
            "D< a\\r\\n",
            "D.",
            "S: 226 x",
        ];
        assert!(findings(&JUDGE, &dialogue).is_empty());
    }
}
