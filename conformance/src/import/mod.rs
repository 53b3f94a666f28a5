//! Captures of packets as transcripts: the FTP sessions of a pcap or pcapng file.
//!
//! ```text
//!  file --capture--> frames --packet--> segments --stream--> octets of each connection
//!                                                    flows: which are sessions, which their data
//!                                                    session: events of a transcript --> Sink
//! ```
//!
//! The file is read as a stream and memory is limited, however long it is and whatever it contains.
//! Sessions are observed as their client would observe them. What a capture lacks is said in
//! observations ([`ObservationKind::Capture`](crate::transcript::ObservationKind)).

mod capture;
mod flows;
mod greeting;
mod packet;
mod session;
mod stream;
#[cfg(test)]
mod testing;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is a failed test")]
mod tests;

use std::io::{self, Read};

use regex::bytes::Regex;

pub use capture::CaptureError;
use capture::Ending;
use flows::Flows;
use packet::Packet;

use crate::transcript::{Event, Header};

/// The port of FTP servers (RFC 959 §8).
const FTP: u16 = 21;

/// Takes the sessions that are found. They are numbered from 1, in the order in which they are
/// found.
pub trait Sink {
    /// A session begins.
    ///
    /// # Errors
    /// It cannot be stored; the import ends.
    fn begin(&mut self, session: u64, header: Header) -> io::Result<()>;

    /// The next event of a session.
    ///
    /// # Errors
    /// It cannot be stored; the import ends.
    fn event(&mut self, session: u64, event: Event) -> io::Result<()>;

    /// The session has ended, or the capture.
    ///
    /// # Errors
    /// It cannot be stored; the import ends.
    fn end(&mut self, session: u64) -> io::Result<()>;
}

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Ports of FTP servers besides 21. Servers at other ports are found by their greeting.
    pub ports: Vec<u16>,
    /// What matches in a line of a control connection is replaced.
    pub scrub: Vec<Regex>,
}

/// What was in a capture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames.
    pub packets: u64,
    /// FTP sessions.
    pub sessions: u64,
    /// Data connections of those.
    pub data_connections: u64,
    /// Octets of those that were on the wire and are not in the capture.
    pub missing: u64,
    /// TCP connections of other protocols.
    pub other: u64,
    /// TCP connections at ports of FTP that begin with TLS.
    pub encrypted: u64,
    /// Parts of IP packets.
    pub fragments: u64,
    /// TCP segments whose headers were not captured to their end, or are wrong.
    pub headless: u64,
    /// Frames of a link type that is not known.
    pub unknown_link: u64,
    /// Segments of connections beyond the number that is remembered.
    pub over_limit: u64,
    /// Sessions beyond the number that is imported at a time.
    pub sessions_over_limit: u64,
    /// How often waiting for earlier octets ended because too many waited.
    pub gave_up_waiting: u64,
    /// The file ends within a packet, or is damaged after what was imported.
    pub torn: bool,
}

/// Imports a capture.
///
/// # Errors
/// The file is not a capture or cannot be read, or the sink failed.
pub fn import(
    capture: impl Read,
    options: Options,
    sink: &mut dyn Sink,
) -> Result<Summary, CaptureError> {
    let mut ports = options.ports;
    ports.push(FTP);
    let mut flows = Flows::new(sink, ports, options.scrub);
    let ending = capture::read(capture, &mut |frame| {
        let summary = &mut flows.summary;
        summary.packets += 1;
        match packet::parse(frame.link, frame.octets) {
            Packet::Tcp(segment) => return flows.segment(&segment, frame.at),
            Packet::Fragment => summary.fragments += 1,
            Packet::Headless => summary.headless += 1,
            Packet::UnknownLink => summary.unknown_link += 1,
            Packet::Other => {}
        }
        Ok(())
    })?;
    let mut summary = flows.finish()?;
    summary.torn = ending == Ending::Torn;
    Ok(summary)
}
