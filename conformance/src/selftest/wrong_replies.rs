//! Wrong replies: codes and texts that a scenario does not accept.

use crate::driver::{extended_passive_port, passive_address};
use crate::scenario::{Codes, ReplyPattern, Variables};
use crate::transcript::EventKind;

/// The port in a 227 or 229.
pub(super) fn passive_port(what: &EventKind) -> Option<u16> {
    let EventKind::FromServer { octets } = what else {
        return None;
    };
    let text = std::str::from_utf8(octets).ok()?;
    match code_of(octets)? {
        227 => passive_address(text.get(4..)?).map(|(_, port)| port),
        229 => extended_passive_port(text.get(4..)?),
        _ => None,
    }
}

/// A text that a pattern does not match, whatever its variables capture; `None` if it matches
/// everything.
pub(super) fn another_text(pattern: &ReplyPattern) -> Option<&'static str> {
    const CANDIDATES: [&str; 3] = ["Something else.", "~", "0"];
    CANDIDATES.into_iter().find(|text| match pattern {
        ReplyPattern::Text(pattern) => !pattern.matches(text, &mut Variables::default()),
        ReplyPattern::Block { .. } => true,
    })
}

/// A code of another class than the reply's for which `wrong` returns true. Never one that means
/// "not implemented", which would be UNSUPPORTED instead of a failure.
pub(super) fn wrong_code(octets: &[u8], wrong: impl Fn(u16) -> bool) -> Option<u16> {
    const CANDIDATES: [u16; 7] = [553, 451, 250, 331, 150, 200, 229];
    let class = octets
        .first()
        .map_or(0, |digit| u16::from(digit.wrapping_sub(b'0')));
    CANDIDATES
        .into_iter()
        .find(|code| code / 100 != class && wrong(*code))
}

/// A code that is permitted but not recommended.
pub(super) fn not_recommended(holds: &Codes, wished: &Codes) -> Option<u16> {
    (200..600).find(|code| {
        holds.matches(*code) && !wished.matches(*code) && !matches!(code, 500 | 502 | 504)
    })
}

/// The code a reply begins with.
pub(super) fn code_of(octets: &[u8]) -> Option<u16> {
    std::str::from_utf8(octets.get(..3)?).ok()?.parse().ok()
}

/// The reply with another code on every line that has one.
pub(super) fn recode(octets: &[u8], code: u16) -> Vec<u8> {
    let old = octets.get(..3).unwrap_or_default().to_vec();
    let mut changed = Vec::with_capacity(octets.len());
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        match line.strip_prefix(&old[..]) {
            Some(rest) => {
                changed.extend_from_slice(code.to_string().as_bytes());
                changed.extend_from_slice(rest);
            }
            None => changed.extend_from_slice(line),
        }
    }
    changed
}

/// The reply with another text: one line, same code.
pub(super) fn retext(octets: &[u8], text: &str) -> Vec<u8> {
    let mut changed = octets.get(..3).unwrap_or_default().to_vec();
    changed.push(b' ');
    changed.extend_from_slice(text.as_bytes());
    changed.extend_from_slice(b"\r\n");
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_with_the_code_is_changed() {
        let feat = b"211-Features\r\n REST STREAM\r\n211 End\r\n";
        assert_eq!(
            recode(feat, 553),
            b"553-Features\r\n REST STREAM\r\n553 End\r\n"
        );
    }

    #[test]
    fn another_text_keeps_the_code() {
        assert_eq!(retext(b"257 \"/\" is it.\r\n", "~"), b"257 ~\r\n");
    }

    #[test]
    fn a_wrong_code_is_of_another_class_and_never_means_unimplemented() {
        assert_eq!(
            wrong_code(b"226 Done.\r\n", |code| code / 100 != 2),
            Some(553)
        );
        assert_eq!(
            wrong_code(b"550 No.\r\n", |code| code / 100 != 5),
            Some(451)
        );
        assert_eq!(wrong_code(b"550 No.\r\n", |_| false), None);
    }
}
