use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use proptest::prelude::*;
use rstest::rstest;

use super::testing::{CLIENT, Link, Net, SERVER, START, Sent, Tcp, add_packet, pcap, pcapng};
use super::{CaptureError, Options, Sink, Summary, import};
use crate::transcript::{
    Channel, CloseKind, DataMode, End, Event, EventKind, Header, Side, Transcript,
};

/// Keeps the sessions.
#[derive(Debug, Default)]
struct Kept(BTreeMap<u64, Transcript>, u64);

impl Sink for Kept {
    fn begin(&mut self, session: u64, header: Header) -> io::Result<()> {
        let transcript = Transcript {
            name: header.name,
            started: header.started,
            seat: header.seat,
            ..Transcript::default()
        };
        assert!(self.0.insert(session, transcript).is_none());
        Ok(())
    }

    fn event(&mut self, session: u64, event: Event) -> io::Result<()> {
        self.0.get_mut(&session).unwrap().events.push(event);
        Ok(())
    }

    fn end(&mut self, _: u64) -> io::Result<()> {
        self.1 += 1;
        Ok(())
    }
}

fn imported_with(file: &[u8], options: Options) -> (Vec<Transcript>, Summary) {
    let mut kept = Kept::default();
    let summary = import(file, options, &mut kept).unwrap();
    assert_eq!(kept.1, summary.sessions, "every session ends");
    let times = kept.0.values().flat_map(|it| it.events.windows(2));
    for pair in times {
        assert!(pair[0].at <= pair[1].at, "time goes back: {pair:?}");
    }
    (kept.0.into_values().collect(), summary)
}

fn imported(file: &[u8]) -> (Vec<Transcript>, Summary) {
    imported_with(file, Options::default())
}

fn session(sent: &[Sent]) -> Transcript {
    let (mut sessions, summary) = imported(&pcap(sent, Link::Ethernet));
    assert_eq!(sessions.len(), 1, "{summary:?}");
    sessions.remove(0)
}

/// The octets of each direction of each channel, between what else happened there: what does not
/// depend on times and on how octets are cut.
fn dialogue(transcript: &Transcript) -> Vec<String> {
    let mut channels: BTreeMap<Channel, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    for event in &transcript.events {
        let (who, octets) = match &event.what {
            EventKind::FromClient { octets } => ("C", octets.clone()),
            EventKind::FromServer { octets } => ("S", octets.clone()),
            EventKind::DataFromClient { octets } => ("C", octets.to_vec()),
            EventKind::DataFromServer { octets } => ("S", octets.to_vec()),
            EventKind::Observed { fact, .. } => ("-", fact.clone().into_bytes()),
            other => ("-", format!("{other:?}").into_bytes()),
        };
        let channel = channels.entry(event.channel).or_default();
        match channel.last_mut() {
            Some((last, held)) if last == who && who != "-" => held.extend(octets),
            _ => channel.push((who.to_owned(), octets)),
        }
    }
    let lines = channels.into_iter().flat_map(|(channel, said)| {
        said.into_iter().map(move |(who, octets)| {
            format!("{channel} {who}: {}", String::from_utf8_lossy(&octets))
        })
    });
    lines.collect()
}

/// All octets of each direction of each channel, with the kind of channel and the side.
fn streams(transcript: &Transcript) -> Vec<(String, Vec<u8>)> {
    let mut streams: BTreeMap<(Channel, &str), Vec<u8>> = BTreeMap::new();
    for event in &transcript.events {
        let (side, octets) = match &event.what {
            EventKind::FromClient { octets } => ("control C", octets.clone()),
            EventKind::FromServer { octets } => ("control S", octets.clone()),
            EventKind::DataFromClient { octets } => ("data C", octets.to_vec()),
            EventKind::DataFromServer { octets } => ("data S", octets.to_vec()),
            _ => continue,
        };
        streams
            .entry((event.channel, side))
            .or_default()
            .extend(octets);
    }
    let streams = streams.into_iter();
    streams
        .map(|((_, side), octets)| (side.to_owned(), octets))
        .collect()
}

fn is_subsequence(part: &[u8], whole: &[u8]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|octet| whole.any(|other| other == octet))
}

/// The same without the numbers of data connections: which of two came first is not known where
/// their segments are mixed.
fn unnumbered(dialogue: Vec<String>) -> Vec<Vec<String>> {
    let mut channels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in dialogue {
        let space = if line.starts_with("data") { 6 } else { 7 };
        let (channel, rest) = line.split_at(space);
        let lines = channels.entry(channel.to_owned()).or_default();
        lines.push(rest.to_owned());
    }
    let mut channels: Vec<_> = channels.into_values().collect();
    channels.sort();
    channels
}

const SEQUENCES: [[u32; 2]; 2] = [[1000, 5000], [u32::MAX - 20, u32::MAX - 3]];

fn addresses(ipv6: bool) -> [SocketAddr; 2] {
    let [client, server] = match ipv6 {
        true => ["[2001:db8::1]:40000", "[2001:db8::2]:21"],
        false => ["192.0.2.1:40000", "192.0.2.2:21"],
    };
    [client.parse().unwrap(), server.parse().unwrap()]
}

fn at_port(address: SocketAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.ip(), port)
}

/// A session with a download and an upload, passive and active.
fn two_transfers(ipv6: bool, first: [u32; 2]) -> Vec<Sent> {
    let [client, server] = addresses(ipv6);
    let mut net = Net::default();
    let mut control = Tcp::new(client, server, first).open(&mut net);
    control.say(&mut net, SERVER, b"220 ready\r\n");
    control.say(&mut net, CLIENT, b"USER anna\r\n");
    control.say(&mut net, SERVER, b"331 password\r\n");
    control.say(&mut net, CLIENT, b"PASS geheim\r\n");
    control.say(&mut net, SERVER, b"230 in\r\n");
    control.say(&mut net, CLIENT, b"EPSV\r\n");
    control.say(&mut net, SERVER, b"229 here (|||50000|)\r\n");
    let to = at_port(server, 50000);
    let mut data = Tcp::new(at_port(client, 40001), to, first).open(&mut net);
    control.say(&mut net, CLIENT, b"RETR a\r\n");
    control.say(&mut net, SERVER, b"150 coming\r\n");
    for part in [&b"one"[..], b"two", b"three"] {
        data.say(&mut net, SERVER, part);
    }
    data.close(&mut net, SERVER);
    control.say(&mut net, SERVER, b"226 done\r\n");
    let port = format!(
        "EPRT |{}|{}|40002|\r\n",
        if ipv6 { 2 } else { 1 },
        client.ip()
    );
    control.say(&mut net, CLIENT, port.as_bytes());
    control.say(&mut net, SERVER, b"200 fine\r\n");
    control.say(&mut net, CLIENT, b"STOR b\r\n");
    let mut data = Tcp::new(at_port(server, 20), at_port(client, 40002), first).open(&mut net);
    control.say(&mut net, SERVER, b"150 send\r\n");
    // The server connects, so the client is the other end.
    data.say(&mut net, SERVER, b"up");
    data.close(&mut net, SERVER);
    control.say(&mut net, SERVER, b"226 stored\r\n");
    control.say(&mut net, CLIENT, b"QUIT\r\n");
    control.say(&mut net, SERVER, b"221 bye\r\n");
    control.close(&mut net, SERVER);
    net.sent
}

#[rstest]
fn a_session_is_imported_with_its_data_connections(
    #[values(false, true)] ipv6: bool,
    #[values(SEQUENCES[0], SEQUENCES[1])] first: [u32; 2],
) {
    let transcript = session(&two_transfers(ipv6, first));
    let [client, server] = addresses(ipv6);
    assert_eq!(transcript.name, format!("ftp://{server}/"));
    assert_eq!(transcript.started.unwrap().as_microsecond(), START);
    let events = transcript.events.iter();
    let opened: Vec<_> = events
        .filter_map(|event| match &event.what {
            EventKind::Connected { local, peer } => Some((None, local.clone(), peer.clone())),
            EventKind::DataOpened { mode, local, peer } => {
                Some((Some(*mode), local.clone(), peer.clone()))
            }
            _ => None,
        })
        .collect();
    let expected = [
        (None, client, server),
        (
            Some(DataMode::Epsv),
            at_port(client, 40001),
            at_port(server, 50000),
        ),
        (
            Some(DataMode::Eprt),
            at_port(client, 40002),
            at_port(server, 20),
        ),
    ];
    let expected =
        expected.map(|(mode, client, server)| (mode, client.to_string(), server.to_string()));
    assert_eq!(opened, expected);
    let dialogue = dialogue(&transcript);
    let has = |line: &str| dialogue.iter().any(|it| it == line);
    assert!(has("data 1 S: onetwothree"), "{dialogue:#?}");
    assert!(has("data 2 C: up"), "{dialogue:#?}");
    let ends: Vec<_> = transcript
        .events
        .iter()
        .filter_map(|event| match &event.what {
            EventKind::Closed(end) | EventKind::DataClosed(end) => {
                Some((event.channel, end.by, end.how))
            }
            _ => None,
        })
        .collect();
    let clean = CloseKind::Clean;
    assert_eq!(
        ends,
        [
            (Channel::Data(1), Side::Server, clean),
            (Channel::Data(2), Side::Client, clean),
            (Channel::Control, Side::Server, clean),
        ]
    );
}

#[test]
fn every_link_type_in_both_file_formats_gives_the_same_transcript() {
    for ipv6 in [false, true] {
        let sent = two_transfers(ipv6, SEQUENCES[0]);
        let expected = session(&sent);
        for link in Link::ALL {
            for file in [pcap(&sent, link), pcapng(&sent, link)] {
                let (sessions, summary) = imported(&file);
                assert_eq!(
                    sessions,
                    std::slice::from_ref(&expected),
                    "{link:?} {summary:?}"
                );
            }
        }
    }
}

/// The same octets in other segments: split where `cuts` says.
fn recut(sent: &[Sent], cuts: &[usize]) -> Vec<Sent> {
    let mut cuts = cuts.iter().cycle();
    sent.iter()
        .flat_map(|sent| {
            let cut = cuts.next().map_or(0, |cut| cut % (sent.octets.len() + 1));
            if cut == 0 || sent.header.urg {
                return vec![sent.clone()];
            }
            let (mut first, mut second) = (sent.clone(), sent.clone());
            second.octets = first.octets.split_off(cut);
            second.header.sequence_number = second.header.sequence_number.wrapping_add(cut as u32);
            vec![first, second]
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_permutation_and_duplication_of_segments_gives_the_same_transcript(
        wraps in any::<bool>(),
        ipv6 in any::<bool>(),
        cuts in prop::collection::vec(0usize..16, 1..20),
        copies in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        keys in prop::collection::vec(any::<u32>(), 200),
    ) {
        let original = two_transfers(ipv6, SEQUENCES[usize::from(wraps)]);
        let expected = unnumbered(dialogue(&session(&original)));
        let mut sent = recut(&original, &cuts);
        for copy in copies {
            let again = copy.get(&sent).clone();
            sent.push(again);
        }
        let mut keyed: Vec<(u32, Sent)> = keys.into_iter().cycle().zip(sent).collect();
        keyed.sort_by_key(|(key, _)| *key);
        let permuted: Vec<Sent> = keyed.into_iter().map(|(_, sent)| sent).collect();
        prop_assert_eq!(unnumbered(dialogue(&session(&permuted))), expected);
    }

    #[test]
    fn whatever_is_lost_nothing_is_invented_or_put_in_another_order(
        lost in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let original = two_transfers(false, SEQUENCES[1]);
        let mut sent = original.clone();
        for index in lost {
            sent.remove(index.index(sent.len()));
        }
        let streams = streams(&session(&original));
        let (sessions, summary) = imported(&pcap(&sent, Link::Ethernet));
        for (who, octets) in sessions.iter().flat_map(self::streams) {
            let is_part = |(other, whole): &(String, Vec<u8>)| {
                *other == who && is_subsequence(&octets, whole)
            };
            prop_assert!(streams.iter().any(is_part), "{who}: {}", octets.escape_ascii());
        }
        let count = |streams: Vec<(String, Vec<u8>)>| {
            streams.iter().map(|(_, it)| it.len() as u64).sum::<u64>()
        };
        let delivered: u64 = sessions.iter().map(|it| count(self::streams(it))).sum();
        // The sequence number of a lost FIN cannot be told from that of an octet: one in each
        // direction.
        prop_assert!(delivered + summary.missing <= count(streams) + 6);
    }

    #[test]
    fn any_octets_are_imported_or_refused(
        octets in prop::collection::vec(any::<u8>(), 0..600),
        at in any::<prop::sample::Index>(),
    ) {
        let mut file = pcap(&two_transfers(false, SEQUENCES[0]), Link::Ethernet);
        let at = at.index(file.len());
        let end = (at + octets.len()).min(file.len());
        let length = end - at;
        file[at..end].copy_from_slice(&octets[..length]);
        let mut kept = Kept::default();
        if let Ok(summary) = import(&file[..], Options::default(), &mut kept) {
            prop_assert_eq!(summary.sessions, kept.1);
        }
        let _refused = import(&octets[..], Options::default(), &mut Kept::default());
    }
}

#[test]
fn missing_octets_are_counted_where_they_are_missing() {
    let mut sent = two_transfers(false, SEQUENCES[0]);
    sent.retain(|sent| sent.octets != b"two" && sent.octets != b"PASS geheim\r\n");
    let (sessions, summary) = imported(&pcap(&sent, Link::Ethernet));
    assert_eq!(summary.missing, 3 + 13);
    let dialogue = dialogue(&sessions[0]);
    let data: Vec<_> = dialogue
        .iter()
        .filter(|line| line.starts_with("data 1"))
        .collect();
    assert_eq!(data[1], "data 1 S: one");
    assert_eq!(
        data[2],
        "data 1 -: 3 octets of the server are missing in the capture"
    );
    assert_eq!(data[3], "data 1 S: three");
    let fact = "control -: 13 octets of the client are missing in the capture";
    assert!(dialogue.iter().any(|line| line == fact), "{dialogue:#?}");
}

#[test]
fn truncated_packets_have_missing_octets() {
    let sent = two_transfers(false, SEQUENCES[0]);
    let mut file = pcap(&[], Link::Ethernet);
    for sent in &sent {
        // Ethernet, IP and TCP take 54 octets.
        add_packet(&mut file, sent.at, &sent.frame(Link::Ethernet), 54 + 30);
    }
    let whole = imported(&file).1;
    assert_eq!(whole.missing, 0);
    let mut file = pcap(&[], Link::Ethernet);
    for sent in &sent {
        let snaplen = if sent.octets == b"three" { 56 } else { 200 };
        add_packet(&mut file, sent.at, &sent.frame(Link::Ethernet), snaplen);
    }
    let (sessions, summary) = imported(&file);
    assert_eq!(summary.missing, 3);
    let dialogue = dialogue(&sessions[0]);
    assert!(
        dialogue.iter().any(|line| line == "data 1 S: onetwoth"),
        "{dialogue:#?}"
    );
}

#[test]
fn a_capture_that_begins_in_mid_session_says_so_and_is_not_judged() {
    let mut sent = two_transfers(false, SEQUENCES[0]);
    sent.drain(..6);
    let transcript = session(&sent);
    let fact = "control -: the capture begins in mid-session, after 192.0.2.1:40000 had connected \
                to 192.0.2.2:21";
    let dialogue = dialogue(&transcript);
    assert_eq!(dialogue[0], fact);
    assert!(
        dialogue.iter().any(|line| line == "data 1 S: onetwothree"),
        "{dialogue:#?}"
    );
    let conversations = crate::transcript::Conversation::all(&transcript);
    assert!(
        conversations
            .iter()
            .all(|it| it.exchanges.is_empty() && it.unasked.is_empty())
    );
}

#[test]
fn a_reset_and_urgent_data_are_recorded_as_such() {
    let [client, server] = addresses(false);
    let mut net = Net::default();
    let mut control = Tcp::new(client, server, SEQUENCES[1]).open(&mut net);
    control.say(&mut net, SERVER, b"220 ready\r\n");
    control.urgent(&mut net, CLIENT, b"\xff\xf4\xff");
    control.say(&mut net, CLIENT, b"\xf2ABOR\r\n");
    control.reset(&mut net, CLIENT);
    let events = session(&net.sent).events;
    let what: Vec<_> = events.iter().map(|event| &event.what).skip(2).collect();
    let octets = |octets: &[u8]| EventKind::FromClient {
        octets: octets.to_vec(),
    };
    let reset = EventKind::Closed(End {
        by: Side::Client,
        how: CloseKind::Reset,
    });
    assert_eq!(
        what,
        [
            &octets(b"\xff\xf4"),
            &EventKind::Urgent { from: Side::Client },
            &octets(b"\xff"),
            &octets(b"\xf2ABOR\r\n"),
            &reset,
        ]
    );
}

#[test]
fn a_half_closed_data_connection_goes_on() {
    let [client, server] = addresses(false);
    let mut net = Net::default();
    let mut control = Tcp::new(client, server, SEQUENCES[0]).open(&mut net);
    control.say(&mut net, SERVER, b"220 ready\r\n");
    control.say(&mut net, CLIENT, b"PASV\r\n");
    // An address translator shows another address than the server names.
    control.say(&mut net, SERVER, b"227 (10,0,0,1,195,80)\r\n");
    let mut data =
        Tcp::new(at_port(client, 40001), at_port(server, 50000), SEQUENCES[0]).open(&mut net);
    data.fin(&mut net, CLIENT);
    data.say(&mut net, SERVER, b"more");
    data.fin(&mut net, SERVER);
    let mut refused = Tcp::new(at_port(client, 40003), at_port(server, 50000), SEQUENCES[0]);
    let before = net.sent.len();
    refused = refused.open(&mut net);
    net.sent.truncate(before + 1);
    refused.reset(&mut net, SERVER);
    let dialogue = dialogue(&session(&net.sent));
    let data: Vec<_> = dialogue
        .iter()
        .filter(|line| line.starts_with("data"))
        .collect();
    assert!(data[0].contains("DataOpened { mode: Pasv"), "{data:#?}");
    assert!(
        data[1].contains("HalfClosed(End { by: Client, how: Clean })"),
        "{data:#?}"
    );
    assert_eq!(data[2], "data 1 S: more");
    assert!(
        data[3].contains("DataClosed(End { by: Server, how: Clean })"),
        "{data:#?}"
    );
    assert!(data[4].contains("the connection was refused"), "{data:#?}");
}

#[test]
fn servers_at_other_ports_are_found_by_greeting_and_command_and_smtp_is_not() {
    let [client, server] = addresses(false);
    let talk = |port: u16, command: &[u8]| {
        let mut net = Net::default();
        let mut tcp = Tcp::new(client, at_port(server, port), SEQUENCES[0]).open(&mut net);
        tcp.say(&mut net, SERVER, b"220 ready\r\n");
        tcp.say(&mut net, CLIENT, command);
        tcp.close(&mut net, SERVER);
        pcap(&net.sent, Link::Ethernet)
    };
    assert_eq!(imported(&talk(2121, b"user anna\r\n")).1.sessions, 1);
    let (_, smtp) = imported(&talk(25, b"EHLO x\r\n"));
    assert_eq!((smtp.sessions, smtp.other), (0, 1));
    let options = Options {
        ports: vec![25],
        ..Options::default()
    };
    assert_eq!(
        imported_with(&talk(25, b"EHLO x\r\n"), options).1.sessions,
        1
    );
}

#[test]
fn sessions_have_a_limit_and_silent_ones_make_room() {
    let [client, server] = addresses(false);
    let begin = |net: &mut Net, port: u16| {
        let mut tcp = Tcp::new(at_port(client, port), server, SEQUENCES[0]).open(net);
        tcp.say(net, SERVER, b"220 ready\r\n");
    };
    let mut net = Net::default();
    (0..256).for_each(|number| begin(&mut net, 30_000 + number));
    let before = net.sent.len();
    begin(&mut net, 40_000);
    let (_, summary) = imported(&pcap(&net.sent, Link::Raw));
    assert_eq!((summary.sessions, summary.sessions_over_limit), (256, 1));
    for sent in &mut net.sent[before..] {
        sent.at += 700_000_000;
    }
    let (_, summary) = imported(&pcap(&net.sent, Link::Raw));
    assert_eq!((summary.sessions, summary.sessions_over_limit), (257, 0));
}

#[test]
fn what_waits_for_lost_octets_has_a_limit() {
    let [client, server] = addresses(false);
    let mut net = Net::default();
    let mut control = Tcp::new(client, server, SEQUENCES[0]).open(&mut net);
    control.say(&mut net, SERVER, b"220 ready\r\n");
    control.say(&mut net, CLIENT, b"lost\r\n");
    let lost = net.sent.pop();
    for _ in 0..200 {
        control.say(&mut net, CLIENT, &[b'x'; 30_000]);
    }
    let (sessions, summary) = imported(&pcap(&net.sent, Link::Raw));
    assert_eq!(
        summary.missing,
        lost.map_or(0, |sent| sent.octets.len() as u64)
    );
    // Not everything waited for the end of the capture.
    let first = sessions[0]
        .events
        .iter()
        .find(|event| matches!(event.what, EventKind::Observed { .. }));
    assert!(first.is_some_and(|event| event.at < 200), "{first:?}");
}

#[test]
fn after_auth_tls_a_session_is_opaque_and_says_so() {
    let [client, server] = addresses(false);
    let mut net = Net::default();
    let mut control = Tcp::new(client, server, SEQUENCES[0]).open(&mut net);
    control.say(&mut net, SERVER, b"220 ready\r\n");
    control.say(&mut net, CLIENT, b"AUTH TLS\r\n");
    control.say(&mut net, SERVER, b"234 go\r\n");
    control.say(&mut net, CLIENT, b"\x16\x03\x01secret");
    control.say(&mut net, SERVER, b"\x16\x03\x03secret");
    control.close(&mut net, SERVER);
    let mut implicit = Tcp::new(at_port(client, 40009), server, SEQUENCES[0]).open(&mut net);
    implicit.say(&mut net, CLIENT, b"\x16\x03\x01");
    let (sessions, summary) = imported(&pcap(&net.sent, Link::Ethernet));
    let dialogue = dialogue(&sessions[0]);
    assert_eq!(
        dialogue[4],
        "control -: TLS begins: what follows is encrypted and is not imported"
    );
    assert!(!dialogue.concat().contains("secret"), "{dialogue:#?}");
    assert!(
        dialogue.last().unwrap().contains("Closed("),
        "{dialogue:#?}"
    );
    assert_eq!(summary.encrypted, 1);
}

#[test]
fn a_torn_file_is_imported_as_far_as_it_is_whole() {
    let sent = two_transfers(false, SEQUENCES[0]);
    for file in [pcap(&sent, Link::Ethernet), pcapng(&sent, Link::Ethernet)] {
        let whole = imported(&file);
        assert!(!whole.1.torn);
        let (sessions, summary) = imported(&file[..file.len() - 5]);
        assert!(summary.torn && summary.packets == whole.1.packets - 1);
        assert!(sessions[0].events.len() + 1 >= whole.0[0].events.len());
    }
}

#[test]
fn fragments_and_segments_without_header_are_counted() {
    let sent = two_transfers(false, SEQUENCES[0]);
    let mut file = pcap(&sent, Link::Raw);
    let mut fragment = sent[3].frame(Link::Raw);
    // More fragments.
    fragment[6] = 0x20;
    add_packet(&mut file, START, &fragment, 2000);
    add_packet(&mut file, START, &sent[3].frame(Link::Raw), 30);
    let (sessions, summary) = imported(&file);
    assert_eq!(
        (sessions.len(), summary.fragments, summary.headless),
        (1, 1, 1)
    );
}

#[rstest]
#[case::nothing(b"", "not a capture")]
#[case::text(b"hello world", "not a capture")]
#[case::header_alone(b"\xd4\xc3\xb2\xa1\x02\x00", "within its header")]
#[case::newer(
    b"\xd4\xc3\xb2\xa1\x03\x00\x00\x00\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0",
    "version 3.0 is not supported; 2.x is"
)]
fn what_is_no_capture_is_refused(#[case] file: &[u8], #[case] expected: &str) {
    let error = import(file, Options::default(), &mut Kept::default()).unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn a_packet_of_hostile_length_is_refused_in_little_memory() {
    let mut file = pcap(&[], Link::Ethernet);
    file.extend([0; 8]);
    file.extend([0xff; 8]);
    file.resize(40 << 20, 0);
    let error = import(&file[..], Options::default(), &mut Kept::default()).unwrap_err();
    assert!(
        matches!(error, CaptureError::TooLong { packet: 1 }),
        "{error}"
    );
}

#[test]
fn secrets_are_scrubbed_in_lines_that_are_cut() {
    let sent = recut(&two_transfers(false, SEQUENCES[0]), &[3]);
    let options = Options {
        scrub: vec![regex::bytes::Regex::new("ready|anna").unwrap()],
        ..Options::default()
    };
    let (sessions, _) = imported_with(&pcap(&sent, Link::Ethernet), options);
    let text = dialogue(&sessions[0]).concat();
    assert!(
        !text.contains("anna") && text.contains("220 <scrubbed>"),
        "{text}"
    );
}
