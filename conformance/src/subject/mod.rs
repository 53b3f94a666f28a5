//! The server under test: an address, a command to start, or the embedded reference server.

mod command;
mod embedded;
mod exec;
mod host_address;
mod probe;
mod server_tap;
mod session;
mod supervisor;

pub(crate) use command::{ExecCommand, filled};
pub use embedded::Embedded;
pub(crate) use exec::{Exec, ExecOptions, end_group, has_ended};
pub(crate) use host_address::split_zone;
pub(crate) use host_address::{HostAddress, HostAddressError};
pub(crate) use probe::TargetFacts;
pub use probe::probe;
pub use server_tap::TranscriptTap;
pub(crate) use session::{Session, outside, refused};
pub(crate) use supervisor::answers;
pub(crate) use supervisor::{Supervisor, Unmanaged};

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::net::SocketAddr;

use tokio::net::lookup_host;
use url::{Host, Url};

use crate::driver::Trust;
use crate::scenario::Protection;

/// A server under test, and what is needed to log in.
#[derive(Clone)]
pub struct Target {
    /// The name or address given by the user; also the server name in TLS.
    pub host: String,
    /// Its addresses, IPv4 and IPv6.
    pub addresses: Vec<SocketAddr>,
    /// Its addresses with implicit TLS, while `addresses` are in clear.
    pub implicit: Vec<SocketAddr>,
    /// The user name.
    pub user: String,
    /// The password. Never shown.
    pub password: String,
    /// The account to send when the server requires ACCT.
    pub account: Option<String>,
    /// The directory to work in, if not the login directory.
    pub path: Option<String>,
    /// Whether and how TLS is used.
    pub tls: TlsMode,
    /// Which certificates are accepted.
    pub trust: Trust,
    /// Whether the tester may write. If not, only scenarios without write commands are played,
    /// without directories of their own.
    pub writable: bool,
}

/// Whether and how TLS is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// Optional: variants with TLS use AUTH TLS if it is offered.
    #[default]
    Off,
    /// AUTH TLS before every login.
    Explicit,
    /// Implicit TLS, from the first octet on.
    Implicit,
}

/// Why a target is invalid.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It is not a URL.
    #[error("target: `{0}` is not a URL: {1}")]
    NoUrl(String, url::ParseError),
    /// It is not an FTP URL.
    #[error("target: `{0}` does not begin with ftp:// or ftps://")]
    Scheme(String),
    /// It has no host.
    #[error("target: `{0}` has no host")]
    NoHost(String),
    /// It contains an octet that would end a command line.
    #[error("target: the {0} of the URL contains a line end or NUL")]
    LineEnd(&'static str),
    /// Its host has no address.
    #[error("target: no address for {0}: {1}")]
    NoAddress(String, io::Error),
    /// Its zone is not one of this machine.
    #[error("target: `{0}`: {1}")]
    Zone(String, HostAddressError),
}

impl Target {
    /// A server at these addresses, as user `anonymous`.
    #[must_use]
    pub fn at(host: impl Into<String>, addresses: Vec<SocketAddr>) -> Self {
        Self {
            host: host.into(),
            addresses,
            implicit: Vec::new(),
            user: "anonymous".into(),
            // RFC 1635 §4.1 asks for an e-mail address here.
            password: "ftpspec@example.org".into(),
            account: None,
            path: None,
            tls: TlsMode::Off,
            trust: Trust::Anything,
            writable: true,
        }
    }

    /// Parses `ftp://user:password@host:port/path`; `ftps://` means implicit TLS. An IPv6 address
    /// may have a zone (RFC 6874). If `at` is empty, the addresses of the host are looked up.
    ///
    /// # Errors
    /// [`TargetError`]
    pub async fn from_url(text: &str, at: &[HostAddress]) -> Result<Self, TargetError> {
        let (plain, zone) = match split_zone(text) {
            Some((plain, zone)) => (plain, Some(zone)),
            None => (text.to_owned(), None),
        };
        let url = Url::parse(&plain).map_err(|error| TargetError::NoUrl(shown(text), error))?;
        let (tls, port) = match url.scheme() {
            "ftp" => (TlsMode::Off, 21),
            "ftps" => (TlsMode::Implicit, 990),
            _ => return Err(TargetError::Scheme(shown(text))),
        };
        let host = match url.host() {
            Some(Host::Ipv6(ip)) => ip.to_string(),
            Some(host) => host.to_string(),
            None => return Err(TargetError::NoHost(shown(text))),
        };
        let port = url.port().unwrap_or(port);
        let no_address = |error| TargetError::NoAddress(host.clone(), error);
        let addresses: Vec<_> = match (at, url.host(), zone) {
            ([], Some(Host::Ipv6(ip)), Some(zone)) => {
                let wrong = |error| TargetError::Zone(shown(text), error);
                vec![
                    HostAddress::in_zone(ip, &zone)
                        .map_err(wrong)?
                        .with_port(port),
                ]
            }
            ([], _, _) => {
                let found = lookup_host((host.as_str(), port)).await;
                found.map_err(no_address)?.collect()
            }
            (at, _, _) => at.iter().map(|address| address.with_port(port)).collect(),
        };
        let mut target = Self {
            tls,
            ..Self::at(host, addresses)
        };
        if !url.username().is_empty() {
            target.user = decoded(url.username(), "user name")?;
            target.password = decoded(url.password().unwrap_or_default(), "password")?;
        }
        let path = decoded(url.path().strip_prefix('/').unwrap_or_default(), "path")?;
        target.path = Some(path).filter(|path| !path.is_empty());
        Ok(target)
    }

    /// The address for this protection and family.
    pub(crate) fn address_for(&self, protection: Protection, ipv6: bool) -> Option<SocketAddr> {
        let doors = match (protection == Protection::Implicit, self.tls) {
            (true, TlsMode::Implicit) | (false, TlsMode::Off | TlsMode::Explicit) => {
                &self.addresses
            }
            (true, _) => &self.implicit,
            (false, TlsMode::Implicit) => return None,
        };
        doors
            .iter()
            .copied()
            .find(|address| address.is_ipv6() == ipv6)
    }

    /// The minimum protection of every connection to it.
    #[must_use]
    pub fn least_protection(&self) -> Protection {
        match self.tls {
            TlsMode::Off => Protection::Clear,
            TlsMode::Explicit => Protection::Explicit { data_private: true },
            TlsMode::Implicit => Protection::Implicit,
        }
    }

    /// Whether the user is one for whom any password is usually accepted (RFC 1635).
    pub(crate) fn is_anonymous(&self) -> bool {
        ["anonymous", "ftp"]
            .iter()
            .any(|name| self.user.eq_ignore_ascii_case(name))
    }

    /// Its address of one family.
    #[must_use]
    pub fn address(&self, ipv6: bool) -> Option<SocketAddr> {
        self.addresses
            .iter()
            .copied()
            .find(|address| address.is_ipv6() == ipv6)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("host", &self.host)
            .field("addresses", &self.addresses)
            .field("user", &self.user)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// A random name that nothing existing has.
pub(crate) fn unguessable() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// The URL without its password.
fn shown(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}***{}", &text[..scheme + 3], &text[at..])
        }
        _ => text.to_owned(),
    }
}

/// Decodes percent escapes (RFC 3986 §2.1). Line ends are refused, since they could inject
/// commands.
fn decoded(text: &str, part: &'static str) -> Result<String, TargetError> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [octet, behind @ ..] = rest {
        let escape = behind.get(..2).filter(|_| *octet == b'%');
        let escaped = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        octets.push(escaped.unwrap_or(*octet));
        rest = if escaped.is_some() {
            &behind[2..]
        } else {
            behind
        };
    }
    if octets
        .iter()
        .any(|octet| matches!(octet, b'\r' | b'\n' | 0))
    {
        return Err(TargetError::LineEnd(part));
    }
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    #[tokio::test]
    async fn a_url_contains_everything_for_a_login() {
        let target = Target::from_url("ftp://al%40ice:p%3Aw@127.0.0.1:2121/in%20box/", &[])
            .await
            .unwrap();
        assert_eq!(target.addresses, [SocketAddr::from(([127, 0, 0, 1], 2121))]);
        assert_eq!(
            (target.user.as_str(), target.password.as_str()),
            ("al@ice", "p:w")
        );
        assert_eq!(target.path.as_deref(), Some("in box/"));
        assert_eq!(target.tls, TlsMode::Off);
    }

    #[tokio::test]
    async fn given_addresses_are_not_looked_up() {
        let at: [HostAddress; 2] = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        let target = Target::from_url("ftp://no-such-host.invalid:2121", &at)
            .await
            .unwrap();
        let shown = target.addresses.iter().map(ToString::to_string);
        assert_eq!(shown.collect::<Vec<_>>(), ["127.0.0.1:2121", "[::1]:2121"]);
        assert_eq!(target.host, "no-such-host.invalid");
    }

    #[tokio::test]
    async fn a_link_local_address_keeps_its_zone() {
        let at = ["fe80::2%8".parse().unwrap()];
        for (url, at, address) in [
            ("ftp://[fe80::1%257]:2121", &[][..], "[fe80::1%7]:2121"),
            ("ftp://test:pw@[fe80::1%7]/box", &[], "[fe80::1%7]:21"),
            ("ftp://name:2121", &at, "[fe80::2%8]:2121"),
        ] {
            let target = Target::from_url(url, at).await.unwrap();
            assert_eq!(target.addresses, [address.parse().unwrap()], "{url}");
        }
        let error = Target::from_url("ftp://a:secret@[fe80::1%25no-such]", &[]).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no network interface `no-such`"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[tokio::test]
    async fn without_a_user_the_login_is_anonymous() {
        let target = Target::from_url("ftps://[::1]", &[]).await.unwrap();
        assert_eq!(target.user, "anonymous");
        assert_eq!(target.tls, TlsMode::Implicit);
        assert_eq!(
            target.address(true).map(|address| address.port()),
            Some(990)
        );
        assert_eq!(target.address(false), None);
        assert_eq!(target.path, None);
    }

    #[tokio::test]
    async fn a_line_end_in_a_url_is_refused() {
        for url in [
            "ftp://a%0d%0aDELE%20x@127.0.0.1",
            "ftp://a:b%00@127.0.0.1",
            "ftp://h/a%0Ab",
        ] {
            let url = url.replace("//h", "//127.0.0.1");
            assert!(
                matches!(
                    Target::from_url(&url, &[]).await,
                    Err(TargetError::LineEnd(_))
                ),
                "{url}"
            );
        }
    }

    #[tokio::test]
    async fn an_error_does_not_show_the_password() {
        let error = Target::from_url("http://alice:secret@127.0.0.1", &[])
            .await
            .unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        let target = Target::from_url("ftp://alice:secret@127.0.0.1", &[])
            .await
            .unwrap();
        assert!(!format!("{target:?}").contains("secret"));
    }
}
