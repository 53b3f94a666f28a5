//! `ftpspec record --compare`: whether a server still answers as it was recorded; and recordings as
//! scenarios.

use std::path::Path;
use std::process::Command;

use rstest::rstest;

use crate::client::Client;
use crate::processes::{FTPSPEC, Running};

fn serve(fault: Option<&str>) -> Running {
    let user = ["serve", "--user", "u:pw"];
    let fault: Vec<&str> = fault.into_iter().flat_map(|it| ["--fault", it]).collect();
    Running::start(&[&user[..], &fault].concat())
}

fn record(server: &Running, more: &[&str]) -> Running {
    let url = format!("ftp://127.0.0.1:{}", server.port());
    let arguments = ["record", "--insecure", "--format", "json", "--upstream"];
    Running::start(&[&arguments[..], &[&url], more].concat())
}

/// A session through the recorder; replies are not looked at.
fn play(recorder: &Running, download: &str) {
    let mut client = Client::connect(recorder.text("address").parse().unwrap());
    client.log_in(None, "pw");
    client.command("MKD d");
    client.upload("STOR d/f", b"0123456789");
    client.until_barrier();
    client.command("SIZE d/f");
    client.download(&format!("RETR {download}"));
    client.until_barrier();
    client.command("QUIT");
}

fn recorded(out: &Path) {
    let server = serve(None);
    let recorder = record(&server, &["--out", out.to_str().unwrap()]);
    play(&recorder, "d/f");
    assert_eq!(recorder.stop(), 0);
}

#[rstest]
#[case::same(None, "d/f", 0, "0 differences, 1 of 1 recorded sessions compared")]
#[case::reply(
    Some("when SIZE do reply 550 No."),
    "d/f",
    1,
    "DRIFT session 1, command 8 SIZE d/f: recorded 213, now 550"
)]
#[case::missing_reply(Some("when MKD do drop"), "d/f", 1, "DRIFT session 1, command ")]
#[case::data(
    Some("when RETR do corrupt octet 3"),
    "d/f",
    1,
    "the first difference is at octet 3"
)]
#[case::another_command(None, "d/./f", 1, "the client sent another command")]
fn a_server_that_answers_otherwise_than_recorded_is_reported(
    #[case] fault: Option<&str>,
    #[case] download: &str,
    #[case] code: i32,
    #[case] found: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("s.jsonl");
    recorded(&out);
    let server = serve(fault);
    let recorder = record(&server, &["--compare", out.to_str().unwrap()]);
    if fault.is_some_and(|fault| fault.contains("MKD")) {
        let mut client = Client::connect(recorder.text("address").parse().unwrap());
        client.log_in(None, "pw");
        client.send("MKD d");
        client.expect("SIZE d", "550");
    } else {
        play(&recorder, download);
    }
    let (ended, said) = recorder.stop_and_read();
    assert_eq!(ended, code, "{said}");
    assert!(said.contains(found), "{said}");
}

#[test]
fn a_session_that_did_not_come_is_not_as_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("s.jsonl");
    recorded(&out);
    let server = serve(None);
    let recorder = record(&server, &["--compare", out.to_str().unwrap()]);
    let (ended, said) = recorder.stop_and_read();
    assert_eq!(ended, 1, "{said}");
    assert!(said.contains("0 of 1 recorded sessions compared"), "{said}");
}

#[test]
fn a_recording_becomes_a_scenario_that_the_server_passes() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("s.ftpt");
    recorded(&out);
    assert!(folder.path().join("s.jsonl").exists());
    let server = serve(None);
    let url = format!("ftp://u:pw@127.0.0.1:{}", server.port());
    for arguments in [
        &["lint", out.to_str().unwrap()][..],
        &["run", out.to_str().unwrap(), "--target", &url],
    ] {
        let output = Command::new(FTPSPEC).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let written = std::fs::read_to_string(&out).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}{written}");
    }
}

#[test]
fn a_recording_has_a_name_that_says_what_it_is() {
    let output = Command::new(FTPSPEC)
        .args([
            "record",
            "--upstream",
            "ftp://127.0.0.1:9",
            "--out",
            "s.txt",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("ends in .jsonl"), "{text}");
}
