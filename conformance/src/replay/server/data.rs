//! The data connections of a stand-in for a server.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::data::{Data, Gatherer};
use crate::driver::port_argument;
use crate::proxy::Stream;
use crate::transcript::CloseKind;

/// Octets a client may send beyond those of the recording.
const SURPLUS: u64 = 1 << 20;
/// Octets that are read at a time.
const PIECE: usize = 64 << 10;

/// A data port that was agreed upon.
#[derive(Debug)]
pub(super) enum Port {
    /// None.
    None,
    /// The client connects to us.
    Passive(JoinHandle<Result<Stream, String>>),
    /// We connect to the client.
    Active(SocketAddr),
}

impl Port {
    /// Waits for a client at this address, and for its TLS handshake: some clients shake hands
    /// before they send the command.
    pub(super) fn passive(
        listener: TcpListener,
        client: IpAddr,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        Self::Passive(tokio::spawn(async move {
            loop {
                let accepted = listener.accept().await;
                let (tcp, from) = accepted.map_err(|error| error.to_string())?;
                if from.ip().to_canonical() == client.to_canonical() {
                    return protected(tcp, tls).await;
                }
            }
        }))
    }

    /// The data connection, once it stands.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn open(
        self,
        tls: Option<Arc<ServerConfig>>,
        patience: Duration,
    ) -> Result<Stream, String> {
        match self {
            Self::None => Err("no data port was agreed upon".into()),
            Self::Passive(mut task) => match timeout(patience, &mut task).await {
                Ok(opened) => opened.map_err(|error| error.to_string())?,
                Err(_) => {
                    task.abort();
                    Err("the client did not connect to the data port".into())
                }
            },
            Self::Active(address) => {
                let opening = async {
                    let tcp = TcpStream::connect(address).await;
                    protected(tcp.map_err(|error| error.to_string())?, tls).await
                };
                timeout(patience, opening)
                    .await
                    .map_err(|_| format!("the client's data port {address} does not answer"))?
            }
        }
    }

    /// Nobody waits for it any more.
    pub(super) fn close(&mut self) {
        if let Self::Passive(task) = std::mem::replace(self, Self::None) {
            task.abort();
        }
    }
}

async fn protected(tcp: TcpStream, tls: Option<Arc<ServerConfig>>) -> Result<Stream, String> {
    tcp.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut stream = Stream::Clear(tcp);
    if let Some(config) = tls {
        stream.accept_tls(&config, true).await?;
    }
    Ok(stream)
}

/// Sends octets. Returns how many, and why no more.
pub(super) async fn give(
    stream: &mut Stream,
    octets: &Data,
    patience: Duration,
) -> Result<(), (u64, String)> {
    let mut sent = 0;
    for piece in octets.pieces() {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let writing = poll_fn(|context| stream.poll_write(context, rest));
            let written = match timeout(patience, writing).await {
                Ok(Ok(written)) => written,
                Ok(Err(error)) => return Err((sent, error.to_string())),
                Err(_) => return Err((sent, "the client does not read".into())),
            };
            rest = &rest[written..];
            sent += written as u64;
        }
    }
    match timeout(patience, poll_fn(|context| stream.poll_flush(context))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err((sent, error.to_string())),
        Err(_) => Err((sent, "the client does not read".into())),
    }
}

/// Receives octets into `got` up to their end, and says how that was.
///
/// # Errors
/// In words, when none come or too many.
pub(super) async fn take(
    stream: &mut Stream,
    got: &mut Gatherer<'_>,
    expected: u64,
    patience: Duration,
) -> Result<CloseKind, String> {
    let mut piece = vec![0; PIECE];
    loop {
        let reading = poll_fn(|context| stream.poll_read(context, &mut piece));
        match timeout(patience, reading).await {
            Ok(Ok(octets)) => {
                got.take(&piece[..octets]);
            }
            Ok(Err(how)) => return Ok(how),
            Err(_) => return Err("the client sends no more, and does not end".into()),
        }
        if got.len() > expected + SURPLUS {
            return Err(format!("the client sends more than {} octets", got.len()));
        }
    }
}

/// Ends our direction, and reads what the client still sends: octets that are not read would turn
/// the end into a reset.
pub(super) async fn end(mut stream: Stream, how: CloseKind, patience: Duration) {
    let ending = poll_fn(|context| stream.poll_end(context, how));
    let _gone = timeout(patience, ending).await;
    tokio::spawn(timeout(patience, async move {
        let mut unread = [0; 4096];
        while poll_fn(|context| stream.poll_read(context, &mut unread))
            .await
            .is_ok()
        {}
    }));
}

/// The recorded 227 or 229 with the address of our port; `None` where it names none, or cannot.
pub(super) fn with_address(reply: &[u8], ours: SocketAddr) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(reply).ok()?;
    let (range, address) = if text.starts_with("227") {
        (six_numbers(text)?, port_argument(ours)?)
    } else {
        let open = text.find('(')? + 1;
        let end = open + text[open..].find(')')?;
        let delimiter = text[open..end].chars().next()?;
        (
            open..end,
            format!(
                "{delimiter}{delimiter}{delimiter}{}{delimiter}",
                ours.port()
            ),
        )
    };
    Some(format!("{}{address}{}", &text[..range.start], &text[range.end..]).into_bytes())
}

/// Where the six numbers of a 227 are, after the code.
fn six_numbers(text: &str) -> Option<std::ops::Range<usize>> {
    let is_part = |octet: &u8| octet.is_ascii_digit() || *octet == b',';
    let octets = text.as_bytes();
    let mut at = 4;
    while at < octets.len() {
        let length = octets[at..]
            .iter()
            .take_while(|octet| is_part(octet))
            .count();
        if text[at..at + length]
            .split(',')
            .filter(|it| !it.is_empty())
            .count()
            == 6
        {
            let run = text[at..at + length].trim_matches(',');
            let start = at + text[at..at + length].find(run)?;
            return Some(start..start + run.len());
        }
        at += length.max(1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    None
}

/// Listens for a data connection at the address of the control connection.
pub(super) fn listen(mut on: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    on.set_port(0);
    let listener = crate::driver::listen(on)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "227 Entering Passive Mode (10,0,0,1,4,5).\r\n",
        Some("227 Entering Passive Mode (127,0,0,1,1,2).\r\n")
    )]
    #[case("227 =1,2,3,4,5,6\r\n", Some("227 =127,0,0,1,1,2\r\n"))]
    #[case("227 ü 1,2,3 1,2,3,4,5,6\r\n", Some("227 ü 1,2,3 127,0,0,1,1,2\r\n"))]
    #[case("229 x (|||9999|)\r\n", Some("229 x (|||258|)\r\n"))]
    #[case("229 x (!!!9999!)\r\n", Some("229 x (!!!258!)\r\n"))]
    #[case("227 nothing\r\n", None)]
    #[case("229 nothing\r\n", None)]
    fn a_recorded_reply_names_our_port(#[case] recorded: &str, #[case] live: Option<&str>) {
        let ours = SocketAddr::from(([127, 0, 0, 1], 258));
        let reply = with_address(recorded.as_bytes(), ours);
        assert_eq!(reply.as_deref(), live.map(str::as_bytes));
    }
}
