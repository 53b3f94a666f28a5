//! The data connections of the scripted server.

use super::Delivery;
use super::stream::Stream;
use crate::data::Data;
use crate::driver::listen;
use crate::transcript::{CloseKind, End, Side};
use rustls::ServerConfig;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// A port of ours, and the corresponding port in the transcript.
struct Passive {
    announced: u16,
    listener: TcpListener,
}

/// The data connection of one scripted control connection.
pub(super) struct DataSide {
    on: IpAddr,
    owner: IpAddr,
    delivery: Delivery,
    tls: Arc<ServerConfig>,
    listener: Option<Passive>,
    /// The listeners of earlier 227 or 229 replies. Connections to them are accepted and not used.
    earlier: Option<Passive>,
    active: Option<SocketAddr>,
    stream: Option<Stream>,
}

impl DataSide {
    /// Listens on `on` for data connections from `owner`.
    pub(super) fn new(
        on: IpAddr,
        owner: IpAddr,
        delivery: Delivery,
        tls: Arc<ServerConfig>,
    ) -> Self {
        Self {
            on,
            owner,
            delivery,
            tls,
            listener: None,
            earlier: None,
            active: None,
            stream: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Records the address in the client's PORT or EPRT.
    pub(super) fn heard(&mut self, octets: &[u8]) {
        for line in String::from_utf8_lossy(octets).lines() {
            let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
            let named = match verb.to_ascii_uppercase().as_str() {
                "PORT" => host_port(argument),
                "EPRT" => extended(argument),
                _ => None,
            };
            self.active = named.or(self.active);
        }
    }

    /// Replaces the address in a 227 or 229 with that of a listener of ours; any other reply is
    /// unchanged.
    pub(super) async fn announce(
        &mut self,
        octets: &[u8],
        local: SocketAddr,
    ) -> io::Result<Vec<u8>> {
        let text = String::from_utf8_lossy(octets).into_owned();
        let (Some(open), Some(close)) = (text.find('('), text.rfind(')')) else {
            return Ok(octets.to_vec());
        };
        let inside = text.get(open + 1..close).unwrap_or_default();
        // An invalid address is the fault of a mutant and is sent unchanged.
        let passive = match text.get(..3) {
            Some("227") => host_port(inside).map(|address| address.port()),
            Some("229") => extended_port(inside),
            _ => None,
        };
        let Some(announced) = passive else {
            return Ok(octets.to_vec());
        };
        let listener = listen((self.on, 0).into())?;
        let port = listener.local_addr()?.port();
        let passive = Passive {
            announced,
            listener,
        };
        self.earlier = self.listener.replace(passive);
        self.active = None;
        let odd = self.delivery.odd_addresses;
        let inside = match (text.starts_with("229"), local.ip()) {
            (false, IpAddr::V4(ip)) => {
                let [a, b, c, d] = ip.octets();
                format!("{a},{b},{c},{d},{},{}", port >> 8, port & 255)
            }
            _ if odd => format!("!!!{port}!"),
            _ => format!("|||{port}|"),
        };
        if odd && octets.starts_with(b"227") {
            return Ok(format!("227 Try {inside} for once\r\n").into_bytes());
        }
        Ok(format!("{}{inside}{}", &text[..=open], &text[close..]).into_bytes())
    }

    /// Opens the data connection as the client prepared it; if it is passive, on the port that
    /// corresponds to the one of `peer` in the transcript.
    pub(super) async fn open(&mut self, peer: &str) -> io::Result<()> {
        let at = peer.parse().ok().map(|at: SocketAddr| at.port());
        let earlier = self.earlier.as_ref();
        let earlier = earlier.filter(|passive| Some(passive.announced) == at);
        let last = self.listener.as_ref();
        let passive = last.filter(|passive| Some(passive.announced) == at || earlier.is_none());
        let stream = match (self.active.take(), passive.or(earlier)) {
            (Some(address), _) => TcpStream::connect(address).await?,
            (None, Some(Passive { listener, .. })) => loop {
                let (stream, from) = listener.accept().await?;
                // A third party (RFC 2577 §4) is not part of the transcript.
                if from.ip() == self.owner {
                    break stream;
                }
            },
            (None, None) => return Err(io::ErrorKind::NotConnected.into()),
        };
        self.stream = Some(Stream::Clear(stream));
        Ok(())
    }

    /// Performs the TLS handshake with the certificate of the control connection, or with a new
    /// one.
    pub(super) async fn handshake(&mut self, same: bool) -> io::Result<()> {
        let stream = self.stream.take().ok_or(io::ErrorKind::NotConnected)?;
        let tls = if same {
            Arc::clone(&self.tls)
        } else {
            Arc::new(super::certificate()?)
        };
        self.stream = Some(stream.start_tls(&tls).await?);
        Ok(())
    }

    /// Reads as many octets as the client of the transcript sent.
    pub(super) async fn take(&mut self, count: u64) -> io::Result<()> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let mut left = count;
        let mut piece = vec![0; 64 * 1024];
        while left > 0 {
            let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            match stream.read(&mut piece[..most]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                got => left -= got as u64,
            }
        }
        Ok(())
    }

    pub(super) async fn give(&mut self, octets: &Data) -> io::Result<()> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        // The first octets suffice; more would only take time.
        let slow = if self.delivery.bytewise { 64 } else { 0 };
        for octet in octets.slice(0..slow).joined().chunks(1) {
            stream.write(octet).await?;
        }
        for piece in octets.slice(slow..u64::MAX).pieces() {
            stream.write(&piece).await?;
        }
        Ok(())
    }

    /// Ends the data connection as it ended in the transcript.
    pub(super) async fn end(&mut self, end: End) -> io::Result<()> {
        let Some(mut stream) = self.stream.take() else {
            return Ok(());
        };
        match (end.by, end.how) {
            (Side::Client, _) => {
                // The client ends it: wait for that, so that the next reply comes after the end.
                let mut rest = [0; 4096];
                while stream.read(&mut rest).await.is_ok_and(|got| got > 0) {}
                Ok(())
            }
            (Side::Server, CloseKind::Clean) => stream.shutdown().await,
            (Side::Server, CloseKind::NoCloseNotify) => Ok(()),
            (Side::Server, CloseKind::Reset) => stream.reset(),
        }
    }

    /// Ends the data connection; a listener stays open until the scripted server stops.
    pub(super) async fn listen_on(&mut self) {
        self.stream = None;
        if self.listener.is_some() {
            std::future::pending::<()>().await;
        }
    }

    /// Closes the listener, so that later connections are refused.
    pub(super) fn refuse(&mut self) {
        self.listener = None;
    }
}

/// `h1,h2,h3,h4,p1,p2` (RFC 959 §5.3.2).
fn host_port(argument: &str) -> Option<SocketAddr> {
    let numbers: Vec<u8> = argument
        .split(',')
        .map(|number| number.trim().parse().ok())
        .collect::<Option<_>>()?;
    let [a, b, c, d, high, low] = numbers[..] else {
        return None;
    };
    Some((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into())
}

/// `|||port|` (RFC 2428 §3).
fn extended_port(text: &str) -> Option<u16> {
    text.strip_prefix("|||")?.strip_suffix('|')?.parse().ok()
}

/// `<d>protocol<d>address<d>port<d>` (RFC 2428 §2).
fn extended(argument: &str) -> Option<SocketAddr> {
    let delimiter = argument.chars().next()?;
    let mut fields = argument.split(delimiter).skip(2);
    let ip: IpAddr = fields.next()?.parse().ok()?;
    Some((ip, fields.next()?.parse().ok()?).into())
}
