//! A data connection that misbehaves as planned.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::stream::DataStream;
use crate::fault::Action;

/// Rests of a slow connection in a second: few enough for a timer that counts milliseconds.
const RESTS: u64 = 20;
/// What is added behind the end.
const EXTRA: [u8; 4096] = [b'X'; 4096];

/// What is done to the data connection of one transfer.
#[derive(Debug, Default)]
pub(crate) struct DataFaults {
    /// It does not come about.
    pub(super) refuse: bool,
    /// It is not taken.
    pub(super) never_accept: bool,
    /// It must resume a TLS session.
    pub(super) require_reuse: bool,
    moves: Moves,
}

/// What is done while octets move.
#[derive(Debug, Default, Clone)]
struct Moves {
    stop: Option<(u64, Stop)>,
    truncate: Option<u64>,
    corrupt: Vec<u64>,
    extra: u64,
    /// Octets a second.
    rate: Option<u64>,
    no_close_notify: bool,
}

/// How it ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Stall,
    Reset,
    Close,
}

impl DataFaults {
    /// What of these actions is about data connections; `None` if nothing is.
    pub(crate) fn of(actions: &[Action]) -> Option<Box<Self>> {
        let mut faults = Self::default();
        let mut any = false;
        let moves = &mut faults.moves;
        for action in actions {
            match action {
                Action::Refuse => faults.refuse = true,
                Action::NeverAccept => faults.never_accept = true,
                Action::RequireSessionReuse => faults.require_reuse = true,
                Action::StallAt(octet) => moves.stop = Some((*octet, Stop::Stall)),
                Action::ResetAt(octet) => moves.stop = Some((*octet, Stop::Reset)),
                Action::CloseAt(octet) => moves.stop = Some((*octet, Stop::Close)),
                Action::TruncateTo(octets) => moves.truncate = Some(*octets),
                Action::CorruptOctet(octet) => moves.corrupt.push(*octet),
                Action::Extra(octets) => moves.extra += octets,
                Action::Slow(rate) => moves.rate = Some(*rate),
                Action::NoCloseNotify => moves.no_close_notify = true,
                _ => continue,
            }
            any = true;
        }
        any.then(|| Box::new(faults))
    }

    /// Puts the faults around a data connection.
    pub(super) fn spoil(self, stream: DataStream) -> DataStream {
        DataStream::Faulty(Box::new(FaultyStream {
            inner: Some(stream),
            moves: self.moves,
            moved: 0,
            rest: None,
        }))
    }
}

/// A data connection with faults around it. It counts the octets of whichever direction it is used in.
pub(crate) struct FaultyStream {
    /// `None` once it was closed before its time.
    inner: Option<DataStream>,
    moves: Moves,
    moved: u64,
    /// A slow connection rests.
    rest: Option<Pin<Box<Sleep>>>,
}

impl std::fmt::Debug for FaultyStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} with faults", self.inner)
    }
}

impl FaultyStream {
    /// The connection by itself, if it is still there.
    pub(super) fn into_inner(self) -> Option<DataStream> {
        self.inner
    }

    fn inner(&mut self) -> io::Result<Pin<&mut DataStream>> {
        let inner = self.inner.as_mut().map(Pin::new);
        inner.ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
    }

    /// How many of `octets` may be moved now, at least one.
    fn poll_allowance(&mut self, cx: &mut Context<'_>, octets: usize) -> Poll<io::Result<usize>> {
        if let Some(rest) = &mut self.rest {
            ready!(rest.as_mut().poll(cx));
            self.rest = None;
        }
        let mut allowed = octets;
        if let Some(rate) = self.moves.rate {
            let piece = (rate / RESTS).max(1);
            allowed = allowed.min(usize::try_from(piece).unwrap_or(allowed));
        }
        let Some((at, stop)) = self.moves.stop else {
            return Poll::Ready(Ok(allowed));
        };
        let left = at.saturating_sub(self.moved);
        if left > 0 {
            return Poll::Ready(Ok(usize::try_from(left).unwrap_or(allowed).min(allowed)));
        }
        match stop {
            // Whoever waits has a limit of their own.
            Stop::Stall => return Poll::Pending,
            Stop::Reset => {
                if let Some(stream) = self.inner.take() {
                    // Closing sends RST in place of FIN.
                    let _ = socket2::SockRef::from(stream.tcp()?).set_linger(Some(Duration::ZERO));
                }
            }
            Stop::Close => {
                if let Some(stream) = self.inner.take() {
                    stream.refuse();
                }
            }
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }

    /// Octets have moved: the counter, and the rest a slow connection takes.
    fn moved(&mut self, octets: usize) {
        self.moved += octets as u64;
        if let Some(rate) = self.moves.rate {
            let rest = Duration::from_secs(octets as u64) / u32::try_from(rate).unwrap_or(u32::MAX);
            self.rest = Some(Box::pin(tokio::time::sleep(rest)));
        }
    }

    /// Turns the lowest bit of the octets that are to be corrupted, where the first of `octets` is the next to move.
    fn corrupt(&self, octets: &mut [u8]) {
        for at in &self.moves.corrupt {
            let octet = at
                .checked_sub(self.moved)
                .and_then(|at| usize::try_from(at).ok());
            if let Some(octet) = octet.and_then(|at| octets.get_mut(at)) {
                *octet ^= 1;
            }
        }
    }
}

impl AsyncRead for FaultyStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if to.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            let allowed = ready!(this.poll_allowance(cx, to.remaining()))?;
            let mut part = to.take(allowed);
            ready!(this.inner()?.poll_read(cx, &mut part))?;
            let octets = part.filled().len();
            if octets == 0 {
                let extra = usize::try_from(this.moves.extra).unwrap_or(usize::MAX);
                let extra = extra.min(to.remaining()).min(EXTRA.len());
                this.moves.extra -= extra as u64;
                to.put_slice(&EXTRA[..extra]);
                return Poll::Ready(Ok(()));
            }
            this.corrupt(part.filled_mut());
            // What is cut off is read all the same, or closing would send a reset.
            let kept = match this.moves.truncate {
                Some(most) => {
                    let left = most.saturating_sub(this.moved);
                    usize::try_from(left).unwrap_or(octets).min(octets)
                }
                None => octets,
            };
            this.moved(octets);
            // The octets stand behind what was filled, in memory that the read has initialized.
            let kept_octets = part.filled()[..kept].to_vec();
            to.put_slice(&kept_octets);
            if kept > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for FaultyStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut allowed = ready!(this.poll_allowance(cx, octets.len()))?;
        if let Some(most) = this.moves.truncate {
            let left = most.saturating_sub(this.moved);
            if left == 0 {
                // Told as sent, and not sent.
                return Poll::Ready(Ok(octets.len()));
            }
            allowed = usize::try_from(left).unwrap_or(allowed).min(allowed);
        }
        let part = &octets[..allowed];
        let wrote = if this.moves.corrupt.is_empty() {
            ready!(this.inner()?.poll_write(cx, part))?
        } else {
            let mut part = part.to_vec();
            this.corrupt(&mut part);
            ready!(this.inner()?.poll_write(cx, &part))?
        };
        this.moved(wrote);
        Poll::Ready(Ok(wrote))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.poll_write(cx, first.map_or(&[], |slice| slice))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().inner()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // What stops at an octet does so even if the file ends there.
        if this.moves.stop.is_some_and(|(at, _)| at <= this.moved) {
            ready!(this.poll_allowance(cx, 1))?;
        }
        while this.moves.extra > 0 {
            let extra = usize::try_from(this.moves.extra).unwrap_or(EXTRA.len());
            let part = &EXTRA[..extra.min(EXTRA.len())];
            let wrote = ready!(this.inner()?.poll_write(cx, part))?;
            this.moves.extra -= wrote as u64;
        }
        let bare = this.moves.no_close_notify;
        let mut inner = this.inner()?;
        if bare && let DataStream::Tls { stream, .. } = &mut *inner {
            ready!(Pin::new(&mut *stream).poll_flush(cx))?;
            return Pin::new(stream.get_mut().0).poll_shutdown(cx);
        }
        inner.poll_shutdown(cx)
    }
}

impl DataStream {
    /// The TCP connection below.
    fn tcp(&self) -> io::Result<&TcpStream> {
        match self {
            Self::Clear(stream) => Ok(stream),
            Self::Tls { stream, .. } => Ok(stream.get_ref().0.tcp()),
            Self::Faulty(stream) => match &stream.inner {
                Some(stream) => stream.tcp(),
                None => Err(io::ErrorKind::NotConnected.into()),
            },
        }
    }

    /// Whether it is protected by a TLS session that was begun on another connection, or not protected at all.
    pub(super) fn resumes(&self) -> bool {
        match self {
            Self::Clear(_) => true,
            Self::Tls { stream, .. } => {
                stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
            }
            Self::Faulty(stream) => stream.inner.as_ref().is_some_and(Self::resumes),
        }
    }
}
