#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use super::*;
use crate::dtp::codec::ascii::tests::cut;

use std::num::NonZeroU64;

use proptest::prelude::*;
use rstest::rstest;

const A: Representation = Representation::Ascii;
const E: Representation = Representation::Ebcdic;
const I: Representation = Representation::Image;
const F: Structure = Structure::File;
const R: Structure = Structure::Record;
const S: Mode = Mode::Stream;
const B: Mode = Mode::Block;
const C: Mode = Mode::Compressed;
const Z: Mode = Mode::Deflate { level: 6 };

fn coding(representation: Representation, structure: Structure, mode: Mode) -> Coding {
    Coding {
        representation,
        structure,
        mode,
        markers: None,
    }
}

fn encode<'a>(coding: &Coding, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut encoder = Encoder::new(coding, 0);
    let mut data = Vec::new();
    for piece in pieces {
        encoder.encode(Bytes::copy_from_slice(piece), &mut data);
    }
    encoder.finish(&mut data);
    data
}

#[derive(Debug, PartialEq)]
enum Failed {
    Form,
    AfterTheEnd,
    CutShort,
}

/// The file, and the markers with the octets of it before each.
type Received = (Vec<u8>, Vec<(String, usize)>);

fn receive<'a>(
    coding: &Coding,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Received, Failed> {
    let mut decoder = Decoder::new(coding);
    let mut file = Vec::new();
    let mut markers = Vec::new();
    let mut ended = false;
    for piece in pieces {
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            match decoder.next(&mut input) {
                Ok(Piece::Content(content)) => {
                    assert!(!content.is_empty());
                    assert!(content.len() <= 2 * PIECE + piece.len());
                    file.extend_from_slice(&content);
                }
                Ok(Piece::Marker(marker)) => {
                    markers.push((String::from_utf8(marker.into()).unwrap(), file.len()));
                }
                Ok(Piece::Hungry) => {
                    assert!(input.is_empty());
                    break;
                }
                Ok(Piece::End) => {
                    ended = true;
                    break;
                }
                Err(Malformed::Form) => return Err(Failed::Form),
                Err(Malformed::AfterTheEnd) => return Err(Failed::AfterTheEnd),
            }
        }
    }
    if !ended {
        file.extend_from_slice(&decoder.closed().ok_or(Failed::CutShort)?);
    }
    Ok((file, markers))
}

fn decode<'a>(
    coding: &Coding,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, Failed> {
    receive(coding, pieces).map(|(file, _)| file)
}

/// What the RFC's definitions make of a file, and what is read back from it.
#[rstest]
#[case::ebcdic(E, F, S, b"AB 1\nc\r\n", b"\xc1\xc2\x40\xf1\x15\x83\x15")]
#[case::records(I, R, S, b"a\n\xff\n", b"a\xff\x01\xff\xff\xff\x03")]
#[case::no_record(I, R, S, b"", b"\xff\x02")]
#[case::an_empty_record(I, R, S, b"\n", b"\xff\x03")]
#[case::two_empty_records(A, R, S, b"\n\n", b"\xff\x01\xff\x03")]
#[case::text_records(A, R, S, b"a\r\nb\rc\n", b"a\xff\x01b\rc\xff\x03")]
#[case::ebcdic_records(E, R, S, b"A\nB\n", b"\xc1\xff\x01\xc2\xff\x03")]
#[case::a_block(I, F, B, b"abc", b"\x40\0\x03abc")]
#[case::no_block(I, F, B, b"", b"\x40\0\0")]
#[case::ascii_block(A, F, B, b"a\n", b"\x40\0\x03a\r\n")]
#[case::record_blocks(I, R, B, b"a\n\nbc\n", b"\x80\0\x01a\x80\0\0\xc0\0\x02bc")]
#[case::a_string(I, F, C, b"hi", b"\x02hi\0\x40\xc0")]
#[case::replicated(I, F, C, b"xAAAAx", b"\x01x\x84A\x01x\0\x40\xc0")]
#[case::zeros(I, F, C, b"\0\0\0\0\0", b"\xc5\0\x40\xc0")]
#[case::spaces(A, F, C, b"     a", b"\xc5\x01a\0\x40\xc0")]
#[case::ebcdic_spaces(E, F, C, b"    ", b"\xc4\0\x40\xc0")]
#[case::record_strings(I, R, C, b"a\n\n", b"\x01a\0\x80\xc0\0\xc0\xc0")]
fn vectors_of_rfc_959(
    #[case] representation: Representation,
    #[case] structure: Structure,
    #[case] mode: Mode,
    #[case] file: &[u8],
    #[case] data: &[u8],
) {
    let coding = coding(representation, structure, mode);
    assert_eq!(encode(&coding, [file]), data);
    assert_eq!(decode(&coding, data.chunks(1)), decode(&coding, [data]));
    let text: Vec<u8> = String::from_utf8_lossy(file).replace("\r\n", "\n").into();
    if file.is_ascii() {
        assert_eq!(decode(&coding, [data]), Ok(text));
    } else {
        assert_eq!(decode(&coding, [data]).as_deref(), Ok(file));
    }
}

/// What others may send and we would not.
#[rstest]
#[case::blocks_of_any_size(I, F, B, b"\0\0\x03abc\0\0\0\0\0\x01d\x40\0\0", b"abcd")]
#[case::suspect_data_are_data(I, F, B, b"\x20\0\x01a\x60\0\x01b", b"ab")]
#[case::ends_of_records_in_a_file_mean_nothing(I, F, B, b"\x80\0\x01a\xc0\0\x01b", b"ab")]
#[case::the_end_of_the_last_record_is_meant(I, R, B, b"\x80\0\x01a\x40\0\x01b", b"a\nb\n")]
#[case::the_same_in_a_stream(I, R, S, b"a\xff\x01b\xff\x02", b"a\nb\n")]
#[case::the_string_after_the_escape_is_the_last(I, F, C, b"\x01a\0\x40\x01b", b"ab")]
#[case::a_filler_after_the_escape(I, F, C, b"\x01a\0\x40\xc3", b"a\0\0\0")]
#[case::no_string_after_the_escape(I, F, C, b"\x02hi\x8aA\xc5\0\x40", b"hiAAAAAAAAAA\0\0\0\0\0")]
#[case::escapes_of_empty_records(I, R, C, b"\0\x80\0\x80\x01a\0\x40", b"\na\n")]
#[case::record_and_file_end_without_string(I, R, C, b"\x01a\0\xc0", b"a\n")]
#[case::crlf_is_the_line_end_over_blocks(A, F, B, b"\0\0\x02a\r\x40\0\x02\nb", b"a\nb")]
#[case::nel_and_line_feed_are_two(E, F, S, b"\x15\x25", b"\n\x85")]
fn what_others_may_send(
    #[case] representation: Representation,
    #[case] structure: Structure,
    #[case] mode: Mode,
    #[case] data: &[u8],
    #[case] file: &[u8],
) {
    let coding = coding(representation, structure, mode);
    assert_eq!(decode(&coding, [data]).as_deref(), Ok(file));
    assert_eq!(decode(&coding, data.chunks(1)).as_deref(), Ok(file));
}

#[rstest]
#[case::no_end(I, F, B, b"\0\0\x01a", Failed::CutShort)]
#[case::within_a_header(I, F, B, b"\x40\0", Failed::CutShort)]
#[case::within_the_last_block(I, F, B, b"\x40\0\x02a", Failed::CutShort)]
#[case::an_undefined_bit(I, F, B, b"\x41\0\0", Failed::Form)]
#[case::after_the_end(I, F, B, b"\x40\0\0a", Failed::AfterTheEnd)]
#[case::an_empty_marker(I, F, B, b"\x10\0\0\x40\0\0", Failed::Form)]
#[case::a_marker_with_a_space(I, F, B, b"\x10\0\x031 2\x40\0\0", Failed::Form)]
#[case::a_long_marker(I, F, B, &[&b"\x10\xff\xff"[..], &[b'1'; 300]].concat(), Failed::Form)]
#[case::no_end_in_compressed(I, F, C, b"\x01a", Failed::CutShort)]
#[case::within_a_string(I, F, C, b"\0\x40\x05a", Failed::CutShort)]
#[case::an_undefined_descriptor(I, F, C, b"\0\x01", Failed::Form)]
#[case::strings_after_the_end(I, F, C, b"\0\x40\x01a\x01b", Failed::AfterTheEnd)]
#[case::no_end_of_records(I, R, S, b"a\xff\x01", Failed::CutShort)]
#[case::within_a_code(I, R, S, b"a\xff", Failed::CutShort)]
#[case::an_undefined_code(I, R, S, b"\xff\x04", Failed::Form)]
#[case::after_the_code(I, R, S, b"\xff\x02a", Failed::AfterTheEnd)]
#[case::no_zlib_stream(I, F, Z, b"no zlib stream", Failed::Form)]
#[case::nothing_at_all(I, F, Z, b"", Failed::CutShort)]
fn an_incomplete_file_is_refused(
    #[case] representation: Representation,
    #[case] structure: Structure,
    #[case] mode: Mode,
    #[case] data: &[u8],
    #[case] why: Failed,
) {
    let coding = coding(representation, structure, mode);
    assert_eq!(decode(&coding, [data]), Err(why));
}

#[test]
fn large_blocks_have_65535_octets() {
    let data = encode(&coding(I, F, B), [&[7; 70_000][..]]);
    assert_eq!(data[..3], [0, 0xff, 0xff]);
    assert_eq!(data[3 + 65_535..][..3], [0x40, 0x11, 0x71]);
    assert_eq!(data.len(), 70_000 + 6);
}

#[test]
fn a_zlib_stream_is_read_as_rfc_1950_has_it() {
    // Made by Python's zlib.compress(b"hello hello hello\n").
    let data = b"\x78\x9c\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\x5c\x00\x40\xb5\x06\x87";
    let (file, coding) = (b"hello hello hello\n", coding(I, F, Z));
    assert_eq!(decode(&coding, [&data[..]]).unwrap(), file);
    let made = encode(&coding, [&file[..]]);
    assert_eq!(made[0], 0x78);
    assert_eq!(u16::from_be_bytes([made[0], made[1]]) % 31, 0);
    assert_eq!(made[made.len() - 4..], data[data.len() - 4..]);
}

#[rstest]
#[case::file(F)]
#[case::records(R)]
fn a_zlib_stream_that_is_cut_wrong_or_goes_on_is_refused(#[case] structure: Structure) {
    let coding = coding(A, structure, Z);
    let whole = encode(&coding, [&b"one\ntwo\nthree\n"[..]]);
    for length in 0..whole.len() {
        assert_eq!(decode(&coding, [&whole[..length]]), Err(Failed::CutShort));
    }
    let mut wrong = whole.clone();
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(decode(&coding, [&wrong[..]]), Err(Failed::Form));
    let more = [&whole[..], b"x"].concat();
    assert_eq!(decode(&coding, [&more[..]]), Err(Failed::AfterTheEnd));
}

#[test]
fn records_in_a_zlib_stream_end_before_it() {
    let (file, records) = (coding(I, F, Z), coding(I, R, Z));
    let wrapped = |data: &[u8]| encode(&file, [data]);
    let read = |data: &[u8]| decode(&records, [&wrapped(data)[..]]);
    assert_eq!(read(b"a\xff\x03"), Ok(b"a\n".to_vec()));
    assert_eq!(read(b"a\xff\x01"), Err(Failed::Form));
    assert_eq!(read(b"a\xff\x03b"), Err(Failed::AfterTheEnd));
}

#[test]
fn what_deflates_a_thousandfold_comes_back_a_piece_at_a_time() {
    let coding = coding(I, F, Z);
    let zeros = vec![0; 1 << 20];
    let data = encode(&coding, (0..16).map(|_| &zeros[..]));
    assert!(data.len() < 20_000);
    let (mut decoder, mut octets) = (Decoder::new(&coding), Bytes::from(data));
    let mut size = 0;
    loop {
        match decoder.next(&mut octets).unwrap() {
            Piece::Content(content) => {
                assert!(content.len() <= 2 * PIECE, "{}", content.len());
                size += content.len();
            }
            Piece::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(size, 16 << 20);
}

#[rstest]
#[case(B, b"\0\0\x04abcd\x10\0\x014\0\0\x04efgh\x10\0\x018\x40\0\x01i")]
#[case(C, b"\x04abcd\0\x10\x014\x04efgh\0\x10\x018\x01i\0\x40\xc0")]
fn restart_markers_are_sent_as_configured(#[case] mode: Mode, #[case] data: &[u8]) {
    let coding = Coding {
        markers: NonZeroU64::new(4),
        ..coding(I, F, mode)
    };
    assert_eq!(encode(&coding, [&b"abcdefghi"[..]]), data);
    let (file, markers) = receive(&coding, [data]).unwrap();
    assert_eq!(file, b"abcdefghi");
    assert_eq!(markers, [("4".to_owned(), 4), ("8".to_owned(), 8)]);
}

#[test]
fn no_marker_is_sent_between_cr_and_lf() {
    let coding = Coding {
        markers: NonZeroU64::new(2),
        ..coding(A, F, B)
    };
    let data = encode(&coding, [&b"a\r\nb"[..]]);
    let (_, markers) = receive(&coding, [&data[..]]).unwrap();
    assert_eq!(markers, [("3".to_owned(), 2)]);
    // One that a client put there is passed over.
    let (file, markers) = receive(&coding, [&b"\0\0\x02a\r\x10\0\x01m\x40\0\x01\n"[..]]).unwrap();
    assert_eq!((&file[..], markers.len()), (&b"a\n"[..], 0));
}

fn any_coding() -> impl Strategy<Value = Coding> {
    let representation = prop_oneof![Just(A), Just(E), Just(I)];
    let structure = prop_oneof![Just(F), Just(R)];
    let mode = prop_oneof![Just(S), Just(B), Just(C), Just(Z)];
    (representation, structure, mode).prop_map(|(a, b, c)| coding(a, b, c))
}

/// Mostly octets with a meaning in some coding, and runs.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![
        2 => Just(b'\r'), 3 => Just(b'\n'), 2 => Just(0xff), 1 => Just(0), 1 => Just(b' '), 3 => any::<u8>()
    ];
    let runs = prop::collection::vec(
        (octet, prop_oneof![9 => 1_usize..4, 1 => 1_usize..300]),
        0..60,
    );
    runs.prop_map(|runs| {
        runs.into_iter()
            .flat_map(|(octet, times)| std::iter::repeat_n(octet, times))
            .collect()
    })
}

/// A file that the coding can give back: text without CRLF, and records that end.
fn returnable(coding: &Coding, mut file: Vec<u8>) -> Vec<u8> {
    if coding.representation != I {
        file.dedup_by(|after, before| *before == b'\r' && *after == b'\n');
        if coding.structure == R && file.last() == Some(&b'\r') {
            file.push(b'x');
        }
    }
    if coding.structure == R && file.last().is_some_and(|last| *last != b'\n') {
        file.push(b'\n');
    }
    file
}

/// The same file; of several errors, the one reported depends on the cut.
fn agree(
    one: Result<Vec<u8>, Failed>,
    other: Result<Vec<u8>, Failed>,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(one.is_ok(), other.is_ok());
    if one.is_ok() {
        prop_assert_eq!(one, other);
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_encoded_comes_back_however_it_is_cut(
        coding in any_coding(),
        file in octets(),
        there in prop::collection::vec(0_usize..40, 0..20),
        back in prop::collection::vec(0_usize..40, 0..20),
        every in prop::option::of(1_u64..50),
    ) {
        let file = returnable(&coding, file);
        let coding = Coding { markers: every.and_then(NonZeroU64::new), ..coding };
        let pieces = cut(&file, &there);
        let data = encode(&coding, pieces.iter().map(Vec::as_slice));
        let pieces = cut(&data, &back);
        let (received, markers) = receive(&coding, pieces.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(&received, &file);
        // A restart at any marker completes what came before it.
        for (marker, before) in markers {
            let offset: usize = marker.parse().unwrap();
            let mut encoder = Encoder::new(&coding, offset as u64);
            let mut data = Vec::new();
            encoder.encode(Bytes::copy_from_slice(&file[offset..]), &mut data);
            encoder.finish(&mut data);
            let rest = decode(&coding, [&data[..]]).unwrap();
            prop_assert_eq!([&file[..before], &rest[..]].concat(), &file[..]);
        }
    }

    #[test]
    fn no_octets_make_a_decoder_panic_or_disagree_with_itself(
        coding in any_coding(),
        data in prop_oneof![octets(), prop::collection::vec(0_u8..255, 0..100)],
        lengths in prop::collection::vec(0_usize..20, 0..30),
    ) {
        let pieces = cut(&data, &lengths);
        let cut = decode(&coding, pieces.iter().map(Vec::as_slice));
        agree(cut, decode(&coding, [&data[..]]))?;
    }

    #[test]
    fn a_damaged_transfer_never_panics(
        coding in any_coding(),
        file in octets(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut data = encode(&coding, [&file[..]]);
        for (at, octet) in damage {
            if !data.is_empty() {
                let at = at.index(data.len());
                data[at] = octet;
            }
        }
        let damaged = decode(&coding, [&data[..]]);
        agree(decode(&coding, data.chunks(1)), damaged)?;
    }
}
