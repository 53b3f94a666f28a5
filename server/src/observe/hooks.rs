//! Hooks: what an embedder decides about connections, commands, replies and addresses.

use std::fmt;
use std::future::ready;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;

use crate::observe::journal::{EventKind, without_secrets};
use crate::wire::{CommandLine, Reply, Verb};

pub use crate::observe::sessions::SessionInfo;

/// A decision that may wait; other sessions go on meanwhile.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Called when things happen. Every method has a default that changes nothing.
///
/// Several hooks are asked in the order in which they were given; the first decision that differs
/// from the default is used.
pub trait Hooks: Send + Sync + fmt::Debug + 'static {
    /// Called after a client has connected (with implicit TLS after the handshake) and before the
    /// greeting.
    fn connected<'a>(&'a self, session: &'a SessionInfo) -> BoxFuture<'a, Greeting> {
        let _ = session;
        Box::pin(ready(Greeting::Usual))
    }

    /// Decides about a command before anything else is done with it, with or without a login. A
    /// transfer goes on while the hook decides about a command that is answered during it: ABOR,
    /// STAT, and NOOP with [`NoopInTransfer::AtOnce`](crate::NoopInTransfer).
    fn before<'a>(
        &'a self,
        session: &'a SessionInfo,
        command: &'a Request,
    ) -> BoxFuture<'a, CommandAction> {
        let _ = (session, command);
        Box::pin(ready(CommandAction::Proceed))
    }

    /// Called after a command was answered, for a transfer after its end.
    fn after(&self, session: &SessionInfo, command: &Request, reply: &Reply) {
        let _ = (session, command, reply);
    }

    /// Called after a login was decided; returns the text of the reply if it is not the usual one.
    /// The code stays.
    fn login(&self, session: &SessionInfo, user: &[u8], granted: bool) -> Option<String> {
        let _ = (session, user, granted);
        None
    }

    /// The address in a 227, if not that of the control connection: with NAT, the address that
    /// clients connect to.
    fn public_address<'a>(&'a self, session: &'a SessionInfo) -> BoxFuture<'a, Option<Ipv4Addr>> {
        let _ = session;
        Box::pin(ready(None))
    }

    /// Called with each event of the journal as it happens, with or without a journal: transfers,
    /// logins, the end of the session and others.
    fn event(&self, session: &SessionInfo, what: &EventKind) {
        let _ = (session, what);
    }
}

/// How a client is greeted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// The greeting of the server.
    Usual,
    /// 220 with this text, which may have more than one line.
    Greeting(String),
    /// This reply, 421 or another of 4yz and 5yz; then the connection is closed.
    Refuse(Reply),
}

/// What is done with a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandAction {
    /// It is carried out.
    Proceed,
    /// It is not carried out; this is the reply. A code that is not a completion (RFC 959 §4.2)
    /// becomes 451.
    Reply(Reply),
    /// It is not carried out; this is the reply, and the session ends.
    Close(Reply),
}

impl CommandAction {
    /// A reply with this code and text, which may have several lines, in place of the command.
    #[must_use]
    pub fn reply(code: u16, text: &str) -> Self {
        Self::Reply(Reply::text(code, text))
    }
}

/// A command as hooks see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    verb: Option<Verb>,
    line: Vec<u8>,
}

impl Request {
    pub(crate) fn new(line: &[u8]) -> Self {
        Self {
            verb: CommandLine::split(line).ok().map(|line| line.verb),
            line: without_secrets(line),
        }
    }

    /// The verb; `None` if no RFC defines it.
    #[must_use]
    pub fn verb(&self) -> Option<Verb> {
        self.verb
    }

    /// The whole line, without its line end. What is or may be a password is `***`.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// The argument: what follows the space after the verb.
    #[must_use]
    pub fn argument(&self) -> &[u8] {
        let space = self.line.iter().position(|octet| *octet == b' ');
        space.map_or(&[], |space| &self.line[space + 1..])
    }
}

/// The hooks of a server, in the order they are asked.
#[derive(Clone, Default)]
pub(crate) struct HookList(Option<Arc<Vec<Arc<dyn Hooks>>>>);

impl HookList {
    pub(crate) fn push(&mut self, hooks: Arc<dyn Hooks>) {
        Arc::make_mut(self.0.get_or_insert_default()).push(hooks);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Hooks>> {
        self.0.iter().flat_map(|hooks| hooks.iter())
    }
}

impl fmt::Debug for HookList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// [`ServerBuilder::before`](crate::ServerBuilder::before).
pub(crate) struct Before<F> {
    pub(crate) verbs: Vec<Verb>,
    pub(crate) decide: F,
}

impl<F> fmt::Debug for Before<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "before {:?}", self.verbs)
    }
}

impl<F> Hooks for Before<F>
where
    F: Fn(&SessionInfo, &Request) -> CommandAction + Send + Sync + 'static,
{
    fn before<'a>(
        &'a self,
        session: &'a SessionInfo,
        command: &'a Request,
    ) -> BoxFuture<'a, CommandAction> {
        let concerned = command
            .verb()
            .is_some_and(|verb| self.verbs.contains(&verb));
        Box::pin(ready(if concerned {
            (self.decide)(session, command)
        } else {
            CommandAction::Proceed
        }))
    }
}

/// [`ServerBuilder::after`](crate::ServerBuilder::after).
pub(crate) struct After<F> {
    pub(crate) verbs: Vec<Verb>,
    pub(crate) observe: F,
}

impl<F> fmt::Debug for After<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {:?}", self.verbs)
    }
}

impl<F> Hooks for After<F>
where
    F: Fn(&SessionInfo, &Request, &Reply) + Send + Sync + 'static,
{
    fn after(&self, session: &SessionInfo, command: &Request, reply: &Reply) {
        if command
            .verb()
            .is_some_and(|verb| self.verbs.contains(&verb))
        {
            (self.observe)(session, command, reply);
        }
    }
}

/// [`ServerBuilder::public_address_by`](crate::ServerBuilder::public_address_by).
pub(crate) struct PublicAddressBy<F>(pub(crate) F);

impl<F> fmt::Debug for PublicAddressBy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("public address by a function")
    }
}

impl<F, A> Hooks for PublicAddressBy<F>
where
    F: Fn(SessionInfo) -> A + Send + Sync + 'static,
    A: Future<Output = Option<Ipv4Addr>> + Send + 'static,
{
    fn public_address<'a>(&'a self, session: &'a SessionInfo) -> BoxFuture<'a, Option<Ipv4Addr>> {
        Box::pin((self.0)(session.clone()))
    }
}
