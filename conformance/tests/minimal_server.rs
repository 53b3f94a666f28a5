//! A server that has no more than RFC 1123 asks of every server breaks nothing, and no scenario may say that it does.

mod support;

use ftpspec::driver::Trust;
use ftpspec::runner::{Manner, play};
use ftpspec::target::Target;
use ftpspec::transcript::redact;
use ftpspec::verdict::Outcome;
use ftpspec_server::Server;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::sync::Arc;
use support::House;

/// What RFC 1123 §4.1.2.13 does not ask of every server.
const OPTIONAL: &[&str] = &[
    "ABOR", "ADAT", "ALLO", "AUTH", "AVBL", "CCC", "CLNT", "COMB", "CONF", "CSID", "DSIZ", "ENC",
    "EPRT", "EPSV", "FEAT", "HASH", "HOST", "LANG", "MD5", "MDTM", "MFCT", "MFF", "MFMT", "MIC",
    "MLSD", "MLST", "MMD5", "OPTS", "PBSZ", "PROT", "RANG", "REIN", "REST", "RMDA", "SITE", "SIZE",
    "SMNT", "STOU", "XCRC", "XCUP", "XCWD", "XMD5", "XMKD", "XPWD", "XRMD", "XSHA", "XSHA1",
    "XSHA256", "XSHA512",
];

fn main() {
    let house = House::around(async {
        let mut server = Server::builder().user("ftpspec", "in the open");
        for verb in OPTIONAL {
            server = server.without(verb);
        }
        let running = server.start().await.expect("the server starts");
        let target = Arc::new(Target {
            user: "ftpspec".into(),
            password: "in the open".into(),
            trust: Trust::Anything,
            ..Target::at("localhost", running.addresses().to_vec())
        });
        (target, running)
    });
    let mut seen = BTreeSet::new();
    let first = house
        .jobs
        .iter()
        .filter(|job| seen.insert(job.scenario.id.clone()));
    let trials = first.map(|job| {
        let (house, job) = (Arc::clone(&house), job.clone());
        Trial::test(job.scenario.id.0.clone(), move || {
            let laboratory = &house.laboratory;
            let manner = Manner::default();
            let played = play(job, &laboratory.target, &manner);
            let played = house.runtime.block_on(played);
            let (verdict, judges) = laboratory.verdict(&played);
            let alarmed = judges.iter().any(|judge| judge.outcome > Outcome::Note);
            if verdict.outcome > Outcome::Warn || alarmed {
                let dialogue = redact(&played.transcript);
                return Err(format!("a false alarm: {verdict:#?}\n{judges:#?}\n{dialogue}").into());
            }
            Ok(())
        })
    });
    support::run(trials.collect());
}
