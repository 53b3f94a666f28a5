//! Strict decoders for the transmission modes that encode data.

mod block;
mod compressed;
mod zlib;

use serde::Serialize;

/// The maximum decoded length: that of a content in the scenario language.
const LIMIT: usize = 64 << 20;

/// An encoding of a transmission mode.
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

    /// The keyword in scenarios.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Compressed => "compressed",
            Self::Zlib => "zlib",
        }
    }

    /// The name of the encoded data, for messages.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Compressed => "compressed data",
            Self::Zlib => "one zlib stream",
        }
    }

    /// Decodes the octets.
    ///
    /// # Errors
    /// Why the octets are invalid, as text.
    pub fn decoded(self, octets: &[u8]) -> Result<Vec<u8>, &'static str> {
        match self {
            Self::Blocks => block::joined(octets),
            Self::Compressed => compressed::expanded(octets),
            Self::Zlib => zlib::inflated(octets),
        }
    }
}
