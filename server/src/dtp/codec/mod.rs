//! TYPE, STRU and MODE at work on octets (RFC 959 §3.1, §3.4).
//!
//! ```text
//!  file --> text (TYPE) --> records (STRU) --> framing (MODE) --> data connection      Encoder
//!  file <-- text (TYPE) <-- records (STRU) <-- framing (MODE) <-- data connection      Decoder
//! ```
//!
//! Pure, and indifferent to how octets are cut into pieces. All combinations work. A record is a
//! line of a file: its end is LF there, whatever the type; a CR before it belongs to it in text,
//! and is content in TYPE I. RFC 959 §3.4.1 requires the end of the last record, so a last line
//! without LF comes back with one.
//!
//! Transfers in TYPE A or I, STRU F and MODE S do not use it.

mod ascii;
mod block;
mod compressed;
mod deflate;
mod descriptor;
mod ebcdic;
mod records;
#[cfg(test)]
mod tests;

pub use ascii::{AsciiDecoder, AsciiEncoder};
pub use ebcdic::{from_ebcdic, to_ebcdic};

use bytes::Bytes;
use memchr::memchr;

use crate::pi::{Coding, Malformed, Mode, Representation, Structure};
use block::{BlockDecoder, BlockEncoder};
use compressed::{CompressedDecoder, CompressedEncoder};
use deflate::{Deflater, Inflater};
use records::RecordDecoder;

/// About how much content is returned at once.
const PIECE: usize = 64 << 10;

/// What framing carries.
#[derive(Debug, PartialEq, Eq)]
enum Item {
    Octets(Bytes),
    EndOfRecord,
    EndOfFile,
    Marker(Box<[u8]>),
}

/// What a [`Decoder`] returns.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Octets of the file.
    Content(Bytes),
    /// A restart marker, at a place where a restart can begin.
    Marker(Box<[u8]>),
    /// The file has ended.
    End,
    /// Everything given has been used.
    Hungry,
}

/// File content to data octets.
#[derive(Debug)]
pub struct Encoder {
    text: TextEncoder,
    ebcdic: bool,
    /// STRU R: what of a line has been sent.
    line: Option<Line>,
    framing: FramingEncoder,
    markers: Option<Markers>,
}

#[derive(Debug)]
enum TextEncoder {
    Plain,
    /// Line ends become CRLF.
    Ascii(AsciiEncoder),
    /// Line ends become LF, for records and for EBCDIC.
    Lines(AsciiDecoder),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing yet.
    Empty,
    /// Something.
    Begun,
    /// All of it, but its end was not encoded yet: the file may end, too.
    Ended,
}

#[derive(Debug)]
enum FramingEncoder {
    Plain,
    Records,
    Block(BlockEncoder),
    Compressed(CompressedEncoder),
    Deflate {
        deflater: Box<Deflater>,
        /// STRU R: what is to be deflated, with its control codes.
        records: Option<Vec<u8>>,
    },
}

/// Restart markers that are to be sent: each is the number of octets of the file before it.
#[derive(Debug)]
struct Markers {
    every: u64,
    at: u64,
    next: u64,
}

/// Data octets to file content.
#[derive(Debug)]
pub struct Decoder {
    text: TextDecoder,
    records: bool,
    /// A record has begun.
    in_record: bool,
    framing: FramingDecoder,
    /// Content that is held until there is enough of it.
    content: Vec<u8>,
    marker: Option<Box<[u8]>>,
    ended: bool,
}

#[derive(Debug)]
enum TextDecoder {
    Plain,
    Ascii(AsciiDecoder),
    Ebcdic,
}

#[derive(Debug)]
enum FramingDecoder {
    Plain,
    Records(RecordDecoder),
    Block(BlockDecoder),
    Compressed(CompressedDecoder),
    Deflate(Box<Inflated>),
}

/// The content of a zlib stream.
#[derive(Debug)]
struct Inflated {
    inflater: Inflater,
    octets: Bytes,
    records: Option<RecordDecoder>,
    file_ended: bool,
}

impl Encoder {
    /// An encoder for a file from `offset` on.
    #[must_use]
    pub fn new(coding: &Coding, offset: u64) -> Self {
        let records = coding.structure == Structure::Record;
        let carries_markers = matches!(coding.mode, Mode::Block | Mode::Compressed);
        let markers = coding.markers.filter(|_| carries_markers);
        Self {
            text: match coding.representation {
                Representation::Image => TextEncoder::Plain,
                Representation::Ascii if !records => TextEncoder::Ascii(AsciiEncoder::new()),
                Representation::Ascii | Representation::Ebcdic => {
                    TextEncoder::Lines(AsciiDecoder::new())
                }
            },
            ebcdic: coding.representation == Representation::Ebcdic,
            line: records.then_some(Line::Empty),
            framing: match coding.mode {
                Mode::Stream if records => FramingEncoder::Records,
                Mode::Stream => FramingEncoder::Plain,
                Mode::Block => FramingEncoder::Block(BlockEncoder::default()),
                Mode::Compressed => {
                    FramingEncoder::Compressed(CompressedEncoder::new(filler(coding)))
                }
                Mode::Deflate { level } => FramingEncoder::Deflate {
                    deflater: Box::new(Deflater::new(level)),
                    records: records.then(Vec::new),
                },
            },
            markers: markers.map(|every| Markers {
                every: every.get(),
                at: offset,
                next: offset.saturating_add(every.get()),
            }),
        }
    }

    /// The next octets for the data connection; there may be none yet.
    pub fn encode(&mut self, mut octets: Bytes, to: &mut Vec<u8>) {
        let Some(mut markers) = self.markers.take() else {
            self.encode_text(octets, to);
            return;
        };
        while !octets.is_empty() {
            let distance = usize::try_from(markers.next.saturating_sub(markers.at));
            let step = distance.unwrap_or(usize::MAX).clamp(1, octets.len());
            self.encode_text(octets.split_to(step), to);
            markers.at += step as u64;
            // Between CR and LF a restart would begin in a state that a number of octets does not
            // determine.
            if markers.at >= markers.next && self.text.is_at_rest() {
                self.put_marker(markers.at, to);
                markers.next = markers.at.saturating_add(markers.every);
            }
        }
        self.markers = Some(markers);
    }

    /// The last octets for the data connection, with the end of the file where the framing has one.
    pub fn finish(mut self, to: &mut Vec<u8>) {
        if let TextEncoder::Lines(lines) = &mut self.text {
            let held = std::mem::take(lines).finish();
            self.put(held, to);
        }
        let record = self.line.is_some_and(|line| line != Line::Empty);
        self.framing.end(record, true, to);
        self.framing.flush(to);
    }

    fn encode_text(&mut self, octets: Bytes, to: &mut Vec<u8>) {
        let octets = match &mut self.text {
            TextEncoder::Plain => octets,
            TextEncoder::Ascii(encoder) => encoder.encode(octets),
            TextEncoder::Lines(lines) => lines.decode(octets),
        };
        self.put(octets, to);
    }

    /// Lines of the file, whose ends are LF, or all of it where there are no records.
    fn put(&mut self, octets: Bytes, to: &mut Vec<u8>) {
        let mut line_end = b'\n';
        let octets = if self.ebcdic {
            to_ebcdic(std::slice::from_mut(&mut line_end));
            let mut octets = Vec::from(octets);
            to_ebcdic(&mut octets);
            octets.into()
        } else {
            octets
        };
        let Some(line) = &mut self.line else {
            self.framing.octets(&octets, to);
            return;
        };
        let mut rest = &octets[..];
        while !rest.is_empty() {
            if *line == Line::Ended {
                self.framing.end(true, false, to);
            }
            let end = memchr(line_end, rest);
            let (content, after) = rest.split_at(end.unwrap_or(rest.len()));
            self.framing.octets(content, to);
            (*line, rest) = match after.split_first() {
                Some((_, after)) => (Line::Ended, after),
                None => (Line::Begun, after),
            };
        }
        self.framing.flush(to);
    }

    fn put_marker(&mut self, at: u64, to: &mut Vec<u8>) {
        if let Some(line) = self.line.as_mut().filter(|line| **line == Line::Ended) {
            *line = Line::Empty;
            self.framing.end(true, false, to);
        }
        self.framing.marker(at.to_string().as_bytes(), to);
    }
}

impl TextEncoder {
    fn is_at_rest(&self) -> bool {
        match self {
            Self::Plain => true,
            Self::Ascii(encoder) => encoder.is_at_rest(),
            Self::Lines(lines) => lines.is_at_rest(),
        }
    }
}

impl FramingEncoder {
    fn octets(&mut self, octets: &[u8], to: &mut Vec<u8>) {
        match self {
            Self::Plain => to.extend_from_slice(octets),
            Self::Records => records::put_octets(octets, to),
            Self::Block(block) => block.octets(octets, to),
            Self::Compressed(compressed) => compressed.octets(octets, to),
            Self::Deflate {
                records: Some(staged),
                ..
            } => records::put_octets(octets, staged),
            Self::Deflate { deflater, .. } => deflater.deflate(octets, to),
        }
    }

    fn end(&mut self, record: bool, file: bool, to: &mut Vec<u8>) {
        match self {
            Self::Plain => {}
            Self::Records => records::put_end(record, file, to),
            Self::Block(block) => block.end(record, file, to),
            Self::Compressed(compressed) => compressed.end(record, file, to),
            Self::Deflate { deflater, records } => {
                if let Some(staged) = records {
                    records::put_end(record, file, staged);
                }
                if file {
                    deflater.deflate(records.as_deref().unwrap_or_default(), to);
                    deflater.finish(to);
                    *records = None;
                }
            }
        }
    }

    /// Only MODE B and C have markers.
    fn marker(&mut self, marker: &[u8], to: &mut Vec<u8>) {
        match self {
            Self::Block(block) => block.marker(marker, to),
            Self::Compressed(compressed) => compressed.marker(marker, to),
            Self::Plain | Self::Records | Self::Deflate { .. } => {}
        }
    }

    fn flush(&mut self, to: &mut Vec<u8>) {
        if let Self::Deflate {
            deflater,
            records: Some(staged),
        } = self
        {
            deflater.deflate(staged, to);
            staged.clear();
        }
    }
}

impl Decoder {
    /// A decoder at the beginning of a transfer.
    #[must_use]
    pub fn new(coding: &Coding) -> Self {
        let records = coding.structure == Structure::Record;
        Self {
            text: match coding.representation {
                Representation::Ebcdic => TextDecoder::Ebcdic,
                Representation::Ascii if !records => TextDecoder::Ascii(AsciiDecoder::new()),
                Representation::Ascii | Representation::Image => TextDecoder::Plain,
            },
            records,
            in_record: false,
            framing: match coding.mode {
                Mode::Stream if records => FramingDecoder::Records(RecordDecoder::default()),
                Mode::Stream => FramingDecoder::Plain,
                Mode::Block => FramingDecoder::Block(BlockDecoder::default()),
                Mode::Compressed => {
                    FramingDecoder::Compressed(CompressedDecoder::new(filler(coding)))
                }
                Mode::Deflate { .. } => FramingDecoder::Deflate(Box::new(Inflated {
                    inflater: Inflater::default(),
                    octets: Bytes::new(),
                    records: records.then(RecordDecoder::default),
                    file_ended: false,
                })),
            },
            content: Vec::new(),
            marker: None,
            ended: false,
        }
    }

    /// What comes next of the data octets, which are used up from their beginning.
    ///
    /// # Errors
    /// They are not what the coding prescribes.
    pub fn next(&mut self, octets: &mut Bytes) -> Result<Piece, Malformed> {
        while !self.ended && self.marker.is_none() && self.content.len() < PIECE {
            match self.framing.next(octets)? {
                None => break,
                Some(Item::Octets(octets)) => self.take(octets),
                Some(Item::EndOfRecord) => self.end_record(),
                Some(Item::EndOfFile) => self.end_file(),
                // Between CR and LF a restart would begin in a state that a number of octets does
                // not determine.
                Some(Item::Marker(marker)) => {
                    self.marker = Some(marker).filter(|_| self.text.is_at_rest());
                }
            }
        }
        if !self.content.is_empty() {
            return Ok(Piece::Content(std::mem::take(&mut self.content).into()));
        }
        if let Some(marker) = self.marker.take() {
            return Ok(Piece::Marker(marker));
        }
        match (self.ended, octets.is_empty()) {
            (true, true) => Ok(Piece::End),
            (true, false) => Err(Malformed::AfterTheEnd),
            (false, _) => Ok(Piece::Hungry),
        }
    }

    /// The data connection was closed: the last content if the file is whole, `None` if it was cut
    /// short.
    #[must_use]
    pub fn closed(mut self) -> Option<Bytes> {
        match &self.framing {
            FramingDecoder::Plain => {}
            FramingDecoder::Compressed(compressed) => {
                if compressed.ends_here()? {
                    self.end_record();
                }
            }
            FramingDecoder::Records(_) | FramingDecoder::Block(_) | FramingDecoder::Deflate(_) => {
                return None;
            }
        }
        self.end_file();
        Some(self.content.into())
    }

    fn take(&mut self, octets: Bytes) {
        self.in_record = true;
        match &mut self.text {
            TextDecoder::Plain => self.content.extend_from_slice(&octets),
            TextDecoder::Ascii(decoder) => self.content.extend_from_slice(&decoder.decode(octets)),
            TextDecoder::Ebcdic => {
                let start = self.content.len();
                self.content.extend_from_slice(&octets);
                from_ebcdic(&mut self.content[start..]);
            }
        }
    }

    /// In STRU F the end of a record means nothing.
    fn end_record(&mut self) {
        if self.records {
            self.content.push(b'\n');
            self.in_record = false;
        }
    }

    fn end_file(&mut self) {
        if let TextDecoder::Ascii(decoder) = &mut self.text {
            let held = std::mem::take(decoder).finish();
            self.content.extend_from_slice(&held);
        }
        // The end of the last record should have been sent (RFC 959 §3.4.1); it is assumed.
        if self.in_record {
            self.end_record();
        }
        self.ended = true;
    }
}

impl TextDecoder {
    fn is_at_rest(&self) -> bool {
        match self {
            Self::Plain | Self::Ebcdic => true,
            Self::Ascii(decoder) => decoder.is_at_rest(),
        }
    }
}

impl FramingDecoder {
    fn next(&mut self, octets: &mut Bytes) -> Result<Option<Item>, Malformed> {
        match self {
            Self::Plain if octets.is_empty() => Ok(None),
            Self::Plain => Ok(Some(Item::Octets(std::mem::take(octets)))),
            Self::Records(records) => records.next(octets),
            Self::Block(block) => block.next(octets),
            Self::Compressed(compressed) => compressed.next(octets),
            Self::Deflate(inflated) => inflated.next(octets),
        }
    }
}

impl Inflated {
    fn next(&mut self, octets: &mut Bytes) -> Result<Option<Item>, Malformed> {
        loop {
            if let Some(records) = &mut self.records {
                match records.next(&mut self.octets)? {
                    Some(_) if self.file_ended => return Err(Malformed::AfterTheEnd),
                    Some(Item::EndOfFile) => {
                        self.file_ended = true;
                        continue;
                    }
                    Some(item) => return Ok(Some(item)),
                    None => {}
                }
            } else if !self.octets.is_empty() {
                return Ok(Some(Item::Octets(std::mem::take(&mut self.octets))));
            }
            if self.inflater.has_ended() {
                // The end of the zlib stream is that of the file; with records it was reported
                // before.
                return match self.records {
                    Some(_) if !self.file_ended => Err(Malformed::Form),
                    _ => Ok(Some(Item::EndOfFile)),
                };
            }
            self.octets = self.inflater.inflate(octets)?;
            if self.octets.is_empty() && !self.inflater.has_ended() {
                return Ok(None);
            }
        }
    }
}

/// The octet that the filler of MODE C represents: a space in text, else a zero (RFC 959 §3.4.3).
fn filler(coding: &Coding) -> u8 {
    let mut filler = b' ';
    match coding.representation {
        Representation::Ascii => {}
        Representation::Ebcdic => to_ebcdic(std::slice::from_mut(&mut filler)),
        Representation::Image => filler = 0,
    }
    filler
}
