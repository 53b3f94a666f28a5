//! Which room of the server may know which. The rooms are those of RFC 959 §2.3; ARCHITECTURE.md
//! tells why.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod module_graph;

use std::fs;
use std::path::{Path, PathBuf};

/// What a room must not name, and the sentence that says why.
struct Rule {
    rooms: &'static [&'static str],
    never: &'static [&'static str],
    because: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        rooms: &["wire", "pi"],
        never: &["tokio", "async fn", ".await", "Future"],
        because: "what decides does not wait: grammar and decisions are tested without a runtime",
    },
    Rule {
        rooms: &["wire", "pi"],
        never: &["TcpStream", "TcpListener", "UdpSocket", "socket2", "rustls"],
        because: "the server-PI is told of connections, it never holds one; addresses are fine",
    },
    Rule {
        rooms: &["wire", "pi"],
        never: &["std::fs", "std::env", "std::process", "std::thread"],
        because: "grammar and decisions touch nothing of the host",
    },
    Rule {
        rooms: &["wire", "pi"],
        never: &[
            "Instant",
            "SystemTime::now",
            "Timestamp::now",
            "Zoned::now",
            ".elapsed()",
        ],
        because: "a decision that reads a clock cannot be replayed: times are handed in",
    },
    Rule {
        rooms: &["wire", "pi"],
        never: &[
            "crate::net",
            "crate::dtp",
            "crate::observe",
            "crate::builder",
            "crate::ServerBuilder",
        ],
        because: "what decides does not know who carries it out",
    },
    Rule {
        rooms: &["wire"],
        never: &["crate::pi"],
        because: "the grammar of lines and replies does not depend on what is decided",
    },
    Rule {
        rooms: &["pi"],
        never: &["MemFs", "VfsStorage", "DiskStorage", "Accounts"],
        because: "the server-PI knows storages and authenticators by their traits only",
    },
    Rule {
        rooms: &["storage", "auth"],
        never: &[
            "crate::pi",
            "crate::net",
            "crate::dtp",
            "crate::wire",
            "crate::observe",
            "crate::config",
        ],
        because: "storages and authenticators say what is so, and the server-PI what is replied",
    },
    Rule {
        rooms: &["storage"],
        never: &["tokio"],
        because: "storages block and are embedded anywhere; the shell gives them threads",
    },
    Rule {
        rooms: &["fault"],
        never: &["tokio", "rustls", "crate::net", "crate::dtp", "crate::pi"],
        because: "a fault plan says what is to go wrong and when; those who wait make it so",
    },
    Rule {
        rooms: &["observe/journal"],
        never: &[
            "crate::pi",
            "crate::net",
            "crate::dtp",
            "crate::observe::hooks",
            "crate::observe::sessions",
        ],
        because: "the journal is told what happened; it depends on nobody who tells it",
    },
    Rule {
        rooms: &["dtp"],
        never: &["crate::net", "Session", "Step", "Meanwhile", "Question"],
        because: "the server-DTP gets plain requests (Transfer, Listing) and decides nothing",
    },
    Rule {
        rooms: &["dtp", "net"],
        never: &["done(", "CommandLine", "Verb::"],
        because: "replies to commands are decided in pi, in one place",
    },
];

#[test]
fn no_room_names_what_it_must_not_know() {
    let mut broken = Vec::new();
    for rule in RULES {
        for room in rule.rooms {
            let sources = sources(room);
            assert!(!sources.is_empty(), "there is no room {room}");
            for source in sources {
                broken.extend(offences(&source, rule));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn modules_use_each_other_in_one_direction() {
    let cycles = module_graph::cycles(&root().join("src"));
    assert!(cycles.is_empty(), "\n{}", cycles.join("\n"));
}

#[test]
fn nothing_of_the_server_names_the_conformance_runner() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    let dependencies = dependencies.split("\n[").next().unwrap();
    assert!(
        !dependencies.contains("ftpspec"),
        "the judge and the judged share data, not code"
    );
}

#[test]
fn a_room_that_breaks_a_rule_is_found() {
    let rule = Rule {
        rooms: &[],
        never: &["tokio"],
        because: "it is so",
    };
    let found = |text: &str| lines_with(text, &rule).count();
    assert_eq!(found("use tokio::net::TcpStream;"), 1);
    assert_eq!(found("//! no tokio here\n/// nor tokio\n// tokio\n"), 0);
    assert_eq!(
        found("fn a() {}\n#[cfg(test)]\nmod tests { use tokio; }\n"),
        0
    );
    assert_eq!(found("let my_tokio_like = 1;"), 0);
}

fn offences(path: &Path, rule: &Rule) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let name = path.strip_prefix(root()).unwrap().display().to_string();
    lines_with(&text, rule)
        .map(|(number, word)| format!("{name}:{number}: {word}: {}", rule.because))
        .collect()
}

/// The lines of code, outside comments and tests, that name a forbidden word.
fn lines_with<'a>(text: &'a str, rule: &'a Rule) -> impl Iterator<Item = (usize, &'static str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| *line != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .flat_map(|(index, line)| {
            rule.never
                .iter()
                .filter(|word| names(line, word))
                .map(move |word| (index + 1, *word))
        })
}

/// Whether `word` stands in `line` by itself, not as a part of another name.
fn names(line: &str, word: &str) -> bool {
    let part_of_a_name = |found: char| found.is_alphanumeric() || found == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let behind = line[at + word.len()..].chars().next();
        let open = !word.starts_with(part_of_a_name) || !before.is_some_and(part_of_a_name);
        let closed = !word.ends_with(part_of_a_name) || !behind.is_some_and(part_of_a_name);
        open && closed
    })
}

/// `src/ROOM.rs` and all below `src/ROOM/`, but for files of tests.
fn sources(room: &str) -> Vec<PathBuf> {
    let src = root().join("src");
    let mut found = Vec::new();
    let mut rest = vec![src.join(format!("{room}.rs")), src.join(room)];
    while let Some(path) = rest.pop() {
        if path.is_dir() {
            rest.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.exists()
            && path.extension().is_some_and(|extension| extension == "rs")
            && path.file_stem().is_none_or(|stem| stem != "tests")
        {
            found.push(path);
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
