//! Representation type ASCII: lines end with LF in a file and with CRLF on the wire (RFC 959
//! §3.1.1.1).
//!
//! One rule for both ways, and for the size RFC 3659 §4 asks about:
//!
//! ```text
//!  file          wire          encoder                    file          decoder
//!  LF      ----> CR LF         gets its CR                LF      <---- CR LF
//!  CR LF   ----> CR LF         a line end already         CR LF   <---- CR CR LF
//!  CR x    ----> CR x          a lone CR is content       CR x    <---- CR x
//!                LF                                       LF      <---- LF
//! ```
//!
//! A file with CRLF in it therefore comes back with LF: the representation type is about lines, and
//! TYPE I is for octets. Without CRLF in it every file makes the round trip unharmed. Both
//! converters keep one bit of state, so it does not matter how the octets were cut into pieces.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::{memchr, memchr_iter};

/// File content to data octets (RETR, and the answer to SIZE).
#[derive(Debug, Clone, Default)]
pub struct AsciiEncoder {
    /// The last octet was a CR: an LF that comes now has its CR already.
    after_cr: bool,
}

/// Data octets to file content (STOR, STOU, APPE).
#[derive(Debug, Clone, Default)]
pub struct AsciiDecoder {
    /// A CR was kept back until it is known whether an LF follows.
    held_cr: bool,
}

impl AsciiEncoder {
    /// An encoder at the beginning of a file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next octets for the wire. Without a bare LF in it the piece goes through uncopied.
    #[must_use]
    pub fn encode(&mut self, octets: Bytes) -> Bytes {
        let bare = self.bare_lfs(&octets);
        if bare == 0 {
            self.pass(&octets);
            return octets;
        }
        let mut encoded = BytesMut::with_capacity(octets.len() + bare);
        let mut copied = 0;
        for lf in memchr_iter(b'\n', &octets) {
            if !self.has_cr(&octets, lf) {
                encoded.put_slice(&octets[copied..lf]);
                encoded.put_u8(b'\r');
                copied = lf;
            }
        }
        encoded.put_slice(&octets[copied..]);
        self.pass(&octets);
        encoded.freeze()
    }

    /// How many octets [`encode`](Self::encode) would make of these, without making them.
    #[must_use]
    pub fn count(&mut self, octets: &[u8]) -> u64 {
        let count = octets.len() as u64 + self.bare_lfs(octets) as u64;
        self.pass(octets);
        count
    }

    /// Whether an encoder that begins here would do the same.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        !self.after_cr
    }

    fn bare_lfs(&self, octets: &[u8]) -> usize {
        memchr_iter(b'\n', octets)
            .filter(|lf| !self.has_cr(octets, *lf))
            .count()
    }

    fn has_cr(&self, octets: &[u8], lf: usize) -> bool {
        match lf.checked_sub(1) {
            Some(before) => octets[before] == b'\r',
            None => self.after_cr,
        }
    }

    fn pass(&mut self, octets: &[u8]) {
        if let Some(last) = octets.last() {
            self.after_cr = *last == b'\r';
        }
    }
}

impl AsciiDecoder {
    /// A decoder at the beginning of a transfer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next octets for the file. Without a CR in it the piece goes through uncopied. A CR at
    /// the end is kept back:
    /// [`finish`](Self::finish) gives it out.
    #[must_use]
    pub fn decode(&mut self, octets: Bytes) -> Bytes {
        if octets.is_empty() || (!self.held_cr && memchr(b'\r', &octets).is_none()) {
            return octets;
        }
        let mut decoded = BytesMut::with_capacity(octets.len() + 1);
        if self.held_cr && octets[0] != b'\n' {
            decoded.put_u8(b'\r');
        }
        let mut copied = 0;
        self.held_cr = false;
        for cr in memchr_iter(b'\r', &octets) {
            match octets.get(cr + 1) {
                Some(b'\n') => {
                    decoded.put_slice(&octets[copied..cr]);
                    copied = cr + 1;
                }
                Some(_) => {}
                None => {
                    decoded.put_slice(&octets[copied..cr]);
                    copied = cr + 1;
                    self.held_cr = true;
                }
            }
        }
        decoded.put_slice(&octets[copied..]);
        decoded.freeze()
    }

    /// Whether a decoder that begins here would do the same.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        !self.held_cr
    }

    /// What was kept back: a CR that was the very last octet, else nothing.
    #[must_use]
    pub fn finish(self) -> Bytes {
        Bytes::from_static(if self.held_cr { b"\r" } else { b"" })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    use proptest::prelude::*;
    use rstest::rstest;

    fn encode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut encoder = AsciiEncoder::new();
        pieces
            .into_iter()
            .flat_map(|piece| encoder.encode(Bytes::copy_from_slice(piece)))
            .collect()
    }

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut decoder = AsciiDecoder::new();
        let mut decoded = Vec::new();
        for piece in pieces {
            decoded.extend(decoder.decode(Bytes::copy_from_slice(piece)));
        }
        decoded.extend(decoder.finish());
        decoded
    }

    #[rstest]
    #[case(b"", b"")]
    #[case(b"abc", b"abc")]
    #[case(b"\n", b"\r\n")]
    #[case(b"a\nb\n", b"a\r\nb\r\n")]
    #[case(b"a\n\nb", b"a\r\n\r\nb")]
    #[case(b"a\r\nb", b"a\r\nb")]
    #[case(b"\r\n\n", b"\r\n\r\n")]
    #[case(b"a\rb", b"a\rb")]
    #[case(b"a\r", b"a\r")]
    #[case(b"\r\r\n", b"\r\r\n")]
    #[case(b"\n\r", b"\r\n\r")]
    #[case(b"\xff\x00\n", b"\xff\x00\r\n")]
    fn a_bare_lf_gets_its_cr_on_the_wire(#[case] file: &[u8], #[case] wire: &[u8]) {
        assert_eq!(encode([file]), wire);
        assert_eq!(encode(file.chunks(1)), wire);
        assert_eq!(AsciiEncoder::new().count(file), wire.len() as u64);
    }

    #[rstest]
    #[case(b"", b"")]
    #[case(b"abc", b"abc")]
    #[case(b"\r\n", b"\n")]
    #[case(b"a\r\nb\r\n", b"a\nb\n")]
    #[case(b"a\nb", b"a\nb")]
    #[case(b"a\rb", b"a\rb")]
    #[case(b"a\r", b"a\r")]
    #[case(b"\r\r\n", b"\r\n")]
    #[case(b"\r\r", b"\r\r")]
    #[case(b"\r\n\r", b"\n\r")]
    #[case(b"\r\0", b"\r\0")]
    fn crlf_becomes_lf_in_the_file(#[case] wire: &[u8], #[case] file: &[u8]) {
        assert_eq!(decode([wire]), file);
        assert_eq!(decode(wire.chunks(1)), file);
    }

    #[test]
    fn a_piece_without_line_ends_is_not_copied() {
        let piece = Bytes::from(vec![b'x'; 1000]);
        assert_eq!(
            AsciiEncoder::new().encode(piece.clone()).as_ptr(),
            piece.as_ptr()
        );
        assert_eq!(
            AsciiDecoder::new().decode(piece.clone()).as_ptr(),
            piece.as_ptr()
        );
    }

    /// Mostly line ends, so that every corner is met often.
    fn octets() -> impl Strategy<Value = Vec<u8>> {
        let octet = prop_oneof![3 => Just(b'\r'), 3 => Just(b'\n'), 2 => any::<u8>()];
        prop::collection::vec(octet, 0..200)
    }

    /// The octets in pieces of these lengths, and the rest.
    pub(in crate::dtp) fn cut(octets: &[u8], lengths: &[usize]) -> Vec<Vec<u8>> {
        let mut rest = octets;
        let mut pieces = Vec::new();
        for length in lengths {
            let (piece, after) = rest.split_at((*length).min(rest.len()));
            pieces.push(piece.to_vec());
            rest = after;
        }
        pieces.push(rest.to_vec());
        pieces
    }

    proptest! {
        #[test]
        fn a_file_without_crlf_makes_the_round_trip(mut file in octets()) {
            file.dedup_by(|after, before| *before == b'\r' && *after == b'\n');
            prop_assert_eq!(decode([&encode([&file[..]])[..]]), file);
        }

        #[test]
        fn what_is_sent_has_no_bare_lf_and_needs_no_more_encoding(file in octets()) {
            let wire = encode([&file[..]]);
            let bare = wire.iter().enumerate().any(|(at, octet)| *octet == b'\n' && (at == 0 || wire[at - 1] != b'\r'));
            prop_assert!(!bare);
            prop_assert_eq!(encode([&wire[..]]), wire);
        }

        #[test]
        fn how_it_is_cut_does_not_matter(
            octets in octets(),
            lengths in prop::collection::vec(0_usize..20, 0..20),
        ) {
            let pieces = cut(&octets, &lengths);
            prop_assert_eq!(encode(pieces.iter().map(Vec::as_slice)), encode([&octets[..]]));
            prop_assert_eq!(decode(pieces.iter().map(Vec::as_slice)), decode([&octets[..]]));
            let mut encoder = AsciiEncoder::new();
            let counted: u64 = pieces.iter().map(|piece| encoder.count(piece)).sum();
            prop_assert_eq!(counted, encode([&octets[..]]).len() as u64);
        }
    }
}
