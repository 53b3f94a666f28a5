//! What the `ftpspec` command keeps and compares: snapshots and differences.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::BTreeMap;
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
        "one sort of change is told once: {text}"
    );
    assert_eq!(text.matches("NEW ").count(), 1, "{text}");
    // What waits is what would be recorded.
    let waiting: BTreeMap<_, _> = files(&kept)
        .into_iter()
        .filter_map(|(name, text)| Some((name.strip_suffix(".new")?.to_owned(), text)))
        .collect();
    assert_eq!(waiting, recorded);
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
    for (arguments, told) in [
        (
            &["snapshot", "check", "--dir", "empty"][..],
            "`ftpspec snapshot record --dir empty` makes them",
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
            complained(&output).contains(told),
            "{arguments:?}: {}",
            complained(&output)
        );
        assert_eq!(said(&output), "", "{arguments:?}");
    }
}
