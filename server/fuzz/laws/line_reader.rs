//! The line reader: where a stream is cut makes no difference, and the lines are those of a simpler
//! reader.

use ftpspec_server::internals::wire::{ControlEvent, LineReader, MAX_LINE};

/// The first octet is the length of the pieces into which the others are cut.
pub fn line_reader(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else {
        return;
    };
    let whole = read(stream, stream.len().max(1));
    for length in [1, 2, usize::from(cut) + 1, MAX_LINE] {
        assert_eq!(read(stream, length), whole, "in pieces of {length}");
    }
    assert_eq!(
        whole,
        simple(stream),
        "a simpler reader reads another thing"
    );
    for line in &whole.0 {
        if let ControlEvent::Line(line) = line {
            assert!(line.len() <= MAX_LINE, "a line of {}", line.len());
            assert!(!line.contains(&0) && !line.contains(&b'\n'));
        }
    }
    for answer in whole.1.chunks(3) {
        assert!(matches!(answer, [255, 252 | 254, _]), "{answer:?}");
    }
    assert!(whole.1.len() <= 3 * 64, "answers that nobody reads pile up");

    // What came before AUTH TLS is not read after it.
    let mut reader = LineReader::new();
    reader.feed(stream);
    reader.discard();
    assert!(reader.is_idle() && reader.take_answers().is_empty());
    reader.feed(b"NOOP\r\n");
    assert_eq!(
        reader.next_event(),
        Some(ControlEvent::Line(b"NOOP".to_vec()))
    );
    assert!(reader.next_event().is_none() && reader.is_idle());
}

/// The events, and the answers to Telnet options.
fn read(stream: &[u8], length: usize) -> (Vec<ControlEvent>, Vec<u8>) {
    let mut reader = LineReader::new();
    let mut events = Vec::new();
    for piece in stream.chunks(length) {
        reader.feed(piece);
        while let Some(event) = reader.next_event() {
            events.push(event);
        }
        assert!(reader.buffered() <= MAX_LINE + 1, "{}", reader.buffered());
    }
    (events, reader.take_answers())
}

/// The same, computed from the whole stream at once.
fn simple(stream: &[u8]) -> (Vec<ControlEvent>, Vec<u8>) {
    let (octets, answers) = without_telnet(stream);
    let mut events = Vec::new();
    let mut lines = octets.split(|octet| *octet == b'\n');
    // The octets after the last line end are not a line yet.
    let rest = lines.next_back().unwrap_or_default();
    events.extend(lines.map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > MAX_LINE {
            return ControlEvent::Overlong;
        }
        let escaped = String::from_utf8_lossy(line);
        let stripped = escaped.replace("\r\0", "");
        if stripped.contains(['\r', '\0']) {
            return ControlEvent::Malformed;
        }
        let mut text = line.to_vec();
        text.retain(|octet| *octet != 0);
        ControlEvent::Line(text)
    }));
    if rest.len() > MAX_LINE + 1 {
        events.push(ControlEvent::Overlong);
    }
    (events, answers)
}

/// The octets that are not Telnet commands (RFC 854), and the answers to the commands.
fn without_telnet(stream: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut octets, mut answers) = (Vec::new(), Vec::new());
    let mut rest = stream;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != 255 {
            octets.push(octet);
            continue;
        }
        let Some((&command, after)) = rest.split_first() else {
            break;
        };
        rest = after;
        match command {
            255 => octets.push(255),
            250 => rest = after_subnegotiation(rest),
            251..=254 => {
                let Some((&option, after)) = rest.split_first() else {
                    break;
                };
                rest = after;
                let refusal = match command {
                    251 => 254,
                    253 => 252,
                    _ => continue,
                };
                if answers.len() < 3 * 64 {
                    answers.extend([255, refusal, option]);
                }
            }
            _ => {}
        }
    }
    (octets, answers)
}

/// The octets after IAC SE, or after the maximum length of a subnegotiation.
fn after_subnegotiation(stream: &[u8]) -> &[u8] {
    let mut after_iac = false;
    for (at, octet) in stream.iter().enumerate() {
        if at >= 4096 || (after_iac && *octet == 240) {
            return &stream[at + 1..];
        }
        after_iac = *octet == 255 && !after_iac;
    }
    &[]
}
