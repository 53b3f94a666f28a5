//! One test per scenario and variant, named by its path: the reference server passes it, and its
//! dialogue equals the snapshot. New snapshots are accepted with `cargo insta review`.
//!
//! What the runner does in every scenario (login, barrier and QUIT) and the list of features take
//! one line each in the snapshots; [`COMPLETE`] names the snapshots that show them.

mod elide;
mod support;

use ftpspec::internals::runner::{Job, play};
use ftpspec::internals::scenario::DriverKind;
use ftpspec::internals::selftest::Harness;
use ftpspec::internals::subject::Embedded;
use ftpspec::internals::verdict::Outcome;
use ftpspec::transcript::redact;
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeSet;
use std::sync::Arc;
use support::Fixture;

/// Scenarios without a snapshot, because two events happen at once and may come in either order.
const RACES: &[&str] = &["rfc959/abor-after-the-data-connection-closed"];

/// Scenarios whose snapshots show the whole dialogue: the login in clear and under TLS, FEAT, and
/// the end of a session.
const COMPLETE: &[&str] = &[
    "rfc959/noop-says-200",
    "rfc2389/feat-grammar",
    "rfc4217/protected-transfers",
];

fn main() {
    let fixture = Fixture::start(async {
        let embedded = Embedded::start()
            .await
            .expect("the reference server starts");
        (Arc::clone(embedded.target()), embedded)
    });
    let mut seen = BTreeSet::new();
    let played = fixture.jobs.iter().map(|job| {
        // The first variant of a scenario has a snapshot; the others only have to pass.
        let first = job.variant.driver == DriverKind::Raw && seen.insert(job.scenario.id.clone());
        let kept = first && !RACES.contains(&job.scenario.id.0.as_str());
        let (fixture, job) = (Arc::clone(&fixture), job.clone());
        let name = format!("{} [{}]", job.scenario.id, job.variant);
        Trial::test(name, move || passes(&fixture, job, kept))
    });
    support::run(played.chain(fixture.ignored(true)).collect());
}

fn passes(fixture: &Fixture, job: Job, kept: bool) -> Result<(), Failed> {
    let id = job.scenario.id.0.clone();
    let played =
        fixture
            .runtime
            .block_on(play(job, &fixture.harness.target, &Harness::play_options()));
    let (verdict, judges) = fixture.harness.verdict(&played);
    let worst = judges.iter().map(|judge| judge.outcome).max();
    let judges = worst.unwrap_or(Outcome::Pass);
    let dialogue = redact(&played.transcript);
    // UNSUPPORTED and INCONCLUSIVE are in the description of the snapshot.
    let allowed = matches!(
        verdict.outcome,
        Outcome::Pass | Outcome::Inconclusive | Outcome::Unsupported | Outcome::Note
    );
    if !allowed || judges > Outcome::Note {
        return Err(format!("{verdict:#?}\njudges: {}\n{dialogue}", judges.word()).into());
    }
    if kept {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path("snapshots");
        settings.set_omit_expression(true);
        // The operating system chooses FIN or RST, depending on whether the server had accepted
        // the connection and read what was sent. The judges check transfers that end with RST.
        settings.add_filter(
            "(-- data connection )reset( by the server)",
            "${1}closed${2}",
        );
        settings.set_description(format!("{}: {id}", verdict.outcome.word()));
        let dialogue = match COMPLETE.contains(&id.as_str()) {
            true => dialogue,
            false => elide::elide(&dialogue),
        };
        settings.bind(|| insta::assert_snapshot!(id.replace('/', "__"), dialogue));
    }
    Ok(())
}
