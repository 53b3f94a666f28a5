//! A strict decoder for the zlib streams (RFC 1950) of MODE Z.

use super::LIMIT;
use flate2::bufread::ZlibDecoder;
use std::io::Read as _;

/// Inflates exactly one zlib stream.
///
/// # Errors
/// As text: the stream is invalid, its checksum is wrong or missing, octets follow it, or it is too
/// long.
pub(super) fn inflated(octets: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut decoder = ZlibDecoder::new(octets);
    let mut inflated = Vec::new();
    let read = decoder
        .by_ref()
        .take(LIMIT as u64 + 1)
        .read_to_end(&mut inflated);
    if inflated.len() > LIMIT {
        return Err("a zlib stream of more than 64 MiB");
    }
    if read.is_err() {
        return Err("not a complete zlib stream");
    }
    if !decoder.into_inner().is_empty() {
        return Err("octets after the end of the zlib stream");
    }
    Ok(inflated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// The output of zlib for `abcabcabcabc` and a line end.
    const PACKED: &[u8] = b"x\x9cKLJN\x84!.\0\"\x83\x04\xa3";

    #[test]
    fn a_whole_stream_is_inflated() {
        assert_eq!(inflated(PACKED), Ok(b"abcabcabcabc\n".to_vec()));
    }

    #[rstest]
    #[case::nothing(b"")]
    #[case::plain(b"abcabcabcabc\n")]
    #[case::raw_deflate(&PACKED[2..PACKED.len() - 4])]
    #[case::without_checksum(&PACKED[..PACKED.len() - 4])]
    #[case::checksum_cut(&PACKED[..PACKED.len() - 1])]
    #[case::wrong_checksum(b"x\x9cKLJN\x84!.\0\"\x83\x04\xa4")]
    #[case::gzip(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0")]
    #[case::more_behind(&[PACKED, b"x"].concat())]
    fn invalid_streams_are_refused(#[case] octets: &[u8]) {
        assert!(inflated(octets).is_err());
    }
}
