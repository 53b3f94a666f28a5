//! The grammar of the control connection: octets to lines, lines to commands, replies to octets (RFC 959 §4.2, §5.3).
//! Pure: no socket, no file, no clock.

mod reply;

pub use reply::{Completion, Preliminary, Reply, ReplyCode, done};

/// Digests HASH can take (draft-bryan-ftpext-hash-02 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// `SHA-256`, the default.
    Sha256,
    /// `SHA-512`
    Sha512,
    /// `SHA-1`
    Sha1,
    /// `MD5`
    Md5,
    /// `CRC32`
    Crc32,
}

/// How a listing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingFormat {
    /// LIST and STAT: like `ls -l`; with `.`-names too if `all`.
    Long {
        /// Names that begin with a dot are shown too.
        all: bool,
    },
    /// NLST: names that RETR takes; `prefix` as the client named the directory.
    Names {
        /// Names that begin with a dot are shown too.
        all: bool,
    },
    /// MLSD: facts.
    Facts(Facts),
}

/// Which MLSx facts are sent (RFC 3659 §7.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// `type=`
    pub kind: bool,
    /// `size=`
    pub size: bool,
    /// `modify=`
    pub modify: bool,
    /// `create=`
    pub create: bool,
    /// `perm=`
    pub perm: bool,
    /// `unique=`
    pub unique: bool,
    /// `UNIX.mode=`
    pub unix_mode: bool,
}
