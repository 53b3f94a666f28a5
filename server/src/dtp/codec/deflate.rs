//! MODE Z: one zlib stream for each file or listing (draft-preston-ftpext-deflate §3; RFC 1950).

use bytes::{Buf as _, Bytes};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::pi::Malformed;

/// Octets made at once.
const PIECE: usize = 64 << 10;

/// Deflates.
#[derive(Debug)]
pub(super) struct Deflater {
    engine: Compress,
}

/// Inflates, [`PIECE`] octets at a time.
///
/// There is no limit on the ratio: deflate makes up to 1032 octets of one, and ordinary files of
/// zeros or of repeated rows do reach that. What a stream may store is limited where octets are
/// stored: by the upload limit, the quota and the disk.
#[derive(Debug)]
pub(super) struct Inflater {
    engine: Decompress,
    ended: bool,
}

impl Deflater {
    pub(super) fn new(level: u8) -> Self {
        Self {
            engine: Compress::new(Compression::new(level.min(9).into()), true),
        }
    }

    pub(super) fn deflate(&mut self, octets: &[u8], to: &mut Vec<u8>) {
        self.run(octets, FlushCompress::None, to);
    }

    pub(super) fn finish(&mut self, to: &mut Vec<u8>) {
        self.run(&[], FlushCompress::Finish, to);
    }

    fn run(&mut self, mut octets: &[u8], flush: FlushCompress, to: &mut Vec<u8>) {
        loop {
            to.reserve(PIECE);
            let before = self.engine.total_in();
            let status = self.engine.compress_vec(octets, to, flush);
            let taken = self.engine.total_in() - before;
            // Not more was taken than was given, so it fits.
            octets = &octets[usize::try_from(taken).map_or(octets.len(), |taken| taken)..];
            let full = to.len() == to.capacity();
            match status {
                Ok(Status::Ok) if !octets.is_empty() || full => {}
                Ok(Status::Ok) if matches!(flush, FlushCompress::Finish) => {}
                // `BufError` is not an error: there was nothing to do.
                Ok(_) | Err(_) => return,
            }
        }
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            engine: Decompress::new(true),
            ended: false,
        }
    }
}

impl Inflater {
    /// Whether the stream has come to its end, with the right checksum.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// What comes out next; nothing without more input.
    pub(super) fn inflate(&mut self, input: &mut Bytes) -> Result<Bytes, Malformed> {
        let mut out = Vec::new();
        while !self.ended {
            out.reserve_exact(PIECE);
            let before = (self.engine.total_in(), self.engine.total_out());
            let status = self
                .engine
                .decompress_vec(input, &mut out, FlushDecompress::None)
                .map_err(|_| Malformed::Form)?;
            let taken = self.engine.total_in() - before.0;
            input.advance(usize::try_from(taken).map_or(input.len(), |taken| taken));
            let made = self.engine.total_out() - before.1;
            self.ended = status == Status::StreamEnd;
            if !out.is_empty() || (taken == 0 && made == 0) {
                break;
            }
        }
        Ok(out.into())
    }
}
