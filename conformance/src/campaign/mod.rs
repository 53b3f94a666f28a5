//! Runs a suite against a server and reports what happens as events.
//!
//! ```text
//!  Options --load, start, probe, plan--> jobs --run_all--> Played --Collector--> rows --> Report
//!                                                             `--> Event --> caller
//! ```
//!
//! Nothing here prints or knows an exit code: progress, transcript files and reports are made by
//! the caller from [`Event`]s and the [`Report`].

mod collector;
mod options;
mod reproduce;
mod server;

pub use options::{Criteria, Matrix, Options};

use crate::baseline::{self, Baseline, Names};
use crate::driver::Timeouts;
use crate::judge::JUDGES;
use crate::report::{Report, Row, RunStatus};
use crate::runner::{
    CancelToken, Job, PREREQUISITES, Plan, PlayOptions, Played, PrerequisiteStages, Prerequisites,
    Schedule, blocked, plan, run_all,
};
use crate::scenario::Scenario;
use crate::subject::{Target, TargetFacts, TlsMode, Unmanaged, probe};
use crate::suite::{Broken, Suite};
use crate::text::read_limited;
use collector::{Collector, StartTime};
use server::{ServerSupervisor, ServerUnderTest};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The size limit of a baseline file, in octets.
const BASELINE_LIMIT: u64 = 16 << 20;

/// What happens during a campaign.
#[derive(Debug)]
pub enum Event<'a> {
    /// A scenario file has errors and is not played.
    InvalidScenario(&'a Broken),
    /// The server answers and everything is planned.
    Planned {
        /// How many scenarios and variants will be played.
        jobs: usize,
    },
    /// A job is being played.
    Started(&'a Job),
    /// A job was played and judged. Comes in the order of the plan.
    Finished {
        /// What was played. Its transcript is dropped after this event.
        played: &'a Played,
        /// How it was judged.
        row: &'a Row,
        /// Whether it replaces the earlier row of a prerequisite that was checked again.
        repeated: bool,
    },
}

/// Receives the events of a campaign.
pub type OnEvent<'a> = dyn FnMut(Event<'_>) + Send + 'a;

/// Why there is no report. The texts are complete sentences with a next step.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// An option, or a file it names, cannot be used.
    #[error("{0}")]
    Usage(String),
    /// The options select no scenario.
    #[error("{0}")]
    NothingSelected(String),
    /// The server cannot be started or reached.
    #[error("{0}")]
    Unreachable(String),
}

impl CampaignError {
    pub(super) fn usage(message: impl ToString) -> Self {
        Self::Usage(message.to_string())
    }
}

/// Plays the selected scenarios, judges them and returns the report.
///
/// A server named by [`Options::exec`], and the bundled one, are started here and stopped before
/// the function returns. When `cancel` is triggered, running scenarios are cleaned up and the
/// report is marked as interrupted.
///
/// # Errors
/// [`CampaignError`]; failures of single scenarios are rows of the report.
pub async fn run(
    options: &Options,
    cancel: CancelToken,
    on_event: &mut OnEvent<'_>,
) -> Result<Report, CampaignError> {
    let suite = options.suite()?;
    for broken in &suite.broken {
        on_event(Event::InvalidScenario(broken));
    }
    options.validate(&suite)?;
    let scenarios = selected(options, &suite)?;
    let baselines = read_baselines(&options.criteria.baselines)?;
    let timeouts = options.timeouts();
    let mut server = ServerUnderTest::start(options).await?;
    let started = StartTime::now();
    let (facts, clear_refused) = first_contact(&mut server, timeouts).await;
    if !facts.reachable {
        let (name, why) = (&server.name, facts.problem.unwrap_or_default());
        return Err(CampaignError::Unreachable(format!(
            "target: {name} cannot be reached: {why}\n\
             Is it running there, and reachable through firewalls?"
        )));
    }
    if facts.write_refused.is_some() {
        // Scenarios that need no file of their own can still be played.
        Arc::make_mut(&mut server.target).writable = false;
    }
    let target = Arc::clone(&server.target);
    let mut plan = plan(&scenarios, &options.selection(), &target, &facts);
    let prerequisite_stages = take_prerequisites(&mut plan, &target, &facts);
    let jobs = plan.jobs.len()
        + prerequisite_stages
            .stages
            .iter()
            .map(Vec::len)
            .sum::<usize>();
    on_event(Event::Planned { jobs });
    let mut collector = Collector::new(options, &facts, on_event);
    for notice in first_notices(options, &facts, clear_refused, jobs) {
        collector.notice(notice);
    }
    let play_options = PlayOptions {
        timeouts: timeouts.for_round_trip(facts.round_trip),
        // A dialogue is a few dozen exchanges.
        deadline: Duration::from_secs(30).max(timeouts.reply * 6) + facts.round_trip * 100,
        run: server.run_name(),
    };
    let mut schedule = Schedule {
        at_once: options.jobs.unwrap_or_else(|| server.default_jobs()),
        connections: options.max_connections.map(usize::from),
        blocked: BTreeMap::new(),
        prerequisites: Prerequisites::default(),
        cancel: cancel.clone(),
    };
    let mut supervisor = match server.exec.take() {
        Some(exec) => ServerSupervisor::Exec(exec),
        None => ServerSupervisor::Unmanaged(Unmanaged::new(&target, timeouts.connect)),
    };
    // Prerequisites come first; what depends on a failed one is not tried.
    let stages = prerequisite_stages.stages.iter().cloned();
    for (stage, jobs) in stages.chain([plan.jobs]).enumerate() {
        let failed = collector.failed_prerequisites();
        if stage == prerequisite_stages.stages.len() {
            schedule.prerequisites =
                prerequisite_stages.prerequisites(&jobs, &failed, &target, &facts);
        }
        schedule.blocked = blocked(&jobs, &failed, &target, &facts);
        schedule.blocked.extend(plan.blocked.clone());
        let receive = |event| collector.receive(event);
        let schedule = schedule.clone();
        run_all(
            jobs,
            &target,
            &play_options,
            schedule,
            &mut supervisor,
            receive,
        )
        .await;
    }
    let mut report = collector.finish(server.name.clone(), &started);
    report.interrupted = cancel.is_cancelled();
    report.skipped = plan.skipped.into_iter().map(Into::into).collect();
    report.invalid_scenarios = suite.broken.iter().map(|it| it.path.clone()).collect();
    if let ServerSupervisor::Exec(exec) = supervisor {
        let keep_output = report.status(options.criteria.strict) != RunStatus::AsExpected;
        let kept = exec.stop(keep_output).await;
        let notice = kept.map(|kept| format!("the output of the server is in {}", kept.display()));
        report.notices.extend(notice);
    }
    server.stop().await;
    apply_baselines(&baselines, &mut report, &suite, options.criteria.strict);
    Ok(report)
}

fn selected(options: &Options, suite: &Suite) -> Result<Vec<Arc<Scenario>>, CampaignError> {
    let sets = options.selected_sets(suite)?;
    let part = options.criteria.partition;
    let scenarios = suite.select(&options.select).into_iter();
    Ok(scenarios
        .filter(|scenario| part.is_none_or(|part| part.holds(&scenario.id.0)))
        .filter(|scenario| sets.contains(&scenario.id.0))
        .cloned()
        .map(Arc::new)
        .collect())
}

/// Moves the prerequisites of the planned jobs out of the plan.
fn take_prerequisites(plan: &mut Plan, target: &Target, facts: &TargetFacts) -> PrerequisiteStages {
    let mut known = Suite::embedded().scenarios;
    known.retain(|scenario| scenario.id.0.starts_with(PREREQUISITES));
    let known: Vec<_> = known.into_iter().map(Arc::new).collect();
    let prerequisite_stages = PrerequisiteStages::of(&plan.jobs, &known, target, facts);
    let key = |job: &Job| (job.scenario.id.clone(), job.variant);
    let taken: Vec<_> = prerequisite_stages
        .stages
        .iter()
        .flatten()
        .map(key)
        .collect();
    plan.jobs.retain(|job| !taken.contains(&key(job)));
    prerequisite_stages
}

/// What the server offers. Where it refuses logins in the clear but accepts them with AUTH TLS, the
/// target is changed to use AUTH TLS, and the second value is the reason it gave.
async fn first_contact(
    server: &mut ServerUnderTest,
    timeouts: Timeouts,
) -> (TargetFacts, Option<String>) {
    let facts = probe(&server.target, timeouts).await;
    if facts.logged_in || !facts.auth_tls || server.target.tls != TlsMode::Off {
        return (facts, None);
    }
    let mut under_tls = Target::clone(&server.target);
    under_tls.tls = TlsMode::Explicit;
    let under_tls = Arc::new(under_tls);
    let second = probe(&under_tls, timeouts).await;
    if !second.logged_in {
        return (facts, None);
    }
    server.target = under_tls;
    (second, Some(facts.problem.unwrap_or_default()))
}

/// What a reader of the report has to know of the server and the selection as a whole.
fn first_notices(
    options: &Options,
    facts: &TargetFacts,
    clear_refused: Option<String>,
    jobs: usize,
) -> Vec<String> {
    let mut notices = Vec::new();
    if let (Some(why), false) = (&facts.problem, facts.logged_in) {
        notices.push(format!(
            "login failed, so little could be tested ({why}): are user and password right? --user \
             and FTPSPEC_PASSWORD set them"
        ));
    }
    if let Some(why) = clear_refused {
        notices.push(format!(
            "the server refuses logins in the clear ({why}), so everything was played with TLS"
        ));
    }
    if let (0, Some(variant)) = (jobs, &options.variant) {
        notices.push(format!(
            "no selected scenario has the variant `{variant}` here; without --variant all \
             applicable variants are played"
        ));
    }
    notices
}

pub(crate) fn read_baselines(files: &[PathBuf]) -> Result<Vec<Baseline>, CampaignError> {
    let read = |file: &PathBuf| {
        let text = read_limited(file, BASELINE_LIMIT).map_err(|error| {
            CampaignError::usage(format!(
                "baseline: {error}\nCreate one with `ftpspec baseline update {} --from \
                 report.json --reason …`.",
                file.display()
            ))
        })?;
        Baseline::read(&file.display().to_string(), &text).map_err(CampaignError::usage)
    };
    files.iter().map(read).collect()
}

/// Marks known deviations in a report. Entries may name scenarios of `suite` and of the built-in
/// suite.
fn apply_baselines(baselines: &[Baseline], report: &mut Report, suite: &Suite, strict: bool) {
    if baselines.is_empty() {
        return;
    }
    let embedded = Suite::embedded();
    let scenarios = suite.scenarios.iter().chain(&embedded.scenarios);
    let scenarios: Vec<&str> = scenarios.map(|scenario| scenario.id.0.as_str()).collect();
    let judges: Vec<&str> = JUDGES.iter().map(|judge| judge.name).collect();
    let names = Names {
        scenarios: &scenarios,
        judges: &judges,
    };
    baseline::apply(baselines, report, names, strict);
}
