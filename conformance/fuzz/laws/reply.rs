//! The lenient reply reader: where octets are cut makes no difference, none is lost, and each kind
//! of fault is reported once.

use ftpspec::transcript::{LONG_LINE, Reply, ReplyFault, ReplyReader};
use std::mem::discriminant;

/// The first octet says how long the pieces are in one of the ways the others are cut.
pub fn reply(data: &[u8]) {
    let Some((&cut, octets)) = data.split_first() else {
        return;
    };
    let whole = read(octets, octets.len().max(1));
    for length in [1, 2, usize::from(cut) + 1] {
        assert_eq!(read(octets, length), whole, "in pieces of {length}");
    }
    let together: Vec<u8> = whole
        .iter()
        .flat_map(|reply| reply.octets.clone())
        .collect();
    assert_eq!(together, octets, "octets are lost");
    whole.iter().for_each(sound);
}

fn read(octets: &[u8], length: usize) -> Vec<Reply> {
    let mut reader = ReplyReader::default();
    let mut replies = Vec::new();
    for piece in octets.chunks(length) {
        reader.push(piece);
        while let Some(reply) = reader.next_reply() {
            replies.push(reply);
        }
        assert!(replies.iter().all(Reply::is_whole), "there was no end yet");
    }
    let rest = reader.rest().to_vec();
    let last = reader.finish();
    assert_eq!(last.as_ref().map_or(&[][..], |reply| &reply.octets), rest);
    assert!(reader.rest().is_empty() && reader.finish().is_none());
    replies.extend(last);
    replies
}

fn sound(reply: &Reply) {
    assert!(!reply.octets.is_empty() && !reply.lines.is_empty());
    assert!(reply.code < 1000 && reply.class() == reply.code / 100);
    for line in &reply.lines {
        assert!(line.len() <= reply.octets.len() && !line.contains(&b'\n'));
    }
    for (at, fault) in reply.faults.iter().enumerate() {
        let same = |other: &ReplyFault| discriminant(other) == discriminant(fault);
        assert!(
            !reply.faults[..at].iter().any(same),
            "reported twice: {fault}"
        );
    }
    let has = |fault: &dyn Fn(&ReplyFault) -> bool| reply.faults.iter().any(fault);
    let long = reply.lines.iter().any(|line| line.len() > LONG_LINE);
    assert!(!long || has(&|fault| matches!(fault, ReplyFault::LongLine { .. })));
    let digits = reply
        .octets
        .iter()
        .take(3)
        .filter(|octet| octet.is_ascii_digit());
    if digits.count() == 3 && reply.is_whole() {
        let code = std::str::from_utf8(&reply.octets[..3]).expect("digits are text");
        assert_eq!(code.parse(), Ok(reply.code));
    }
    let text = reply.text();
    assert!(text.starts_with(&reply.first_line_text()));
    assert!(reply.between().len() <= reply.lines.len().saturating_sub(2));
    // A faultless reply is complete in itself and has the form of RFC 959 §4.2.
    if reply.faults.is_empty() {
        assert_eq!(read(&reply.octets, 1), std::slice::from_ref(reply));
        assert!((100..700).contains(&reply.code) && reply.octets.ends_with(b"\r\n"));
        let code = reply.code.to_string();
        let last = reply.lines.last().expect("it has lines");
        assert!(last.starts_with(code.as_bytes()) && last.get(3) == Some(&b' '));
        assert_eq!(reply.is_multiline(), reply.lines[0].get(3) == Some(&b'-'));
    }
}
