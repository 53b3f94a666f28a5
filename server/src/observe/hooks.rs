//! What an embedder may have a say in: who connects, what is done, what is announced.

use std::fmt;
use std::future::ready;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;

use crate::observe::journal::{EventKind, without_secrets};
use crate::wire::{CommandLine, Reply, Verb};

pub use crate::observe::sessions::SessionInfo;

/// A decision that may take its time: other sessions go on meanwhile.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Called when things happen. Every method has a default that changes nothing.
///
/// Where several hooks are given, they are asked in turn, and the first that has something to say wins.
pub trait Hooks: Send + Sync + fmt::Debug + 'static {
    /// A client has connected (and shaken hands, with implicit TLS). It has not been greeted yet.
    fn connected<'a>(&'a self, session: &'a SessionInfo) -> BoxFuture<'a, Greeting> {
        let _ = session;
        Box::pin(ready(Greeting::Usual))
    }

    /// Decides about a command before anything else is done with it, whoever is logged in. A
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

    /// A command was done and answered; a transfer has ended.
    fn after(&self, session: &SessionInfo, command: &Request, reply: &Reply) {
        let _ = (session, command, reply);
    }

    /// A login was decided: the text of the reply, if not the usual one. Its code stays.
    fn login(&self, session: &SessionInfo, user: &[u8], granted: bool) -> Option<String> {
        let _ = (session, user, granted);
        None
    }

    /// The address a 227 names, if not that of the control connection: behind NAT, what the client sees from outside.
    fn public_address<'a>(&'a self, session: &'a SessionInfo) -> BoxFuture<'a, Option<Ipv4Addr>> {
        let _ = session;
        Box::pin(ready(None))
    }

    /// Something happened: the events of the journal as they come, whether there is one or not. Transfers, logins and
    /// the end of the session are among them.
    fn event(&self, session: &SessionInfo, what: &EventKind) {
        let _ = (session, what);
    }
}

/// What a client that has connected is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// The greeting of the server.
    Usual,
    /// 220 with this text, which may have more than one line.
    Greeting(String),
    /// This reply, 421 or another of 4yz and 5yz, and the end.
    Refuse(Reply),
}

/// What becomes of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandAction {
    /// It is done as ever.
    Proceed,
    /// It is not done; this is the reply. A code that does not end a command (RFC 959 §4.2) becomes 451.
    Reply(Reply),
    /// It is not done; this is the reply, and the end of the session.
    Close(Reply),
}

impl CommandAction {
    /// A reply with this code and text, which may have more than one line, instead of doing it.
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

    /// The verb; `None` if it is none that any RFC knows.
    #[must_use]
    pub fn verb(&self) -> Option<Verb> {
        self.verb
    }

    /// The whole line, without its line end. What is or may be a password is `***`.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// What stands behind the one space after the verb.
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
    pub(crate) tell: F,
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
            (self.tell)(session, command, reply);
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
