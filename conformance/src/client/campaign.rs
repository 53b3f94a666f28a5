//! Plays a suite against a client, several scenarios at a time, and makes the report.

use super::adapter::Adapter;
use super::judge::{Context, Tally, judge};
use super::language::Scenario;
use super::outcome::TaskRun;
use super::play::{Client, Job, Limits, Played, play};
use super::variant::Variant;
use crate::catalogue::Catalogue;
use crate::report::{self, Filters, Report, Row, SkippedRow, Tested, excerpt};
use crate::runner::CancelToken;
use crate::transcript::Conversation;
use crate::verdict::{Outcome, Verdict};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Lines of the output of a client that are shown beside a failure.
const OUTPUT_LINES: usize = 6;
/// Characters of such a line.
const OUTPUT_WIDTH: usize = 160;

/// What is played, and how.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The name of the client in the report.
    pub name: String,
    /// Its version, as it reports it.
    pub version: String,
    /// Only this variant.
    pub variant: Option<Variant>,
    /// How many scenarios are played at the same time.
    pub jobs: usize,
    /// Limits of a task.
    pub limits: Limits,
    /// The command that plays one scenario; the id and the variant are added.
    pub command: String,
    /// Whether only a part of the suite is played.
    pub filtered: bool,
}

/// What happens during a run.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// Everything is planned.
    Planned {
        /// How many scenarios and variants will be played.
        jobs: usize,
    },
    /// A scenario was played and judged. Comes in the order of the plan.
    Finished(&'a Played),
}

/// Plays the scenarios, judges them and returns the report.
pub(crate) async fn run(
    client: &Client,
    scenarios: &[Arc<Scenario>],
    options: &Options,
    cancel: CancelToken,
    on_event: &mut (dyn FnMut(Event<'_>) + Send),
) -> Report {
    let started = SystemTime::now().duration_since(UNIX_EPOCH);
    let clock = Instant::now();
    let (jobs, skipped) = plan(client, scenarios, options);
    on_event(Event::Planned { jobs: jobs.len() });
    let mut tally = Tally::default();
    let mut rows = Vec::new();
    let mut receive = |played: Played| {
        let row = row(&played, options, &mut tally);
        on_event(Event::Finished(&played));
        rows.push(row);
    };
    play_all(jobs, client, options, &cancel, &mut receive).await;
    Report {
        schema: report::SCHEMA.into(),
        version: report::VERSION,
        ftpspec: env!("CARGO_PKG_VERSION").into(),
        target: Tested {
            url: format!("client {}", options.name),
            greeting: options.version.clone(),
            ..Tested::default()
        },
        started: started.map_or(0, |since| since.as_secs()),
        duration_ms: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
        interrupted: cancel.is_cancelled(),
        judges: match rows.is_empty() {
            true => Vec::new(),
            false => tally.verdicts(),
        },
        scenarios: rows,
        skipped,
        invalid_scenarios: Vec::new(),
        notices: Vec::new(),
        parts: Vec::new(),
        filters: Filters {
            scenarios: options.filtered,
            variants: options.variant.is_some(),
        },
        baseline_errors: Vec::new(),
    }
}

/// What is played, and what the client has no way to do.
fn plan(
    client: &Client,
    scenarios: &[Arc<Scenario>],
    options: &Options,
) -> (Vec<Job>, Vec<SkippedRow>) {
    let (mut jobs, mut skipped) = (Vec::new(), Vec::new());
    for scenario in scenarios {
        let variants = scenario.variants().into_iter();
        for variant in variants.filter(|it| options.variant.is_none_or(|only| only == *it)) {
            let reason = match client {
                Client::Program { adapter, .. } => adapter.variant(variant).err(),
                Client::Scripted(_) => None,
            };
            let reason = reason.map(|reason| reason.to_string());
            let absent = (variant.ipv6 && !has_ipv6()).then(|| "there is no IPv6 here".to_owned());
            match reason.or(absent) {
                None => jobs.push(Job {
                    scenario: Arc::clone(scenario),
                    variant,
                }),
                Some(reason) => skipped.push(SkippedRow {
                    scenario: scenario.id.0.clone(),
                    variant: Some(variant.into()),
                    reason,
                }),
            }
        }
    }
    (jobs, skipped)
}

/// Whether this host has the loopback address of IPv6.
#[must_use]
pub(crate) fn has_ipv6() -> bool {
    std::net::TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Plays jobs at the same time and hands them on in the order of the plan.
async fn play_all(
    jobs: Vec<Job>,
    client: &Client,
    options: &Options,
    cancel: &CancelToken,
    receive: &mut (dyn FnMut(Played) + Send),
) {
    let places = Arc::new(Semaphore::new(options.jobs.max(1)));
    let mut running = JoinSet::new();
    for (number, job) in jobs.into_iter().enumerate() {
        let (client, cancel, places) = (client.clone(), cancel.clone(), Arc::clone(&places));
        let limits = options.limits;
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            let played = match &client {
                _ if cancel.is_cancelled() => None,
                // What the client cannot do needs no server.
                Client::Program { adapter, .. } if lacks_task(adapter, &job) => {
                    Some(unsupported(adapter, job))
                }
                _ => Some(play(job, &client, &limits, &cancel).await),
            };
            (number, played)
        });
    }
    let mut early = BTreeMap::new();
    let mut next = 0;
    while let Some(done) = running.join_next().await {
        let Ok((number, played)) = done else {
            continue;
        };
        early.insert(number, played);
        while let Some(played) = early.remove(&next) {
            next += 1;
            if let Some(played) = played {
                receive(played);
            }
        }
    }
    // A job that ended unexpectedly leaves a gap.
    early.into_values().flatten().for_each(receive);
}

fn lacks_task(adapter: &Adapter, job: &Job) -> bool {
    let steps = job.scenario.steps();
    let mut tasks = steps.iter().map(|step| step.task);
    tasks.any(|task| adapter.supports(task, job.variant).is_err())
}

/// A job that was not played, because the adapter has no command for one of its tasks.
fn unsupported(adapter: &Adapter, job: Job) -> Played {
    let steps = job.scenario.steps();
    let lacked = steps
        .iter()
        .find(|step| adapter.supports(step.task, job.variant).is_err());
    let task = TaskRun {
        line: lacked.map_or(0, |step| step.line),
        exit: super::outcome::Exit::Code(super::task::UNKNOWN_TASK),
        took: std::time::Duration::ZERO,
        stdout: Vec::new(),
        stderr: Vec::new(),
        files: Vec::new(),
    };
    Played {
        transcript: crate::transcript::Transcript::default(),
        tasks: vec![task],
        stop: None,
        took: std::time::Duration::ZERO,
        job,
    }
}

fn row(played: &Played, options: &Options, tally: &mut Tally) -> Row {
    let (scenario, variant) = (&played.job.scenario, played.job.variant);
    let conversations = Conversation::all(&played.transcript);
    let context = Context {
        scenario,
        variant,
        transcript: &played.transcript,
        conversations: &conversations,
        tasks: &played.tasks,
    };
    let verdict = judge(&context, played.stop.as_ref());
    if !matches!(verdict.outcome, Outcome::Unsupported | Outcome::Error) {
        tally.look(&context);
    }
    let about = &scenario.about;
    let (id, quoted) = (
        &scenario.id.0,
        shell_words::quote(&variant.to_string()).into_owned(),
    );
    Row {
        title: about.title.clone(),
        level: about.level,
        cites: about.cites.clone(),
        covers: about.covers.clone(),
        commands: Catalogue::built_in().commands(&about.covers),
        needs: Vec::new(),
        duration_ms: u64::try_from(played.took.as_millis()).unwrap_or(u64::MAX),
        excerpt: evidence(played, &verdict),
        reproduce: options
            .command
            .replace("{select}", &format!("--select {id} --variant {quoted}")),
        impact: match verdict.has_impact() {
            true => about.impact.clone(),
            false => String::new(),
        },
        known: None,
        verdict,
    }
}

/// The wire around the first of the worst findings, and what the client wrote.
fn evidence(played: &Played, verdict: &Verdict) -> Vec<String> {
    let Some(finding) = verdict.findings.iter().min_by_key(|finding| finding.level) else {
        return Vec::new();
    };
    let mut lines = excerpt(&played.transcript, finding.event);
    let mut runs = played.tasks.iter();
    let steps = played.job.scenario.steps();
    let step = steps.iter().rfind(|step| step.line < finding.line);
    let Some(run) = runs.find(|run| step.is_some_and(|step| step.line == run.line)) else {
        return lines;
    };
    let seconds = run.took.as_secs_f64();
    lines.push(format!(
        "-- the client ended after {seconds:.1} s: {}",
        run.exit
    ));
    for (name, octets) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
        let text = String::from_utf8_lossy(octets);
        let written: Vec<_> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let last = written.len().saturating_sub(OUTPUT_LINES);
        for line in &written[last..] {
            let line: String = line.chars().take(OUTPUT_WIDTH).collect();
            lines.push(format!("-- {name}: {line}"));
        }
    }
    lines
}
