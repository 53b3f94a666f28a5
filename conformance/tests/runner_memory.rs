//! The memory of `ftpspec check` is bounded, whatever the server sends: each test is a server that
//! sends one thing without end, and measures the process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod endless;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use endless::{Endless, EndlessServer};
use rstest::rstest;
use serde_json::Value;

/// What one run may take at its peak.
const MOST: u64 = 200 << 20;
/// No run takes longer: each scenario ends when its limit is exceeded.
const PATIENCE: Duration = Duration::from_secs(120);

struct Run {
    peak: u64,
    report: Value,
    stderr: String,
}

/// Runs `ftpspec check` and measures it. It is stopped where it takes too much of memory or time.
fn check(arguments: &[&str]) -> Run {
    let mut process = Command::new(env!("CARGO_BIN_EXE_ftpspec"))
        .arg("check")
        .args(arguments)
        .args(["--format", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = read(process.stdout.take().unwrap());
    let stderr = read(process.stderr.take().unwrap());
    let began = Instant::now();
    let mut peak = 0;
    while process.try_wait().unwrap().is_none() {
        peak = peak.max(peak_of(&process).unwrap_or(0));
        if peak > MOST || began.elapsed() > PATIENCE {
            process.kill().unwrap();
            process.wait().unwrap();
            let took = began.elapsed().as_secs();
            panic!("stopped after {took} s, at {} MiB", peak >> 20);
        }
        // Nobody reports growth; this is how often it is measured, and nothing rests on it.
        thread::park_timeout(Duration::from_millis(2));
    }
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    let report = serde_json::from_str(&stdout);
    let report = report.unwrap_or_else(|error| panic!("no report: {error}: {stderr}"));
    eprintln!("{} MiB, {:.1} s", peak >> 20, began.elapsed().as_secs_f32());
    Run {
        peak,
        report,
        stderr,
    }
}

fn read(mut from: impl std::io::Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

/// The peak of its resident memory, in octets.
fn peak_of(process: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

/// All reasons and facts of a report.
fn reasons(report: &Value) -> String {
    let rows = report["scenarios"].as_array().unwrap().iter();
    let reasons: Vec<String> = rows.map(|row| row["reason"].to_string()).collect();
    format!("{}\n{}", report["notices"], reasons.join("\n"))
}

/// What the judge of limits says: how often, and the first observation.
fn limits(report: &Value) -> (u64, String) {
    let judges = report["judges"].as_array().unwrap().iter();
    let own = judges.filter(|judge| judge["judge"] == "limits");
    let own = own.collect::<Vec<_>>()[0];
    let observed = own["findings"][0]["observed"].as_str();
    (
        own["count"].as_u64().unwrap(),
        observed.unwrap_or_default().to_owned(),
    )
}

#[rstest]
#[case::file(
    Endless::data("RETR", b"x\r\ny"),
    &["retr-whole-file", "sizes-around", "user/big-file"],
    "octets of data in one transfer"
)]
#[case::listing(
    Endless::data("NLST", b"a\r\nb\r\n"),
    &["nlst-is-names-only", "user/*list*"],
    "octets of data in one transfer"
)]
#[case::listing_of_the_runner_itself(
    Endless::data("MLSD", b"type=file; a\r\n"),
    &["rfc959/mkd-*"],
    "octets of data in one transfer"
)]
#[case::replies(
    Endless::control("SYST", b"", b"215 x\r\n"),
    &["syst"],
    "replies on one control connection"
)]
#[case::long_replies(
    Endless::control("QUIT", b"", &LONG_REPLY),
    &["rfc959/noop*"],
    "octets of replies on one control connection"
)]
#[case::replies_nobody_asked_for(
    Endless::control("NOOP", b"200 x\r\n", b"200 x\r\n"),
    &["rfc959/noop*", "syst"],
    "replies on one control connection"
)]
#[case::lines(
    Endless::control("STAT", b"211-x\r\n", b"a\r\n"),
    &["rfc959/stat-status"],
    "octets in one reply"
)]
#[case::line(
    Endless::control("STAT", b"211 ", b"xxxx"),
    &["rfc959/stat-status"],
    "octets in one reply"
)]
#[case::features(
    Endless::control("FEAT", b"211-Features\r\n", b" MDTM\r\n"),
    &["rfc2389/feat*"],
    "octets in one reply"
)]
#[case::greeting(
    Endless::control("", b"220-x\r\n", b" welcome\r\n"),
    &["rfc959/noop*"],
    "octets in one reply"
)]
#[case::greetings(
    Endless::control("", b"", b"120 wait\r\n"),
    &["rfc959/noop*"],
    "replies on one control connection"
)]
fn a_server_that_sends_without_end(
    #[case] endless: Endless,
    #[case] select: &[&str],
    #[case] excess: &str,
) {
    sends_without_end(endless, false, select, excess);
}

#[rstest]
#[case::file(
    Endless::data("RETR", b"x\r\ny"),
    &["retr-whole-file"],
    "octets of data in one transfer"
)]
#[case::replies(
    Endless::control("SYST", b"", b"215 x\r\n"),
    &["syst"],
    "replies on one control connection"
)]
#[case::line(
    Endless::control("STAT", b"211 ", b"xxxx"),
    &["rfc959/stat-status"],
    "octets in one reply"
)]
fn a_server_that_sends_without_end_under_tls(
    #[case] endless: Endless,
    #[case] select: &[&str],
    #[case] excess: &str,
) {
    sends_without_end(endless, true, select, excess);
}

fn sends_without_end(endless: Endless, tls: bool, select: &[&str], excess: &str) {
    let server = EndlessServer::start(endless, tls);
    let url = server.url();
    let mut arguments = vec![url.as_str(), "--jobs", "8", "--timeout", "2"];
    for pattern in select {
        arguments.extend(["--select", pattern]);
    }
    let run = check(&arguments);
    assert!(run.peak <= MOST, "{} MiB", run.peak >> 20);
    let (_, observed) = limits(&run.report);
    let said = format!("{observed}\n{}", reasons(&run.report));
    let mut words = said.split("the server sent more than ").skip(1);
    assert!(
        words.any(|words| words
            .trim_start_matches(|it: char| it.is_ascii_digit())
            .trim_start()
            .starts_with(excess)),
        "{said}\n{}",
        run.stderr
    );
}

/// A reply of half a mebibyte.
static LONG_REPLY: [u8; 512 << 10] = {
    let mut reply = [b'x'; 512 << 10];
    let head = *b"215 ";
    let mut at = 0;
    while at < head.len() {
        reply[at] = head[at];
        at += 1;
    }
    reply[reply.len() - 2] = b'\r';
    reply[reply.len() - 1] = b'\n';
    reply
};

/// One cause is one finding, and no scenario accuses the server of what it is about.
#[test]
fn a_listing_without_end_is_one_finding() {
    let server = EndlessServer::start(Endless::data("NLST", b"a\r\n"), false);
    let url = server.url();
    let run = check(&[&url, "--select", "rfc959/nlst*", "--timeout", "2"]);
    let rows = run.report["scenarios"].as_array().unwrap();
    let hit: Vec<_> = rows
        .iter()
        .filter(|row| {
            row["reason"]
                .as_str()
                .unwrap()
                .contains("the server sent more than")
        })
        .collect();
    assert!(!hit.is_empty(), "{rows:#?}");
    for row in hit {
        assert_eq!(row["outcome"], "blocked");
        assert_eq!(
            row["findings"].as_array().map_or(0, Vec::len),
            0,
            "{row:#?}"
        );
    }
    let judges = run.report["judges"].as_array().unwrap().iter();
    let failed: Vec<_> = judges
        .filter(|judge| judge["outcome"] == "fail")
        .map(|judge| judge["judge"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["limits"]);
}

/// The scenarios with the largest files, eight at once; the server is in the same process.
#[test]
fn the_bundled_server_and_what_is_played_against_it() {
    let select = [
        "stat-during",
        "slow-transfer",
        "rein-lets",
        "quit-lets",
        "abor-",
        "big-file",
    ];
    let select = select.iter().flat_map(|pattern| ["--select", pattern]);
    let run = check(&select.collect::<Vec<_>>());
    assert!(run.peak <= MOST, "{} MiB", run.peak >> 20);
    assert_eq!(limits(&run.report), (0, String::new()));
}
