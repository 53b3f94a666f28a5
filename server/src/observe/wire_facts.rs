//! The vocabulary of what happens on a connection, shared by the [journal](super::journal) and the
//! [tap](super::tap).

use rustls::{HandshakeKind, ServerConnection};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::text::{hexadecimal, optional_octets};

/// One of the two ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The FTP server, whichever side opened the connection.
    Server,
    /// The FTP client.
    Client,
}

/// Who makes data connections (RFC 959 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DataMode {
    /// The server connects: PORT, EPRT.
    Active,
    /// The client connects: PASV, EPSV.
    Passive,
}

/// How one side ended what it sends on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StreamEnd {
    /// FIN, on a connection in the clear.
    Fin,
    /// close_notify, on a connection protected by TLS; FIN follows.
    CloseNotify,
    /// FIN without close_notify, on a connection protected by TLS.
    MissingCloseNotify,
    /// RST. It ends both directions.
    Reset,
    /// The server closed the connection because nothing had moved for too long.
    TimedOut,
    /// The server closed both directions at once, without close_notify: the transfer or the session
    /// was broken off. The TCP stack sends FIN, or RST if octets of the client were unread.
    Closed,
}

impl StreamEnd {
    /// Whether the receiver can distinguish this end from a loss of data: FIN in the clear,
    /// close_notify under TLS.
    #[must_use]
    pub fn is_orderly(self) -> bool {
        matches!(self, Self::Fin | Self::CloseNotify)
    }
}

/// What was agreed in a TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TlsFacts {
    /// `TLSv1_2`, `TLSv1_3`.
    pub version: String,
    /// The cipher suite.
    pub suite: String,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The name the client asked for (SNI).
    pub name: Option<String>,
    /// The application protocol (ALPN).
    #[serde(serialize_with = "optional_octets")]
    pub alpn: Option<Vec<u8>>,
    /// SHA-256 over the client's certificate in DER, as hexadecimal digits.
    pub client_certificate: Option<String>,
}

impl TlsFacts {
    /// The facts of a connection that is protected.
    pub(crate) fn of(tls: &ServerConnection) -> Self {
        let certificate = tls.peer_certificates().and_then(<[_]>::first);
        Self {
            version: format!(
                "{:?}",
                tls.protocol_version()
                    .unwrap_or(rustls::ProtocolVersion::Unknown(0))
            ),
            suite: tls
                .negotiated_cipher_suite()
                .map_or_else(String::new, |suite| format!("{:?}", suite.suite())),
            resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
            name: tls.server_name().map(Into::into),
            alpn: tls.alpn_protocol().map(<[u8]>::to_vec),
            client_certificate: certificate.map(|der| hexadecimal(&Sha256::digest(der))),
        }
    }
}
