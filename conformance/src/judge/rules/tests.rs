//! What judges claim to cover, proven: every requirement they name is in the catalogue, and a
//! dialogue that breaks it is found.

use super::{JUDGES, Judge};
use crate::catalogue::{Catalogue, RequirementSide};
use crate::judge::testing::findings;
use crate::scenario::Level;
use std::collections::BTreeSet;

/// A dialogue that breaks each requirement a judge claims.
const BROKEN: &[(&str, &str, &[&str])] = &[
    (
        "reply-syntax",
        "959-4.2-three-digit-code",
        &["S: 220 x", "C: NOOP", "S: ok"],
    ),
    (
        "reply-syntax",
        "959-4.2-first-digit-range",
        &["S: 220 x", "C: NOOP", "S: 700 x"],
    ),
    (
        "reply-syntax",
        "959-4.2-second-digit-range",
        &["S: 220 x", "C: NOOP", "S: 260 x"],
    ),
    (
        "reply-syntax",
        "959-4.2-crlf-line-ends",
        &["S: 220 x", "C: NOOP", "S! 200 x\\n"],
    ),
    (
        "reply-syntax",
        "959-4.2-multiline-open",
        &["S: 220 x", "C: STAT", "S: 211", "S: y / 211 z"],
    ),
    (
        "reply-syntax",
        "959-4.2-multiline-close",
        &["S: 220 x", "C: STAT", "S: 211-x / y", "silence"],
    ),
    (
        "reply-syntax",
        "959-4.2-multiline-inner-pad",
        &["S: 220 x", "C: STAT", "S: 211-x / 213 y / 211 z"],
    ),
    (
        "reply-syntax",
        "959-4.2-multiline-no-nesting",
        &["S: 220 x", "C: STAT", "S: 211-x / 213-y / 213 y / 211 z"],
    ),
    (
        "reply-syntax",
        "1123-4.1.2.11-only-correct-replies",
        &["S: 220 x", "C: NOOP", "S! 200 x\\n"],
    ),
    ("reply-code", "959-5.4-greeting-code", &["S: 331 x"]),
    (
        "reply-code",
        "959-5.4-table-strict",
        &["S: 220 x", "C: NOOP", "S: 250 x"],
    ),
    (
        "reply-code",
        "959-4.2-no-new-codes",
        &["S: 220 x", "C: CWD a", "S: 259 x"],
    ),
    (
        "reply-code",
        "1123-4.1.2.11-use-959-codes",
        &["S: 220 x", "C: DELE a", "S: 200 x"],
    ),
    (
        "one-completion",
        "959-4.2-one-preliminary-only",
        &["S: 220 x", "C: RETR a", "S: 125 x", "S: 150 x", "S: 226 x"],
    ),
    (
        "one-completion",
        "959-5.4-prelim-before-final-order",
        &["S: 220 x", "C: RETR a", "S: 226 x"],
    ),
    (
        "one-completion",
        "959-5.4-no-spontaneous-reply",
        &["S: 220 x", "S: 200 x"],
    ),
    (
        "one-completion",
        "1123-4.1.2.11-only-correct-replies",
        &["S: 220 x", "C: NOOP", "S: 200 x", "S: 200 x"],
    ),
    (
        "address",
        "959-4.1.2-pasv-not-default-port",
        &["S: 220 x", "C: PASV", "S: 227 (127,0,0,1,8,72)"],
    ),
    (
        "address",
        "1123-4.1.2.12-data-port-same-ip",
        &["S: 220 x", "port from 127.0.0.3:20"],
    ),
    (
        "address",
        "2577-8-random-ports",
        &[
            "S: 220 x",
            "C: EPSV",
            "S: 229 (|||6001|)",
            "C: EPSV",
            "S: 229 (|||6002|)",
            "C: EPSV",
            "S: 229 (|||6003|)",
            "C: EPSV",
            "S: 229 (|||6004|)",
            "C: EPSV",
            "S: 229 (|||6005|)",
            "C: EPSV",
            "S: 229 (|||6006|)",
        ],
    ),
    (
        "address",
        "959-4.2.1-pasv-text",
        &["S: 220 x", "C: PASV", "S: 227 x"],
    ),
    (
        "address",
        "1123-4.1.2.6-pasv-address-is-server",
        &["S: 220 x", "C: PASV", "S: 227 (10,0,0,1,4,1)"],
    ),
    (
        "address",
        "2428-3-epsv-229",
        &["S: 220 x", "C: EPSV", "S: 229 (4711)"],
    ),
    (
        "pathname-257",
        "959-a2-257-quoted-path",
        &["S: 220 x", "C: PWD", "S: 257 /"],
    ),
    (
        "pathname-257",
        "959-a2-257-quote-doubling",
        &["S: 220 x", "C: PWD", "S: 257 \"/a\"b\""],
    ),
    (
        "feat",
        "5797-2.2-no-pseudo-feat",
        &["S: 220 x", "C: FEAT", "S: 211-x /  nat6 / 211 End"],
    ),
    (
        "feat",
        "2389-3.2-one-space-indent",
        &["S: 220 x", "C: FEAT", "S: 211-x /   MDTM / 211 End"],
    ),
    (
        "feat",
        "2389-3.2-last-line",
        &["S: 220 x", "C: FEAT", "S: 211-x /  MDTM / 211 done"],
    ),
    (
        "feat",
        "2389-3.2-no-blank-lines",
        &["S: 220 x", "C: FEAT", "S: 211-x /  MDTM /  / 211 End"],
    ),
    (
        "feat",
        "2389-3.2-no-features-single-line",
        &["S: 220 x", "C: FEAT", "S: 211-x / 211 End"],
    ),
    (
        "feat",
        "2389-3.2-one-feature-per-line",
        &["S: 220 x", "C: FEAT", "S: 211-x /  SIZE MDTM / 211 End"],
    ),
    (
        "feat",
        "2389-3.2-feat-not-listed",
        &["S: 220 x", "C: FEAT", "S: 211-x /  FEAT / 211 End"],
    ),
    (
        "feat",
        "2389-3.2-uppercase",
        &["S: 220 x", "C: FEAT", "S: 211-x /  mdtm / 211 End"],
    ),
    (
        "mlsx",
        "3659-7.2-mlst-250-multiline",
        &["S: 220 x", "C: MLST a", "S: 250 type=file; a"],
    ),
    (
        "mlsx",
        "3659-7.2-mlst-leading-space",
        &["S: 220 x", "C: MLST a", "S: 250-x / type=file; a / 250 End"],
    ),
    (
        "mlsx",
        "3659-7.2-entry-format",
        &["S: 220 x", "C: MLST a", "S: 250-x /  type=file a / 250 End"],
    ),
    (
        "mlsx",
        "3659-7.2-lines-crlf",
        &[
            "S: 220 x",
            "C: MLSD",
            "S: 150 x",
            "D< type=file; a\\n",
            "D.",
            "S: 226 x",
        ],
    ),
    (
        "mlsx",
        "3659-7.1-no-header-lines",
        &[
            "S: 220 x",
            "C: MLSD",
            "S: 150 x",
            "D< total 1\\r\\ntype=file; a\\r\\n",
            "D.",
            "S: 226 x",
        ],
    ),
    (
        "mlsx",
        "3659-7.5.3-modify-format",
        &[
            "S: 220 x",
            "C: MLST a",
            "S: 250-x /  modify=1700000000; a / 250 End",
        ],
    ),
    (
        "mlsx",
        "3659-7.5.7-size-fact",
        &["S: 220 x", "C: MLST a", "S: 250-x /  size=1k; a / 250 End"],
    ),
    (
        "mlsx",
        "3659-2.3-time-val-syntax",
        &[
            "S: 220 x",
            "C: MLST a",
            "S: 250-x /  modify=2024; a / 250 End",
        ],
    ),
    (
        "mlsx",
        "3659-2.3-time-val-ranges",
        &[
            "S: 220 x",
            "C: MLST a",
            "S: 250-x /  modify=20241301000000; a / 250 End",
        ],
    ),
    (
        "mlsx",
        "3659-2.3-no-bare-dot",
        &[
            "S: 220 x",
            "C: MLST a",
            "S: 250-x /  modify=20240101000000.; a / 250 End",
        ],
    ),
    (
        "feat",
        "3659-7.8-no-feat-mlsd",
        &[
            "S: 220 x",
            "C: FEAT",
            "S: 211-x /  MLST type*; /  MLSD / 211 End",
        ],
    ),
    (
        "mlsx",
        "3659-7.5-local-fact-prefix",
        &[
            "S: 220 x",
            "C: MLST a",
            "S: 250-x /  colour=green; a / 250 End",
        ],
    ),
    (
        "mlsx",
        "3659-7.5.1.4-pdir-mlsd-only",
        &[
            "S: 220 x",
            "C: MLST a",
            "S: 250-x /  type=pdir; a / 250 End",
        ],
    ),
    (
        "mlsx",
        "3659-7.5.4-create-not-after-modify",
        &[
            "S: 220 x",
            "C: MLST a",
            "S: 250-x /  create=20240102000000;modify=20240101000000; a / 250 End",
        ],
    ),
    (
        "mlsx",
        "3659-7.5.8-media-type-not-guessed",
        &[
            "S: 220 x",
            "C: MLST a",
            "S: 250-x /  type=dir;media-type=text/plain; a / 250 End",
        ],
    ),
    (
        "mdtm-size-213",
        "3659-3.1-mdtm-213",
        &["S: 220 x", "C: MDTM a", "S: 213 Monday"],
    ),
    (
        "mdtm-size-213",
        "3659-3.1-mdtm-single-line",
        &["S: 220 x", "C: MDTM a", "S: 213-20240101000000 / 213 x"],
    ),
    (
        "mdtm-size-213",
        "3659-4.1-size-213",
        &["S: 220 x", "C: SIZE a", "S: 213 1 octet"],
    ),
    (
        "mdtm-size-213",
        "3659-4.1-size-single-line",
        &["S: 220 x", "C: SIZE a", "S: 213-1 / 213 x"],
    ),
    (
        "mdtm-size-213",
        "3659-2.3-time-val-syntax",
        &["S: 220 x", "C: MDTM a", "S: 213 2024"],
    ),
    (
        "mdtm-size-213",
        "3659-2.3-time-val-ranges",
        &["S: 220 x", "C: MDTM a", "S: 213 20240101240000"],
    ),
    (
        "mdtm-size-213",
        "3659-2.3-no-bare-dot",
        &["S: 220 x", "C: MDTM a", "S: 213 20240101000000."],
    ),
    (
        "telnet",
        "1123-4.1.2.12-telnet-refuse",
        &[
            "S: 220 x",
            "C! \\xff\\xfb\\x01NOOP\\r\\n",
            "S: 200 x",
            "C: NOOP",
            "S: 200 x",
        ],
    ),
    (
        "tls",
        "4217-12.7-tls-shutdown-before-226",
        &["S: 220 x", "C: RETR a", "S: 150 x", "D. cut", "S: 226 x"],
    ),
    (
        "telnet",
        "854-no-answer-to-what-is-so",
        &[
            "S: 220 x",
            "C! \\xff\\xfc\\x01NOOP\\r\\n",
            "S! \\xff\\xfe\\x01200 x\\r\\n",
        ],
    ),
    (
        "closing",
        "2577-5-421-before-close",
        &["S: 220 x", "C: PASS a", "S: 530 x", "closed"],
    ),
    (
        "tls",
        "4217-15.1.1-same-cert",
        &["tls a", "S: 220 x", "data tls b"],
    ),
];

/// The codes of each command are one requirement each, all broken alike: `959-5.4-noop-replies`.
fn verb_of(id: &str) -> Option<String> {
    let verb = id.strip_prefix("959-5.4-")?;
    let verb = verb
        .strip_suffix("-replies")
        .or_else(|| verb.strip_suffix("-reply"))?;
    // `959-5.4-no-spontaneous-reply` is about no verb.
    (!verb.contains('-')).then(|| verb.to_uppercase())
}

fn breaks(judge: &Judge, dialogue: &[&str]) -> bool {
    let found = findings(judge, dialogue);
    found.iter().any(|finding| finding.level <= Level::Should)
}

#[test]
fn what_a_judge_claims_is_in_the_catalogue_and_binds_servers() {
    for judge in JUDGES {
        let unique: BTreeSet<&str> = judge.covers.iter().copied().collect();
        assert_eq!(
            unique.len(),
            judge.covers.len(),
            "{}: an id is there twice",
            judge.name
        );
        for id in judge.covers {
            let side = Catalogue::built_in()
                .get(id)
                .map(|requirement| requirement.side);
            assert_eq!(side, Some(RequirementSide::Server), "{}: {id}", judge.name);
        }
    }
}

#[test]
fn what_a_judge_claims_it_finds_broken() {
    for judge in JUDGES {
        for id in judge.covers {
            if let Some(verb) = verb_of(id) {
                let command = format!("C: {verb} a");
                // No command of RFC 959 is answered with another than these two in any clause.
                for reply in ["S: 659 x", "S: 229 x"] {
                    assert!(
                        breaks(judge, &["S: 220 x", &command, reply]),
                        "{id}: {reply}"
                    );
                }
                continue;
            }
            let row = BROKEN
                .iter()
                .find(|row| (row.0, row.1) == (judge.name, *id));
            let Some((_, _, dialogue)) = row else {
                panic!("{}: nothing shows how {id} is broken", judge.name);
            };
            assert!(
                breaks(judge, dialogue),
                "{}: {id} is broken unnoticed",
                judge.name
            );
        }
    }
}

#[test]
fn every_broken_dialogue_belongs_to_a_claim() {
    for (name, id, _) in BROKEN {
        let judge = JUDGES.iter().find(|judge| judge.name == *name);
        assert!(
            judge.is_some_and(|judge| judge.covers.contains(id)),
            "{name}: {id}"
        );
    }
}
