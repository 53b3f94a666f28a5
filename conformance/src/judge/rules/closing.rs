//! `closing`: a server that closes the control connection says why first, and ends it so that the
//! words arrive.

use super::{Context, Judge, Location, Rule, quoted};
use crate::scenario::Level;
use crate::transcript::{CloseKind, Conversation, EventKind, Reply, Side};
use crate::verdict::Finding;

pub(super) const JUDGE: Judge = Judge {
    name: "closing",
    statement: "The server sends 221 or 421 before it closes the control connection, and ends it with FIN, under TLS with close_notify",
    impact: "A client cannot distinguish a closed session from a network failure, and retries at once or not at all.",
    clause: "RFC 959 §2.3 and §4.2.1",
    covers: &["2577-5-421-before-close"],
    judge,
};

/// "Before closing the control connection the server must send a return code of 421", where the
/// reason is a password.
const AFTER_PASSWORD: Rule = Rule {
    level: Level::Should,
    clause: "RFC 2577 §5",
    requirement: "A server that closes because of a wrong password sends 421 first",
};

/// §2.3 has the user request the end; 421 is the reply of a server that ends a session for reasons
/// of its own.
const SAYS_WHY: Rule = Rule {
    level: Level::Should,
    clause: "RFC 959 §2.3 and §4.2.1",
    requirement: "A server that closes the control connection on its own sends 421 first",
};

/// A reset may overtake the reply before it.
const NOT_RESET: Rule = Rule {
    level: Level::Practice,
    clause: "RFC 959 §4.1.1",
    requirement: "The control connection ends with FIN after 221 or 421, so that the reply is not lost",
};

/// It is a MUST of TLS (RFC 8446 §6.1); RFC 4217 does not repeat it.
const CLOSE_NOTIFY: Rule = Rule {
    level: Level::Should,
    clause: "RFC 8446 §6.1",
    requirement: "The side that ends a protected control connection sends close_notify before FIN",
};

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let conversations = context.conversations.iter();
    conversations
        .flat_map(|conversation| ends(context, conversation))
        .collect()
}

/// The findings at each end of a control connection; one name may connect more than once.
fn ends(context: &Context<'_>, conversation: &Conversation) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut begin = 0;
    // Whatever was sent that is no regular command line: what a server makes of it is its own
    // affair.
    let mut strange = false;
    for (index, event) in context.transcript.events.iter().enumerate() {
        if event.connection != conversation.connection {
            continue;
        }
        match &event.what {
            EventKind::Connected { .. } => (begin, strange) = (index, false),
            EventKind::TlsFailed { data: false, .. } => strange = true,
            _ if event.is_gap() => strange = true,
            EventKind::Closed(end) if end.by == Side::Server && !strange => {
                let session = Session {
                    conversation,
                    begin,
                    end: index,
                };
                findings.extend(session.judge(context, end.how));
            }
            _ => {}
        }
    }
    findings
}

/// One control connection from its greeting to its end.
struct Session<'a> {
    conversation: &'a Conversation,
    begin: usize,
    end: usize,
}

impl Session<'_> {
    fn judge(&self, context: &Context<'_>, how: CloseKind) -> Option<Finding> {
        let exchanges = self.conversation.exchanges.iter();
        let mut own = exchanges.filter(|it| (self.begin..self.end).contains(&it.sent));
        let last = own.next_back()?;
        if last.irregular || own.any(|exchange| exchange.irregular) {
            return None;
        }
        let place = Location {
            connection: &self.conversation.connection,
            event: self.end,
        };
        let (command, said) = self.said()?;
        if last.name() == "QUIT" && command != "QUIT" {
            // The end was asked for; that 221 did not come is for the scenario that waited for it.
            return None;
        }
        let asked = command == "QUIT" && said.class() == 2;
        let closing = asked || said.code == 421;
        if !closing {
            let rule = match command {
                "PASS" | "USER" if said.code / 100 == 5 => &AFTER_PASSWORD,
                // After AUTH the next octets are TLS, and a handshake may fail without a word (RFC
                // 4217 §10.1).
                "AUTH" => return None,
                _ => &SAYS_WHY,
            };
            let observed = format!("closed after {}", quoted(said));
            return Some(context.broken(rule, &place, "421, then the end", observed));
        }
        match how {
            CloseKind::NoCloseNotify => {
                let observed = format!("FIN alone after {}", quoted(said));
                Some(context.broken(&CLOSE_NOTIFY, &place, "close_notify, then FIN", observed))
            }
            CloseKind::Reset => {
                let observed = format!("a reset after {}", quoted(said));
                Some(context.broken(&NOT_RESET, &place, "FIN", observed))
            }
            CloseKind::Clean => None,
        }
    }

    /// The last thing the server said before the end, and the command it belongs to; none where
    /// nobody asked.
    fn said(&self) -> Option<(&str, &Reply)> {
        let exchanges = self.conversation.exchanges.iter();
        let answers = exchanges.flat_map(|exchange| {
            exchange
                .replies
                .iter()
                .map(|reply| (exchange.name(), reply))
        });
        let unasked = self.conversation.unasked.iter().map(|reply| ("", reply));
        let own = answers.chain(unasked);
        let own = own.filter(|(_, (event, _))| (self.begin..self.end).contains(event));
        own.max_by_key(|(_, (event, _))| *event)
            .map(|(command, (_, reply))| (command, reply))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::{findings, levels};
    use Level::{Practice, Should};
    use rstest::rstest;

    #[rstest]
    #[case::asked(&["C: QUIT", "S: 221 x", "closed"], &[])]
    #[case::shut_down(&["C: NOOP", "S: 421 x", "closed"], &[])]
    #[case::idle(&["C: NOOP", "S: 200 x", "S: 421 x", "closed"], &[])]
    #[case::after_an_error(&["C: XYZZY", "S: 500 x", "closed"], &[Should])]
    #[case::after_the_greeting(&["closed"], &[Should])]
    #[case::after_a_wrong_password(&["C: USER a", "S: 331 x", "C: PASS b", "S: 530 x", "closed"], &[Should])]
    #[case::before_the_next_reply(&["C: XYZZY", "S: 500 x", "C: NOOP", "closed"], &[Should])]
    #[case::quit_unanswered(&["C: QUIT", "closed"], &[])]
    #[case::instead_of_a_handshake(&["C: AUTH TLS", "S: 234 x", "closed"], &[])]
    #[case::half_a_line(&["C! NOOP\\n", "S: 200 x", "closed"], &[])]
    #[case::reset(&["C: QUIT", "S: 221 x", "closed reset"], &[Practice])]
    #[case::cut(&["C: QUIT", "S: 221 x", "closed cut"], &[Should])]
    #[case::transfer_finished(&["C: RETR a", "S: 150 x", "C: QUIT", "S: 226 x", "S: 221 x", "closed"], &[])]
    #[case::still_open(&["C: NOOP", "S: 200 x"], &[])]
    fn an_end_is_announced(#[case] dialogue: &[&str], #[case] expected: &[Level]) {
        let dialogue = [&["S: 220 x"], dialogue].concat();
        assert_eq!(levels(&JUDGE, &dialogue), expected);
    }

    #[test]
    fn a_wrong_password_is_judged_by_its_own_clause() {
        let dialogue = ["S: 220 x", "C: PASS b", "S: 530 no", "closed"];
        let found = findings(&JUDGE, &dialogue);
        assert_eq!(found[0].clause, "RFC 2577 §5");
        assert_eq!(found[0].observed, "closed after 530 no");
    }
}
