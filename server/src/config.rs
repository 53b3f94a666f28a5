//! What a server can be told before it starts.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::{Authenticator, CertificateRule, FixedUsers, Network, Permissions, Secret};
use crate::fault::Plan;
use crate::net::{CertificateError, ServerHandle, Tls, start};
use crate::observe::hooks::{
    After, Before, CommandAction, HookList, Hooks, PublicAddressBy, Request, SessionInfo,
};
use crate::observe::journal::Journal;
use crate::observe::tap::{SharedTap, Tap};
use crate::passive_ports::PassivePorts;
use crate::pi::{NoopInTransfer, Setup, VirtualHost};
use crate::storage::{MemFs, Storage};
use crate::wire::{DotNames, HostName, LanguageTag, Links, Reply, Service, Verb, is_media_type};

/// Everything a client can make the server hold or wait for has a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Control connections at a time; one more is told 421 and closed.
    pub sessions: usize,
    /// Control connections at a time from one client address, or from one /64 of IPv6. Without a limit nothing is counted.
    pub sessions_per_address: usize,
    /// Control connections at a time of one user name; one more is told 421 in place of 230.
    pub sessions_per_user: usize,
    /// New control connections per second from one client address, or from one /64 of IPv6.
    pub connections_per_second: usize,
    /// Wrong passwords before a control connection is closed (RFC 2577 §5).
    pub failed_logins: u8,
    /// How long the answer to the first wrong password from a client address is delayed. It doubles with each one that
    /// follows; other sessions are not held up (RFC 2577 §5).
    pub login_delay: Duration,
    /// What that delay grows to.
    pub longest_login_delay: Duration,
    /// How long a client may take until it is logged in, and be logged out again, whatever it sends meanwhile.
    pub login: Duration,
    /// How long a session may last, transfers or not. Without a limit: as long as it likes.
    pub session: Option<Duration>,
    /// How long a control connection may be idle between transfers: not under five minutes unless for a test
    /// (RFC 1123 §4.1.3.2).
    pub idle: Duration,
    /// How long a session may choose to be idle by SITE IDLE.
    pub longest_idle: Duration,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a data connection may take to come about.
    pub data_connection: Duration,
    /// How long a data connection may move nothing.
    pub data_stall: Duration,
    /// How long a client may leave replies unread.
    pub reply_stall: Duration,
    /// Commands that wait for the end of a transfer; equal ones in a row count once. With more, the
    /// control connection is not read.
    pub queued_commands: usize,
    /// Commands of one session that are done in one second; the next one waits until the second is over. Other sessions
    /// are not held up. Without a limit nothing is counted.
    pub commands_per_second: usize,
    /// Octets of replies that wait to be sent. With more, the control connection is not read.
    pub queued_replies: usize,
    /// Octets that one upload may store; with more it is 552, and the file stays as it was.
    pub upload: u64,
    /// Entries of one listing; one with more is 451. STAT lists 10 000 at the most.
    pub listing: usize,
    /// Digests, sizes in TYPE A, copies and walks through directories that are under way at a time, for all sessions: each
    /// occupies a thread and a processor. Of more than one, a single user never has all, and users
    /// who wait get them in turn.
    pub long_jobs: usize,
    /// How long one more of them waits for its turn before it is answered 450.
    pub long_job_wait: Duration,
    /// Octets of the largest file whose size SIZE counts in TYPE A; it is read for that.
    pub ascii_size: u64,
    /// How long transfers may go on when the server is stopped; then they are 426, and the sessions 421.
    pub stop: Duration,
}

impl Limits {
    /// Whether there is a limit for each client address.
    pub(crate) fn counts_addresses(&self) -> bool {
        self.sessions_per_address != usize::MAX || self.connections_per_second != usize::MAX
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 20_000,
            sessions_per_address: usize::MAX,
            sessions_per_user: usize::MAX,
            connections_per_second: usize::MAX,
            failed_logins: 5,
            login_delay: Duration::ZERO,
            longest_login_delay: Duration::from_secs(20),
            login: Duration::from_mins(5),
            session: None,
            idle: Duration::from_mins(10),
            longest_idle: Duration::from_hours(2),
            handshake: Duration::from_secs(20),
            data_connection: Duration::from_secs(30),
            data_stall: Duration::from_mins(2),
            reply_stall: Duration::from_mins(1),
            queued_commands: 64,
            commands_per_second: usize::MAX,
            queued_replies: 16 << 10,
            upload: u64::MAX,
            listing: usize::MAX,
            long_jobs: 4,
            long_job_wait: Duration::from_secs(10),
            ascii_size: 1 << 30,
            stop: Duration::from_secs(5),
        }
    }
}

/// Which port active data connections come from (RFC 959 §3.2, §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ActiveSource {
    /// Any free port.
    #[default]
    Any,
    /// The port before that of the control connection, as RFC 959 §3.2 has it: 20 for 21. Ports below
    /// 1024 need a privilege; without it each active transfer is 425.
    BeforeControlPort,
    /// This port.
    Port(u16),
}

impl ActiveSource {
    /// The source address of the data connections of a control connection to `local`.
    pub(crate) fn beside(self, mut local: SocketAddr) -> SocketAddr {
        local.set_port(match self {
            Self::Any => 0,
            Self::BeforeControlPort => local.port().saturating_sub(1),
            Self::Port(port) => port,
        });
        local
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened at.
    #[error("failed to listen at {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A listener that was handed in cannot be used.
    #[error("failed to use a listener that was handed in")]
    Listener(#[source] std::io::Error),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// No user was named and no authenticator was given.
    #[error(
        "failed to find anybody who may log in: name a user, allow anonymous, or give an authenticator"
    )]
    NoUsers,
    /// An address for implicit TLS, but no [`Tls`].
    #[error("failed to find the TLS settings that an implicit TLS address needs")]
    NoTls,
    /// What was to be switched off is no verb.
    #[error("failed to switch off {0:?}: there is no such verb")]
    UnknownVerb(String),
    /// What a virtual host was to be called is no name.
    #[error("failed to name a virtual host {0:?}: it is neither a domain name nor an address")]
    HostName(String),
    /// What files with an ending are to be is no media type.
    #[error("failed to read {0:?} as a media type, such as text/plain")]
    MediaType(String),
    /// What file names are to be in is no language.
    #[error("failed to read {0:?} as a language tag, such as en")]
    LanguageTag(String),
}

/// What is said of a name that names nothing.
type Complaint = fn(String) -> StartError;

/// Collects what a server needs to start. Made by [`Server::builder`](crate::Server::builder).
#[derive(Debug, Clone, Default)]
pub struct ServerBuilder {
    pub(crate) port: u16,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) implicit_addresses: Vec<SocketAddr>,
    pub(crate) listeners: Vec<Arc<TcpListener>>,
    pub(crate) implicit_listeners: Vec<Arc<TcpListener>>,
    pub(crate) active_source: ActiveSource,
    storage: Option<Arc<dyn Storage>>,
    users: Vec<(String, Option<Secret>, Permissions)>,
    certificates: Vec<(String, CertificateRule, Permissions)>,
    authenticator: Option<Arc<dyn Authenticator>>,
    pub(crate) tls: Option<Tls>,
    pub(crate) setup: Setup,
    pub(crate) limits: Limits,
    pub(crate) balancers: Vec<Network>,
    /// A name that names nothing, and what to say of it when the server is to start.
    pub(crate) mistake: Option<(Complaint, String)>,
    pub(crate) faults: Plan,
    pub(crate) passive_ports: PassivePorts,
    pub(crate) public_address: Option<Ipv4Addr>,
    pub(crate) journal: Option<Journal>,
    pub(crate) hooks: HookList,
    pub(crate) tap: SharedTap,
}

impl ServerBuilder {
    /// Listens at `address`; may be called again. Port 0 is any free port. Without a call to this,
    /// [`bind_implicit`](Self::bind_implicit), [`listener`](Self::listener) or
    /// [`implicit_listener`](Self::implicit_listener): 127.0.0.1, and the same port of ::1 where the
    /// host has it.
    #[must_use]
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// The port of 127.0.0.1 and ::1 where no address was named with [`bind`](Self::bind). Without a call: any free port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Listens at `address` for connections that are protected from the first octet, beside the others.
    #[must_use]
    pub fn bind_implicit(mut self, address: SocketAddr) -> Self {
        self.implicit_addresses.push(address);
        self
    }

    /// Accepts connections from a listener of the caller's, beside the addresses of
    /// [`bind`](Self::bind); may be called again. For sockets that systemd or a test harness opened.
    #[must_use]
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// As [`listener`](Self::listener), for connections that are protected from the first octet.
    #[must_use]
    pub fn implicit_listener(mut self, listener: TcpListener) -> Self {
        self.implicit_listeners.push(Arc::new(listener));
        self
    }

    /// Which port active data connections come from. Without a call: any free port.
    #[must_use]
    pub fn active_source(mut self, source: ActiveSource) -> Self {
        self.active_source = source;
        self
    }

    /// Whether leading words of LIST, NLST and STAT that begin with `-` are options. Without a call:
    /// they are. If not, `LIST -la` lists what is called `-la`.
    #[must_use]
    pub fn list_options(mut self, known: bool) -> Self {
        self.setup.list_options = known;
        self
    }

    /// Whether TYPE A converts line ends (RFC 959 §3.1.1.1). Without a call: it does. If not, TYPE A is
    /// accepted, and files travel octet by octet as in TYPE I.
    #[must_use]
    pub fn ascii_conversion(mut self, converts: bool) -> Self {
        self.setup.ascii_conversion = converts;
        self
    }

    /// The files of the named users. Without a call: an empty [`MemFs`]. AVBL is switched off if the storage cannot tell
    /// how much room there is.
    #[must_use]
    pub fn storage(self, storage: impl Storage) -> Self {
        self.shared_storage(Arc::new(storage))
    }

    /// The files of the named users, when somebody else has hold of them too.
    #[must_use]
    pub fn shared_storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.storage = Some(storage);
        self
    }

    /// Lets `user` in with `password`, to do everything.
    #[must_use]
    pub fn user(self, user: &str, password: &str) -> Self {
        self.user_with(user, Some(password), Permissions::ALL)
    }

    /// Lets `user` in with `password`, to read.
    #[must_use]
    pub fn read_only_user(self, user: &str, password: &str) -> Self {
        self.user_with(user, Some(password), Permissions::READ_ONLY)
    }

    /// Lets `anonymous` and `ftp` in with any password, to read (RFC 1635).
    #[must_use]
    pub fn anonymous(self) -> Self {
        self.user_with("anonymous", None, Permissions::READ_ONLY)
            .user_with("ftp", None, Permissions::READ_ONLY)
    }

    /// Lets `user` in to do what `permissions` say; without a password any will do.
    #[must_use]
    pub fn user_with(
        mut self,
        user: &str,
        password: Option<&str>,
        permissions: Permissions,
    ) -> Self {
        self.users
            .push((user.to_owned(), password.map(Secret::new), permissions));
        self
    }

    /// Lets `user` in to do everything, without a password, with a client certificate that `rule` admits (RFC 4217 §12.2);
    /// may be called again. The certificates are asked for by [`Tls::client_certificates`].
    #[must_use]
    pub fn user_certificate(mut self, user: &str, rule: CertificateRule) -> Self {
        self.certificates
            .push((user.to_owned(), rule, Permissions::ALL));
        self
    }

    /// Decides who may log in, in place of the named users. Each user brings a storage.
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticator = Some(authenticator);
        self
    }

    /// Speaks TLS (RFC 4217).
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The text of the 220 greeting.
    #[must_use]
    pub fn greeting(mut self, text: impl Into<String>) -> Self {
        self.setup.greeting = text.into();
        self
    }

    /// Has a virtual host (RFC 7151): HOST can name it, a domain name or an address (of IPv6 in brackets). May be called
    /// again. What is no name keeps the server from starting.
    #[must_use]
    pub fn host(mut self, name: &str, host: VirtualHost) -> Self {
        match HostName::parse(name.as_bytes()) {
            Some(name) => self.setup.hosts.push((name, host)),
            None => self.mistake = Some((StartError::HostName, name.to_owned())),
        }
        self
    }

    /// Says of all files whose name ends in `.ending` which media type they have, for the media-type fact; a server must
    /// not guess it (RFC 3659 §7.5.8). May be called again. What is no media type keeps the server from starting.
    #[must_use]
    pub fn media_type(mut self, ending: &str, media_type: &str) -> Self {
        if is_media_type(media_type) {
            let told = Arc::make_mut(self.setup.told.get_or_insert_default());
            told.media_types.push((ending.into(), media_type.into()));
        } else {
            self.mistake = Some((StartError::MediaType, media_type.to_owned()));
        }
        self
    }

    /// Says which natural language file names are in, for the lang fact; a server must not guess it (RFC 3659 §7.5.6).
    /// What is no language tag keeps the server from starting.
    #[must_use]
    pub fn language_of_names(mut self, tag: &str) -> Self {
        if LanguageTag::parse(tag.as_bytes()).is_some() {
            let told = Arc::make_mut(self.setup.told.get_or_insert_default());
            told.language = Some(tag.into());
        } else {
            self.mistake = Some((StartError::LanguageTag, tag.to_owned()));
        }
        self
    }

    /// Whether LIST, NLST and STAT show names that begin with a dot. Without a call: they do.
    #[must_use]
    pub fn dot_names(mut self, dot_names: DotNames) -> Self {
        self.setup.dot_names = dot_names;
        self
    }

    /// What listings show of symbolic links. Without a call: [`Links::Shown`].
    #[must_use]
    pub fn links(mut self, links: Links) -> Self {
        self.setup.links = links;
        self
    }

    /// Switches a verb off: it is answered 502, and FEAT, HELP and SITE HELP do not name it. May be called again.
    ///
    /// One service of SITE is switched off by both names (`SITE CHMOD`): it is answered 501 then.
    ///
    /// A name that is no verb keeps the server from starting: a switch that switches nothing would go unnoticed.
    #[must_use]
    pub fn without(mut self, verb: &str) -> Self {
        if let Some(name) = verb
            .get(..5)
            .filter(|site| site.eq_ignore_ascii_case("SITE "))
        {
            match Service::named(&verb.as_bytes()[name.len()..]) {
                Some(service) => {
                    self.setup.disabled_services = self.setup.disabled_services.with(service);
                }
                None => self.mistake = Some((StartError::UnknownVerb, verb.to_owned())),
            }
            return self;
        }
        match Verb::named(verb.as_bytes()) {
            Some(verb) => self.setup.disabled = self.setup.disabled.with(verb),
            None => self.mistake = Some((StartError::UnknownVerb, verb.to_owned())),
        }
        self
    }

    /// Lets CCC take the protection of the control connection away (RFC 4217 §15.3).
    #[must_use]
    pub fn allow_ccc(mut self) -> Self {
        self.setup.allow_ccc = true;
        self
    }

    /// When a NOOP that comes during a transfer is answered. Without a call: after the transfer, in
    /// its turn.
    #[must_use]
    pub fn noop_in_transfer(mut self, when: NoopInTransfer) -> Self {
        self.setup.noop_in_transfer = when;
        self
    }

    /// Sends a restart marker after every so many octets of a file, in MODE B and C (RFC 959 §3.5). Without a call: none.
    #[must_use]
    pub fn restart_markers(mut self, every: NonZeroU64) -> Self {
        self.setup.restart_markers = Some(every);
        self
    }

    /// What a client can make the server hold or wait for.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Takes connections from `networks` for those of load balancers: each must begin with a header of the PROXY protocol,
    /// version 1 or 2, before TLS if that is implicit. Whom it names is the client in every respect: limits, logins, PORT
    /// and who may connect to a passive port. From elsewhere a header is no command. May be called again.
    #[must_use]
    pub fn proxy_protocol(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.balancers.extend(networks);
        self
    }

    /// Ports PASV and EPSV listen at, for a firewall's sake, and what they are announced as, for NAT's. Without a call:
    /// any free port. [`ServerHandle::set_passive_ports`] changes them later.
    #[must_use]
    pub fn passive_ports(mut self, ports: impl Into<PassivePorts>) -> Self {
        self.passive_ports = ports.into();
        self
    }

    /// Lets the server misbehave as planned, beside what an earlier call planned: for the tests of clients.
    #[must_use]
    pub fn faults(mut self, plan: Plan) -> Self {
        self.faults = self.faults.and(plan);
        self
    }

    /// The address a 227 names, behind NAT. Without a call: the one the client reached.
    /// [`ServerHandle::set_public_address`] changes it later.
    #[must_use]
    pub fn public_address(mut self, address: Ipv4Addr) -> Self {
        self.public_address = Some(address);
        self
    }

    /// Asks `resolve` which address a 227 names to this client; `None` is as without it. It may look a name up.
    #[must_use]
    pub fn public_address_by<A>(
        self,
        resolve: impl Fn(SessionInfo) -> A + Send + Sync + 'static,
    ) -> Self
    where
        A: Future<Output = Option<Ipv4Addr>> + Send + 'static,
    {
        self.hooks(PublicAddressBy(resolve))
    }

    /// Writes down everything that happens. One journal is for one server.
    #[must_use]
    pub fn journal(mut self, journal: &Journal) -> Self {
        self.journal = Some(journal.clone());
        self
    }

    /// Reports what is on the wire of every session to `tap`, which sees passwords. A second call
    /// replaces the first.
    #[must_use]
    pub fn tap(mut self, tap: impl Tap) -> Self {
        self.tap = Some(Arc::new(tap));
        self
    }

    /// Has a say in what happens; may be called again. Hooks are asked in the order they were given.
    #[must_use]
    pub fn hooks(self, hooks: impl Hooks) -> Self {
        self.shared_hooks(Arc::new(hooks))
    }

    /// Has a say in what happens, when somebody else has hold of it too.
    #[must_use]
    pub fn shared_hooks(mut self, hooks: Arc<dyn Hooks>) -> Self {
        self.hooks.push(hooks);
        self
    }

    /// Asks `decide` before one of `verbs` is done. Deciding that waits is a matter for [`Hooks::before`].
    ///
    /// ```
    /// # use ftpspec_server::{Server, hooks::Verdict, wire::Verb};
    /// let builder = Server::builder().before([Verb::Dele, Verb::Rmd], |session, _| {
    ///     match session.path.as_ref().map(|path| path.as_bytes()) {
    ///         Some(b"/archive") => Verdict::reply(550, "The archive stays as it is."),
    ///         _ => Verdict::Proceed,
    ///     }
    /// });
    /// # let _ = builder;
    /// ```
    #[must_use]
    pub fn before(
        self,
        verbs: impl IntoIterator<Item = Verb>,
        decide: impl Fn(&SessionInfo, &Request) -> CommandAction + Send + Sync + 'static,
    ) -> Self {
        let verbs = verbs.into_iter().collect();
        self.hooks(Before { verbs, decide })
    }

    /// Tells `tell` after one of `verbs` was done and answered.
    #[must_use]
    pub fn after(
        self,
        verbs: impl IntoIterator<Item = Verb>,
        tell: impl Fn(&SessionInfo, &Request, &Reply) + Send + Sync + 'static,
    ) -> Self {
        let verbs = verbs.into_iter().collect();
        self.hooks(After { verbs, tell })
    }

    /// Starts the server on the current tokio runtime. It is ready when this returns.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(self) -> Result<ServerHandle, StartError> {
        let journal = self.journal.clone();
        let started = start(self).await;
        if let (Err(_), Some(journal)) = (&started, journal) {
            journal.close();
        }
        started
    }

    /// Who decides about logins.
    pub(crate) fn take_authenticator(&mut self) -> Result<Arc<dyn Authenticator>, StartError> {
        if let Some(authenticator) = self.authenticator.take() {
            return Ok(authenticator);
        }
        if self.users.is_empty() && self.certificates.is_empty() {
            return Err(StartError::NoUsers);
        }
        let storage = self
            .storage
            .take()
            .unwrap_or_else(|| Arc::new(MemFs::new()));
        // FEAT comes before a login and has to be true after it.
        if !storage.abilities().available {
            self.setup.disabled = self.setup.disabled.with(Verb::Avbl);
        }
        let users = self
            .users
            .drain(..)
            .fold(FixedUsers::on(storage), |users, (name, password, may)| {
                users.with_secret(&name, password, may)
            });
        let certificates = self.certificates.drain(..);
        let users = certificates.fold(users, |users, (name, rule, may)| {
            users.with_certificate(&name, rule, may)
        });
        Ok(Arc::new(users))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn avbl_is_off_where_the_storage_knows_no_room() {
        use crate::storage::VfsStorage;
        for (room, builder) in [
            (true, ServerBuilder::default()),
            (true, ServerBuilder::default().storage(MemFs::new())),
            (
                false,
                ServerBuilder::default().storage(VfsStorage::new(MemFs::new().into())),
            ),
        ] {
            let mut builder = builder.user("test", "secret");
            assert!(builder.take_authenticator().is_ok());
            assert_eq!(!builder.setup.disabled.contains(Verb::Avbl), room);
        }
    }

    #[tokio::test]
    async fn names_that_name_nothing_keep_the_server_from_starting() {
        let builder = ServerBuilder::default().user("test", "secret");
        let started = builder.clone().without("MFMTT").start().await;
        assert!(matches!(started, Err(StartError::UnknownVerb(name)) if name == "MFMTT"));
        let started = builder.clone().host("a b", VirtualHost::new()).start();
        assert!(matches!(started.await, Err(StartError::HostName(name)) if name == "a b"));
        let started = builder.clone().media_type("txt", "text").start();
        assert!(matches!(started.await, Err(StartError::MediaType(_))));
        let started = builder.clone().language_of_names("de;").start();
        assert!(matches!(started.await, Err(StartError::LanguageTag(_))));
        let started = builder.clone().without("SITE CHMODE").start().await;
        assert!(matches!(started, Err(StartError::UnknownVerb(name)) if name == "SITE CHMODE"));
        let builder = builder.without("mfmt").without("site chmod");
        assert!(builder.setup.disabled_services.contains(Service::Chmod));
        assert!(builder.start().await.is_ok());
    }
}
