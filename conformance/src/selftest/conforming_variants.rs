//! Conforming variants of a transcript: servers that differ from the recorded one within the RFCs.
//!
//! A scenario or judge that reports a failure of one of them is wrong.

use crate::scripted::Delivery;
use crate::transcript::{Conversation, EventKind, Exchange, Negotiation, Transcript};
use std::fmt;
use std::time::Duration;

/// One difference that the RFCs allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConformingVariant {
    /// Other texts in all replies: they are for human users (RFC 959 §4.2).
    OtherTexts,
    /// 125 for 150, 150 for 125, and 250 for 226 (RFC 959 §5.4).
    OtherCodes,
    /// All replies in several lines, some of which begin with digits (RFC 959 §4.2).
    MultiLine,
    /// Sends one octet at a time.
    Dribbled,
    /// Waits before each reply.
    Slow,
    /// Lists directories in the format of DOS: no RFC specifies the format of LIST (RFC 959
    /// §4.1.3).
    DosListings,
    /// Gives 227 without parentheses and 229 with another delimiter (RFC 1123 §4.1.2.6, RFC 2428
    /// §3).
    OtherAddresses,
    /// Lists features in another order and case, with unknown ones (RFC 2389 §3.2).
    OtherFeatures,
    /// Writes the names of facts in capitals (RFC 3659 §7.2).
    OtherFacts,
}

impl ConformingVariant {
    pub(crate) const ALL: [Self; 9] = [
        Self::OtherTexts,
        Self::OtherCodes,
        Self::MultiLine,
        Self::Dribbled,
        Self::Slow,
        Self::DosListings,
        Self::OtherAddresses,
        Self::OtherFeatures,
        Self::OtherFacts,
    ];

    /// How the server of this variant sends its replies.
    pub(crate) fn delivery(self) -> Delivery {
        Delivery {
            bytewise: self == Self::Dribbled,
            pause: match self {
                Self::Slow => Duration::from_millis(10),
                _ => Duration::ZERO,
            },
            odd_addresses: self == Self::OtherAddresses,
        }
    }

    /// The transcript of this variant; `None` if it would be the same.
    pub(crate) fn apply(self, transcript: &Transcript) -> Option<Transcript> {
        if self.delivery() != Delivery::default() {
            return Some(transcript.clone());
        }
        let mut changed = transcript.clone();
        for conversation in Conversation::all(transcript) {
            let exchanges = conversation.exchanges.iter();
            for exchange in exchanges.filter(|exchange| !exchange.irregular) {
                for (event, reply) in &exchange.replies {
                    // Telnet negotiation stays the same.
                    let last = Negotiation::all(&reply.octets).last();
                    let behind = last.map_or(0, |(at, _)| at + 1);
                    let (telnet, plain) = reply.octets.split_at(behind);
                    let new_octets = self.reply(exchange.name(), reply.code, plain);
                    // An event with more or less than this reply is unchanged.
                    if let EventKind::FromServer { octets } = &mut changed.events[*event].what
                        && *octets == reply.octets
                        && let Some(new_octets) = new_octets
                    {
                        *octets = [telnet, &new_octets].concat();
                    }
                }
                self.data(exchange, &conversation, &mut changed);
            }
        }
        (changed != *transcript).then_some(changed)
    }

    fn reply(self, verb: &str, code: u16, octets: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::OtherTexts if text_is_free(verb, code) => {
                Some(format!("{code} {}\r\n", words(code)).into_bytes())
            }
            Self::MultiLine if text_is_free(verb, code) => {
                let text = words(code);
                let lines = [
                    format!("{code}-{text}"),
                    format!(" {code} looks like the end of it and is none."),
                    "12 monkeys, 3 lines and ".into(),
                    format!("1{code} more."),
                    String::new(),
                    format!("{code} {text}"),
                ];
                Some((lines.join("\r\n") + "\r\n").into_bytes())
            }
            Self::OtherCodes => {
                let other = other_code(verb, code)?;
                let mut new_octets = other.to_string().into_bytes();
                new_octets.extend_from_slice(octets.get(3..)?);
                // One line is enough; several would each have to be changed.
                (memchr::memchr_iter(b'\n', octets).count() == 1).then_some(new_octets)
            }
            Self::OtherFeatures if (verb, code) == ("FEAT", 211) => other_features(octets),
            Self::OtherFacts if (verb, code) == ("MLST", 250) => {
                Some(lines_changed(octets, |line| {
                    line.strip_prefix(' ')
                        .map(|entry| format!(" {}", facts_in_capitals(entry)))
                }))
            }
            _ => None,
        }
    }

    /// Changes the data of the exchange, if it is one listing in one event.
    fn data(self, exchange: &Exchange, conversation: &Conversation, changed: &mut Transcript) {
        let change: fn(&str) -> Option<String> = match (self, exchange.name()) {
            (Self::DosListings, "LIST") => dos_entry,
            (Self::OtherFacts, "MLSD") => |line| Some(facts_in_capitals(line)),
            _ => return,
        };
        let own = changed.events.iter_mut().skip(exchange.sent + 1);
        let own = own.filter(|event| event.connection == conversation.connection);
        for event in own {
            match &mut event.what {
                EventKind::FromClient { .. } => break,
                EventKind::DataFromServer { octets } => {
                    let listing = octets.joined();
                    if listing.is_ascii() && listing.ends_with(b"\n") {
                        *octets = lines_changed(&listing, change).into();
                    }
                }
                _ => {}
            }
        }
    }
}

impl fmt::Display for ConformingVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherTexts => "other texts",
            Self::OtherCodes => "125 for 150, 250 for 226",
            Self::MultiLine => "several lines everywhere",
            Self::Dribbled => "octet by octet",
            Self::Slow => "slow replies",
            Self::DosListings => "DOS listings",
            Self::OtherAddresses => "227 and 229 written otherwise",
            Self::OtherFeatures => "other features",
            Self::OtherFacts => "facts in capitals",
        })
    }
}

/// Whether the text of this reply is free. Texts that programs parse have a specified form.
fn text_is_free(verb: &str, code: u16) -> bool {
    match code {
        125 | 150 | 226 => verb != "STOU",
        200 => !matches!(verb, "OPTS" | "PBSZ" | "CSID" | "HASH" | "SITE"),
        202 | 220 | 221 | 225 | 230 | 232 | 234 | 331 | 332 | 350 => true,
        // The 250 of these has a pathname, facts or a digest in it.
        250 => matches!(
            verb,
            "CWD" | "CDUP" | "XCWD" | "XCUP" | "DELE" | "RMD" | "XRMD" | "RNTO" | "COMB"
        ),
        400..=599 => true,
        _ => false,
    }
}

/// Another text, which no scenario or client expects.
fn words(code: u16) -> &'static str {
    match code / 100 {
        1 => "Just a second, here it comes",
        2 => "As you wish",
        3 => "Go on, please",
        4 => "Not just now",
        _ => "I would rather not",
    }
}

fn other_code(verb: &str, code: u16) -> Option<u16> {
    match (verb, code) {
        ("STOU", _) => None,
        (_, 125) => Some(150),
        (_, 150) => Some(125),
        ("RETR" | "STOR" | "APPE" | "LIST" | "NLST" | "MLSD", 226) => Some(250),
        _ => None,
    }
}

/// The features in reverse order, with two unknown ones; `None` if there are none.
fn other_features(octets: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(octets).ok()?;
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    let [_, features @ .., last] = &lines[..] else {
        return None;
    };
    let mut new_octets = vec![
        "211-This one can do:".to_owned(),
        " XFTPSPEC made.up".to_owned(),
    ];
    new_octets.extend(features.iter().rev().map(|feature| (*feature).to_owned()));
    new_octets.push(" X-Teapot 418".to_owned());
    new_octets.push((*last).to_owned());
    Some((new_octets.join("\r\n") + "\r\n").into_bytes())
}

/// Applies `change` to every line; lines for which it returns `None`, and line ends, stay the same.
fn lines_changed(octets: &[u8], change: impl Fn(&str) -> Option<String>) -> Vec<u8> {
    let text = String::from_utf8_lossy(octets);
    let lines = text.split_inclusive("\r\n").map(|line| {
        let bare = line.trim_end_matches("\r\n");
        match change(bare) {
            Some(changed) => format!("{changed}{}", &line[bare.len()..]),
            None => line.to_owned(),
        }
    });
    lines.collect::<String>().into_bytes()
}

/// A line of `ls -l` in the format of DOS; `None` for any other line.
fn dos_entry(line: &str) -> Option<String> {
    let mut rest = line;
    let mut columns = Vec::new();
    for _ in 0..8 {
        let column = rest.split(' ').next()?;
        columns.push(column);
        rest = rest.get(column.len()..)?.trim_start();
    }
    let size = match line.chars().next()? {
        'd' => "<DIR>",
        '-' => columns[4],
        _ => return None,
    };
    Some(format!("11-23-26  07:09AM {size:>20} {rest}"))
}

/// `type=file;size=3; a` becomes `TYPE=file;SIZE=3; a`.
fn facts_in_capitals(entry: &str) -> String {
    let Some((facts, pathname)) = entry.split_once(' ') else {
        return entry.to_owned();
    };
    let facts = facts
        .split_inclusive(';')
        .map(|fact| match fact.split_once('=') {
            Some((name, value)) => format!("{}={value}", name.to_ascii_uppercase()),
            None => fact.to_owned(),
        });
    format!("{} {pathname}", facts.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ls_becomes_a_line_of_dir() {
        let line = "-rw-r--r--   1 ftp      ftp             3 Nov 23 07:09 a b";
        assert_eq!(
            dos_entry(line).as_deref(),
            Some("11-23-26  07:09AM                    3 a b")
        );
        let line = "drwxr-xr-x   1 ftp      ftp             0 Nov 23 07:09 d";
        assert_eq!(
            dos_entry(line).as_deref(),
            Some("11-23-26  07:09AM                <DIR> d")
        );
        assert_eq!(dos_entry("total 4"), None);
    }

    #[test]
    fn only_the_names_of_facts_change() {
        assert_eq!(
            facts_in_capitals("type=file;size=3; a=b; c"),
            "TYPE=file;SIZE=3; a=b; c"
        );
        assert_eq!(facts_in_capitals(" a"), " a");
    }

    #[test]
    fn a_text_that_programs_parse_is_unchanged() {
        for (verb, code) in [
            ("PASV", 227),
            ("PWD", 257),
            ("MLST", 250),
            ("SIZE", 213),
            ("STOU", 226),
        ] {
            assert_eq!(
                ConformingVariant::OtherTexts.reply(verb, code, b""),
                None,
                "{verb}"
            );
        }
        let new_octets = ConformingVariant::OtherTexts.reply("NOOP", 200, b"200 Still here.\r\n");
        assert_eq!(new_octets.as_deref(), Some(&b"200 As you wish\r\n"[..]));
    }

    #[test]
    fn features_are_reordered_between_the_same_first_and_last_lines() {
        let new_octets = other_features(b"211-Features:\r\n MDTM\r\n REST STREAM\r\n211 End\r\n");
        let new_octets = String::from_utf8(new_octets.unwrap_or_default()).unwrap_or_default();
        assert_eq!(
            new_octets,
            "211-This one can do:\r\n XFTPSPEC made.up\r\n REST STREAM\r\n MDTM\r\n X-Teapot 418\r\n211 End\r\n"
        );
        assert_eq!(other_features(b"211 none\r\n"), None);
    }
}
