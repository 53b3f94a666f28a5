//! Rules about the octets of command lines.

use super::{Breach, argument, breach};
use crate::client::judge::Context;
use crate::transcript::{Conversation, EventKind};

const IAC: u8 = 255;

/// The octets that the client sent on a control connection, each with its event.
fn octets<'a>(
    context: &Context<'a>,
    conversation: &'a Conversation,
) -> impl Iterator<Item = (usize, u8)> + use<'a> {
    let events = context.transcript.events.iter().enumerate();
    let own = events.filter(|(_, it)| it.connection == conversation.connection);
    own.flat_map(|(event, it)| {
        let octets = match &it.what {
            EventKind::FromClient { octets } => octets.as_slice(),
            _ => &[],
        };
        octets.iter().map(move |octet| (event, *octet))
    })
}

pub(super) fn lines(context: &Context<'_>) -> Vec<Breach> {
    let broken = context.conversations.iter().filter_map(|conversation| {
        let mut before = 0;
        for (event, octet) in octets(context, conversation) {
            let observed = match (before, octet) {
                (b'\r', b'\n' | 0) => None,
                (_, b'\n') => Some("a line ended with LF alone"),
                // CR NUL is a carriage return in a pathname (RFC 2640 §3.1).
                (_, 0) => Some("a line contained NUL"),
                (b'\r', _) => Some("a line contained CR alone"),
                _ => None,
            };
            if let Some(observed) = observed {
                return Some(breach(conversation, event, observed));
            }
            before = octet;
        }
        None
    });
    broken.collect()
}

pub(super) fn telnet(context: &Context<'_>) -> Vec<Breach> {
    let broken = context.conversations.iter().filter_map(|conversation| {
        let mut before = 0;
        for (event, octet) in octets(context, conversation) {
            // WILL, WONT, DO and DONT (RFC 854).
            if before == IAC && (251..=254).contains(&octet) {
                return Some(breach(
                    conversation,
                    event,
                    "a Telnet option was negotiated",
                ));
            }
            // IAC IAC is the octet 255.
            before = if before == IAC { 0 } else { octet };
        }
        None
    });
    broken.collect()
}

pub(super) fn one_space(context: &Context<'_>) -> Vec<Breach> {
    let scenario = context.scenario;
    let files = scenario.given().chain(scenario.local());
    let files = files.map(|file| file.name.as_str());
    let steps = scenario.steps();
    let tasks = steps.iter().flat_map(|step| &step.task.names);
    let mut names = files.chain(tasks.map(String::as_str));
    let named = names.any(|name| name.split('/').any(|part| part.starts_with(' ')));
    let mut breaches = Vec::new();
    for conversation in context.conversations.iter().filter(|_| !named) {
        for exchange in &conversation.exchanges {
            let takes_pathname = matches!(
                exchange.name(),
                "RETR"
                    | "STOR"
                    | "APPE"
                    | "DELE"
                    | "CWD"
                    | "MKD"
                    | "RMD"
                    | "RNFR"
                    | "RNTO"
                    | "SIZE"
                    | "MDTM"
            );
            let argument = exchange
                .command
                .as_ref()
                .and_then(|it| it.argument.as_deref());
            if takes_pathname && argument.is_some_and(|it| it.starts_with(b" ")) {
                let observed = format!("{} was followed by two spaces", exchange.name());
                breaches.push(breach(conversation, exchange.sent, observed));
            }
        }
    }
    breaches
}

pub(super) fn host_port(context: &Context<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for conversation in context.conversations {
        for exchange in &conversation.exchanges {
            let argument = argument(exchange);
            // An IPv6 address is in brackets; one without them is no port.
            let after = argument
                .rsplit_once(']')
                .map_or(argument.as_str(), |(_, after)| after);
            if exchange.name() == "HOST" && after.matches(':').count() == 1 {
                let observed = format!("HOST named {}", argument.escape_debug());
                breaches.push(breach(conversation, exchange.sent, observed));
            }
        }
    }
    breaches
}
