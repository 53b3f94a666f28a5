//! Captures that tests write: TCP connections as lists of segments, and files of them.

use std::net::{IpAddr, SocketAddr};

use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader, VlanId};

/// A TCP segment.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// Microseconds since 1970.
    pub(crate) at: i64,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) header: TcpHeader,
    pub(crate) octets: Vec<u8>,
}

/// What a frame begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Ethernet,
    Vlan,
    Raw,
    Loopback,
    Cooked,
    Cooked2,
}

impl Link {
    pub(crate) const ALL: [Self; 6] = [
        Self::Ethernet,
        Self::Vlan,
        Self::Raw,
        Self::Loopback,
        Self::Cooked,
        Self::Cooked2,
    ];

    /// The number in the file.
    fn number(self) -> u16 {
        match self {
            Self::Ethernet | Self::Vlan => 1,
            Self::Raw => 101,
            Self::Loopback => 0,
            Self::Cooked => 113,
            Self::Cooked2 => 276,
        }
    }
}

impl Sent {
    /// As a frame.
    pub(crate) fn frame(&self, link: Link) -> Vec<u8> {
        let protocol: [u8; 2] = if self.from.is_ipv4() {
            [8, 0]
        } else {
            [0x86, 0xdd]
        };
        match link {
            Link::Ethernet => self.ip(PacketBuilder::ethernet2([2; 6], [4; 6])),
            Link::Vlan => {
                let step = PacketBuilder::ethernet2([2; 6], [4; 6]).single_vlan(VlanId::default());
                let mut octets = Vec::new();
                let (from, to) = (self.from.ip(), self.to.ip());
                let tcp = match (from, to) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => step.ipv4(from.octets(), to.octets(), 64),
                    (IpAddr::V6(from), IpAddr::V6(to)) => step.ipv6(from.octets(), to.octets(), 64),
                    _ => panic!("one family"),
                };
                let written = tcp
                    .tcp_header(self.header.clone())
                    .write(&mut octets, &self.octets);
                written.expect("a vector takes everything");
                octets
            }
            Link::Raw => self.packet(),
            Link::Loopback => [vec![2, 0, 0, 0], self.packet()].concat(),
            Link::Cooked => [vec![0; 14], protocol.to_vec(), self.packet()].concat(),
            Link::Cooked2 => [protocol.to_vec(), vec![0; 18], self.packet()].concat(),
        }
    }

    /// Without a link header.
    fn packet(&self) -> Vec<u8> {
        self.frame(Link::Ethernet).split_off(14)
    }

    fn ip(&self, step: PacketBuilderStep<etherparse::Ethernet2Header>) -> Vec<u8> {
        let mut octets = Vec::new();
        let tcp = match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => step.ipv4(from.octets(), to.octets(), 64),
            (IpAddr::V6(from), IpAddr::V6(to)) => step.ipv6(from.octets(), to.octets(), 64),
            _ => panic!("one family"),
        };
        let written = tcp
            .tcp_header(self.header.clone())
            .write(&mut octets, &self.octets);
        written.expect("a vector takes everything");
        octets
    }
}

/// A TCP connection: who sent how much. Each method is one segment, or the handshake.
#[derive(Debug, Clone)]
pub(crate) struct Tcp {
    ends: [SocketAddr; 2],
    next: [u32; 2],
}

/// The end that connects, and the one that listens.
pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

/// Segments with times, one microsecond after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Net {
    pub(crate) sent: Vec<Sent>,
}

/// When captures of tests begin: 2026-12-01T00:00:00Z.
pub(crate) const START: i64 = 1_796_083_200_000_000;

impl Tcp {
    /// Between these addresses, with these initial sequence numbers.
    pub(crate) fn new(client: SocketAddr, server: SocketAddr, first: [u32; 2]) -> Self {
        Self {
            ends: [client, server],
            next: first,
        }
    }

    pub(crate) fn open(mut self, net: &mut Net) -> Self {
        self.send(net, CLIENT, &[], |header| {
            (header.syn, header.ack) = (true, false)
        });
        self.send(net, SERVER, &[], |header| header.syn = true);
        self.send(net, CLIENT, &[], |_| {});
        self
    }

    pub(crate) fn say(&mut self, net: &mut Net, from: usize, octets: &[u8]) {
        self.send(net, from, octets, |header| header.psh = true);
    }

    /// The last octet is urgent data.
    pub(crate) fn urgent(&mut self, net: &mut Net, from: usize, octets: &[u8]) {
        let pointer = u16::try_from(octets.len()).expect("a short segment");
        self.send(net, from, octets, |header| {
            (header.urg, header.urgent_pointer) = (true, pointer);
        });
    }

    pub(crate) fn fin(&mut self, net: &mut Net, from: usize) {
        self.send(net, from, &[], |header| header.fin = true);
    }

    pub(crate) fn reset(&mut self, net: &mut Net, from: usize) {
        self.send(net, from, &[], |header| header.rst = true);
    }

    /// FIN from one end, then from the other.
    pub(crate) fn close(&mut self, net: &mut Net, first: usize) {
        self.fin(net, first);
        self.fin(net, 1 - first);
        self.send(net, first, &[], |_| {});
    }

    fn send(&mut self, net: &mut Net, from: usize, octets: &[u8], change: impl Fn(&mut TcpHeader)) {
        let (source, destination) = (self.ends[from].port(), self.ends[1 - from].port());
        let mut header = TcpHeader::new(source, destination, self.next[from], 65535);
        (header.ack, header.acknowledgment_number) = (true, self.next[1 - from]);
        change(&mut header);
        if !header.ack {
            header.acknowledgment_number = 0;
        }
        let length = u32::try_from(octets.len()).expect("a segment");
        let flags = u32::from(header.syn) + u32::from(header.fin);
        self.next[from] = self.next[from].wrapping_add(length + flags);
        net.sent.push(Sent {
            at: START + i64::try_from(net.sent.len()).expect("few segments"),
            from: self.ends[from],
            to: self.ends[1 - from],
            header,
            octets: octets.to_vec(),
        });
    }
}

/// A pcap file of these segments.
pub(crate) fn pcap(sent: &[Sent], link: Link) -> Vec<u8> {
    let mut file = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0]);
    file.extend(u32::from(link.number()).to_le_bytes());
    for sent in sent {
        add_packet(&mut file, sent.at, &sent.frame(link), usize::MAX);
    }
    file
}

/// One packet of a pcap file, cut after so many octets.
pub(crate) fn add_packet(file: &mut Vec<u8>, at: i64, frame: &[u8], snaplen: usize) {
    let captured = &frame[..frame.len().min(snaplen)];
    let number = |number: i64| u32::try_from(number).expect("small").to_le_bytes();
    file.extend(number(at / 1_000_000));
    file.extend(number(at % 1_000_000));
    for length in [captured.len(), frame.len()] {
        file.extend(u32::try_from(length).expect("small").to_le_bytes());
    }
    file.extend(captured);
}

/// A pcapng file of these segments, with times in nanoseconds.
pub(crate) fn pcapng(sent: &[Sent], link: Link) -> Vec<u8> {
    let mut file = Vec::new();
    let mut section = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    section.extend([1, 0, 0, 0]);
    section.extend([0xff; 8]);
    block(&mut file, 0x0a0d_0d0a, &section);
    let mut interface = link.number().to_le_bytes().to_vec();
    interface.extend([0, 0, 0, 0, 4, 0]);
    // if_tsresol 9, end of options.
    interface.extend([9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    block(&mut file, 1, &interface);
    for sent in sent {
        let frame = sent.frame(link);
        let time = u64::try_from(sent.at).expect("after 1970") * 1000;
        let mut packet = vec![0; 4];
        packet.extend(((time >> 32) as u32).to_le_bytes());
        packet.extend((time as u32).to_le_bytes());
        for _ in 0..2 {
            packet.extend(u32::try_from(frame.len()).expect("small").to_le_bytes());
        }
        packet.extend(&frame);
        packet.resize(packet.len().next_multiple_of(4), 0);
        block(&mut file, 6, &packet);
    }
    file
}

fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = u32::try_from(body.len() + 12).expect("small").to_le_bytes();
    file.extend(kind.to_le_bytes());
    file.extend(length);
    file.extend(body);
    file.extend(length);
}
