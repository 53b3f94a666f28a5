//! The reference FTP server.

pub mod auth;
mod config;
pub mod dtp;
mod net;
pub mod pi;
pub mod storage;
pub mod wire;

pub use config::{Builder, Limits, StartError};
pub use net::{CertificateError, Running, Tls};

/// The server; see [`Server::builder`].
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Collects what a server needs to start.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }
}
