//! Properties for arbitrary octets.

use super::world::World;
use super::{LOGIN, link, logged_in, setup};
use ftpspec_server::internals::wire::{ControlEvent, LineReader, MAX_LINE, VERBS};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn events(pieces: &[&[u8]]) -> (Vec<ControlEvent>, Vec<u8>) {
    let mut reader = LineReader::new();
    let mut events = Vec::new();
    let mut answers = Vec::new();
    for piece in pieces {
        reader.feed(piece);
        events.extend(std::iter::from_fn(|| reader.next_event()));
        answers.extend(reader.take_answers());
        assert!(reader.buffered() <= MAX_LINE + 1, "{}", reader.buffered());
    }
    (events, answers)
}

/// Octets with a meaning, and arbitrary ones.
fn octet() -> impl Strategy<Value = u8> {
    prop_oneof![
        select(b"\r\n\0 \xff\xf0\xf2\xf4\xfa\xfb\xfd\xfeA".to_vec()),
        any::<u8>(),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(octet(), 0..300),
        1 => (MAX_LINE - 3..MAX_LINE + 6, vec(octet(), 0..20)).prop_map(|(length, tail)| {
            let mut octets = vec![b'x'; length];
            octets.extend(tail);
            octets.extend(b"\r\nNOOP\r\n");
            octets
        }),
    ]
}

/// A Telnet command that represents no octet of a line.
fn telnet() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (241_u8..=249).prop_map(|command| vec![255, command]),
        (251_u8..=254, any::<u8>()).prop_map(|(verb, option)| vec![255, verb, option]),
        vec(0_u8..=239, 0..20).prop_map(|inner| {
            let mut octets = vec![255, 250];
            octets.extend(inner);
            octets.extend([255, 240]);
            octets
        }),
    ]
}

fn command() -> impl Strategy<Value = Vec<u8>> {
    let verb = select(VERBS.iter().map(|row| row.name).collect::<Vec<_>>());
    let argument = prop_oneof![
        select(vec![
            "",
            " ",
            " a",
            " d",
            " d/f",
            " I",
            " A",
            " 0",
            " 3",
            " P",
            " TLS",
            " test",
            " secret",
            " F",
            " S",
            " 192,0,2,7,200,1",
            " |1|192.0.2.7|6275|",
            " ALL",
            " HASH MD5",
            " MLST size;",
            " 20200101000000 a",
            " t a d/f",
            " *",
            " -la",
        ])
        .prop_map(|argument| argument.as_bytes().to_vec()),
        vec(any::<u8>(), 0..40).prop_map(|mut octets| {
            octets.retain(|octet| !matches!(octet, b'\n' | 0));
            octets.insert(0, b' ');
            octets
        }),
    ];
    prop_oneof![
        6 => (verb, argument).prop_map(|(verb, argument)| [verb.as_bytes(), &argument].concat()),
        1 => vec(any::<u8>(), 0..30),
    ]
}

proptest! {
    /// Where a stream is cut makes no difference.
    #[test]
    fn octet_by_octet_is_the_same_as_at_once(stream in stream(), cut in 0_usize..400) {
        let whole = events(&[&stream]);
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&events(&single), &whole);
        let (head, tail) = stream.split_at(cut.min(stream.len()));
        prop_assert_eq!(&events(&[head, tail]), &whole);
    }

    /// No line contains octets that a line cannot contain.
    #[test]
    fn lines_have_no_nul_and_no_line_feed(stream in stream()) {
        for event in events(&[&stream]).0 {
            if let ControlEvent::Line(line) = event {
                prop_assert!(line.len() <= MAX_LINE);
                prop_assert!(!line.contains(&0) && !line.contains(&b'\n'));
            }
        }
    }

    /// Telnet commands are removed wherever they are, and every answer is a refusal.
    #[test]
    fn telnet_commands_are_not_part_of_a_command(
        inserted in vec((0_usize..=10, telnet()), 0..8),
    ) {
        let mut stream = Vec::new();
        for (position, octet) in b"MKD x\xff\xffy\r\n".iter().enumerate() {
            // Not between the two octets that represent one 255.
            for (_, command) in inserted.iter().filter(|(at, _)| *at == position && position != 6) {
                stream.extend(command);
            }
            stream.push(*octet);
        }
        let (events, answers) = events(&[&stream]);
        prop_assert_eq!(events, vec![ControlEvent::Line(b"MKD x\xffy".to_vec())]);
        for answer in answers.chunks(3) {
            prop_assert!(matches!(answer, [255, 252 | 254, _]), "{:?}", answer);
        }
    }

    /// Each line gets one completion reply and at most one preliminary reply before it.
    #[test]
    fn each_line_gets_exactly_one_completion(
        lines in vec(command(), 1..40),
        login in any::<bool>(),
    ) {
        let mut world = World::new(setup(), link());
        if login {
            world.play(LOGIN);
        }
        for line in lines {
            let mut said = world.receive(ControlEvent::Line(line.clone()));
            said.extend(world.finish());
            let codes: Vec<u16> = said.iter().map(|reply| reply.code.0).collect();
            prop_assert!(matches!(codes[..], [200..=699] | [150, 200..=699]), "{}: {codes:?}", line.escape_ascii());
            for reply in said {
                let mut octets = Vec::new();
                reply.encode(&mut octets);
                prop_assert!(octets.ends_with(b"\r\n"));
                let lines = octets.split(|octet| *octet == b'\n').count() - 1;
                prop_assert_eq!(lines, reply.lines().count());
            }
            if world.closed {
                break;
            }
        }
    }

    /// A line that comes during a transfer is answered at once, or kept and answered later: never
    /// both, never lost.
    #[test]
    fn no_command_during_a_transfer_is_lost(lines in vec(command(), 0..10)) {
        let mut world = logged_in("C: PASV / S: 227");
        let mut completions = 0;
        let mut heard = 0;
        let begun = b"RETR a".to_vec();
        for line in std::iter::once(begun).chain(lines) {
            if heard > 0 && !world.is_transferring() {
                break;
            }
            heard += 1;
            let said = world.hear(ControlEvent::Line(line.clone()));
            let codes: Vec<u16> = said.iter().map(|reply| reply.code.0).collect();
            completions += codes.iter().filter(|code| **code >= 200).count();
            if world.is_transferring() {
                prop_assert!(matches!(codes[..], [] | [150 | 211]), "{codes:?}");
                let word = line.trim_ascii_end().to_ascii_uppercase();
                let passes = word == b"STAT" || heard == 1;
                prop_assert!(passes || codes.is_empty(), "{}", line.escape_ascii());
            } else {
                prop_assert_eq!(&codes[..2], &[426, 226]);
            }
        }
        completions += world.finish().iter().filter(|reply| reply.code.0 >= 200).count();
        prop_assert!(completions == heard || (world.closed && completions < heard));
    }
}

#[test]
fn the_tail_of_an_overlong_line_is_not_a_command() {
    let mut reader = LineReader::new();
    reader.feed(b"STOR ");
    reader.feed(&[b'A'; MAX_LINE]);
    assert_eq!(reader.next_event(), Some(ControlEvent::Overlong));
    for _ in 0..1000 {
        reader.feed(&[b'A'; 4096]);
        assert_eq!(reader.next_event(), None);
        assert_eq!(reader.buffered(), 0);
    }
    reader.feed(b"\nSYST\r\nNOOP");
    assert_eq!(
        reader.next_event(),
        Some(ControlEvent::Line(b"SYST".to_vec()))
    );
    assert_eq!(reader.next_event(), None);
    reader.feed(b"\r\n");
    assert_eq!(
        reader.next_event(),
        Some(ControlEvent::Line(b"NOOP".to_vec()))
    );
}

#[test]
fn line_ends_are_crlf_or_lf_and_a_bare_cr_or_nul_is_malformed() {
    let line = |text: &[u8]| ControlEvent::Line(text.to_vec());
    let stream = b"NOOP\r\nNOOP\nA\rB\r\nA\0B\r\nA\r\0B\r\n\r\nA\r\0\r\n\r\0\0\r\nNOOP\r\r\n";
    assert_eq!(
        events(&[stream]).0,
        [
            line(b"NOOP"),
            line(b"NOOP"),
            ControlEvent::Malformed,
            ControlEvent::Malformed,
            line(b"A\rB"),
            line(b""),
            line(b"A\r"),
            ControlEvent::Malformed,
            ControlEvent::Malformed,
        ]
    );
}

#[test]
fn options_are_refused_and_refusals_are_not_answered() {
    let (said, answers) = events(&[&[255, 251, 1, 255, 253, 10, 255, 252, 1, 255, 254, 1]]);
    assert_eq!(said, []);
    assert_eq!(answers, [255, 254, 1, 255, 252, 10]);
}

#[test]
fn a_flood_of_options_gets_a_bounded_answer() {
    let mut reader = LineReader::new();
    for _ in 0..10_000 {
        reader.feed(&[255, 253, 1]);
    }
    assert!(reader.take_answers().len() <= 3 * 64);
    assert!(reader.is_idle());
}

#[test]
fn abor_in_the_telnet_manner_is_abor() {
    let (said, _) = events(&[&[255, 244, 255], b"\xf2ABOR\r\n"]);
    assert_eq!(said, [ControlEvent::Line(b"ABOR".to_vec())]);
}

#[test]
fn a_subnegotiation_without_end_does_not_swallow_the_session() {
    let mut reader = LineReader::new();
    reader.feed(&[255, 250]);
    reader.feed(&[b'x'; 5000]);
    reader.feed(b"\r\nNOOP\r\n");
    let last = std::iter::from_fn(|| reader.next_event()).last();
    assert_eq!(last, Some(ControlEvent::Line(b"NOOP".to_vec())));
}

#[test]
fn what_is_discarded_never_becomes_a_command() {
    let mut reader = LineReader::new();
    reader.feed(b"AUTH TLS\r\nUSER x\r\nPA\xff");
    assert_eq!(
        reader.next_event(),
        Some(ControlEvent::Line(b"AUTH TLS".to_vec()))
    );
    reader.discard();
    assert!(reader.is_idle());
    assert_eq!(reader.buffered(), 0);
    reader.feed(b"PWD\r\n");
    assert_eq!(
        reader.next_event(),
        Some(ControlEvent::Line(b"PWD".to_vec()))
    );
}
