//! Work that the server-PI requests from its caller. Each question knows the type of its answer and
//! the continuation, so the caller can neither return a wrong answer nor decide anything. The
//! server-PI itself does no I/O: a [`StorageWork`] calls the storage only when the caller runs it.

use super::{Session, StorageWork};
use crate::auth::{CertificateClaim, Credentials, Denied, Permissions, User};
use crate::storage::{Storage, VirtualPath};
use crate::wire::{Completion, Links, Lister, ListingFormat, OperatorFacts, Verb};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

/// The result of a received line.
#[must_use]
#[derive(Debug)]
pub enum Step {
    /// The command is finished: send this reply and read on.
    Reply(Completion),
    /// Send this reply, then change the control connection or its data port.
    ReplyThen(Completion, Control),
    /// The command needs work outside the session: do it, then give the answer back.
    Ask(Box<Work>),
    /// RETR, STOR, STOU, APPE, LIST, NLST and MLSD: carry out the transfer, then give its end back.
    Transfer(Box<TransferQuestion>),
}

/// A question whose answer is the end of the transfer, and whose result is the completion reply.
pub type TransferQuestion = Question<Transfer, TransferEnd, Completion>;

/// What happens to the connections of a session after a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Start the TLS handshake (RFC 4217 §4). Octets already received after the command are
    /// discarded, and the data port is dropped. Then call [`Session::tls_established`].
    StartTls,
    /// Return to clear text (CCC, RFC 4217 §5; REIN, RFC 4217 §13) after this reply, which is still
    /// protected. The data port is dropped.
    EndTls,
    /// Close the control connection (QUIT, too many failures).
    Close,
    /// Close the listener and any data connection waiting on it (ABOR, REIN, a new PORT).
    DropDataPort,
}

/// The result of a line received during a transfer (RFC 959 §4.1.3: ABOR, STAT, QUIT are let
/// through).
#[must_use]
#[derive(Debug)]
pub enum DuringTransfer {
    /// Send this reply at once.
    Reply(Completion),
    /// Abort the transfer; send its completion, then this reply to ABOR itself.
    Abort(Completion),
    /// Keep the event until the transfer has ended, then pass it to [`Session::receive`].
    Queue,
}

/// A question to the caller that knows the type of its answer.
pub struct Question<Q, A, R = Step> {
    /// What is asked.
    pub about: Q,
    then: Then<Q, A, R>,
}

type Then<Q, A, R> = Box<dyn FnOnce(&mut Session, Q, A) -> R + Send>;

impl<Q, A, R> Question<Q, A, R> {
    /// A question `about` something, which continues with `then`.
    pub(super) fn new(
        about: Q,
        then: impl FnOnce(&mut Session, Q, A) -> R + Send + 'static,
    ) -> Self {
        Self {
            about,
            then: Box::new(then),
        }
    }

    /// Continues with the answer.
    pub fn answer(self, session: &mut Session, answer: A) -> R {
        (self.then)(session, self.about, answer)
    }
}

impl<Q: std::fmt::Debug, A, R> std::fmt::Debug for Question<Q, A, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.about.fmt(f)
    }
}

/// A path in a user's storage.
#[derive(Debug, Clone)]
pub struct StoragePath {
    /// The user's files.
    pub storage: Arc<dyn Storage>,
    /// The path in it.
    pub path: VirtualPath,
}

/// Everything that the server-PI can request.
#[derive(Debug)]
pub enum Work {
    /// USER and PASS.
    Authenticate(Question<Credentials, Result<User, Denied>>),
    /// USER with a client certificate: whether it is sufficient.
    Recognize(Question<CertificateClaim, Result<User, Denied>>),
    /// AUTH TLS: prepare the handshake. The answer is whether a certificate is available.
    PrepareTls(Question<(), bool>),
    /// PASV, EPSV: listen for one data connection, replacing any earlier listener.
    Listen(Question<Listen, io::Result<SocketAddr>>),
    /// Work on a storage.
    Storage(StorageWork),
    /// The octets that a RETR would send in this coding, if the file has to be read for it (RFC
    /// 3659 §4).
    CodedSize(Question<(StoragePath, Coding), io::Result<u64>>),
    /// STAT with a pathname: the listing, as lines without line ends.
    ListLines(Question<Listing, io::Result<Vec<Vec<u8>>>>),
}

/// A listener for one data connection.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// The server address that the control connection reached, in its zone: the listener uses it
    /// too. The port is ignored.
    pub on: SocketAddr,
    /// Only connections from this peer are accepted (RFC 2577 §3). The port is ignored.
    pub from: SocketAddr,
}

/// One transfer over the data connection.
#[derive(Debug)]
pub struct Transfer {
    /// The command that began it.
    pub verb: Verb,
    /// The data to be moved.
    pub content: Content,
    /// The largest upload in octets; more is reported as `FileTooLarge` of the storage.
    pub largest: u64,
    /// How the data connection is opened.
    pub port: DataPort,
    /// Whether the data connection is protected (PROT P).
    pub protected: bool,
    /// How file content is encoded.
    pub coding: Coding,
}

/// The data of a transfer.
#[derive(Debug, Clone)]
pub enum Content {
    /// RETR: file content from `offset` on, in octets of the file as stored.
    Retrieve {
        /// The file.
        at: StoragePath,
        /// The restart marker.
        offset: u64,
    },
    /// RETR after RANG.
    RetrieveRange {
        /// The file.
        at: StoragePath,
        /// The octets.
        range: Range<u64>,
    },
    /// STOR, APPE after RANG.
    StoreRange {
        /// The file.
        at: StoragePath,
        /// The octets; the upload must have exactly this many.
        range: Range<u64>,
    },
    /// STOR, APPE.
    Store {
        /// The file.
        at: StoragePath,
        /// How it is opened.
        how: crate::storage::OpenWrite,
    },
    /// STOU: a new file in this directory.
    StoreUnique {
        /// The directory, or the requested name.
        at: StoragePath,
    },
    /// LIST, NLST, MLSD.
    List(Listing),
}

impl Content {
    /// The pathname of the file or directory; for STOU, the requested one.
    #[must_use]
    pub fn path(&self) -> &VirtualPath {
        match self {
            Self::Retrieve { at, .. }
            | Self::RetrieveRange { at, .. }
            | Self::Store { at, .. }
            | Self::StoreRange { at, .. }
            | Self::StoreUnique { at } => &at.path,
            Self::List(listing) => &listing.at.path,
        }
    }

    /// Whether the data comes from the client.
    #[must_use]
    pub fn is_upload(&self) -> bool {
        match self {
            Self::Retrieve { .. } | Self::RetrieveRange { .. } | Self::List(_) => false,
            Self::Store { .. } | Self::StoreRange { .. } | Self::StoreUnique { .. } => true,
        }
    }
}

/// A listing of the entries of a directory that [`Lister::shows`], or of a single file.
///
/// The lines are written by the [`Lister`](Self::lister): `dtp` calls `shows` for each entry of a
/// directory (never for a single file) and then `write`. The entry of a file has the last name of
/// `at.path`.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The directory or file.
    pub at: StoragePath,
    /// Only names that match this pattern (LIST and NLST globbing).
    pub pattern: Option<Vec<u8>>,
    /// NLST: octets before each name, so that RETR accepts the result (RFC 1123 §4.1.2.7).
    pub prefix: Vec<u8>,
    /// The format of the lines.
    pub format: ListingFormat,
    /// The permissions of the user, for the perm fact.
    pub permissions: Permissions,
    /// How symbolic links are shown.
    pub links: Links,
    /// Facts of files that the operator has configured.
    pub operator_facts: Option<Arc<OperatorFacts>>,
    /// The most entries; more is reported as `ArgumentListTooLong` of the storage.
    pub most: usize,
}

impl Listing {
    /// Creates the writer of the lines; `now` determines the format of dates in LIST.
    #[must_use]
    pub fn lister(&self, now: SystemTime) -> Lister {
        Lister {
            format: self.format,
            pattern: self.pattern.clone(),
            prefix: self.prefix.clone(),
            permissions: self.permissions,
            links: self.links,
            operator_facts: self.operator_facts.clone(),
            now,
        }
    }
}

/// How the data connection is opened (RFC 959 §3.2; the last of PORT, EPRT, PASV, EPSV counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataPort {
    /// None was set: 425. No [`Transfer`] has it.
    #[default]
    None,
    /// The server connects.
    Active(SocketAddr),
    /// The client connects to the listener.
    Passive,
}

/// How file content is encoded in the data: TYPE, STRU and MODE together (RFC 959 §3.1, §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coding {
    /// TYPE.
    pub representation: Representation,
    /// STRU.
    pub structure: Structure,
    /// MODE.
    pub mode: Mode,
    /// The number of octets of a file between two restart markers that are sent; only MODE B and C
    /// can carry them.
    pub markers: Option<NonZeroU64>,
}

impl Coding {
    /// Unchanged content, or with the line ends of TYPE A: the most frequent codings.
    #[must_use]
    pub const fn plain(representation: Representation) -> Self {
        Self {
            representation,
            structure: Structure::File,
            mode: Mode::Stream,
            markers: None,
        }
    }

    /// Whether it encodes nothing but the line ends of TYPE A.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.representation != Representation::Ebcdic
            && self.structure == Structure::File
            && self.mode == Mode::Stream
    }
}

/// TYPE: the representation of characters (RFC 959 §3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Representation {
    /// TYPE A: line ends are CRLF on the wire, LF in the file.
    #[default]
    Ascii,
    /// TYPE E: code page 037, line ends are NL on the wire, LF in the file.
    Ebcdic,
    /// TYPE I, TYPE L 8: unchanged.
    Image,
}

/// STRU: the structure of a file (RFC 959 §3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Structure {
    /// STRU F: octets.
    #[default]
    File,
    /// STRU R: records; each is a line in the file.
    Record,
}

/// MODE: the framing of the data (RFC 959 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// MODE S: record ends only.
    #[default]
    Stream,
    /// MODE B: headers.
    Block,
    /// MODE C: counts.
    Compressed,
    /// MODE Z: a zlib stream (draft-preston-ftpext-deflate).
    Deflate {
        /// 0 (fast) to 9 (small).
        level: u8,
    },
}

/// A restart marker that a client sent, and the corresponding offset for REST (RFC 959 §5.4, 110).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartMarker {
    /// The client's: printable octets.
    pub theirs: Box<[u8]>,
    /// The number of octets of the file that are stored permanently.
    pub ours: u64,
}

/// What is wrong with received data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// They do not conform to MODE and STRU.
    Form,
    /// There are octets after the end of the file.
    AfterTheEnd,
}

/// Which TLS session a data connection offered that resumed none. Of several, the last of these
/// counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionOffered {
    /// None.
    None,
    /// One that the server does not know, or no longer. TLS 1.2 clients that also support 1.3
    /// invent one.
    Unknown,
    /// That of another control connection.
    Foreign,
    /// That of its control connection, but with another server name or cipher suite.
    Own,
}

/// How a transfer ended.
#[derive(Debug)]
pub enum TransferEnd {
    /// Everything was moved; a stored file is committed.
    Complete {
        /// Octets over the data connection.
        octets: u64,
    },
    /// The file could not be opened; no preliminary reply was sent.
    NotOpened(io::Error),
    /// No data connection came about; the preliminary reply was sent.
    NoConnection,
    /// The data connection's TLS handshake failed.
    NoProtection,
    /// The data connection had to resume the TLS session of its control connection and did not.
    NotResumed(SessionOffered),
    /// The client certificate differs from that of the control connection.
    OtherClient,
    /// The data connection was lost, or an upload ended without close_notify.
    ConnectionLost,
    /// The data do not conform to MODE and STRU; nothing after the last restart marker was stored.
    Malformed(Malformed),
    /// ABOR.
    Aborted,
    /// The storage failed during the transfer, or at commit.
    StorageFailed(io::Error),
}
