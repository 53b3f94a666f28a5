//! Scenarios for clients, played by conforming and by faulty clients; `ftpspec check-client`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use ftpspec::ScenarioId;
use ftpspec::internals::client::{Adapter, Suite, checked, selftest};
use std::path::Path;
use std::process::{Command, Output};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_expectation_and_rule_is_broken_by_a_fault_and_by_no_conforming_client() {
    let suite = Suite::embedded();
    assert!(suite.broken.is_empty());
    let found = selftest(&suite.scenarios, 48).await;
    let mut weak = found.alarms.clone();
    let survivors = found.survivors.iter();
    weak.extend(survivors.map(|at| format!("{at}: no fault breaks this expectation")));
    let rules = found.unbroken_rules().into_iter();
    weak.extend(rules.map(|rule| format!("{rule}: no fault breaks this rule")));
    assert!(weak.is_empty(), "{}", weak.join("\n"));
    assert!(found.played > suite.scenarios.len() * 4);
}

/// The binary with these arguments, in a directory of its own.
fn ftpspec(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftpspec"));
    command.args(arguments).current_dir(directory);
    command.output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

const ONE: [&str; 3] = ["check-client", "--select", "client/basic/missing-file"];

fn with_client(directory: &Path, script: &str) -> Output {
    let arguments = [&ONE[..], &["--", "sh", "-c", script]].concat();
    ftpspec(directory, &arguments)
}

#[test]
fn a_program_is_given_the_task_in_its_environment_and_judged_by_its_exit_status() {
    let here = tempfile::tempdir().unwrap();
    let path = here.path();
    let known = "[ $FTPSPEC_TASK = download ] || exit 127; ";
    let failed = with_client(path, &format!("{known} exit 1"));
    assert_eq!(failed.status.code(), Some(0), "{}", text(&failed.stdout));
    let lied = with_client(path, &format!("{known} echo it is done; exit 0"));
    assert_eq!(lied.status.code(), Some(1));
    let report = text(&lied.stdout);
    assert!(
        report.contains("FAIL client/basic/missing-file [passive]"),
        "{report}"
    );
    assert!(report.contains("success (exit status 0)"), "{report}");
    assert!(report.contains("-- stdout: it is done"), "{report}");
    let unknown = with_client(path, "exit 127");
    assert!(text(&unknown.stdout).contains("UNSUPPORTED"), "{unknown:?}");
    assert_eq!(unknown.status.code(), Some(0));
}

#[test]
fn a_program_that_does_not_refuse_unknown_tasks_is_not_judged() {
    let here = tempfile::tempdir().unwrap();
    let output = with_client(here.path(), "exit 1");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("`no-such-task`"),
        "{output:?}"
    );
}

#[test]
fn a_client_that_does_not_end_is_killed_and_has_failed() {
    let here = tempfile::tempdir().unwrap();
    let script = "[ $FTPSPEC_TASK = download ] || exit 127; sleep 1000";
    let limited = [&ONE[..], &["--limit", "1", "--", "sh", "-c", script]].concat();
    let output = ftpspec(here.path(), &limited);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("no end within 1 s; it was killed"),
        "{output:?}"
    );
}

#[test]
fn usage_errors_have_a_next_step() {
    let here = tempfile::tempdir().unwrap();
    for (arguments, code, message) in [
        (&["check-client"][..], 2, "--adapter"),
        (
            &["check-client", "--adapter", "none"],
            2,
            "The built-in adapters are",
        ),
        (
            &[
                "check-client",
                "--adapter",
                "curl",
                "--select",
                "no-such-scenario",
            ],
            4,
            "list --clients",
        ),
        (
            &["check-client", "--adapter", "curl", "--variant", "pasv"],
            2,
            "passive, active",
        ),
    ] {
        let output = ftpspec(here.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(text(&output.stderr).contains(message), "{output:?}");
    }
}

#[test]
fn a_report_in_every_format_names_the_client_and_how_to_play_a_failure_again() {
    let here = tempfile::tempdir().unwrap();
    let script = "[ $FTPSPEC_TASK = download ] || exit 127; exit 0";
    let files = [
        "--report-json",
        "r.json",
        "--html",
        "r.html",
        "--junit",
        "r.xml",
        "--md",
        "r.md",
    ];
    let arguments = [
        &ONE[..],
        &files,
        &["--transcripts", "t", "--", "sh", "-c", script],
    ]
    .concat();
    ftpspec(here.path(), &arguments);
    for file in ["r.json", "r.html", "r.xml", "r.md"] {
        let report = std::fs::read_to_string(here.path().join(file)).unwrap();
        assert!(report.contains("client/basic/missing-file"), "{file}");
        assert!(
            report.contains("check-client --select client/basic/missing-file"),
            "{file}"
        );
    }
    let transcript = here
        .path()
        .join("t/client-basic-missing-file-passive.jsonl");
    let transcript = std::fs::read_to_string(transcript).unwrap();
    assert!(
        transcript.contains("task: download missing.txt"),
        "{transcript}"
    );
}

/// The blocks of the guide that begin with these lines.
fn blocks(start: &str) -> Vec<&'static str> {
    let guide = include_str!("../../docs/testing-clients.md");
    let blocks = guide.split("```").skip(1).step_by(2);
    blocks
        .filter_map(|block| block.strip_prefix(start))
        .collect()
}

#[test]
fn the_adapter_and_the_scenario_of_the_guide_are_valid() {
    let adapters = blocks("toml\n");
    assert_eq!(adapters.len(), 1);
    adapters[0].parse::<Adapter>().unwrap();
    let scenarios = blocks("\n+++");
    assert_eq!(scenarios.len(), 1);
    let text = format!("+++{}", scenarios[0]);
    let scenario = checked(ScenarioId("guide".into()), &text).unwrap();
    assert_eq!(scenario.steps().len(), 2);
}

/// The commands of the guide that test a client, each with the program it needs.
fn documented() -> Vec<(String, String)> {
    let commands = blocks("sh\n").into_iter().filter_map(|block| {
        let command = block.trim();
        let words = shell_words::split(command).unwrap();
        let adapter = words.iter().position(|word| word == "--adapter")?;
        let program = match words[adapter + 1].as_str() {
            "ftplib" => "python3",
            "aria2" => "aria2c",
            other => other,
        };
        Some((program.to_owned(), command.to_owned()))
    });
    commands.collect()
}

fn is_installed(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

#[test]
fn the_commands_of_the_guide_run_where_their_client_is_installed() {
    let here = tempfile::tempdir().unwrap();
    let commands = documented();
    assert!(commands.len() >= 4);
    for (program, command) in commands {
        if !is_installed(&program) {
            eprintln!("not run, because {program} is not installed: {command}");
            continue;
        }
        let words = shell_words::split(&command).unwrap();
        let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let output = ftpspec(here.path(), &arguments);
        // A client may have faults; that it was judged is what counts.
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{command}: {output:?}"
        );
        assert!(text(&output.stdout).contains("client/"), "{command}");
    }
}
