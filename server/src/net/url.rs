//! The URL of a server (RFC 1738 §3.2).

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::config::UrlUser;

/// `scheme://name:password@host:port/`, with the octets of the name and the password
/// percent-encoded. The port is always written: clients differ in the default of `ftps`. An
/// unspecified address (0.0.0.0, ::) becomes the loopback address.
pub(super) fn url(scheme: &str, address: SocketAddr, user: Option<&UrlUser>) -> String {
    let mut url = format!("{scheme}://");
    if let Some(user) = user {
        percent_encode(user.name.as_bytes(), &mut url);
        if let Some(password) = &user.password {
            url.push(':');
            percent_encode(password.expose(), &mut url);
        }
        url.push('@');
    }
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("[{}]", Ipv6Addr::LOCALHOST),
        IpAddr::V6(ip) => match address {
            // RFC 6874 §2.
            SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("[{ip}%25{}]", v6.scope_id()),
            _ => format!("[{ip}]"),
        },
    };
    url + &format!("{host}:{}/", address.port())
}

/// Appends `octets`, all but the unreserved characters (RFC 3986 §2.3) percent-encoded.
fn percent_encode(octets: &[u8], to: &mut String) {
    for octet in octets {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(octet) {
            to.push(char::from(*octet));
        } else {
            // Writing to a String does not fail.
            let _ = write!(to, "%{octet:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Secret;

    #[test]
    fn names_and_passwords_are_percent_encoded() {
        let user = |name: &str, password: Option<&str>| UrlUser {
            name: name.to_owned(),
            password: password.map(Secret::new),
        };
        let v4 = SocketAddr::from(([127, 0, 0, 1], 2121));
        for (user, expected) in [
            (None, "ftp://127.0.0.1:2121/"),
            (
                Some(user("test", Some("secret"))),
                "ftp://test:secret@127.0.0.1:2121/",
            ),
            (
                Some(user("anonymous", None)),
                "ftp://anonymous@127.0.0.1:2121/",
            ),
            (
                Some(user("a@b", Some("p:/%ä"))),
                "ftp://a%40b:p%3A%2F%25%C3%A4@127.0.0.1:2121/",
            ),
            (
                Some(user("[b]", Some("!#?"))),
                "ftp://%5Bb%5D:%21%23%3F@127.0.0.1:2121/",
            ),
        ] {
            assert_eq!(url("ftp", v4, user.as_ref()), expected);
        }
    }

    #[test]
    fn the_host_is_one_that_clients_can_connect_to() {
        for (address, expected) in [
            ("0.0.0.0:21", "ftps://127.0.0.1:21/"),
            ("[::]:990", "ftps://[::1]:990/"),
            ("192.0.2.1:2121", "ftps://192.0.2.1:2121/"),
            ("[2001:db8::1]:2121", "ftps://[2001:db8::1]:2121/"),
            ("[fe80::1%3]:21", "ftps://[fe80::1%253]:21/"),
        ] {
            let address = address
                .parse()
                .unwrap_or_else(|_| SocketAddr::from(([9, 9, 9, 9], 9)));
            assert_eq!(url("ftps", address, None), expected);
        }
    }
}
