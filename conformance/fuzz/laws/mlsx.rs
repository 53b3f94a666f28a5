//! The judge of MLSx lines: a listing is sound if each of its lines is, over the data connection as
//! in a reply.

use super::wire::{ended, received, sent, transcript};
use ftpspec::internals::catalogue::Registry;
use ftpspec::internals::judge::{Context, JUDGES};
use ftpspec::transcript::{Conversation, EventKind};

/// The octets are what MLSD sent.
pub fn mlsx(listing: &[u8]) {
    let sound = is_sound(listed(listing));
    let Some(text) = listing.strip_suffix(b"\r\n") else {
        assert_eq!(sound, listing.is_empty(), "the last line has no end");
        return;
    };
    let mut all = true;
    let mut rest = Some(text);
    while let Some(text) = rest {
        let end = text.windows(2).position(|two| two == b"\r\n");
        let line = &text[..end.unwrap_or(text.len())];
        rest = end.map(|end| &text[end + 2..]);
        let alone = is_sound(listed(&[line, b"\r\n"].concat()));
        if !line.iter().any(|octet| b"\r\n\0\xff".contains(octet)) {
            let reply = [b"250-x\r\n ", line, b"\r\n250 End\r\n"].concat();
            let replied = [sent(b"MLST a"), received(&reply)];
            assert_eq!(is_sound(replied), alone, "{}", line.escape_ascii());
        }
        assert!(!alone || has_form(line), "{}", line.escape_ascii());
        all &= alone;
    }
    assert_eq!(sound, all);
}

fn listed(listing: &[u8]) -> [EventKind; 5] {
    let data = EventKind::DataFromServer {
        octets: listing.into(),
    };
    [
        sent(b"MLSD"),
        received(b"150 Here it comes.\r\n"),
        data,
        EventKind::DataClosed(ended()),
        received(b"226 Done.\r\n"),
    ]
}

fn is_sound(events: impl IntoIterator<Item = EventKind>) -> bool {
    let greeting = received(b"220 Hello.\r\n");
    let transcript = transcript(std::iter::once(greeting).chain(events));
    let conversations = Conversation::all(&transcript);
    let judge = JUDGES.iter().find(|judge| judge.name == "mlsx");
    let findings = judge.expect("there is this judge").findings(&Context {
        transcript: &transcript,
        conversations: &conversations,
        registry: Registry::built_in(),
    });
    assert!(findings.len() <= 1, "one listing, one finding");
    findings.is_empty()
}

/// RFC 3659 §7.2, without the values: `*( name "=" value ";" ) SP pathname`.
fn has_form(line: &[u8]) -> bool {
    let Some(space) = line.iter().position(|octet| *octet == b' ') else {
        return false;
    };
    let (mut facts, pathname) = (&line[..space], &line[space + 1..]);
    while !facts.is_empty() {
        let Some(semicolon) = facts.iter().position(|octet| *octet == b';') else {
            return false;
        };
        let equals = facts[..semicolon].iter().position(|octet| *octet == b'=');
        if equals.is_none_or(|equals| equals == 0) {
            return false;
        }
        facts = &facts[semicolon + 1..];
    }
    !pathname.is_empty() && !pathname.contains(&b'\n')
}
