//! MLSx and the other listings: the facts are those of OPTS MLST, and no name adds a line.

use ftpspec_server::auth::Permissions;
use ftpspec_server::internals::wire::{
    Command, CommandLine, Facts, Links, Lister, ListingFormat, Naming, OperatorFacts, Options,
    parse_time_val,
};
use ftpspec_server::storage::{Entry, FileKind, Metadata, Owner, Owners};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first line is the argument of OPTS MLST. It is followed by twelve octets, the known facts of
/// a file, and by its name.
pub fn mlsx(data: &[u8]) {
    let end = data.iter().position(|octet| *octet == b'\n');
    let (asked, after) = data.split_at(end.unwrap_or(data.len()));
    let line = [b"OPTS MLST ", asked].concat();
    let Some(facts) = selected(&line) else {
        return;
    };
    let names: String = facts
        .iter()
        .map(|fact| format!("{};", fact.name()))
        .collect();
    let again = selected(format!("OPTS MLST {names}").as_bytes());
    assert_eq!(again, Some(facts), "{names}");
    if let Some([_, known @ ..]) = after.get(..13)
        && let Ok(known) = known.try_into()
    {
        listed(facts, known, &after[13..]);
    }
}

fn selected(line: &[u8]) -> Option<Facts> {
    match CommandLine::split(line).ok()?.parse().ok()? {
        Command::Opts(Options::Mlst(facts)) => Some(facts),
        _ => None,
    }
}

/// Seconds from the epoch, from four octets and a scale.
fn time([a, b, c, d]: [u8; 4], scale: u8) -> Option<SystemTime> {
    let count = i64::from(i32::from_be_bytes([a, b, c, d]));
    let far = Duration::from_millis(count.unsigned_abs() << (scale & 15));
    if count < 0 {
        UNIX_EPOCH.checked_sub(far)
    } else {
        UNIX_EPOCH.checked_add(far)
    }
}

fn listed(facts: Facts, known: &[u8; 12], name: &[u8]) {
    let [kind, may, high, low, modified @ ..] = *known;
    let [m0, m1, m2, m3, c0, c1, c2, c3] = modified;
    let some = |bit: u8| kind >> bit & 1 == 1;
    let entry = Entry {
        name: name.to_vec(),
        metadata: Metadata {
            kind: [FileKind::File, FileKind::Directory, FileKind::Symlink][usize::from(kind % 3)],
            len: u64::from_be_bytes(modified) >> (high & 63),
            mode: some(3).then_some(u32::from_be_bytes([high, low, high, low])),
            modified: time([m0, m1, m2, m3], may).filter(|_| some(4)),
            created: time([c0, c1, c2, c3], high).filter(|_| some(5)),
            unique: some(6).then_some(u64::from(low)),
            target: some(7).then(|| name.iter().rev().copied().collect()),
            owners: some(2).then(|| Owners {
                owner: Owner::named(&String::from_utf8_lossy(name)),
                group: Owner::number(low.into()),
            }),
        },
    };
    let mut lister = Lister {
        format: ListingFormat::Facts(facts),
        pattern: None,
        prefix: Vec::new(),
        links: Links::Shown,
        permissions: Permissions {
            read: may & 1 != 0,
            list: may & 2 != 0,
            create: may & 4 != 0,
            append: may & 4 != 0,
            overwrite: may & 4 != 0,
            change_facts: may & 4 != 0,
            delete: may & 8 != 0,
            rename: may & 8 != 0,
            make_directory: may & 16 != 0,
        },
        operator_facts: (may & 64 != 0).then(|| {
            Arc::new(OperatorFacts {
                language: Some("de".into()),
                media_types: vec![("txt".into(), "text/plain".into())],
            })
        }),
        now: UNIX_EPOCH,
    };
    if !lister.shows(&entry) {
        assert!(name.iter().any(|octet| b"\r\n\0".contains(octet)));
        return;
    }
    sound(facts, line(&lister, &entry), &entry);
    lister.format = ListingFormat::Names { all: true };
    lister.prefix = b"d/".to_vec();
    assert_eq!(line(&lister, &entry), [b"d/", name].concat());
    lister.format = ListingFormat::Long { all: true };
    let long = line(&lister, &entry);
    assert!(long.len() > 10 && long[..10].iter().all(|octet| b"-dlrwx".contains(octet)));
    assert!(entry.metadata.target.is_some() || long.ends_with(name));
}

/// An entry as written, which is one line.
fn line(lister: &Lister, entry: &Entry) -> Vec<u8> {
    let mut line = Vec::new();
    lister.write(entry, Naming::Own, &mut line);
    assert!(line.ends_with(b"\r\n"));
    line.truncate(line.len() - 2);
    let breaks = line.iter().any(|octet| b"\r\n\0".contains(octet));
    assert!(!breaks, "{}", line.escape_ascii());
    line
}

/// RFC 3659 §7.2: facts, each with a semicolon, one space, the name.
fn sound(asked: Facts, line: Vec<u8>, entry: &Entry) {
    let space = line.iter().position(|octet| *octet == b' ');
    let space = space.expect("a space stands before the name");
    assert_eq!(line[space + 1..], entry.name[..]);
    let facts = std::str::from_utf8(&line[..space]).expect("facts are text");
    let mut order = asked.iter();
    for fact in facts.split_terminator(';') {
        let (name, value) = fact.split_once('=').expect("a fact has a value");
        assert!(
            order.any(|fact| fact.name() == name),
            "{name} was not asked for, or comes late: {facts}"
        );
        let metadata = &entry.metadata;
        match name {
            "size" => assert_eq!(value.parse(), Ok(metadata.len)),
            "modify" | "create" => {
                assert!(parse_time_val(value.as_bytes()).is_some(), "{facts}");
            }
            "perm" => assert!(value.bytes().all(|letter| b"acdeflmprw".contains(&letter))),
            "UNIX.mode" => {
                let mode = u32::from_str_radix(value, 8).ok();
                assert_eq!(mode, metadata.mode.map(|mode| mode & 0o7777));
            }
            _ => assert!(!value.is_empty()),
        }
    }
    assert!(facts.is_empty() || facts.ends_with(';'));
}
