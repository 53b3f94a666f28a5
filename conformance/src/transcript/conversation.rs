//! Commands and the replies they got, paired.
use super::{Reply, Transcript};
use crate::scenario::Connection;

/// The exchanges of one control connection.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Which.
    pub connection: Connection,
    /// The greeting, as an exchange without command, then every command in order.
    pub exchanges: Vec<Exchange>,
}
/// A command line as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The verb in capitals.
    pub verb: String,
    /// What stands behind the first space.
    pub argument: Option<Vec<u8>>,
}
/// One command and its replies.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// `None` for the greeting.
    pub command: Option<Command>,
    /// The line of the scenario.
    pub line: u32,
    /// Preliminary replies and the completion, with the index of the event each came in.
    pub replies: Vec<(usize, Reply)>,
}
impl Conversation {
    /// Pairs what was sent with what was received, for each control connection.
    #[must_use]
    pub fn all(transcript: &Transcript) -> Vec<Self> {
        let _ = transcript;
        unimplemented!("helper C")
    }
}
