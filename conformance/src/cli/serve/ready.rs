//! What `serve` reports when the server is ready.

use crate::cli::ca_file::CaFile;
use ftpspec_server::ServerHandle;
use ftpspec_server::auth::Secret;
use ftpspec_server::settings::{Keyword as _, Settings, TlsMode};
use serde::Serialize;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// How to connect to the server. As JSON it is version 1 of the ready line: fields are only added.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Ready {
    event: &'static str,
    version: u32,
    addresses: Vec<SocketAddr>,
    host: String,
    port: u16,
    url: String,
    user: String,
    /// Empty if it is unknown or any password is accepted.
    password: String,
    tls: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_sha256: Option<String>,
    pid: u32,
    /// One URL for each address, those of implicit TLS last.
    #[serde(skip)]
    urls: Vec<String>,
}

impl Ready {
    /// # Errors
    /// The server has no address.
    pub(super) fn new(
        settings: &Settings,
        server: &ServerHandle,
        ca: Option<&CaFile>,
    ) -> io::Result<Self> {
        let addresses = server.addresses();
        let first = *addresses.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let (user, password) = login(settings);
        let scheme = match settings.tls.mode {
            TlsMode::Implicit => "ftps",
            TlsMode::Off | TlsMode::Explicit => "ftp",
        };
        let url = |scheme, address: SocketAddr| {
            url(scheme, &host(address), address.port(), &user, &password)
        };
        let explicit = addresses.iter().map(|address| url(scheme, *address));
        let implicit = server.implicit_addresses().iter();
        let urls = explicit.chain(implicit.map(|address| url("ftps", *address)));
        Ok(Self {
            event: "ready",
            version: 1,
            addresses: addresses.to_vec(),
            host: host(first),
            port: first.port(),
            url: url(scheme, first)?,
            urls: urls.collect::<io::Result<_>>()?,
            tls: settings.tls.mode.keyword(),
            ca: ca.map(|file| file.path().display().to_string()),
            ca_sha256: server.ca_fingerprint().map(str::to_owned),
            pid: std::process::id(),
            user,
            password,
        })
    }

    /// The ready line.
    pub(super) fn json(&self) -> String {
        let line = serde_json::to_string(self).expect("all keys are text");
        line + "\n"
    }

    /// The text for a terminal.
    pub(super) fn greeting(&self) -> String {
        let mut text = String::from("The server is ready.\n\n");
        let mut row = |label: &str, value: &str| {
            let _ = writeln!(text, "  {label:<9}{value}");
        };
        for (index, url) in self.urls.iter().enumerate() {
            row(if index == 0 { "URL" } else { "" }, url);
        }
        row("User", &self.user);
        if !self.password.is_empty() {
            row("Password", &self.password);
        }
        row("TLS", self.tls);
        if let Some(ca) = &self.ca {
            row("CA", ca);
        }
        text + "\nPress Ctrl-C to stop it.\n\n"
    }
}

/// The name and password of the first user; the password is empty if only its hash is known.
fn login(settings: &Settings) -> (String, String) {
    match settings.users.first() {
        Some(user) => {
            let password = user.password.as_ref().map(Secret::expose);
            let password = password.map(String::from_utf8_lossy).unwrap_or_default();
            (user.name.clone(), password.into_owned())
        }
        None => {
            let anonymous = settings.anonymous.as_ref();
            let name = anonymous.and_then(|anonymous| anonymous.names.first());
            let name = name.map_or("anonymous", String::as_str);
            (name.to_owned(), String::new())
        }
    }
}

/// The address to which clients on this machine connect, with the zone of a link-local address.
fn host(address: SocketAddr) -> String {
    match address {
        // Nobody can connect to the unspecified address.
        SocketAddr::V4(address) if address.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V6(address) if address.ip().is_unspecified() => "::1".to_owned(),
        SocketAddr::V6(address) if address.scope_id() != 0 => {
            format!("{}%{}", address.ip(), address.scope_id())
        }
        address => address.ip().to_string(),
    }
}

fn url(scheme: &str, host: &str, port: u16, user: &str, password: &str) -> io::Result<String> {
    let mut url = url::Url::parse(&format!("{scheme}://localhost/")).map_err(io::Error::other)?;
    let (ip, zone) = host.split_once('%').unwrap_or((host, ""));
    let ip: IpAddr = ip.parse().map_err(io::Error::other)?;
    // The setters refuse only URLs that cannot have these parts; an ftp URL can.
    let _ = url.set_ip_host(ip);
    let _ = url.set_port(Some(port));
    let _ = url.set_username(user);
    let _ = url.set_password((!password.is_empty()).then_some(password));
    // Brackets in a user name or password are escaped. The crate cannot hold a zone (RFC 6874 §2).
    Ok(match zone {
        "" => url.into(),
        zone => String::from(url).replacen(']', &format!("%25{zone}]"), 1),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_url_has_the_zone_of_a_link_local_address() {
        for (address, expected) in [
            ("[fe80::1%7]:2121", "ftp://b%5Db:s%5D@[fe80::1%257]:2121/"),
            ("[::1]:21", "ftp://b%5Db:s%5D@[::1]/"),
            ("0.0.0.0:2121", "ftp://b%5Db:s%5D@127.0.0.1:2121/"),
            ("[::]:2121", "ftp://b%5Db:s%5D@[::1]:2121/"),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            let url = url("ftp", &host(address), address.port(), "b]b", "s]");
            assert_eq!(url.unwrap(), expected);
        }
    }

    #[test]
    fn the_greeting_shows_how_to_connect_and_how_to_stop() {
        let ready = Ready {
            event: "ready",
            version: 1,
            addresses: Vec::new(),
            host: "127.0.0.1".into(),
            port: 2121,
            url: "ftp://test:secret@127.0.0.1:2121/".into(),
            user: "test".into(),
            password: "secret".into(),
            tls: "explicit",
            ca: Some("/tmp/ftpspec-x/ca.pem".into()),
            ca_sha256: None,
            pid: 1,
            urls: vec![
                "ftp://test:secret@127.0.0.1:2121/".into(),
                "ftp://test:secret@[::1]:2121/".into(),
            ],
        };
        let expected = "\
The server is ready.

  URL      ftp://test:secret@127.0.0.1:2121/
           ftp://test:secret@[::1]:2121/
  User     test
  Password secret
  TLS      explicit
  CA       /tmp/ftpspec-x/ca.pem

Press Ctrl-C to stop it.

";
        assert_eq!(ready.greeting(), expected);
        let unknown = Ready {
            password: String::new(),
            ca: None,
            ..ready
        };
        let greeting = unknown.greeting();
        assert!(!greeting.contains("Password") && !greeting.contains("CA"));
    }
}
