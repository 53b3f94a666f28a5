//! The modules of this crate and their imports. A module that imports what it must not fails here,
//! with the reason.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "../../server/tests/module_graph/mod.rs"]
mod module_graph;

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Modules that decide and never wait: their results follow from their input alone.
const PURE: [&str; 17] = [
    "baseline",
    "catalogue",
    "client/judge",
    "client/language",
    "client/outcome",
    "client/task",
    "client/variant",
    "judge",
    "transfer_mode",
    "coverage",
    "data",
    "compare",
    "report",
    "scenario",
    "scenario_writer",
    "transcript",
    "verdict",
];

/// Where the reference server may be named: what starts it, the target that is it, what writes down
/// what it sees on the wire, the proxy, which injects the faults of its fault plan, and the server of
/// scenarios for clients.
const HOSTS: [&str; 5] = [
    "cli/serve",
    "client/play/server.rs",
    "proxy/faults.rs",
    "subject/embedded.rs",
    "subject/server_tap.rs",
];

/// What the pure modules must not name, and why.
const FORBIDDEN: [(&str, &str); 5] = [
    (
        r"\btokio\b|\bsocket2\b|\bTcp(?:Stream|Listener)\b|\bUdpSocket\b",
        "judges see transcripts, never sockets: a recorded transcript must be judged as one just played",
    ),
    (
        r"\b(?:crate|super)::(?:\{[^}]*\b)?(?:driver|runner|subject|scripted|campaign|cli|suite)\b",
        "what was played must not depend on who plays it; the player imports these modules and not the other way round",
    ),
    (
        r"\bstd::(?:\{[^}]*\b)?fs\b|\binclude_dir!\(.*/src",
        "files are read by commands and the suite, and handed in as text",
    ),
    (
        r"\bSystemTime\b|\bInstant\b",
        "the same transcript gives the same verdict at any time of day",
    ),
    (
        r"\bprint(?:ln)?!|\beprint(?:ln)?!",
        "the caller decides where findings are written",
    ),
];

struct Source {
    /// Below `src/`, with `/` between names.
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    fn below(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    below(&root, &mut paths);
    let source = |path: PathBuf| {
        let name = path
            .strip_prefix(&root)
            .unwrap()
            .to_string_lossy()
            .replace('\\', "/");
        Source {
            path: name,
            text: fs::read_to_string(&path).unwrap(),
        }
    };
    paths.into_iter().map(source).collect()
}

/// The lines that are code, with their numbers, up to the tests: those may look at the real suite.
fn code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let code = source
        .text
        .lines()
        .take_while(|line| !line.starts_with("mod tests {"));
    let numbered = code.enumerate().map(|(index, line)| (index + 1, line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn offences(source: &Source, pattern: &Regex, why: &str) -> Vec<String> {
    let found = code(source).filter(|(_, line)| pattern.is_match(line));
    found
        .map(|(line, text)| format!("src/{}:{line}: `{}`: {why}", source.path, text.trim()))
        .collect()
}

#[test]
fn rooms_that_decide_import_nothing_that_waits() {
    let mut found = Vec::new();
    for source in sources() {
        let is_in = |room: &&str| {
            let rest = source.path.strip_prefix(*room);
            rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        if !PURE.iter().any(is_in) {
            continue;
        }
        for (pattern, why) in FORBIDDEN {
            found.extend(offences(&source, &Regex::new(pattern).unwrap(), why));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn modules_use_each_other_in_one_direction() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let cycles = module_graph::cycles(&src);
    assert!(cycles.is_empty(), "\n{}", cycles.join("\n"));
}

#[test]
fn the_judge_shares_no_code_with_the_accused() {
    let pattern = Regex::new(r"\bftpspec_server\b").unwrap();
    let why = "only what starts the reference server may name it; a codec in common would make both wrong alike";
    let others = sources()
        .into_iter()
        .filter(|source| !HOSTS.iter().any(|host| source.path.starts_with(host)));
    let found: Vec<String> = others
        .flat_map(|source| offences(&source, &pattern, why))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_room_that_is_named_here_exists() {
    let sources = sources();
    let has = |start: &str| sources.iter().any(|source| source.path.starts_with(start));
    for room in PURE {
        assert!(
            has(&format!("{room}/")) || has(&format!("{room}.rs")),
            "there is no module {room}"
        );
    }
    for host in HOSTS {
        assert!(has(host), "there is no {host}");
    }
}

#[test]
fn a_violation_is_reported_with_its_place_and_reason() {
    let text = "// use tokio::net;\nuse crate::{judge, runner::Job};\n".to_owned();
    let source = Source {
        path: "judge/x.rs".into(),
        text,
    };
    let (pattern, why) = FORBIDDEN[1];
    let violations = offences(&source, &Regex::new(pattern).unwrap(), why);
    assert_eq!(violations.len(), 1);
    assert!(
        violations[0].starts_with("src/judge/x.rs:2: `use crate::{judge, runner::Job};`: what was"),
        "{}",
        violations[0]
    );
    let (pattern, why) = FORBIDDEN[0];
    assert!(offences(&source, &Regex::new(pattern).unwrap(), why).is_empty());
}
