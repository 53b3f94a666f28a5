//! The `ftpspec` command as a new user meets it: usage errors, pipes, and commands to paste.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod served;

use rstest::rstest;
use served::Served;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const FTPSPEC: &str = env!("CARGO_BIN_EXE_ftpspec");

fn ftpspec(arguments: &[&str]) -> Output {
    let mut command = Command::new(FTPSPEC);
    command.args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

/// A mistake is refused with a sentence that names it, and one that says what to do next.
#[rstest]
#[case::no_ftp(&["check", "http://localhost"], 2, &["`http://localhost`", "A server is ftp://"])]
#[case::no_port(&["check", "localhost:99999"], 2, &["port", "A server is ftp://"])]
#[case::nobody_there(&["check", "ftp://127.0.0.1:1"], 3, &["127.0.0.1:1", "Is it running"])]
#[case::no_such_name(&["check", "ftp://nosuchhost.invalid"], 3, &["nosuchhost.invalid", "--address"])]
#[case::pattern(&["check", "--select", "noop-say-200"], 4, &["`noop-say-200`", "did you mean `rfc959/noop-says-200`?"])]
#[case::broken_glob(&["check", "--select", "rfc959/[z"], 4, &["`rfc959/[z`", "ftpspec list"])]
#[case::one_of_two(&["check", "--select", "rfc959/noop*", "--select", "nosuch"], 4, &["`nosuch`"])]
#[case::profile(&["check", "--profile", "nosuch"], 2, &["`nosuch`", "available: security"])]
#[case::variant(&["check", "--variant", "pasw"], 2, &["`pasw`", "pasv"])]
#[case::set(&["check", "--set", "core-9"], 2, &["`core-9`", "core-1"])]
#[case::baseline(&["check", "--baseline", "nosuch.toml"], 2, &["nosuch.toml", "ftpspec baseline update nosuch.toml"])]
#[case::pointless(&["check", "--user", "anna"], 2, &["--user", "bundled reference server"])]
#[case::no_port_in_the_command(&["check", "--exec", "srv -p 21"], 2, &["no placeholder for the port", "{port}"])]
#[case::no_ca(&["check", "ftp://127.0.0.1:1", "--ca", "nosuch.pem"], 2, &["--ca: nosuch.pem"])]
#[case::a_directory(&["check", "--html", "/"], 2, &["/: "])]
#[case::nothing_to_run(&["run", env!("CARGO_TARGET_TMPDIR")], 4, &["no scenario (*.ftpt)"])]
#[case::explain(&["explain", "nosuchthing"], 4, &["`nosuchthing`", "ftpspec list"])]
#[case::list(&["list", "nosuchthing"], 4, &["`nosuchthing`", "ftpspec list"])]
#[case::coverage(&["coverage", "nosuchthing"], 4, &["nosuchthing", "ftpspec coverage"])]
#[case::selftest(&["selftest", "nosuchthing"], 4, &["`nosuchthing`", "ftpspec list"])]
#[case::diff(&["diff", "nosuchhost.invalid", "embedded", "--select", "rfc959/noop*"], 3, &["no report or directory `nosuchhost.invalid`"])]
#[case::report(&["report", "--from", "Cargo.toml"], 2, &["Cargo.toml", "--report-json"])]
fn a_usage_error_is_reported_with_the_next_step(
    #[case] arguments: &[&str],
    #[case] code: i32,
    #[case] words: &[&str],
) {
    let output = ftpspec(arguments);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{complaint}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    for word in words {
        assert!(complaint.contains(word), "{word} in: {complaint}");
    }
}

/// `ftpspec … | head -1`
#[rstest]
#[case(&["list"])]
#[case(&["list", "--format", "json"])]
#[case(&["coverage", "--uncovered"])]
#[case(&["explain", "rfc959/noop-says-200"])]
#[case(&["report", "schema"])]
#[case(&["check", "--select", "rfc959/noop*", "--format", "json"])]
#[case(&["fmt", "--json", "../scenarios/rfc959"])]
#[case(&["check", "--help"])]
fn a_reader_that_leaves_early_is_no_failure(#[case] arguments: &[&str]) {
    let mut command = Command::new(FTPSPEC);
    command.args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut first = [0; 1];
    running
        .stdout
        .take()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    let ended = running.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
    assert_eq!(ended.status.code(), Some(0));
}

/// `ftpspec … > file` on a disk that is full.
#[cfg(target_os = "linux")]
#[rstest]
#[case(&["list"])]
#[case(&["coverage"])]
#[case(&["explain", "NOOP"])]
#[case(&["report", "schema"])]
#[case(&["lint", "../scenarios/rfc854"])]
#[case(&["fmt", "--json", "../scenarios/rfc854"])]
#[case(&["selftest", "rfc959/noop-says-200"])]
#[case(&["check", "--select", "rfc959/noop*"])]
#[case(&["diff", "embedded", "embedded", "--select", "rfc959/noop*"])]
fn a_file_that_cannot_be_written_is_reported(#[case] arguments: &[&str]) {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = Command::new(FTPSPEC);
    command.args(arguments).stdin(Stdio::null()).stdout(full);
    let output = command.output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{complaint}");
    assert!(complaint.contains("stdout: No space left"), "{complaint}");
}

#[test]
fn a_refused_login_is_reported_once_with_the_next_step() {
    let served = odd("anna", "geheim");
    let url = url(&served, "127.0.0.1", "anna", "falsch");
    let output = ftpspec(&["check", &url, "--select", "rfc959/dele*"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("are user and password right?"), "{text}");
    // The wire and the two reasons of the two obstacles, and the note; not once for each scenario.
    assert!(text.matches("530 ").count() <= 4, "{text}");
}

/// A server that answers NOOP with another code, for this user.
fn odd(user: &str, password: &str) -> Served {
    let user = format!("{user}:{password}");
    let fault = "when NOOP do reply 250 Odd.";
    Served::start(&["--tls", "off", "--user", &user, "--fault", fault])
}

fn url(server: &Served, host: &str, user: &str, password: &str) -> String {
    let mut url = url::Url::parse(&format!("ftp://{host}:{}/", server.ready["port"])).unwrap();
    url.set_username(user).unwrap();
    url.set_password(Some(password).filter(|it| !it.is_empty()))
        .unwrap();
    url.to_string()
}

/// What `reproduce` says of the NOOP that fails, pasted into a shell, shows the same failure.
fn pasted_it_fails_alike(arguments: &[&str], password: &str, directory: &Path) {
    let play = |command: &mut Command| {
        let path = Path::new(FTPSPEC).parent().unwrap().display().to_string();
        let rest = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:{rest}"));
        command.env("FTPSPEC_PASSWORD", password);
        command.current_dir(directory).stdin(Stdio::null());
        command.output().unwrap()
    };
    let first = play(
        Command::new(FTPSPEC)
            .args(arguments)
            .args(["--format", "json"]),
    );
    let complaint = String::from_utf8_lossy(&first.stderr).into_owned();
    let report: serde_json::Value = serde_json::from_slice(&first.stdout).expect(&complaint);
    let rows = report["scenarios"].as_array().unwrap();
    let failed = rows.iter().find(|row| row["outcome"] == "fail");
    let failed = failed.unwrap_or_else(|| panic!("{report:#}"));
    let reproduce = failed["reproduce"].as_str().unwrap();
    assert!(!reproduce.contains(password), "{reproduce}");
    let pasted = play(Command::new("sh").args(["-c", reproduce]));
    let text = String::from_utf8(pasted.stdout).unwrap();
    assert_eq!(pasted.status.code(), Some(1), "{reproduce}\n{text}");
    let id = failed["scenario"].as_str().unwrap();
    let variant = failed["variant"].as_str().unwrap();
    assert!(
        text.contains(&format!("FAIL {id} [{variant}]")),
        "{reproduce}\n{text}"
    );
    assert!(
        text.contains(failed["findings"][0]["observed"].as_str().unwrap()),
        "{text}"
    );
}

const NAME: &str = "o'brien & $HOME `x` \"y\" #ü";
const PASSWORD: &str = "it's a$(false) \"p@ss\\word\";!/?#%20 *";

#[test]
fn the_command_that_shows_it_again_can_be_pasted_into_a_shell() {
    let directory = tempfile::tempdir().unwrap();
    let served = odd(NAME, PASSWORD);
    let select = ["--select", "rfc959/noop-says-200"];
    let in_url = url(&served, "127.0.0.1", NAME, PASSWORD);
    pasted_it_fails_alike(
        &[&["check", &in_url][..], &select].concat(),
        PASSWORD,
        directory.path(),
    );
    let anonymous = url(&served, "127.0.0.1", "", "");
    let beside = [
        "check",
        &anonymous,
        "--user",
        NAME,
        "--path",
        "/",
        "--timeout",
        "2.5",
    ];
    pasted_it_fails_alike(&[&beside[..], &select].concat(), PASSWORD, directory.path());
    if served.ready["addresses"].to_string().contains("[::1]") {
        let url = url(&served, "[::1]", NAME, PASSWORD);
        pasted_it_fails_alike(
            &[&["check", &url][..], &select].concat(),
            PASSWORD,
            directory.path(),
        );
    }
}

#[test]
fn files_with_odd_names_can_be_played_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("-my own's (1).ftpt");
    let noop = include_str!("../../scenarios/rfc959/noop-says-200.ftpt");
    fs::write(&file, noop).unwrap();
    let served = odd(NAME, PASSWORD);
    let url = url(&served, "127.0.0.1", NAME, "");
    pasted_it_fails_alike(
        &["run", "--target", &url, "./-my own's (1).ftpt"],
        PASSWORD,
        directory.path(),
    );
}
