//! The validated configuration of a server.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use super::tls::Tls;
use crate::auth::accounts::Accounts;
use crate::auth::{Authenticator, Network, Secret};
use crate::fault::Plan;
use crate::observe::sessions::Observers;
use crate::passive_ports::PassivePorts;
use crate::pi::Setup;
use crate::storage::{MemFs, Storage};

/// Everything a server needs to start: what [`ServerBuilder`](crate::ServerBuilder) has collected,
/// with no contradiction in it. The default has no users and nothing but loopback addresses.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The port of the loopback addresses where no address is named; 0 is any free port.
    pub(crate) port: u16,
    pub(crate) addresses: Vec<SocketAddr>,
    /// Addresses where TLS begins with the first octet; there are none without [`Self::tls`].
    pub(crate) implicit_addresses: Vec<SocketAddr>,
    pub(crate) listeners: Vec<Arc<TcpListener>>,
    pub(crate) implicit_listeners: Vec<Arc<TcpListener>>,
    pub(crate) active_source: ActiveSource,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) tls: Option<Tls>,
    pub(crate) setup: Setup,
    /// Networks whose connections begin with a PROXY protocol header.
    pub(crate) proxy_protocol_from: Vec<Network>,
    pub(crate) faults: Plan,
    pub(crate) passive_ports: PassivePorts,
    /// The address in a 227 reply; `None` is the one the client connected to.
    pub(crate) public_address: Option<Ipv4Addr>,
    pub(crate) observers: Observers,
    /// The name and password in [`ServerHandle::url`](crate::ServerHandle::url).
    pub(crate) url_user: Option<UrlUser>,
    /// The files of [`ServerHandle::files`](crate::ServerHandle::files).
    pub(crate) files: Arc<dyn Storage>,
}

/// The user whom a URL of the server names.
#[derive(Debug, Clone)]
pub(crate) struct UrlUser {
    pub(crate) name: String,
    /// The password; `None` if it is unknown, or if any is accepted.
    pub(crate) password: Option<Secret>,
}

impl Config {
    /// Whether an address or listener for implicit TLS was named.
    pub(crate) fn names_implicit_address(&self) -> bool {
        !self.implicit_addresses.is_empty() || !self.implicit_listeners.is_empty()
    }

    /// Whether no address and no listener was named, so that the loopback addresses serve.
    pub(super) fn names_no_address(&self) -> bool {
        self.addresses.is_empty() && self.listeners.is_empty() && !self.names_implicit_address()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            addresses: Vec::new(),
            implicit_addresses: Vec::new(),
            listeners: Vec::new(),
            implicit_listeners: Vec::new(),
            active_source: ActiveSource::default(),
            authenticator: Arc::new(Accounts::new()),
            tls: None,
            setup: Setup::default(),
            proxy_protocol_from: Vec::new(),
            faults: Plan::default(),
            passive_ports: PassivePorts::default(),
            public_address: None,
            observers: Observers::default(),
            url_user: None,
            files: Arc::new(MemFs::new()),
        }
    }
}

/// The port that active data connections come from (RFC 959 §3.2, §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ActiveSource {
    /// Any free port.
    #[default]
    Any,
    /// The port before that of the control connection (RFC 959 §3.2): 20 for 21. Ports below 1024
    /// need a privilege; without it each active transfer is refused with 425.
    BeforeControlPort,
    /// This port.
    Port(u16),
}

impl ActiveSource {
    /// The source address of data connections that belong to a control connection to `local`.
    pub(crate) fn beside(self, mut local: SocketAddr) -> SocketAddr {
        local.set_port(match self {
            Self::Any => 0,
            Self::BeforeControlPort => local.port().saturating_sub(1),
            Self::Port(port) => port,
        });
        local
    }
}
