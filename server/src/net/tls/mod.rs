//! TLS of the control connection: its settings, its certificates, and its records.

mod bad_certificates;
mod certificates;
mod config;
mod record_gate;
mod server;

pub use bad_certificates::bad_certificate;
pub use config::{Alpn, ClientCertificates, CloseNotify, Tls, TlsVersion};

pub(in crate::net) use certificates::Authority;
pub(crate) use record_gate::RecordGate;
pub(in crate::net) use server::{ConnectionTls, ServerTls};
