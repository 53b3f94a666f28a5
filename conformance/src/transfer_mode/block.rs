//! Block mode (RFC 959 §3.4.2): each block has a descriptor, a count of two octets, and data.

/// The descriptor codes.
pub(super) const END_OF_FILE: u8 = 64;
pub(super) const MARKER: u8 = 16;
pub(super) const UNASSIGNED: u8 = 15;

/// Decodes blocks, the last of which is marked as such.
pub(super) fn joined(mut octets: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut data = Vec::with_capacity(octets.len());
    let mut descriptor = 0;
    while let Some((header, rest)) = octets.split_first_chunk::<3>() {
        if descriptor & END_OF_FILE != 0 {
            return Err("a block after the last block");
        }
        descriptor = header[0];
        if descriptor & UNASSIGNED != 0 {
            return Err("a block with an unassigned descriptor code");
        }
        let count = u16::from_be_bytes([header[1], header[2]]).into();
        let Some((block, rest)) = rest.split_at_checked(count) else {
            return Err("a block that is shorter than its count");
        };
        if descriptor & MARKER == 0 {
            data.extend_from_slice(block);
        }
        octets = rest;
    }
    match (octets, descriptor & END_OF_FILE) {
        ([], 0) => Err("no block is marked as the last"),
        ([], _) => Ok(data),
        _ => Err("an incomplete block header"),
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
    #[case::a_marker_is_not_data(b"\0\0\x01a\x10\0\x03pos\0\0\x01b@\0\0", b"ab")]
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
    #[case::nothing(b"", "no block is marked")]
    #[case::no_end(b"\0\0\x02ab", "no block is marked")]
    #[case::plain(b"ab", "incomplete block header")]
    #[case::cut(b"@\0\x03ab", "shorter than")]
    #[case::after_the_end(b"@\0\0\0\0\x01a", "after the last")]
    #[case::after_the_end_incomplete(b"@\0\0\0", "incomplete block header")]
    #[case::unassigned(b"A\0\0", "unassigned")]
    fn invalid_blocks_are_refused(#[case] octets: &[u8], #[case] why: &str) {
        let error = joined(octets).expect_err("it is wrong");
        assert!(error.contains(why), "{error}");
    }
}
