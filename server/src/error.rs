//! Why a server does not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The builder was given values that cannot be used: all of them, in the order of the calls.
    #[error("{}", Joined(.0))]
    Config(Vec<ConfigError>),
    /// The server cannot listen on an address.
    #[error("failed to listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A listener of the caller cannot be used.
    #[error("failed to use a listener of the caller")]
    Listener(#[source] io::Error),
    /// A certificate or its private key cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A value given to [`ServerBuilder`](crate::ServerBuilder) that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// There are no users and no authenticator.
    #[error("nobody can log in: name a user, allow anonymous, or give an authenticator")]
    NoUsers,
    /// There is an address for implicit TLS, but no [`Tls`](crate::Tls).
    #[error("an address for implicit TLS needs TLS settings")]
    NoTls,
    /// The name to disable is not a verb and not a service of SITE.
    #[error(transparent)]
    UnknownCommand(#[from] crate::disabled::UnknownCommandError),
    /// The name of a virtual host is not one.
    #[error("{0:?} cannot be a virtual host: it is neither a domain name nor an address")]
    HostName(String),
    /// The media type is not one.
    #[error("{0:?} is not a media type, such as text/plain")]
    MediaType(String),
    /// The language of file names is not one.
    #[error("{0:?} is not a language tag, such as en")]
    LanguageTag(String),
}

/// TLS settings that cannot be used: most often the certificate or its key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The key log could not be opened.
    #[error("failed to open the key log {}", path.display())]
    KeyLog {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The PEM text has no certificate or no private key.
    #[error("failed to find a certificate and a private key in the PEM text: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// The certificate does not match its key, or the kind of key is not supported.
    #[error("failed to use the certificate: {0}")]
    Rejected(#[from] rustls::Error),
    /// A name for the ephemeral certificate is not valid.
    #[error("failed to make the ephemeral certificate: {0}")]
    Ephemeral(#[from] rcgen::Error),
    /// The authorities of client certificates cannot be used.
    #[error("failed to use the authorities of client certificates: {0}")]
    Authorities(#[from] rustls::server::VerifierBuilderError),
    /// The lowest TLS version is above the highest.
    #[error("failed to find a TLS version: the lowest is above the highest")]
    NoVersion,
    /// The server was started without [`Tls`](crate::Tls).
    #[error("failed to find TLS settings: the server was started without them")]
    NoTls,
}

/// Errors one after the other, separated by semicolons.
struct Joined<'a>(&'a [ConfigError]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}
