//! The addresses that the proxy puts in place of those of client and server: one data port in the
//! forms of PASV, EPSV, PORT and EPRT, on each side the one that was asked for there.

use std::net::{IpAddr, SocketAddr};

use crate::driver::{eprt_argument, extended_passive_port, passive_address, port_argument};
use crate::transcript::DataMode;

/// How a data port is agreed upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PortCommand {
    /// PASV (RFC 959 §5.3.2).
    Pasv,
    /// EPSV (RFC 2428 §3).
    Epsv,
    /// PORT (RFC 959 §5.3.2).
    Port,
    /// EPRT (RFC 2428 §2).
    Eprt,
}

impl PortCommand {
    /// The command a verb is.
    pub(crate) fn of(verb: &str) -> Option<Self> {
        match verb {
            "PASV" => Some(Self::Pasv),
            "EPSV" => Some(Self::Epsv),
            "PORT" => Some(Self::Port),
            "EPRT" => Some(Self::Eprt),
            _ => None,
        }
    }

    /// How a data connection is prepared by it.
    pub(crate) fn mode(self) -> DataMode {
        match self {
            Self::Pasv => DataMode::Pasv,
            Self::Epsv => DataMode::Epsv,
            Self::Port => DataMode::Port,
            Self::Eprt => DataMode::Eprt,
        }
    }

    /// The command that asks for the same towards a peer at this address: an IPv6 address cannot be
    /// named by PASV and PORT.
    pub(crate) fn towards(self, peer: IpAddr) -> Self {
        match (self, peer.to_canonical().is_ipv6()) {
            (Self::Pasv, true) => Self::Epsv,
            (Self::Port, true) => Self::Eprt,
            (same, _) => same,
        }
    }
}

/// Where the data connection of a 227 or 229 leads: always to the peer of the control connection
/// (RFC 2577 §3, RFC 2428 §3), at the port the reply names.
pub(crate) fn passive_reply(code: u16, line: &[u8], peer: IpAddr) -> Option<SocketAddr> {
    let text = String::from_utf8_lossy(line.get(4..)?);
    let port = match code {
        227 => passive_address(&text)?.1,
        229 => extended_passive_port(&text)?,
        _ => return None,
    };
    Some(SocketAddr::new(peer, port))
}

/// The reply to PASV or EPSV that names our port; `None` where an IPv6 address would have to be
/// named by a 227.
pub(crate) fn passive_line(asked: PortCommand, ours: SocketAddr) -> Option<Vec<u8>> {
    let text = match asked {
        PortCommand::Pasv => {
            format!("227 Entering Passive Mode ({}).\r\n", port_argument(ours)?)
        }
        _ => format!(
            "229 Entering Extended Passive Mode (|||{}|)\r\n",
            ours.port()
        ),
    };
    Some(text.into_bytes())
}

/// The command line that names our port; `None` where an IPv6 address would have to be named by PORT.
pub(crate) fn active_line(command: PortCommand, ours: SocketAddr) -> Option<Vec<u8>> {
    let text = match command {
        PortCommand::Port => format!("PORT {}\r\n", port_argument(ours)?),
        _ => format!("EPRT {}\r\n", eprt_argument(ours)),
    };
    Some(text.into_bytes())
}

/// The address in the argument of PORT or EPRT, in exactly the form of RFC 959 §5.3.2 and RFC 2428
/// §2: anything else is for the server to refuse.
pub(crate) fn active_address(command: PortCommand, argument: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(argument).ok()?;
    if command == PortCommand::Port {
        let numbers: Option<Vec<u8>> = text.split(',').map(number).collect();
        let [a, b, c, d, high, low] = *numbers?.as_slice() else {
            return None;
        };
        let port = u16::from_be_bytes([high, low]);
        return (port != 0).then_some(SocketAddr::from(([a, b, c, d], port)));
    }
    let delimiter = text.chars().next()?;
    let fields: Vec<&str> = text.split(delimiter).collect();
    let ["", family, ip, port, ""] = *fields.as_slice() else {
        return None;
    };
    let ip: IpAddr = ip.parse().ok()?;
    let fits = match family {
        "1" => ip.is_ipv4(),
        "2" => ip.is_ipv6(),
        _ => false,
    };
    let port = number(port).filter(|port| *port != 0)?;
    fits.then_some(SocketAddr::new(ip, port))
}

/// A number of digits alone: no sign, no blank.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const V4: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 258);
    const V6: SocketAddr = SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 258);

    #[test]
    fn a_foreign_address_in_a_227_is_not_followed() {
        let line = b"227 Entering Passive Mode (10,0,0,1,1,2).\r\n";
        assert_eq!(passive_reply(227, line, V4.ip()), Some(V4));
        assert_eq!(
            passive_reply(229, b"229 x (|||258|)\r\n", V6.ip()),
            Some(V6)
        );
        assert_eq!(passive_reply(227, b"227 no address\r\n", V4.ip()), None);
        assert_eq!(passive_reply(227, b"227", V4.ip()), None);
    }

    #[rstest]
    #[case(
        PortCommand::Pasv,
        V4,
        Some("227 Entering Passive Mode (127,0,0,1,1,2).\r\n")
    )]
    #[case(PortCommand::Pasv, V6, None)]
    #[case(
        PortCommand::Epsv,
        V6,
        Some("229 Entering Extended Passive Mode (|||258|)\r\n")
    )]
    fn a_passive_reply_has_the_form_that_was_asked_for(
        #[case] asked: PortCommand,
        #[case] ours: SocketAddr,
        #[case] line: Option<&str>,
    ) {
        assert_eq!(
            passive_line(asked, ours).as_deref(),
            line.map(str::as_bytes)
        );
    }

    #[rstest]
    #[case(PortCommand::Port, "127,0,0,1,1,2", Some(V4))]
    #[case(PortCommand::Eprt, "|1|127.0.0.1|258|", Some(V4))]
    #[case(PortCommand::Eprt, "!2!::1!258!", Some(V6))]
    #[case(PortCommand::Eprt, "|2|127.0.0.1|258|", None)]
    #[case(PortCommand::Eprt, "|1|127.0.0.1|0|", None)]
    #[case(PortCommand::Eprt, "", None)]
    #[case(PortCommand::Port, "1,2,3", None)]
    #[case(PortCommand::Port, "127,0,0,1,1,2 ", None)]
    #[case(PortCommand::Port, "(127,0,0,1,1,2)", None)]
    #[case(PortCommand::Port, "127,0,0,1,+1,2", None)]
    fn an_active_address_is_read(
        #[case] command: PortCommand,
        #[case] argument: &str,
        #[case] address: Option<SocketAddr>,
    ) {
        assert_eq!(active_address(command, argument.as_bytes()), address);
    }

    #[test]
    fn what_an_ipv6_peer_cannot_be_asked_is_asked_in_the_extended_form() {
        assert_eq!(PortCommand::Pasv.towards(V6.ip()), PortCommand::Epsv);
        assert_eq!(PortCommand::Port.towards(V6.ip()), PortCommand::Eprt);
        assert_eq!(PortCommand::Port.towards(V4.ip()), PortCommand::Port);
        assert_eq!(active_line(PortCommand::Port, V6), None);
        assert_eq!(
            active_line(PortCommand::Eprt, V6).unwrap_or_default(),
            b"EPRT |2|::1|258|\r\n"
        );
    }
}
