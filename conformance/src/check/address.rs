//! `address`: a 227 or 229 reply says where to connect, in the one form its document knows.

use super::{Context, Judge, Place, Rule, quoted};
use crate::scenario::{Connection, Level};
use crate::transcript::{Reply, What};
use crate::verdict::Finding;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const NAME: &str = "address";

pub(super) const JUDGE: Judge = Judge {
    name: NAME,
    statement: "227 has six numbers, 229 has a port between delimiters, and both can be connected to",
    clause: "RFC 959 §4.1.2 and RFC 2428 §3",
    covers: &[
        "959-4.2.1-pasv-text",
        "1123-4.1.2.6-pasv-address-is-server",
        "2428-3-epsv-229",
    ],
    judge,
};

const SIX_NUMBERS: Rule = Rule {
    judge: NAME,
    level: Level::Must,
    clause: "RFC 959 §4.1.2 and §5.3.2",
    requirement: "227 gives the host and port as six decimal numbers of 0 to 255 between commas",
};

const DELIMITED_PORT: Rule = Rule {
    judge: NAME,
    level: Level::Must,
    clause: "RFC 2428 §3",
    requirement: "229 gives the port in parentheses between three delimiters before it and one behind it",
};

/// Behind an address translator a server cannot know better, and clients take the address they reached.
const SAME_ADDRESS: Rule = Rule {
    judge: NAME,
    level: Level::Should,
    clause: "RFC 959 §4.1.2",
    requirement: "The address in 227 is one at which the server can be reached",
};

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for whole in context.whole() {
        let (reply, place) = (whole.reply, &whole.place);
        if whole.is(&["PASV"], 227) {
            match six_numbers(&reply.text()) {
                None => {
                    let expected = "h1,h2,h3,h4,p1,p2 with a port of 1 to 65535";
                    findings.push(context.broken(&SIX_NUMBERS, place, expected, quoted(reply)));
                }
                Some((address, _)) => findings.extend(other_host(context, place, reply, address)),
            }
        }
        if whole.is(&["EPSV"], 229) && delimited_port(&reply.text()).is_none() {
            let expected = "(|||port|) with a port of 1 to 65535";
            findings.push(context.broken(&DELIMITED_PORT, place, expected, quoted(reply)));
        }
    }
    findings
}

fn other_host(
    context: &Context<'_>,
    place: &Place<'_>,
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

/// The server's IPv4 address this control connection reached.
fn reached(context: &Context<'_>, connection: &Connection, before: usize) -> Option<Ipv4Addr> {
    let events = &context.transcript.events[..before];
    let peer = events.iter().rev().find_map(|event| match &event.what {
        What::Connected { peer, .. } if event.connection == *connection => Some(peer),
        _ => None,
    })?;
    match peer.parse::<SocketAddr>().ok()?.ip().to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// RFC 1123 §4.1.2.6: the numbers are looked for, because nothing says what stands around them.
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
    use super::super::testing::levels;
    use super::*;
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
}
