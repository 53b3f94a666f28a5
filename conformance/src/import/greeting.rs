//! Whether a TCP connection is the control connection of an FTP session.

use std::net::SocketAddr;

use super::session::TLS_HANDSHAKE;
use super::stream::{End, Piece, What};

/// Octets of either side that are looked at.
const LOOKED_AT: usize = 4096;
/// The first commands of FTP clients that no other protocol with a 220 greeting has.
const FIRST_COMMANDS: [&[u8]; 9] = [
    b"USER ",
    b"FEAT\r",
    b"HOST ",
    b"SYST\r",
    b"CLNT ",
    b"OPTS ",
    b"AUTH TLS",
    b"AUTH SSL",
    b"LANG",
];

/// What is known of a connection.
pub(super) struct Look<'a> {
    pub(super) ends: [SocketAddr; 2],
    /// Ports at which FTP servers listen.
    pub(super) ports: &'a [u16],
    /// Who connected.
    pub(super) connecting: Option<End>,
    pub(super) pieces: &'a [Piece],
}

/// What a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guess {
    /// A control connection.
    Ftp {
        /// The end of the client.
        client: End,
    },
    /// TLS from the first octet, at a port of FTP servers.
    Encrypted,
    /// Another protocol, at a port of FTP servers.
    Other,
    /// It may be a data connection, or too little is known.
    Undecided,
}

impl Look<'_> {
    /// At a port of FTP servers everything is FTP that begins so. Elsewhere a 220 is needed, and
    /// after it a command of FTP: SMTP begins with 220, too.
    pub(super) fn guess(&self) -> Guess {
        let listening = match self.connecting {
            Some(client) => self.is_ftp_port(1 - client).then_some(1 - client),
            None => (0..2).find(|end| self.is_ftp_port(*end)),
        };
        match listening {
            Some(server) => self.at_ftp_port(server),
            None => self.by_greeting(),
        }
    }

    fn is_ftp_port(&self, end: End) -> bool {
        self.ports.contains(&self.ends[end].port())
    }

    fn at_ftp_port(&self, server: End) -> Guess {
        let (said, sent) = (self.octets(server), self.octets(1 - server));
        match (said.first(), sent.first()) {
            (None, None) => Guess::Undecided,
            (None, Some(&TLS_HANDSHAKE)) => Guess::Encrypted,
            // Replies begin with a digit; a capture that begins in mid-session, in the middle of
            // one.
            (Some(b'1'..=b'6'), _) | (None, Some(b'A'..=b'Z' | b'a'..=b'z' | 0xff)) => {
                Guess::Ftp { client: 1 - server }
            }
            (Some(_), Some(_)) if self.began_earlier() && has_command(&sent) => {
                Guess::Ftp { client: 1 - server }
            }
            (Some(_), None) if self.began_earlier() && said.len() < LOOKED_AT => Guess::Undecided,
            _ => Guess::Other,
        }
    }

    fn by_greeting(&self) -> Guess {
        let first = self
            .pieces
            .iter()
            .find(|piece| matches!(piece.what, What::Octets(_)));
        let Some(server) = first.map(|piece| piece.from) else {
            return Guess::Undecided;
        };
        let is_greeting = self.octets(server).starts_with(b"220")
            && self.connecting.is_none_or(|client| client != server);
        match is_greeting && has_command(&self.octets(1 - server)) {
            true => Guess::Ftp { client: 1 - server },
            false => Guess::Undecided,
        }
    }

    fn began_earlier(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| piece.what == What::BeganEarlier)
    }

    /// The first octets of one end.
    fn octets(&self, from: End) -> Vec<u8> {
        let mut octets = Vec::new();
        for piece in self.pieces.iter().filter(|piece| piece.from == from) {
            if octets.len() >= LOOKED_AT {
                break;
            }
            if let What::Octets(more) = &piece.what {
                octets.extend_from_slice(&more[..more.len().min(LOOKED_AT)]);
            }
        }
        octets
    }
}

fn has_command(octets: &[u8]) -> bool {
    let upper = octets[..octets.len().min(16)].to_ascii_uppercase();
    FIRST_COMMANDS
        .iter()
        .any(|command| upper.starts_with(command))
}
