//! The reference FTP server: complete, strict, and made to be embedded in tests.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ftpspec_server::StartError> {
//! use ftpspec_server::storage::MemFs;
//! use ftpspec_server::{Server, Tls};
//!
//! let server = Server::builder()
//!     .storage(MemFs::new())
//!     .user("test", "secret")
//!     .tls(Tls::explicit())
//!     .start()
//!     .await?;
//! let address = server.addresses()[0]; // a free port of 127.0.0.1, and of ::1 where there is one
//! let trust = server.ca_pem(); // the certificate authority that clients are told to trust
//! # assert!(address.port() != 0 && trust.is_some());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Everything that decides ([`wire`], [`pi`]) is pure; everything that waits does not decide. [`storage`] is where files
//! live, [`auth`] says who may log in, [`dtp`] is what happens to octets on their way over a data connection.

pub mod auth;
mod builder;
mod disabled;
pub mod dtp;
mod error;
pub mod fault;
pub mod fault_stream;
#[doc(hidden)]
pub mod fuzzing;
mod limits;
mod net;
pub mod observe;
mod passive_ports;
pub mod pi;
pub mod settings;
pub mod storage;
pub mod wire;

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use auth::{Network, NetworkParseError};
pub use builder::ServerBuilder;
pub use dtp::SessionReuse;
pub use error::{CertificateError, ConfigError, StartError};
pub use limits::Limits;
pub use net::{ActiveSource, Alpn, ClientCertificates, CloseNotify, ServerHandle, Tls, TlsVersion};
pub use observe::hooks::{Hooks, SessionInfo};
pub use passive_ports::PassivePorts;
pub use pi::{NoopInTransfer, TlsRequirement, VirtualHost};
pub use wire::{DotNames, Links};

/// The server. Running, it is a [`ServerHandle`].
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Collects what a server needs to start.
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }
}
