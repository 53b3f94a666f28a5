//! Descriptor codes and restart markers: what MODE B and MODE C have in common (RFC 959 §3.4.2,
//! §3.4.3).

use bytes::Bytes;

use super::Item;
use crate::pi::Malformed;

/// What ends with this block or string is a record.
pub(super) const EOR: u8 = 128;
/// What ends with it is the file.
pub(super) const EOF: u8 = 64;
/// Its data may have errors; the server ignores this.
pub(super) const SUSPECT: u8 = 32;
/// It is a restart marker, not data.
pub(super) const MARKER: u8 = 16;

/// The longest restart marker that is taken: it has to fit into the line of a 110, and into a REST.
pub(super) const LONGEST_MARKER: usize = 200;

/// A descriptor, if it has no undefined bits.
pub(super) fn descriptor(octet: u8) -> Result<u8, Malformed> {
    if octet & !(EOR | EOF | SUSPECT | MARKER) == 0 {
        Ok(octet)
    } else {
        Err(Malformed::Form)
    }
}

/// What stands in one block or string, with what ends after it by its descriptor.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// The descriptor that applies.
    pub(super) descriptor: u8,
    /// What remains to be reported after the octets.
    due: u8,
    marker: Vec<u8>,
}

impl Body {
    /// Takes octets of it; `ends` if they are the last.
    pub(super) fn take(&mut self, octets: Bytes, ends: bool) -> Result<Option<Item>, Malformed> {
        let mut item = None;
        if self.descriptor & MARKER == 0 {
            item = (!octets.is_empty()).then_some(Item::Octets(octets));
        } else {
            if self.marker.len() + octets.len() > LONGEST_MARKER {
                return Err(Malformed::Form);
            }
            self.marker.extend_from_slice(&octets);
            if ends {
                // Printable, and a space would end it (RFC 959 §3.4.2).
                if self.marker.is_empty() || !self.marker.iter().all(u8::is_ascii_graphic) {
                    return Err(Malformed::Form);
                }
                item = Some(Item::Marker(std::mem::take(&mut self.marker).into()));
            }
        }
        if ends {
            self.due = self.descriptor & (EOR | EOF);
            self.descriptor = 0;
        }
        Ok(item)
    }

    /// The end of a record or of the file, if it has come.
    pub(super) fn end(&mut self) -> Option<Item> {
        for (bit, item) in [(EOR, Item::EndOfRecord), (EOF, Item::EndOfFile)] {
            if self.due & bit != 0 {
                self.due &= !bit;
                return Some(item);
            }
        }
        None
    }
}
