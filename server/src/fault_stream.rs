//! A connection on which the faults of a plan are injected: any stream of octets, of this server's
//! data connections or of a proxy in front of another server.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::fault::Action;

/// Pauses of a slow connection in a second: few enough for a timer with a resolution of 1 ms.
const PAUSES: u64 = 20;
/// What is added after the end.
const EXTRA: [u8; 4096] = [b'X'; 4096];

/// A stream that faults can end before its time.
pub trait Breakable: AsyncRead + AsyncWrite + Unpin + Sized {
    /// Closes it at once with RST.
    fn reset(self);

    /// Closes it in an orderly way.
    fn close(self);

    /// Ends what is sent: FIN, without close_notify where TLS would send it.
    fn poll_shutdown_without_close_notify(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self).poll_shutdown(cx)
    }
}

impl Breakable for TcpStream {
    fn reset(self) {
        // Closing then sends RST in place of FIN.
        let _ = socket2::SockRef::from(&self).set_linger(Some(Duration::ZERO));
    }

    fn close(self) {}
}

/// The faults that are injected while octets move over one connection.
#[derive(Debug, Default, Clone)]
pub struct StreamFaults {
    stop: Option<(u64, Stop)>,
    truncate: Option<u64>,
    corrupt: Vec<u64>,
    extra: u64,
    /// Octets a second.
    rate: Option<u64>,
    no_close_notify: bool,
}

/// How a connection stops before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Stall,
    Reset,
    Close,
}

impl StreamFaults {
    /// Whether the connection may stop without an end, so that the caller needs a time limit.
    #[must_use]
    pub fn stalls(&self) -> bool {
        matches!(self.stop, Some((_, Stop::Stall)))
    }

    /// Those of `actions` that concern a stream of octets; `None` if none does.
    #[must_use]
    pub fn of(actions: &[Action]) -> Option<Self> {
        let mut faults = Self::default();
        let mut any = false;
        for action in actions {
            match action {
                Action::StallAt(octet) => faults.stop = Some((*octet, Stop::Stall)),
                Action::ResetAt(octet) => faults.stop = Some((*octet, Stop::Reset)),
                Action::CloseAt(octet) => faults.stop = Some((*octet, Stop::Close)),
                Action::TruncateTo(octets) => faults.truncate = Some(*octets),
                Action::CorruptOctet(octet) => faults.corrupt.push(*octet),
                Action::Extra(octets) => faults.extra += octets,
                Action::Slow(rate) => faults.rate = Some(*rate),
                Action::NoCloseNotify => faults.no_close_notify = true,
                _ => continue,
            }
            any = true;
        }
        any.then_some(faults)
    }
}

/// A fault has ended the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fault of the plan ended the connection")]
pub struct EndedByFaultError;

impl EndedByFaultError {
    /// Whether an error of a [`FaultStream`] is the doing of a fault, and not of the stream itself.
    #[must_use]
    pub fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl From<EndedByFaultError> for io::Error {
    fn from(error: EndedByFaultError) -> Self {
        Self::new(io::ErrorKind::ConnectionAborted, error)
    }
}

/// A stream with faults; without any it passes everything on. It counts the octets of whichever
/// direction it is used in.
pub struct FaultStream<S> {
    /// `None` after a fault has ended it.
    inner: Option<S>,
    active: Option<Box<Active>>,
}

/// Faults, and how far they are.
struct Active {
    faults: StreamFaults,
    moved: u64,
    /// A slow connection pauses.
    pause: Option<Pin<Box<Sleep>>>,
}

impl<S> fmt::Debug for FaultStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultStream")
            .field("ended", &self.inner.is_none())
            .field("faults", &self.active.as_ref().map(|active| &active.faults))
            .finish_non_exhaustive()
    }
}

impl<S: Breakable> FaultStream<S> {
    /// Injects `faults` into `stream`.
    pub fn new(stream: S, faults: Option<StreamFaults>) -> Self {
        Self {
            inner: Some(stream),
            active: faults.map(|faults| {
                Box::new(Active {
                    faults,
                    moved: 0,
                    pause: None,
                })
            }),
        }
    }

    /// The stream, unless a fault has ended it.
    pub fn into_inner(self) -> Option<S> {
        self.inner
    }

    /// The stream itself, for octets of the direction that no fault concerns; `None` after a fault
    /// has ended it.
    pub fn unaffected(&mut self) -> Option<&mut S> {
        self.inner.as_mut()
    }

    /// The stream, if there are no faults between it and the caller.
    pub fn without_faults(&self) -> Option<&S> {
        self.inner.as_ref().filter(|_| self.active.is_none())
    }

    fn inner(&mut self) -> io::Result<Pin<&mut S>> {
        let inner = self.inner.as_mut().map(Pin::new);
        inner.ok_or_else(|| EndedByFaultError.into())
    }

    /// How many of `octets` may be moved now, at least one.
    fn poll_allowance(&mut self, cx: &mut Context<'_>, octets: usize) -> Poll<io::Result<usize>> {
        let Some(active) = &mut self.active else {
            return Poll::Ready(Ok(octets));
        };
        if let Some(pause) = &mut active.pause {
            ready!(pause.as_mut().poll(cx));
            active.pause = None;
        }
        let mut allowed = octets;
        if let Some(rate) = active.faults.rate {
            let piece = (rate / PAUSES).max(1);
            allowed = allowed.min(usize::try_from(piece).unwrap_or(allowed));
        }
        let Some((at, stop)) = active.faults.stop else {
            return Poll::Ready(Ok(allowed));
        };
        let left = at.saturating_sub(active.moved);
        if left > 0 {
            return Poll::Ready(Ok(usize::try_from(left).unwrap_or(allowed).min(allowed)));
        }
        match (stop, self.inner.take()) {
            // The caller's time limit ends it.
            (Stop::Stall, inner) => {
                self.inner = inner;
                return Poll::Pending;
            }
            (Stop::Reset, Some(stream)) => stream.reset(),
            (Stop::Close, Some(stream)) => stream.close(),
            (_, None) => {}
        }
        Poll::Ready(Err(EndedByFaultError.into()))
    }
}

impl Active {
    /// Counts octets that have moved, and begins the pause of a slow connection.
    fn moved(&mut self, octets: usize) {
        self.moved += octets as u64;
        if let Some(rate) = self.faults.rate {
            let pause =
                Duration::from_secs(octets as u64) / u32::try_from(rate).unwrap_or(u32::MAX);
            self.pause = Some(Box::pin(tokio::time::sleep(pause)));
        }
    }

    /// Inverts the lowest bit of the octets to be corrupted; the first of `octets` is the next to
    /// move.
    fn corrupt(&self, octets: &mut [u8]) {
        for at in &self.faults.corrupt {
            let octet = at
                .checked_sub(self.moved)
                .and_then(|at| usize::try_from(at).ok());
            if let Some(octet) = octet.and_then(|at| octets.get_mut(at)) {
                *octet ^= 1;
            }
        }
    }

    /// How many of `octets` come before the point at which the transfer is truncated.
    fn kept(&self, octets: usize) -> usize {
        let most = self.faults.truncate.unwrap_or(u64::MAX);
        let left = most.saturating_sub(self.moved);
        usize::try_from(left).unwrap_or(octets).min(octets)
    }
}

impl<S: Breakable> AsyncRead for FaultStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.active.is_none() || to.remaining() == 0 {
            return this.inner()?.poll_read(cx, to);
        }
        loop {
            let allowed = ready!(this.poll_allowance(cx, to.remaining()))?;
            let mut part = to.take(allowed);
            ready!(this.inner()?.poll_read(cx, &mut part))?;
            let octets = part.filled().len();
            let Some(active) = &mut this.active else {
                return Poll::Ready(Ok(()));
            };
            if octets == 0 {
                let extra = usize::try_from(active.faults.extra).unwrap_or(usize::MAX);
                let extra = extra.min(to.remaining()).min(EXTRA.len());
                active.faults.extra -= extra as u64;
                to.put_slice(&EXTRA[..extra]);
                return Poll::Ready(Ok(()));
            }
            active.corrupt(part.filled_mut());
            // What is truncated is read all the same, or closing would send a reset.
            let kept = active.kept(octets);
            active.moved(octets);
            // `part` borrows the unfilled memory of `to`: its octets are put there once more, as
            // filled.
            let kept_octets = part.filled()[..kept].to_vec();
            to.put_slice(&kept_octets);
            if kept > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: Breakable> AsyncWrite for FaultStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut allowed = ready!(this.poll_allowance(cx, octets.len()))?;
        if let Some(active) = &this.active {
            allowed = active.kept(allowed);
            if allowed == 0 && !octets.is_empty() {
                // Truncated: reported as sent, and not sent.
                return Poll::Ready(Ok(octets.len()));
            }
        }
        let mut part = std::borrow::Cow::Borrowed(&octets[..allowed]);
        if let Some(active) = &this.active
            && !active.faults.corrupt.is_empty()
        {
            active.corrupt(part.to_mut());
        }
        let wrote = ready!(this.inner()?.poll_write(cx, &part))?;
        if let Some(active) = &mut this.active {
            active.moved(wrote);
        }
        Poll::Ready(Ok(wrote))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.active.is_none() {
            return this.inner()?.poll_write_vectored(cx, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty());
        Pin::new(this).poll_write(cx, first.map_or(&[], |slice| slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner
            .as_ref()
            .is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().inner()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(active) = &this.active else {
            return this.inner()?.poll_shutdown(cx);
        };
        // A stop at an octet happens even if the stream ends there.
        if active.faults.stop.is_some_and(|(at, _)| at <= active.moved) {
            ready!(this.poll_allowance(cx, 1))?;
        }
        while let Some(active) = &mut this.active
            && active.faults.extra > 0
        {
            let extra = usize::try_from(active.faults.extra).unwrap_or(EXTRA.len());
            let part = &EXTRA[..extra.min(EXTRA.len())];
            let inner = this.inner.as_mut().ok_or(EndedByFaultError)?;
            let wrote = ready!(Pin::new(inner).poll_write(cx, part))?;
            active.faults.extra -= wrote as u64;
        }
        let bare = (this.active.as_ref()).is_some_and(|active| active.faults.no_close_notify);
        let mut inner = this.inner()?;
        if bare {
            return inner.poll_shutdown_without_close_notify(cx);
        }
        inner.poll_shutdown(cx)
    }
}
