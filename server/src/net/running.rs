//! The listeners, and the handle by which a running server is asked and stopped.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

use super::connection::Connection;
use super::guard::{Guard, Refusal};
use super::proxy::{Network, read_header};
use super::roll::Roll;
use super::tls_identity::{Authority, CertificateError};
use super::tls_server::ServerTls;
use crate::auth::Authenticator;
use crate::config::{Builder, Limits, StartError};
use crate::fault::{FaultCount, Faults};
use crate::hooks::{HookList, SessionInfo};
use crate::journal::Journal;
use crate::passive_ports::PassivePorts;
use crate::pi::{Link, Setup, TlsPolicy};
use crate::roster::Roster;
use crate::wire::Reply;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Ports tried until one is free on both loopback addresses.
const LOOPBACK_TRIES: u32 = 32;
/// A rest after accepting failed, most likely for want of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// How long those who were cut off by a stop have to hear of it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What all control connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<ServerTls>,
    /// Turns for [`Limits::long_jobs`].
    pub(crate) long_jobs: Arc<Semaphore>,
    pub(crate) faults: Option<Faults>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) journal: Option<Journal>,
    pub(crate) hooks: HookList,
    announcing: Mutex<Announcing>,
    /// Who is logged in.
    pub(crate) roll: Roll,
    pub(crate) stop: Arc<Notify>,
    stopping: AtomicBool,
    /// Told when transfers may go on no longer.
    cut: Notify,
    cutting: AtomicBool,
    pub(super) guard: Guard,
    balancers: Vec<Network>,
    sessions: AtomicUsize,
    accepted: AtomicU64,
}

/// What may change while the server runs.
#[derive(Debug)]
struct Announcing {
    ports: Arc<PassivePorts>,
    public: Option<Ipv4Addr>,
}

impl Shared {
    /// Where PASV and EPSV listen now.
    pub(crate) fn passive_ports(&self) -> Arc<PassivePorts> {
        Arc::clone(&self.announcing().ports)
    }

    /// What a 227 names now.
    pub(crate) fn public_address(&self) -> Option<Ipv4Addr> {
        self.announcing().public
    }

    fn announcing(&self) -> MutexGuard<'_, Announcing> {
        self.announcing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no more commands are taken.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Control connections that are open.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    fn begin_to_stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_waiters();
    }

    /// Waits until transfers may go on no longer.
    pub(super) async fn cut_off(&self) {
        let told = self.cut.notified();
        if !self.cutting.load(Ordering::Acquire) {
            told.await;
        }
    }

    fn cut(&self) {
        self.cutting.store(true, Ordering::Release);
        self.cut.notify_waiters();
    }
}

/// One of the [`Limits::sessions`]; given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) shared: Arc<Shared>,
    /// Which connection of this server, counted from 1.
    pub(crate) number: u64,
    /// Whom the guard let in from where.
    from: Option<Box<IpAddr>>,
    /// Whom the guard let log in.
    user: Option<Box<str>>,
}

impl Seat {
    fn take(shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let seat = Self {
            shared: Arc::clone(shared),
            number: shared.accepted.fetch_add(1, Ordering::Relaxed) + 1,
            from: None,
            user: None,
        };
        let taken = shared.sessions.fetch_add(1, Ordering::Relaxed);
        if taken < shared.limits.sessions {
            Ok(seat)
        } else {
            Err(Refusal::Sessions)
        }
    }

    /// Asks whether a client may come from there.
    fn admit(&mut self, from: IpAddr) -> Result<(), Refusal> {
        let shared = &self.shared;
        shared.guard.admit(from, &shared.limits, Instant::now())?;
        let counted = shared.limits.counts_addresses();
        self.from = counted.then(|| Box::new(from));
        Ok(())
    }

    /// Asks whether a user may log in once more, in place of who was logged in here.
    pub(super) fn log_in(&mut self, user: &str) -> bool {
        self.log_out();
        let most = self.shared.limits.sessions_per_user;
        if most == usize::MAX {
            return true;
        }
        let may = self.shared.guard.log_in(user, most);
        self.user = may.then(|| user.into());
        may
    }

    /// Nobody is logged in here any more.
    pub(super) fn log_out(&mut self) {
        if let Some(user) = self.user.take() {
            self.shared.guard.log_out(&user);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.log_out();
        if let Some(from) = self.from.take() {
            self.shared.guard.leave(*from);
        }
        self.shared.sessions.fetch_sub(1, Ordering::Relaxed);
        self.shared.roll.leave(self.number);
    }
}

/// A running server. Dropped, it stops at once; [`stop`](Self::stop) lets transfers end.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    implicit_addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    listeners: Vec<JoinHandle<()>>,
}

impl Running {
    /// Where the server listens, in the order of [`Builder::bind`]; without one, 127.0.0.1 and then ::1.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where it listens for connections that are protected from the first octet, in the order of
    /// [`Builder::bind_implicit`].
    #[must_use]
    pub fn implicit_addresses(&self) -> &[SocketAddr] {
        &self.implicit_addresses
    }

    /// The ephemeral certificate authority, as PEM text; `None` without TLS or with a certificate of your own.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.authority().map(|ca| ca.pem.as_str())
    }

    /// SHA-256 over the DER form of the ephemeral certificate authority, as hexadecimal digits.
    #[must_use]
    pub fn ca_fingerprint(&self) -> Option<&str> {
        self.authority().map(|ca| ca.fingerprint.as_str())
    }

    /// Shows another certificate from the next TLS handshake of a control connection on: a chain and its private key, both
    /// PEM text. Connections that are protected already live on, and their data connections show the old one.
    ///
    /// # Errors
    /// [`CertificateError`]; then the old one stays.
    pub fn rotate_certificate(&self, chain: &[u8], key: &[u8]) -> Result<(), CertificateError> {
        self.tls()?.rotate(None, chain, key)
    }

    /// As [`rotate_certificate`](Self::rotate_certificate), for clients that ask for `host` (SNI).
    ///
    /// # Errors
    /// [`CertificateError`]; then the old one stays.
    pub fn rotate_host_certificate(
        &self,
        host: &str,
        chain: &[u8],
        key: &[u8],
    ) -> Result<(), CertificateError> {
        self.tls()?.rotate(Some(host), chain, key)
    }

    /// Has no certificate from now on: AUTH TLS is 431, and connections with implicit TLS are closed. Until a certificate
    /// is [rotated](Self::rotate_certificate) in.
    ///
    /// # Errors
    /// [`CertificateError::NoTls`].
    pub fn withdraw_certificates(&self) -> Result<(), CertificateError> {
        self.tls().map(ServerTls::withdraw)
    }

    fn tls(&self) -> Result<&ServerTls, CertificateError> {
        self.shared.tls.as_ref().ok_or(CertificateError::NoTls)
    }

    /// How many control connections are open.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.shared.sessions()
    }

    /// How often each fault of the plan was seen and struck, in the order of the plan.
    #[must_use]
    pub fn fault_counts(&self) -> Vec<FaultCount> {
        let faults = self.shared.faults.as_ref();
        faults.map(Faults::counts).unwrap_or_default()
    }

    /// The sessions, the oldest first. Each can be [closed](SessionInfo::close).
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.shared.roster.sessions()
    }

    /// The journal given to [`Builder::journal`].
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        self.shared.journal.as_ref()
    }

    /// Changes where PASV and EPSV listen, and what they announce, from the next one on: a container learns its published
    /// ports after it has started.
    pub fn set_passive_ports(&self, ports: impl Into<PassivePorts>) {
        self.shared.announcing().ports = Arc::new(ports.into());
    }

    /// Changes the address that 227 names, from the next PASV on; `None` is the one the client reached.
    pub fn set_public_address(&self, address: Option<Ipv4Addr>) {
        self.shared.announcing().public = address;
    }

    /// Stops: no new connections, 421 to those that are idle, and [`Limits::stop`] for transfers to end. Those that have
    /// not ended by then are 426, and their sessions are told 421.
    pub async fn stop(mut self) {
        self.shared.begin_to_stop();
        for listener in std::mem::take(&mut self.listeners) {
            // A listener that panicked has stopped, too.
            let _ = listener.await;
        }
        // The journal is closed by the drop.
    }

    fn authority(&self) -> Option<&Authority> {
        self.shared.tls.as_ref()?.ca.as_ref()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
        if let Some(journal) = &self.shared.journal {
            journal.close();
        }
    }
}

/// Starts a server on the current runtime.
pub(crate) async fn start(mut builder: Builder) -> Result<Running, StartError> {
    if let Some((error, name)) = builder.mistake.take() {
        return Err(error(name));
    }
    let authenticator = builder.take_authenticator()?;
    let tls = builder.tls.as_ref();
    if tls.is_none() && !builder.implicit_addresses.is_empty() {
        return Err(StartError::NoTls);
    }
    let policy = match tls {
        None => TlsPolicy::Off,
        Some(tls) if tls.implicit => TlsPolicy::Implicit,
        Some(_) => TlsPolicy::Explicit,
    };
    let shared = Arc::new(Shared {
        authenticator,
        tls: tls
            .map(|tls| ServerTls::prepare(tls, &builder.faults.certificates()))
            .transpose()?,
        long_jobs: long_jobs(&builder.limits),
        faults: Faults::new(builder.faults.clone()),
        roster: Arc::default(),
        journal: builder.journal.clone(),
        hooks: builder.hooks.clone(),
        announcing: Mutex::new(Announcing {
            ports: Arc::new(builder.passive_ports.clone()),
            public: builder.public_address,
        }),
        roll: Roll::default(),
        stop: Arc::new(Notify::new()),
        stopping: AtomicBool::new(false),
        cut: Notify::new(),
        cutting: AtomicBool::new(false),
        guard: Guard::default(),
        balancers: std::mem::take(&mut builder.balancers),
        sessions: AtomicUsize::new(0),
        accepted: AtomicU64::new(0),
        limits: builder.limits.clone(),
    });

    let listeners = if builder.addresses.is_empty() && builder.implicit_addresses.is_empty() {
        listen_on_loopback(builder.port)?
    } else {
        listen_at_all(&builder.addresses)?
    };
    let implicit = listen_at_all(&builder.implicit_addresses)?;
    let address = |listener: &TcpListener| listener.local_addr().map_err(listen_error(any()));
    let mut running = Running {
        addresses: listeners.iter().map(address).collect::<Result<_, _>>()?,
        implicit_addresses: implicit.iter().map(address).collect::<Result<_, _>>()?,
        shared,
        listeners: Vec::new(),
    };
    let mut setup = builder.setup;
    setup.tls_required = tls.map(|tls| tls.requirement).unwrap_or_default();
    setup.failed_logins = builder.limits.failed_logins;
    setup.ascii_size = builder.limits.ascii_size;
    setup.inflation = builder.limits.inflation;
    setup.upload = builder.limits.upload;
    setup.listing = builder.limits.listing;
    setup.idle = builder.limits.idle;
    setup.longest_idle = builder.limits.longest_idle;
    for (listeners, policy) in [(listeners, policy), (implicit, TlsPolicy::Implicit)] {
        setup.tls = policy;
        let setup = Arc::new(setup.clone());
        for listener in listeners {
            let accepting = accept(listener, Arc::clone(&setup), Arc::clone(&running.shared));
            running.listeners.push(tokio::spawn(accepting));
        }
    }
    tracing::info!(
        addresses = ?running.addresses,
        implicit = ?running.implicit_addresses,
        "the server listens"
    );
    Ok(running)
}

/// Serves a listener. The connections belong to this task: they end when it is aborted.
async fn accept(listener: TcpListener, setup: Arc<Setup>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let stop = Arc::clone(&shared.stop).notified_owned();
    let mut stop = std::pin::pin!(stop);
    while !shared.is_stopping() {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let seat = match Seat::take(&shared) {
                        Ok(seat) => seat,
                        Err(refusal) => {
                            turn_away(&stream, &setup, peer, refusal);
                            continue;
                        }
                    };
                    if shared.balancers.iter().any(|network| network.contains(peer.ip())) {
                        connections.spawn(serve_proxied(stream, peer, Arc::clone(&setup), seat));
                    } else if let Some(connection) = settle(stream, peer, &setup, seat) {
                        connections.spawn(connection.run());
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a control connection");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            },
            Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
            () = &mut stop => break,
        }
    }
    drop(listener);
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    let mut drained = std::pin::pin!(drained);
    if timeout(shared.limits.stop, &mut drained).await.is_err() {
        tracing::warn!("transfers are cut off by the stop");
        shared.cut();
        // Who is still there then hangs in the storage, or reads nothing: there is nobody to tell.
        let _ = timeout(LAST_WORDS, drained).await;
    }
}

/// Finds out who is behind a load balancer, and serves that client.
async fn serve_proxied(mut stream: TcpStream, peer: SocketAddr, setup: Arc<Setup>, seat: Seat) {
    let patience = seat.shared.limits.handshake;
    let client = match timeout(patience, read_header(&mut stream)).await {
        Ok(Ok(client)) => client.unwrap_or(peer),
        Ok(Err(error)) => {
            tracing::warn!(%peer, %error, "a load balancer did not say whose connection it is");
            return;
        }
        Err(_) => {
            tracing::warn!(%peer, "a load balancer said nothing");
            return;
        }
    };
    if let Some(connection) = settle(stream, client, &setup, seat) {
        Box::pin(connection.run()).await;
    }
}

/// Makes a control connection of what has connected, if the client may come from there.
fn settle(
    stream: TcpStream,
    peer: SocketAddr,
    setup: &Arc<Setup>,
    mut seat: Seat,
) -> Option<Connection> {
    if let Err(refusal) = seat.admit(peer.ip()) {
        turn_away(&stream, setup, peer, refusal);
        return None;
    }
    match prepare(&stream, peer, setup) {
        Ok(link) => Some(Connection::new(stream, link, Arc::clone(setup), seat)),
        Err(error) => {
            tracing::debug!(%peer, %error, "a connection was gone at once");
            None
        }
    }
}

/// A connection that panicked is our fault and takes nobody else down.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a control connection failed");
    }
}

fn prepare(stream: &TcpStream, peer: SocketAddr, setup: &Setup) -> io::Result<Link> {
    stream.set_nodelay(true)?;
    // The last octet of an ABOR that is sent as urgent data is its LF (RFC 959 §4.1.3, RFC 854 Synch).
    SockRef::from(stream).set_out_of_band_inline(true)?;
    Ok(Link {
        local: canonical(stream.local_addr()?),
        peer: canonical(peer),
        protected: setup.tls == TlsPolicy::Implicit,
    })
}

/// Tells one client too many that it is (RFC 959 §5.4: 421 may answer the connection itself).
fn turn_away(stream: &TcpStream, setup: &Setup, peer: SocketAddr, refusal: Refusal) {
    tracing::warn!(%peer, "{}", refusal.text());
    if setup.tls != TlsPolicy::Implicit {
        let mut reply = Vec::new();
        Reply::line(421, refusal.text()).encode(&mut reply);
        // It fits into the empty buffer of a new connection, or it does not matter.
        let _ = stream.try_write(&reply);
    }
}

/// IPv4 clients of an IPv6 listener are IPv4 clients: PASV serves them, and PORT.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn any() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)
}

fn listen_error(address: SocketAddr) -> impl FnOnce(io::Error) -> StartError + Copy {
    move |source| StartError::Listen { address, source }
}

fn listen_at_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, StartError> {
    addresses
        .iter()
        .map(|address| listen(*address).map_err(listen_error(*address)))
        .collect()
}

/// 127.0.0.1 and ::1 at the same port, so that "localhost" works whichever a client takes.
fn listen_on_loopback(port: u16) -> Result<Vec<TcpListener>, StartError> {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    for _ in 0..LOOPBACK_TRIES {
        let first = listen(v4).map_err(listen_error(v4))?;
        let port = first.local_addr().map_err(listen_error(v4))?.port();
        match listen(SocketAddr::from((Ipv6Addr::LOCALHOST, port))) {
            Ok(second) => return Ok(vec![first, second]),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            // No IPv6 here.
            Err(_) => return Ok(vec![first]),
        }
    }
    Ok(vec![listen(v4).map_err(listen_error(v4))?])
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() && !address.ip().is_unspecified() {
        socket.set_only_v6(true)?;
    }
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn long_jobs(limits: &Limits) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(limits.long_jobs.min(Semaphore::MAX_PERMITS)))
}

/// A place in a server that listens nowhere.
#[cfg(test)]
pub(super) fn a_seat() -> Seat {
    let storage = Arc::new(crate::storage::MemFs::new());
    let shared = Arc::new(Shared {
        authenticator: Arc::new(crate::auth::FixedUsers::on(storage)),
        limits: Limits::default(),
        tls: None,
        long_jobs: long_jobs(&Limits::default()),
        faults: None,
        roster: Arc::default(),
        journal: None,
        hooks: HookList::default(),
        announcing: Mutex::new(Announcing {
            ports: Arc::default(),
            public: None,
        }),
        roll: Roll::default(),
        stop: Arc::new(Notify::new()),
        stopping: AtomicBool::new(false),
        cut: Notify::new(),
        cutting: AtomicBool::new(false),
        guard: Guard::default(),
        balancers: Vec::new(),
        sessions: AtomicUsize::new(1),
        accepted: AtomicU64::new(0),
    });
    Seat {
        shared,
        number: 1,
        from: None,
        user: None,
    }
}
