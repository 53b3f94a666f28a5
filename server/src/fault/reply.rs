//! Faults of replies, as changes of their octets.

use super::Action;
use crate::wire::Reply;

/// The completion of [`Action::EarlyCompletion`], sent before the data has moved.
pub const EARLY: &[u8] = b"226 Transfer complete.\r\n";
/// Sent in the clear after the 234, for a client that reads it as if it had come protected.
const INJECTED: &[u8] = b"220 This was sent in the clear.\r\n";
/// Sent in place of the ServerHello by [`Action::Plaintext`].
pub const IN_PLACE_OF_TLS: &[u8] = b"500 There is no TLS here.\r\n";

/// Does `actions` to the octets of one completion reply; no octets are left if it is not sent.
///
/// `reply` is one whole reply (RFC 959 §4.2) with CRLF at the end of each line. What is not one is
/// returned as it is.
#[must_use]
pub fn apply_to_reply(reply: &[u8], actions: &[Action]) -> Vec<u8> {
    let Some(code) = reply
        .get(..3)
        .and_then(|code| std::str::from_utf8(code).ok()?.parse::<u16>().ok())
        .filter(|_| reply.ends_with(b"\r\n"))
    else {
        return reply.to_vec();
    };
    let does = |action: &Action| actions.contains(action);
    if does(&Action::Drop) || code == 226 && does(&Action::MissingCompletion) {
        return Vec::new();
    }
    let mut lines = lines(reply);
    change_lines(&mut lines, code, actions);
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
    if code == 234 && does(&Action::Plaintext) {
        octets.extend_from_slice(INJECTED);
    }
    octets
}

/// The lines of a reply, without their ends.
fn lines(reply: &[u8]) -> Vec<Vec<u8>> {
    let lines = reply.split_inclusive(|octet| *octet == b'\n');
    lines
        .map(|line| line.strip_suffix(b"\r\n").unwrap_or(line).to_vec())
        .collect()
}

/// Changes which lines a reply has: FEAT with labels left out or added (RFC 2389 §3.2), any reply
/// with lines before its own.
fn change_lines(lines: &mut Vec<Vec<u8>>, code: u16, actions: &[Action]) {
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
            }
            Action::Advertise(line) => {
                if let [only] = &mut lines[..]
                    && let Some(separator) = only.get_mut(3)
                {
                    *separator = b'-';
                    lines.push(format!("{code} End").into());
                }
                lines.insert(lines.len() - 1, [b" ", &line[..]].concat());
            }
            Action::Lines(text) => {
                if lines.len() > 1 {
                    // The first line becomes one between the first and the last.
                    let text = lines[0].get(4..).unwrap_or_default();
                    let digit = text.first().is_some_and(u8::is_ascii_digit);
                    lines[0] = [if digit { &b" "[..] } else { b"" }, text].concat();
                }
                let text = Reply::text(code, text);
                let mut texts = text.lines().map(<[u8]>::to_vec);
                let first = texts.next().unwrap_or_default();
                let mut more = Vec::new();
                Reply::block(code, first, texts, "").encode(&mut more);
                let mut more = self::lines(&more);
                more.pop();
                lines.splice(..0, more);
            }
            _ => {}
        }
    }
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
#[expect(clippy::unwrap_used, reason = "a test that fails may panic")]
mod tests {
    use super::*;

    use rstest::rstest;

    const ONE: &[u8] = b"200 Fine.\r\n";
    const MANY: &[u8] = b"211-Here:\r\n MLST type*;\r\n UTF8\r\n211 End\r\n";

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
    fn a_reply_of_one_line_is_changed(#[case] action: Action, #[case] expected: &str) {
        let octets = apply_to_reply(ONE, &[action]);
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
        Action::Lines("a".into()),
        "211-a\r\nHere:\r\n MLST type*;\r\n UTF8\r\n211 End\r\n"
    )]
    #[case(
        Action::WrongLastLine,
        "211-Here:\r\n MLST type*;\r\n UTF8\r\n212 End\r\n"
    )]
    fn a_reply_of_many_lines_is_changed(#[case] action: Action, #[case] expected: &str) {
        let octets = apply_to_reply(MANY, &[action]);
        assert_eq!(String::from_utf8_lossy(&octets), expected);
    }

    #[test]
    fn octets_that_are_not_a_reply_are_left_alone() {
        for octets in [&b""[..], b"\r\n", b"200 Fine.", b"ab", b"xyz text\r\n"] {
            assert_eq!(apply_to_reply(octets, &[Action::Duplicate]), octets);
        }
        for octets in [
            &b"200\r\n"[..],
            b"200-a\r\n200\r\n",
            b"200\n\r\n",
            b"200\r\n\r\n",
        ] {
            for row in [
                "lines a",
                "advertise X",
                "wrong last line",
                "NUL in text",
                "hide a",
            ] {
                let what = if row.starts_with("lines") {
                    "NOOP"
                } else {
                    "FEAT"
                };
                let fault: super::super::Fault = format!("when {what} do {row}").parse().unwrap();
                let _ = apply_to_reply(octets, &[fault.action]);
            }
        }
    }

    #[test]
    fn a_226_can_be_missing() {
        assert_eq!(
            apply_to_reply(b"226 Done.\r\n", &[Action::MissingCompletion]),
            b""
        );
    }

    #[test]
    fn several_things_are_done_to_one_reply() {
        let octets = apply_to_reply(ONE, &[Action::Duplicate, Action::BareLf, Action::Lowercase]);
        assert_eq!(octets, b"200 fine.\n200 fine.\n");
    }
}
