//! What a server may send, at most. All of it is kept until it is judged, so none of it is endless.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A limit on what a server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Octets of one transfer.
    Data,
    /// Octets of one reply.
    Reply,
    /// Replies on one control connection.
    Replies,
    /// Octets of all replies on one control connection.
    ReplyOctets,
    /// Lines of all replies on one control connection.
    ReplyLines,
    /// Octets nothing in the scenario called for, on all its connections.
    Scenario,
}

/// A limit that the server exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excess {
    /// Which.
    pub limit: Limit,
    /// How much the runner takes.
    pub most: u64,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.limit {
            Limit::Data => "octets of data in one transfer",
            Limit::Reply => "octets in one reply",
            Limit::Replies => "replies on one control connection",
            Limit::ReplyOctets => "octets of replies on one control connection",
            Limit::ReplyLines => "lines of replies on one control connection",
            Limit::Scenario => "octets in one scenario that nothing in it called for",
        };
        write!(f, "the server sent more than {} {of}", self.most)
    }
}
