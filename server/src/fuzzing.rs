//! What the fuzz targets reach of the shell, without sockets. It is not an interface for anybody
//! else.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

use crate::net::{RecordGate, read_header};

/// Reads a PROXY header from the beginning of `octets`: the client it names, if it names one, and
/// the octets behind it.
///
/// # Errors
/// What the header is refused for.
pub fn proxy_header(mut octets: &[u8]) -> io::Result<(Option<SocketAddr>, &[u8])> {
    let client = at_once(read_header(&mut octets))?;
    Ok((client, octets))
}

/// Puts `octets`, which come in pieces of `arriving`, through the gate that gives out one TLS
/// record at a time, and reads with a buffer of `buffer` octets. With `ending`, clear text ends it.
/// Gives what each read returned, and what is left.
///
/// # Errors
/// None are known.
pub fn gated(
    octets: &[u8],
    arriving: usize,
    buffer: usize,
    ending: bool,
) -> io::Result<(Vec<Vec<u8>>, Vec<u8>)> {
    let mut gate = RecordGate::new(Arriving(octets, arriving.max(1)));
    if ending {
        gate.end_at_clear_text();
    }
    let mut reads = Vec::new();
    let mut buffer = vec![0; buffer.max(1)];
    loop {
        match at_once(gate.read(&mut buffer))? {
            0 => break,
            count => reads.push(buffer[..count].to_vec()),
        }
    }
    let (inner, behind) = gate.into_parts();
    Ok((reads, [behind, inner.0.to_vec()].concat()))
}

/// A stream that gives no more than so many octets at once.
struct Arriving<'a>(&'a [u8], usize);

impl AsyncRead for Arriving<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.1.min(self.0.len()).min(to.remaining());
        let (now, later) = self.0.split_at(count);
        to.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

/// The outcome of what never waits, as memory never does.
fn at_once<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let mut work = std::pin::pin!(work);
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
