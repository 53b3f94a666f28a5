//! A control connection, protected or not.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::super::tls::RecordGate;
use crate::observe::tap::{Channel, Side, WireFact};
use crate::wire::LineReader;

/// Octets taken from a control connection at once.
const SCRATCH: usize = 16 << 10;

thread_local! {
    /// The buffer for reading, one for each thread: ten thousand idle connections hold none.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

/// An open control connection (RFC 959 §2.3; RFC 4217).
#[derive(Debug)]
pub(crate) enum ControlStream {
    /// Without TLS.
    Clear(TcpStream),
    /// Protected.
    Tls(Box<TlsStream<RecordGate<TcpStream>>>),
    /// Between the two, or closed.
    Gone,
}

impl ControlStream {
    /// Feeds the octets that have come to the reader, and returns how many; 0 at the end.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut LineReader,
        channel: &Channel,
    ) -> Poll<io::Result<usize>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            let read = ready!(match self {
                Self::Clear(stream) => poll_read_clear(stream, cx, &mut buffer, channel),
                Self::Tls(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
                Self::Gone => Poll::Ready(Ok(())),
            });
            let protected = matches!(self, Self::Tls(_));
            if let Err(error) = &read {
                channel.failed(error, protected);
            }
            read?;
            if buffer.filled().is_empty() {
                channel.finished(Side::Client, protected);
            }
            channel.octets(Side::Client, buffer.filled());
            reader.feed(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
    }

    /// Sends `replies`, until nothing is left of them.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        replies: &mut Vec<u8>,
        channel: &Channel,
    ) -> Poll<io::Result<()>> {
        let mut sent = 0;
        let outcome = loop {
            let rest = &replies[sent..];
            if rest.is_empty() {
                break Poll::Ready(Ok(()));
            }
            let wrote = match self {
                Self::Clear(stream) => Pin::new(stream).poll_write(cx, rest),
                Self::Tls(stream) => Pin::new(stream).poll_write(cx, rest),
                Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            };
            match wrote {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(octets)) => {
                    channel.octets(Side::Server, &rest[..octets]);
                    sent += octets;
                }
                Poll::Ready(Err(error)) => {
                    channel.failed(&error, matches!(self, Self::Tls(_)));
                    break Poll::Ready(Err(error));
                }
                Poll::Pending => break Poll::Pending,
            }
        };
        if sent == replies.len() {
            // Freed, not cleared: most connections are idle most of the time.
            *replies = Vec::new();
        } else {
            replies.drain(..sent);
        }
        ready!(outcome)?;
        match self {
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Clear(_) | Self::Gone => Poll::Ready(Ok(())),
        }
    }

    /// Ends what the server sends: close_notify if protected, then FIN. What is left to read on the
    /// TCP connection is of no interest.
    pub(crate) async fn finish(&mut self, channel: &Channel) -> io::Result<TcpStream> {
        let mut tcp = match std::mem::replace(self, Self::Gone) {
            Self::Clear(stream) => stream,
            Self::Tls(mut stream) => {
                stream.shutdown().await?;
                channel.finished(Side::Server, true);
                stream.into_inner().0.into_parts().0
            }
            Self::Gone => return Err(io::ErrorKind::NotConnected.into()),
        };
        tcp.shutdown().await?;
        channel.finished(Side::Server, false);
        Ok(tcp)
    }
}

/// Whether urgent data is to come. A read ends before an urgent octet: one after which there is
/// none any more began with it.
#[cfg(target_os = "linux")]
fn has_urgent_data(stream: &TcpStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polled = [PollFd::new(stream, PollFlags::PRI)];
    poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
        && polled[0].revents().contains(PollFlags::PRI)
}

#[cfg(not(target_os = "linux"))]
fn has_urgent_data(_: &TcpStream) -> bool {
    false
}

/// Reads once what a clear connection has, and reports to the tap where urgent data begins.
///
/// tokio's own `poll_read` takes a read that fills less than the buffer for the last one, and waits
/// for the next octet to arrive. But a read also ends before urgent data, although it is read in
/// line: the octets from the mark on are there, and no others may come (RFC 959 §4.1.3, RFC 854
/// Synch). `try_read` waits only after the socket has said that it is empty.
fn poll_read_clear(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    to: &mut ReadBuf<'_>,
    channel: &Channel,
) -> Poll<io::Result<()>> {
    loop {
        ready!(stream.poll_read_ready(cx))?;
        let urgent = channel.is_tapped() && has_urgent_data(stream);
        match stream.try_read(to.initialize_unfilled()) {
            Ok(octets) => {
                if urgent && octets > 0 && !has_urgent_data(stream) {
                    channel.report(WireFact::Urgent);
                }
                to.advance(octets);
                return Poll::Ready(Ok(()));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::Write as _;
    use std::time::Duration;

    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;
    use crate::observe::tap::ChannelId;
    use crate::wire::ControlEvent;

    /// Sends all parts before the server reads, each even one as urgent data, and gives the lines
    /// that the server hears.
    async fn heard(parts: &[&[u8]], lines: usize) -> Vec<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nodelay(true).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        // tokio takes a new connection for readable; from here on it waits for events.
        stream.try_read(&mut [0]).unwrap_err();
        let socket = socket2::SockRef::from(&stream);
        socket.set_out_of_band_inline(true).unwrap();
        let mut octets = 0;
        for (index, part) in parts.iter().enumerate() {
            if index % 2 == 0 {
                client.write_all(part).unwrap();
            } else {
                socket2::SockRef::from(&client)
                    .send_out_of_band(part)
                    .unwrap();
            }
            octets += part.len();
        }
        // All of it is here before anything is read, as after a pause of the server's.
        while rustix::io::ioctl_fionread(&stream).unwrap() < octets as u64 {
            std::thread::yield_now();
        }
        let mut stream = ControlStream::Clear(stream);
        let mut reader = LineReader::new();
        let mut heard = Vec::new();
        let channel = Channel::new(1, ChannelId::Control, None);
        let filling = async {
            while octets > 0 {
                let fill = std::future::poll_fn(|cx| stream.poll_fill(cx, &mut reader, &channel));
                octets -= fill.await.unwrap();
                while let Some(ControlEvent::Line(line)) = reader.next_event() {
                    heard.push(line.escape_ascii().to_string());
                }
            }
        };
        timeout(Duration::from_secs(10), filling)
            .await
            .expect("an octet was left behind");
        assert_eq!(heard.len(), lines, "{heard:?}");
        heard
    }

    #[tokio::test]
    async fn what_follows_an_urgent_mark_is_read_wherever_the_mark_is() {
        const SYNCH: &[u8] = b"\xff\xf4\xff\xf2ABOR\r\n";
        let abor = ["ABOR"];
        // The mark after a line, in front of Telnet IP and DM, inside a line, and at its LF.
        assert_eq!(
            heard(&[b"STAT\r\n", b"\xff", &SYNCH[1..]], 2).await[1..],
            abor
        );
        assert_eq!(heard(&[b"", b"\xff", &SYNCH[1..]], 1).await, abor);
        assert_eq!(heard(&[b"AB", b"O", b"R\r\n"], 1).await, abor);
        assert_eq!(heard(&[b"ABOR\r", b"\n"], 1).await, abor);
        let many = [&b"STAT\r\n"[..], b"\xff"].repeat(20);
        heard(&many, 20).await;
    }

    #[tokio::test]
    async fn what_fills_the_buffer_is_read_on() {
        let long = b"NOOP\r\n".repeat(SCRATCH);
        heard(
            &[b"STAT\r\n", b"\xff", &long[..3 * SCRATCH]],
            3 * SCRATCH / 6 + 1,
        )
        .await;
    }
}
