//! TLS of the control connection: it starts (RFC 4217 §4) and ends (§5).

use std::io;
use std::sync::Arc;

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::super::tls::RecordGate;
use super::stream::ControlStream;
use super::{Connection, End, note_event};
use crate::observe::tap::{Side, StreamEnd, TlsFacts};

impl Connection {
    /// Prepares a handshake; returns whether there is a certificate.
    pub(in crate::net) fn prepare_tls(&mut self) -> bool {
        let server = self.slot.shared.tls.as_ref();
        let tls = server.and_then(|server| server.for_connection(self.session.host()));
        let ready = tls.is_some();
        self.tls = tls.map(Box::new);
        ready
    }

    /// Protects the control connection (RFC 4217 §4).
    pub(super) async fn handshake(&mut self) -> Result<(), End> {
        let number = self.slot.number;
        let shared = Arc::clone(self.shared());
        let stream = std::mem::replace(&mut self.stream, ControlStream::Gone);
        let (Some(tls), ControlStream::Clear(stream)) = (&mut self.tls, stream) else {
            tracing::error!(connection = number, "there is no certificate for TLS");
            return Err(End::Lost);
        };
        if let Some(watch) = &mut self.faults {
            let bad = Box::pin(watch.fault_handshake(&stream, &shared)).await?;
            let server = shared.tls.as_ref();
            let spoiled = bad.and_then(|bad| server?.with_bad_certificate(bad));
            if let Some(spoiled) = spoiled {
                **tls = spoiled;
            }
        }
        let accept = TlsAcceptor::from(Arc::clone(&tls.control)).accept(RecordGate::new(stream));
        match timeout(shared.limits.handshake, accept).await {
            Ok(Ok(stream)) => {
                tracing::info!(
                    connection = number,
                    version = ?stream.get_ref().1.protocol_version(),
                    "protected"
                );
                self.session.server_name(stream.get_ref().1.server_name());
                self.session
                    .client_certificate(tls.meet(stream.get_ref().1));
                let facts = TlsFacts::of(stream.get_ref().1);
                self.record.tls_started(facts);
                self.stream = ControlStream::Tls(Box::new(stream));
                Ok(())
            }
            Ok(Err(error)) => {
                tracing::info!(connection = number, %error, "the TLS handshake failed");
                self.record.tls_failed(&error);
                Err(End::Lost)
            }
            Err(_) => {
                self.record
                    .tls_failed(&io::Error::other("it took too long"));
                let timed_out = StreamEnd::TimedOut;
                self.record.control.ended(Side::Server, timed_out);
                Err(End::Lost)
            }
        }
    }

    /// Ends TLS: both sides send close_notify, and what follows is in the clear (RFC 4217 §5).
    pub(super) async fn end_tls(&mut self) -> Result<(), End> {
        let stream = std::mem::replace(&mut self.stream, ControlStream::Gone);
        let ControlStream::Tls(mut stream) = stream else {
            self.stream = stream;
            return Ok(());
        };
        // Lines after the command and before the end of TLS came protected and are kept. But a line
        // must not begin protected and end in the clear.
        let reader = &mut self.reader;
        let channel = &self.record.control;
        let ending = async {
            tokio::io::AsyncWriteExt::shutdown(&mut stream).await?;
            stream.get_mut().0.end_at_clear_text();
            let mut discarded = [0; 1024];
            loop {
                match stream.read(&mut discarded).await {
                    Ok(0) => return Ok(()),
                    Ok(octets) => {
                        channel.octets(Side::Client, &discarded[..octets]);
                        reader.feed(&discarded[..octets]);
                    }
                    Err(error) if stream.get_ref().0.clear_text_is_next() => {
                        tracing::debug!(%error, "clear text without close_notify");
                        return Ok(());
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        match timeout(self.slot.shared.limits.handshake, ending).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(End::Lost),
        }
        self.record.tls_ended();
        while let Some(event) = self.reader.next_event() {
            note_event(&self.record, &event);
            self.queue.push(event);
            if self.queue.len() > self.slot.shared.limits.queued_commands {
                return Err(End::Lost);
            }
        }
        self.reader.discard();
        let (stream, after_tls) = stream.into_inner().0.into_parts();
        self.record.control.octets(Side::Client, &after_tls);
        self.reader.feed(&after_tls);
        self.stream = ControlStream::Clear(stream);
        // The TLS settings stay: data connections may still be protected (RFC 4217 §5).
        Ok(())
    }
}
