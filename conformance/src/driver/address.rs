//! Addresses in PORT, EPRT and the replies 227 and 229.
//!
//! Parsing is lenient so that the dialogue can go on; the judge checks the form.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The argument of PORT, `h1,h2,h3,h4,p1,p2` (RFC 959 §5.3.2); `None` for an IPv6 address, which it
/// cannot express.
#[must_use]
pub fn port_argument(address: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = address.ip().to_canonical() else {
        return None;
    };
    let [a, b, c, d] = ip.octets();
    let [high, low] = address.port().to_be_bytes();
    Some(format!("{a},{b},{c},{d},{high},{low}"))
}

/// The host number in the argument of PORT, `h1,h2,h3,h4`; `None` where there is only IPv6.
pub(crate) fn host_number(address: SocketAddr) -> Option<String> {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => Some(ip.to_string().replace('.', ",")),
        IpAddr::V6(_) => None,
    }
}

/// The argument of EPRT, `|1|127.0.0.1|p|` (RFC 2428 §2).
pub(crate) fn eprt_argument(address: SocketAddr) -> String {
    let ip = address.ip().to_canonical();
    let family = if ip.is_ipv4() { 1 } else { 2 };
    format!("|{family}|{ip}|{}|", address.port())
}

/// The address in the text of a 227: its first six numbers with commas between them; `None` for
/// port 0, which is not usable. RFC 1123 §4.1.2.6 requires clients to search for the digits because
/// the text around them was never specified.
#[must_use]
pub fn passive_address(text: &str) -> Option<(Ipv4Addr, u16)> {
    let is_part = |c: char| c.is_ascii_digit() || c == ',';
    text.split(|c: char| !is_part(c)).find_map(|run| {
        let numbers: Vec<u8> = run
            .trim_matches(',')
            .split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        let [a, b, c, d, high, low] = *numbers.as_slice() else {
            return None;
        };
        let port = u16::from_be_bytes([high, low]);
        (port != 0).then_some((Ipv4Addr::new(a, b, c, d), port))
    })
}

/// The port in the text of a 229, `(|||port|)` with any delimiter (RFC 2428 §3); `None` for port 0.
#[must_use]
pub fn extended_passive_port(text: &str) -> Option<u16> {
    let inside = text.split_once('(')?.1.split_once(')')?.0;
    let delimiter = inside.chars().next()?;
    let digits = inside.strip_prefix(delimiter)?.trim_matches(delimiter);
    // Some servers fill in family and address, which RFC 2428 §3 requires to be empty.
    let port = digits.rsplit(delimiter).next()?.parse().ok()?;
    (port != 0).then_some(port)
}

/// The pathname in the text of a 257: between quotes, a doubled quote is one (RFC 959 Appendix II).
/// `None` also if it cannot be sent in a command, because it is empty or contains a control
/// character.
#[must_use]
pub fn quoted_pathname(text: &str) -> Option<String> {
    let mut path = String::new();
    let mut rest = text.split_once('"')?.1.chars().peekable();
    loop {
        match rest.next()? {
            '"' if rest.peek() == Some(&'"') => {
                rest.next();
                path.push('"');
            }
            '"' => break,
            other if other.is_control() => return None,
            other => path.push(other),
        }
    }
    (!path.is_empty()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_contains_an_ipv4_address_only() {
        assert_eq!(
            port_argument(SocketAddr::from(([127, 0, 0, 1], 258))).as_deref(),
            Some("127,0,0,1,1,2")
        );
        assert_eq!(
            port_argument(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 258))),
            None
        );
    }

    #[test]
    fn eprt_contains_the_family() {
        assert_eq!(
            eprt_argument(SocketAddr::from(([127, 0, 0, 1], 258))),
            "|1|127.0.0.1|258|"
        );
        assert_eq!(
            eprt_argument(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 258))),
            "|2|::1|258|"
        );
    }

    #[test]
    fn a_227_is_found_with_and_without_parentheses() {
        let wanted = Some((Ipv4Addr::LOCALHOST, 0x1234));
        assert_eq!(
            passive_address("Entering Passive Mode (127,0,0,1,18,52)."),
            wanted
        );
        assert_eq!(
            passive_address("Entering Passive Mode. 127,0,0,1,18,52"),
            wanted
        );
        assert_eq!(passive_address("=127,0,0,1,18,52"), wanted);
    }

    #[test]
    fn a_227_without_an_address_is_none() {
        for text in [
            "",
            "(1,2,3,4,5)",
            "(256,0,0,1,1,1)",
            "(1,2,3,4,5,6,7)",
            "(a,b)",
            ",,,,,",
            "(127,0,0,1,0,0)",
        ] {
            assert_eq!(passive_address(text), None, "{text}");
        }
    }

    #[test]
    fn a_229_names_its_port_between_any_delimiters() {
        assert_eq!(extended_passive_port("Entering (|||6446|)"), Some(6446));
        assert_eq!(extended_passive_port("(!!!6446!)"), Some(6446));
        assert_eq!(extended_passive_port("(|1|127.0.0.1|6446|)"), Some(6446));
        for text in [
            "",
            "()",
            "(||||)",
            "|||6446|",
            "(|||99999|)",
            "(|||0|)",
            "(é)",
        ] {
            assert_eq!(extended_passive_port(text), None, "{text}");
        }
    }

    #[test]
    fn a_quoted_pathname_may_contain_quotes_and_can_be_sent() {
        assert_eq!(
            quoted_pathname("\"/a \"\"b\"\"\" is here").as_deref(),
            Some("/a \"b\"")
        );
        for text in [
            "/a is here",
            "\"/a",
            "\"\"",
            "\"/a\nDELE b\"",
            "\"/a\rb\"",
            "\"\0\"",
        ] {
            assert_eq!(quoted_pathname(text), None, "{text:?}");
        }
    }
}
