//! `ftpspec serve` and its settings file.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn serve(arguments: &[&str], stdin: &str) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_ftpspec"))
        .arg("serve")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The process may end without reading stdin.
    let _unread = process.stdin.take().unwrap().write_all(stdin.as_bytes());
    process.wait_with_output().unwrap()
}

fn print_config(arguments: &[&str]) -> String {
    let output = serve(&[arguments, &["--print-config"]].concat(), "");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn error_message(arguments: &[&str], code: i32) -> String {
    let output = serve(arguments, "");
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn file(directory: &Path, text: &str) -> PathBuf {
    let path = directory.join("ftpspec.toml");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn the_printed_settings_of_the_example_are_read_back_unchanged() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/examples/ftpspec.toml");
    let first = print_config(&["--config", example.to_str().unwrap()]);
    assert!(
        first.contains("name = \"alice\"") && first.contains("[limits]"),
        "{first}"
    );
    let directory = tempfile::tempdir().unwrap();
    let copy = file(directory.path(), &first);
    assert_eq!(print_config(&["--config", copy.to_str().unwrap()]), first);
}

#[test]
fn options_override_the_settings_file_and_lists_are_extended() {
    let directory = tempfile::tempdir().unwrap();
    let text = "listen = [\"127.0.0.1:1\"]\ndisable = [\"PORT\"]\nproxy_protocol_from = [\"10.0.0.0/8\"]\n
                [limits]\nidle = \"7m\"\nsessions = 5\n[tls]\nmode = \"off\"\nalpn = \"ignored\"\n
                [storage]\nseed = \"seed\"\nquota = 5\n[[user]]\nname = \"file\"\npassword = \"x\"\n";
    let config = file(directory.path(), text);
    let config = ["--config", config.to_str().unwrap()];
    let alone = print_config(&config);
    for line in [
        "listen = [\"127.0.0.1:1\"]",
        "idle = \"7m\"",
        "mode = \"off\"",
        "quota = 5",
        "name = \"file\"",
    ] {
        assert!(
            alone.lines().any(|printed| printed == line),
            "{line}: {alone}"
        );
    }
    let seed = format!("seed = {:?}", directory.path().join("seed"));
    assert!(alone.contains(&seed), "{alone}");
    let flags = [
        "--bind",
        "127.0.0.2",
        "--port",
        "2",
        "--idle",
        "30",
        "--tls",
        "implicit",
        "--alpn",
        "required",
        "--quota",
        "2KiB",
        "--root",
        "/srv",
        "--user",
        "flag:y",
        "--disable",
        "site chmod",
        "--proxy-protocol-from",
        "192.0.2.1",
        "--max-sessions",
        "6",
        "--fault",
        "when LIST do missing 226",
    ];
    let both = print_config(&[&config[..], &flags].concat());
    for line in [
        "listen = [\"127.0.0.2:2\"]",
        "idle = \"30s\"",
        "mode = \"implicit\"",
        "alpn = \"required\"",
        "quota = \"2 KiB\"",
        "directory = \"/srv\"",
        "name = \"flag\"",
        "disable = [\"PORT\", \"SITE CHMOD\"]",
        "proxy_protocol_from = [\"10.0.0.0/8\", \"192.0.2.1/32\"]",
        "sessions = 6",
        "faults = [\"when LIST do missing 226\"]",
    ] {
        assert!(
            both.lines().any(|printed| printed == line),
            "{line}: {both}"
        );
    }
    assert!(
        !both.contains("seed =") && !both.contains("name = \"file\""),
        "{both}"
    );
}

#[test]
fn passwords_are_not_printed_and_are_hashed_from_stdin() {
    let printed = print_config(&["--user", "bob:s3cret"]);
    assert!(
        !printed.contains("s3cret") && printed.contains("# password: "),
        "{printed}"
    );
    let output = serve(&["--hash-password"], "s3cret\n");
    let hash = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && hash.starts_with("$argon2id$v=19$"),
        "{hash}"
    );
    assert!(error_message(&["--hash-password"], 2).contains("no password"));
}

#[test]
fn errors_in_the_settings_file_are_reported_with_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let config = file(
        directory.path(),
        "port = 2121\npassive_prots = 1\n[limits]\nidel = \"5m\"\n",
    );
    let config = config.to_str().unwrap();
    let message = error_message(&["--config", config], 2);
    assert!(
        message.contains("4 | idel = \"5m\"\n  | ^^^^") && message.contains("did you mean `idle`?"),
        "{message}"
    );
    assert!(message.contains(&format!("{config}:2:1: ")), "{message}");
    assert!(
        error_message(&["--config", "/no/such.toml"], 2).contains("failed to read /no/such.toml")
    );
    assert!(error_message(&["--tls", "off", "--tls-required", "data"], 2).contains("tls.required"));
}

#[test]
fn options_with_keywords_list_them() {
    let message = error_message(&["--tls-reuse", "always"], 2);
    assert!(
        message.contains("possible values: off, warn, require"),
        "{message}"
    );
}

#[test]
fn old_names_of_options_are_refused_with_the_new_ones() {
    for (old, new) in [
        ("--without", "--disable"),
        ("--proxy-from", "--proxy-protocol-from"),
    ] {
        let message = error_message(&[old, "x"], 2);
        assert!(message.contains(&format!("now called {new}")), "{message}");
    }
}

#[test]
fn a_settings_file_without_users_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let config = file(directory.path(), "port = 0\n");
    let message = error_message(&["--config", config.to_str().unwrap()], 2);
    assert!(message.contains("nobody can log in"), "{message}");
}
