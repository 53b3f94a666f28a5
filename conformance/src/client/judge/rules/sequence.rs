//! Rules about the order of commands and replies.

use super::{Breach, argument, breach, code, pairs};
use crate::client::judge::Context;
use crate::transcript::{CloseKind, Command, Conversation, EventKind, Exchange, Side};
use std::collections::BTreeSet;

/// Commands that prepare a data connection.
const DATA_PORTS: [&str; 4] = ["PASV", "EPSV", "PORT", "EPRT"];
/// Commands that may be sent while a transfer goes on (RFC 959 §4.1.3).
const IN_TRANSFER: [&str; 3] = ["ABOR", "STAT", "QUIT"];
/// Commands that REST can precede.
const RESTARTABLE: [&str; 5] = ["RETR", "STOR", "APPE", "STOU", "HASH"];

/// Faults after which nobody can say which reply belongs to which command.
const UNPAIRED: [&str; 4] = [
    "do duplicate",
    "do plaintext",
    "do hyphen on last line",
    "do wrong last line",
];

/// Whether the server answers each command with replies that can be told apart.
fn pairs_replies(context: &Context<'_>) -> bool {
    let mut faults = context.scenario.faults();
    !faults.any(|fault| UNPAIRED.iter().any(|unpaired| fault.contains(unpaired)))
}

fn is_transfer(exchange: &Exchange) -> bool {
    exchange.command.as_ref().is_some_and(Command::is_transfer)
}

pub(super) fn one_at_a_time(context: &Context<'_>) -> Vec<Breach> {
    if !pairs_replies(context) {
        return Vec::new();
    }
    let early = pairs(context).filter_map(|(conversation, first, second)| {
        let (event, _) = first.replies.first()?;
        let regular = first.command.is_some() && !first.irregular && !second.irregular;
        let early = regular && second.sent < *event && !IN_TRANSFER.contains(&second.name());
        early.then(|| {
            let observed = format!(
                "{} came before the reply to {}",
                second.name(),
                first.name()
            );
            breach(conversation, second.sent, observed)
        })
    });
    early.collect()
}

pub(super) fn completion(context: &Context<'_>) -> Vec<Breach> {
    if !pairs_replies(context) {
        return Vec::new();
    }
    let early = pairs(context).filter_map(|(conversation, first, second)| {
        let (preliminary, _) = first.preliminary().next()?;
        let (completion, _) = first.completion()?;
        let early = (*preliminary..*completion).contains(&second.sent)
            && preliminary != completion
            && first.command.is_some()
            && !IN_TRANSFER.contains(&second.name());
        early.then(|| {
            let observed = format!("{} came during {}", second.name(), first.name());
            breach(conversation, second.sent, observed)
        })
    });
    early.collect()
}

pub(super) fn rest(context: &Context<'_>) -> Vec<Breach> {
    if !pairs_replies(context) {
        return Vec::new();
    }
    let misplaced = pairs(context).filter_map(|(conversation, first, second)| {
        // REST 0 only clears what was set before.
        let set = first.name() == "REST" && code(first) == 350 && argument(first).trim() != "0";
        let next = second.name();
        let ends = matches!(next, "REST" | "QUIT" | "ABOR" | "REIN");
        let misplaced = set && !ends && !RESTARTABLE.contains(&next);
        misplaced.then(|| breach(conversation, second.sent, format!("{next} came after REST")))
    });
    misplaced.collect()
}

pub(super) fn rename(context: &Context<'_>) -> Vec<Breach> {
    if !pairs_replies(context) {
        return Vec::new();
    }
    let wrong = pairs(context).filter_map(|(conversation, first, second)| {
        let (from, to) = (first.name(), second.name());
        let accepted = from == "RNFR" && first.completion().is_some_and(|(_, it)| it.class() == 3);
        let observed = match to {
            "RNTO" if accepted => return None,
            "RNTO" if from == "RNFR" => {
                format!("RNTO came after RNFR was answered {}", code(first))
            }
            "RNTO" => format!("RNTO came after {from}"),
            "QUIT" | "ABOR" | "REIN" => return None,
            _ if accepted => format!("{to} came after RNFR"),
            _ => return None,
        };
        Some(breach(conversation, second.sent, observed))
    });
    wrong.collect()
}

pub(super) fn data_port(context: &Context<'_>) -> Vec<Breach> {
    if !pairs_replies(context) {
        return Vec::new();
    }
    let mut breaches = Vec::new();
    for conversation in context.conversations {
        let mut prepared = false;
        for exchange in &conversation.exchanges {
            if DATA_PORTS.contains(&exchange.name()) {
                prepared |= exchange.completion().is_some_and(|(_, it)| it.class() == 2);
            } else if is_transfer(exchange) {
                if !prepared && !exchange.irregular {
                    let observed = format!("{} had no data port of its own", exchange.name());
                    breaches.push(breach(conversation, exchange.sent, observed));
                }
                // A transfer that was refused at once has used none.
                prepared &= exchange.preliminary().next().is_none();
            }
        }
    }
    breaches
}

pub(super) fn epsv_all(context: &Context<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for conversation in context.conversations {
        let mut only_epsv = false;
        for exchange in &conversation.exchanges {
            let name = exchange.name();
            if name == "EPSV" && argument(exchange).eq_ignore_ascii_case("ALL") {
                only_epsv |= code(exchange) == 200;
            } else if only_epsv && name != "EPSV" && DATA_PORTS.contains(&name) {
                let observed = format!("{name} came after EPSV ALL");
                breaches.push(breach(conversation, exchange.sent, observed));
            }
        }
    }
    breaches
}

pub(super) fn ipv6(context: &Context<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    if !context.variant.ipv6 {
        return breaches;
    }
    for conversation in context.conversations {
        for exchange in &conversation.exchanges {
            if matches!(exchange.name(), "PASV" | "PORT") {
                let observed = format!("{} was sent over IPv6", exchange.name());
                breaches.push(breach(conversation, exchange.sent, observed));
            }
        }
    }
    breaches
}

/// Counted by task: a person may try the same password again.
pub(super) fn repeated_login(context: &Context<'_>) -> Vec<Breach> {
    let mut refused: BTreeSet<(u32, String)> = BTreeSet::new();
    let mut breaches = Vec::new();
    for conversation in context.conversations {
        for exchange in &conversation.exchanges {
            if exchange.name() != "PASS" {
                continue;
            }
            let key = (exchange.line, argument(exchange));
            if refused.contains(&key) {
                let observed = "the same password was sent again";
                breaches.push(breach(conversation, exchange.sent, observed));
            } else if code(exchange) / 100 == 5 {
                refused.insert(key);
            }
        }
    }
    breaches
}

pub(super) fn end(context: &Context<'_>) -> Vec<Breach> {
    let ends = context.conversations.iter().filter_map(|conversation| {
        let line = conversation.exchanges.first()?.line;
        let run = context.tasks.iter().find(|run| run.line == line)?;
        // A client that gives up may drop the connection.
        if !run.exit.is_success() || !is_logged_in(conversation) {
            return None;
        }
        let events = context.transcript.events.iter().enumerate();
        let mut own = events
            .filter(|(_, it)| it.connection == conversation.connection && it.channel.is_control());
        let (event, reset) = own.find_map(|(index, event)| match &event.what {
            EventKind::HalfClosed(end) | EventKind::Closed(end) => {
                let reset = end.by == Side::Client && end.how == CloseKind::Reset;
                Some((index, reset))
            }
            _ => None,
        })?;
        let quit = conversation.exchanges.iter().any(|it| it.name() == "QUIT");
        // A server that has broken the session off cannot complain.
        let whole = conversation
            .exchanges
            .iter()
            .all(|it| it.completion().is_some());
        let by_client = matches!(&context.transcript.events[event].what,
            EventKind::HalfClosed(end) | EventKind::Closed(end) if end.by == Side::Client);
        (by_client && whole && !quit || reset && !quit)
            .then(|| breach(conversation, event, "the client closed without QUIT"))
    });
    ends.collect()
}

fn is_logged_in(conversation: &Conversation) -> bool {
    let accepted =
        |it: &&Exchange| matches!(it.name(), "USER" | "PASS" | "ACCT") && code(it) == 230;
    conversation.exchanges.iter().any(|it| accepted(&it))
}

pub(super) fn host(context: &Context<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for conversation in context.conversations {
        let mut begun = false;
        for exchange in &conversation.exchanges {
            match exchange.name() {
                // After REIN the session is as it was at the beginning.
                "REIN" => begun = false,
                "USER" => begun = true,
                "HOST" if begun => {
                    breaches.push(breach(conversation, exchange.sent, "HOST came after USER"));
                }
                _ => {}
            }
        }
    }
    breaches
}
