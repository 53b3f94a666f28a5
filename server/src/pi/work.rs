//! What the server-PI asks of the outside world. Each question knows the type of its answer and what follows from it,
//! so the shell cannot hand back the wrong one or decide anything.

use super::Session;
use crate::auth::{CertificateClaim, Credentials, Denied, Permissions, User};
use crate::storage::{Described, Digest, Metadata, Storage, VirtualPath};
use crate::wire::{Completion, FactChanges, Links, Lister, ListingFormat, OperatorFacts, Verb};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

/// What a received line leads to.
#[must_use]
#[derive(Debug)]
pub enum Step {
    /// The command is finished: send this and read on.
    Reply(Completion),
    /// Send this, then change the control connection or its data port.
    ReplyThen(Completion, Control),
    /// The command needs work outside the session: do it, then give the answer back.
    Ask(Box<Work>),
    /// RETR, STOR, STOU, APPE, LIST, NLST and MLSD: carry out the transfer, then give its end back.
    Transfer(Box<TransferQuestion>),
}

/// A transfer whose end leads to its completion reply.
pub type TransferQuestion = Question<Transfer, TransferEnd, Completion>;

/// What happens to the connections of a session after a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Shake hands (RFC 4217 §4). Octets already received behind the command are thrown away, and the data port is
    /// dropped. Then [`Session::tls_established`].
    StartTls,
    /// Back to clear text (CCC, RFC 4217 §5; REIN, RFC 4217 §13), after this reply, which goes out protected. The data
    /// port is dropped.
    EndTls,
    /// Close the control connection (QUIT, too many failures).
    Close,
    /// Close the listener and any data connection waiting on it (ABOR, REIN, a new PORT).
    DropDataPort,
}

/// What comes of a line received while a transfer runs (RFC 959 §4.1.3: ABOR, STAT, QUIT are let through).
#[must_use]
#[derive(Debug)]
pub enum DuringTransfer {
    /// Answer at once.
    Reply(Completion),
    /// End the transfer; its completion is sent, then this one for ABOR itself.
    Abort(Completion),
    /// Keep the event for when the transfer has ended; then [`Session::receive`] it.
    Queue,
}

/// A question for the outside world that knows the type of its answer.
pub struct Question<Q, A, R = Step> {
    /// What is asked.
    pub about: Q,
    then: Then<Q, A, R>,
}

type Then<Q, A, R> = Box<dyn FnOnce(&mut Session, Q, A) -> R + Send>;

impl<Q, A, R> Question<Q, A, R> {
    /// Asks `about`, and goes on with `then` when answered.
    pub(super) fn new(
        about: Q,
        then: impl FnOnce(&mut Session, Q, A) -> R + Send + 'static,
    ) -> Self {
        Self {
            about,
            then: Box::new(then),
        }
    }

    /// Goes on with the answer.
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
    /// Where.
    pub path: VirtualPath,
}

/// Everything the server-PI can ask for.
#[derive(Debug)]
pub enum Work {
    /// USER and PASS.
    Authenticate(Question<Credentials, Result<User, Denied>>),
    /// USER with a client certificate: is it enough?
    Recognize(Question<CertificateClaim, Result<User, Denied>>),
    /// AUTH TLS: get ready for the handshake. Whether there is a certificate to show.
    PrepareTls(Question<(), bool>),
    /// PASV, EPSV: listen for one data connection, in place of any earlier listener.
    Listen(Question<Listen, io::Result<SocketAddr>>),
    /// What stands there; a link is followed.
    Stat(Question<StoragePath, io::Result<Metadata>>),
    /// What the name is described as: of a link that leads to nothing, the link.
    Describe(Question<StoragePath, io::Result<Described>>),
    /// Octets a RETR would send in this coding, where the file has to be read for it (RFC 3659 §4).
    CodedSize(Question<(StoragePath, Coding), io::Result<u64>>),
    /// SITE MKDIR: a directory and those it is in, as far as they are missing.
    MakeDirectories(Question<StoragePath, io::Result<()>>),
    /// SITE SYMLINK: where to, at the place of the link.
    Symlink(Question<(StoragePath, Vec<u8>), io::Result<()>>),
    /// MKD.
    MakeDirectory(Question<StoragePath, io::Result<()>>),
    /// RMD.
    RemoveDirectory(Question<StoragePath, io::Result<()>>),
    /// RMDA: a directory with all that is in it.
    RemoveSubtree(Question<StoragePath, io::Result<()>>),
    /// DSIZ: octets of all files below a directory.
    SubtreeSize(Question<StoragePath, io::Result<u64>>),
    /// DELE.
    RemoveFile(Question<StoragePath, io::Result<()>>),
    /// RNTO: from, to.
    Rename(Question<(StoragePath, VirtualPath), io::Result<()>>),
    /// MFMT, MFCT, MFF.
    SetFacts(Question<(StoragePath, FactChanges), io::Result<()>>),
    /// STAT with a pathname: the listing, as lines without line ends.
    ListLines(Question<Listing, io::Result<Vec<Vec<u8>>>>),
    /// AVBL.
    Available(Question<StoragePath, io::Result<u64>>),
    /// ALLO: whether so many octets more can be stored there.
    Allocate(Question<(StoragePath, u64), io::Result<()>>),
    /// HASH: the digest over the octets from `start` to `end` (exclusive; `None` is the end of the file).
    Hash(Question<DigestRequest, io::Result<Digest>>),
    /// COMB: append the sources to the target, in order, then remove the sources.
    Combine(Question<Combine, io::Result<()>>),
}

/// A listener for one data connection.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    /// The address of ours that the client's control connection reached, in its zone: the listener
    /// is there too. The port means nothing.
    pub on: SocketAddr,
    /// Only this peer's connections count (RFC 2577 §3). The port means nothing.
    pub from: SocketAddr,
}

/// A digest that was asked for.
#[derive(Debug, Clone)]
pub struct DigestRequest {
    /// Which file.
    pub at: StoragePath,
    /// Which algorithm.
    pub algorithm: crate::storage::HashAlgorithm,
    /// From this octet.
    pub start: u64,
    /// Up to before this octet; `None` is the end of the file.
    pub end: Option<u64>,
}

/// Files to be combined.
#[derive(Debug, Clone)]
pub struct Combine {
    /// The target; appended to if it exists.
    pub target: StoragePath,
    /// The sources, in order.
    pub sources: Vec<VirtualPath>,
}

/// One transfer over the data connection.
#[derive(Debug)]
pub struct Transfer {
    /// The command that began it.
    pub verb: Verb,
    /// What is moved.
    pub content: Content,
    /// Octets that may be stored; with more, the storage has failed with `FileTooLarge`.
    pub largest: u64,
    /// Where the data connection comes from.
    pub port: DataPort,
    /// Whether the data connection is protected (PROT P), decided now.
    pub protected: bool,
    /// How file content becomes data octets.
    pub coding: Coding,
}

/// What a transfer moves.
#[derive(Debug, Clone)]
pub enum Content {
    /// RETR: file content from `offset` on, in octets of the file as stored.
    Retrieve {
        /// The file.
        at: StoragePath,
        /// The restart marker.
        offset: u64,
    },
    /// RETR behind RANG.
    RetrieveRange {
        /// The file.
        at: StoragePath,
        /// The octets.
        range: Range<u64>,
    },
    /// STOR, APPE behind RANG.
    StoreRange {
        /// The file.
        at: StoragePath,
        /// The octets; all of them must come.
        range: Range<u64>,
    },
    /// STOR, APPE.
    Store {
        /// The file.
        at: StoragePath,
        /// How.
        how: crate::storage::OpenWrite,
    },
    /// STOU: a new file in this directory.
    StoreUnique {
        /// The directory, or the wished name.
        at: StoragePath,
    },
    /// LIST, NLST, MLSD.
    List(Listing),
}

impl Content {
    /// The pathname of the file or directory; of STOU, the one that was asked for.
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

    /// Whether it comes from the client.
    #[must_use]
    pub fn is_upload(&self) -> bool {
        match self {
            Self::Retrieve { .. } | Self::RetrieveRange { .. } | Self::List(_) => false,
            Self::Store { .. } | Self::StoreRange { .. } | Self::StoreUnique { .. } => true,
        }
    }
}

/// A listing: of the entries of a directory that [`Lister::shows`], or of one file by itself.
///
/// The lines are written by the [`Lister`](Self::lister): `dtp` asks `shows` for each entry of a directory (never for
/// the one file) and then `write`. A file's entry has the last name of `at.path`.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The directory or file.
    pub at: StoragePath,
    /// Only names this pattern matches (LIST and NLST globbing).
    pub pattern: Option<Vec<u8>>,
    /// NLST: octets before each name, so that RETR takes the result (RFC 1123 §4.1.2.7).
    pub prefix: Vec<u8>,
    /// How it is written.
    pub format: ListingFormat,
    /// What the user may do, for the perm fact.
    pub permissions: Permissions,
    /// What is shown of symbolic links.
    pub links: Links,
    /// What whoever runs the server says of files.
    pub told: Option<Arc<OperatorFacts>>,
    /// How many entries it may have; with more, the storage has failed with `ArgumentListTooLong`.
    pub most: usize,
}

impl Listing {
    /// Writes the lines; `now` decides how LIST dates look.
    #[must_use]
    pub fn lister(&self, now: SystemTime) -> Lister {
        Lister {
            format: self.format,
            pattern: self.pattern.clone(),
            prefix: self.prefix.clone(),
            permissions: self.permissions,
            links: self.links,
            told: self.told.clone(),
            now,
        }
    }
}

/// Where the data connection comes from (RFC 959 §3.2; the last of PORT, EPRT, PASV, EPSV counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataPort {
    /// None was named: 425. No [`Transfer`] is asked for with it.
    #[default]
    None,
    /// We connect.
    Active(SocketAddr),
    /// The client connects to our listener.
    Passive,
}

/// How file content becomes data octets and back: TYPE, STRU and MODE together (RFC 959 §3.1, §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coding {
    /// TYPE.
    pub representation: Representation,
    /// STRU.
    pub structure: Structure,
    /// MODE.
    pub mode: Mode,
    /// How many octets of a file go between two restart markers that are sent; only MODE B and C can carry them.
    pub markers: Option<NonZeroU64>,
}

impl Coding {
    /// Content as it is, or with the line ends of TYPE A: what nearly every transfer is.
    #[must_use]
    pub const fn plain(representation: Representation) -> Self {
        Self {
            representation,
            structure: Structure::File,
            mode: Mode::Stream,
            markers: None,
        }
    }

    /// Whether it is, apart from the line ends of TYPE A, the file as it is.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.representation != Representation::Ebcdic
            && self.structure == Structure::File
            && self.mode == Mode::Stream
    }
}

/// TYPE: how octets stand for what they mean (RFC 959 §3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Representation {
    /// TYPE A: line ends are CRLF on the wire, LF in the file.
    #[default]
    Ascii,
    /// TYPE E: code page 037, line ends are NL on the wire, LF in the file.
    Ebcdic,
    /// TYPE I, TYPE L 8: as it is.
    Image,
}

/// STRU: what a file consists of (RFC 959 §3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Structure {
    /// STRU F: octets.
    #[default]
    File,
    /// STRU R: records; each is a line in the file.
    Record,
}

/// MODE: what goes over the data connection beside the octets (RFC 959 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// MODE S: nothing but record ends.
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

/// A restart marker that a client sent, and how REST names the same place here (RFC 959 §5.4, 110).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartMarker {
    /// The client's: printable octets.
    pub theirs: Box<[u8]>,
    /// Octets of the file that are stored for good.
    pub ours: u64,
}

/// What is wrong with data that were received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// They are not in the form that MODE and STRU prescribe.
    Form,
    /// They go on behind their end.
    BehindTheEnd,
}

/// Which TLS session a data connection that resumed none offered to resume. Of several, the last of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionOffered {
    /// None.
    None,
    /// One the server does not know, or no longer. TLS 1.2 clients that could speak 1.3 make one up.
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
    /// The data connection did not resume the TLS session of its control connection, but had to.
    NotResumed(SessionOffered),
    /// The data connection showed another client certificate than its control connection.
    OtherClient,
    /// The data connection broke off, or an upload ended without close_notify.
    ConnectionLost,
    /// What came is not what MODE and STRU prescribe; nothing was stored behind the last restart marker.
    Malformed(Malformed),
    /// ABOR.
    Aborted,
    /// The storage failed in the middle, or at commit.
    StorageFailed(io::Error),
}
