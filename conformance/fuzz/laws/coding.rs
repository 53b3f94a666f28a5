//! The strict readers of MODE B, C and Z: what was coded comes back, and what was cut short does
//! not pass for a whole.

use ftpspec::internals::transfer_mode::Coding;

/// More than this no content of the scenario language has; a run of MODE C may end just beyond it.
const LIMIT: usize = (64 << 20) + 127;

/// Reads the octets as coded data, and codes them as data.
pub fn coding(octets: &[u8]) {
    for coding in Coding::ALL {
        if let Ok(data) = coding.decoded(octets) {
            assert!(data.len() <= LIMIT);
            cut(coding, octets, &data);
        }
        let coded = coded(coding, octets);
        let data = coding
            .decoded(&coded)
            .expect("it was coded as it should be");
        assert_eq!(data, octets, "{}", coding.word());
        cut(coding, &coded, &data);
    }
}

/// A part from the beginning is an error, or, where the end of the connection may be the end of the
/// data, a part of it.
fn cut(coding: Coding, coded: &[u8], data: &[u8]) {
    for end in [0, coded.len() / 2, coded.len().saturating_sub(1)] {
        if end == coded.len() {
            continue;
        }
        if let Ok(part) = coding.decoded(&coded[..end]) {
            assert_eq!(coding, Coding::Compressed, "cut at {end}");
            assert!(data.starts_with(&part), "cut at {end}");
        }
    }
}

fn coded(coding: Coding, data: &[u8]) -> Vec<u8> {
    match coding {
        Coding::Blocks => {
            let mut coded = Vec::new();
            for block in data.chunks(1000) {
                coded.push(0);
                coded.extend(
                    u16::try_from(block.len())
                        .expect("it is short")
                        .to_be_bytes(),
                );
                coded.extend(block);
            }
            coded.extend(*b"@\0\0");
            coded
        }
        Coding::Compressed => {
            let mut coded = Vec::new();
            for string in data.chunks(127) {
                coded.push(u8::try_from(string.len()).expect("it is short"));
                coded.extend(string);
            }
            coded.extend(*b"\0@");
            coded
        }
        Coding::Zlib => stored(data),
    }
}

/// A zlib stream of stored blocks (RFC 1950, RFC 1951 §3.2.4).
fn stored(data: &[u8]) -> Vec<u8> {
    let mut coded = b"\x78\x01".to_vec();
    for block in data.chunks(1000) {
        let length = u16::try_from(block.len()).expect("it is short");
        coded.push(0);
        coded.extend(length.to_le_bytes());
        coded.extend((!length).to_le_bytes());
        coded.extend(block);
    }
    coded.extend(*b"\x01\0\0\xff\xff");
    let (mut a, mut b) = (1_u32, 0_u32);
    for octet in data {
        a = (a + u32::from(*octet)) % 65521;
        b = (b + a) % 65521;
    }
    coded.extend((b << 16 | a).to_be_bytes());
    coded
}
