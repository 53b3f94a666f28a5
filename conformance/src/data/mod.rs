//! The octets of a transfer, without storing what can be computed again.
//!
//! Some scenarios transfer contents of many megabytes, and one job needs the same content in
//! several places: what is sent, what is expected, and the transcript. Nearly all of it is part of
//! the test pattern or a repetition, so it is stored as a range of these. Only other octets take
//! memory, and clones share it.

mod escape;

pub(crate) use escape::Escaped;
pub use escape::{escape, unescape};

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;

/// The maximum length of a transfer in a scenario.
pub(crate) const CONTENT_LIMIT: u64 = 64 << 20;
/// The maximum size of a piece, and of a single allocation.
const PIECE: usize = 64 << 10;

/// A sequence of octets. Two are equal if their octets are, however they are stored.
#[derive(Clone, Default)]
pub struct Data {
    parts: Vec<Part>,
    length: u64,
}

/// A part of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Octets(Bytes),
    /// These positions of the test pattern, see [`pattern`].
    Pattern(Range<u64>),
    /// These positions of the endless repetition of the unit, which is not empty.
    Repeat(Bytes, Range<u64>),
}

impl Part {
    fn length(&self) -> u64 {
        match self {
            Self::Octets(octets) => octets.len() as u64,
            Self::Pattern(range) | Self::Repeat(_, range) => range.end.saturating_sub(range.start),
        }
    }

    /// The part between two offsets, which are within its length.
    fn slice(&self, from: u64, to: u64) -> Self {
        let moved = |range: &Range<u64>| range.start + from..range.start + to;
        match self {
            Self::Octets(octets) => Self::Octets(octets.slice(from as usize..to as usize)),
            Self::Pattern(range) => Self::Pattern(moved(range)),
            Self::Repeat(unit, range) => Self::Repeat(unit.clone(), moved(range)),
        }
    }

    /// The octets between two offsets, which are within its length.
    fn octets(&self, from: u64, to: u64) -> Cow<'_, [u8]> {
        match self {
            Self::Octets(octets) => Cow::Borrowed(&octets[from as usize..to as usize]),
            Self::Pattern(range) => Cow::Owned(pattern(range.start + from..range.start + to)),
            Self::Repeat(unit, range) => {
                let skipped = ((range.start + from) % unit.len() as u64) as usize;
                let endless = unit.iter().copied().cycle().skip(skipped);
                Cow::Owned(endless.take((to - from) as usize).collect())
            }
        }
    }
}

impl Data {
    /// These positions of the test pattern, see [`pattern`].
    #[must_use]
    pub fn of_pattern(positions: Range<u64>) -> Self {
        Self::of([Part::Pattern(positions)])
    }

    /// A repeated unit, stored once; empty if the unit is empty.
    #[must_use]
    pub fn repeated(unit: Vec<u8>, times: u64) -> Self {
        let length = (unit.len() as u64).saturating_mul(times);
        Self::of([Part::Repeat(unit.into(), 0..length)])
    }

    /// The octets of all parts, in order.
    pub(crate) fn of(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut data = Self::default();
        for part in parts {
            data.push(part);
        }
        data
    }

    /// The parts, for writing to a file.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn push(&mut self, part: Part) {
        let length = part.length();
        if length == 0 {
            return;
        }
        self.length = self.length.saturating_add(length);
        match (self.parts.last_mut(), part) {
            (Some(Part::Pattern(last)), Part::Pattern(next)) if last.end == next.start => {
                last.end = next.end;
            }
            (_, part) => self.parts.push(part),
        }
    }

    /// Appends octets.
    pub fn extend(&mut self, more: Self) {
        for part in more.parts {
            self.push(part);
        }
    }

    /// The number of octets.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are no octets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The octets of a range, limited to the length; shares their memory.
    #[must_use]
    pub fn slice(&self, range: Range<u64>) -> Self {
        let mut slice = Self::default();
        let mut begin = 0;
        for part in &self.parts {
            let end = begin + part.length();
            let (from, to) = (range.start.max(begin), range.end.min(end));
            if from < to {
                slice.push(part.slice(from - begin, to - begin));
            }
            begin = end;
        }
        slice
    }

    /// The octets in pieces of a limited size.
    pub fn pieces(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        let mut cursor = self.cursor();
        std::iter::from_fn(move || cursor.next(PIECE))
    }

    /// All octets in one piece. Only for data of a known, reasonable size.
    #[must_use]
    pub fn joined(&self) -> Cow<'_, [u8]> {
        match &self.parts[..] {
            [] => Cow::Borrowed(&[]),
            [Part::Octets(octets)] => Cow::Borrowed(octets),
            _ => Cow::Owned(self.to_vec()),
        }
    }

    /// A copy of all octets.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(usize::try_from(self.length).unwrap_or(0));
        for piece in self.pieces() {
            octets.extend_from_slice(&piece);
        }
        octets
    }

    /// The length of the common beginning.
    #[must_use]
    pub fn common_beginning(&self, other: &Self) -> u64 {
        let mut same = 0;
        let mut others = other.cursor();
        for piece in self.pieces() {
            let (here, all) = others.agrees(&piece);
            same += here as u64;
            if !all {
                break;
            }
        }
        same
    }

    fn cursor(&self) -> Cursor<'_> {
        Cursor {
            parts: &self.parts,
            at: 0,
        }
    }
}

/// A position in the octets.
struct Cursor<'a> {
    /// The current part and the following ones.
    parts: &'a [Part],
    /// The offset in the current part.
    at: u64,
}

impl<'a> Cursor<'a> {
    /// The next octets, at most `most`.
    fn next(&mut self, most: usize) -> Option<Cow<'a, [u8]>> {
        loop {
            let (part, rest) = self.parts.split_first()?;
            let end = part.length();
            if self.at < end {
                let to = end.min(self.at.saturating_add(most.min(PIECE) as u64));
                let piece = part.octets(self.at, to);
                self.at = to;
                return Some(piece);
            }
            (self.parts, self.at) = (rest, 0);
        }
    }

    /// How many of these octets match the next ones, and whether all do.
    fn agrees(&mut self, octets: &[u8]) -> (usize, bool) {
        let mut rest = octets;
        while !rest.is_empty() {
            let Some(piece) = self.next(rest.len()) else {
                break;
            };
            let (head, behind) = rest.split_at(piece.len());
            if *head != *piece {
                let same = head.iter().zip(&*piece).take_while(|(a, b)| a == b);
                return (octets.len() - rest.len() + same.count(), false);
            }
            rest = behind;
        }
        (octets.len() - rest.len(), rest.is_empty())
    }
}

/// Collects octets as they arrive. Nothing is stored as long as they are the expected ones.
pub(crate) struct Gatherer<'a> {
    expected: &'a Data,
    /// The position in the expected octets, as long as all received ones were expected.
    cursor: Option<Cursor<'a>>,
    matched: u64,
    stored: Data,
    /// The stored octets that are not yet part of `data`.
    open: Vec<u8>,
}

impl<'a> Gatherer<'a> {
    /// A gatherer without octets.
    pub(crate) fn new(expected: &'a Data) -> Self {
        Self {
            expected,
            cursor: Some(expected.cursor()),
            matched: 0,
            stored: Data::default(),
            open: Vec::new(),
        }
    }

    /// Takes octets; returns how many of them had to be stored.
    pub(crate) fn take(&mut self, octets: &[u8]) -> u64 {
        let mut rest = octets;
        if let Some(cursor) = &mut self.cursor {
            let (same, all) = cursor.agrees(octets);
            self.matched += same as u64;
            rest = &octets[same..];
            if !all {
                self.cursor = None;
            }
        }
        self.open.extend_from_slice(rest);
        if self.open.len() >= PIECE {
            self.store();
        }
        rest.len() as u64
    }

    /// The number of octets that arrived.
    pub(crate) fn len(&self) -> u64 {
        self.matched + self.stored.len() + self.open.len() as u64
    }

    /// All octets that arrived.
    pub(crate) fn finish(mut self) -> Data {
        self.store();
        let mut data = self.expected.slice(0..self.matched);
        data.extend(self.stored);
        data
    }

    fn store(&mut self) {
        let octets = std::mem::take(&mut self.open);
        self.stored.extend(octets.into());
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length
            && (self.parts == other.parts || self.common_beginning(other) == self.length)
    }
}

impl Eq for Data {}

impl From<Vec<u8>> for Data {
    fn from(mut octets: Vec<u8>) -> Self {
        octets.shrink_to_fit();
        Self::of([Part::Octets(octets.into())])
    }
}

impl From<Bytes> for Data {
    fn from(octets: Bytes) -> Self {
        Self::of([Part::Octets(octets)])
    }
}

impl From<&[u8]> for Data {
    fn from(octets: &[u8]) -> Self {
        octets.to_vec().into()
    }
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: u64 = 256;
        let head = escape(&self.slice(0..SHOWN).joined());
        match self.length {
            0..=SHOWN => write!(f, "\"{head}\""),
            length => write!(f, "\"{head}\"… ({length} octets)"),
        }
    }
}

/// The octets at these positions of the endless test pattern.
///
/// Every eight octets are a unique number (the finaliser of SplitMix64 maps counters one to one),
/// so lost, doubled, shifted or converted octets are detected at any position. Every octet value
/// occurs (including CR, LF, NUL and the Telnet IAC), and the pattern does not compress.
pub(crate) fn pattern(positions: Range<u64>) -> Vec<u8> {
    let Some(length) = positions.end.checked_sub(positions.start) else {
        return Vec::new();
    };
    let mut octets = Vec::with_capacity(length as usize + 16);
    let first = positions.start / 8;
    for block in first..positions.end.div_ceil(8) {
        octets.extend_from_slice(&mixed(block).to_be_bytes());
    }
    octets.drain(..(positions.start - first * 8) as usize);
    octets.truncate(length as usize);
    octets
}

fn mixed(counter: u64) -> u64 {
    let mut number = counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_window_of_the_pattern_occurs_once() {
        let octets = pattern(0..70_000);
        let mut windows: Vec<&[u8]> = octets.windows(8).collect();
        windows.sort_unstable();
        windows.dedup();
        assert_eq!(windows.len(), octets.len() - 7);
        assert!((0..=255).all(|value| octets.contains(&value)));
    }

    #[test]
    fn expected_octets_are_not_stored_however_they_arrive() {
        let mut expected = Data::of_pattern(5..300_000);
        expected.extend(Data::repeated(b"abc".to_vec(), 100_000));
        let octets = expected.to_vec();
        for size in [1000, 65_536, 70_001] {
            let mut gatherer = Gatherer::new(&expected);
            let stored: u64 = octets.chunks(size).map(|piece| gatherer.take(piece)).sum();
            assert_eq!((stored, gatherer.len()), (0, expected.len()));
            let came = gatherer.finish();
            assert_eq!(came.parts(), expected.parts());
        }
    }

    #[test]
    fn all_octets_after_the_first_unexpected_one_are_stored() {
        let expected = Data::of_pattern(0..200_000);
        let mut octets = expected.to_vec();
        octets[150_000] ^= 1;
        let mut gatherer = Gatherer::new(&expected);
        let stored: u64 = octets.chunks(8192).map(|piece| gatherer.take(piece)).sum();
        assert_eq!(stored, 50_000);
        let came = gatherer.finish();
        assert_eq!(came.common_beginning(&expected), 150_000);
        assert!(came != expected && came.to_vec() == octets);
    }

    fn part() -> impl Strategy<Value = Part> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..9).prop_map(|it| Part::Octets(it.into())),
            (0..40_u64, 0..40_u64).prop_map(|(from, more)| Part::Pattern(from..from + more)),
            ("[ab]{1,3}", 0..9_u64, 0..9_u64)
                .prop_map(|(unit, from, more)| Part::Repeat(unit.into(), from..from + more)),
        ]
    }

    fn data() -> impl Strategy<Value = Data> {
        proptest::collection::vec(part(), 0..5).prop_map(Data::of)
    }

    proptest! {
        #[test]
        fn a_slice_of_the_pattern_has_its_octets(from in 0u64..200, length in 0u64..200) {
            let whole = pattern(0..400);
            let part = pattern(from..from + length);
            prop_assert_eq!(&part[..], &whole[from as usize..(from + length) as usize]);
        }

        #[test]
        fn data_behaves_like_its_octets(one in data(), other in data(), from in 0..60_u64, to in 0..60_u64) {
            let (octets, others) = (one.to_vec(), other.to_vec());
            prop_assert_eq!(one.len(), octets.len() as u64);
            prop_assert_eq!(&one, &Data::from(octets.clone()));
            prop_assert_eq!(one == other, octets == others);
            let same = octets.iter().zip(&others).take_while(|(a, b)| a == b).count();
            prop_assert_eq!(one.common_beginning(&other), same as u64);
            let end = |at: u64| usize::try_from(at).unwrap().min(octets.len());
            let (from, to) = (from.min(to), to);
            let slice = one.slice(from..to);
            prop_assert_eq!(slice.to_vec(), octets[end(from)..end(to)].to_vec());
            let mut gatherer = Gatherer::new(&other);
            octets.chunks(3).for_each(|piece| {
                gatherer.take(piece);
            });
            prop_assert_eq!(gatherer.finish().to_vec(), octets);
        }
    }
}
