//! The shell around the server-PI: listeners, control connections and TLS. Here things wait; nothing here decides.

mod bad_certificate;
mod connection;
mod faulty;
mod guard;
mod listening;
mod pace;
mod perform;
mod proxy;
mod record_gate;
mod running;
mod shared;
mod stream;
mod tls;
mod tls_identity;
mod tls_server;
mod turns;
mod watching;

pub use proxy::{Network, NotANetwork};
pub use running::Running;
pub use tls::{Alpn, ClientCertificates, CloseNotify, Tls, TlsVersion};
pub use tls_identity::CertificateError;

pub(crate) use proxy::read_header;
pub(crate) use record_gate::RecordGate;
pub(crate) use running::start;
