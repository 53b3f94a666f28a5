//! A server that plays the server's half of a transcript to any client that connects.
//!
//! With one event changed it is a server with exactly one fault: this shows that every scenario
//! fails against a faulty server ([`crate::selftest`]). It shares no code with the reference
//! server.

mod control;
mod data;
mod stream;

use crate::transcript::{Event, EventKind, Transcript};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How a scripted server sends its replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Delivery {
    /// Sends each octet in a segment or TLS record of its own.
    pub bytewise: bool,
    /// The delay before each reply.
    pub pause: Duration,
    /// Sends 227 without parentheses, and 229 with `!` as its delimiter.
    pub odd_addresses: bool,
}

/// A scripted server; it stops when dropped.
#[derive(Debug)]
pub(crate) struct Scripted {
    address: SocketAddr,
    running: JoinSet<()>,
}

impl Scripted {
    /// Serves the transcript once on a free port of `on`: the k-th connection gets the events of
    /// the k-th control connection of the transcript.
    ///
    /// # Errors
    /// If there is no free port, or the certificate cannot be created.
    pub(crate) async fn start(
        transcript: &Transcript,
        delivery: Delivery,
        on: IpAddr,
    ) -> io::Result<Self> {
        let listener = crate::driver::listen((on, 0).into())?;
        let address = listener.local_addr()?;
        let tls = Arc::new(certificate()?);
        let mut parts = parts(transcript);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Some(part) = parts.pop_front() {
                let Ok((stream, _)) = listener.accept().await else {
                    break;
                };
                sessions.spawn(control::play(stream, part, delivery, Arc::clone(&tls)));
            }
            while sessions.join_next().await.is_some() {}
        });
        Ok(Self { address, running })
    }

    /// The address on which it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it and closes all its connections.
    pub(crate) fn stop(mut self) {
        self.running.abort_all();
    }
}

/// The events of each control connection, in the order in which the connections were made.
fn parts(transcript: &Transcript) -> VecDeque<Vec<Event>> {
    let mut parts: VecDeque<Vec<Event>> = VecDeque::new();
    let mut open: Vec<(&crate::scenario::Connection, usize)> = Vec::new();
    for event in &transcript.events {
        if matches!(event.what, EventKind::Connected { .. }) {
            open.retain(|(connection, _)| **connection != event.connection);
            open.push((&event.connection, parts.len()));
            parts.push_back(Vec::new());
        } else if let Some((_, index)) = open.iter().find(|(name, _)| **name == event.connection) {
            parts[*index].push(event.clone());
        }
    }
    parts
}

fn certificate() -> io::Result<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()])
        .map_err(io::Error::other)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .map_err(io::Error::other)
}
