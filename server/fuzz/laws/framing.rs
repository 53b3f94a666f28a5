//! TYPE, STRU and MODE: the octets of a data connection are a file or malformed, however they are
//! cut; the output is bounded; and what is encoded is decoded as the same.

use bytes::Bytes;
use ftpspec_server::internals::dtp::{Decoder, Encoder, Piece};
use ftpspec_server::internals::pi::{Coding, Malformed, Mode, Representation, Structure};
use std::num::NonZeroU64;

/// About the octets of a file that are passed on at once.
const PIECE: usize = 64 << 10;
/// Octets of a file that is decoded a second time.
const SHORT: usize = 1 << 20;
/// How many octets deflate can make of one at most: two bits for each 258 (RFC 1951 §3.2.5),
/// rounded up.
const INFLATION: usize = 1040;

/// MODE S with its records (RFC 959 §3.4.1), and what is only TYPE.
pub fn records(data: &[u8]) {
    framing(|_| Mode::Stream, data);
}

/// MODE B (RFC 959 §3.4.2).
pub fn block(data: &[u8]) {
    framing(|_| Mode::Block, data);
}

/// MODE C (RFC 959 §3.4.3).
pub fn compressed(data: &[u8]) {
    framing(|_| Mode::Compressed, data);
}

/// MODE Z (draft-preston-ftpext-deflate).
pub fn deflate(data: &[u8]) {
    framing(|level| Mode::Deflate { level }, data);
    // Rarely, since it takes long: a large file that compresses well.
    if let [0xff, level @ 0..=9, data @ ..] = data
        && !data.is_empty()
    {
        let coding = Coding {
            representation: Representation::Image,
            structure: Structure::File,
            mode: Mode::Deflate { level: *level },
            markers: None,
        };
        let file = data.repeat((5 << 20) / data.len() + 1);
        let received = decode(&coding, &encode(&coding, &file, PIECE), PIECE);
        assert!(
            received.is_ok_and(|received| received.file == file),
            "another file came back"
        );
    }
}

/// The first octet is TYPE, STRU, the distance of markers and the level of MODE Z, the second how
/// to cut. The others are used as octets of a data connection, and then as a file.
fn framing(mode: fn(u8) -> Mode, data: &[u8]) {
    let [how, cut, data @ ..] = data else {
        return;
    };
    let coding = Coding {
        representation: [
            Representation::Image,
            Representation::Ascii,
            Representation::Ebcdic,
            Representation::Image,
        ][usize::from(how & 3)],
        structure: if how & 4 == 0 {
            Structure::File
        } else {
            Structure::Record
        },
        mode: mode(how >> 4),
        markers: NonZeroU64::new(u64::from(how >> 3 & 7)),
    };
    // Each piece of a zlib stream needs a buffer of its own, so a long one is not cut into single
    // octets.
    let shortest = match coding.mode {
        Mode::Deflate { .. } => data.len() / 64 + 1,
        _ => 1,
    };
    let cut = shortest.max(usize::from(*cut) + 1);
    receive(&coding, data, [shortest, cut]);
    send(&coding, data, cut);
}

/// Octets of a data connection.
fn receive(coding: &Coding, data: &[u8], cuts: [usize; 2]) {
    let whole = decode(coding, data, data.len().max(1));
    for length in cuts {
        let other = decode(coding, data, length);
        // Of several errors, the one that is reported may differ, too.
        assert_eq!(other.ok(), whole.clone().ok(), "in pieces of {length}");
    }
    if let Ok(Received { file, .. }) = whole
        && file.len() <= SHORT
        && file == returnable(coding, &file)
    {
        let [_, cut] = cuts;
        let again = decode(coding, &encode(coding, &file, cut), cut);
        assert!(again.is_ok_and(|again| again.file == file));
    }
}

/// A file.
fn send(coding: &Coding, file: &[u8], cut: usize) {
    let file = returnable(coding, file);
    for length in [file.len().max(1), cut] {
        let data = encode(coding, &file, length);
        let received = decode(coding, &data, cut);
        let Ok(received) = received else {
            panic!("what was encoded is {received:?}");
        };
        assert_eq!(received.file, file, "in pieces of {length}");
        // A restart at any marker completes what came before it (RFC 959 §3.5).
        for (marker, before) in received.markers.iter().take(4) {
            let offset = std::str::from_utf8(marker)
                .ok()
                .and_then(|it| it.parse().ok());
            let offset: usize = offset.expect("our markers are numbers");
            let mut rest = Vec::new();
            let mut encoder = Encoder::new(coding, offset as u64);
            encoder.encode(Bytes::copy_from_slice(&file[offset..]), &mut rest);
            encoder.finish(&mut rest);
            let rest = decode(coding, &rest, cut).expect("the rest of a file is a file");
            assert_eq!([&file[..*before], &rest.file].concat(), file);
        }
    }
}

fn encode(coding: &Coding, file: &[u8], cut: usize) -> Vec<u8> {
    let mut encoder = Encoder::new(coding, 0);
    let mut data = Vec::new();
    for piece in file.chunks(cut) {
        encoder.encode(Bytes::copy_from_slice(piece), &mut data);
    }
    encoder.finish(&mut data);
    data
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Received {
    file: Vec<u8>,
    /// Each with the octets of the file before it.
    markers: Vec<(Vec<u8>, usize)>,
}

/// Malformed, or cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refused;

fn decode(coding: &Coding, data: &[u8], cut: usize) -> Result<Received, Refused> {
    let mut decoder = Decoder::new(coding);
    let mut received = Received {
        file: Vec::new(),
        markers: Vec::new(),
    };
    for piece in data.chunks(cut) {
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            match decoder.next(&mut input) {
                Ok(Piece::Content(content)) => {
                    assert!(!content.is_empty());
                    assert!(content.len() <= 2 * PIECE + piece.len(), "too much at once");
                    received.file.extend_from_slice(&content);
                    let most = most(coding, data.len());
                    assert!(received.file.len() <= most, "{}", received.file.len());
                }
                Ok(Piece::Marker(marker)) => {
                    assert!((1..=200).contains(&marker.len()));
                    assert!(marker.iter().all(u8::is_ascii_graphic));
                    received.markers.push((marker.into(), received.file.len()));
                }
                Ok(Piece::Hungry | Piece::End) => {
                    assert!(input.is_empty(), "octets are left");
                    break;
                }
                Err(Malformed::Form | Malformed::AfterTheEnd) => return Err(Refused),
            }
        }
    }
    // After a marked end the peer need not close; in MODE S without records only the close is the
    // end.
    if decoder.next(&mut Bytes::new()) != Ok(Piece::End) {
        received
            .file
            .extend_from_slice(&decoder.closed().ok_or(Refused)?);
    }
    assert!(received.file.len() <= most(coding, data.len()));
    Ok(received)
}

/// The maximum output of so many octets, including an implied end of the last record.
fn most(coding: &Coding, read: usize) -> usize {
    let times = match coding.mode {
        Mode::Stream | Mode::Block => 1,
        Mode::Compressed => 63,
        Mode::Deflate { .. } => INFLATION,
    };
    read * times + 1
}

/// A file that the coding can give back: text without CRLF, and records that end.
fn returnable(coding: &Coding, file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    if coding.representation != Representation::Image {
        file.dedup_by(|after, before| *before == b'\r' && *after == b'\n');
    }
    if coding.structure == Structure::Record {
        if coding.representation != Representation::Image && file.last() == Some(&b'\r') {
            file.push(b'x');
        }
        if file.last().is_some_and(|last| *last != b'\n') {
            file.push(b'\n');
        }
    }
    file
}
