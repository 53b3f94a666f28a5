//! Octets of a recording in the language of scenarios.

use crate::data::Data;
use crate::scenario::{Content, Piece, Slice, Source};

use super::tree::Body;

/// Octets that are longer are not written: others of the same length stand for them.
const LITERAL: u64 = 1024;
/// A line of text that stands for others.
const LINE: &str = "0123456789 abcdef";

/// Writes contents, and remembers what stands for those that are too long.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Contents that are too long; each stand-in is another.
    long: Vec<Body>,
}

impl Contents {
    /// Whether these octets are written as they are.
    pub(super) fn is_literal(octets: &Data) -> bool {
        octets.len() <= LITERAL
    }

    /// A whole content as it is on the wire.
    pub(super) fn on_the_wire(&mut self, body: &Body) -> Content {
        match Self::is_literal(&body.octets) {
            true => Content::literal(&body.octets.joined()),
            false => self.stand_in(body, "\r\n"),
        }
    }

    /// A whole content as it is stored: text with the line ends of most systems.
    pub(super) fn stored(&mut self, body: &Body) -> Content {
        match (Self::is_literal(&body.octets), body.text) {
            (true, false) => Content::literal(&body.octets.joined()),
            (true, true) => Content::literal(&without_cr(&body.octets.joined())),
            (false, _) => self.stand_in(body, "\n"),
        }
    }

    /// What is left of a content after so many octets.
    pub(super) fn rest(&mut self, whole: &Body, offset: u64) -> Content {
        if Self::is_literal(&whole.octets) {
            let rest = whole.octets.slice(offset..whole.octets.len());
            return Content::literal(&rest.joined());
        }
        let mut content = self.on_the_wire(whole);
        for piece in &mut content.0 {
            let from = piece.slice.and_then(|slice| slice.from).unwrap_or(0) + offset;
            piece.slice = Some(Slice {
                from: Some(from),
                to: None,
            });
        }
        content
    }

    /// A sentence about what stands for long octets, if something does.
    pub(super) fn note(&self) -> Option<String> {
        (!self.long.is_empty()).then(|| {
            format!("Contents of more than {LITERAL} octets are others of the same length.")
        })
    }

    fn stand_in(&mut self, body: &Body, line_end: &str) -> Content {
        let known = self.long.iter().position(|other| other == body);
        let index = known.unwrap_or_else(|| {
            self.long.push(body.clone());
            self.long.len() - 1
        });
        let length = body.octets.len();
        if body.text {
            let line = format!("{LINE}{line_end}");
            let times = length / (LINE.len() as u64 + 2);
            return one_piece(Source::Repeat(line.into_bytes(), times), None);
        }
        // Each begins at another position of the pattern.
        let from = index as u64;
        let slice = Slice {
            from: Some(from),
            to: None,
        };
        let slice = (from > 0).then_some(slice);
        one_piece(Source::Pattern(length + from), slice)
    }
}

/// The test pattern with this length.
pub(super) fn pattern(length: u64) -> Content {
    one_piece(Source::Pattern(length), None)
}

fn one_piece(source: Source, slice: Option<Slice>) -> Content {
    Content(vec![Piece { source, slice }])
}

fn without_cr(octets: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(octets.len());
    for (index, octet) in octets.iter().enumerate() {
        if *octet != b'\r' || octets.get(index + 1) != Some(&b'\n') {
            stored.push(*octet);
        }
    }
    stored
}
