//! The argument of HOST (RFC 7151 §3.1).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest domain name (RFC 1035 §2.3.4), without the dot of the root.
const MAX_NAME: usize = 253;
/// The longest label of a domain name.
const MAX_LABEL: usize = 63;

/// A host name or an address literal. Names are kept in lower case, because case is not
/// significant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostName {
    /// A domain name.
    Domain(Box<str>),
    /// An address; IPv6 is written in brackets.
    Address(IpAddr),
}

impl HostName {
    /// Parses a name or a literal. `None` with a port, for an IPv6 address without brackets, and
    /// for characters other than letters, digits and hyphens: 501.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let label = |label: &str| {
            (1..=MAX_LABEL).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        };
        (text.len() <= MAX_NAME && text.split('.').all(label))
            .then(|| Self::Domain(text.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(name) => f.write_str(name),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("FTP.Example.com", "ftp.example.com")]
    #[case("xn--e1afmkfd.com", "xn--e1afmkfd.com")]
    #[case("localhost", "localhost")]
    #[case("192.0.2.1", "192.0.2.1")]
    #[case("[2001:DB8::c000:201]", "[2001:db8::c000:201]")]
    #[case("[::ffff:192.0.2.1]", "192.0.2.1")]
    fn names_and_literals(#[case] text: &str, #[case] expected: &str) {
        let name = HostName::parse(text.as_bytes()).map(|name| name.to_string());
        assert_eq!(name.as_deref(), Some(expected));
    }

    #[rstest]
    #[case("")]
    #[case("192.0.2.1:2112")]
    #[case("[2001:db8::1]:2112")]
    #[case("2001:db8::1")]
    #[case("[192.0.2.1]")]
    #[case("[2001:db8::1")]
    #[case("ftp_x.example")]
    #[case("-a.example")]
    #[case("a-.example")]
    #[case("a..example")]
    #[case("a.example.")]
    #[case("b\u{fc}cher.example")]
    #[case("a b")]
    fn what_is_no_host_name(#[case] text: &str) {
        assert_eq!(HostName::parse(text.as_bytes()), None);
    }

    #[test]
    fn names_have_limits() {
        assert_eq!(HostName::parse(&[b'a'; 64]), None);
        assert!(HostName::parse(&[b'a'; 63]).is_some());
        assert_eq!(HostName::parse("a.".repeat(127).as_bytes()), None);
    }
}
