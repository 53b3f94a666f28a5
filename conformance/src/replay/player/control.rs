//! The control connection of a session that is played again.

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::driver::TlsClient;
use crate::proxy::Stream;
use crate::transcript::{
    CloseKind, Connection, Conversation, End, EventKind, Pairing, Side, TlsFacts,
};

/// IAC DM: the end of a Synch, which is sent as urgent data (RFC 854).
const SYNCH_END: &[u8] = &[0xff, 0xf2];
/// Octets that are read at a time.
const PIECE: usize = 16 << 10;

/// A control connection with a live server.
pub(super) struct Control {
    stream: Stream,
    pairing: Pairing,
    /// How many events there were.
    events: usize,
    /// Octets the server may still send.
    left: u64,
    /// How the server ended it.
    pub(super) closed: Option<(usize, End)>,
    patience: Duration,
}

impl Control {
    /// Connects to the first of these addresses that answers.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn connect(
        addresses: &[SocketAddr],
        patience: Duration,
        most: u64,
    ) -> Result<Self, String> {
        let mut problem = "the server has no address".to_owned();
        for address in addresses {
            let tcp = match timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => tcp,
                Ok(Err(error)) => {
                    problem = format!("the server at {address} cannot be reached: {error}");
                    continue;
                }
                Err(_) => {
                    problem = format!("the server at {address} does not answer");
                    continue;
                }
            };
            tcp.set_nodelay(true).map_err(|error| error.to_string())?;
            let mut control = Self {
                stream: Stream::Clear(tcp),
                pairing: Pairing::new(Connection::main()),
                events: 0,
                left: most,
                closed: None,
                patience,
            };
            control.note(&EventKind::Connected {
                local: String::new(),
                peer: address.to_string(),
            });
            return Ok(control);
        }
        Err(problem)
    }

    /// The commands so far, with their replies.
    pub(super) fn conversation(&self) -> &Conversation {
        self.pairing.so_far()
    }

    /// The same, when nothing more happens.
    pub(super) fn into_pairing(self) -> Pairing {
        self.pairing
    }

    /// The address of the server.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.stream.peer().ok().map(|peer| peer.ip())
    }

    /// Our address.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        self.stream.local().ok()
    }

    /// Sends octets. With `urgent` the first of them is urgent data; the end of a Synch always is.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn send(&mut self, octets: &[u8], urgent: bool) -> Result<(), String> {
        self.note(&EventKind::FromClient {
            octets: octets.to_vec(),
        });
        let synch = memchr::memmem::find(octets, SYNCH_END).map(|at| at + SYNCH_END.len());
        let marked = match urgent {
            true => synch.or(Some(1)).filter(|_| !octets.is_empty()),
            false => synch,
        };
        let (head, rest) = octets.split_at(marked.unwrap_or(0));
        let patience = self.patience;
        let sending = async {
            if !head.is_empty() {
                self.stream.send_urgent(head).await?;
            }
            self.write(rest).await
        };
        match timeout(patience, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("the control connection is gone: {error}")),
            Err(_) => Err("the server does not read its control connection".into()),
        }
    }

    async fn write(&mut self, octets: &[u8]) -> std::io::Result<()> {
        let mut rest = octets;
        while !rest.is_empty() {
            let written = poll_fn(|context| self.stream.poll_write(context, rest)).await?;
            rest = &rest[written..];
        }
        poll_fn(|context| self.stream.poll_flush(context)).await
    }

    /// Takes what the server sends next. Cancel safe. Waits without end after the connection has
    /// ended.
    ///
    /// # Errors
    /// In words, when it sends more than it may.
    pub(super) async fn receive(&mut self) -> Result<(), String> {
        if self.closed.is_some() {
            return std::future::pending().await;
        }
        let mut piece = [0; PIECE];
        let read = poll_fn(|context| self.stream.poll_read_control(context, &mut piece)).await;
        match read {
            Ok(octets) => {
                self.left = self.left.saturating_sub(octets as u64);
                self.note(&EventKind::FromServer {
                    octets: piece[..octets].to_vec(),
                });
                match self.left {
                    0 => Err("the server sends far more than was recorded".into()),
                    _ => Ok(()),
                }
            }
            Err(how) => {
                let end = End {
                    by: Side::Server,
                    how,
                };
                self.closed = Some((self.events, end.clone()));
                self.note(&EventKind::Closed(end));
                Ok(())
            }
        }
    }

    /// Begins TLS.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn begin_tls(&mut self, client: &TlsClient) -> Result<TlsFacts, String> {
        let shaken = timeout(self.patience, self.stream.connect_tls(client, false)).await;
        let facts = shaken.map_err(|_| "the TLS handshake took too long".to_owned())??;
        self.note(&EventKind::TlsEstablished(facts.clone()));
        Ok(facts)
    }

    /// Goes on in clear (CCC).
    pub(super) async fn end_tls(&mut self) {
        self.stream.end_tls().await;
        self.note(&EventKind::TlsEnded { clean: true });
    }

    /// Ends our direction.
    pub(super) async fn end(&mut self, how: CloseKind) {
        let ending = poll_fn(|context| self.stream.poll_end(context, how));
        let _gone = timeout(self.patience, ending).await;
    }

    fn note(&mut self, what: &EventKind) {
        self.pairing.take(self.events, 0, what);
        self.events += 1;
    }
}
