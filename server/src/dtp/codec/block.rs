//! MODE B: a header of three octets before each block: descriptor, and a count of 16 bits (RFC 959
//! §3.4.2).

use bytes::{Buf as _, Bytes};

use super::Item;
use super::descriptor::{Body, EOF, EOR, MARKER, descriptor};
use crate::pi::Malformed;

/// The largest block.
const LARGEST: usize = u16::MAX as usize;

/// Encodes blocks. The last block is held back until it is known what ends with it.
#[derive(Debug, Default)]
pub(super) struct BlockEncoder {
    held: Vec<u8>,
}

/// Decodes blocks.
#[derive(Debug, Default)]
pub(super) struct BlockDecoder {
    header: [u8; 3],
    /// Octets of the header that have come; with three of them we are within the block.
    known: usize,
    /// Octets of the block that are still to come.
    left: usize,
    body: Body,
}

impl BlockEncoder {
    pub(super) fn octets(&mut self, mut octets: &[u8], to: &mut Vec<u8>) {
        while !octets.is_empty() {
            if self.held.len() == LARGEST {
                self.release(0, to);
            }
            let (fits, after) = octets.split_at(octets.len().min(LARGEST - self.held.len()));
            self.held.extend_from_slice(fits);
            octets = after;
        }
    }

    pub(super) fn end(&mut self, record: bool, file: bool, to: &mut Vec<u8>) {
        let record = if record { EOR } else { 0 };
        let file = if file { EOF } else { 0 };
        self.release(record | file, to);
    }

    pub(super) fn marker(&mut self, marker: &[u8], to: &mut Vec<u8>) {
        if !self.held.is_empty() {
            self.release(0, to);
        }
        self.held.extend_from_slice(marker);
        self.release(MARKER, to);
    }

    fn release(&mut self, descriptor: u8, to: &mut Vec<u8>) {
        let [high, low] = u16::try_from(self.held.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes();
        to.extend_from_slice(&[descriptor, high, low]);
        to.append(&mut self.held);
    }
}

impl BlockDecoder {
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Option<Item>, Malformed> {
        loop {
            if let Some(end) = self.body.end() {
                return Ok(Some(end));
            }
            if self.known < self.header.len() {
                if input.is_empty() {
                    return Ok(None);
                }
                self.header[self.known] = input.get_u8();
                self.known += 1;
                if self.known < self.header.len() {
                    continue;
                }
                let [code, high, low] = self.header;
                self.body.descriptor = descriptor(code)?;
                self.left = u16::from_be_bytes([high, low]).into();
            }
            if self.left > 0 && input.is_empty() {
                return Ok(None);
            }
            let octets = input.split_to(self.left.min(input.len()));
            self.left -= octets.len();
            let ends = self.left == 0;
            if ends {
                self.known = 0;
            }
            if let Some(item) = self.body.take(octets, ends)? {
                return Ok(Some(item));
            }
        }
    }
}
