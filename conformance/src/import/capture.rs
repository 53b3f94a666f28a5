//! Capture files as a stream of frames: pcap and pcapng.

use std::io::{self, Read};

use pcap_parser::{
    Block, InterfaceDescriptionBlock, LegacyPcapReader, PcapBlockOwned, PcapError, PcapHeader,
    PcapNGReader, traits::PcapReaderIterator,
};

/// Octets of the file that are in memory at first.
const BUFFER: usize = 256 << 10;
/// A block of the file that is longer is not read.
const LONGEST_BLOCK: usize = 16 << 20;
/// Interfaces of one section of a pcapng file.
const INTERFACES: usize = 4096;
/// The first octets of a pcapng file, in either byte order.
const PCAPNG: u32 = 0x0a0d_0d0a;
/// The first octets of a pcap file: microseconds, nanoseconds, and Kuznetzov's variant.
const PCAP: [u32; 3] = [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34];

/// Why a file cannot be read as a capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It begins like no capture.
    #[error("the file is not a capture; expected pcap or pcapng")]
    NotACapture,
    /// It ends before its header does.
    #[error("the file ends within its header")]
    NoHeader,
    /// A newer program wrote it.
    #[error("capture format version {major}.{minor} is not supported; {} is", known(*.pcapng))]
    Version {
        /// Of pcapng, else of pcap.
        pcapng: bool,
        /// Its major version.
        major: u16,
        /// Its minor version.
        minor: u16,
    },
    /// A block is longer than is plausible.
    #[error("packet {packet}: a block of more than 16 MiB")]
    TooLong {
        /// The number of the packet, from 1.
        packet: u64,
    },
    /// The file cannot be read, or a session cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The versions that are read.
fn known(pcapng: bool) -> &'static str {
    if pcapng { "1.x" } else { "2.x" }
}

/// One captured frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub(super) at: i64,
    /// The link type: a `LINKTYPE_` number.
    pub(super) link: i32,
    /// The octets that were captured.
    pub(super) octets: &'a [u8],
}

/// How a capture ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a whole block.
    Whole,
    /// Within a block, or with one that is damaged.
    Torn,
}

/// Reads a capture to its end or to the first damaged block, frame by frame, in constant memory.
///
/// # Errors
/// [`CaptureError`], and what `each` returns.
pub(super) fn read(
    input: impl Read,
    each: &mut dyn FnMut(Frame<'_>) -> io::Result<()>,
) -> Result<Ending, CaptureError> {
    let mut input = Filled(input);
    let mut magic = [0; 4];
    let begins = input.read(&mut magic)?;
    let number = u32::from_be_bytes(magic);
    let input = Filled(io::Cursor::new(magic).chain(input));
    match begins {
        4 if number == PCAPNG => {
            let reader = PcapNGReader::new(BUFFER, input).map_err(|error| begun(&error))?;
            frames(reader, each)
        }
        4 if PCAP.contains(&number) || PCAP.contains(&number.swap_bytes()) => {
            let reader = LegacyPcapReader::new(BUFFER, input).map_err(|error| begun(&error))?;
            frames(reader, each)
        }
        _ => Err(CaptureError::NotACapture),
    }
}

fn begun(error: &PcapError<&[u8]>) -> CaptureError {
    match error {
        PcapError::Incomplete(_) | PcapError::UnexpectedEof | PcapError::Eof => {
            CaptureError::NoHeader
        }
        _ => CaptureError::NotACapture,
    }
}

/// What to do about an error of the reader.
enum Next {
    Refill,
    Grow,
    End(Ending),
}

fn frames(
    mut reader: impl PcapReaderIterator,
    each: &mut dyn FnMut(Frame<'_>) -> io::Result<()>,
) -> Result<Ending, CaptureError> {
    let mut state = State::default();
    let mut capacity = BUFFER;
    loop {
        let next = match reader.next() {
            Ok((length, block)) => {
                if let Some(frame) = state.frame(&block)? {
                    each(frame)?;
                }
                reader.consume(length);
                continue;
            }
            Err(PcapError::Eof) => Next::End(Ending::Whole),
            Err(PcapError::Incomplete(_)) => Next::Refill,
            Err(PcapError::BufferTooSmall) => Next::Grow,
            Err(_) => Next::End(Ending::Torn),
        };
        match next {
            Next::End(ending) => return Ok(ending),
            Next::Grow if capacity >= LONGEST_BLOCK => {
                let packet = state.packets + 1;
                return Err(CaptureError::TooLong { packet });
            }
            Next::Grow => {
                capacity *= 2;
                reader.grow(capacity);
            }
            Next::Refill => {}
        }
        let before = reader.data().len();
        if reader.refill().is_err() {
            return Err(io::Error::other("the rest of the capture cannot be read").into());
        }
        // A reader that asks for more without taking any would ask forever.
        if reader.data().len() == before && !reader.reader_exhausted() {
            return Ok(Ending::Torn);
        }
    }
}

/// What earlier blocks say about later ones.
#[derive(Debug, Default)]
struct State {
    packets: u64,
    /// Of a pcap file.
    header: Option<(i32, bool)>,
    /// Of the section of a pcapng file.
    interfaces: Vec<Interface>,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: i32,
    /// How many of its time units a second has.
    units: u128,
    /// Seconds to add to its times.
    offset: i64,
    snaplen: u32,
}

impl State {
    fn frame<'a>(
        &mut self,
        block: &'a PcapBlockOwned<'_>,
    ) -> Result<Option<Frame<'a>>, CaptureError> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => self.pcap_header(header)?,
            PcapBlockOwned::Legacy(packet) => {
                self.packets += 1;
                let (link, nanoseconds) = self.header.unwrap_or_default();
                let fraction = i64::from(packet.ts_usec) / if nanoseconds { 1000 } else { 1 };
                return Ok(Some(Frame {
                    at: i64::from(packet.ts_sec) * 1_000_000 + fraction,
                    link,
                    octets: packet.data,
                }));
            }
            PcapBlockOwned::NG(block) => return self.block(block),
        }
        Ok(None)
    }

    fn pcap_header(&mut self, header: &PcapHeader) -> Result<(), CaptureError> {
        if header.version_major != 2 {
            return Err(CaptureError::Version {
                pcapng: false,
                major: header.version_major,
                minor: header.version_minor,
            });
        }
        // The upper half says how long frame check sequences are.
        let link = header.network.0 & 0xffff;
        self.header = Some((link, header.is_nanosecond_precision()));
        Ok(())
    }

    fn block<'a>(&mut self, block: &'a Block<'_>) -> Result<Option<Frame<'a>>, CaptureError> {
        let (interface, time, octets) = match block {
            Block::SectionHeader(header) => {
                if header.major_version != 1 {
                    return Err(CaptureError::Version {
                        pcapng: true,
                        major: header.major_version,
                        minor: header.minor_version,
                    });
                }
                self.interfaces.clear();
                return Ok(None);
            }
            Block::InterfaceDescription(described) => {
                if self.interfaces.len() < INTERFACES {
                    self.interfaces.push(Interface::of(described));
                }
                return Ok(None);
            }
            Block::EnhancedPacket(packet) => {
                let octets = packet.data.get(..packet.caplen as usize);
                let time = (u64::from(packet.ts_high) << 32) | u64::from(packet.ts_low);
                (packet.if_id as usize, time, octets.unwrap_or(packet.data))
            }
            Block::SimplePacket(packet) => {
                let snaplen = self.interfaces.first().map_or(0, |it| it.snaplen);
                let length = match snaplen {
                    0 => packet.origlen,
                    snaplen => packet.origlen.min(snaplen),
                };
                let octets = packet.data.get(..length as usize);
                (0, 0, octets.unwrap_or(packet.data))
            }
            _ => return Ok(None),
        };
        self.packets += 1;
        let interface = self.interfaces.get(interface);
        Ok(interface.map(|interface| Frame {
            at: interface.microseconds(time),
            link: interface.link,
            octets,
        }))
    }
}

impl Interface {
    fn of(described: &InterfaceDescriptionBlock<'_>) -> Self {
        let exponent = u32::from(described.if_tsresol & 0x7f);
        // A unit that is finer than any clock is one of the capture that cannot be right.
        let units = match described.if_tsresol & 0x80 {
            0 => 10_u128.pow(exponent.min(20)),
            _ => 1 << exponent.min(64),
        };
        Self {
            link: described.linktype.0,
            units,
            offset: described.if_tsoffset,
            snaplen: described.snaplen,
        }
    }

    fn microseconds(&self, time: u64) -> i64 {
        let scaled = u128::from(time) * 1_000_000 / self.units;
        let scaled = i64::try_from(scaled).unwrap_or(i64::MAX);
        scaled.saturating_add(self.offset.saturating_mul(1_000_000))
    }
}

/// Fills the whole buffer of each read, except at the end of the file: the parsers take a short read
/// for the end.
struct Filled<R>(R);

impl<R: Read> Read for Filled<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(octets) => filled += octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}
