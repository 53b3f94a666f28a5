//! `ftpspec check` and `ftpspec run`: scenarios are played, judged and reported.
//!
//! ```text
//!  Wish --server, probe, plan--> sanity, jobs --run_all--> Played --Desk--> rows --> Report --hand_over--> stdout, files
//! ```

mod collector;
mod options;
mod output;
mod progress;
mod reproduce;
mod server;

pub use options::{TIMEOUT, Wish};

use super::signals::StopSignals;
use super::{TROUBLE, USAGE};
use crate::command::baseline::{apply_baselines, read_baselines};
use crate::driver::Timeouts;
use crate::report::{BaselineFault, Report};
use crate::runner::{
    CancelToken, PREREQUISITES, Plan, PlayOptions, Prerequisites, RunEvent, Sanity, Schedule,
    blocked, plan, run_all,
};
use crate::subject::{Target, TargetFacts, TlsMode, Unmanaged, probe};
use crate::suite::Suite;
pub(super) use collector::Witness;
use collector::{Began, Collector, Run};
use output::hand_over;
pub(super) use output::print;
use server::{Nurse, Server};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Plays, judges and reports; the report is on stdout, progress and trouble on stderr. The answer is an exit code.
pub async fn check(wish: Wish) -> i32 {
    if let Some(message) = wish.pointless() {
        eprintln!("{message}");
        return USAGE;
    }
    match run(&wish, &mut |_, _| ()).await {
        Ok(report) => hand_over(&report, &wish),
        Err(Failure { code, message }) => {
            eprintln!("{message}");
            code
        }
    }
}

/// Why there is no report.
pub(super) struct Failure {
    /// The exit code.
    pub(super) code: i32,
    /// Whose fault it is, and what to do.
    pub(super) message: String,
}

pub(super) fn usage(message: impl ToString) -> Failure {
    Failure {
        code: USAGE,
        message: message.to_string(),
    }
}

/// What the plan rests on, which is no part of the plan then.
fn sanity(plan: &mut Plan, target: &Target, facts: &TargetFacts) -> Sanity {
    let mut known = Suite::embedded().scenarios;
    known.retain(|scenario| scenario.id.0.starts_with(PREREQUISITES));
    let known: Vec<_> = known.into_iter().map(Arc::new).collect();
    let sanity = Sanity::of(&plan.jobs, &known, target, facts);
    let first: Vec<_> = sanity.stages.iter().flatten().collect();
    plan.jobs.retain(|job| {
        !first
            .iter()
            .any(|other| (&other.scenario.id, other.variant) == (&job.scenario.id, job.variant))
    });
    sanity
}

/// What the target offers, and why nobody may log in there in clear, if that is so. Then everything is played under TLS.
async fn approach(server: &mut Server, timeouts: Timeouts) -> (TargetFacts, Option<String>) {
    let facts = probe(&server.target, timeouts).await;
    if facts.logged_in || !facts.auth_tls || server.target.tls != TlsMode::Off {
        return (facts, None);
    }
    let mut under_tls = Target::clone(&server.target);
    under_tls.tls = TlsMode::Explicit;
    let under_tls = Arc::new(under_tls);
    let other = probe(&under_tls, timeouts).await;
    if !other.logged_in {
        return (facts, None);
    }
    server.target = under_tls;
    (other, Some(facts.trouble.unwrap_or_default()))
}

/// Plays and judges; `witness` sees what was played as well.
pub(super) async fn run<'a>(
    wish: &'a Wish,
    witness: &'a mut Witness<'a>,
) -> Result<Report, Failure> {
    let (suite, invalid_scenarios) = wish.suite()?;
    wish.is_about(&suite)?;
    let chosen = wish.chosen(&suite)?;
    let baselines = read_baselines(&wish.baselines)?;
    let selection = wish.selection()?;
    let timeouts = wish.timeouts()?;
    if let Some(directory) = &wish.transcripts {
        std::fs::create_dir_all(directory)
            .map_err(|error| usage(format!("{}: {error}", directory.display())))?;
    }
    wish.outputs.prepare().map_err(usage)?;
    let mut server = Server::of(wish).await?;
    let began = Began::now();
    let (facts, only_tls) = approach(&mut server, timeouts).await;
    if !facts.reachable {
        let why = facts.trouble.unwrap_or_default();
        let why = why.trim_start_matches("target: ");
        return Err(Failure {
            code: TROUBLE,
            message: format!(
                "target: {} cannot be reached: {why}\nIs it running there, and not behind a firewall?",
                server.shown
            ),
        });
    }
    let scenarios: Vec<_> = suite
        .select(&wish.select)
        .into_iter()
        .filter(|scenario| wish.part.is_none_or(|part| part.holds(&scenario.id.0)))
        .filter(|scenario| chosen.has(&scenario.id.0))
        .cloned()
        .map(Arc::new)
        .collect();
    let mut target = server.target.clone();
    if facts.no_write.is_some() {
        // What needs no file of its own is still worth a look.
        Arc::make_mut(&mut target).writable = false;
    }
    let mut plan = plan(&scenarios, &selection, &target, &facts);
    let sanity = sanity(&mut plan, &target, &facts);
    let manner = PlayOptions {
        timeouts: timeouts.for_round_trip(facts.round_trip),
        // A dialogue is some dozens of exchanges.
        deadline: Duration::from_secs(30).max(timeouts.reply * 6) + facts.round_trip * 100,
        run: server.run_name(),
    };
    let (scissors, cut) = CancelToken::some_time();
    let mut stop = StopSignals::listen().map_err(|error| Failure {
        code: TROUBLE,
        message: format!("check: no handler for signals: {error}"),
    })?;
    let interrupting = tokio::spawn(async move {
        loop {
            stop.next().await;
            scissors.cut();
            eprintln!("check: interrupted; cleaning up, unless there is another interrupt");
        }
    });
    let mut conduct = Schedule {
        at_once: wish.jobs.unwrap_or_else(|| server.usual_jobs()),
        connections: wish.max_connections,
        blocked: BTreeMap::new(),
        prerequisites: Prerequisites::default(),
        cut: cut.clone(),
    };
    let all = plan.jobs.len() + sanity.stages.iter().map(Vec::len).sum::<usize>();
    let mut desk = Collector::new(wish, &server.shown, &facts, all, witness);
    if let (Some(why), false) = (&facts.trouble, facts.logged_in) {
        desk.hear(RunEvent::Fact(format!(
            "nobody could log in, so little could be tested ({why}): are user and password right? --user and FTPSPEC_PASSWORD give them"
        )));
    }
    if let Some(why) = only_tls {
        desk.hear(RunEvent::Fact(format!(
            "nobody may log in here in clear ({why}), so everything was played under TLS"
        )));
    }
    if let (0, Some(variant)) = (all, &wish.variant) {
        desk.hear(RunEvent::Fact(format!(
            "none of the scenarios has the variant `{variant}` here: without --variant all that make sense are played"
        )));
    }
    let mut nurse = match server.exec.take() {
        Some(exec) => Nurse::Exec(exec),
        None => Nurse::Unmanaged(Unmanaged::new(&target, timeouts.connect)),
    };
    // What everything rests on comes first; what rests on something that does not hold need not be tried.
    let stages = sanity.stages.iter().cloned();
    for (stage, jobs) in stages.chain([plan.jobs]).enumerate() {
        let failed = desk.failed_prerequisites();
        if stage == sanity.stages.len() {
            conduct.prerequisites = sanity.prerequisites(&jobs, &failed, &target, &facts);
        }
        conduct.blocked = blocked(&jobs, &failed, &target, &facts);
        conduct.blocked.extend(plan.blocked.clone());
        let hear = |event| desk.hear(event);
        run_all(jobs, &target, &manner, conduct.clone(), &mut nurse, hear).await;
    }
    interrupting.abort();
    let mut report = desk.report(Run {
        began,
        interrupted: cut.is_made(),
        skipped: plan.skipped,
        invalid_scenarios,
    });
    if let Nurse::Exec(exec) = nurse {
        let worth_a_look = report.exit_code(wish.strict) != 0;
        let kept = exec.stop(worth_a_look).await;
        let told = kept.map(|kept| format!("the output of the server is in {}", kept.display()));
        report.notices.extend(told);
    }
    server.stop().await;
    apply_baselines(&baselines, &mut report, &suite, wish.strict);
    for fault in &report.baseline_errors {
        let BaselineFault {
            file,
            line,
            entry,
            message,
            ..
        } = fault;
        eprintln!("{file}:{line}: {entry}: {message}");
    }
    Ok(report)
}
