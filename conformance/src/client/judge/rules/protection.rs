//! Rules about TLS and about addresses.

use super::{Breach, argument, breach};
use crate::client::judge::Context;
use crate::client::variant::Protection;
use crate::transcript::{Channel, Connection, EventKind, ObservationKind};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

fn is_protected(context: &Context<'_>) -> bool {
    context.variant.protection != Protection::Clear
}

/// The control connections on which TLS began before an event.
fn under_tls(context: &Context<'_>, connection: &Connection, event: usize) -> bool {
    let before = context.transcript.events.iter().take(event);
    let mut own = before.filter(|it| it.connection == *connection);
    own.any(|it| matches!(&it.what, EventKind::TlsEstablished(facts) if !facts.data))
}

pub(super) fn password(context: &Context<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    if !is_protected(context) {
        return breaches;
    }
    for conversation in context.conversations {
        for exchange in &conversation.exchanges {
            let secret = matches!(exchange.name(), "PASS" | "ACCT");
            if secret && !under_tls(context, &conversation.connection, exchange.sent) {
                let observed = format!("{} came before TLS", exchange.name());
                breaches.push(breach(conversation, exchange.sent, observed));
            }
        }
    }
    breaches
}

pub(super) fn data(context: &Context<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    if !is_protected(context) {
        return breaches;
    }
    let mut protected: BTreeSet<(&Connection, Channel)> = BTreeSet::new();
    let mut seen: BTreeSet<(&Connection, Channel)> = BTreeSet::new();
    for (index, event) in context.transcript.events.iter().enumerate() {
        let key = (&event.connection, event.channel);
        match &event.what {
            EventKind::TlsEstablished(facts) if facts.data => {
                protected.insert(key);
            }
            EventKind::DataFromClient { octets } | EventKind::DataFromServer { octets }
                if !octets.is_empty() && !protected.contains(&key) && seen.insert(key) =>
            {
                breaches.push(Breach {
                    connection: event.connection.clone(),
                    event: index,
                    observed: "data was transferred in clear".into(),
                });
            }
            _ => {}
        }
    }
    breaches
}

pub(super) fn pbsz(context: &Context<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for conversation in context.conversations {
        let mut sized = false;
        for exchange in &conversation.exchanges {
            sized |= exchange.name() == "PBSZ";
            if exchange.name() == "PROT" && !sized {
                let observed = "PROT came without PBSZ";
                breaches.push(breach(conversation, exchange.sent, observed));
            }
        }
    }
    breaches
}

pub(super) fn session_reuse(context: &Context<'_>) -> Vec<Breach> {
    let mut faults = context.scenario.faults();
    let mut settings = context.scenario.settings();
    let required = faults.any(|fault| fault.contains("require session reuse"))
        || settings.any(|it| it == ("tls.session_reuse", "\"require\""));
    if !required {
        return Vec::new();
    }
    let events = context.transcript.events.iter().enumerate();
    let fresh = events.filter_map(|(event, it)| match &it.what {
        EventKind::TlsEstablished(facts) if facts.data && !facts.resumed => Some(Breach {
            connection: it.connection.clone(),
            event,
            observed: "a data connection began another TLS session".into(),
        }),
        _ => None,
    });
    fresh.collect()
}

pub(super) fn foreign_address(context: &Context<'_>) -> Vec<Breach> {
    let events = context.transcript.events.iter().enumerate();
    let foreign = events.filter_map(|(event, it)| match &it.what {
        EventKind::Observed {
            kind: ObservationKind::ForeignAddress,
            fact,
            ..
        } => Some(Breach {
            connection: it.connection.clone(),
            event,
            observed: fact.clone(),
        }),
        _ => None,
    });
    foreign.collect()
}

pub(super) fn own_address(context: &Context<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for conversation in context.conversations {
        let events = context.transcript.events.iter();
        let mut own = events.filter(|it| it.connection == conversation.connection);
        let client = own.find_map(|it| match &it.what {
            EventKind::Connected { local, .. } => local.parse::<SocketAddr>().ok(),
            _ => None,
        });
        let Some(client) = client else {
            continue;
        };
        for exchange in &conversation.exchanges {
            let argument = argument(exchange);
            let named = match exchange.name() {
                "PORT" => host_number(&argument),
                "EPRT" => argument.split('|').nth(2).and_then(|ip| ip.parse().ok()),
                _ => None,
            };
            let foreign = named.filter(|ip: &IpAddr| *ip != client.ip());
            if let Some(foreign) = foreign {
                let observed = format!("{} named {foreign}", exchange.name());
                breaches.push(breach(conversation, exchange.sent, observed));
            }
        }
    }
    breaches
}

/// The address in the argument of PORT (RFC 959 §4.1.2).
fn host_number(argument: &str) -> Option<IpAddr> {
    let octets = argument
        .split(',')
        .take(4)
        .map(|octet| octet.trim().parse().ok());
    let octets: Vec<u8> = octets.collect::<Option<_>>()?;
    Some(<[u8; 4]>::try_from(octets).ok()?.into())
}
