//! STOR, STOU and APPE of data that has to be decoded and may contain restart markers.

use std::io;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::DataStreamWithFaults;
use super::error::{TransferError, in_time};
use super::progress::Progress;
use super::storage_io::{Sink, on_storage};
use super::{Decoder, Piece};
use crate::pi::{Coding, RestartMarker, StoragePath};
use crate::storage::OpenWrite;

/// Octets received at once.
const BUFFER: usize = 64 << 10;
/// The least content between two restart markers that are answered: in octets, and as a fraction of
/// what is stored already.
const BETWEEN_MARKS: (u64, u64) = (64 << 10, 16);

/// An upload whose file is open.
pub(super) struct CodedUpload {
    sink: Sink,
    at: StoragePath,
    decoder: Decoder,
    /// Octets of content since the last marker that was answered.
    since_mark: u64,
    /// The position of the last marker that was answered.
    last_mark: Option<u64>,
}

impl CodedUpload {
    pub(super) fn new(sink: Sink, at: StoragePath, coding: &Coding) -> Self {
        Self {
            sink,
            at,
            decoder: Decoder::new(coding),
            since_mark: 0,
            last_mark: None,
        }
    }

    /// Receives everything and commits it. The coding says where the file ends; if that is before
    /// the end of the connection, it is not waited for: the client may keep the connection open
    /// until the reply (RFC 959 §3.2).
    pub(super) async fn receive(
        mut self,
        stream: &mut DataStreamWithFaults,
        stall: Duration,
        progress: &Progress,
    ) -> Result<(), TransferError> {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(BUFFER);
            let octets = in_time(
                stall,
                stream.read_buf(&mut (&mut buffer).limit(progress.piece())),
            )
            .await?;
            if octets == 0 {
                let rest = self.decoder.closed().ok_or(TransferError::Lost)?;
                self.sink
                    .write(rest)
                    .await
                    .map_err(TransferError::Storage)?;
                break;
            }
            progress.received(&buffer, octets);
            progress.rest(octets).await;
            if self.decode(&mut buffer, progress).await? {
                break;
            }
        }
        progress.set_committing();
        self.sink.commit().await.map_err(TransferError::Storage)?;
        // The file is stored; a client that does not wait for the end of the connection has lost
        // nothing.
        let _ = in_time(stall, stream.shutdown()).await;
        Ok(())
    }

    /// Whether the file has ended.
    async fn decode(
        &mut self,
        buffer: &mut BytesMut,
        progress: &Progress,
    ) -> Result<bool, TransferError> {
        let mut octets = buffer.split().freeze();
        loop {
            match self
                .decoder
                .next(&mut octets)
                .map_err(TransferError::Malformed)?
            {
                Piece::Content(content) => {
                    self.since_mark += content.len() as u64;
                    self.sink
                        .write(content)
                        .await
                        .map_err(TransferError::Storage)?;
                    // Little input may be much content.
                    tokio::task::yield_now().await;
                }
                Piece::Marker(theirs) => {
                    if let Some(ours) = self.mark().await.map_err(TransferError::Storage)? {
                        progress.mark(RestartMarker { theirs, ours });
                    }
                }
                Piece::Hungry => return Ok(false),
                Piece::End => return Ok(true),
            }
        }
    }

    /// Commits what has come so far, as a 110 promises: the client may restart at the server's
    /// marker, even after a failure (RFC 959 §3.5). The marker is the number of octets of the file.
    ///
    /// A storage may have to copy the file for it. So markers that are too close together are not
    /// answered, and cannot be restarted at. The largest file gets some hundred answers.
    async fn mark(&mut self) -> io::Result<Option<u64>> {
        let (least, share) = BETWEEN_MARKS;
        if let Some(last) = self.last_mark
            && self.since_mark < least.max(last / share)
        {
            return Ok(None);
        }
        self.sink.commit_so_far().await?;
        let StoragePath { storage, path } = self.at.clone();
        let inline = storage.abilities().never_blocks;
        let (handle, len) = on_storage(&storage, move |storage| {
            let len = storage.stat(&path, true)?.len;
            Ok((storage.open_write(&path, OpenWrite::At(len))?, len))
        })
        .await?;
        self.sink = Sink::new(handle, inline, false, self.sink.room());
        self.since_mark = 0;
        self.last_mark = Some(len);
        Ok(Some(len))
    }
}
