//! Every scenario is proven: it passes against a server that plays the transcript it passed with, and for each of its
//! expectations it fails against one that lies there.
//!
//! The lying server is scripted from the transcript (`ftpspec::scripted`); it shares no code with the reference server.

mod support;

use ftpspec::driver::{Timeouts, Trust};
use ftpspec::runner::{Job, Manner, Played, play};
use ftpspec::scenario::DriverKind;
use ftpspec::scripted::{Scripted, mutant};
use ftpspec::target::Target;
use ftpspec::transcript::{Transcript, redact};
use ftpspec::verdict::Outcome;
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use support::House;

fn main() {
    let house = House::open();
    let mut seen = BTreeSet::new();
    let raw = house
        .jobs
        .iter()
        .filter(|job| job.variant.driver == DriverKind::Raw);
    let trials = raw
        .filter(|job| seen.insert(job.scenario.id.clone()))
        .map(|job| {
            let (house, job) = (Arc::clone(&house), job.clone());
            Trial::test(job.scenario.id.0.clone(), move || {
                notices_every_lie(&house, &job)
            })
        });
    support::run(trials.collect());
}

fn notices_every_lie(house: &House, job: &Job) -> Result<(), Failed> {
    let truth = house
        .runtime
        .block_on(play(job.clone(), &house.target, &Manner::default()));
    let (verdict, _) = house.verdict(&truth);
    // A scenario that legally ended early (`!ends`) is N/A: it is proven as far as it was played.
    if verdict.outcome > Outcome::Unsupported {
        return Err(format!("not even the truth passes: {verdict:#?}").into());
    }

    let told = against(house, job, &truth.transcript, Duration::from_secs(5))?;
    let (verdict, judges) = house.verdict(&told);
    if verdict.outcome > Outcome::Unsupported || judges > Outcome::Note {
        let dialogue = redact(&told.transcript);
        return Err(format!("the honest script is doubted: {verdict:#?}\n{dialogue}").into());
    }

    let mutants = mutant::all(&job.scenario, &truth.transcript);
    if mutants.is_empty() {
        return Err("nothing in this scenario can be broken: it checks nothing".into());
    }
    let mut believed = Vec::new();
    for mutant in mutants {
        // A lie can also be a silence; nobody has to wait long for a script on the same machine.
        let played = against(house, job, &mutant.transcript, Duration::from_millis(700))?;
        let (verdict, judges) = house.verdict(&played);
        let seen = verdict
            .findings
            .iter()
            .any(|finding| finding.line >= mutant.line || finding.line == 0);
        if !seen && judges < Outcome::Warn {
            believed.push(format!("line {}: the server {}", mutant.line, mutant.lie));
        }
    }
    if believed.is_empty() {
        Ok(())
    } else {
        Err(format!("believed:\n{}", believed.join("\n")).into())
    }
}

fn against(
    house: &House,
    job: &Job,
    script: &Transcript,
    patience: Duration,
) -> Result<Played, Failed> {
    house.runtime.block_on(async {
        let real = &house.target;
        let on = real
            .address(job.variant.ipv6)
            .ok_or("no address of that family")?
            .ip();
        let scripted = Scripted::start(script, on)
            .await
            .map_err(|error| error.to_string())?;
        let target = Arc::new(Target {
            addresses: vec![scripted.address()],
            // The script has a certificate of its own.
            trust: Trust::Anything,
            ..Target::clone(real)
        });
        let manner = Manner {
            timeouts: Timeouts {
                connect: patience,
                reply: patience,
                data: patience,
                handshake: patience,
                ..Timeouts::default()
            },
            ..Manner::default()
        };
        let played = play(job.clone(), &target, &manner).await;
        scripted.stop();
        Ok(played)
    })
}
