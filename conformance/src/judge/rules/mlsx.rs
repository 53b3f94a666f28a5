//! `mlsx`: the lines of MLST and MLSD have the rigid form of RFC 3659 §7.2.

use super::{Context, Judge, Rule, Whole, quoted, shown};
use crate::scenario::Level;
use crate::transcript::{CloseKind, EventKind, Side};
use crate::verdict::Finding;

pub(super) const JUDGE: Judge = Judge {
    name: "mlsx",
    statement: "Lines of MLST and MLSD are facts, exactly one space and the pathname",
    impact: "Clients that list with MLSD show wrong names, sizes or times, or leave files out; mirrors copy too much or too little.",
    clause: "RFC 3659 §7.2 and §7.5",
    covers: &[
        "3659-7.2-mlst-250-multiline",
        "3659-7.2-mlst-leading-space",
        "3659-7.2-entry-format",
        "3659-7.2-lines-crlf",
        "3659-7.1-no-header-lines",
        "3659-7.5.3-modify-format",
        "3659-7.5.7-size-fact",
        "3659-2.3-time-val-syntax",
        "3659-2.3-time-val-ranges",
        "3659-2.3-no-bare-dot",
        "3659-7.5-local-fact-prefix",
        "3659-7.5.1.4-pdir-mlsd-only",
        "3659-7.5.4-create-not-after-modify",
        "3659-7.5.8-media-type-not-guessed",
    ],
    judge,
};

const ENTRY: Rule = Rule {
    level: Level::Must,
    clause: "RFC 3659 §7.2",
    requirement: "An entry is `fact=value;` any number of times, one space and the pathname, and ends in CRLF",
};

const LEADING_SPACE: Rule = Rule {
    level: Level::Must,
    clause: "RFC 3659 §7.2",
    requirement: "250 to MLST has the entry on a line of its own between `250-` and `250`, after one space",
};

const NO_PARENT: Rule = Rule {
    level: Level::Must,
    clause: "RFC 3659 §7.5.1.4",
    requirement: "type=pdir is only in what MLSD lists",
};

const VALUE: Rule = Rule {
    level: Level::Must,
    clause: "RFC 3659 §7.5",
    requirement: "Facts have valid values, and names that are registered or have a prefix",
};

fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for whole in context.whole() {
        if whole.is(&["MLST"], 250) {
            findings.extend(in_reply(context, &whole));
        } else if whole.is(&["MLSD"], 226) || whole.is(&["MLSD"], 250) {
            findings.extend(in_data(context, &whole));
        }
    }
    findings
}

fn in_reply(context: &Context<'_>, whole: &Whole<'_>) -> Option<Finding> {
    let between = whole.reply.between();
    let entries: Option<Vec<&[u8]>> = between.iter().map(|line| line.strip_prefix(b" ")).collect();
    let Some(entries) = entries.filter(|entries| !entries.is_empty()) else {
        let expected = "250-, lines of one space and an entry, 250";
        return Some(context.broken(&LEADING_SPACE, &whole.place, expected, quoted(whole.reply)));
    };
    entries.into_iter().find_map(|entry| {
        finding_in(context, whole, entry).or_else(|| {
            let parent = entry.to_ascii_lowercase();
            memchr::memmem::find(&parent, b"type=pdir;").map(|_| {
                context.broken(
                    &NO_PARENT,
                    &whole.place,
                    "type=file, dir or cdir",
                    shown(entry),
                )
            })
        })
    })
}

fn in_data(context: &Context<'_>, whole: &Whole<'_>) -> Option<Finding> {
    let data = listing(context, whole)?;
    if data.is_empty() {
        return None;
    }
    let Some(lines) = data.strip_suffix(b"\r\n") else {
        let last = data
            .split(|octet| *octet == b'\n')
            .next_back()
            .unwrap_or_default();
        return Some(context.broken(
            &ENTRY,
            &whole.place,
            "CRLF after the last entry",
            shown(last),
        ));
    };
    let mut rest = lines;
    loop {
        let end = memchr::memmem::find(rest, b"\r\n");
        let entry = &rest[..end.unwrap_or(rest.len())];
        if let Some(finding) = finding_in(context, whole, entry) {
            return Some(finding);
        }
        rest = &rest[end? + 2..];
    }
}

/// The data of the data connection, if it ended cleanly.
fn listing(context: &Context<'_>, whole: &Whole<'_>) -> Option<Vec<u8>> {
    let from = whole.exchange.sent;
    let events = context.transcript.events.iter().skip(from + 1);
    let mut data = Vec::new();
    let mut ended = false;
    for event in events.filter(|event| event.connection == *whole.place.connection) {
        match &event.what {
            EventKind::FromClient { .. } => break,
            EventKind::DataFromServer { octets } if !ended => {
                data.extend_from_slice(&octets.joined())
            }
            EventKind::DataClosed(end) => {
                if end.by != Side::Server || end.how == CloseKind::Reset {
                    return None;
                }
                ended = true;
            }
            _ => {}
        }
    }
    ended.then_some(data)
}

fn finding_in(context: &Context<'_>, whole: &Whole<'_>, entry: &[u8]) -> Option<Finding> {
    let (rule, expected) = match examine(entry) {
        Ok(()) => return None,
        Err(EntryError::Form) => (&ENTRY, "fact=value;… pathname"),
        Err(EntryError::Value(expected)) => (&VALUE, expected),
    };
    Some(context.broken(rule, &whole.place, expected, shown(entry)))
}

enum EntryError {
    Form,
    Value(&'static str),
}

fn examine(entry: &[u8]) -> Result<(), EntryError> {
    // The set of facts has no spaces, so the first one ends it. A bare LF or CR would be part of
    // the pathname.
    let space = memchr::memchr(b' ', entry).ok_or(EntryError::Form)?;
    let (facts, pathname) = (&entry[..space], &entry[space + 1..]);
    if pathname.is_empty() || pathname.contains(&b'\n') {
        return Err(EntryError::Form);
    }
    if facts.is_empty() {
        return Ok(());
    }
    let facts = std::str::from_utf8(facts).map_err(|_| EntryError::Form)?;
    let (mut kind, mut modify, mut create, mut media_type) = (None, None, None, None);
    for fact in facts.strip_suffix(';').ok_or(EntryError::Form)?.split(';') {
        let (name, value) = fact.split_once('=').ok_or(EntryError::Form)?;
        if name.is_empty() {
            return Err(EntryError::Form);
        }
        let (sound, expected) = match name.to_ascii_lowercase().as_str() {
            "size" => (is_number(value), "size=digits"),
            "modify" => {
                modify = Some(value);
                (is_time(value), TIME)
            }
            "create" => {
                create = Some(value);
                (is_time(value), TIME)
            }
            "type" => {
                kind = Some(value);
                (is_type(value), "type=file, dir, cdir, pdir or OS.name=type")
            }
            "media-type" => {
                media_type = Some(value);
                let parts = value.split_once('/');
                let whole = parts.is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty());
                (whole, "media-type=type/subtype")
            }
            "lang" | "charset" => (true, ""),
            "unique" => (!value.is_empty(), "unique=something"),
            "perm" => (is_perm(value), "perm= and letters of acdeflmprw"),
            local => (
                local.contains('.'),
                "x. or the name of a system before a fact no RFC defines",
            ),
        };
        if !sound {
            return Err(EntryError::Value(expected));
        }
    }
    // Times of this form are in order of time when they are in order of octets.
    if create.is_some() && modify.is_some() && create > modify {
        return Err(EntryError::Value("create no later than modify"));
    }
    let directory = |kind: &str| kind.len() <= 4 && kind.to_ascii_lowercase().ends_with("dir");
    if media_type.is_some() && kind.is_some_and(directory) {
        return Err(EntryError::Value("no media-type for a directory"));
    }
    Ok(())
}

const TIME: &str = "YYYYMMDDHHMMSS[.fraction]";

fn is_type(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    matches!(value.as_str(), "file" | "dir" | "cdir" | "pdir")
        || value
            .strip_prefix("os.")
            .is_some_and(|rest| rest.contains('='))
}

fn is_perm(value: &str) -> bool {
    value
        .bytes()
        .all(|letter| b"acdeflmprw".contains(&letter.to_ascii_lowercase()))
}

/// One or more decimal digits.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
}

/// `YYYYMMDDHHMMSS` and perhaps a fraction (RFC 3659 §2.3).
pub(super) fn is_time(text: &str) -> bool {
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text, None), |(w, f)| (w, Some(f)));
    if whole.len() != 14 || !is_number(whole) || fraction.is_some_and(|digits| !is_number(digits)) {
        return false;
    }
    let field = |from: usize| whole[from..from + 2].parse::<u8>().unwrap_or(u8::MAX);
    let (month, day, hour, minute, second) = (field(4), field(6), field(8), field(10), field(12));
    // A minute may have sixty-one seconds (RFC 3659 §2.3).
    (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour <= 23
        && minute <= 59
        && second <= 60
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testing::findings;
    use rstest::rstest;

    #[rstest]
    #[case::clean("250-x /  type=file;size=3;modify=20240101000000; a b / 250 End", true)]
    #[case::no_facts("250-x /   a / 250 End", true)]
    #[case::one_space("250-x /  a / 250 End", false)]
    #[case::no_space("250-x / type=file; a / 250 End", false)]
    #[case::one_line("250 type=file; a", false)]
    #[case::no_pathname("250-x /  type=file; / 250 End", false)]
    #[case::no_last_semicolon("250-x /  type=file a / 250 End", false)]
    #[case::size("250-x /  size=3k; a / 250 End", false)]
    #[case::modify("250-x /  modify=2024-01-01; a / 250 End", false)]
    #[case::kind("250-x /  type=link; a / 250 End", false)]
    #[case::os_kind("250-x /  type=OS.unix=slink:/a; a / 250 End", true)]
    #[case::parent("250-x /  type=pdir; .. / 250 End", false)]
    #[case::future(
        "250-x /  create=20240102000000;modify=20240101000000; a / 250 End",
        false
    )]
    #[case::past(
        "250-x /  create=20230102000000;modify=20240101000000; a / 250 End",
        true
    )]
    #[case::media("250-x /  type=file;media-type=text/plain; a / 250 End", true)]
    #[case::half_a_media("250-x /  media-type=text; a / 250 End", false)]
    #[case::media_of_a_directory("250-x /  type=dir;media-type=text/plain; a / 250 End", false)]
    #[case::foreign_fact("250-x /  colour=green; a / 250 End", false)]
    #[case::own_fact("250-x /  X.colour=green; a / 250 End", true)]
    fn entries_in_replies_are_judged(#[case] reply: &str, #[case] sound: bool) {
        let reply = format!("S: {reply}");
        let findings = findings(&JUDGE, &["S: 220 x", "C: MLST a", &reply]);
        assert_eq!(findings.is_empty(), sound, "{findings:?}");
    }

    #[rstest]
    #[case::clean("type=cdir; .\\r\\ntype=file;size=1; a\\r\\n", "D.", true)]
    #[case::nothing("", "D.", true)]
    #[case::cut_by_us("type=fi", "quiet", true)]
    #[case::bare_lf("type=file; a\\n", "D.", false)]
    #[case::bare_lf_within("type=file; a\\ntype=file; b\\r\\n", "D.", false)]
    #[case::leading_space(" type=file; a\\r\\n", "D.", true)]
    #[case::blank_line("type=file; a\\r\\n\\r\\n", "D.", false)]
    #[case::long_format("-rw-r--r-- 1 a a 3 Jan 1 00:00 a\\r\\n", "D.", false)]
    fn entries_on_the_data_connection_are_judged(
        #[case] data: &str,
        #[case] end: &str,
        #[case] sound: bool,
    ) {
        let data = format!("D< {data}");
        let dialogue = ["S: 220 x", "C: MLSD", "S: 150 x", &data, end, "S: 226 x"];
        let findings = findings(&JUDGE, &dialogue);
        assert_eq!(findings.is_empty(), sound, "{findings:?}");
    }
}
