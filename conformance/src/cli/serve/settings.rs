//! The settings of a server, from the options of `serve` and the settings file.

use super::args::{Serve, set};
use super::{about, complain};
use ftpspec_server::DotNames;
use ftpspec_server::auth::Secret;
use ftpspec_server::fault::Plan;
use ftpspec_server::settings::{Settings, UserSettings};
use std::io;
use std::net::SocketAddr;

/// The default user, and its password if only this machine can connect.
const DEFAULT_LOGIN: (&str, &str) = ("test", "test");
/// The letters of a random password, without those that look alike.
const PASSWORD_LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// The length of a random password: 100 bits.
const PASSWORD_LENGTH: usize = 20;

impl Serve {
    /// The settings of the file, or the defaults, changed by the options. `passed` are the addresses
    /// of the sockets that were passed to the process.
    ///
    /// # Errors
    /// A file that cannot be read or is invalid, or options that contradict each other.
    pub(super) fn settings(self, passed: &[SocketAddr]) -> io::Result<Settings> {
        let mut settings = match &self.config {
            Some(file) => Settings::read(file).map_err(io::Error::other)?,
            None => Settings::default(),
        };
        self.set_addresses(&mut settings, passed);
        self.set_users(&mut settings, passed)?;
        if self.anonymous {
            settings.anonymous.get_or_insert_default();
        }
        let storage = &mut settings.storage;
        if self.root.is_some() || self.overlay.is_some() || self.seed.is_some() {
            storage.directory = self.root;
            storage.overlay = self.overlay;
            storage.seed = self.seed;
        }
        set(&mut storage.quota, self.quota.map(Some));
        if self.hide_dot_names {
            settings.dot_names = DotNames::Hidden;
        }
        set(&mut settings.links, self.links);
        settings.disable.extend(self.disable);
        settings
            .proxy_protocol_from
            .extend(self.proxy_protocol_from);
        if !self.passive_ports.is_empty() {
            settings.passive.ports = Some(self.passive_ports);
        }
        let limits = &mut settings.limits;
        set(&mut limits.sessions, self.max_sessions);
        set(&mut limits.sessions_per_address, self.max_per_ip);
        set(&mut limits.idle, self.idle);
        set(&mut limits.failed_logins, self.login_attempts);
        settings.faults.extend(self.fault);
        for path in &self.fault_file {
            let text = std::fs::read_to_string(path).map_err(|error| about(&error, path))?;
            let plan = Plan::from_toml(&text);
            let plan = plan.map_err(|error| about(&io::Error::other(error), path))?;
            settings.faults.extend(plan.faults);
        }
        set(&mut settings.journal, self.journal.map(Some));
        self.tls.set(&mut settings.tls);
        match settings.check().into_iter().next() {
            None => Ok(settings),
            Some(error) => Err(io::Error::other(error)),
        }
    }

    fn set_addresses(&self, settings: &mut Settings, passed: &[SocketAddr]) {
        if !passed.is_empty() {
            settings.listen.clear();
            settings.port = 0;
            let names = passed.iter().map(|address| address.ip().to_string());
            settings.tls.names.extend(names);
        } else if !self.bind.is_empty() {
            let port = self.port.unwrap_or(settings.port);
            let addresses = self.bind.iter().map(|address| address.with_port(port));
            settings.listen = addresses.collect();
            settings.port = 0;
            let names = self.bind.iter().map(|address| address.ip().to_string());
            settings.tls.names.extend(names);
        } else if let Some(port) = self.port {
            if settings.listen.is_empty() {
                settings.port = port;
            }
            for address in &mut settings.listen {
                address.set_port(port);
            }
        }
    }

    /// Replaces the users of the file by those of the options, and adds the certificates. The
    /// well-known default password is used only if no other machine can connect.
    fn set_users(&self, settings: &mut Settings, passed: &[SocketAddr]) -> io::Result<()> {
        let default = [(DEFAULT_LOGIN.0.to_owned(), None)];
        let users = match &self.user[..] {
            // A settings file names its users.
            [] if self.config.is_some() => &[],
            [] => &default[..],
            users => users,
        };
        if !users.is_empty() {
            let configured = settings.listen.iter().chain(&settings.listen_implicit);
            let mut addresses = configured.chain(passed);
            let is_local = addresses.all(|address| address.ip().to_canonical().is_loopback());
            let default_password = match &self.password {
                Some(password) => password.clone(),
                None if is_local => DEFAULT_LOGIN.1.to_owned(),
                None => random_password()?,
            };
            let without_password = users.iter().filter(|(_, password)| password.is_none());
            let names: Vec<&str> = without_password.map(|(name, _)| name.as_str()).collect();
            if self.password.is_none() && !is_local && !names.is_empty() {
                complain(&format!(
                    "other machines can connect, so the password of {} is random; it is printed \
                     on stdout. --user NAME:PASSWORD or FTPSPEC_PASSWORD sets one",
                    names.join(", ")
                ));
            }
            let users = users.iter().map(|(name, password)| {
                let password = password.as_ref().unwrap_or(&default_password);
                UserSettings::new(name, Secret::new(password.clone()))
            });
            settings.users = users.collect();
        }
        for (name, rule) in &self.tls.user_cert {
            match settings.users.iter_mut().find(|user| user.name == *name) {
                Some(user) => user.certificates.push(rule.clone()),
                None => settings.users.push(UserSettings {
                    name: name.clone(),
                    certificates: vec![rule.clone()],
                    ..UserSettings::default()
                }),
            }
        }
        Ok(())
    }
}

fn random_password() -> io::Result<String> {
    let mut octets = [0; PASSWORD_LENGTH];
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let filled = provider.secure_random.fill(&mut octets);
    filled.map_err(|_| io::Error::other("the system has no random numbers"))?;
    let letter = |octet: u8| char::from(PASSWORD_LETTERS[usize::from(octet % 32)]);
    Ok(octets.map(letter).iter().collect())
}
