//! TLS sessions that are resumed on data connections: by clients that use each ticket once, and
//! without loss of data.

use std::sync::{Arc, Mutex};

use ftpspec_server::tls::SessionReuse;
use ftpspec_server::{ServerHandle, Tls};
use rustls::client::{ClientSessionStore, Resumption, TicketRequest, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use rustls::{ClientConfig, NamedGroup};
use tokio_rustls::TlsConnector;

use crate::client::{Client, Wire, connector};
use crate::{VERSIONS, builder, content, protected};

/// More than any client has tickets.
const MANY: usize = 100;

async fn start(reuse: SessionReuse) -> ServerHandle {
    let tls = Tls::explicit().session_reuse(reuse);
    builder().tls(tls).start().await.unwrap()
}

/// Sends a file. Returns the data connection after close_notify was sent, and the reply.
async fn store(client: &mut Client, name: &str, octets: &[u8]) -> (Wire, String) {
    let mut data = client.begin(&format!("STOR {name}")).await;
    data.write(octets).await;
    data.end().await;
    let reply = client.reply().await;
    (data, reply)
}

/// rustls uses each ticket once, and this client reads its data connections to their end, as
/// `ftpspec check` does.
#[tokio::test]
async fn a_client_that_uses_each_ticket_once_uploads_without_end_where_resumption_is_required() {
    let server = start(SessionReuse::Require).await;
    for version in VERSIONS {
        let mut client = protected(&server, connector(&server, version)).await;
        for number in 0..MANY {
            let content = vec![b'x'; 20_000 + number];
            let (mut data, reply) = store(&mut client, "file", &content).await;
            assert!(reply.starts_with("226"), "{version:?} {number}: {reply}");
            assert_eq!(data.read_to_end().await, b"", "to close_notify");
            let size = client.expect("SIZE file", "213").await;
            assert_eq!(size, format!("213 {}", content.len()));
        }
    }
}

#[tokio::test]
async fn a_client_that_uses_each_ticket_once_downloads_without_end_where_resumption_is_required() {
    let server = start(SessionReuse::Require).await;
    for version in VERSIONS {
        let mut client = protected(&server, connector(&server, version)).await;
        client.upload("STOR file", &content(), false).await;
        for active in [false, true].repeat(MANY / 5) {
            assert_eq!(client.download("RETR file", active).await, content());
            client.download("LIST", active).await;
        }
    }
}

/// Its socket is closed while everything the server sends is unread: a ticket in it would
/// cause a reset, which loses the end of the upload.
#[tokio::test]
async fn a_client_that_closes_an_upload_without_reading_loses_nothing_of_it() {
    for reuse in [SessionReuse::Off, SessionReuse::Warn] {
        let server = start(reuse).await;
        for version in VERSIONS {
            let mut client = protected(&server, connector(&server, version)).await;
            let content = content().repeat(4);
            for number in 0..40 {
                let reply = client.upload_unread("STOR file", &content).await;
                assert!(reply.starts_with("226"), "{version:?} {number}: {reply}");
                let size = client.expect("SIZE file", "213").await;
                assert_eq!(size, format!("213 {}", content.len()));
            }
        }
    }
}

/// RFC 9149: the one way to serve a client that uses each ticket once and reads nothing on its
/// uploads.
#[tokio::test]
async fn a_client_has_as_many_tickets_as_it_asks_for() {
    const WANTED: u8 = 30;
    let server = start(SessionReuse::Require).await;
    let connector = connector(&server, &TLS13);
    let mut config = ClientConfig::clone(connector.config());
    config.resumption = Resumption::store(Arc::new(Tickets::default()));
    config.send_ticket_request = Some(TicketRequest {
        new_session_count: WANTED,
        resumption_count: 0,
    });
    let mut client = protected(&server, TlsConnector::from(Arc::new(config))).await;
    for number in 0..WANTED {
        let (_, reply) = store(&mut client, "file", b"content").await;
        assert!(reply.starts_with("226"), "{number}: {reply}");
    }
    let (_, reply) = store(&mut client, "file", b"content").await;
    assert!(reply.starts_with("522"), "{reply}");
    assert!(reply.contains("no session"), "{reply}");
}

/// All tickets there are; rustls' own store has room for eight.
#[derive(Debug, Default)]
struct Tickets(Mutex<Vec<Tls13ClientSessionValue>>);

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(
        &self,
        _: ServerName<'static>,
        _: rustls::client::Tls12ClientSessionValue,
    ) {
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<rustls::client::Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.0.lock().unwrap().push(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap().pop()
    }
}
