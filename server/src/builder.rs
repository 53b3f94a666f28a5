//! The builder of a server.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::auth::accounts::{Account, Accounts, Password};
use crate::auth::{Authenticator, CertificateRule, Network, Permissions, Secret, User};
use crate::disabled::DisabledCommand;
use crate::error::{ConfigError, StartError};
use crate::fault::Plan;
use crate::limits::Limits;
use crate::net::{ActiveSource, Config, ServerHandle, Tls, UrlUser, start};
use crate::observe::hooks::{
    After, Before, CommandAction, Hooks, PublicAddressBy, Request, SessionInfo,
};
use crate::observe::journal::Journal;
use crate::observe::tap::Tap;
use crate::passive_ports::PassivePorts;
use crate::pi::{NoopInTransfer, VirtualHost};
use crate::storage::Storage;
use crate::wire::{DotNames, HostName, LanguageTag, Links, Reply, Verb, is_media_type};

/// Collects the configuration of a server and starts it. Made by
/// [`Server::builder`](crate::Server::builder).
///
/// A value that cannot be used is reported by [`start`](Self::start), together with all others.
#[derive(Debug, Clone, Default)]
pub struct ServerBuilder {
    config: Config,
    users: Vec<UserRule>,
    authenticator: Option<Arc<dyn Authenticator>>,
    errors: Vec<ConfigError>,
}

/// One call that names a user. Calls for the same name add up; the last password counts.
#[derive(Debug, Clone)]
struct UserRule {
    name: String,
    permissions: Permissions,
    password: Option<Password>,
    certificate: Option<CertificateRule>,
}

impl ServerBuilder {
    /// Listens on `address`; port 0 is any free port. May be called again.
    ///
    /// If no address and no listener is named, the server listens on 127.0.0.1, and on the same
    /// port of ::1 where the host has it.
    #[must_use]
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.config.addresses.push(address);
        self
    }

    /// The port of 127.0.0.1 and ::1 if no address is named with [`bind`](Self::bind). The default,
    /// 0, is any free port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = port;
        self
    }

    /// Listens on `address` for connections that use TLS from the first octet (implicit TLS), in
    /// addition to other addresses. May be called again.
    #[must_use]
    pub fn bind_implicit(mut self, address: SocketAddr) -> Self {
        self.config.implicit_addresses.push(address);
        self
    }

    /// Accepts connections from a listener of the caller, in addition to other addresses: for
    /// sockets that systemd or a test harness has opened. May be called again.
    #[must_use]
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.config.listeners.push(Arc::new(listener));
        self
    }

    /// As [`listener`](Self::listener), for implicit TLS.
    #[must_use]
    pub fn implicit_listener(mut self, listener: TcpListener) -> Self {
        self.config.implicit_listeners.push(Arc::new(listener));
        self
    }

    /// The port that active data connections come from. The default is any free port.
    #[must_use]
    pub fn active_source(mut self, source: ActiveSource) -> Self {
        self.config.active_source = source;
        self
    }

    /// Whether leading words of LIST, NLST and STAT that begin with `-` are options, as by default.
    /// If not, `LIST -la` lists the file named `-la`.
    #[must_use]
    pub fn list_options(mut self, known: bool) -> Self {
        self.config.setup.list_options = known;
        self
    }

    /// Whether TYPE A converts line ends (RFC 959 §3.1.1.1), as by default. If not, TYPE A is
    /// accepted and files are transferred octet by octet, as in TYPE I.
    #[must_use]
    pub fn ascii_conversion(mut self, converts: bool) -> Self {
        self.config.setup.ascii_conversion = converts;
        self
    }

    /// The files of the named users. The default is an empty [`MemFs`](crate::MemFs). AVBL is
    /// disabled if the storage does not know how much space is left.
    #[must_use]
    pub fn storage(self, storage: impl Storage) -> Self {
        self.shared_storage(Arc::new(storage))
    }

    /// As [`storage`](Self::storage), for files that the caller shares.
    #[must_use]
    pub fn shared_storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.config.files = storage;
        self
    }

    /// Lets `user` log in with `password`, with all permissions.
    #[must_use]
    pub fn user(self, user: &str, password: &str) -> Self {
        self.user_with(user, Some(password), Permissions::ALL)
    }

    /// Lets `user` log in with `password`, to read and list only.
    #[must_use]
    pub fn read_only_user(self, user: &str, password: &str) -> Self {
        self.user_with(user, Some(password), Permissions::READ_ONLY)
    }

    /// Lets `anonymous` and `ftp` log in with any password, to read and list only (RFC 1635).
    #[must_use]
    pub fn anonymous(self) -> Self {
        self.user_with("anonymous", None, Permissions::READ_ONLY)
            .user_with("ftp", None, Permissions::READ_ONLY)
    }

    /// Lets `user` log in with these permissions. Without a password, any password is accepted.
    #[must_use]
    pub fn user_with(
        mut self,
        user: &str,
        password: Option<&str>,
        permissions: Permissions,
    ) -> Self {
        let password = password.map(|password| Password::Plain(Secret::new(password)));
        self.users.push(UserRule {
            name: user.to_owned(),
            permissions,
            password: Some(password.unwrap_or(Password::Any)),
            certificate: None,
        });
        self
    }

    /// Lets `user` log in with all permissions and without a password, with a client certificate
    /// that `rule` accepts (RFC 4217 §12.2). May be called again. [`Tls::client_certificates`]
    /// makes the server request certificates.
    #[must_use]
    pub fn user_certificate(mut self, user: &str, rule: CertificateRule) -> Self {
        self.users.push(UserRule {
            name: user.to_owned(),
            permissions: Permissions::ALL,
            password: None,
            certificate: Some(rule),
        });
        self
    }

    /// Decides who may log in, instead of the named users. Each [`User`] has a storage of its own.
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticator = Some(authenticator);
        self.config.url_user = None;
        self
    }

    /// The user in [`ServerHandle::url`], where an authenticator takes the place of named users.
    pub(crate) fn url_user(mut self, name: &str, password: Option<Secret>) -> Self {
        let name = name.to_owned();
        self.config.url_user = Some(UrlUser { name, password });
        self
    }

    /// Offers TLS (RFC 4217). Without a call there is none.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.config.tls = Some(tls);
        self
    }

    /// The text of the 220 greeting; more than one line makes a multi-line reply.
    #[must_use]
    pub fn greeting(mut self, text: impl Into<String>) -> Self {
        self.config.setup.greeting = text.into();
        self
    }

    /// Adds a virtual host, which clients select with HOST (RFC 7151). `name` is a domain name or
    /// an address, of IPv6 in brackets. May be called again.
    #[must_use]
    pub fn host(mut self, name: &str, host: VirtualHost) -> Self {
        match HostName::parse(name.as_bytes()) {
            Some(name) => self.config.setup.hosts.push((name, host)),
            None => self.errors.push(ConfigError::HostName(name.to_owned())),
        }
        self
    }

    /// Sets the media type of all files whose name ends in `.ending`, for the media-type fact,
    /// which a server must not guess (RFC 3659 §7.5.8). May be called again.
    #[must_use]
    pub fn media_type(mut self, ending: &str, media_type: &str) -> Self {
        if is_media_type(media_type) {
            let facts = Arc::make_mut(self.config.setup.operator_facts.get_or_insert_default());
            facts.media_types.push((ending.into(), media_type.into()));
        } else {
            let media_type = media_type.to_owned();
            self.errors.push(ConfigError::MediaType(media_type));
        }
        self
    }

    /// Sets the natural language of file names, for the lang fact, which a server must not guess
    /// (RFC 3659 §7.5.6).
    #[must_use]
    pub fn language_of_names(mut self, tag: &str) -> Self {
        if LanguageTag::parse(tag.as_bytes()).is_some() {
            let facts = Arc::make_mut(self.config.setup.operator_facts.get_or_insert_default());
            facts.language = Some(tag.into());
        } else {
            self.errors.push(ConfigError::LanguageTag(tag.to_owned()));
        }
        self
    }

    /// Whether LIST, NLST and STAT show names that begin with a dot. The default is
    /// [`DotNames::Shown`].
    #[must_use]
    pub fn dot_names(mut self, dot_names: DotNames) -> Self {
        self.config.setup.dot_names = dot_names;
        self
    }

    /// How listings show symbolic links. The default is [`Links::Shown`].
    #[must_use]
    pub fn links(mut self, links: Links) -> Self {
        self.config.setup.links = links;
        self
    }

    /// Disables a verb: it is answered 502, and FEAT, HELP and SITE HELP do not name it. One
    /// service of SITE is disabled by both names (`SITE CHMOD`): it is answered 501. May be called
    /// again.
    #[must_use]
    pub fn disable(mut self, command: &str) -> Self {
        match command.parse() {
            Ok(command) => self.disable_command(command),
            Err(error) => {
                self.errors.push(ConfigError::UnknownCommand(error));
                self
            }
        }
    }

    /// As [`disable`](Self::disable), for a name that was parsed before.
    pub(crate) fn disable_command(mut self, command: DisabledCommand) -> Self {
        let setup = &mut self.config.setup;
        match command {
            DisabledCommand::Verb(verb) => setup.disabled = setup.disabled.with(verb),
            DisabledCommand::Service(service) => {
                setup.disabled_services = setup.disabled_services.with(service);
            }
        }
        self
    }

    /// Lets CCC end the protection of the control connection (RFC 4217 §15.3). By default it is
    /// refused.
    #[must_use]
    pub fn allow_ccc(mut self) -> Self {
        self.config.setup.allow_ccc = true;
        self
    }

    /// When a NOOP that comes during a transfer is answered. The default is
    /// [`NoopInTransfer::Queued`]: after the transfer.
    #[must_use]
    pub fn noop_in_transfer(mut self, when: NoopInTransfer) -> Self {
        self.config.setup.noop_in_transfer = when;
        self
    }

    /// Sends a restart marker after every `every` octets of a file, in MODE B and C (RFC 959 §3.5).
    /// By default there are none.
    #[must_use]
    pub fn restart_markers(mut self, every: NonZeroU64) -> Self {
        self.config.setup.restart_markers = Some(every);
        self
    }

    /// Limits what clients can make the server hold or wait for.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.setup.limits = Arc::new(limits);
        self
    }

    /// Expects a header of the PROXY protocol, version 1 or 2, at the beginning of each connection
    /// from `networks`, before implicit TLS. The client that the header names is the client in
    /// every respect: limits, logins, PORT and passive data connections. From other addresses a
    /// header is an unknown command. May be called again.
    #[must_use]
    pub fn proxy_protocol_from(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.config.proxy_protocol_from.extend(networks);
        self
    }

    /// The ports on which PASV and EPSV listen (for firewalls), and the ports they announce (for
    /// NAT). The default is any free port. [`ServerHandle::set_passive_ports`] changes them later.
    #[must_use]
    pub fn passive_ports(mut self, ports: impl Into<PassivePorts>) -> Self {
        self.config.passive_ports = ports.into();
        self
    }

    /// Makes the server misbehave as planned, to test clients. Plans of several calls add up.
    #[must_use]
    pub fn faults(mut self, plan: Plan) -> Self {
        self.config.faults = self.config.faults.and(plan);
        self
    }

    /// The address in a 227 reply, behind NAT. The default is the one the client connected to.
    /// [`ServerHandle::set_public_address`] changes it later.
    #[must_use]
    pub fn public_address(mut self, address: Ipv4Addr) -> Self {
        self.config.public_address = Some(address);
        self
    }

    /// Asks `resolve` for the address in the 227 reply to one client; `None` is the default. The
    /// future may wait, for example for DNS.
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

    /// Records all events in `journal`. A journal belongs to one server.
    #[must_use]
    pub fn journal(mut self, journal: &Journal) -> Self {
        self.config.observers.journal = Some(journal.clone());
        self
    }

    /// Reports what is on the wire of every session to `tap`, passwords included. A second call
    /// replaces the first.
    #[must_use]
    pub fn tap(mut self, tap: impl Tap) -> Self {
        self.config.observers.tap = Some(Arc::new(tap));
        self
    }

    /// Adds hooks, which observe and control sessions. May be called again; hooks are called in
    /// this order.
    #[must_use]
    pub fn hooks(self, hooks: impl Hooks) -> Self {
        self.shared_hooks(Arc::new(hooks))
    }

    /// As [`hooks`](Self::hooks), for hooks that the caller shares.
    #[must_use]
    pub fn shared_hooks(mut self, hooks: Arc<dyn Hooks>) -> Self {
        self.config.observers.hooks.push(hooks);
        self
    }

    /// Calls `decide` before each command whose verb is one of `verbs`. A decision that waits needs
    /// [`Hooks::before`].
    ///
    /// ```
    /// # use ftpspec_server::{Server, Verb, observe::hooks::CommandAction};
    /// let builder = Server::builder().before([Verb::Dele, Verb::Rmd], |session, _| {
    ///     match session.path.as_ref().map(|path| path.as_bytes()) {
    ///         Some(b"/archive") => CommandAction::reply(550, "The archive is read-only."),
    ///         _ => CommandAction::Proceed,
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

    /// Calls `observe` after each command whose verb is one of `verbs`, with the last reply to it.
    #[must_use]
    pub fn after(
        self,
        verbs: impl IntoIterator<Item = Verb>,
        observe: impl Fn(&SessionInfo, &Request, &Reply) + Send + Sync + 'static,
    ) -> Self {
        let verbs = verbs.into_iter().collect();
        self.hooks(After { verbs, observe })
    }

    /// Starts the server on the current tokio runtime. It accepts connections when this returns.
    ///
    /// # Errors
    /// [`StartError`]; then the journal is closed.
    pub async fn start(self) -> Result<ServerHandle, StartError> {
        let journal = self.config.observers.journal.clone();
        let started = match self.into_config() {
            Ok(config) => start(config).await,
            Err(error) => Err(error),
        };
        if let (Err(_), Some(journal)) = (&started, journal) {
            journal.close();
        }
        started
    }

    /// Validates the configuration.
    fn into_config(mut self) -> Result<Config, StartError> {
        if self.config.tls.is_none() && self.config.names_implicit_address() {
            self.errors.push(ConfigError::NoTls);
        }
        if self.authenticator.is_none() && self.users.is_empty() {
            self.errors.push(ConfigError::NoUsers);
        }
        if !self.errors.is_empty() {
            return Err(StartError::Config(self.errors));
        }
        let mut config = self.config;
        config.authenticator = match self.authenticator {
            Some(authenticator) => authenticator,
            None => {
                // FEAT comes before the login and must hold after it.
                if !config.files.abilities().available {
                    config.setup.disabled = config.setup.disabled.with(Verb::Avbl);
                }
                let accounts = accounts(self.users, &config.files);
                config.url_user = accounts.first().map(|first| UrlUser {
                    name: first.user.name.clone(),
                    password: match &first.password {
                        Password::Plain(password) => Some(password.clone()),
                        _ => None,
                    },
                });
                Arc::new(accounts.into_iter().fold(Accounts::new(), |all, it| {
                    all.with(it.user.name.clone(), it)
                }))
            }
        };
        Ok(config)
    }
}

/// The accounts of the named users in the order of the calls, all with the same files.
fn accounts(rules: Vec<UserRule>, storage: &Arc<dyn Storage>) -> Vec<Account> {
    let mut accounts: Vec<Account> = Vec::new();
    for rule in rules {
        let known = accounts
            .iter()
            .position(|known| known.user.name == rule.name);
        let index = known.unwrap_or_else(|| {
            accounts.push(Account {
                user: User::new(rule.name, Arc::clone(storage)),
                password: Password::None,
                certificates: Vec::new(),
                hosts: None,
            });
            accounts.len() - 1
        });
        let account = &mut accounts[index];
        account.user.permissions = rule.permissions;
        account.certificates.extend(rule.certificate);
        if let Some(password) = rule.password {
            account.password = password;
        }
    }
    accounts
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::storage::MemFs;
    use crate::wire::Service;

    #[test]
    fn avbl_is_disabled_if_the_storage_cannot_report_its_free_space() {
        use crate::storage::VfsStorage;
        let vfs = VfsStorage::new(MemFs::new().into());
        for (known, builder) in [
            (true, ServerBuilder::default()),
            (true, ServerBuilder::default().storage(MemFs::new())),
            (false, ServerBuilder::default().storage(vfs)),
        ] {
            let config = builder.user("test", "secret").into_config().unwrap();
            assert_eq!(!config.setup.disabled.contains(Verb::Avbl), known);
        }
    }

    #[test]
    fn the_url_has_the_first_named_user_and_its_last_password() {
        let builder = ServerBuilder::default();
        for (builder, expected) in [
            (
                builder.clone().user("a", "1").user("b", "2").user("a", "3"),
                ("a", Some("3")),
            ),
            (
                builder.clone().anonymous().user("b", "2"),
                ("anonymous", None),
            ),
        ] {
            let user = builder.into_config().unwrap().url_user.unwrap();
            let (name, password) = expected;
            assert_eq!(
                (user.name.as_str(), user.password),
                (name, password.map(Secret::new))
            );
        }
        let own = builder
            .url_user("a", None)
            .authenticator(Arc::new(Accounts::new()));
        assert!(own.into_config().unwrap().url_user.is_none());
    }

    #[tokio::test]
    async fn start_reports_all_values_that_cannot_be_used() {
        let started = ServerBuilder::default()
            .disable("MFMTT")
            .disable("SITE CHMODE")
            .host("a b", VirtualHost::new())
            .media_type("txt", "text")
            .language_of_names("de;")
            .bind_implicit(([127, 0, 0, 1], 0).into())
            .start()
            .await;
        assert_eq!(
            started.unwrap_err().to_string(),
            "there is no verb \"MFMTT\"; did you mean `MFMT`?; \
             there is no verb \"SITE CHMODE\"; did you mean `CHMOD`?; \
             \"a b\" cannot be a virtual host: it is neither a domain name nor an address; \
             \"text\" is not a media type, such as text/plain; \
             \"de;\" is not a language tag, such as en; \
             an address for implicit TLS needs TLS settings; \
             nobody can log in: name a user, allow anonymous, or give an authenticator"
        );
    }

    #[test]
    fn commands_are_disabled_by_names_in_any_case() {
        let builder = ServerBuilder::default().user("test", "secret");
        let config = builder.disable("mfmt").disable("site chmod").into_config();
        let setup = config.unwrap().setup;
        assert!(setup.disabled.contains(Verb::Mfmt));
        assert!(setup.disabled_services.contains(Service::Chmod));
    }
}
