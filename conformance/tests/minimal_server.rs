//! A server that has no more than RFC 1123 asks of every server breaks nothing, and no scenario may
//! say that it does. One that has everything but NOOP breaks what there is about NOOP and nothing
//! else, although other scenarios end with it. And one that nobody reaches in clear breaks nothing,
//! although so much of the suite begins there.

mod support;

use ftpspec::internals::driver::Trust;
use ftpspec::internals::runner::{Job, play};
use ftpspec::internals::selftest::Harness;
use ftpspec::internals::subject::{Target, TlsMode};
use ftpspec::internals::verdict::Outcome;
use ftpspec::transcript::redact;
use ftpspec_server::tls::TlsRequirement;
use ftpspec_server::{Server, Tls};
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use support::Fixture;

/// What RFC 1123 §4.1.2.13 does not ask of every server.
const OPTIONAL: &[&str] = &[
    "ABOR", "ADAT", "ALLO", "AUTH", "AVBL", "CCC", "CLNT", "COMB", "CONF", "CSID", "DSIZ", "ENC",
    "EPRT", "EPSV", "FEAT", "HASH", "HOST", "LANG", "MD5", "MDTM", "MFCT", "MFF", "MFMT", "MIC",
    "MLSD", "MLST", "MMD5", "OPTS", "PBSZ", "PROT", "RANG", "REIN", "REST", "RMDA", "SITE", "SIZE",
    "SMNT", "STOU", "XCRC", "XCUP", "XCWD", "XMD5", "XMKD", "XPWD", "XRMD", "XSHA", "XSHA1",
    "XSHA256", "XSHA512",
];

/// What RFC 959 and RFC 1123 say of NOOP: that it is there, and what it is answered.
const ABOUT_NOOP: &[&str] = &[
    "rfc1123/minimum-commands",
    "rfc959/noop-says-200",
    "rfc959/reply-codes-are-in-their-rows",
];

fn main() {
    let mut trials = trials("minimal", &without(OPTIONAL), &[]);
    trials.extend(self::trials(
        "without-noop",
        &without(&["NOOP"]),
        ABOUT_NOOP,
    ));
    for (name, tls) in [
        ("explicit", TlsMode::Explicit),
        ("implicit", TlsMode::Implicit),
    ] {
        trials.extend(self::trials(name, &under_tls(tls), &[]));
    }
    support::run(trials);
}

/// Every scenario against the server in this fixture: those named fail, and nothing else is wrong.
fn trials(name: &str, fixture: &Arc<Fixture>, failing: &'static [&'static str]) -> Vec<Trial> {
    let mut seen = BTreeSet::new();
    let first = fixture
        .jobs
        .iter()
        .filter(|job| seen.insert(job.scenario.id.clone()));
    first
        .map(|job| {
            let (fixture, job) = (Arc::clone(fixture), job.clone());
            let id = job.scenario.id.0.clone();
            Trial::test(format!("{name} {id}"), move || {
                weighed(&fixture, job, failing.contains(&id.as_str()))
            })
        })
        .chain(fixture.ignored(false))
        .collect()
}

fn without(verbs: &[&str]) -> Arc<Fixture> {
    Fixture::start(async {
        let mut server = Server::builder().user("ftpspec", "in the open");
        if !verbs.contains(&"AUTH") {
            server = server.tls(Tls::explicit());
        }
        for verb in verbs {
            server = server.disable(verb);
        }
        let running = server.start().await.expect("the server starts");
        (target(running.addresses(), TlsMode::Off), running)
    })
}

/// No login in clear, with explicit and implicit TLS.
fn under_tls(mode: TlsMode) -> Arc<Fixture> {
    Fixture::start(async {
        let tls = match mode {
            TlsMode::Implicit => Tls::implicit(),
            TlsMode::Off | TlsMode::Explicit => {
                Tls::explicit().require(TlsRequirement::ControlAndData)
            }
        };
        let server = Server::builder().user("ftpspec", "in the open").tls(tls);
        let running = server.start().await.expect("the server starts");
        (target(running.addresses(), mode), running)
    })
}

fn target(addresses: &[SocketAddr], tls: TlsMode) -> Arc<Target> {
    Arc::new(Target {
        user: "ftpspec".into(),
        password: "in the open".into(),
        trust: Trust::Anything,
        tls,
        ..Target::at("localhost", addresses.to_vec())
    })
}

/// Plays the job; whether it fails must be as expected, and nothing else may be found.
fn weighed(fixture: &Fixture, job: Job, fails: bool) -> Result<(), Failed> {
    let harness = &fixture.harness;
    let options = Harness::play_options();
    let played = play(job, &harness.target, &options);
    let played = fixture.runtime.block_on(played);
    let (verdict, judges) = harness.verdict(&played);
    let alarmed = judges.iter().any(|judge| judge.outcome > Outcome::Note);
    let as_expected = match fails {
        true => verdict.outcome == Outcome::Fail,
        false => verdict.outcome <= Outcome::Warn,
    };
    if alarmed || !as_expected {
        let dialogue = redact(&played.transcript);
        let alarm = if fails { "no alarm" } else { "a false alarm" };
        return Err(format!("{alarm}: {verdict:#?}\n{judges:#?}\n{dialogue}").into());
    }
    Ok(())
}
