//! Transmission modes that code the data: read strictly, as a client that trusts nobody has to.

mod block;
mod compressed;
mod zlib;

use serde::Serialize;

/// More is not made of what came: as much as a content of the scenario language can have.
const LIMIT: usize = 64 << 20;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Coding {
    /// MODE B (RFC 959 §3.4.2).
    Blocks,
    /// MODE C (RFC 959 §3.4.3) in type Image, in which the filler is zero.
    Compressed,
    /// One whole stream of MODE Z (RFC 1950).
    Zlib,
}

impl Coding {
    /// Every coding.
    pub const ALL: [Self; 3] = [Self::Blocks, Self::Compressed, Self::Zlib];

    /// Its word in scenarios.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Compressed => "compressed",
            Self::Zlib => "zlib",
        }
    }

    /// What it makes of data, for a sentence.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Compressed => "compressed data",
            Self::Zlib => "one zlib stream",
        }
    }

    /// What these octets stand for.
    ///
    /// # Errors
    /// Why they are none of it, in words.
    pub fn decoded(self, octets: &[u8]) -> Result<Vec<u8>, &'static str> {
        match self {
            Self::Blocks => block::joined(octets),
            Self::Compressed => compressed::expanded(octets),
            Self::Zlib => zlib::inflated(octets),
        }
    }
}
