//! The lenient reply reader: it reports faults instead of repairing them, and shares no code with any server.

/// One reply as the server sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The code; 0 where there were no three digits.
    pub code: u16,
    /// The lines without line ends, code and separator included.
    pub lines: Vec<Vec<u8>>,
    /// Exactly the octets that were read.
    pub octets: Vec<u8>,
    /// What is wrong with it.
    pub faults: Vec<ReplyFault>,
}
impl Reply {
    /// The lines without code and separator, joined by newlines.
    #[must_use]
    pub fn text(&self) -> String {
        unimplemented!("helper C")
    }
}
/// What can be wrong with a reply's form (RFC 959 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyFault {
    /// A line ended in LF alone.
    BareLf,
}
/// Cuts octets into replies.
#[derive(Debug, Default)]
pub struct ReplyReader {}
impl ReplyReader {
    /// Takes octets that arrived.
    pub fn push(&mut self, octets: &[u8]) {
        let _ = octets;
        unimplemented!("helper C")
    }
    /// The next whole reply.
    pub fn next_reply(&mut self) -> Option<Reply> {
        unimplemented!("helper C")
    }
    /// What arrived and is no whole reply yet.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        unimplemented!("helper C")
    }
}
