//! `address`: a 227 or 229 reply says where to connect, in the one form its document knows, and
//! data connections come from where the control connection leads.

use super::{Context, Judge, Location, Rule, quoted};
use crate::scenario::{Connection, DataMode, Level};
use crate::transcript::{EventKind, Reply};
use crate::verdict::Finding;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(super) const JUDGE: Judge = Judge {
    name: "address",
    statement: "227 has six numbers, 229 has a port between delimiters, both accept connections, and active data connections come from the same host",
    impact: "Downloads, uploads and listings hang until a time-out or fail, because client and server use different ports.",
    clause: "RFC 959 §4.1.2 and RFC 2428 §3",
    covers: &[
        "959-4.2.1-pasv-text",
        "959-4.1.2-pasv-not-default-port",
        "1123-4.1.2.6-pasv-address-is-server",
        "1123-4.1.2.12-data-port-same-ip",
        "2428-3-epsv-229",
        "2577-8-random-ports",
    ],
    judge,
};

const SIX_NUMBERS: Rule = Rule {
    level: Level::Must,
    clause: "RFC 959 §4.1.2 and §5.3.2",
    requirement: "227 gives the host and port as six decimal numbers of 0 to 255 between commas",
};

const DELIMITED_PORT: Rule = Rule {
    level: Level::Must,
    clause: "RFC 2428 §3",
    requirement: "229 gives the port in parentheses, after three delimiters and before one",
};

/// Behind an address translator a server cannot know its address, and clients use the one they
/// connected to.
const SAME_ADDRESS: Rule = Rule {
    level: Level::Should,
    clause: "RFC 959 §4.1.2",
    requirement: "The address in 227 is one at which the server can be reached",
};

/// Behind an address translator the port that the client connected to need not be L.
const NOT_DEFAULT_PORT: Rule = Rule {
    level: Level::Should,
    clause: "RFC 959 §4.1.2",
    requirement: "PASV gives a port other than the server's default data port, which is one below the control port",
};

const SAME_HOST: Rule = Rule {
    level: Level::Must,
    clause: "RFC 1123 §4.1.2.12",
    requirement: "Active data connections come from the IP address of the control connection",
};

const NOT_IN_ORDER: Rule = Rule {
    level: Level::Should,
    clause: "RFC 2577 §8",
    requirement: "Passive ports are chosen at random, so that the next one cannot be predicted",
};

/// Hosts draw ports from here on at random: chance names the default data port once, and seldom
/// twice.
const DRAWN: u16 = 32768;

/// Random ports of a range of a thousand are in order this often about once in 10^15 times.
const IN_ORDER: usize = 6;

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = active_peers(context);
    let mut default_ports = Vec::new();
    findings.extend(ports_in_order(context));
    for whole in context.whole() {
        let (reply, place) = (whole.reply, &whole.place);
        if whole.is(&["PASV"], 227) {
            match six_numbers(&reply.text()) {
                None => {
                    let expected = "h1,h2,h3,h4,p1,p2 with a port of 1 to 65535";
                    findings.push(context.broken(&SIX_NUMBERS, place, expected, quoted(reply)));
                }
                Some((address, port)) => {
                    findings.extend(other_host(context, place, reply, address));
                    default_ports.extend(default_port(context, place, reply, port));
                }
            }
        }
        if whole.is(&["EPSV"], 229) && delimited_port(&reply.text()).is_none() {
            let expected = "(|||port|) with a port of 1 to 65535";
            findings.push(context.broken(&DELIMITED_PORT, place, expected, quoted(reply)));
        }
    }
    match &default_ports[..] {
        [(port, _)] if *port >= DRAWN => {}
        _ => findings.extend(default_ports.into_iter().map(|(_, finding)| finding)),
    }
    findings
}

fn other_host(
    context: &Context<'_>,
    place: &Location<'_>,
    reply: &Reply,
    address: Ipv4Addr,
) -> Option<Finding> {
    let reached = reached(context, place.connection, place.event)?;
    (address != reached).then(|| {
        context.broken(
            &SAME_ADDRESS,
            place,
            format!("{reached}, which was reached"),
            quoted(reply),
        )
    })
}

fn default_port(
    context: &Context<'_>,
    place: &Location<'_>,
    reply: &Reply,
    port: u16,
) -> Option<(u16, Finding)> {
    let control = peer(context, place.connection, place.event)?.port();
    (control.checked_sub(1) == Some(port)).then(|| {
        let expected = format!("another port than {port}");
        let finding = context.broken(&NOT_DEFAULT_PORT, place, expected, quoted(reply));
        (port, finding)
    })
}

/// Active data connections from elsewhere.
fn active_peers(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, event) in context.transcript.events.iter().enumerate() {
        let EventKind::DataOpened {
            mode, peer: from, ..
        } = &event.what
        else {
            continue;
        };
        let server = peer(context, &event.connection, index).map(|at| at.ip().to_canonical());
        let from = from.parse::<SocketAddr>().ok();
        let (Some(server), Some(from)) = (server, from.map(|at| at.ip().to_canonical())) else {
            continue;
        };
        if matches!(mode, DataMode::Port | DataMode::Eprt) && from != server {
            let place = Location {
                connection: &event.connection,
                event: index,
            };
            let observed = format!("a data connection from {from}");
            findings.push(context.broken(&SAME_HOST, &place, server.to_string(), observed));
        }
    }
    findings
}

/// Passive ports of which each is one above the one before.
fn ports_in_order(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for conversation in context.conversations {
        let mut row: Vec<u16> = Vec::new();
        for exchange in &conversation.exchanges {
            let Some((event, reply)) = exchange.completion() else {
                continue;
            };
            let port = match reply.code {
                227 => six_numbers(&reply.text()).map(|(_, port)| port),
                229 => delimited_port(&reply.text()),
                _ => None,
            };
            let Some(port) = port else { continue };
            if row
                .last()
                .is_none_or(|last| last.checked_add(1) != Some(port))
            {
                row.clear();
            }
            row.push(port);
            if row.len() == IN_ORDER {
                let place = Location {
                    connection: &conversation.connection,
                    event: *event,
                };
                let observed = format!("ports {} to {port}, one after the other", row[0]);
                findings.push(context.broken(&NOT_IN_ORDER, &place, "no such order", observed));
            }
        }
    }
    findings
}

/// The server's IPv4 address that this control connection is connected to.
fn reached(context: &Context<'_>, connection: &Connection, before: usize) -> Option<Ipv4Addr> {
    match peer(context, connection, before)?.ip().to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// The address that this control connection is connected to.
fn peer(context: &Context<'_>, connection: &Connection, before: usize) -> Option<SocketAddr> {
    let events = &context.transcript.events[..before];
    let peer = events.iter().rev().find_map(|event| match &event.what {
        EventKind::Connected { peer, .. } if event.connection == *connection => Some(peer),
        _ => None,
    })?;
    peer.parse().ok()
}

/// RFC 1123 §4.1.2.6: searches for the numbers, because the text around them is not defined.
fn six_numbers(text: &str) -> Option<(Ipv4Addr, u16)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = text[start..].splitn(6, ',');
    let mut fields = [0u8; 6];
    for (index, field) in fields.iter_mut().enumerate() {
        let number = numbers.next()?;
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        if index < 5 && digits < number.len() {
            return None;
        }
        *field = number[..digits].parse().ok()?;
    }
    let [a, b, c, d, high, low] = fields;
    let port = u16::from_be_bytes([high, low]);
    (port != 0).then_some((Ipv4Addr::new(a, b, c, d), port))
}

fn delimited_port(text: &str) -> Option<u16> {
    text.match_indices('(').find_map(|(at, _)| {
        let inner = &text[at + 1..];
        let inner = &inner[..inner.find(')')?];
        let delimiter = inner.chars().next().filter(|c| ('!'..='~').contains(c))?;
        let digits = inner
            .strip_prefix(&delimiter.to_string().repeat(3))?
            .strip_suffix(delimiter)?;
        let plain = digits.bytes().all(|octet| octet.is_ascii_digit());
        digits.parse().ok().filter(|port: &u16| plain && *port != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Registry;
    use crate::judge::testing::{levels, transcript};
    use crate::transcript::Conversation;
    use Level::{Must, Should};
    use rstest::rstest;

    #[rstest]
    #[case::clean("PASV", "227 Entering Passive Mode (127,0,0,1,4,1).", &[])]
    #[case::bare("PASV", "227 =127,0,0,1,4,1", &[])]
    #[case::refused("PASV", "425 no", &[])]
    #[case::elsewhere("PASV", "227 (10,0,0,1,4,1)", &[Should])]
    #[case::five("PASV", "227 (127,0,0,1,4)", &[Must])]
    #[case::too_big("PASV", "227 (127,0,0,1,256,1)", &[Must])]
    #[case::port_zero("PASV", "227 (127,0,0,1,0,0)", &[Must])]
    #[case::nothing("PASV", "227 ok", &[Must])]
    #[case::default_data_port("PASV", "227 (127,0,0,1,8,72)", &[Should])]
    #[case::extended("EPSV", "229 Entering (|||6446|)", &[])]
    #[case::other_delimiter("EPSV", "229 x (!!!6446!)", &[])]
    #[case::with_parentheses_before("EPSV", "229 Ok (really) (|||6446|)", &[])]
    #[case::two_delimiters("EPSV", "229 (||6446|)", &[Must])]
    #[case::with_address("EPSV", "229 (|1|127.0.0.1|6446|)", &[Must])]
    #[case::no_parentheses("EPSV", "229 |||6446|", &[Must])]
    #[case::no_port("EPSV", "229 (||||)", &[Must])]
    #[case::signed("EPSV", "229 (|||+5|)", &[Must])]
    fn addresses_are_judged(#[case] verb: &str, #[case] reply: &str, #[case] expected: &[Level]) {
        let dialogue = [
            "S: 220 x".to_owned(),
            format!("C: {verb}"),
            format!("S: {reply}"),
        ];
        let dialogue: Vec<&str> = dialogue.iter().map(String::as_str).collect();
        assert_eq!(levels(&JUDGE, &dialogue), expected);
    }

    #[rstest]
    #[case::by_chance(1, 0)]
    #[case::again(2, 2)]
    fn a_drawn_port_is_the_default_data_port_once_by_chance(
        #[case] times: usize,
        #[case] expected: usize,
    ) {
        let mut dialogue = vec!["S: 220 x"];
        for _ in 0..times {
            dialogue.extend(["C: PASV", "S: 227 (127,0,0,1,156,63)"]);
        }
        let mut transcript = transcript(&dialogue);
        transcript.events[0].what = EventKind::Connected {
            local: "127.0.0.1:50000".into(),
            peer: "127.0.0.1:40000".into(),
        };
        let conversations = Conversation::all(&transcript);
        let found = judge(&Context {
            transcript: &transcript,
            conversations: &conversations,
            registry: Registry::built_in(),
        });
        assert_eq!(found.len(), expected);
    }

    #[rstest]
    #[case::in_order(&[6, 7, 8, 9, 10, 11, 12], 1)]
    #[case::too_few(&[6, 7, 8, 9, 10], 0)]
    #[case::with_a_gap(&[6, 7, 8, 10, 11, 12], 0)]
    #[case::downwards(&[12, 11, 10, 9, 8, 7], 0)]
    fn predictable_ports_are_found(#[case] ports: &[u16], #[case] expected: usize) {
        let mut dialogue = vec!["S: 220 x".to_owned()];
        for port in ports {
            dialogue.push("C: EPSV".into());
            dialogue.push(format!("S: 229 x (|||{port}|)"));
        }
        let dialogue: Vec<&str> = dialogue.iter().map(String::as_str).collect();
        assert_eq!(levels(&JUDGE, &dialogue), vec![Should; expected]);
    }

    #[rstest]
    #[case::from_the_server("port from 127.0.0.1:20", &[])]
    #[case::from_elsewhere("port from 127.0.0.3:20", &[Must])]
    #[case::passive("pasv from 127.0.0.3:20", &[])]
    fn active_data_connections_come_from_the_server(
        #[case] data: &str,
        #[case] expected: &[Level],
    ) {
        assert_eq!(levels(&JUDGE, &["S: 220 x", data]), expected);
    }
}
