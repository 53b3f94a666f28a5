//! Addresses of hosts, with the zone of an IPv6 address (RFC 4007 §11).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs as _};
use std::str::FromStr;

/// The address of a host: `192.0.2.1`, `2001:db8::1`, or with a zone `fe80::1%eth0`.
///
/// A link-local address identifies a host only together with its zone, the network interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostAddress {
    ip: IpAddr,
    /// The index of the interface; 0 means no zone.
    scope_id: u32,
}

/// The text is not a [`HostAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostAddressError {
    /// It is not an IP address.
    #[error("expected an IP address, such as 127.0.0.1, ::1 or fe80::1%eth0")]
    Syntax,
    /// This machine has no such interface.
    #[error("this machine has no network interface `{0}`")]
    Zone(String),
}

impl HostAddress {
    /// The address without its zone.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.ip
    }

    /// The address with a port; the zone is its scope id.
    #[must_use]
    pub fn with_port(self, port: u16) -> SocketAddr {
        match self.ip {
            IpAddr::V4(_) => SocketAddr::new(self.ip, port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, self.scope_id).into(),
        }
    }

    /// An IPv6 address in a zone, which is the name or the index of an interface.
    ///
    /// # Errors
    /// [`HostAddressError::Zone`]
    pub fn in_zone(ip: Ipv6Addr, zone: &str) -> Result<Self, HostAddressError> {
        let unknown = || HostAddressError::Zone(zone.to_owned());
        let scope_id = match zone.parse() {
            Ok(index) => index,
            Err(_) if zone.is_empty() || zone.contains('%') => return Err(unknown()),
            // getaddrinfo resolves the names of interfaces.
            Err(_) => match (format!("{ip}%{zone}"), 0).to_socket_addrs() {
                Ok(mut found) => match found.next() {
                    Some(SocketAddr::V6(found)) => found.scope_id(),
                    _ => return Err(unknown()),
                },
                Err(_) => return Err(unknown()),
            },
        };
        Ok(Self {
            ip: ip.into(),
            scope_id,
        })
    }
}

impl From<IpAddr> for HostAddress {
    fn from(ip: IpAddr) -> Self {
        Self { ip, scope_id: 0 }
    }
}

/// The form that is parsed; the zone is the index of the interface.
impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ip)?;
        match self.scope_id {
            0 => Ok(()),
            index => write!(f, "%{index}"),
        }
    }
}

impl FromStr for HostAddress {
    type Err = HostAddressError;

    fn from_str(text: &str) -> Result<Self, HostAddressError> {
        match text.split_once('%') {
            Some((ip, zone)) => {
                let ip = ip.parse().map_err(|_| HostAddressError::Syntax)?;
                Self::in_zone(ip, zone)
            }
            None => {
                let ip: IpAddr = text.parse().map_err(|_| HostAddressError::Syntax)?;
                Ok(ip.into())
            }
        }
    }
}

/// Splits the zone from the host of a URL: `ftp://[fe80::1%25eth0]:21/` (RFC 6874 §2). Returns the
/// URL without the zone, for any URL parser, and the zone. A `%` that is not escaped is accepted,
/// too.
pub(crate) fn split_zone(url: &str) -> Option<(String, String)> {
    let authority = url.find("://")? + 3;
    let end = url[authority..].find(['/', '?', '#']);
    let end = end.map_or(url.len(), |length| authority + length);
    // A user name or password may contain a bracket.
    let host = url[authority..end]
        .rfind('@')
        .map_or(authority, |at| authority + at + 1);
    let literal = url[host..end].strip_prefix('[')?;
    let close = literal.find(']')?;
    let (ip, zone) = literal[..close].split_once('%')?;
    let zone = zone
        .strip_prefix("25")
        .filter(|zone| !zone.is_empty())
        .unwrap_or(zone);
    let rest = &url[host + 1 + close..];
    let without = format!("{}[{ip}{rest}", &url[..host]);
    Some((without, zone.to_owned()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    #[test]
    fn an_address_keeps_its_zone() {
        for (text, socket) in [
            ("127.0.0.1", "127.0.0.1:21"),
            ("::1", "[::1]:21"),
            ("fe80::1%7", "[fe80::1%7]:21"),
        ] {
            let address: HostAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.with_port(21), socket.parse().unwrap());
        }
        for wrong in ["", "localhost", "fe80::1%", "127.0.0.1%1", "%1", "[::1]"] {
            assert!(wrong.parse::<HostAddress>().is_err(), "{wrong}");
        }
        assert_eq!(
            "fe80::1%no-such-interface".parse::<HostAddress>(),
            Err(HostAddressError::Zone("no-such-interface".into()))
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_zone_may_be_the_name_of_an_interface() {
        let index: u32 = std::fs::read_to_string("/sys/class/net/lo/ifindex")
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let address: HostAddress = "fe80::1%lo".parse().unwrap();
        assert_eq!(address, format!("fe80::1%{index}").parse().unwrap());
    }

    #[test]
    fn a_url_is_split_from_its_zone_and_nothing_else() {
        for (url, without, zone) in [
            (
                "ftp://[fe80::1%25eth0]:2121/a",
                "ftp://[fe80::1]:2121/a",
                "eth0",
            ),
            ("ftp://[fe80::1%eth0]", "ftp://[fe80::1]", "eth0"),
            ("ftp://[fe80::1%252]:21", "ftp://[fe80::1]:21", "2"),
            (
                "ftp://u:p%25[@[fe80::1%25a.b]/%41",
                "ftp://u:p%25[@[fe80::1]/%41",
                "a.b",
            ),
        ] {
            assert_eq!(
                split_zone(url),
                Some((without.into(), zone.into())),
                "{url}"
            );
        }
        for plain in [
            "ftp://[::1]:21",
            "ftp://u%25:p@127.0.0.1/[fe80::1%25eth0]",
            "ftp://host/%25",
            "[fe80::1%25eth0]",
        ] {
            assert_eq!(split_zone(plain), None, "{plain}");
        }
    }
}
