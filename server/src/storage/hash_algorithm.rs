//! The digests of HASH and their names (draft-bryan-ftpext-hash-02 §3.1).

/// A digest algorithm of HASH (draft-bryan-ftpext-hash-02 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum HashAlgorithm {
    /// `SHA-256`, the default.
    #[default]
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

impl HashAlgorithm {
    /// All of them, in the order of FEAT.
    pub const ALL: [Self; 5] = [
        Self::Sha256,
        Self::Sha512,
        Self::Sha1,
        Self::Md5,
        Self::Crc32,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
            Self::Sha1 => "SHA-1",
            Self::Md5 => "MD5",
            Self::Crc32 => "CRC32",
        }
    }

    /// The algorithm of that name, in any case.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().as_bytes().eq_ignore_ascii_case(name))
    }
}
