//! Entry points of fuzz targets into `net`, without sockets.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

use crate::net::{RecordGate, read_header};

/// Reads a PROXY header from the beginning of `octets`. Returns the client that the header names,
/// if any, and the octets after the header.
///
/// # Errors
/// The header is invalid or incomplete.
pub fn proxy_header(mut octets: &[u8]) -> io::Result<(Option<SocketAddr>, &[u8])> {
    let client = poll_once(read_header(&mut octets))?;
    Ok((client, octets))
}

/// Reads `octets`, which arrive in pieces of `arriving` octets, through a `RecordGate` with a
/// buffer of `buffer` octets. With `ending`, the gate ends at clear text. Returns the result of
/// each read, and the octets that are left.
///
/// # Errors
/// Those of the gate.
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
        match poll_once(gate.read(&mut buffer))? {
            0 => break,
            count => reads.push(buffer[..count].to_vec()),
        }
    }
    let (inner, buffered) = gate.into_parts();
    Ok((reads, [buffered, inner.0.to_vec()].concat()))
}

/// A stream that returns at most the given number of octets per read.
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

/// The output of a future that is ready at its first poll, as reading from memory is.
///
/// # Errors
/// `WouldBlock` if it is not ready.
fn poll_once<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let mut work = std::pin::pin!(work);
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
