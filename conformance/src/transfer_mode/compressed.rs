//! Compressed data (RFC 959 §3.4.3): strings, runs, fillers and escapes.

use super::LIMIT;
use super::block::{END_OF_FILE, MARKER, UNASSIGNED};

/// The filler of type Image.
const FILLER: u8 = 0;

/// Decodes compressed data. Its end is marked by an escape or by the end of the connection (§3.4).
pub(super) fn expanded(mut octets: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut data = Vec::with_capacity(octets.len());
    // The codes of an escape belong to the string after it, if there is one.
    let (mut is_marker, mut is_last, mut is_over) = (false, false, false);
    while let Some((&head, rest)) = octets.split_first() {
        if is_over || (is_last && head == 0) {
            return Err("octets after the last string");
        }
        octets = rest;
        if head == 0 {
            let Some((&descriptor, rest)) = octets.split_first() else {
                return Err("an incomplete escape");
            };
            if descriptor & UNASSIGNED != 0 {
                return Err("an escape with an unassigned descriptor code");
            }
            is_marker = descriptor & MARKER != 0;
            is_last = descriptor & END_OF_FILE != 0;
            octets = rest;
            continue;
        }
        let count = usize::from(head & 0x3f);
        match head >> 6 {
            0 | 1 => {
                let Some((string, rest)) = octets.split_at_checked(head.into()) else {
                    return Err("a string that is shorter than its count");
                };
                if !is_marker {
                    data.extend_from_slice(string);
                }
                octets = rest;
            }
            2 => {
                let Some((&octet, rest)) = octets.split_first() else {
                    return Err("a replicated string without its octet");
                };
                data.resize(data.len() + count, octet);
                octets = rest;
            }
            _ => data.resize(data.len() + count, FILLER),
        }
        is_marker = false;
        is_over = is_last;
        if data.len() > LIMIT {
            return Err("compressed data of more than 64 MiB");
        }
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::string(b"\x02ab\0@", b"ab")]
    #[case::run(b"\x83a\0@", b"aaa")]
    #[case::filler(b"\xc3\0@", b"\0\0\0")]
    #[case::the_end_before_the_last_string(b"\x01a\0@\x01b", b"ab")]
    #[case::end_by_the_connection(b"\x01a\x82b", b"abb")]
    #[case::record(b"\0\x80\x01a\0@", b"a")]
    #[case::a_marker_is_not_data(b"\x01a\0\x10\x03pos\x01b\0@", b"ab")]
    #[case::nothing(b"\0@", b"")]
    fn compressed_data_is_expanded(#[case] octets: &[u8], #[case] data: &[u8]) {
        assert_eq!(expanded(octets).as_deref(), Ok(data));
    }

    #[test]
    fn a_string_has_up_to_127_octets_and_a_run_up_to_63() {
        let octets = [&[127_u8][..], &[1; 127], &[0xbf, 2, 0xff]].concat();
        let data = [vec![1; 127], vec![2; 63], vec![0; 63]].concat();
        assert_eq!(expanded(&octets), Ok(data));
    }

    #[rstest]
    #[case::cut(b"\x03ab", "shorter than")]
    #[case::run_alone(b"\x83", "without its octet")]
    #[case::incomplete_escape(b"\x01a\0", "an incomplete escape")]
    #[case::after_the_end(b"\0@\x01a\x01b", "after the last string")]
    #[case::an_escape_after_the_end(b"\0@\0@", "after the last string")]
    #[case::unassigned(b"\0\x01", "unassigned")]
    fn invalid_data_is_refused(#[case] octets: &[u8], #[case] why: &str) {
        let error = expanded(octets).expect_err("it is wrong");
        assert!(error.contains(why), "{error}");
    }
}
