//! The shell around the server-PI: listeners, control connections and TLS. Here things wait;
//! nothing here decides.

mod client_limits;
mod config;
mod connection;
mod handle;
mod listener;
mod proxy_protocol;
mod shared;
mod tls;
mod turns;
mod url;

pub use config::ActiveSource;
pub use handle::ServerHandle;
pub use tls::{Alpn, ClientCertificates, CloseNotify, Tls, TlsVersion, bad_certificate};

pub(crate) use config::{Config, UrlUser};
pub(crate) use handle::start;
pub(crate) use proxy_protocol::read_header;
pub(crate) use tls::RecordGate;
