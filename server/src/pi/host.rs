//! HOST: selects one of several virtual hosts (RFC 7151).

use super::login::Login;
use super::{Decision, Session, Step, VirtualHost, greeting};
use crate::auth::Authenticator;
use crate::wire::{Completion, HostName, Language, done};
use std::sync::Arc;

/// The host that the client selected. Most clients never do, so the session keeps it in a box.
#[derive(Debug, Default)]
pub(super) struct Hosting {
    /// What HOST named.
    named: Option<Named>,
    /// What the TLS handshake named (server_name, RFC 6066 §3).
    server_name: Option<HostName>,
}

#[derive(Debug)]
struct Named {
    name: HostName,
    /// Which of the virtual hosts; `None` is the server itself.
    index: Option<usize>,
}

impl Session {
    /// Sets the host that the client named in the TLS handshake. HOST may name no other (RFC 7151
    /// §3.2.2).
    pub fn server_name(&mut self, name: Option<&str>) {
        let name = name.and_then(|name| HostName::parse(name.as_bytes()));
        if name.is_some() || self.hosting.is_some() {
            self.hosting.get_or_insert_default().server_name = name;
        }
    }

    /// The host that HOST selected, if any: certificates are chosen by it (RFC 7151 §4).
    #[must_use]
    pub fn host(&self) -> Option<&HostName> {
        Some(&self.hosting.as_ref()?.named.as_ref()?.name)
    }

    /// The authenticator of the selected host, if it has its own.
    #[must_use]
    pub fn authenticator(&self) -> Option<&Arc<dyn Authenticator>> {
        self.virtual_host()?.authenticator.as_ref()
    }

    /// HOST. The last one before the login counts. It resets the language (RFC 2640 §4.1).
    pub(super) fn choose_host(&mut self, name: HostName) -> Decision {
        if let Login::In(_) = self.login {
            return Err(done(503, "HOST must precede the login."));
        }
        let hosting = self.hosting.as_deref();
        if let Some(sni) = hosting.and_then(|hosting| hosting.server_name.as_ref())
            && *sni != name
        {
            return Err(done(
                504,
                "The host differs from the one named in the TLS handshake.",
            ));
        }
        let mut names = self.setup.hosts.iter().map(|(name, _)| name);
        let index = names.position(|known| *known == name);
        if index.is_none() && !self.is_own(&name) {
            return Err(done(504, "Unknown host."));
        }
        self.parameters.language = Language::default();
        self.hosting.get_or_insert_default().named = Some(Named { name, index });
        let text = match self.virtual_host() {
            Some(host) => host.greeting.as_ref(),
            None => Some(&self.setup.greeting),
        };
        Ok(Step::Reply(match (text, self.host()) {
            (None, Some(name)) => done(220, format!("Welcome to {name}.")),
            (text, _) => Completion(greeting(text.map_or("", |text| text))),
        }))
    }

    /// REIN: the state before any HOST (RFC 7151 §3.2.1).
    pub(super) fn forget_host(&mut self) {
        if let Some(hosting) = &mut self.hosting {
            hosting.named = None;
        }
    }

    /// Refuses a login to one host after the handshake showed the certificate of another.
    pub(super) fn refuse_two_hosts(&self) -> Result<(), Completion> {
        match self.hosting.as_deref() {
            Some(Hosting {
                named: Some(named),
                server_name: Some(sni),
            }) if named.name != *sni => Err(done(
                503,
                "HOST and the TLS handshake name different hosts; send HOST again.",
            )),
            _ => Ok(()),
        }
    }

    fn virtual_host(&self) -> Option<&VirtualHost> {
        let index = self.hosting.as_ref()?.named.as_ref()?.index?;
        self.setup.hosts.get(index).map(|(_, host)| host)
    }

    /// Whether it is the name of the server itself, or the address that the client connected to.
    fn is_own(&self, name: &HostName) -> bool {
        match name {
            HostName::Domain(name) => self.setup.host.eq_ignore_ascii_case(name),
            HostName::Address(address) => *address == self.local,
        }
    }
}
