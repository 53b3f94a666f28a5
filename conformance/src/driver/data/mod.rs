//! The data connection (RFC 959 §2.3) that belongs to one control connection.

mod transfer;

pub(crate) use transfer::Expected;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};

use super::tls::TlsClient;
use super::wire::{Handshake, Wire};
use super::{DriverError, Recorder, Timeouts};
use crate::data::Data;
use crate::transcript::{Awaited, CloseKind, End, EventKind, ObservationKind, Side};
use crate::transcript::{Connection, DataMode};

/// The address of a third party: loopback is the only network in which every machine has a second
/// address.
const THIRD_PARTY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The data connection of a control connection, in any of its states.
#[derive(Debug)]
pub(crate) struct DataPort {
    name: Connection,
    recorder: Recorder,
    timeouts: Timeouts,
    state: State,
    /// Connections that are kept open and are not the data connection.
    beside: Vec<TcpStream>,
}

/// ```text
///  Nothing --listen--> Listening --the server connects--> Open --either side ends it--> Nothing
///     `-------------------connect (passive)---------------^
/// ```
#[derive(Debug)]
enum State {
    Nothing,
    Listening {
        mode: DataMode,
        listener: TcpListener,
    },
    Open {
        wire: Wire,
        wrote: bool,
    },
}

impl DataPort {
    /// Without a connection.
    pub(crate) fn new(name: Connection, timeouts: Timeouts, recorder: Recorder) -> Self {
        Self {
            name,
            recorder,
            timeouts,
            state: State::Nothing,
            beside: Vec::new(),
        }
    }

    /// Listens on our address of the control connection for the server's data connection; returns
    /// the address.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub(crate) async fn listen(
        &mut self,
        mode: DataMode,
        at: SocketAddr,
    ) -> Result<SocketAddr, DriverError> {
        self.close().await;
        let failed = |error: io::Error| DriverError::Internal(format!("cannot listen: {error}"));
        let listener = super::listen(at).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        self.record(EventKind::DataListening {
            local: local.to_string(),
        });
        self.state = State::Listening { mode, listener };
        Ok(local)
    }

    /// Connects to where the server listens.
    ///
    /// # Errors
    /// If that fails.
    pub(crate) async fn connect(
        &mut self,
        mode: DataMode,
        to: SocketAddr,
    ) -> Result<(), DriverError> {
        self.close().await;
        match timeout(self.timeouts.connect, TcpStream::connect(to)).await {
            Ok(Ok(tcp)) => self.opened(mode, tcp),
            Ok(Err(error)) => {
                self.record(EventKind::DataFailed {
                    error: error.to_string(),
                });
                Err(DriverError::Broken)
            }
            Err(_) => Err(self.timed_out(self.timeouts.connect, Awaited::DataConnection)),
        }
    }

    /// Checks that connecting there fails, or that the connection is closed at once without an
    /// octet.
    ///
    /// # Errors
    /// If that is not the case.
    pub(crate) async fn is_refused(
        &mut self,
        mode: DataMode,
        to: SocketAddr,
    ) -> Result<(), DriverError> {
        match self.connect(mode, to).await {
            // No answer counts as refused: the port may be filtered.
            Err(DriverError::Broken | DriverError::TimedOut) => Ok(()),
            Err(other) => Err(other),
            Ok(()) => {
                let closed = self.nothing_comes().await;
                if self.is_open() {
                    self.close().await;
                    return Err(DriverError::Broken);
                }
                closed
            }
        }
    }

    /// Connects there, in addition to the data connection, until the session ends. Not an error if
    /// the connection is refused.
    pub(crate) async fn connect_besides(&mut self, to: SocketAddr) {
        let outcome = match timeout(self.timeouts.connect, TcpStream::connect(to)).await {
            Ok(Ok(stream)) => {
                self.beside.push(stream);
                "connected"
            }
            Ok(Err(_)) | Err(_) => "connection refused",
        };
        self.record(EventKind::Observed {
            kind: ObservationKind::StalePort,
            fact: format!("@stale-port: {outcome}"),
            octets: Data::default(),
            ok: true,
        });
    }

    /// Connects there from 127.0.0.2, which differs from the address of the control connection,
    /// until the session ends. Not an error if the connection is refused.
    ///
    /// # Errors
    /// If this machine has no such address.
    pub(crate) async fn third_party(&mut self, to: SocketAddr) -> Result<(), DriverError> {
        let failed =
            |error| DriverError::Internal(format!("cannot connect from {THIRD_PARTY}: {error}"));
        let socket = TcpSocket::new_v4().map_err(failed)?;
        socket
            .bind(SocketAddr::from((THIRD_PARTY, 0)))
            .map_err(failed)?;
        let outcome = match timeout(self.timeouts.connect, socket.connect(to)).await {
            Ok(Ok(stream)) => {
                self.beside.push(stream);
                "connected".to_owned()
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        self.record(EventKind::Observed {
            kind: ObservationKind::ThirdParty,
            fact: format!("@third-party from {THIRD_PARTY}: {outcome}"),
            octets: Data::default(),
            ok: true,
        });
        Ok(())
    }

    /// Whether a data connection is open.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Waits until the data connection is open, and performs the TLS handshake if it is to be
    /// private.
    ///
    /// # Errors
    /// If the server does not connect in time, or the handshake fails.
    pub(crate) async fn ready(
        &mut self,
        protection: Option<&TlsClient>,
    ) -> Result<(), DriverError> {
        self.accept(self.timeouts.data).await?;
        let State::Open { wire, .. } = &mut self.state else {
            return Err(self.no_connection());
        };
        let Some(client) = protection.filter(|_| !wire.is_tls()) else {
            return Ok(());
        };
        match wire.handshake(client, true, self.timeouts.handshake).await {
            Ok(facts) => {
                self.record(EventKind::TlsEstablished(facts));
                Ok(())
            }
            Err(failed) => {
                self.state = State::Nothing;
                match failed {
                    Handshake::TimedOut => {
                        Err(self.timed_out(self.timeouts.handshake, Awaited::Handshake))
                    }
                    Handshake::Failed(error) => {
                        self.record(EventKind::TlsFailed { data: true, error });
                        Err(DriverError::Broken)
                    }
                }
            }
        }
    }

    /// Whether a data connection was prepared and not used yet.
    pub(crate) fn is_prepared(&self) -> bool {
        !matches!(self.state, State::Nothing)
    }

    /// Checks that the server opens no data connection (active), or sends nothing and closes
    /// (passive).
    ///
    /// # Errors
    /// If that is not the case.
    pub(crate) async fn no_data(&mut self) -> Result<(), DriverError> {
        match &self.state {
            State::Nothing => Ok(()),
            State::Listening { .. } => match self.accept(self.timeouts.quiet).await {
                Err(DriverError::TimedOut) => {
                    self.state = State::Nothing;
                    Ok(())
                }
                Ok(()) => {
                    self.close().await;
                    Err(DriverError::Broken)
                }
                Err(other) => Err(other),
            },
            State::Open { .. } => self.nothing_comes().await,
        }
    }

    /// Ends the connection from our side with FIN, close_notify before it under TLS.
    pub(crate) async fn close(&mut self) {
        match std::mem::replace(&mut self.state, State::Nothing) {
            State::Open { mut wire, wrote } => {
                // Errors are ignored: the server may have closed already.
                let _ = wire.finish(self.timeouts.handshake).await;
                if wrote {
                    wire.linger(self.timeouts.data);
                }
                self.record(EventKind::DataClosed(End {
                    by: Side::Client,
                    how: CloseKind::Clean,
                }));
            }
            State::Listening { .. } | State::Nothing => {}
        }
    }

    /// Ends the connection from our side with a FIN alone, as an attacker on the path could (RFC
    /// 4217 §12.7).
    pub(crate) async fn cut(&mut self) {
        if let State::Open { mut wire, wrote } = std::mem::replace(&mut self.state, State::Nothing)
        {
            // Errors are ignored: the server may have closed already.
            let _ = wire.cut().await;
            let how = if wire.is_tls() {
                CloseKind::NoCloseNotify
            } else {
                CloseKind::Clean
            };
            if wrote {
                wire.linger(self.timeouts.data);
            }
            self.record(EventKind::DataClosed(End {
                by: Side::Client,
                how,
            }));
        }
    }

    /// Ends the connection from our side with a TCP reset.
    pub(crate) fn reset(&mut self) {
        if let State::Open { mut wire, .. } = std::mem::replace(&mut self.state, State::Nothing) {
            // Errors are ignored: the connection may have ended already.
            let _ = wire.reset();
            self.record(EventKind::DataClosed(End {
                by: Side::Client,
                how: CloseKind::Reset,
            }));
        }
    }

    /// Waits for the end of an open connection, before any octet.
    async fn nothing_comes(&mut self) -> Result<(), DriverError> {
        let patience = self.timeouts.data;
        let State::Open { wire, .. } = &mut self.state else {
            return Err(self.no_connection());
        };
        let mut octets = [0; 1024];
        match timeout(patience, wire.read(&mut octets)).await {
            Ok(Ok(read)) => {
                let octets = octets[..read].into();
                self.record(EventKind::DataFromServer { octets });
                Err(DriverError::Broken)
            }
            Ok(Err(end)) => {
                self.ended(end);
                Ok(())
            }
            Err(_) => Err(self.timed_out(patience, Awaited::Data)),
        }
    }

    /// Accepts the connection of the server.
    async fn accept(&mut self, patience: Duration) -> Result<(), DriverError> {
        let State::Listening { mode, listener } = &self.state else {
            return Ok(());
        };
        let mode = *mode;
        match timeout_at(Instant::now() + patience, listener.accept()).await {
            Ok(Ok((tcp, _))) => self.opened(mode, tcp),
            Ok(Err(error)) => {
                self.record(EventKind::DataFailed {
                    error: error.to_string(),
                });
                Err(DriverError::Broken)
            }
            Err(_) => Err(self.timed_out(patience, Awaited::DataConnection)),
        }
    }

    fn opened(&mut self, mode: DataMode, tcp: TcpStream) -> Result<(), DriverError> {
        let ends = tcp
            .set_nodelay(true)
            .and_then(|()| Ok((tcp.local_addr()?, tcp.peer_addr()?)));
        match ends {
            Ok((local, peer)) => {
                let (local, peer) = (local.to_string(), peer.to_string());
                self.record(EventKind::DataOpened { mode, local, peer });
                self.state = State::Open {
                    wire: Wire::Clear(tcp),
                    wrote: false,
                };
                Ok(())
            }
            // It was reset in the meantime.
            Err(error) => {
                self.state = State::Nothing;
                self.record(EventKind::DataFailed {
                    error: error.to_string(),
                });
                Err(DriverError::Broken)
            }
        }
    }

    fn ended(&mut self, end: End) {
        self.state = State::Nothing;
        self.record(EventKind::DataClosed(end));
    }

    fn no_connection(&self) -> DriverError {
        self.record(EventKind::DataFailed {
            error: "there is no data connection".into(),
        });
        DriverError::Broken
    }

    fn timed_out(&self, waited: Duration, awaited: Awaited) -> DriverError {
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.record(EventKind::Silence { waited_ms, awaited });
        DriverError::TimedOut
    }

    fn record(&self, what: EventKind) {
        self.recorder.record(&self.name, what);
    }
}
