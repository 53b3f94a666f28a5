//! What `serve` reports when the server is ready.

use crate::cli::ca_file::CaFile;
use ftpspec_server::ServerHandle;
use ftpspec_server::auth::Secret;
use ftpspec_server::settings::{Keyword as _, Settings};
use serde::Serialize;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

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
        let implicit = server.implicit_addresses();
        let first = server.addresses().iter().chain(implicit).next();
        let first = *first.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let (user, password) = login(settings);
        Ok(Self {
            event: "ready",
            version: 1,
            addresses: server.addresses().to_vec(),
            host: host(first),
            port: first.port(),
            url: server.url(),
            urls: server.urls(),
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

#[cfg(test)]
mod tests {
    use super::*;

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
