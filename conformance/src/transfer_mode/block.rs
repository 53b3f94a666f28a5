//! Blocks (RFC 959 §3.4.2): a descriptor, a count of two octets, and so many octets of data.

/// The descriptor codes.
pub(super) const END_OF_FILE: u8 = 64;
pub(super) const MARKER: u8 = 16;
pub(super) const UNASSIGNED: u8 = 15;

/// The data in blocks, the last of which says that it is.
pub(super) fn joined(mut octets: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut data = Vec::with_capacity(octets.len());
    let mut descriptor = 0;
    while let Some((header, rest)) = octets.split_first_chunk::<3>() {
        if descriptor & END_OF_FILE != 0 {
            return Err("a block behind the one that says that it is the last");
        }
        descriptor = header[0];
        if descriptor & UNASSIGNED != 0 {
            return Err("a block with a descriptor code that does not exist");
        }
        let count = u16::from_be_bytes([header[1], header[2]]).into();
        let Some((block, rest)) = rest.split_at_checked(count) else {
            return Err("a block that is shorter than its header says");
        };
        if descriptor & MARKER == 0 {
            data.extend_from_slice(block);
        }
        octets = rest;
    }
    match (octets, descriptor & END_OF_FILE) {
        ([], 0) => Err("no block that says that it is the last"),
        ([], _) => Ok(data),
        _ => Err("half of the header of a block"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::in_one(b"@\0\x02ab", b"ab")]
    #[case::the_end_alone(b"\0\0\x02ab@\0\0", b"ab")]
    #[case::records(b"\x80\0\x01a\xc0\0\x01b", b"ab")]
    #[case::suspect(b"\x60\0\x01a", b"a")]
    #[case::a_marker_is_no_data(b"\0\0\x01a\x10\0\x03pos\0\0\x01b@\0\0", b"ab")]
    #[case::nothing(b"@\0\0", b"")]
    fn blocks_are_joined(#[case] octets: &[u8], #[case] data: &[u8]) {
        assert_eq!(joined(octets).as_deref(), Ok(data));
    }

    #[test]
    fn a_count_has_its_high_octet_first() {
        let block = [b"@\x01\x02".as_slice(), &[7; 258]].concat();
        assert_eq!(joined(&block), Ok(vec![7; 258]));
    }

    #[rstest]
    #[case::nothing(b"", "no block that says")]
    #[case::no_end(b"\0\0\x02ab", "no block that says")]
    #[case::plain(b"ab", "half of the header")]
    #[case::cut(b"@\0\x03ab", "shorter than")]
    #[case::behind_the_end(b"@\0\0\0\0\x01a", "behind the one")]
    #[case::behind_the_end_half(b"@\0\0\0", "half of the header")]
    #[case::unassigned(b"A\0\0", "does not exist")]
    fn anything_else_is_told(#[case] octets: &[u8], #[case] why: &str) {
        let error = joined(octets).expect_err("it is wrong");
        assert!(error.contains(why), "{error}");
    }
}
