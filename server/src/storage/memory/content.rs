//! The content of a file: a list of shared pieces.
//!
//! ```text
//!  pieces   [ 256 KiB ][ 256 KiB ][ 70 KiB ][ 3 KiB ]
//!  end        256 Ki     512 Ki     582 Ki    585 Ki    found by binary search
//! ```
//!
//! Cloning a content, truncating it and reading from it share the octets; writing copies one piece
//! at most. So readers, snapshots and uploads never wait for each other and never see each other's
//! changes.

use super::super::CHUNK;
use super::mapped::mapped;
use bytes::{Bytes, BytesMut};

/// From this size on a piece has memory of its own; smaller ones are merged. Pieces are always
/// copied: a received one may be a slice of a larger buffer, which it would keep alive, and memory
/// freed by the allocator seldom returns to the system.
const LARGE: usize = 64 * 1024;

static ZEROS: [u8; CHUNK] = [0; CHUNK];

/// The octets of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pieces: Vec<Piece>,
}

/// Never empty, at most [`CHUNK`] long.
#[derive(Debug, Clone)]
struct Piece {
    /// The offset of its end in the file.
    end: u64,
    octets: Bytes,
    /// Made by copying: small pieces may be appended to it.
    gathered: bool,
}

impl Content {
    /// The length in octets.
    pub(super) fn len(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.end)
    }

    /// Appends octets.
    pub(super) fn push(&mut self, octets: &[u8]) {
        if octets.len() < LARGE {
            self.gather(octets);
            return;
        }
        for piece in octets.chunks(CHUNK) {
            self.push_piece(mapped(piece), false);
        }
    }

    /// Appends another content.
    pub(super) fn append(&mut self, other: Self) {
        for piece in other.pieces {
            if piece.octets.len() < LARGE {
                self.gather(&piece.octets);
            } else {
                self.push_piece(piece.octets, piece.gathered);
            }
        }
    }

    /// The first `len` octets.
    pub(super) fn head(&self, len: u64) -> Self {
        let mut pieces = self.pieces[..self.piece_at(len)].to_vec();
        let start = pieces.last().map_or(0, |piece| piece.end);
        if let Some(cut) = self.pieces.get(pieces.len())
            && len > start
        {
            pieces.push(Piece {
                end: len,
                octets: cut.octets.slice(..octets_between(start, len)),
                gathered: cut.gathered,
            });
        }
        Self { pieces }
    }

    /// Overwrites the octets from `at` on; a gap is filled with zeros.
    pub(super) fn write_at(&mut self, mut at: u64, mut octets: &[u8]) {
        while self.len() < at {
            let gap = octets_between(self.len(), at).min(CHUNK);
            self.push_piece(Bytes::from_static(&ZEROS[..gap]), false);
        }
        let mut index = self.piece_at(at);
        while let Some(piece) = self.pieces.get_mut(index)
            && !octets.is_empty()
        {
            let offset = piece.octets.len() - octets_between(at, piece.end);
            let count = octets.len().min(piece.octets.len() - offset);
            let mut own = unshared(std::mem::take(&mut piece.octets));
            own[offset..offset + count].copy_from_slice(&octets[..count]);
            piece.octets = own.freeze();
            octets = &octets[count..];
            at += count as u64;
            index += 1;
        }
        self.gather(octets);
    }

    fn gather(&mut self, mut octets: &[u8]) {
        if let Some(last) = self.pieces.last_mut()
            && last.gathered
            && last.octets.len() < CHUNK
        {
            let (more, rest) = octets.split_at(octets.len().min(CHUNK - last.octets.len()));
            let tail = std::mem::take(&mut last.octets);
            last.octets = extended(tail, more);
            if last.octets.len() == CHUNK {
                last.octets = mapped(&last.octets);
            }
            last.end += more.len() as u64;
            octets = rest;
        }
        for piece in octets.chunks(CHUNK) {
            // A large file is likely to grow further; a small one gets no spare memory.
            let octets = if self.len() < CHUNK as u64 {
                Bytes::copy_from_slice(piece)
            } else {
                larger(piece, CHUNK).freeze()
            };
            self.push_piece(octets, true);
        }
    }

    fn push_piece(&mut self, octets: Bytes, gathered: bool) {
        let end = self.len() + octets.len() as u64;
        self.pieces.push(Piece {
            end,
            octets,
            gathered,
        });
    }

    /// The index of the piece that contains the octet `at`.
    fn piece_at(&self, at: u64) -> usize {
        self.pieces.partition_point(|piece| piece.end <= at)
    }
}

/// A position in a content, moving forward.
#[derive(Debug, Clone, Default)]
pub(super) struct Cursor {
    at: u64,
    /// The piece in which `at` was found last; verified before use.
    piece: usize,
}

impl Cursor {
    /// At this offset, which may be beyond the end.
    pub(super) fn new(at: u64) -> Self {
        Self { at, piece: 0 }
    }

    /// The offset.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next octets, shared; at most `max`, empty at the end.
    pub(super) fn next(&mut self, content: &Content, max: usize) -> Bytes {
        let here = |index: usize| {
            content.pieces.get(index).is_some_and(|piece| {
                piece.end > self.at && piece.end - self.at <= piece.octets.len() as u64
            })
        };
        self.piece = [self.piece, self.piece + 1]
            .into_iter()
            .find(|index| here(*index))
            .unwrap_or_else(|| content.piece_at(self.at));
        let Some(piece) = content.pieces.get(self.piece) else {
            return Bytes::new();
        };
        let offset = piece.octets.len() - octets_between(self.at, piece.end);
        let count = max.min(piece.octets.len() - offset);
        self.at += count as u64;
        piece.octets.slice(offset..offset + count)
    }
}

/// The distance inside one piece, or to be cut to one.
fn octets_between(from: u64, to: u64) -> usize {
    usize::try_from(to - from).unwrap_or(usize::MAX)
}

fn unshared(octets: Bytes) -> BytesMut {
    octets
        .try_into_mut()
        .unwrap_or_else(|shared| BytesMut::from(&shared[..]))
}

/// `tail` followed by `more`. Grows by doubling, so that many small appends cost as much as one
/// large.
fn extended(tail: Bytes, more: &[u8]) -> Bytes {
    let len = tail.len() + more.len();
    let mut own = match tail.try_into_mut() {
        Ok(own) if own.capacity() >= len => own,
        Ok(full) => larger(&full, len),
        Err(shared) => larger(&shared, len),
    };
    own.extend_from_slice(more);
    own.freeze()
}

fn larger(octets: &[u8], len: usize) -> BytesMut {
    let capacity = match len {
        ..LARGE => len.next_power_of_two(),
        LARGE.. => CHUNK,
    };
    let mut own = BytesMut::with_capacity(capacity);
    own.extend_from_slice(octets);
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn read(content: &Content, from: u64, max: usize) -> Vec<u8> {
        let mut cursor = Cursor::new(from);
        let mut octets = Vec::new();
        loop {
            let piece = cursor.next(content, max);
            if piece.is_empty() {
                return octets;
            }
            assert!(piece.len() <= max);
            octets.extend_from_slice(&piece);
        }
    }

    /// `len` octets with varying values.
    fn octets(len: usize, seed: u8) -> Vec<u8> {
        (0..len)
            .map(|at| (at % 251) as u8 ^ (at >> 8) as u8 ^ seed)
            .collect()
    }

    #[test]
    fn large_pieces_are_by_themselves_and_small_ones_gathered() {
        let large = octets(2 * CHUNK + LARGE, 1);
        let mut content = Content::default();
        content.push(&large);
        assert_eq!(content.pieces.len(), 3);
        for _ in 0..1000 {
            content.push(b"small");
        }
        assert_eq!(content.pieces.len(), 4);
        assert_eq!(content.len(), large.len() as u64 + 5000);
    }

    #[test]
    fn a_clone_does_not_see_what_is_written_later() {
        let mut content = Content::default();
        content.push(b"before");
        let clone = content.clone();
        content.write_at(0, b"B");
        content.push(b" and after");
        assert_eq!(read(&clone, 0, 100), b"before");
        assert_eq!(read(&content, 0, 100), b"Before and after");
    }

    #[derive(Debug, Clone)]
    enum Change {
        Push(usize),
        Append(Vec<usize>),
        Head(f64),
        Write(f64, usize),
        Share,
    }

    fn change() -> impl Strategy<Value = Change> {
        let len = || prop_oneof![0_usize..40, LARGE - 2..LARGE + 2, CHUNK - 2..CHUNK + 2];
        prop_oneof![
            3 => len().prop_map(Change::Push),
            1 => prop::collection::vec(len(), 0..4).prop_map(Change::Append),
            1 => (0.0..=1.0).prop_map(Change::Head),
            3 => (0.0..1.3, len()).prop_map(|(at, len)| Change::Write(at, len)),
            1 => Just(Change::Share),
        ]
    }

    fn part(len: usize, ratio: f64) -> usize {
        (len as f64 * ratio) as usize
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_holds_what_a_vec_would_hold(
            changes in prop::collection::vec(change(), 0..12),
            max in 1_usize..2 * CHUNK,
            from in 0.0..1.1,
        ) {
            let mut content = Content::default();
            let mut model: Vec<u8> = Vec::new();
            let mut shared = Vec::new();
            for (seed, change) in changes.into_iter().enumerate() {
                let seed = seed as u8;
                match change {
                    Change::Push(len) => {
                        content.push(&octets(len, seed));
                        model.extend(octets(len, seed));
                    }
                    Change::Append(lens) => {
                        let mut other = Content::default();
                        for len in lens {
                            other.push(&octets(len, seed));
                            model.extend(octets(len, seed));
                        }
                        content.append(other);
                    }
                    Change::Head(ratio) => {
                        let len = part(model.len(), ratio);
                        content = content.head(len as u64);
                        model.truncate(len);
                    }
                    Change::Write(ratio, len) => {
                        let at = part(model.len(), ratio);
                        content.write_at(at as u64, &octets(len, seed));
                        model.resize(model.len().max(at + len), 0);
                        model[at..at + len].copy_from_slice(&octets(len, seed));
                    }
                    Change::Share => shared.push((content.clone(), model.clone())),
                }
                prop_assert_eq!(content.len(), model.len() as u64);
            }
            let from = part(model.len(), from);
            prop_assert!(read(&content, from as u64, max) == model.get(from..).unwrap_or_default());
            for (content, model) in shared {
                prop_assert!(read(&content, 0, CHUNK) == model);
            }
        }
    }
}
