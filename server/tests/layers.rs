//! Which module of the server may use what. ARCHITECTURE.md has the reasons.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod module_graph;

use std::fs;
use std::path::{Path, PathBuf};

/// Names that modules must not contain, and the reason.
struct Rule {
    modules: &'static [&'static str],
    never: &'static [&'static str],
    because: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        modules: &["wire", "pi"],
        never: &["tokio", "async fn", ".await", "Future"],
        because: "decisions do not wait: grammar and decisions are tested without a runtime",
    },
    Rule {
        modules: &["wire", "pi"],
        never: &["TcpStream", "TcpListener", "UdpSocket", "socket2", "rustls"],
        because: "the server-PI learns of connections but never holds one; addresses are allowed",
    },
    Rule {
        modules: &["wire", "pi"],
        never: &["std::fs", "std::env", "std::process", "std::thread"],
        because: "grammar and decisions do not access the host",
    },
    Rule {
        modules: &["wire", "pi"],
        never: &[
            "Instant",
            "SystemTime::now",
            "Timestamp::now",
            "Zoned::now",
            ".elapsed()",
        ],
        because: "a decision that reads a clock cannot be replayed: times are parameters",
    },
    Rule {
        modules: &["wire", "pi"],
        never: &[
            "crate::net",
            "crate::dtp",
            "crate::observe",
            "crate::builder",
            "crate::ServerBuilder",
        ],
        because: "decisions do not depend on the code that carries them out",
    },
    Rule {
        modules: &["wire"],
        never: &["crate::pi"],
        because: "the grammar of lines and replies does not depend on decisions",
    },
    Rule {
        modules: &["pi"],
        never: &["MemFs", "VfsStorage", "DiskStorage", "Accounts"],
        because: "the server-PI uses storages and authenticators through their traits only",
    },
    Rule {
        modules: &["storage", "auth"],
        never: &[
            "crate::pi",
            "crate::net",
            "crate::dtp",
            "crate::wire",
            "crate::observe",
            "crate::config",
        ],
        because: "storages and authenticators report results; the server-PI decides the replies",
    },
    Rule {
        modules: &["storage"],
        never: &["tokio"],
        because: "storages block and do not depend on a runtime; `net` and `dtp` call them on threads",
    },
    Rule {
        modules: &["fault"],
        never: &["tokio", "rustls", "crate::net", "crate::dtp", "crate::pi"],
        because: "a fault plan decides what fails and when; `net` and `dtp` carry it out",
    },
    Rule {
        modules: &["observe/journal"],
        never: &[
            "crate::pi",
            "crate::net",
            "crate::dtp",
            "crate::observe::hooks",
            "crate::observe::sessions",
        ],
        because: "the journal does not depend on the modules that report to it",
    },
    Rule {
        modules: &["dtp"],
        never: &["crate::net", "Session", "Step", "Meanwhile", "Question"],
        because: "the server-DTP gets plain requests (Transfer, Listing) and makes no decisions",
    },
    Rule {
        modules: &["dtp", "net"],
        never: &["done(", "CommandLine", "Verb::"],
        because: "only pi decides replies to commands",
    },
];

#[test]
fn no_module_uses_what_it_must_not() {
    let mut violated = Vec::new();
    for rule in RULES {
        for module in rule.modules {
            let sources = sources(module);
            assert!(!sources.is_empty(), "there is no module {module}");
            for source in sources {
                violated.extend(violations(&source, rule));
            }
        }
    }
    assert!(violated.is_empty(), "\n{}", violated.join("\n"));
}

#[test]
fn the_module_graph_is_acyclic() {
    let cycles = module_graph::cycles(&root().join("src"));
    assert!(cycles.is_empty(), "\n{}", cycles.join("\n"));
}

#[test]
fn the_server_does_not_depend_on_the_conformance_runner() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    let dependencies = dependencies.split("\n[").next().unwrap();
    assert!(
        !dependencies.contains("ftpspec"),
        "the server under test and the conformance runner must not share code"
    );
}

#[test]
fn a_violation_is_found_outside_comments_and_tests() {
    let rule = Rule {
        modules: &[],
        never: &["tokio"],
        because: "test",
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

fn violations(path: &Path, rule: &Rule) -> Vec<String> {
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

/// Whether `line` contains `word` as a whole name, not as a part of another name.
fn names(line: &str, word: &str) -> bool {
    let part_of_a_name = |found: char| found.is_alphanumeric() || found == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let open = !word.starts_with(part_of_a_name) || !before.is_some_and(part_of_a_name);
        let closed = !word.ends_with(part_of_a_name) || !after.is_some_and(part_of_a_name);
        open && closed
    })
}

/// `src/MODULE.rs` and all files below `src/MODULE/`, except those of tests.
fn sources(module: &str) -> Vec<PathBuf> {
    let src = root().join("src");
    let mut found = Vec::new();
    let mut rest = vec![src.join(format!("{module}.rs")), src.join(module)];
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
