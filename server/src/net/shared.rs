//! What all control connections of a server share, and the slot that each of them takes.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::client_limits::{ClientLimits, Refusal};
use super::config::{ActiveSource, Config};
use super::tls::ServerTls;
use super::turns::Turns;
use crate::auth::{Authenticator, Network};
use crate::dtp::SharedPorts;
use crate::error::CertificateError;
use crate::fault::Faults;
use crate::limits::Limits;
use crate::observe::sessions::{Observers, SessionList};
use crate::passive_ports::PassivePorts;

/// What all control connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) tls: Option<ServerTls>,
    /// Turns for [`Limits::long_jobs`].
    pub(crate) long_jobs: Arc<Turns>,
    pub(crate) faults: Option<Faults>,
    pub(crate) roster: Arc<SessionList>,
    pub(crate) observers: Observers,
    announcing: Mutex<Announcing>,
    pub(crate) shared_ports: Arc<SharedPorts>,
    pub(crate) active_source: ActiveSource,
    pub(crate) stop: Arc<Notify>,
    stopping: AtomicBool,
    /// Notified when transfers are to be aborted.
    cut: Notify,
    cutting: AtomicBool,
    pub(super) guard: ClientLimits,
    pub(super) proxy_protocol_from: Vec<Network>,
    sessions: AtomicUsize,
    accepted: AtomicU64,
}

/// What may change while the server runs.
#[derive(Debug)]
pub(super) struct Announcing {
    pub(super) ports: Arc<PassivePorts>,
    pub(super) public: Option<Ipv4Addr>,
}

impl Shared {
    /// Takes over the configuration, before anybody has connected.
    ///
    /// # Errors
    /// The certificates, keys or names of [`Config::tls`] cannot be used.
    pub(super) fn new(config: Config) -> Result<Self, CertificateError> {
        let certificates = config.faults.certificates();
        let tls = config.tls.as_ref();
        Ok(Self {
            tls: tls
                .map(|tls| ServerTls::prepare(tls, &certificates))
                .transpose()?,
            authenticator: config.authenticator,
            long_jobs: Arc::new(Turns::new(config.setup.limits.long_jobs)),
            limits: config.setup.limits,
            faults: Faults::new(config.faults),
            roster: Arc::default(),
            observers: config.observers,
            announcing: Mutex::new(Announcing {
                ports: Arc::new(config.passive_ports),
                public: config.public_address,
            }),
            shared_ports: Arc::default(),
            active_source: config.active_source,
            stop: Arc::new(Notify::new()),
            stopping: AtomicBool::new(false),
            cut: Notify::new(),
            cutting: AtomicBool::new(false),
            guard: ClientLimits::default(),
            proxy_protocol_from: config.proxy_protocol_from,
            sessions: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
        })
    }

    /// The ports at which PASV and EPSV listen now.
    pub(crate) fn passive_ports(&self) -> Arc<PassivePorts> {
        Arc::clone(&self.announcing().ports)
    }

    /// The address in a 227 now.
    pub(crate) fn public_address(&self) -> Option<Ipv4Addr> {
        self.announcing().public
    }

    pub(super) fn announcing(&self) -> MutexGuard<'_, Announcing> {
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

    pub(super) fn begin_to_stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_waiters();
    }

    /// Waits until transfers are to be aborted.
    pub(super) async fn cut_off(&self) {
        let notified = self.cut.notified();
        if !self.cutting.load(Ordering::Acquire) {
            notified.await;
        }
    }

    pub(super) fn cut(&self) {
        self.cutting.store(true, Ordering::Release);
        self.cut.notify_waiters();
    }
}

/// One of the [`Limits::sessions`]; returned when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) shared: Arc<Shared>,
    /// The number of the connection, counted from 1.
    pub(crate) number: u64,
    /// The address that is counted in the client limits.
    from: Option<Box<IpAddr>>,
    /// The user who is counted in the client limits.
    user: Option<Box<str>>,
}

impl Slot {
    pub(super) fn take(shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let slot = Self {
            shared: Arc::clone(shared),
            number: shared.accepted.fetch_add(1, Ordering::Relaxed) + 1,
            from: None,
            user: None,
        };
        let taken = shared.sessions.fetch_add(1, Ordering::Relaxed);
        if taken < shared.limits.sessions {
            Ok(slot)
        } else {
            Err(Refusal::Sessions)
        }
    }

    /// Admits a client from this address, or refuses it.
    pub(super) fn admit(&mut self, from: IpAddr) -> Result<(), Refusal> {
        let shared = &self.shared;
        shared.guard.admit(from, &shared.limits, Instant::now())?;
        let counted = shared.limits.counts_addresses();
        self.from = counted.then(|| Box::new(from));
        Ok(())
    }

    /// Logs a user in, in place of the user who was logged in here. Returns false if the user has
    /// too many sessions.
    pub(super) fn log_in(&mut self, user: &str, most: Option<usize>) -> bool {
        self.log_out();
        let all = self.shared.limits.sessions_per_user;
        let most = most.map_or(all, |most| most.min(all));
        if most == usize::MAX {
            return true;
        }
        let may = self.shared.guard.log_in(user, most);
        self.user = may.then(|| user.into());
        may
    }

    /// Logs the user out.
    pub(super) fn log_out(&mut self) {
        if let Some(user) = self.user.take() {
            self.shared.guard.log_out(&user);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.log_out();
        if let Some(from) = self.from.take() {
            self.shared.guard.leave(*from);
        }
        self.shared.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A slot of a server without a listener.
#[cfg(test)]
pub(super) fn test_slot() -> Slot {
    #![expect(clippy::unwrap_used, reason = "tests")]
    Slot::take(&Arc::new(Shared::new(Config::default()).unwrap())).unwrap()
}
