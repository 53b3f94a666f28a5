//! MODE S with STRU R: the ends of records and of the file are two octets, the first of them all
//! ones (RFC 959 §3.4.1).

use bytes::{Buf as _, Bytes};
use memchr::{memchr, memchr_iter};

use super::Item;
use crate::pi::Malformed;

/// What begins a control code; as data it is sent twice.
const ESCAPE: u8 = 0xff;
/// The end of a record.
const EOR: u8 = 1;
/// The end of the file.
const EOF: u8 = 2;

/// Takes control codes out of the data.
#[derive(Debug, Default)]
pub(super) struct RecordDecoder {
    /// The first octet of a control code has come.
    escaped: bool,
    /// The code was for both ends, and that of the record was reported.
    file_ends: bool,
}

impl RecordDecoder {
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Item>, Malformed> {
        if std::mem::take(&mut self.file_ends) {
            return Ok(Some(Item::EndOfFile));
        }
        if input.first() == Some(&ESCAPE) && !self.escaped {
            input.advance(1);
            self.escaped = true;
        }
        if input.is_empty() {
            return Ok(None);
        }
        if !self.escaped {
            let plain = memchr(ESCAPE, input).unwrap_or(input.len());
            return Ok(Some(Item::Octets(input.split_to(plain))));
        }
        self.escaped = false;
        const BOTH: u8 = EOR | EOF;
        Ok(Some(match input.get_u8() {
            ESCAPE => Item::Octets(Bytes::from_static(&[ESCAPE])),
            EOR => Item::EndOfRecord,
            EOF => Item::EndOfFile,
            BOTH => {
                self.file_ends = true;
                Item::EndOfRecord
            }
            _ => return Err(Malformed::Form),
        }))
    }
}

/// Data octets; those of all ones twice.
pub(super) fn put_octets(octets: &[u8], to: &mut Vec<u8>) {
    let mut copied = 0;
    for escape in memchr_iter(ESCAPE, octets) {
        to.extend_from_slice(&octets[copied..=escape]);
        copied = escape;
    }
    to.extend_from_slice(&octets[copied..]);
}

/// The control code for these ends.
pub(super) fn put_end(record: bool, file: bool, to: &mut Vec<u8>) {
    let record = if record { EOR } else { 0 };
    let file = if file { EOF } else { 0 };
    to.extend_from_slice(&[ESCAPE, record | file]);
}
