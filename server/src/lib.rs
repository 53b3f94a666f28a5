//! A complete and strict FTP server, made to be embedded in tests.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ftpspec_server::{Server, Tls};
//!
//! let server = Server::builder()
//!     .user("test", "secret")
//!     .tls(Tls::explicit())
//!     .start()
//!     .await?;
//! let url = server.url(); // ftp://test:secret@127.0.0.1:PORT/, PORT is a free port
//! let ca = server.ca_pem(); // the certificate authority that the client under test must trust
//! // … run the client under test …
//! assert!(server.files().list("/")?.is_empty());
//! # assert!(url.starts_with("ftp://test:secret@127.0.0.1:") && ca.is_some());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! | to | use |
//! |---|---|
//! | configure and start a server | [`ServerBuilder`], [`Limits`], [`Tls`] and [`tls`], or a file: [`settings`] |
//! | decide who may log in | [`Accounts`], or [`auth::Authenticator`] |
//! | choose where files live | [`MemFs`] and the rest of [`storage`] |
//! | assert what a client did | [`Journal`], [`ServerHandle::files`] |
//! | observe and change what the server does | [`Hooks`], [`observe`] |
//! | make the server misbehave as planned | [`Plan`] and [`fault`] |

pub mod auth;
mod builder;
mod disabled;
mod dtp;
mod error;
pub mod fault;
mod fault_stream;
mod fuzzing;
#[doc(hidden)]
pub mod internals;
mod limits;
mod net;
pub mod observe;
mod passive_ports;
mod pi;
pub mod settings;
pub mod storage;
mod text;
mod wire;

/// Options of [`Tls`], and the error of certificates.
pub mod tls {
    pub use crate::auth::TlsRequirement;
    pub use crate::dtp::SessionReuse;
    pub use crate::error::CertificateError;
    pub use crate::net::{Alpn, ClientCertificates, CloseNotify, TlsVersion};
}

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use auth::accounts::Accounts;
pub use auth::{Permissions, User};
pub use builder::ServerBuilder;
pub use error::{ConfigError, StartError};
pub use fault::Plan;
pub use limits::Limits;
pub use net::{ActiveSource, ServerHandle, Tls};
pub use observe::hooks::{Hooks, SessionInfo};
pub use observe::journal::Journal;
pub use passive_ports::PassivePorts;
pub use pi::{NoopInTransfer, VirtualHost};
pub use storage::MemFs;
pub use wire::{DotNames, Links, Reply, Verb};

/// The entry to the library: [`Server::builder`]. A running server is a [`ServerHandle`].
#[derive(Debug)]
pub struct Server;

impl Server {
    /// A builder with the default configuration.
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }
}
