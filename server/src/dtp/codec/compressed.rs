//! MODE C: strings, replicated octets and fillers, and escapes with the descriptors of MODE B (RFC
//! 959 §3.4.3).
//!
//! A descriptor applies to the string after it. The encoder sends an empty filler after each, so
//! that a reader that applies it to the string before gets the same result.

use bytes::{Buf as _, Bytes};

use super::Item;
use super::descriptor::{Body, EOF, EOR, MARKER, descriptor};
use crate::pi::Malformed;

/// The longest string of octets as they are.
const LONGEST: usize = 127;
/// The largest number of times.
const MOST: usize = 63;
/// The two bits of a replicated octet, and of a filler.
const REPLICATED: u8 = 0x80;
const FILLER: u8 = 0xc0;
/// Fewer equal octets are cheaper as they are.
const WORTH_IT: usize = 3;

/// Encodes strings.
#[derive(Debug)]
pub(super) struct CompressedEncoder {
    filler: u8,
}

/// Decodes strings.
#[derive(Debug)]
pub(super) struct CompressedDecoder {
    filler: u8,
    expects: Expects,
    body: Body,
}

#[derive(Debug, Clone, Copy)]
enum Expects {
    /// The first octet of a string or an escape.
    Count,
    /// The descriptor of an escape.
    Descriptor,
    /// The octet that is replicated.
    Replicated(usize),
    /// Octets as they are.
    Literal(usize),
}

impl CompressedEncoder {
    pub(super) fn new(filler: u8) -> Self {
        Self { filler }
    }

    pub(super) fn octets(&self, octets: &[u8], to: &mut Vec<u8>) {
        let mut literal = 0;
        let mut at = 0;
        while at < octets.len() {
            let octet = octets[at];
            let run = octets[at..]
                .iter()
                .take(MOST)
                .take_while(|next| **next == octet)
                .count();
            if run < WORTH_IT {
                at += run;
                continue;
            }
            put_literal(&octets[literal..at], to);
            // The cast keeps all of it: a run is no longer than 63.
            if octet == self.filler {
                to.push(FILLER | run as u8);
            } else {
                to.extend_from_slice(&[REPLICATED | run as u8, octet]);
            }
            at += run;
            literal = at;
        }
        put_literal(&octets[literal..], to);
    }

    pub(super) fn end(&self, record: bool, file: bool, to: &mut Vec<u8>) {
        let record = if record { EOR } else { 0 };
        let file = if file { EOF } else { 0 };
        to.extend_from_slice(&[0, record | file, FILLER]);
    }

    pub(super) fn marker(&self, marker: &[u8], to: &mut Vec<u8>) {
        to.extend_from_slice(&[0, MARKER]);
        put_literal(marker, to);
    }
}

fn put_literal(octets: &[u8], to: &mut Vec<u8>) {
    for string in octets.chunks(LONGEST) {
        // The cast keeps all of it: a string is no longer than 127.
        to.push(string.len() as u8);
        to.extend_from_slice(string);
    }
}

impl CompressedDecoder {
    pub(super) fn new(filler: u8) -> Self {
        Self {
            filler,
            expects: Expects::Count,
            body: Body::default(),
        }
    }

    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Item>, Malformed> {
        loop {
            if let Some(end) = self.body.end() {
                return Ok(Some(end));
            }
            if input.is_empty() {
                return Ok(None);
            }
            let (string, ends) = match self.expects {
                Expects::Count => {
                    let code = input.get_u8();
                    let count = usize::from(code) & MOST;
                    match code {
                        0 => self.expects = Expects::Descriptor,
                        1..REPLICATED => self.expects = Expects::Literal(code.into()),
                        REPLICATED..FILLER => self.expects = Expects::Replicated(count),
                        FILLER.. => {
                            let item = self.body.take(vec![self.filler; count].into(), true)?;
                            if item.is_some() {
                                return Ok(item);
                            }
                        }
                    }
                    continue;
                }
                Expects::Descriptor => {
                    self.expects = Expects::Count;
                    let code = descriptor(input.get_u8())?;
                    // A second end of a record before any string: the first was that of an empty
                    // record.
                    let empty_record = self.body.descriptor & code & EOR != 0;
                    self.body.descriptor |= code;
                    if empty_record {
                        return Ok(Some(Item::EndOfRecord));
                    }
                    continue;
                }
                Expects::Replicated(count) => (vec![input.get_u8(); count].into(), true),
                Expects::Literal(count) => {
                    let string = input.split_to(count.min(input.len()));
                    let left = count - string.len();
                    self.expects = Expects::Literal(left);
                    (string, left == 0)
                }
            };
            if ends {
                self.expects = Expects::Count;
            }
            if let Some(item) = self.body.take(string, ends)? {
                return Ok(Some(item));
            }
        }
    }

    /// Whether the file is whole if nothing more comes: the last escape said so, and its string was
    /// left out. Then also whether a record ends with it.
    pub(super) fn ends_here(&self) -> Option<bool> {
        let ends = matches!(self.expects, Expects::Count) && self.body.descriptor & EOF != 0;
        ends.then_some(self.body.descriptor & EOR != 0)
    }
}
