//! `ftpspec record` and `judge`, as processes, in front of `ftpspec serve`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::processes::{FTPSPEC, Running};
use ftpspec::recording;
use ftpspec::transcript::{EventKind, Leg, Seat};

const PASSWORD: &str = "not-to-be-written";

fn serve() -> Running {
    let user = format!("u:{PASSWORD}");
    Running::start(&["serve", "--user", &user])
}

fn record(server: &Running, out: &Path, more: &[&str]) -> Running {
    let upstream = format!("ftp://127.0.0.1:{}", server.port());
    let out = out.to_str().unwrap();
    let mut arguments = vec!["record", "--upstream", &upstream, "--out", out];
    arguments.extend(["--format", "json"]);
    arguments.extend(more);
    Running::start(&arguments)
}

/// `ftpspec check` of these scenarios through the recorder.
fn check(recorder: &Running, arguments: &[&str]) -> Output {
    let url = format!("ftp://u:{PASSWORD}@127.0.0.1:{}", recorder.port());
    Command::new(FTPSPEC)
        .args(["check", &url, "--ca", &recorder.text("ca"), "--jobs", "2"])
        .args(arguments)
        .output()
        .unwrap()
}

fn judge(files: &[PathBuf]) -> Output {
    Command::new(FTPSPEC)
        .arg("judge")
        .args(files)
        .output()
        .unwrap()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).collect()
}

#[test]
fn scenarios_pass_through_the_recorder_in_every_variant() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve();
    let recorder = record(&server, &folder.path().join("s.jsonl"), &["--insecure"]);
    let output = check(
        &recorder,
        &[
            "--select",
            "rfc959/abor-stops-a-transfer",
            "--select",
            "rfc959/stor-*",
            "--select",
            "rfc4217/ccc-*",
            "--select",
            "rfc4217/rein-*",
            "--select",
            "rfc2428/*",
            "--select",
            "rfc1123/telnet-*",
            "--select",
            "rfc959/no-data-connection-425",
        ],
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(recorder.stop(), 0);
    let files = files_in(folder.path());
    assert!(files.len() > 20, "{files:?}");
    let judged = judge(&files);
    let text = String::from_utf8_lossy(&judged.stdout);
    assert_eq!(judged.status.code(), Some(0), "{text}");
}

#[test]
fn a_recording_has_both_channels_of_both_legs_and_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("s.jsonl");
    let server = serve();
    let recorder = record(&server, &out, &["--insecure", "--scrub", "hello"]);
    let output = check(
        &recorder,
        &["--select", "sanity/transfer", "--variant", "epsv tls"],
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(recorder.stop(), 0);
    let mut data = Vec::new();
    for file in files_in(folder.path()) {
        let written = fs::read_to_string(&file).unwrap();
        assert!(!written.contains(PASSWORD), "{written}");
        let transcript = recording::open(&file).unwrap();
        assert_eq!(transcript.seat, Seat::Proxy);
        let legs = [Leg::Client, Leg::Server].map(|leg| transcript.leg(leg));
        for leg in &legs {
            let is_there =
                |wanted: fn(&EventKind) -> bool| leg.events.iter().any(|event| wanted(&event.what));
            assert!(is_there(|what| matches!(what, EventKind::Connected { .. })));
            assert!(is_there(|what| matches!(
                what,
                EventKind::FromClient { .. }
            )));
            assert!(is_there(|what| matches!(
                what,
                EventKind::FromServer { .. }
            )));
        }
        data.extend(legs[1].events.iter().filter_map(|event| match &event.what {
            EventKind::DataFromServer { octets } => Some(octets.to_vec()),
            _ => None,
        }));
    }
    assert!(!data.is_empty(), "what was downloaded is in the recording");
}

#[test]
fn a_server_that_cannot_be_reached_is_reported_to_the_client() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there once the listener is gone.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let upstream = format!("ftp://127.0.0.1:{port}");
    let out = folder.path().join("s.jsonl");
    let arguments = [
        "record",
        "--upstream",
        &upstream,
        "--out",
        out.to_str().unwrap(),
    ];
    let recorder = Running::start(&[&arguments[..], &["--format", "json"]].concat());
    let client = TcpStream::connect(recorder.text("address")).unwrap();
    let mut reply = String::new();
    BufReader::new(client).read_line(&mut reply).unwrap();
    assert!(reply.starts_with("421 the server at 127.0.0.1:"), "{reply}");
    assert_eq!(recorder.stop(), 0);
    let events = recording::open(&out).unwrap().leg(Leg::Client).events;
    let said = EventKind::FromServer {
        octets: reply.into_bytes(),
    };
    assert!(events.iter().any(|event| event.what == said));
}

#[test]
fn a_recording_that_breaks_a_rule_is_judged_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.jsonl");
    let lines = [
        r#"{"ftpspec_transcript":{"major":2,"minor":0},"seat":"client","name":"s"}"#,
        r#"{"at":1,"connection":"main","what":{"event":"connected","local":"a","peer":"b"}}"#,
        r#"{"at":2,"connection":"main","what":{"event":"from_server","octets":"220 x\\r\\n"}}"#,
        r#"{"at":3,"connection":"main","what":{"event":"from_client","octets":"NOOP\\r\\n"}}"#,
        r#"{"at":4,"connection":"main","what":{"event":"from_server","octets":"700 x\\r\\n"}}"#,
    ];
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    let judged = judge(std::slice::from_ref(&file));
    let text = String::from_utf8_lossy(&judged.stdout);
    assert_eq!(judged.status.code(), Some(1), "{text}");
    assert!(text.contains("FAIL reply-syntax"), "{text}");
    fs::write(&file, "not a transcript\n").unwrap();
    let refused = judge(&[file]);
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(text.contains("line 1"), "{text}");
}
