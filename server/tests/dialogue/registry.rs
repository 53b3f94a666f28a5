//! Every reply to every verb is one that the RFCs give for it: `scenarios/registry.toml`, read as
//! data, says which.

use super::world::World;
use super::{LOGIN, link, setup};
use ftpspec_server::internals::wire::{ControlEvent, VERBS, VerbRow};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toml::{Table, Value};

/// The codes that the registry allows for a command.
struct Row {
    preliminary: BTreeSet<i64>,
    completion: BTreeSet<i64>,
    classes: BTreeSet<i64>,
}

impl Row {
    fn allows(&self, code: i64) -> bool {
        if code < 200 {
            self.preliminary.contains(&code)
        } else {
            self.completion.contains(&code) || self.classes.contains(&(code / 100))
        }
    }
}

fn codes<'a>(row: &'a Table, keys: &'a [&str]) -> impl Iterator<Item = i64> + 'a {
    keys.iter()
        .filter_map(|key| row.get(*key))
        .flat_map(|codes| codes.as_array().unwrap())
        .map(|code| code.as_integer().unwrap())
}

fn registry() -> BTreeMap<String, Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/registry.toml");
    let registry: Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let tables = |value: &'_ Value| -> Vec<Table> {
        let tables = value.as_array().unwrap().iter();
        tables
            .map(|table| table.as_table().unwrap().clone())
            .collect()
    };
    let general: BTreeSet<i64> = tables(&registry["general"])
        .iter()
        .flat_map(|rule| codes(rule, &["codes"]).collect::<Vec<_>>())
        .collect();
    tables(&registry["command"])
        .iter()
        .map(|row| {
            let mut completion = general.clone();
            completion.extend(codes(row, &["success", "intermediate", "after", "refusal"]));
            for rule in row.get("secondary").map(tables).unwrap_or_default() {
                completion.extend(codes(&rule, &["codes"]));
            }
            let row_codes = Row {
                preliminary: codes(row, &["preliminary", "during"]).collect(),
                completion,
                classes: codes(row, &["any"]).collect(),
            };
            (row["verb"].as_str().unwrap().to_owned(), row_codes)
        })
        .collect()
}

/// No argument, one that means something to some verb, garbage, and 10 kB.
fn arguments() -> Vec<Option<Vec<u8>>> {
    let some = [
        "",
        " ",
        "a",
        "d",
        "d/e",
        "nosuch",
        "nosuch/a",
        "I",
        "E",
        "F",
        "S",
        "P",
        "Q",
        "0",
        "3",
        "99999999999999999999",
        "TLS",
        "ALL",
        "9",
        "test",
        "EN",
        "fr",
        "test.example",
        "192.0.2.1",
        "192,0,2,7,200,1",
        "192,0,2,8,200,1",
        "|1|192.0.2.7|6275|",
        "|2|::1|6275|",
        "|3|x|1|",
        "20200101000000 a",
        "20200101000000 nosuch",
        "Modify=20200101000000;UNIX.mode=600; a",
        "Size=1; a",
        "YWJj",
        "t a d/f",
        "a a",
        "Name=x;",
        "HELP",
        "CHMOD 600 a",
        "MLST type;",
        "UTF8 ON",
        "HASH MD5",
        "0 1",
        "1 0",
        "a, d/f",
        "-la d",
        "*",
        "..",
        "/",
    ];
    let mut arguments: Vec<Option<Vec<u8>>> = vec![
        None,
        Some(b"\xff\xfe\x01%n%s\"'`;|&$(){}[]<>".to_vec()),
        Some(b"a\rb".to_vec()),
        Some(vec![b'x'; 10_000]),
        Some(vec![b'9'; 10_000]),
        Some(b"a/".repeat(5_000)),
        Some(b"\xc3".repeat(10_000)),
    ];
    arguments.extend(some.map(|argument| Some(argument.as_bytes().to_vec())));
    arguments
}

fn said(world: &mut World, row: &VerbRow, argument: Option<&[u8]>) -> Vec<i64> {
    let mut line = row.name.as_bytes().to_vec();
    if let Some(argument) = argument {
        line.push(b' ');
        line.extend_from_slice(argument);
    }
    let mut said = world.receive(ControlEvent::Line(line));
    said.extend(world.finish());
    said.iter().map(|reply| reply.code.0.into()).collect()
}

/// Compares all replies in worlds of one kind with the registry.
fn hold(before: &[&str]) {
    let registry = registry();
    let mut strange = BTreeSet::new();
    for row in VERBS {
        for argument in arguments() {
            let mut world = World::new(setup(), link());
            for script in before {
                world.play(script);
            }
            let codes = said(&mut world, row, argument.as_deref());
            let Some(known) = registry.get(row.name) else {
                assert!(!row.implemented, "{} is in no registry", row.name);
                assert_eq!(codes, [502], "{}", row.name);
                continue;
            };
            let argument = argument.unwrap_or_default();
            let shown = argument[..argument.len().min(40)].escape_ascii();
            for code in codes.iter().filter(|code| !known.allows(**code)) {
                strange.insert(format!("{code} for {} {shown}", row.name));
            }
        }
    }
    assert!(strange.is_empty(), "{strange:#?}");
}

#[test]
fn every_reply_before_the_login_is_in_the_registry() {
    hold(&[]);
}

#[test]
fn every_reply_after_the_login_is_in_the_registry() {
    hold(&[LOGIN]);
}

#[test]
fn every_reply_with_a_data_port_is_in_the_registry() {
    hold(&[LOGIN, "C: PASV / S: 227"]);
}

#[test]
fn every_reply_after_a_restart_marker_is_in_the_registry() {
    hold(&[
        LOGIN,
        "C: TYPE I / S: 200 / C: PASV / S: 227 / C: REST 3 / S: 350",
    ]);
}

#[test]
fn every_reply_after_rnfr_and_after_user_is_in_the_registry() {
    hold(&[LOGIN, "C: RNFR a / S: 350"]);
    hold(&["C: USER test / S: 331"]);
}

#[test]
fn every_reply_after_auth_is_in_the_registry() {
    hold(&["C: AUTH TLS / S: 234"]);
    hold(&["C: AUTH TLS / S: 234 / C: PBSZ 0 / S: 200", LOGIN]);
}

#[test]
fn the_registry_is_understood() {
    let registry = registry();
    let allows = |verb: &str, code| registry[verb].allows(code);
    assert!(allows("RETR", 150) && allows("RETR", 226) && allows("RETR", 426));
    assert!(!allows("RETR", 257) && !allows("NOOP", 150) && !allows("PASV", 229));
    assert!(allows("MLST", 451) && allows("RNFR", 350) && !allows("RNTO", 350));
    assert!(allows("STAT", 530) && allows("SYST", 421));
}
