//! Replies that are not what they should be.

use super::Action;
use crate::wire::Reply;

/// Said before the data has moved.
pub(crate) const EARLY: &[u8] = b"226 Transfer complete.\r\n";
/// Sent in the clear behind the 234, for a client that reads it as if it had come protected.
const INJECTED: &[u8] = b"220 This was sent in the clear.\r\n";
/// Sent where the ServerHello should be.
pub(crate) const IN_PLACE_OF_TLS: &[u8] = b"500 There is no TLS here.\r\n";

/// The octets of a completion reply that these actions are done to; nothing if it is not sent at all.
pub(crate) fn spoil(reply: &Reply, actions: &[Action]) -> Vec<u8> {
    let does = |action: &Action| actions.contains(action);
    let unsaid = reply.code.0 == 226 && does(&Action::MissingCompletion);
    if unsaid || does(&Action::Drop) {
        return Vec::new();
    }
    let mut lines = lines(&lie(reply, actions));
    for action in actions {
        shape(&mut lines, action);
    }
    let end: &[u8] = if does(&Action::BareLf) {
        b"\n"
    } else {
        b"\r\n"
    };
    let mut octets = Vec::new();
    for line in lines {
        octets.extend_from_slice(&line);
        octets.extend_from_slice(end);
    }
    if does(&Action::Duplicate) {
        octets.extend_from_within(..);
    }
    if reply.code.0 == 234 && does(&Action::Plaintext) {
        octets.extend_from_slice(INJECTED);
    }
    octets
}

/// The lines as they are sent, without their ends.
fn lines(reply: &Reply) -> Vec<Vec<u8>> {
    let mut octets = Vec::new();
    reply.encode(&mut octets);
    let lines = octets.split_inclusive(|octet| *octet == b'\n');
    lines
        .map(|line| line.strip_suffix(b"\r\n").unwrap_or(line).to_vec())
        .collect()
}

/// Other lines: FEAT with labels left out or made up (RFC 2389 §3.2), any reply with lines before
/// its own.
fn lie(reply: &Reply, actions: &[Action]) -> Reply {
    let mut lines: Vec<Vec<u8>> = reply.lines().map(<[u8]>::to_vec).collect();
    let mut changed = false;
    for action in actions {
        match action {
            Action::Hide(label) => {
                let hidden = |line: &[u8]| {
                    let line = line.trim_ascii_start();
                    let end = memchr::memchr(b' ', line).unwrap_or(line.len());
                    line[..end].eq_ignore_ascii_case(label)
                };
                let (mut index, last) = (0, lines.len() - 1);
                lines.retain(|line| {
                    let between = index > 0 && index < last;
                    index += 1;
                    !(between && hidden(line))
                });
                changed = true;
            }
            Action::Advertise(line) => {
                if lines.len() == 1 {
                    lines.push(b"End".to_vec());
                }
                lines.insert(lines.len() - 1, [b" ", &line[..]].concat());
                changed = true;
            }
            Action::Lines(text) => {
                let more = Reply::text(reply.code.0, text);
                let more: Vec<_> = more.lines().map(<[u8]>::to_vec).collect();
                lines.splice(..0, more);
                changed = true;
            }
            _ => {}
        }
    }
    if !changed || lines.len() < 2 {
        return reply.clone();
    }
    let last = lines.pop().unwrap_or_default();
    let first = lines.remove(0);
    Reply::block(reply.code.0, first, lines, last)
}

/// Does one thing to the last line, mostly.
fn shape(lines: &mut Vec<Vec<u8>>, action: &Action) {
    let many = lines.len() > 1;
    let Some(last) = lines.last_mut().filter(|line| line.len() >= 4) else {
        return;
    };
    match action {
        Action::WrongLastLine => {
            let mut other = last.clone();
            other[2] = if other[2] == b'9' { b'8' } else { other[2] + 1 };
            if many {
                *last = other;
            } else {
                last[3] = b'-';
                other.truncate(4);
                other.extend_from_slice(b"End");
                lines.push(other);
            }
        }
        Action::NulInText => last.insert(4 + (last.len() - 4) / 2, 0),
        Action::LongLine(length) => last.resize((*length).max(last.len()), b'x'),
        Action::HyphenOnLastLine => last[3] = b'-',
        Action::NoText => last.truncate(3),
        Action::Lowercase => lines
            .iter_mut()
            .for_each(|line| line.make_ascii_lowercase()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use rstest::rstest;

    fn one() -> Reply {
        Reply::line(200, "Fine.")
    }

    fn many() -> Reply {
        Reply::block(211, "Here:", [" MLST type*;", " UTF8"], "End")
    }

    #[rstest]
    #[case(Action::Drop, "")]
    #[case(Action::Duplicate, "200 Fine.\r\n200 Fine.\r\n")]
    #[case(Action::BareLf, "200 Fine.\n")]
    #[case(Action::WrongLastLine, "200-Fine.\r\n201 End\r\n")]
    #[case(Action::NulInText, "200 Fi\0ne.\r\n")]
    #[case(Action::LongLine(12), "200 Fine.xxx\r\n")]
    #[case(Action::HyphenOnLastLine, "200-Fine.\r\n")]
    #[case(Action::Lowercase, "200 fine.\r\n")]
    #[case(Action::NoText, "200\r\n")]
    #[case(Action::Advertise("X".into()), "200-Fine.\r\n X\r\n200 End\r\n")]
    #[case(Action::MissingCompletion, "200 Fine.\r\n")]
    #[case(Action::Lines("a\n2 b".into()), "200-a\r\n 2 b\r\n200 Fine.\r\n")]
    fn a_line_is_spoiled(#[case] action: Action, #[case] expected: &str) {
        let octets = spoil(&one(), &[action]);
        assert_eq!(
            octets.escape_ascii().to_string(),
            expected.as_bytes().escape_ascii().to_string()
        );
    }

    #[rstest]
    #[case(Action::Hide("mlst".into()), "211-Here:\r\n UTF8\r\n211 End\r\n")]
    #[case(Action::Hide("Here:".into()), "211-Here:\r\n MLST type*;\r\n UTF8\r\n211 End\r\n")]
    #[case(Action::Advertise("TVFS".into()), "211-Here:\r\n MLST type*;\r\n UTF8\r\n TVFS\r\n211 End\r\n")]
    #[case(
        Action::WrongLastLine,
        "211-Here:\r\n MLST type*;\r\n UTF8\r\n212 End\r\n"
    )]
    fn a_block_is_spoiled(#[case] action: Action, #[case] expected: &str) {
        let octets = spoil(&many(), &[action]);
        assert_eq!(String::from_utf8_lossy(&octets), expected);
    }

    #[test]
    fn a_226_can_be_missing() {
        assert_eq!(
            spoil(&Reply::line(226, "Done."), &[Action::MissingCompletion]),
            b""
        );
    }

    #[test]
    fn several_things_are_done_to_one_reply() {
        let octets = spoil(
            &one(),
            &[Action::Duplicate, Action::BareLf, Action::Lowercase],
        );
        assert_eq!(octets, b"200 fine.\n200 fine.\n");
    }
}
