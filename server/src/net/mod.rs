//! The shell around the server-PI: listeners, control connections and TLS. Here things wait; nothing here decides.

mod bad_certificate;
mod connection;
mod faulty;
mod perform;
mod record_gate;
mod running;
mod stream;
mod tls;

pub use running::Running;
pub use tls::{CertificateError, Tls};

pub(crate) use running::start;
