//! Captures: any octets are imported or refused, and segments give the same transcript in any
//! order.

use std::collections::BTreeMap;
use std::io;

use ftpspec::internals::import::{Options, Sink, import};
use ftpspec::transcript::{Event, EventKind, Header, Transcript, read, write};

/// The octets are a capture file, or else a session: up to the first 0xff what is said, line by
/// line and by turns; then the order of its segments, and which of them come twice.
pub fn capture(data: &[u8]) {
    let mut kept = Kept::default();
    if let Ok(summary) = import(data, Options::default(), &mut kept) {
        assert_eq!(summary.sessions, kept.ended);
        kept.sessions.values().for_each(sound);
    }
    let end = data.iter().position(|octet| *octet == 0xff);
    let (said, order) = data.split_at(end.unwrap_or(data.len()));
    let segments = session(said);
    let mut mixed = segments.clone();
    for (at, key) in order.iter().enumerate() {
        let (from, to) = (at % mixed.len(), usize::from(*key) % mixed.len());
        mixed.swap(from, to);
        if key % 7 == 0 && mixed.len() < 100 {
            mixed.push(segments[from % segments.len()].clone());
        }
    }
    assert_eq!(dialogue(&mixed), dialogue(&segments));
}

#[derive(Default)]
struct Kept {
    sessions: BTreeMap<u64, Transcript>,
    ended: u64,
}

impl Sink for Kept {
    fn begin(&mut self, session: u64, header: Header) -> io::Result<()> {
        let transcript = Transcript {
            name: header.name,
            ..Transcript::default()
        };
        assert!(self.sessions.insert(session, transcript).is_none());
        Ok(())
    }

    fn event(&mut self, session: u64, event: Event) -> io::Result<()> {
        let transcript = self.sessions.get_mut(&session).expect("it has begun");
        transcript.events.push(event);
        Ok(())
    }

    fn end(&mut self, _: u64) -> io::Result<()> {
        self.ended += 1;
        Ok(())
    }
}

fn sound(transcript: &Transcript) {
    let times = transcript.events.windows(2);
    times.for_each(|pair| assert!(pair[0].at <= pair[1].at, "time goes back"));
    let written = write(transcript);
    assert_eq!(read(&written).map(|again| write(&again)), Ok(written));
}

/// The frames of a session: a line of the server, a line of the client, and so on.
fn session(said: &[u8]) -> Vec<Vec<u8>> {
    const ENDS: [([u8; 4], u16); 2] = [([192, 0, 2, 1], 40000), ([192, 0, 2, 2], 21)];
    const SYN: u8 = 2;
    const ACK: u8 = 16;
    // Both wrap around soon.
    let mut next = [u32::MAX - 5, u32::MAX - 50];
    let mut frames = Vec::new();
    let mut send = |from: usize, flags: u8, octets: &[u8]| {
        let ((source, source_port), (destination, port)) = (ENDS[from], ENDS[1 - from]);
        let length = u16::try_from(40 + octets.len()).expect("a line is short");
        let mut frame = vec![0x45, 0];
        frame.extend(length.to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        frame.extend(source);
        frame.extend(destination);
        frame.extend(source_port.to_be_bytes());
        frame.extend(port.to_be_bytes());
        frame.extend(next[from].to_be_bytes());
        frame.extend(next[1 - from].to_be_bytes());
        frame.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        frame.extend(octets);
        let taken = u32::from(length) - 40 + u32::from(flags & SYN != 0);
        next[from] = next[from].wrapping_add(taken);
        frames.push(frame);
    };
    send(0, SYN, b"");
    send(1, SYN | ACK, b"");
    send(1, ACK, b"220 x\r\n");
    for (index, line) in said
        .split_inclusive(|octet| *octet == b'\n')
        .take(40)
        .enumerate()
    {
        send(index % 2, ACK, &line[..line.len().min(1000)]);
    }
    frames
}

/// What each side said, however it was cut.
fn dialogue(frames: &[Vec<u8>]) -> Vec<(bool, Vec<u8>)> {
    // A pcap file of raw IP packets.
    let mut file = vec![
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0,
    ];
    for frame in frames {
        let length = u32::try_from(frame.len())
            .expect("a line is short")
            .to_le_bytes();
        file.extend([0; 8]);
        file.extend(length);
        file.extend(length);
        file.extend(frame);
    }
    let mut kept = Kept::default();
    let summary = import(&file[..], Options::default(), &mut kept).expect("it is a capture");
    assert_eq!(summary.missing, 0);
    let mut said: Vec<(bool, Vec<u8>)> = Vec::new();
    for event in kept
        .sessions
        .into_values()
        .flat_map(|session| session.events)
    {
        let (from_client, octets) = match event.what {
            EventKind::FromClient { octets } => (true, octets),
            EventKind::FromServer { octets } => (false, octets),
            _ => continue,
        };
        match said.last_mut() {
            Some((last, held)) if *last == from_client => held.extend(octets),
            _ => said.push((from_client, octets)),
        }
    }
    said
}
