//! `ftpspec check` and `run`, as processes: servers they start, servers that die, and read-only
//! servers.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod served;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::{env, fs, process, thread};

use serde_json::Value;
use served::Served;

const FTPSPEC: &str = env!("CARGO_BIN_EXE_ftpspec");

/// Runs `ftpspec` and reads its report; the other half is the exit code.
fn report(arguments: &[&str]) -> (Value, i32) {
    let output = Command::new(FTPSPEC)
        .args(arguments)
        .args(["--format", "json"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("no report: {error}: {said}")
    });
    (report, output.status.code().unwrap())
}

/// Scenario, variant, outcome and reason of every row.
fn rows(report: &Value) -> Vec<(String, String, String, String)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let row = |row: &Value| {
        (
            text(row, "scenario"),
            text(row, "variant"),
            text(row, "outcome"),
            text(row, "reason"),
        )
    };
    report["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect()
}

fn facts(report: &Value) -> String {
    report["notices"].to_string()
}

/// The URL of a server.
fn url(server: &Served) -> &str {
    server.ready["url"].as_str().unwrap()
}

/// Set for the process that is the server below.
const SERVER: &str = "FTPSPEC_TEST_SERVER";

/// The directories of the plainest server, by their pathnames.
static DIRECTORIES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The plainest server there is; SYST kills it.
fn be_a_server(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    for stream in listener.incoming() {
        thread::spawn(move || serve(stream.unwrap()));
    }
}

fn serve(stream: TcpStream) {
    let mut out = stream.try_clone().unwrap();
    let mut say = move |line: &str| out.write_all(format!("{line}\r\n").as_bytes());
    if say("220 ready").is_err() {
        return;
    }
    let mut here = String::new();
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        let (verb, name) = line.split_once(' ').unwrap_or((&line, ""));
        let path = format!("{here}/{name}");
        let reply = match verb {
            "USER" => "331 password",
            "PASS" => "230 in",
            "PWD" => "257 \"/\"",
            "MKD" => {
                DIRECTORIES.lock().unwrap().insert(path);
                "257 \"/d\""
            }
            "CWD" => {
                here = path;
                "250 done"
            }
            "RMD" if DIRECTORIES.lock().unwrap().remove(&path) => "250 done",
            "RMD" => "550 no",
            "NOOP" | "TYPE" => "200 ok",
            "QUIT" => "221 bye",
            "SYST" => {
                eprintln!("out of cheese");
                process::exit(9);
            }
            _ => "502 no",
        };
        if say(reply).is_err() {
            return;
        }
    }
}

fn scenario(directory: &Path, name: &str, dialogue: &str) -> String {
    let path = directory.join(format!("{name}.ftpt"));
    let front = "title = \"t\"\ncites = [\"RFC 959 §5.4\"]\ncovers = [\"959-5.4-noop-replies\"]\nlevel = \"must\"";
    fs::write(&path, format!("+++\n{front}\n+++\n{dialogue}\n")).unwrap();
    path.display().to_string()
}

#[test]
fn a_server_that_is_started_and_dies_costs_one_row_and_not_the_report() {
    if env::var_os(SERVER).is_some() {
        return be_a_server(env::args().find_map(|word| word.parse().ok()).unwrap());
    }
    let directory = tempfile::tempdir().unwrap();
    let noop = "> NOOP\n< 200";
    let files = [
        scenario(directory.path(), "a", noop),
        scenario(directory.path(), "b", "> SYST\n< 215"),
        scenario(directory.path(), "c", noop),
    ];
    let own = env::current_exe().unwrap();
    let test = "a_server_that_is_started_and_dies_costs_one_row_and_not_the_report";
    // The test harness takes the port for one more name of a test.
    let command = format!(
        "env {SERVER}=1 {} --nocapture --exact {test} {{port}}",
        own.display()
    );
    let mut arguments = vec!["run"];
    arguments.extend(files.iter().map(String::as_str));
    arguments.extend(["--exec", &command, "--jobs", "1"]);
    let (report, code) = report(&arguments);
    let rows = rows(&report);
    let outcomes: Vec<_> = rows
        .iter()
        .map(|(id, _, outcome, _)| (id.rsplit('/').next().unwrap(), outcome.as_str()))
        .collect();
    let expected = [
        ("enter", "pass"),
        ("a", "pass"),
        ("b", "error"),
        ("c", "pass"),
    ];
    assert_eq!(outcomes, expected, "{rows:#?}");
    let (_, _, _, why) = &rows[2];
    assert!(why.contains("exit status: 9"), "{why}");
    assert!(why.contains("out of cheese"), "{why}");
    let facts = facts(&report);
    assert!(facts.contains("restarted"), "{facts}");
    assert!(facts.contains("the output of the server is in "), "{facts}");
    assert_eq!(code, 3);
    let kept = facts
        .split("the output of the server is in ")
        .nth(1)
        .unwrap();
    fs::remove_file(kept.trim_end_matches(['"', ']'])).unwrap();
}

#[test]
fn a_command_is_started_with_a_port_a_root_and_a_login_and_stopped_afterwards() {
    let command = format!(
        "{FTPSPEC} serve --bind {{host}} --port {{port}} --root {{root}} --user {{user}}:{{password}} --cert {{cert}} --key {{key}}"
    );
    let arguments = ["check", "--exec", &command, "--select", "sanity"];
    let (report, code) = report(&arguments);
    let rows = rows(&report);
    assert_eq!(code, 0, "{rows:#?}");
    // Over TLS, too: the certificate was there.
    assert!(
        rows.iter()
            .any(|row| row.1 == "epsv tls" && row.2 == "pass"),
        "{rows:#?}"
    );
    assert!(facts(&report) == "null", "{}", facts(&report));
}

#[test]
fn who_may_not_write_hears_what_could_be_tested_and_what_not() {
    let seed = tempfile::tempdir().unwrap();
    fs::create_dir(seed.path().join("pub")).unwrap();
    for name in ["README", "pub/a.bin", "a", "hello.txt", "small.bin"] {
        fs::write(seed.path().join(name), "somebody else's").unwrap();
    }
    let seed = seed.path().display().to_string();
    let server = Served::start(&["--seed", &seed, "--anonymous"]);
    let url = format!("ftp://{}", url(&server).split_once('@').unwrap().1);

    let (read_only, code) = report(&["check", &url, "--read-only", "--path", "pub", "--jobs", "4"]);
    let played = rows(&read_only);
    let bad: Vec<_> = played
        .iter()
        .filter(|row| {
            !matches!(
                row.2.as_str(),
                "pass" | "unsupported" | "inconclusive" | "note"
            )
        })
        .collect();
    assert!(bad.is_empty() && code == 0, "{bad:#?}");
    assert!(played.len() > 50, "{}", played.len());
    assert!(played.iter().any(|row| row.0 == "sanity/listing"));

    // Without the option: the same, and the rest is not testable.
    let select = ["--select", "rfc959", "--jobs", "4"];
    let (refused, code) = report(&[&["check", url.as_str()], &select[..]].concat());
    assert_eq!(code, 1);
    let rows = rows(&refused);
    let not_testable = rows.iter().filter(|row| row.2 == "blocked");
    assert!(not_testable.clone().count() > 50);
    for row in not_testable {
        assert!(row.3.contains("no write access (MKD: 550"), "{row:?}");
    }
    for row in &played {
        if row.0.starts_with("rfc959/") {
            assert!(rows.contains(row), "{row:?}");
        }
    }
}

#[test]
fn what_rests_on_something_that_does_not_hold_is_not_testable_and_names_it() {
    let faults = [
        "--fault",
        "when PORT do reply 500 What?",
        "--fault",
        "when handshake do handshake alert",
    ];
    let server = Served::start(&faults);
    let (report, code) = report(&[
        "check",
        url(&server),
        "--select",
        "rfc3659/rest",
        "--jobs",
        "4",
    ]);
    assert_eq!(code, 1);
    let rows = rows(&report);
    let of = |id: &str, variant: &str| {
        let is = |row: &&(String, String, String, String)| row.0 == id && row.1 == variant;
        rows.iter().find(is).unwrap_or_else(|| panic!("{rows:#?}"))
    };
    assert_eq!(of("sanity/transfer", "pasv").2, "pass");
    assert_eq!(of("sanity/transfer", "port").2, "fail");
    assert_eq!(of("sanity/enter", "pasv tls").2, "blocked");
    let by_port: Vec<_> = rows
        .iter()
        .filter(|row| row.0.starts_with("rfc3659") && row.1.starts_with("port"))
        .collect();
    assert!(!by_port.is_empty());
    for row in by_port {
        assert_eq!(row.2, "blocked");
        assert!(
            row.3.starts_with("sanity/transfer [port] did not hold: "),
            "{row:?}"
        );
    }
    let by_tls = of("rfc3659/rest-retr-offset", "epsv tls");
    assert_eq!(by_tls.2, "blocked");
    assert!(
        by_tls
            .3
            .starts_with("sanity/enter [pasv tls] did not hold: TLS handshake"),
        "{by_tls:?}"
    );
    assert_eq!(of("rfc3659/rest-retr-offset", "pasv").2, "pass");
}

#[test]
fn what_never_held_is_not_reported_as_lost_in_mid_run() {
    let server = Served::start(&["--fault", "when PORT do reply 502 Not here."]);
    let id = "rfc4217/auth-forgets-the-data-port";
    let select = ["--select", id, "--select", "rfc3659/rest-retr-offset"];
    let (report, _) = report(&[&["check", url(&server)], &select[..]].concat());
    let rows = rows(&report);
    let of = |id: &str, variant: &str| {
        let is = |row: &&(String, String, String, String)| row.0 == id && row.1 == variant;
        rows.iter().find(is).unwrap_or_else(|| panic!("{rows:#?}"))
    };
    assert_eq!(of("sanity/transfer", "port").2, "fail");
    assert_eq!(of(id, "pasv").2, "inconclusive", "{rows:#?}");
    let facts = facts(&report);
    assert!(!facts.contains("held when the run began"), "{facts}");
}

/// A server that loses something in mid-run: that is one row, and what needs it is not testable,
/// for one reason.
fn lost_in_mid_run(select: &str, fault: &str, prerequisite: &str, why: &str) {
    let server = Served::start(&["--tls", "off", "--fault", fault]);
    let (report, code) = report(&["check", url(&server), "--select", select, "--jobs", "4"]);
    assert_eq!(code, 1);
    let rows = rows(&report);
    let of = |outcome: &str| {
        rows.iter()
            .filter(|row| row.2 == outcome)
            .collect::<Vec<_>>()
    };
    let failed = of("fail");
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(
        (failed[0].0.as_str(), failed[0].1.as_str()),
        (prerequisite, "pasv")
    );
    let reason =
        format!("{prerequisite} [pasv] held when the run began, and no longer holds: {why}");
    let untested = of("blocked");
    assert!(untested.len() > 5, "{rows:#?}");
    for row in untested {
        assert_eq!(row.3, reason, "{row:?}");
    }
    assert!(of("pass").len() > 5, "{rows:#?}");
    assert!(facts(&report).contains(&reason), "{}", facts(&report));
    let row = report["scenarios"].as_array().unwrap().iter();
    let row = row
        .clone()
        .find(|row| row["scenario"] == prerequisite && row["outcome"] == "fail");
    let observed = &row.unwrap()["findings"][0]["observed"];
    assert!(
        observed
            .as_str()
            .unwrap()
            .contains("; it held when the run began"),
        "{observed}"
    );
}

#[test]
fn passive_ports_that_run_out_are_one_finding() {
    lost_in_mid_run(
        "rfc3659/*",
        "when PASV from 60 do reply 425 No port left.",
        "sanity/transfer",
        "PASV was answered 425",
    );
}

#[test]
fn a_login_that_is_refused_from_then_on_is_one_finding() {
    let fault = "when login from 60 do reply 530 no";
    lost_in_mid_run("rfc3659/m*", fault, "sanity/enter", "login: 530 no");
}

#[test]
fn a_disk_that_is_full_from_then_on_is_one_finding() {
    let fault = "when MKD from 120 do reply 552 full";
    lost_in_mid_run("rfc3659/m*", fault, "sanity/enter", "MKD: 552 full");
}

#[test]
fn connections_that_are_turned_away_from_then_on_are_one_finding() {
    let fault = "when connect from 60 do reply 421 no";
    lost_in_mid_run("rfc3659/m*", fault, "sanity/enter", "greeting: 421 no");
}

#[test]
fn where_nothing_can_be_proven_nothing_is_played_and_the_step_that_failed_is_shown() {
    let server = Served::start(&["--tls", "off", "--fault", "when RMD do reply 550 no"]);
    let (report, _) = report(&["check", url(&server), "--select", "rfc959/stor*"]);
    let rows = rows(&report);
    let (first, others) = rows.split_first().unwrap();
    let why = "no safe place to work: CWD does not lead into the directory that MKD made \
               (what was made in it could not be removed there)";
    let outcome = ("sanity/enter", "blocked", why);
    assert_eq!(
        (first.0.as_str(), first.2.as_str(), first.3.as_str()),
        outcome
    );
    let blocked = format!("sanity/enter [pasv] did not hold: {why}");
    let mut reasons = others.iter().map(|row| &row.3);
    assert!(reasons.all(|reason| *reason == blocked), "{rows:#?}");
    let excerpt = report["scenarios"][0]["excerpt"].as_array().unwrap();
    assert_eq!(excerpt.last().unwrap(), "runner S: 550 no", "{excerpt:#?}");
}

#[test]
fn a_protected_download_that_ends_with_fin_alone_is_a_warning_and_no_failure() {
    let server = Served::start(&["--fault", "when download do no close_notify"]);
    let scenario = "../scenarios/rfc4217/protected-transfers.ftpt";
    let (report, code) = report(&["run", scenario, "--target", url(&server)]);
    let judges = report["judges"].as_array().unwrap();
    let bad: Vec<_> = judges.iter().filter(|it| it["outcome"] != "pass").collect();
    assert_eq!(bad.len(), 1, "{bad:#?}");
    assert_eq!(
        (&bad[0]["judge"], &bad[0]["outcome"]),
        (&"tls".into(), &"warn".into())
    );
    assert_eq!(code, 0);
}

#[test]
fn a_server_that_refuses_every_login_does_not_fail_scenarios_about_wrong_passwords() {
    let server = Served::start(&["--fault", "when USER do reply 550 No."]);
    let select = [
        "--select",
        "rfc959/*password*",
        "--select",
        "login-user-pass",
    ];
    let (report, _) = report(&[&["check", url(&server)], &select[..]].concat());
    let rows = rows(&report);
    assert!(rows.len() > 3, "{rows:#?}");
    for (id, _, outcome, why) in rows.iter().filter(|row| row.0.contains("password")) {
        assert_eq!(outcome, "blocked", "{id}");
        assert!(
            why.starts_with("sanity/enter [pasv] did not hold: login: 550"),
            "{why}"
        );
    }
    let login = rows.iter().find(|row| row.0 == "rfc959/login-user-pass");
    assert_eq!(login.map(|row| row.2.as_str()), Some("fail"));
}

#[test]
fn a_server_may_close_after_a_refused_login() {
    let server = Served::start(&["--fault", "when QUIT do hang up"]);
    let scenario = "../scenarios/rfc959/wrong-password-530.ftpt";
    let (report, code) = report(&["run", scenario, "--target", url(&server)]);
    let rows = rows(&report);
    let row = rows.iter().find(|row| row.0 == "rfc959/wrong-password-530");
    assert_eq!(row.map(|row| row.2.as_str()), Some("pass"), "{rows:#?}");
    assert_eq!(code, 0);
}

#[test]
fn a_command_that_is_started_may_have_a_port_with_implicit_tls() {
    // Any server at that port of the same address will do.
    let implicit = Served::start(&["--tls", "implicit", "--user", "ftpspec:ftpspec"]);
    let port = url(&implicit)
        .rsplit(':')
        .next()
        .unwrap()
        .trim_end_matches('/');
    let command =
        format!("{FTPSPEC} serve --bind {{host}} --port {{port}} --user {{user}}:{{password}}");
    let select = ["--select", "sanity/enter", "--implicit-port", port];
    let (report, code) = report(&[&["check", "--exec", command.as_str()], &select[..]].concat());
    let rows = rows(&report);
    let under_tls = rows.iter().find(|row| row.1.contains("implicit"));
    assert_eq!(
        under_tls.map(|row| row.2.as_str()),
        Some("pass"),
        "{rows:#?}"
    );
    assert_eq!(code, 0);
}
