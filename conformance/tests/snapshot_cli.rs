//! What the `ftpspec` command keeps and compares: snapshots and differences.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod served;

use served::Served;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Data connections in all ways, TLS, a listing, FEAT.
const SOME: [&str; 4] = [
    "--select",
    "rfc959/list-names-the-files",
    "--select",
    "rfc2389/feat-twice",
];

fn ftpspec(arguments: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ftpspec"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complained(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn snapshot(verb: &str, kept: &str, directory: &Path) -> Output {
    let arguments = [&["snapshot", verb, "--dir", kept], &SOME[..]].concat();
    ftpspec(&arguments, directory)
}

/// Names and contents.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Changes every file in which this is found; how many that were.
fn replace(directory: &Path, old: &str, new: &str) -> usize {
    let mut changed = 0;
    for (name, text) in files(directory) {
        if text.contains(old) {
            fs::write(directory.join(name), text.replace(old, new)).unwrap();
            changed += 1;
        }
    }
    changed
}

#[test]
fn what_is_recorded_twice_is_the_same_to_the_last_octet() {
    let directory = tempfile::tempdir().unwrap();
    for kept in ["one", "two"] {
        let output = snapshot("record", kept, directory.path());
        assert_eq!(code(&output), 0, "{output:?}");
    }
    let one = files(&directory.path().join("one"));
    assert!(one.len() > 5, "{:?}", one.keys());
    assert!(one.keys().any(|name| name.ends_with("@epsv-tls.snap")));
    assert_eq!(one, files(&directory.path().join("two")));
    let diff = ftpspec(&["diff", "one", "two"], directory.path());
    assert_eq!(code(&diff), 0, "{}", said(&diff));
    assert!(said(&diff).ends_with("A and B are alike\n"));
}

#[test]
fn a_changed_reply_waits_for_review_until_it_is_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("kept");
    assert_eq!(code(&snapshot("record", "kept", directory.path())), 0);
    let recorded = files(&kept);
    assert_eq!(code(&snapshot("check", "kept", directory.path())), 0);
    assert_eq!(files(&kept), recorded);

    let listings = replace(&kept, "S: 221 Goodbye.", "S: 221 Farewell.");
    let missing = recorded.keys().next().unwrap();
    fs::remove_file(kept.join(missing)).unwrap();
    let output = snapshot("check", "kept", directory.path());
    assert_eq!(code(&output), 1);
    let text = said(&output);
    assert!(
        text.contains("\n- S: 221 Farewell.\n+ S: 221 Goodbye.\n"),
        "{text}"
    );
    assert_eq!(
        text.matches("CHANGED").count(),
        1,
        "one kind of change is shown once: {text}"
    );
    assert_eq!(text.matches("NEW ").count(), 1, "{text}");
    // What waits is what would be recorded.
    let waiting: BTreeMap<_, _> = files(&kept)
        .into_iter()
        .filter_map(|(name, text)| Some((name.strip_suffix(".new")?.to_owned(), text)))
        .collect();
    for (name, text) in &waiting {
        assert_eq!(*text, recorded[name], "{name}");
    }
    assert!(waiting.contains_key(missing));
    assert_eq!(waiting.len(), listings);

    replace(&kept, "S: 221 Farewell.", "S: 221 Goodbye.");
    fs::write(kept.join(missing), &recorded[missing]).unwrap();
    assert_eq!(code(&snapshot("check", "kept", directory.path())), 0);
    assert_eq!(files(&kept), recorded, "nothing waits any more");
}

#[test]
fn what_was_not_asked_for_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("kept");
    fs::create_dir(&kept).unwrap();
    let gone = "---\nsource: scenarios/rfc959/gone.ftpt\ndescription: \"PASS: rfc959/gone [pasv]\"\n---\nS: 220 x\n";
    fs::write(kept.join("rfc959__gone@pasv.snap"), gone).unwrap();
    let foreign = "---\nsource: tests/a.rs\nexpression: a\n---\n7\n";
    fs::write(kept.join("tests__a.snap"), foreign).unwrap();
    assert_eq!(code(&snapshot("record", "kept", directory.path())), 0);
    let files = files(&kept);
    assert!(files.contains_key("rfc959__gone@pasv.snap"));
    assert_eq!(files["tests__a.snap"], foreign);
}

#[test]
fn reports_directories_and_servers_are_compared() {
    let directory = tempfile::tempdir().unwrap();
    let report = ftpspec(
        &[&["check", "--format", "json"], &SOME[..]].concat(),
        directory.path(),
    );
    fs::write(directory.path().join("a.json"), &report.stdout).unwrap();
    let text = said(&report);
    let worse = text.replacen("\"outcome\": \"pass\"", "\"outcome\": \"fail\"", 1);
    assert_ne!(text, worse);
    fs::write(directory.path().join("b.json"), worse).unwrap();

    let alike = ftpspec(
        &[&["diff", "a.json", "embedded"], &SOME[..]].concat(),
        directory.path(),
    );
    assert_eq!(code(&alike), 0, "{}", said(&alike));
    assert!(said(&alike).contains("a report holds none"));
    let differ = ftpspec(&["diff", "a.json", "b.json"], directory.path());
    assert_eq!(code(&differ), 1);
    assert!(said(&differ).contains("PASS → FAIL  "), "{}", said(&differ));

    assert_eq!(code(&snapshot("record", "kept", directory.path())), 0);
    let kept = directory.path().join("kept");
    assert!(replace(&kept, "S: 221 Goodbye.", "S: 221 Farewell.") > 5);
    let arguments = [&["diff", "kept", "embedded", "--format", "json"], &SOME[..]].concat();
    let output = ftpspec(&arguments, directory.path());
    assert_eq!(code(&output), 1);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["schema"], "ftpspec-diff");
    assert_eq!(json["verdicts"], serde_json::json!([]));
    let words = json["replies"]["words"].as_array().unwrap();
    assert_eq!(words.len(), 1, "{words:?}");
    assert_eq!(words[0]["verb"], "QUIT");
    assert_eq!(words[0]["b"], serde_json::json!(["221 Goodbye."]));
}

#[test]
fn what_cannot_be_compared_is_said_with_a_next_step() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("empty")).unwrap();
    fs::write(directory.path().join("no.json"), "{}").unwrap();
    for (arguments, message) in [
        (
            &["snapshot", "check", "--dir", "empty"][..],
            "`ftpspec snapshot record --dir empty` creates them",
        ),
        (&["snapshot", "check", "--dir", "nowhere"], "nowhere: "),
        (
            &["diff", "embedded", "empty"],
            "there are no snapshots here",
        ),
        (
            &["diff", "embedded", "gone.json"],
            "there is no such report or directory",
        ),
        (&["diff", "embedded", "no.json"], "no.json: "),
    ] {
        let output = ftpspec(arguments, directory.path());
        assert_eq!(code(&output), 2, "{arguments:?}: {output:?}");
        assert!(
            complained(&output).contains(message),
            "{arguments:?}: {}",
            complained(&output)
        );
        assert_eq!(said(&output), "", "{arguments:?}");
    }
}

/// A server with this fault.
fn odd(fault: &str) -> Served {
    Served::start(&["--bind", "127.0.0.1", "--tls", "off", "--fault", fault])
}

fn url(server: &Served) -> &str {
    server.ready["url"].as_str().unwrap()
}

#[test]
fn what_did_not_come_in_time_is_no_truth() {
    let directory = tempfile::tempdir().unwrap();
    let (silent, talking) = (odd("when SIZE do drop"), odd("when NOOP nth 9999 do drop"));
    let play = |verb: &str, server: &Served| {
        let arguments = [
            "snapshot",
            verb,
            url(server),
            "--dir",
            "kept",
            "--timeout",
            "0.5",
        ];
        let select = ["--select", "rfc3659/size-missing-550"];
        ftpspec(&[&arguments[..], &select].concat(), directory.path())
    };
    let of_size = || {
        let kept = files(&directory.path().join("kept"));
        let mut kept = kept.into_iter();
        kept.find(|(name, _)| name == "rfc3659__size-missing-550@pasv.snap")
    };
    let recorded = play("record", &silent);
    assert_eq!(code(&recorded), 0, "{}", complained(&recorded));
    assert!(
        said(&recorded).contains("TIME-OUT rfc3659/size-missing-550 [pasv]"),
        "{}",
        said(&recorded)
    );
    assert_eq!(of_size(), None);
    // It is no news either as long as it never came, and does not take the place of what did.
    assert_eq!(code(&play("check", &silent)), 0);
    assert_eq!(code(&play("record", &talking)), 0);
    let kept = of_size();
    assert!(kept.is_some());
    assert_eq!(code(&play("check", &talking)), 0);
    assert_eq!(code(&play("record", &silent)), 0);
    assert_eq!(of_size(), kept);
    let worse = play("check", &silent);
    assert_eq!(code(&worse), 1);
    assert!(said(&worse).contains("+ -- no reply"), "{}", said(&worse));
}

#[test]
fn a_baseline_accepts_what_it_knows_until_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let faulty = odd("when NOOP do reply 250 Odd.");
    let check = |url: &[&str], more: &[&str]| {
        let select = [
            "--select",
            "rfc959/noop-says-200",
            "--select",
            "rfc959/syst*",
        ];
        ftpspec(&[&["check"], url, &select, more].concat(), directory.path())
    };
    let report = check(&[url(&faulty)], &["--format", "json"]);
    assert_eq!(code(&report), 1, "{}", said(&report));
    fs::write(directory.path().join("report.json"), &report.stdout).unwrap();

    let update = [
        "baseline",
        "update",
        "known.toml",
        "--from",
        "report.json",
        "--reason",
    ];
    let dry = ftpspec(
        &[&update[..], &["as ever", "--dry-run"]].concat(),
        directory.path(),
    );
    assert_eq!(code(&dry), 1);
    assert!(!directory.path().join("known.toml").exists());
    assert_eq!(
        code(&ftpspec(&[&update[..], &[" "]].concat(), directory.path())),
        2
    );
    let updated = ftpspec(&[&update[..], &["as ever"]].concat(), directory.path());
    assert_eq!(code(&updated), 0, "{}", complained(&updated));
    assert!(
        said(&updated).contains("added   FAIL rfc959/noop-says-200 [*]"),
        "{}",
        said(&updated)
    );
    assert_eq!(
        code(&ftpspec(
            &[&update[..], &["x", "--dry-run"]].concat(),
            directory.path()
        )),
        0
    );

    let known = check(&[url(&faulty)], &["--baseline", "known.toml"]);
    assert_eq!(code(&known), 0, "{}{}", said(&known), complained(&known));
    let stale = check(&[], &["--baseline", "known.toml"]);
    assert_eq!(code(&stale), 1, "{}", said(&stale));
    assert!(
        complained(&stale).contains("known.toml:"),
        "{}",
        complained(&stale)
    );
    assert!(
        complained(&stale).contains("it holds now"),
        "{}",
        complained(&stale)
    );

    let text = fs::read_to_string(directory.path().join("known.toml")).unwrap();
    let misspelt = text.replace("noop-says-200", "noop-said-200");
    fs::write(directory.path().join("typo.toml"), misspelt).unwrap();
    let typo = check(
        &[url(&faulty)],
        &["--baseline", "known.toml", "--baseline", "typo.toml"],
    );
    assert_eq!(code(&typo), 1);
    let message = complained(&typo);
    assert!(
        message.contains("did you mean `rfc959/noop-says-200`?"),
        "{message}"
    );

    fs::write(
        directory.path().join("bad.toml"),
        "[[known]]\nscenario = \"a\"\n",
    )
    .unwrap();
    let bad = check(&[url(&faulty)], &["--baseline", "bad.toml"]);
    assert_eq!((code(&bad), said(&bad).as_str()), (2, ""));
}

#[test]
fn a_frozen_set_is_listed_and_plays_its_scenarios_only() {
    let directory = tempfile::tempdir().unwrap();
    let listed = ftpspec(&["list", "sets"], directory.path());
    assert!(said(&listed).contains("core-1 "), "{}", said(&listed));
    let listed = ftpspec(&["list", "--set", "core-1"], directory.path());
    let ids: Vec<_> = said(&listed)
        .lines()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert!(
        ids.len() > 20
            && ids
                .iter()
                .all(|id| id.starts_with("rfc959/") || id.starts_with("rfc1123/"))
    );

    // An own set, frozen as the message says.
    let frozen = said(&ftpspec(
        &["list", "rfc959/noop-says-200", "--freeze"],
        directory.path(),
    ));
    fs::write(directory.path().join("mine-1.toml"), &frozen).unwrap();
    let played = ftpspec(
        &["check", "--set", "mine-1.toml", "--format", "json"],
        directory.path(),
    );
    assert_eq!(code(&played), 0, "{}", complained(&played));
    let report: serde_json::Value = serde_json::from_slice(&played.stdout).unwrap();
    let rows = report["scenarios"].as_array().unwrap();
    let ids: BTreeSet<_> = rows
        .iter()
        .map(|row| row["scenario"].as_str().unwrap())
        .filter(|id| !id.starts_with("sanity/"))
        .collect();
    assert_eq!(ids, ["rfc959/noop-says-200"].into());
    assert_eq!(report["filters"]["scenarios"], true);

    let digest = frozen.rsplit('"').nth(1).unwrap();
    let thawed = frozen.replace(digest, &"0".repeat(digest.len()));
    fs::write(directory.path().join("mine-2.toml"), thawed).unwrap();
    for (set, message) in [
        ("mine-2.toml", "does not ask what it asked"),
        ("core-77", "there is no set `core-77`; there are "),
        ("gone-1.toml", "gone-1.toml: "),
    ] {
        let refused = ftpspec(&["check", "--set", set], directory.path());
        assert_eq!(code(&refused), 2, "{set}");
        assert!(
            complained(&refused).contains(message),
            "{}",
            complained(&refused)
        );
    }
}
