//! sendfile(2): the kernel moves the octets of a file to the data connection.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::error::{TransferError, in_time};
use super::progress::Progress;
use crate::storage::ReadHandle;

/// The most octets that one job sends: a client does not occupy a thread for longer.
const TURN: usize = 4 << 20;

/// The outcome of sendfile(2).
pub(super) enum Outcome {
    /// Everything was sent, to the end of the file.
    Sent,
    /// The kernel refused, or an error occurred. Reading and writing from the current position
    /// finds out which.
    Unable(Box<dyn ReadHandle>),
}

/// Sends the rest of a file with sendfile(2).
///
/// Only the sending, which may wait for a disk, occupies a thread; waiting for the client does not.
pub(super) async fn send(
    stream: &TcpStream,
    mut handle: Box<dyn ReadHandle>,
    stall: Duration,
    progress: &Progress,
) -> Result<Outcome, TransferError> {
    let Ok(mut socket) = stream.as_fd().try_clone_to_owned() else {
        return Ok(Outcome::Unable(handle));
    };
    loop {
        in_time(stall, stream.async_io(Interest::WRITABLE, || room(stream))).await?;
        let most = TURN.min(progress.piece());
        let job = tokio::task::spawn_blocking(move || {
            let turn = turn(&socket, &mut *handle, most);
            (socket, handle, turn)
        });
        let turn;
        (socket, handle, turn) = job
            .await
            .map_err(|error| TransferError::Storage(error.into()))?;
        progress.sent_unseen(turn.sent);
        progress.rest(turn.sent).await;
        match turn.end {
            None => {}
            Some(End::OfFile) => return Ok(Outcome::Sent),
            Some(End::Failure) => return Ok(Outcome::Unable(handle)),
        }
    }
}

/// Whether the connection accepts octets now. The runtime learns from an error only that it does
/// not, and the job that gets the error runs outside it.
fn room(stream: &TcpStream) -> io::Result<()> {
    let mut ask = [PollFd::new(stream, PollFlags::OUT)];
    match poll(&mut ask, Some(&Timespec::default())) {
        Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

struct Turn {
    sent: usize,
    end: Option<End>,
}

enum End {
    OfFile,
    Failure,
}

/// Sends until the send buffer is full, the file ends or `most` octets were sent.
fn turn(socket: &OwnedFd, handle: &mut dyn ReadHandle, most: usize) -> Turn {
    let mut sent = 0;
    let end = loop {
        let Some(file) = handle.host_file() else {
            break Some(End::Failure);
        };
        match rustix::fs::sendfile(socket, file, None, most - sent) {
            Ok(0) if sent < most => break Some(End::OfFile),
            Ok(octets) => sent += octets,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break None,
            Err(_) => break Some(End::Failure),
        }
        if sent == most {
            break None;
        }
    };
    Turn { sent, end }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::*;

    use std::fs::File;
    use std::io::{Seek as _, SeekFrom, Write as _};

    use bytes::Bytes;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    /// Octets beyond what the host takes in one turn, and no round number of anything.
    const OCTETS: usize = TURN + 12_345;
    const STALL: Duration = Duration::from_secs(30);

    struct OfHost(File);

    impl ReadHandle for OfHost {
        fn read_chunk(&mut self, _: usize) -> io::Result<Bytes> {
            Err(io::Error::other("the file is sent by sendfile(2)"))
        }

        fn host_file(&mut self) -> Option<&File> {
            Some(&self.0)
        }
    }

    fn pattern() -> Vec<u8> {
        (0..OCTETS).map(|at| (at % 251) as u8).collect()
    }

    fn file(octets: &[u8], position: u64) -> Box<dyn ReadHandle> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(octets).unwrap();
        file.seek(SeekFrom::Start(position)).unwrap();
        Box::new(OfHost(file))
    }

    async fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await;
        (listener.accept().await.unwrap().0, client.unwrap())
    }

    #[tokio::test]
    async fn everything_from_the_position_to_the_end_is_sent_and_counted() {
        let (server, mut client) = connection().await;
        let octets = pattern();
        let progress = Progress::default();
        let sending = async {
            let outcome = send(&server, file(&octets, 7), STALL, &progress).await;
            assert!(matches!(outcome, Ok(Outcome::Sent)));
            drop(server);
        };
        let mut received = Vec::new();
        let (read, ()) = tokio::join!(client.read_to_end(&mut received), sending);
        assert_eq!(read.unwrap(), OCTETS - 7);
        assert!(received == octets[7..], "other octets than the file's");
        assert_eq!(progress.moved(), (OCTETS - 7) as u64);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_waited_for_so_long_and_no_longer() {
        let (server, _client) = connection().await;
        let begin = tokio::time::Instant::now();
        let long = vec![0; 64 << 20];
        let outcome = send(&server, file(&long, 0), STALL, &Progress::default()).await;
        assert!(matches!(outcome, Err(TransferError::Stalled)));
        assert!(begin.elapsed() >= STALL);
    }

    #[tokio::test]
    async fn what_the_host_does_not_send_is_handed_back() {
        let (server, _client) = connection().await;
        let directory: Box<dyn ReadHandle> = Box::new(OfHost(File::open("/").unwrap()));
        let outcome = send(&server, directory, STALL, &Progress::default()).await;
        assert!(matches!(outcome, Ok(Outcome::Unable(_))));
    }

    #[tokio::test]
    async fn a_file_whose_client_is_gone_is_handed_back_where_it_is() {
        let (server, client) = connection().await;
        client.set_zero_linger().unwrap();
        drop(client);
        let progress = Progress::default();
        let outcome = send(&server, file(&pattern(), 0), STALL, &progress).await;
        let Ok(Outcome::Unable(mut file)) = outcome else {
            panic!("the client took everything");
        };
        let position = file.host_file().unwrap().stream_position().unwrap();
        assert_eq!(position, progress.moved());
    }
}
