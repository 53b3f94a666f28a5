//! TCP segments in captured frames.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice, err::Layer, ip_number};

/// Link types of captures (<https://www.tcpdump.org/linktypes.html>).
mod link {
    pub(super) const NULL: i32 = 0;
    pub(super) const ETHERNET: i32 = 1;
    pub(super) const LOOP: i32 = 108;
    pub(super) const LINUX_SLL: i32 = 113;
    pub(super) const LINUX_SLL2: i32 = 276;
    /// IPv4 or IPv6 without a link header; two of them are values of `DLT_RAW` that are written,
    /// too.
    pub(super) const RAW: [i32; 5] = [101, 12, 14, 228, 229];
}

/// What a frame is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// A part of an IP packet.
    Fragment,
    /// A TCP segment whose header was not captured to its end, or is wrong.
    Headless,
    /// Of a link type that is not known.
    UnknownLink,
    /// Anything else.
    Other,
}

/// A TCP segment (RFC 9293 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    /// The sender.
    pub(super) from: SocketAddr,
    /// The receiver.
    pub(super) to: SocketAddr,
    /// The sequence number of the first octet, or of the SYN.
    pub(super) sequence: u32,
    /// The next octet the sender expects, if ACK is set.
    pub(super) acknowledged: Option<u32>,
    /// SYN
    pub(super) syn: bool,
    /// FIN
    pub(super) fin: bool,
    /// RST
    pub(super) rst: bool,
    /// The urgent pointer, if URG is set.
    pub(super) urgent: Option<u16>,
    /// The octets that were captured.
    pub(super) octets: &'a [u8],
    /// How many more the segment had.
    pub(super) missing: u32,
}

/// The TCP segment in a frame.
pub(super) fn parse(link: i32, octets: &[u8]) -> Packet<'_> {
    let sliced = match link {
        link::ETHERNET => LaxSlicedPacket::from_ethernet(octets).ok(),
        link::LINUX_SLL => cooked(octets, 14, 16),
        link::LINUX_SLL2 => cooked(octets, 0, 20),
        // The address family depends on the system; the version of IP is in the packet.
        link::NULL | link::LOOP => octets.get(4..).and_then(ip),
        raw if link::RAW.contains(&raw) => ip(octets),
        _ => return Packet::UnknownLink,
    };
    sliced.map_or(Packet::Other, |sliced| of_slices(&sliced))
}

fn ip(octets: &[u8]) -> Option<LaxSlicedPacket<'_>> {
    LaxSlicedPacket::from_ip(octets).ok()
}

/// After a header of Linux's cooked captures, which has the protocol at an offset.
fn cooked(octets: &[u8], protocol: usize, length: usize) -> Option<LaxSlicedPacket<'_>> {
    let protocol = octets.get(protocol..protocol + 2)?;
    let protocol = u16::from_be_bytes([protocol[0], protocol[1]]);
    let payload = octets.get(length..)?;
    Some(LaxSlicedPacket::from_ether_type(
        EtherType(protocol),
        payload,
    ))
}

fn of_slices<'a>(sliced: &LaxSlicedPacket<'a>) -> Packet<'a> {
    // What the IP header says of the length of the segment.
    let (from, to, payload, length) = match &sliced.net {
        Some(LaxNetSlice::Ipv4(ipv4)) => {
            let header = ipv4.header();
            let headers =
                header.slice().len() + ipv4.extensions().auth.map_or(0, |it| it.slice().len());
            let length = usize::from(header.total_len()).saturating_sub(headers);
            let (from, to) = (header.source_addr(), header.destination_addr());
            (IpAddr::V4(from), IpAddr::V4(to), ipv4.payload(), length)
        }
        Some(LaxNetSlice::Ipv6(ipv6)) => {
            let header = ipv6.header();
            let headers = ipv6.extensions().slice().len();
            let length = usize::from(header.payload_length()).saturating_sub(headers);
            let (from, to) = (header.source_addr(), header.destination_addr());
            (IpAddr::V6(from), IpAddr::V6(to), ipv6.payload(), length)
        }
        _ => return Packet::Other,
    };
    if payload.ip_number != ip_number::TCP {
        return Packet::Other;
    }
    if payload.fragmented {
        return Packet::Fragment;
    }
    let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else {
        return match sliced.stop_err {
            Some((_, Layer::TcpHeader)) => Packet::Headless,
            _ => Packet::Other,
        };
    };
    let missing = match payload.incomplete {
        true => length.saturating_sub(payload.payload.len()),
        false => 0,
    };
    Packet::Tcp(Segment {
        from: SocketAddr::new(from.to_canonical(), tcp.source_port()),
        to: SocketAddr::new(to.to_canonical(), tcp.destination_port()),
        sequence: tcp.sequence_number(),
        acknowledged: tcp.ack().then(|| tcp.acknowledgment_number()),
        syn: tcp.syn(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        urgent: tcp.urg().then(|| tcp.urgent_pointer()),
        octets: tcp.payload(),
        missing: u32::try_from(missing).unwrap_or(u32::MAX),
    })
}
