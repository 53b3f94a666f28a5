//! Faults that servers in the field were seen to have: each is noticed by the scenario named beside
//! it, and that scenario passes without the fault.
//! What other servers do legally is no failure, and only what was observed has an impact.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod relay;
mod support;

use ftpspec::internals::data::Data;
use ftpspec::internals::runner::{Job, play};
use ftpspec::internals::selftest::Harness;
use ftpspec::internals::subject::{Embedded, Target};
use ftpspec::internals::verdict::{Outcome, Verdict};
use libtest_mimic::{Failed, Trial};
use regex::bytes::{Captures, Regex};
use relay::{Fault, Relay};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use support::Fixture;

/// Replaces what the expression finds.
fn replaced(expression: &str, octets: &[u8], by: impl Fn(&Captures<'_>) -> Vec<u8>) -> Vec<u8> {
    let expression = Regex::new(expression).unwrap();
    expression.replace_all(octets, by).into_owned()
}

/// Each line as many times as `times` says.
fn lines(octets: &[u8], times: impl Fn(&[u8]) -> usize) -> Vec<u8> {
    let lines = octets.split_inclusive(|octet| *octet == b'\n');
    lines.flat_map(|line| line.repeat(times(line))).collect()
}

fn empty_where_brackets_are(argument: &str, data: &[u8]) -> Vec<u8> {
    match argument.contains('[') {
        true => Vec::new(),
        false => data.to_vec(),
    }
}

fn every_line_twice(_: &str, data: &[u8]) -> Vec<u8> {
    lines(data, |_| 2)
}

fn no_dot_files(_: &str, data: &[u8]) -> Vec<u8> {
    let name = |line: &[u8]| line.rsplit(|octet| *octet == b' ').next().unwrap().to_vec();
    lines(data, |line| usize::from(!name(line).starts_with(b".")))
}

/// The time of day in place of the year.
fn no_year(_: &str, data: &[u8]) -> Vec<u8> {
    replaced(r"( [A-Z][a-z]{2} [ 0-9]\d)  \d{4} ", data, |found| {
        [&found[1], b" 00:00 "].concat()
    })
}

/// The hour of a time-val is two hours later.
fn two_hours_later(_: &str, data: &[u8]) -> Vec<u8> {
    replaced(r"(?i)(modify=\d{8})(\d\d)", data, |found| {
        let hour: u8 = String::from_utf8_lossy(&found[2]).parse().unwrap();
        [&found[1], format!("{:02}", (hour + 2) % 24).as_bytes()].concat()
    })
}

fn ten_minutes_later(reply: &[u8]) -> Vec<u8> {
    replaced(r"^(213 \d{10})(\d)", reply, |found| {
        let tens = b'0' + (found[2][0] - b'0' + 1) % 6;
        [&found[1], &[tens]].concat()
    })
}

fn without_zeros(reply: &[u8]) -> Vec<u8> {
    replaced(r"\b0+([0-9A-Fa-f]+\r\n)", reply, |found| found[1].to_vec())
}

/// The numbers of REST and RANG are cut to 64 bits.
fn cut_to_64_bits(line: &[u8]) -> Vec<u8> {
    match line.starts_with(b"REST") || line.starts_with(b"RANG") {
        true => replaced(r"\d+", line, |found| {
            let digits = String::from_utf8_lossy(&found[0]);
            let wrapped = digits.bytes().fold(0u64, |number, digit| {
                let digit = u64::from(digit - b'0');
                number.wrapping_mul(10).wrapping_add(digit)
            });
            wrapped.to_string().into_bytes()
        }),
        false => line.to_vec(),
    }
}

/// A protocol, a byte size, a level or a port is cut to eight or sixteen bits.
fn cut_to_few_bits(line: &[u8]) -> Vec<u8> {
    let verbs: [(&str, &str, u64); 4] = [
        ("EPSV ", r"\d+", 256),
        ("TYPE L", r"\d+", 256),
        ("OPTS MODE Z", r"\d+", 256),
        ("EPRT ", r"(\d+)\|$", 65536),
    ];
    let verb = verbs.iter().find(|it| line.starts_with(it.0.as_bytes()));
    let Some((_, number, size)) = verb else {
        return line.to_vec();
    };
    replaced(number, line, |found| {
        let text = String::from_utf8_lossy(&found[0]).into_owned();
        let digits = text.trim_end_matches('|');
        let cut = digits.parse::<u128>().unwrap() % u128::from(*size);
        text.replace(digits, &cut.to_string()).into_bytes()
    })
}

/// Files keep the contents that were stored first.
fn never_overwritten(_: &str, data: &[u8]) -> Vec<u8> {
    match data.len() < 2_500_000 {
        true => Data::of_pattern(0..2_500_000).to_vec(),
        false => data.to_vec(),
    }
}

/// A file with the name of a directory is stored under another name.
fn another_name(line: &[u8]) -> Vec<u8> {
    replaced(r"^(STOR|APPE) sub$", line, |found| {
        [&found[1], b" sub.1"].concat()
    })
}

/// The outcome, the fault, and the scenarios that it is about.
const FAULTS: &[(Outcome, Fault, &[&str])] = &[
    (
        Outcome::Fail,
        Fault::Data(&["MLSD"], empty_where_brackets_are),
        &["rfc3659/mlsd-of-names-that-look-like-patterns"],
    ),
    (
        Outcome::Warn,
        Fault::Data(&["LIST"], empty_where_brackets_are),
        &["rfc959/listings-of-names-that-look-like-patterns"],
    ),
    (
        Outcome::Warn,
        Fault::Data(&["NLST"], empty_where_brackets_are),
        &["rfc959/listings-of-names-that-look-like-patterns"],
    ),
    (
        Outcome::Fail,
        Fault::Data(&["LIST"], every_line_twice),
        &["rfc959/listings-name-each-entry-once"],
    ),
    (
        Outcome::Fail,
        Fault::Data(&["NLST"], every_line_twice),
        &["rfc959/listings-name-each-entry-once"],
    ),
    (
        Outcome::Fail,
        Fault::Data(&["MLSD"], every_line_twice),
        &["rfc3659/mlsd-every-entry"],
    ),
    (
        Outcome::Fail,
        Fault::Reply("STAT", |reply| {
            lines(reply, |line| 1 + usize::from(line.ends_with(b"qz.txt\r\n")))
        }),
        &["rfc959/listings-name-each-entry-once"],
    ),
    (
        Outcome::Note,
        Fault::Data(&["LIST"], no_year),
        &["vendor/list-dates-of-any-age"],
    ),
    (
        Outcome::Fail,
        Fault::Data(&["MLSD"], two_hours_later),
        &[
            "rfc3659/mlsd-facts-equal-those-of-mlst",
            "mfmt/mlst-shows-the-time",
        ],
    ),
    (
        Outcome::Warn,
        Fault::Reply("MLST", |reply| two_hours_later("", reply)),
        &["rfc3659/mdtm-equals-modify"],
    ),
    (
        Outcome::Note,
        Fault::Reply("MDTM", ten_minutes_later),
        &["vendor/list-agrees-with-mdtm"],
    ),
    (
        Outcome::Note,
        Fault::Data(&["LIST"], no_dot_files),
        &["vendor/list-options"],
    ),
    (
        Outcome::Note,
        Fault::Data(&["NLST"], no_dot_files),
        &["vendor/list-options"],
    ),
    (
        Outcome::Note,
        Fault::Reply("XCRC", without_zeros),
        &["hash/xcrc-known-digest"],
    ),
    (
        Outcome::Note,
        Fault::Reply("XMD5", without_zeros),
        &["hash/xmd5-known-digest"],
    ),
    (
        Outcome::Note,
        Fault::Reply("XSHA1", without_zeros),
        &["hash/xsha1-known-digest"],
    ),
    (
        Outcome::Note,
        Fault::Reply("XSHA256", without_zeros),
        &["hash/xsha256-known-digest"],
    ),
    (
        Outcome::Note,
        Fault::Reply("XSHA512", without_zeros),
        &["hash/xsha512-known-digest"],
    ),
    (
        Outcome::Fail,
        Fault::Reply("MD5", without_zeros),
        &["hash/md5-251"],
    ),
    (
        Outcome::Fail,
        Fault::Reply("MMD5", without_zeros),
        &["hash/mmd5-252"],
    ),
    (
        Outcome::Fail,
        Fault::Command(cut_to_64_bits),
        &["rfc3659/rest-beyond-64-bits"],
    ),
    (
        Outcome::Warn,
        Fault::Command(cut_to_64_bits),
        &["rang/numbers-beyond-64-bits"],
    ),
    (
        Outcome::Fail,
        Fault::Command(cut_to_few_bits),
        &[
            "rfc2428/epsv-unknown-protocol-522",
            "rfc959/type-local-needs-a-byte-size",
            "rfc2428/eprt-port-out-of-range",
        ],
    ),
    (
        Outcome::Warn,
        Fault::Command(cut_to_few_bits),
        &["mode-z/opts-nonsense-501"],
    ),
    (
        Outcome::Warn,
        Fault::DeafWhileItWaits,
        &["rfc959/abor-before-the-data-connection"],
    ),
    (
        Outcome::Fail,
        Fault::Data(&["RETR"], never_overwritten),
        &["rfc959/completion-means-stored"],
    ),
    (
        Outcome::Warn,
        Fault::Reply("RNTO", |_| b"450 Nothing to rename.\r\n".to_vec()),
        &["rfc959/rnto-needs-rnfr"],
    ),
    (
        Outcome::Warn,
        Fault::Command(|line| replaced("^MKD ~.*", line, |_| b"XYZZY".to_vec())),
        &[
            "rfc959/punctuation-anywhere-in-a-name",
            "rfc959/names-special-to-other-systems",
        ],
    ),
    (
        Outcome::Warn,
        Fault::Command(|line| replaced("^MKD .\\*", line, |_| b"XYZZY".to_vec())),
        &["rfc959/directories-that-look-like-patterns"],
    ),
    // What is legal.
    (
        Outcome::Inconclusive,
        Fault::Command(another_name),
        &[
            "rfc3659/a-refused-write-leaves-the-facts",
            "rfc959/refusals-leave-the-files",
        ],
    ),
    (
        Outcome::Pass,
        Fault::Command(|line| replaced("^PWD nonsense", line, |_| b"CWD nonsense".to_vec())),
        &["rfc959/superfluous-argument"],
    ),
    (
        Outcome::Pass,
        Fault::Reply("RNFR", |_| b"350 Ready.\r\n".to_vec()),
        &[
            "rfc959/names-that-look-like-patterns",
            "rfc959/changes-are-seen-by-others",
        ],
    ),
    (
        Outcome::Inconclusive,
        Fault::Command(|line| replaced("^MODE", line, |_| b"XMODE".to_vec())),
        &["rfc959/several-spaces"],
    ),
    (
        Outcome::Inconclusive,
        Fault::Command(|line| replaced("^RNFR sub$", line, |_| b"RNFR nowhere".to_vec())),
        &[
            "rfc959/rename-moves-the-file",
            "rfc3659/modify-survives-a-rename",
        ],
    ),
];

/// Scenarios that fail under a fault which does not have the impact that they describe.
const WITHOUT_IMPACT: &[(Fault, &[&str])] = &[
    (
        Fault::Reply("NLST", |_| b"500 NLST requires an argument.\r\n".to_vec()),
        &["user/deep-directories", "user/odd-names", "user/utf8-names"],
    ),
    (
        Fault::Reply("RETR", |_| b"550 No.\r\n".to_vec()),
        &["user/put-and-get"],
    ),
    (
        Fault::Reply("STOR", |reply| match reply {
            [b'4', ..] => b"226 Done.\r\n".to_vec(),
            _ => reply.to_vec(),
        }),
        &["rfc959/stor-without-data-keeps-the-file"],
    ),
];

fn main() {
    let fixture = Fixture::start(async {
        let embedded = Embedded::start()
            .await
            .expect("the reference server starts");
        (Arc::clone(embedded.target()), embedded)
    });
    let mut seen = BTreeSet::new();
    let mut trials = Vec::new();
    let job = |id: &str| {
        let is_it = |job: &&Job| job.scenario.id.0 == id && job.variant.to_string() == "pasv";
        let job = fixture.jobs.iter().find(is_it);
        job.expect("it is planned").clone()
    };
    let faults = FAULTS.iter();
    let faults =
        faults.flat_map(|(outcome, fault, ids)| ids.iter().map(move |id| (id, fault, outcome)));
    for (number, (id, fault, outcome)) in faults.enumerate() {
        let job = job(id);
        let mut trial = |name: String, fault: Fault, outcome: Outcome| {
            let (fixture, job) = (Arc::clone(&fixture), job.clone());
            trials.push(Trial::test(name, move || {
                fixture
                    .runtime
                    .block_on(found_out(&fixture, job, fault, outcome))
            }));
        };
        if seen.insert(id) {
            trial(format!("{id}, without a fault"), Fault::None, Outcome::Pass);
        }
        trial(format!("{id}, fault {number}"), *fault, *outcome);
    }
    let faults = WITHOUT_IMPACT.iter();
    for (id, fault) in faults.flat_map(|(fault, ids)| ids.iter().map(move |id| (id, fault))) {
        let (fixture, job) = (Arc::clone(&fixture), job(id));
        trials.push(Trial::test(format!("{id}, no impact"), move || {
            let verdict = fixture.runtime.block_on(verdict(&fixture, job, *fault));
            let findings = &verdict.findings;
            match findings.is_empty() || findings.iter().any(|finding| finding.shows_impact) {
                true => Err(format!("findings without impact expected: {verdict:#?}").into()),
                false => Ok(()),
            }
        }));
    }
    trials.extend(fixture.ignored(false));
    support::run(trials);
}

/// Plays the job against a server with this fault; the outcome must be the expected one.
async fn found_out(
    fixture: &Fixture,
    job: Job,
    fault: Fault,
    outcome: Outcome,
) -> Result<(), Failed> {
    let verdict = verdict(fixture, job, fault).await;
    match verdict.outcome == outcome {
        true => Ok(()),
        false => Err(format!("{outcome:?} expected: {verdict:#?}").into()),
    }
}

/// Plays the job against the reference server after a relay with this fault.
async fn verdict(fixture: &Fixture, job: Job, fault: Fault) -> Verdict {
    let server = &fixture.harness.target;
    let relay = Relay::start(server.address(false).unwrap(), fault).await;
    let target = Arc::new(Target {
        addresses: vec![relay.address],
        implicit: Vec::new(),
        ..Target::clone(server)
    });
    let mut manner = Harness::play_options();
    // The directories of trials that run at the same time have different names.
    manner.run = format!("faults-{}", relay.address.port());
    if matches!(fault, Fault::DeafWhileItWaits) {
        manner.timeouts.reply = Duration::from_secs(1);
    }
    let played = play(job, &target, &manner).await;
    fixture.harness.verdict(&played).0
}
