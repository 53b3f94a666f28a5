//! The list of sessions, and what embedders can see of each.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::SystemTime;

use crate::auth::User;
use crate::observe::hooks::HookList;
use crate::observe::journal::{
    CloseReason, DataMode, EventKind, Journal, open_part, without_secrets,
};
use crate::observe::tap::{
    Channel, ChannelId, OpenChannel, SharedTap, Side, StreamEnd, TlsFacts, WireFact,
};
use crate::storage::VirtualPath;
use crate::wire::Reply;

/// The most of a CLNT argument that is kept.
const MAX_CLIENT: usize = 256;

/// A snapshot of a session; [`now`](Self::now) takes another.
#[derive(Clone)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Which session of this server, counted from 1. The journal uses the same number.
    pub id: u64,
    /// The client's address.
    pub peer: SocketAddr,
    /// The address of the server that it connected to.
    pub local: SocketAddr,
    /// When it connected.
    pub since: SystemTime,
    /// The user who is logged in.
    pub user: Option<String>,
    /// The working directory of that user.
    pub path: Option<VirtualPath>,
    /// The name that the client gave itself with CLNT.
    pub client: Option<Vec<u8>>,
    /// TLS of the control connection; `None` while it is in the clear.
    pub tls: Option<TlsFacts>,
    /// Whether data connections are to be protected (PROT P).
    pub protects_data: bool,
    /// The verb of the last command, in capitals; `None` if it cannot be a verb.
    pub last_command: Option<String>,
    /// Which side made the last data connection.
    pub data_mode: Option<DataMode>,
    record: Arc<SessionRecord>,
}

impl SessionInfo {
    /// Ends the session: a running transfer is aborted, and the client gets 421.
    pub fn close(&self) {
        let mut facts = self.record.facts();
        facts.closed_by_operator = true;
        if let Some(waker) = facts.waker.take() {
            drop(facts);
            waker.wake();
        }
    }

    /// The same session as it is now.
    #[must_use]
    pub fn now(&self) -> Self {
        self.record.info()
    }

    /// Keeps a value with the session, one of each type, and returns the one it replaces. It is
    /// there for every hook of the session, and dropped with it.
    pub fn set_extra<T: Any + Clone + Send + Sync>(&self, value: T) -> Option<T> {
        let mut facts = self.record.facts();
        let extras = facts.extras.get_or_insert_default();
        let before = extras.insert(TypeId::of::<T>(), Box::new(value))?;
        // Dropped without the lock: dropping runs code of the embedder.
        drop(facts);
        before.downcast().ok().map(|before| *before)
    }

    /// A copy of the value of this type that was [kept](Self::set_extra) with the session.
    #[must_use]
    pub fn extra<T: Any + Clone + Send + Sync>(&self) -> Option<T> {
        let facts = self.record.facts();
        let extra = facts.extras.as_ref()?.get(&TypeId::of::<T>())?;
        extra.downcast_ref().cloned()
    }

    /// Changes the working directory of the session before the next command is carried out; called
    /// in [`Hooks::before`](crate::Hooks::before), that is the command being decided about. Whether
    /// the directory exists is not checked. Without a login it has no effect.
    pub fn set_directory(&self, path: VirtualPath) {
        self.record.facts().new_directory = Some(path);
        self.record.has_new_directory.store(true, Ordering::Release);
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.record.over.load(Ordering::Acquire)
    }
}

impl fmt::Debug for SessionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionInfo")
            .field("id", &self.id)
            .field("peer", &self.peer)
            .field("user", &self.user)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// All sessions of a server.
#[derive(Debug, Default)]
pub(crate) struct SessionList(Mutex<BTreeMap<u64, Arc<SessionRecord>>>);

impl SessionList {
    /// The sessions, the oldest first.
    pub(crate) fn sessions(&self) -> Vec<SessionInfo> {
        self.records().values().map(SessionRecord::info).collect()
    }

    /// Adds a session; it is removed when the guard is dropped.
    pub(crate) fn enter(
        self: &Arc<Self>,
        id: u64,
        (local, peer): (SocketAddr, SocketAddr),
        observers: &Observers,
    ) -> SessionGuard {
        let record = Arc::new(SessionRecord {
            id,
            local,
            peer,
            since: SystemTime::now(),
            last_verb: AtomicU64::new(0),
            order: AtomicU64::new(0),
            over: AtomicBool::new(false),
            has_new_directory: AtomicBool::new(false),
            facts: Mutex::default(),
            control: Channel::new(id, ChannelId::Control, observers.tap.clone()),
            data_connections: AtomicU64::new(0),
            observers: observers.clone(),
        });
        self.records().insert(id, Arc::clone(&record));
        record.control.opened(Side::Client, peer, local);
        record.note(|| EventKind::Connected { peer, local });
        SessionGuard {
            list: Arc::clone(self),
            record,
        }
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<SessionRecord>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session of the list.
#[derive(Debug)]
pub(crate) struct SessionGuard {
    list: Arc<SessionList>,
    pub(crate) record: Arc<SessionRecord>,
}

impl std::ops::Deref for SessionGuard {
    type Target = Arc<SessionRecord>;

    fn deref(&self) -> &Arc<SessionRecord> {
        &self.record
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.record.control.ended(Side::Server, StreamEnd::Closed);
        self.record.end(CloseReason::Cut);
        self.list.records().remove(&self.record.id);
    }
}

/// What is known of a session, and its observers.
pub(crate) struct SessionRecord {
    id: u64,
    /// The address of the server that the client connected to.
    pub(crate) local: SocketAddr,
    /// The client's address.
    pub(crate) peer: SocketAddr,
    since: SystemTime,
    /// The last verb, one octet for each letter: cheap to update with every command.
    last_verb: AtomicU64,
    /// Events so far.
    order: AtomicU64,
    over: AtomicBool,
    /// Whether [`Facts::new_directory`] holds a directory.
    has_new_directory: AtomicBool,
    facts: Mutex<Facts>,
    /// The control connection, for the tap.
    pub(crate) control: Channel,
    /// Data connections so far.
    data_connections: AtomicU64,
    observers: Observers,
}

/// The journal, the tap and the hooks of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observers {
    pub(crate) journal: Option<Journal>,
    pub(crate) tap: SharedTap,
    pub(crate) hooks: HookList,
}

#[derive(Default)]
struct Facts {
    user: Option<String>,
    path: Option<VirtualPath>,
    client: Option<Box<[u8]>>,
    tls: Option<Box<TlsFacts>>,
    protects_data: bool,
    data_mode: Option<DataMode>,
    closed_by_operator: bool,
    waker: Option<Waker>,
    /// What hooks keep with the session.
    extras: Option<Box<Extras>>,
    /// The working directory that an embedder has set.
    new_directory: Option<VirtualPath>,
}

/// One value of each type.
type Extras = HashMap<TypeId, Box<dyn Any + Send + Sync>>;

impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRecord")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl SessionRecord {
    /// Reports an event to the hooks and the journal. Without both, the event is not even built.
    pub(crate) fn note(self: &Arc<Self>, what: impl FnOnce() -> EventKind) {
        let Observers { journal, hooks, .. } = &self.observers;
        if journal.is_none() && hooks.is_empty() {
            return;
        }
        let what = what();
        if !hooks.is_empty() {
            let info = self.info();
            for hook in hooks.iter() {
                hook.event(&info, &what);
            }
        }
        if let Some(journal) = journal {
            let order = self.order.fetch_add(1, Ordering::Relaxed) + 1;
            journal.record(self.id, order, what);
        }
    }

    /// Notes a line of the client.
    pub(crate) fn note_line(self: &Arc<Self>, line: &[u8]) {
        // Without a space after it a password would be a part of the verb.
        let verb = open_part(line)
            .split(|octet| *octet == b' ')
            .next()
            .unwrap_or_default();
        self.last_verb.store(packed(verb), Ordering::Relaxed);
        if verb.eq_ignore_ascii_case(b"CLNT") && line.len() > 5 {
            let end = line.len().min(5 + MAX_CLIENT);
            self.facts().client = Some(line[5..end].into());
        }
        self.note(|| EventKind::Command {
            line: without_secrets(line),
        });
    }

    /// Notes a reply.
    pub(crate) fn note_reply(self: &Arc<Self>, reply: &Reply) {
        self.note(|| {
            let mut text = Vec::new();
            for line in reply.lines() {
                if !text.is_empty() {
                    text.push(b'\n');
                }
                text.extend_from_slice(line);
                if text.len() > crate::observe::journal::MAX_TEXT {
                    text.truncate(crate::observe::journal::MAX_TEXT);
                    break;
                }
            }
            EventKind::Reply {
                code: reply.code.0,
                text,
            }
        });
    }

    /// Notes the end, once.
    pub(crate) fn end(self: &Arc<Self>, reason: CloseReason) {
        if !self.over.swap(true, Ordering::AcqRel) {
            self.note(|| EventKind::Closed { reason });
        }
    }

    /// Publishes the login and the protection of data connections.
    pub(crate) fn update(&self, login: Option<(&User, &VirtualPath)>, protects_data: bool) {
        let mut facts = self.facts();
        facts.protects_data = protects_data;
        match login {
            Some((user, path)) => {
                if (facts.user.as_ref()).is_none_or(|name| *name != user.name) {
                    facts.user = Some(user.name.clone());
                }
                if facts.path.as_ref() != Some(path) {
                    facts.path = Some(path.clone());
                }
            }
            None => {
                facts.user = None;
                facts.path = None;
            }
        }
    }

    /// The control connection is protected from here on.
    pub(crate) fn tls_started(self: &Arc<Self>, facts: TlsFacts) {
        self.control.report(WireFact::TlsStarted(&facts));
        self.facts().tls = Some(Box::new(facts.clone()));
        self.note(|| EventKind::TlsStarted(Box::new(facts)));
    }

    /// The control connection could not be protected.
    pub(crate) fn tls_failed(self: &Arc<Self>, error: &io::Error) {
        self.control.handshake_failed(error);
        self.note(|| EventKind::HandshakeFailed {
            error: error.to_string(),
        });
    }

    /// The control connection is in the clear again.
    pub(crate) fn tls_ended(self: &Arc<Self>) {
        self.control.report(WireFact::TlsEnded);
        self.facts().tls = None;
        self.note(|| EventKind::TlsEnded);
    }

    /// A data connection is open: its channel, with the next number.
    pub(crate) fn open_data(
        &self,
        by: Side,
        client: SocketAddr,
        server: SocketAddr,
    ) -> OpenChannel {
        let number = self.data_connections.fetch_add(1, Ordering::Relaxed) + 1;
        let tap = self.observers.tap.clone();
        let channel = Channel::new(self.id, ChannelId::Data(number), tap);
        channel.opened(by, client, server);
        OpenChannel(Arc::new(channel))
    }

    pub(crate) fn set_data_mode(&self, mode: DataMode) {
        self.facts().data_mode = Some(mode);
    }

    /// Takes the working directory that an embedder has set.
    pub(crate) fn take_directory(&self) -> Option<VirtualPath> {
        if !self.has_new_directory.load(Ordering::Acquire) {
            return None;
        }
        let mut facts = self.facts();
        self.has_new_directory.store(false, Ordering::Release);
        facts.new_directory.take()
    }

    /// Whether the session is to be closed; otherwise `cx` is woken when it is.
    pub(crate) fn poll_closed_by_operator(&self, cx: &Context<'_>) -> bool {
        let mut facts = self.facts();
        if !facts.closed_by_operator
            && !facts
                .waker
                .as_ref()
                .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            facts.waker = Some(cx.waker().clone());
        }
        facts.closed_by_operator
    }

    /// The verb of the last command, in capitals.
    pub(crate) fn last_verb(&self) -> Option<String> {
        let octets = self.last_verb.load(Ordering::Relaxed).to_be_bytes();
        let verb: String = octets
            .iter()
            .filter(|octet| **octet != 0)
            .copied()
            .map(char::from)
            .collect();
        (!verb.is_empty()).then_some(verb)
    }

    pub(crate) fn hooks(&self) -> &HookList {
        &self.observers.hooks
    }

    /// Whether the digests of transfers are wanted.
    pub(crate) fn hashes(&self) -> bool {
        let journal = self.observers.journal.as_ref();
        journal.is_some_and(Journal::hashes)
    }

    pub(crate) fn info(self: &Arc<Self>) -> SessionInfo {
        let facts = self.facts();
        SessionInfo {
            id: self.id,
            peer: self.peer,
            local: self.local,
            since: self.since,
            user: facts.user.clone(),
            path: facts.path.clone(),
            client: facts.client.as_ref().map(|client| client.to_vec()),
            tls: facts.tls.as_deref().cloned(),
            protects_data: facts.protects_data,
            last_command: self.last_verb(),
            data_mode: facts.data_mode,
            record: Arc::clone(self),
        }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Up to eight letters and digits as a number; 0 for what cannot be a verb.
fn packed(verb: &[u8]) -> u64 {
    if verb.len() > 8 || !verb.iter().all(u8::is_ascii_alphanumeric) {
        return 0;
    }
    verb.iter().fold(0, |sum, octet| {
        sum << 8 | u64::from(octet.to_ascii_uppercase())
    })
}
