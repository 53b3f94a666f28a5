//! Reports of real runs: what is written is what is published, and can be read again, split and
//! merged.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use ftpspec::internals::report::{self, Report};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const SCHEMA: &str = include_str!("../schema/report.v1.json");

fn ftpspec(arguments: &[&str], at: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ftpspec"))
        .args(arguments)
        .current_dir(at)
        .env_remove("GITHUB_STEP_SUMMARY")
        .output()
        .unwrap()
}

fn read(path: &Path) -> Report {
    report::read(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What is wrong with a report by the published schema.
fn errors(text: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    validator
        .iter_errors(&value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// A scenario of each end: kept, broken (MUST, SHOULD, MAY), absent, and a file that is none.
fn own_scenarios(at: &Path) {
    let front = |level: &str, more: &str| {
        format!(
            "+++\ntitle = \"NOOP\"\ncites = [\"RFC 959 §5.4\"]\ncovers = [\"959-5.4-noop-replies\"]\nlevel = \"{level}\"\n{more}+++\n"
        )
    };
    let ends = [
        ("kept", front("must", "") + "> NOOP\n< 200\n"),
        ("broken", front("must", "") + "> NOOP\n< 250\n"),
        ("unwise", front("should", "") + "> NOOP\n< 250\n"),
        ("unusual", front("may", "") + "> NOOP\n< 250\n"),
        (
            "absent",
            front("must", "needs = [\"XYZZY\"]\n") + "> XYZZY\n< 200\n",
        ),
        (
            "other",
            front("must", "") + "> NOOP\n< 250\n!ends 200\n> NOOP\n< 200\n",
        ),
        ("none", "+++\n".to_owned()),
    ];
    std::fs::create_dir(at.join("mine")).unwrap();
    for (name, text) in ends {
        std::fs::write(at.join(format!("mine/{name}.ftpt")), text).unwrap();
    }
}

#[test]
fn every_form_of_a_failing_run_is_written_and_shown_again_alike() {
    let scratch = tempfile::tempdir().unwrap();
    let at = scratch.path();
    own_scenarios(at);
    let run = [
        "run",
        "mine",
        "--report-json",
        "out/r.json",
        "--junit",
        "out/j.xml",
        "--md",
        "out/r.md",
        "--html",
        "out/r.html",
    ];
    let ran = ftpspec(&run, at);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let report = read(&at.join("out/r.json"));
    // What the others rest on is played first.
    let own = report.scenarios.iter();
    let own = own.filter(|row| !row.verdict.scenario.starts_with("sanity/"));
    let words: Vec<&str> = own.map(|row| row.verdict.outcome.word()).collect();
    assert_eq!(
        words,
        [
            "UNSUPPORTED",
            "FAIL",
            "PASS",
            "INCONCLUSIVE",
            "NOTE",
            "WARN"
        ]
    );
    assert_eq!(report.invalid_scenarios, ["mine/none.ftpt"]);

    let reproduce = ftpspec(
        &[
            "report",
            "--from",
            "out/r.json",
            "--junit",
            "j.xml",
            "--md",
            "r.md",
            "--html",
            "r.html",
            "--json",
            "r.json",
        ],
        at,
    );
    assert_eq!(
        (reproduce.status.code(), reproduce.stdout.len()),
        (Some(0), 0),
        "{reproduce:?}"
    );
    for (one, other) in [
        ("out/r.json", "r.json"),
        ("out/j.xml", "j.xml"),
        ("out/r.md", "r.md"),
        ("out/r.html", "r.html"),
    ] {
        assert_eq!(
            std::fs::read(at.join(one)).unwrap(),
            std::fs::read(at.join(other)).unwrap(),
            "{other}"
        );
    }
    let shown = ftpspec(&["report", "--from", "r.json"], at);
    assert_eq!(shown.stdout, ran.stdout);

    let xml = std::fs::read_to_string(at.join("j.xml")).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let count = |tag: &str| {
        document
            .descendants()
            .filter(|node| node.has_tag_name(tag))
            .count()
    };
    assert_eq!(
        (count("failure"), count("error"), count("skipped")),
        (1, 1, 2)
    );
    assert_eq!(
        errors(&std::fs::read_to_string(at.join("r.json")).unwrap()),
        [""; 0]
    );
}

#[test]
fn a_run_in_parts_is_the_run_in_one() {
    let scratch = tempfile::tempdir().unwrap();
    let at = scratch.path();
    let select = ["check", "--select", "rfc2428"];
    let whole = ftpspec(
        &[&select[..], &["--report-json", "whole.json"]].concat(),
        at,
    );
    assert_eq!(whole.status.code(), Some(0), "{whole:?}");
    for part in ["1", "2", "3"] {
        let (partition, file) = (format!("hash:{part}/3"), format!("{part}.json"));
        let split = [
            &select[..],
            &["--partition", &partition, "--report-json", &file],
        ]
        .concat();
        assert_eq!(ftpspec(&split, at).status.code(), Some(0));
    }
    let part_missing = ftpspec(
        &["report", "merge", "1.json", "3.json", "-o", "merged.json"],
        at,
    );
    assert_eq!(part_missing.status.code(), Some(3));
    assert!(
        String::from_utf8_lossy(&part_missing.stderr).contains("part 2/3 of the run is missing")
    );

    let merged = ftpspec(
        &[
            "report",
            "merge",
            "3.json",
            "1.json",
            "2.json",
            "-o",
            "merged.json",
        ],
        at,
    );
    assert_eq!(merged.status.code(), Some(0), "{merged:?}");
    let (whole, merged) = (read(&at.join("whole.json")), read(&at.join("merged.json")));
    let rows = |report: &Report| {
        let verdicts = report.scenarios.iter().map(|row| &row.verdict);
        let mut rows: Vec<_> = verdicts
            .map(|it| (it.scenario.clone(), it.variant, it.outcome))
            .collect();
        rows.sort();
        rows
    };
    assert!(whole.scenarios.len() > 10);
    assert_eq!(rows(&whole), rows(&merged));
    let judged = |report: &Report| {
        report
            .judges
            .iter()
            .map(|row| (row.judge.clone(), row.outcome))
            .collect::<Vec<_>>()
    };
    assert_eq!(judged(&whole), judged(&merged));
    let split: Vec<usize> = ["1", "2", "3"]
        .iter()
        .map(|part| read(&at.join(format!("{part}.json"))).scenarios.len())
        .collect();
    assert!(split.iter().all(|rows| *rows > 0), "{split:?}");
    assert_eq!(errors(&report::json(&merged)), [""; 0]);
}

#[test]
fn the_job_summary_of_github_is_added_to() {
    let scratch = tempfile::tempdir().unwrap();
    let at = scratch.path();
    let summary = at.join("summary.md");
    std::fs::write(&summary, "before\n").unwrap();
    let check = ["check", "--select", "rfc959/noop-says-200", "--github"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftpspec"));
    let ran = command
        .args(check)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let text = std::fs::read_to_string(&summary).unwrap();
    assert!(
        text.starts_with("before\n## ✅ FTP conformance: As expected\n"),
        "{text}"
    );
    let nowhere = ftpspec(&check, at);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(nowhere.stdout.is_empty());
}

#[test]
fn a_file_that_is_not_a_report_is_refused_with_a_reason() {
    let scratch = tempfile::tempdir().unwrap();
    let at = scratch.path();
    std::fs::write(at.join("x.json"), "{}").unwrap();
    for (file, why) in [
        ("x.json", "x.json: this is not a report of ftpspec"),
        ("gone.json", "gone.json: "),
    ] {
        let output = ftpspec(&["report", "--from", file], at);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(why),
            "{output:?}"
        );
    }
}

#[test]
fn the_published_schema_is_that_of_what_is_written() {
    let at = Path::new(env!("CARGO_MANIFEST_DIR"));
    let current = ftpspec(&["report", "schema"], at);
    let current = String::from_utf8(current.stdout).unwrap();
    assert!(
        current == SCHEMA,
        "the report changed: cargo run -q -- report schema > conformance/schema/report.v1.json, if fields were only added"
    );
}

#[test]
fn the_schema_refuses_what_is_no_report_and_lets_new_fields_pass() {
    let scratch = tempfile::tempdir().unwrap();
    let at = scratch.path();
    let ran = ftpspec(
        &[
            "check",
            "--select",
            "rfc959/noop-says-200",
            "--format",
            "json",
        ],
        at,
    );
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut report = report.clone();
        change(&mut report);
        errors(&report.to_string()).len()
    };
    assert_eq!(with(&|_| ()), 0);
    assert_eq!(with(&|report| report["new"] = 1.into()), 0);
    assert!(with(&|report| report["scenarios"][0]["outcome"] = "fine".into()) > 0);
    assert!(with(&|report| report["duration_ms"] = "1".into()) > 0);
    assert!(with(&|report| drop(report.as_object_mut().unwrap().remove("target"))) > 0);
}
