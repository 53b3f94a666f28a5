//! From settings to a server that can be started.

use std::collections::HashMap;
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    AccountSettings, AnonymousSettings, Settings, Size, StorageSettings, TlsMode, TlsSettings,
    UserSettings,
};
use crate::auth::accounts::{Account, Accounts, Password};
use crate::auth::{Rate, User, UserLimits};
use crate::builder::ServerBuilder;
use crate::fault::Plan;
use crate::net::Tls;
use crate::passive_ports::PassivePorts;
use crate::pi::VirtualHost;
use crate::storage::{
    MemFs, Overlay, Quota, Skipped, Storage, Subdirectory, VirtualPath, make_directories, seed,
};

/// A server that can be started.
#[derive(Debug)]
pub struct Prepared {
    /// The builder, to start the server or to configure it further.
    pub builder: ServerBuilder,
    /// The entries of a `seed` that could not be copied.
    pub skipped: Vec<Skipped>,
}

/// A directory of the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("failed to use the files of {}: {source}", .path.display())]
pub struct PrepareError {
    /// The directory, on the host or in the storage.
    pub path: PathBuf,
    /// The cause.
    pub source: io::Error,
}

fn about(path: &Path) -> impl Fn(io::Error) -> PrepareError + '_ {
    |source| PrepareError {
        path: path.to_owned(),
        source,
    }
}

impl Settings {
    /// Opens the directories, creates the roots of users, and configures a [`ServerBuilder`].
    ///
    /// # Errors
    /// [`PrepareError`].
    pub fn prepare(&self) -> Result<Prepared, PrepareError> {
        let mut files = Files::default();
        let mut builder = ServerBuilder::default()
            .port(self.port)
            .dot_names(self.dot_names)
            .links(self.links)
            .limits(self.limits.clone());
        for address in &self.listen {
            builder = builder.bind(*address);
        }
        for address in &self.listen_implicit {
            builder = builder.bind_implicit(*address);
        }
        if let Some(greeting) = &self.greeting {
            builder = builder.greeting(greeting);
        }
        for command in &self.disable {
            builder = builder.disable_command(*command);
        }
        builder = builder
            .list_options(self.list_options)
            .ascii_conversion(self.ascii_conversion)
            .active_source(self.active_source);
        builder = builder.noop_in_transfer(self.noop_in_transfer);
        if let Some(every) = self
            .restart_markers
            .and_then(|every| NonZeroU64::new(every.0))
        {
            builder = builder.restart_markers(every);
        }
        if let Some(tag) = &self.language_of_names {
            builder = builder.language_of_names(tag);
        }
        for (ending, media_type) in &self.media_types {
            builder = builder.media_type(ending, media_type);
        }
        if let Some(ports) = &self.passive.ports {
            let pairs = ports.iter().flat_map(|ports| {
                let announced = ports.announced..=u16::MAX;
                ports.listened.clone().zip(announced)
            });
            let ports = PassivePorts::from_iter(pairs);
            builder = builder.passive_ports(if self.passive.shared {
                ports.shared()
            } else {
                ports
            });
        }
        if let Some(address) = self.passive.address {
            builder = builder.public_address(address);
        }
        builder = builder
            .proxy_protocol_from(self.proxy_protocol_from.iter().copied())
            .faults(self.faults.iter().cloned().collect::<Plan>());
        if let Some(tls) = self.tls.tls() {
            builder = builder.tls(tls);
        }
        if self.tls.allow_ccc {
            builder = builder.allow_ccc();
        }

        let own = files.open(&self.storage)?;
        for host in &self.hosts {
            let mut virtual_host = VirtualHost::new();
            if let Some(greeting) = &host.greeting {
                virtual_host = virtual_host.greeting(greeting);
            }
            if !host.users.is_empty() || host.anonymous.is_some() {
                let other = host.storage.as_ref().map(|storage| files.open(storage));
                let storage = other.transpose()?.unwrap_or_else(|| own.clone());
                let accounts = files.accounts(&storage, &host.users, host.anonymous.as_ref())?;
                virtual_host = virtual_host.authenticator(accounts);
            }
            builder = builder.host(&host.name, virtual_host);
        }
        // Without users the builder reports what is missing.
        if !self.users.is_empty() || self.anonymous.is_some() {
            let accounts = files.accounts(&own, &self.users, self.anonymous.as_ref())?;
            builder = builder
                .shared_storage(Arc::clone(&own.storage))
                .authenticator(Arc::new(accounts));
            let first = self.users.first();
            let first = first.map(|user| (&user.name, user.password.clone()));
            let anonymous = self.anonymous.as_ref().and_then(|it| it.names.first());
            if let Some((name, password)) = first.or_else(|| anonymous.map(|name| (name, None))) {
                builder = builder.url_user(name, password);
            }
        }
        // FEAT comes before the login and must hold after it.
        if files.free_space_unknown {
            builder = builder.disable("AVBL");
        }
        Ok(Prepared {
            builder,
            skipped: files.skipped,
        })
    }
}

impl TlsSettings {
    fn tls(&self) -> Option<Tls> {
        let mut tls = match self.mode {
            TlsMode::Off => return None,
            TlsMode::Explicit => Tls::explicit(),
            TlsMode::Implicit => Tls::implicit(),
        };
        for name in &self.names {
            tls = tls.named(name);
        }
        if let (Some(chain), Some(key)) = (&self.certificate, &self.key) {
            tls = tls.certificate_files(chain, key);
        }
        for host in &self.hosts {
            tls = match (&host.certificate, &host.key) {
                (Some(chain), Some(key)) => tls.host_certificate_files(&host.name, chain, key),
                _ => tls.host(&host.name),
            };
        }
        if let Some(authorities) = &self.client_authorities {
            tls = tls.client_certificates_of_file(self.client_certificates, authorities);
        }
        if let Some(path) = &self.key_log {
            tls = tls.key_log(path);
        }
        Some(
            tls.require(self.required)
                .versions(self.lowest, self.highest)
                .session_reuse(self.session_reuse)
                .alpn(self.alpn)
                .close_notify(self.close_notify),
        )
    }
}

/// The files of the server, or of a virtual host.
#[derive(Clone)]
struct OpenStorage {
    storage: Arc<dyn Storage>,
    /// The same for users with a root in it: they share one lock.
    without_links: Subdirectory,
}

/// Opens the files of all users, and collects what could not be copied.
#[derive(Default)]
struct Files {
    skipped: Vec<Skipped>,
    /// Whether a storage cannot report its free space.
    free_space_unknown: bool,
    /// Directories of users by path: users of the same directory share its locks.
    directories: HashMap<PathBuf, Arc<dyn Storage>>,
}

impl Files {
    fn open(&mut self, settings: &StorageSettings) -> Result<OpenStorage, PrepareError> {
        let storage = self.storage(settings)?;
        self.free_space_unknown |= !storage.abilities().available;
        Ok(OpenStorage {
            without_links: Subdirectory::new(Arc::clone(&storage)),
            storage,
        })
    }

    fn storage(&mut self, settings: &StorageSettings) -> Result<Arc<dyn Storage>, PrepareError> {
        let (path, storage) = if let Some(path) = &settings.directory {
            (path, on_disk(path, Some(settings)).map_err(about(path))?)
        } else if let Some(path) = &settings.overlay {
            let below = on_disk(path, None).map_err(about(path))?;
            (path, Arc::new(Overlay::new(below)) as Arc<dyn Storage>)
        } else {
            let mut memory = MemFs::new();
            if let Some(Size(octets)) = settings.quota {
                memory = memory.with_quota(octets);
            }
            if let Some(path) = &settings.seed {
                let seeded = seed(&memory, path).map_err(about(path))?;
                self.skipped.extend(seeded.skipped);
            }
            return Ok(Arc::new(memory));
        };
        limited(storage, settings.quota).map_err(about(path))
    }

    fn accounts(
        &mut self,
        place: &OpenStorage,
        users: &[UserSettings],
        anonymous: Option<&AnonymousSettings>,
    ) -> Result<Accounts, PrepareError> {
        let mut accounts = Accounts::new();
        for user in users {
            let password = match (&user.password, &user.password_hash) {
                (Some(password), _) => Password::Plain(password.clone()),
                (None, Some(hash)) => Password::Hash(hash.clone()),
                (None, None) if user.any_password => Password::Any,
                (None, None) => Password::None,
            };
            let account = Account {
                certificates: user.certificates.clone(),
                ..self.account(place, &user.name, password, &user.account)?
            };
            accounts = accounts.with(user.name.as_str(), account);
        }
        if let Some(anonymous) = anonymous {
            // One account under all names: its quota and rates are shared.
            let shared = self.account(place, "anonymous", Password::Any, &anonymous.account)?;
            for name in &anonymous.names {
                let mut account = shared.clone();
                account.user.name.clone_from(name);
                accounts = accounts.with(name.as_str(), account);
            }
        }
        Ok(accounts)
    }

    fn account(
        &mut self,
        place: &OpenStorage,
        name: &str,
        password: Password,
        settings: &AccountSettings,
    ) -> Result<Account, PrepareError> {
        let storage = self.of_user(place, settings)?;
        self.free_space_unknown |= !storage.abilities().available;
        let rate = |size: Option<Size>| {
            let octets = NonZeroU64::new(size?.0)?;
            Some(Arc::new(Rate::per_second(octets)))
        };
        let user = User {
            home: settings.home.clone().unwrap_or_else(VirtualPath::root),
            permissions: settings.permissions,
            limits: UserLimits {
                sessions: settings.sessions,
                upload: rate(settings.upload_rate),
                download: rate(settings.download_rate),
            },
            tls_required: settings.tls_required,
            ..User::new(name, storage)
        };
        Ok(Account {
            user,
            password,
            certificates: Vec::new(),
            hosts: settings.allowed_hosts.clone(),
        })
    }

    fn of_user(
        &mut self,
        place: &OpenStorage,
        settings: &AccountSettings,
    ) -> Result<Arc<dyn Storage>, PrepareError> {
        if let Some(path) = &settings.directory {
            let storage = match self.directories.get(path) {
                Some(storage) => Arc::clone(storage),
                None => {
                    let storage = on_disk(path, Some(&StorageSettings::default()));
                    let storage = storage.map_err(about(path))?;
                    self.directories.insert(path.clone(), Arc::clone(&storage));
                    storage
                }
            };
            return limited(storage, settings.quota).map_err(about(path));
        }
        let Some(root) = &settings.root else {
            return Ok(Arc::clone(&place.storage));
        };
        let shown = PathBuf::from(String::from_utf8_lossy(root.as_bytes()).into_owned());
        let made = make_directories(&place.without_links, root);
        made.map_err(about(&shown))?;
        let below = place.without_links.at(root).map_err(about(&shown))?;
        limited(Arc::new(below), settings.quota).map_err(about(&shown))
    }
}

fn limited(storage: Arc<dyn Storage>, quota: Option<Size>) -> io::Result<Arc<dyn Storage>> {
    Ok(match quota {
        Some(Size(octets)) => Arc::new(Quota::new(storage, octets)?),
        None => storage,
    })
}

/// A directory of the host, read-only without settings.
#[cfg(unix)]
fn on_disk(path: &Path, settings: Option<&StorageSettings>) -> io::Result<Arc<dyn Storage>> {
    use crate::storage::{AbortedUpload, DiskStorage, Durability};
    let Some(settings) = settings else {
        return Ok(Arc::new(DiskStorage::open_read_only(path)?));
    };
    let mut disk = DiskStorage::open(path)?;
    if settings.keep_aborted_uploads {
        disk = disk.aborted(AbortedUpload::Keep);
    }
    if settings.sync_uploads {
        disk = disk.durability(Durability::AtCommit);
    }
    Ok(Arc::new(disk))
}

#[cfg(not(unix))]
fn on_disk(_: &Path, _: Option<&StorageSettings>) -> io::Result<Arc<dyn Storage>> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "directories are served on Unix only; a `seed` works everywhere",
    ))
}
