//! One transfer: open the file, send 1yz, get the data connection, move octets, commit, close (RFC
//! 959 §5.4).

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};
#[cfg(target_os = "linux")]
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::DataStreamWithFaults;
use super::data_port::{PassivePort, connect};
use super::data_tls::DataProtection;
use super::decode_upload::CodedUpload;
use super::error::{DataConnectionError, TransferError, in_time};
use super::faults::DataFaults;
use super::listing::open_listing;
use super::progress::Progress;
#[cfg(target_os = "linux")]
use super::sendfile;
use super::storage_io::{Encoding, PIECES, Sink, Source, on_storage};
use crate::fault_stream::FaultStream;
use crate::observe::sessions::SessionRecord;
use crate::observe::tap::{Side, StreamEnd};
use crate::pi::{Content, Representation, StoragePath, Transfer, TransferEnd};
use crate::storage::{
    FileKind, OpenWrite, Storage, VirtualPath, WriteHandle, open_read_range, open_write_range,
};
use crate::wire::Preliminary;

/// The first buffer of an upload, and the largest. Small files must not cost a large one.
const BUFFERS: (usize, usize) = (16 << 10, 256 << 10);
/// How long after the preliminary reply of a download the completion reply may wait for the client
/// to close. aria2 with five downloads was seen to read its 150 after 75 ms on a busy machine. A
/// session whose client has once not closed in this time does not wait again: such a client closes
/// after the completion reply.
pub(crate) const CLOSING_TIME: Duration = Duration::from_millis(100);
/// Names STOU tries before it gives up.
const UNIQUE_NAMES: u32 = 1_000;

/// A transfer whose file is open. The preliminary reply can be sent.
pub(crate) struct Opened {
    pub(crate) preliminary: Preliminary,
    /// STOU: the file that was made.
    pub(crate) name: Option<VirtualPath>,
    flow: Flow,
}

enum Flow {
    Out(Source),
    In(Sink),
    Coded(Box<CodedUpload>),
}

fn incoming(handle: Box<dyn WriteHandle>, at: StoragePath, transfer: &Transfer) -> Flow {
    let inline = at.storage.abilities().never_blocks;
    let (coding, room) = (&transfer.coding, transfer.largest);
    if !coding.is_plain() {
        let sink = Sink::new(handle, inline, false, room);
        return Flow::Coded(Box::new(CodedUpload::new(sink, at, coding)));
    }
    let ascii = coding.representation == Representation::Ascii;
    Flow::In(Sink::new(handle, inline, ascii, room))
}

/// How long a client may keep the server waiting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) connection: Duration,
    pub(crate) handshake: Duration,
    pub(crate) stall: Duration,
    /// How long after the preliminary reply a download may wait for the client to close.
    pub(crate) closing: Duration,
}

/// How the data connection is made.
pub(crate) enum Route {
    Passive(Box<PassivePort>),
    Active {
        from: SocketAddr,
        to: SocketAddr,
    },
    /// The client has named none.
    Nowhere,
}

/// Opens what is to be moved.
///
/// # Errors
/// The storage's own: the transfer does not begin, and no preliminary reply is sent.
pub(crate) async fn open(transfer: &Transfer) -> io::Result<Opened> {
    let coding = &transfer.coding;
    let (flow, name) = match transfer.content.clone() {
        Content::Retrieve { at, offset } => {
            let StoragePath { storage, path } = at;
            let source = Source::open(&storage, Encoding::new(coding, offset), move |storage| {
                storage.open_read(&path, offset)
            });
            (Flow::Out(source.await?), None)
        }
        Content::Store { at, how } => {
            let StoragePath { storage, path } = at.clone();
            let handle =
                on_storage(&storage, move |storage| storage.open_write(&path, how)).await?;
            (incoming(handle, at, transfer), None)
        }
        Content::RetrieveRange { at, range } => {
            let StoragePath { storage, path } = at;
            let encoding = Encoding::new(coding, range.start);
            let source = Source::open(&storage, encoding, move |storage| {
                open_read_range(storage, &path, range.start, range.end)
            });
            (Flow::Out(source.await?), None)
        }
        Content::StoreRange { at, range } => {
            let StoragePath { storage, path } = at.clone();
            let handle = on_storage(&storage, move |storage| {
                open_write_range(storage, &path, range.start, range.end)
            })
            .await?;
            (incoming(handle, at, transfer), None)
        }
        Content::StoreUnique { at } => {
            let StoragePath { storage, path } = at;
            let (handle, path) =
                on_storage(&storage, move |storage| open_unique(storage, &path)).await?;
            let name = path.clone();
            (
                incoming(handle, StoragePath { storage, path }, transfer),
                Some(name),
            )
        }
        Content::List(listing) => {
            let storage = Arc::clone(&listing.at.storage);
            let source = Source::open(&storage, Encoding::new(coding, 0), move |storage| {
                Ok(Box::new(open_listing(storage, &listing)?))
            });
            (Flow::Out(source.await?), None)
        }
    };
    Ok(Opened {
        preliminary: transfer.preliminary(name.as_ref()),
        name,
        flow,
    })
}

/// Moves everything. Dropping the future is how a transfer is aborted: what was stored is not
/// committed, the data connection closes.
pub(crate) async fn carry(
    opened: Opened,
    route: Route,
    faults: Option<DataFaults>,
    tls: Option<Arc<DataProtection>>,
    timeouts: Timeouts,
    session: Arc<SessionRecord>,
    progress: Arc<Progress>,
) -> TransferEnd {
    let began = Instant::now();
    if let Some(faults) = &faults {
        if faults.never_accept {
            tokio::time::sleep(timeouts.connection).await;
        }
        if faults.never_accept || faults.refuse {
            return TransferEnd::NoConnection;
        }
    }
    let connected = match route {
        Route::Passive(port) => {
            port.into_stream(tls, timeouts.connection, timeouts.handshake)
                .await
        }
        Route::Active { from, to } => {
            let Timeouts {
                connection,
                handshake,
                ..
            } = timeouts;
            connect(from, to, tls, &session, connection, handshake).await
        }
        Route::Nowhere => Err(DataConnectionError::Connection),
    };
    let stream = match connected {
        Ok(stream) => stream,
        Err(why) => return why.into(),
    };
    progress.opened(&stream);
    if faults.as_ref().is_some_and(|faults| faults.require_reuse) && !stream.resumes() {
        stream.refuse();
        return TransferEnd::NoProtection;
    }
    let channel = Arc::clone(stream.channel());
    let mut stream = FaultStream::new(stream, faults.and_then(|faults| faults.stream));
    let outcome = match opened.flow {
        Flow::Out(source) => {
            let sent = send(&mut stream, source, timeouts.stall, &progress).await;
            if sent.is_ok() {
                // Everything is sent: ABOR ends nothing any more.
                progress.set_committing();
                if !client_closes(&mut stream, began + timeouts.closing).await {
                    progress.set_kept_open();
                }
            }
            sent
        }
        Flow::In(sink) => receive(&mut stream, sink, timeouts.stall, &progress).await,
        Flow::Coded(upload) => upload.receive(&mut stream, timeouts.stall, &progress).await,
    };
    match outcome {
        Ok(()) => TransferEnd::Complete {
            octets: progress.moved(),
        },
        // Who ended the connection, and how, is recorded where it was seen.
        Err(TransferError::Lost | TransferError::FaultInjected) => TransferEnd::ConnectionLost,
        Err(TransferError::Stalled) => {
            channel.ended(Side::Server, StreamEnd::TimedOut);
            TransferEnd::ConnectionLost
        }
        Err(TransferError::Storage(error)) => {
            break_off(stream);
            TransferEnd::StorageFailed(error)
        }
        Err(TransferError::Malformed(why)) => {
            break_off(stream);
            TransferEnd::Malformed(why)
        }
    }
}

/// Waits until the client has closed its side of a download, but no longer than `until`.
///
/// Some clients (aria2, snarf) read the control connection once after they have connected, and wait
/// for ever if the 150 and the 226 of a small file come in one segment. Clients close when they
/// have read the file, so this wait is short, and the client has read its 150 by then. A transfer
/// that took longer than the time limit waits for nothing, and does not count as kept open.
async fn client_closes(stream: &mut DataStreamWithFaults, until: Instant) -> bool {
    if until <= Instant::now() {
        return true;
    }
    let mut discarded = [0; 512];
    let closing = async { while let Ok(1..) = stream.read(&mut discarded).await {} };
    // How it closed does not matter: everything is sent.
    timeout_at(until, closing).await.is_ok()
}

fn break_off(stream: DataStreamWithFaults) {
    if let Some(stream) = stream.into_inner() {
        stream.break_off();
    }
}

/// The TCP connection that sendfile(2) may write to.
#[cfg(target_os = "linux")]
fn bare_tcp(stream: &DataStreamWithFaults) -> Option<&TcpStream> {
    stream.without_faults()?.bare_tcp()
}

async fn send(
    stream: &mut DataStreamWithFaults,
    mut source: Source,
    stall: Duration,
    progress: &Progress,
) -> Result<(), TransferError> {
    #[cfg(target_os = "linux")]
    if bare_tcp(stream).is_some() && !progress.sees_octets() {
        source.let_host_send();
    }
    loop {
        #[cfg(target_os = "linux")]
        if let (Some(tcp), Some(file)) = (bare_tcp(stream), source.left_to_host()) {
            match sendfile::send(tcp, file, stall, progress).await? {
                sendfile::Outcome::Sent => break,
                sendfile::Outcome::Unable(file) => source.read_on_from(file),
            }
        }
        let mut pieces: VecDeque<Bytes> =
            source.next().await.map_err(TransferError::Storage)?.into();
        if pieces.is_empty() {
            break;
        }
        while !pieces.is_empty() {
            let octets = in_time(stall, write_some(stream, &pieces, progress.piece())).await?;
            if octets == 0 {
                return Err(TransferError::Lost);
            }
            progress.sent(&pieces, octets);
            advance(&mut pieces, octets);
            progress.rest(octets).await;
        }
        // Without this a client that reads as fast as the server writes would keep its control
        // connection, and ABOR, from being served.
        if !source.is_at_end() {
            tokio::task::yield_now().await;
        }
    }
    in_time(stall, stream.shutdown()).await
}

/// Writes some octets, and no more than `most`.
async fn write_some(
    stream: &mut DataStreamWithFaults,
    pieces: &VecDeque<Bytes>,
    most: usize,
) -> io::Result<usize> {
    std::future::poll_fn(|cx| {
        let mut slices = [IoSlice::new(&[]); PIECES];
        let mut left = most;
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            let length = piece.len().min(left);
            left -= length;
            *slice = IoSlice::new(&piece[..length]);
        }
        let filled = pieces.len().min(PIECES);
        Pin::new(&mut *stream).poll_write_vectored(cx, &slices[..filled])
    })
    .await
}

fn advance(pieces: &mut VecDeque<Bytes>, mut octets: usize) {
    while let Some(first) = pieces.front_mut() {
        if octets < first.len() {
            bytes::Buf::advance(first, octets);
            return;
        }
        octets -= first.len();
        pieces.pop_front();
    }
}

async fn receive(
    stream: &mut DataStreamWithFaults,
    mut sink: Sink,
    stall: Duration,
    progress: &Progress,
) -> Result<(), TransferError> {
    let (mut size, largest) = BUFFERS;
    let mut buffer = BytesMut::with_capacity(size);
    loop {
        // A TLS stream that ends without close_notify is an error here: an attacker may have
        // truncated it.
        let octets = in_time(
            stall,
            stream.read_buf(&mut (&mut buffer).limit(progress.piece())),
        )
        .await?;
        if octets == 0 {
            break;
        }
        progress.received(&buffer, octets);
        progress.rest(octets).await;
        if buffer.len() == buffer.capacity() {
            size = (size * 4).min(largest);
            let full = std::mem::replace(&mut buffer, BytesMut::with_capacity(size));
            sink.write(full.freeze())
                .await
                .map_err(TransferError::Storage)?;
        }
    }
    // What is stored must not hold a buffer that is mostly empty.
    let rest = if buffer.len() < buffer.capacity() / 2 {
        Bytes::copy_from_slice(&buffer)
    } else {
        buffer.freeze()
    };
    progress.set_committing();
    sink.commit_with(rest)
        .await
        .map_err(TransferError::Storage)?;
    // The file is stored; a client that does not wait for the end of the connection has lost
    // nothing.
    let _ = in_time(stall, stream.shutdown()).await;
    Ok(())
}

/// Creates a file with an unused name: the requested one, or with `.1`, `.2` … after it (RFC 1123
/// §4.1.2.9).
fn open_unique(
    storage: &dyn Storage,
    wish: &VirtualPath,
) -> io::Result<(Box<dyn WriteHandle>, VirtualPath)> {
    let no_name = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let is_directory = wish.is_root()
        || matches!(storage.stat(wish, true), Ok(found) if found.kind == FileKind::Directory);
    let wish = if is_directory {
        wish.join(b"file").map_err(no_name)?
    } else {
        wish.clone()
    };
    for number in 0..UNIQUE_NAMES {
        let path = if number == 0 {
            wish.clone()
        } else {
            let mut name = wish.as_bytes().to_vec();
            name.extend_from_slice(format!(".{number}").as_bytes());
            wish.join(&name).map_err(no_name)?
        };
        match storage.open_write(&path, OpenWrite::CreateNew) {
            Ok(handle) => return Ok((handle, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::*;

    use tokio::net::{TcpListener, TcpStream};

    use crate::dtp::stream::Accepted;
    use crate::observe::tap::{Channel, ChannelId, OpenChannel};

    /// How long the completion reply of a download waits for a client that closes after `closes`,
    /// in the time of tokio's clock.
    async fn waited(closes: Duration) -> Duration {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        tokio::time::pause();
        let began = Instant::now();
        tokio::spawn(async move {
            tokio::time::sleep(closes).await;
            drop(client);
        });
        let channel = Channel::new(1, ChannelId::Data(1), None);
        let channel = OpenChannel(Arc::new(channel));
        let mut stream = FaultStream::new(Accepted { stream, channel }.into(), None);
        client_closes(&mut stream, began + CLOSING_TIME).await;
        let elapsed = began.elapsed();
        tokio::time::resume();
        elapsed
    }

    #[tokio::test]
    async fn a_completion_waits_until_a_busy_client_closes() {
        let busy = Duration::from_millis(75);
        assert!((busy..2 * busy).contains(&waited(busy).await));
    }

    #[tokio::test]
    async fn a_completion_does_not_wait_for_a_client_that_keeps_its_connection() {
        let longest = waited(Duration::from_secs(60)).await;
        assert!(
            (CLOSING_TIME..2 * CLOSING_TIME).contains(&longest),
            "{longest:?}"
        );
    }
}
