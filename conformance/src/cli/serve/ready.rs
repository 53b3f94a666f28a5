//! The ready line, and the file with the certificate authority that it names.

use super::{Settings, TlsMode, about};
use ftpspec_server::ServerHandle;
use ftpspec_server::auth::Secret;
use serde::Serialize;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use tempfile::TempDir;

/// The line on stdout that says the server is ready. Version 1; fields are only ever added.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    event: &'static str,
    version: u32,
    addresses: Vec<String>,
    host: String,
    port: u16,
    url: String,
    user: &'a str,
    password: &'a str,
    tls: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_sha256: Option<&'a str>,
    pid: u32,
}

/// Prints the ready line.
///
/// # Errors
/// stdout cannot be written to.
pub(super) fn announce(
    settings: &Settings,
    running: &ServerHandle,
    ca: Option<&CaFile>,
) -> io::Result<()> {
    let addresses = running.addresses();
    let first = addresses
        .first()
        .copied()
        .ok_or(io::ErrorKind::AddrNotAvailable)?;
    let anonymous = settings.anonymous.as_ref();
    let anonymous = anonymous.and_then(|anonymous| anonymous.names.first());
    let (user, password) = match settings.users.first() {
        // A password that is only known by its hash is left empty.
        Some(user) => {
            let password = user.password.as_ref().map(Secret::expose);
            let password = password.map(String::from_utf8_lossy).unwrap_or_default();
            (user.name.as_str(), password)
        }
        None => (anonymous.map_or("anonymous", String::as_str), "".into()),
    };
    let password = &*password;
    let scheme = if settings.tls.mode == TlsMode::Implicit {
        "ftps"
    } else {
        "ftp"
    };
    let host = host(first);
    let ready = Ready {
        event: "ready",
        version: 1,
        addresses: addresses.iter().map(ToString::to_string).collect(),
        url: url(scheme, &host, first.port(), user, password)?,
        host,
        port: first.port(),
        user,
        password,
        tls: match settings.tls.mode {
            TlsMode::Off => "off",
            TlsMode::Explicit => "explicit",
            TlsMode::Implicit => "implicit",
        },
        ca: ca.map(|file| file.path.display().to_string()),
        ca_sha256: running.ca_fingerprint(),
        pid: std::process::id(),
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &ready)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Where clients on this machine connect to, with the zone of a link-local address.
fn host(address: SocketAddr) -> String {
    match address {
        // An address that means "any" is not one to connect to.
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

/// The certificate of the ephemeral authority as a file, in a directory of its own with a name
/// nobody can foresee and that only we may enter; both are removed when this is dropped.
#[derive(Debug)]
pub(super) struct CaFile {
    path: PathBuf,
    /// Removes the directory when dropped.
    _directory: TempDir,
}

impl CaFile {
    /// Writes the file; `None` where there is no ephemeral authority.
    ///
    /// # Errors
    /// The directory for temporary files cannot be written to.
    pub(super) fn write(running: &ServerHandle) -> io::Result<Option<Self>> {
        let Some(pem) = running.ca_pem() else {
            return Ok(None);
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix("ftpspec-").rand_bytes(16);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let directory = builder.tempdir()?;
        let path = directory.path().join("ca.pem");
        std::fs::write(&path, pem).map_err(|error| about(&error, &path))?;
        Ok(Some(Self {
            path,
            _directory: directory,
        }))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

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
}
