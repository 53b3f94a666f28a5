//! Tests the scenarios and rules themselves: a conforming client passes with every habit, and each
//! expectation and each rule is broken by a client with one fault.

use super::judge::{Context, RULES, judge, rule_findings};
use super::language::Scenario;
use super::play::{Client, Job, Limits, Played, play};
use super::scripted::{BUGS, Bug, Habits};
use super::variant::Variant;
use crate::runner::CancelToken;
use crate::scenario::Level;
use crate::transcript::Conversation;
use crate::verdict::{Finding, Outcome};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What is wrong with the scenarios and rules.
#[derive(Debug, Default)]
pub struct Weaknesses {
    /// A conforming client was accused.
    pub alarms: Vec<String>,
    /// An expectation that no fault broke.
    pub survivors: Vec<String>,
    /// The rules that a fault broke.
    pub rules: BTreeSet<String>,
    /// How many tasks were played.
    pub played: usize,
}

impl Weaknesses {
    /// Rules that no fault broke.
    #[must_use]
    pub fn unbroken_rules(&self) -> Vec<&'static str> {
        let names = RULES.iter().map(|rule| rule.name);
        names.filter(|name| !self.rules.contains(*name)).collect()
    }
}

/// The habits of conforming clients.
fn habits() -> [Habits; 3] {
    let usual = Habits {
        patience: Duration::from_secs(4),
        ..Habits::default()
    };
    [
        usual.clone(),
        Habits {
            old_commands: true,
            asks_size: false,
            ..usual.clone()
        },
        Habits {
            enters_directories: true,
            ..usual
        },
    ]
}

/// Plays every scenario with conforming clients and with every fault, `at_once` at a time.
pub async fn selftest(scenarios: &[Arc<Scenario>], at_once: usize) -> Weaknesses {
    let places = Arc::new(Semaphore::new(at_once.max(1)));
    let mut running = JoinSet::new();
    for scenario in scenarios {
        running.spawn(one(Arc::clone(scenario), Arc::clone(&places)));
    }
    let mut all = Weaknesses::default();
    while let Some(done) = running.join_next().await {
        match done {
            Ok(done) => {
                all.alarms.extend(done.alarms);
                all.survivors.extend(done.survivors);
                all.rules.extend(done.rules);
                all.played += done.played;
            }
            Err(error) => all.alarms.push(format!("the player failed: {error}")),
        }
    }
    all.alarms.sort();
    all.survivors.sort();
    all
}

async fn one(scenario: Arc<Scenario>, places: Arc<Semaphore>) -> Weaknesses {
    let mut found = Weaknesses::default();
    let has_ipv6 = super::campaign::has_ipv6();
    let mut variants = scenario.variants();
    variants.retain(|variant| has_ipv6 || !variant.ipv6);
    for variant in &variants {
        let old_is_right = !OLD_COMMANDS_DEVIATE.contains(&scenario.id.0.as_str());
        let habits = habits().into_iter();
        for habits in habits.filter(|habits| old_is_right || !habits.old_commands) {
            let judged = played(&scenario, *variant, habits.clone(), &places).await;
            found.played += 1;
            if let Some(alarm) = judged.alarm() {
                let id = &scenario.id;
                found
                    .alarms
                    .push(format!("{id} [{variant}] {habits:?}: {alarm}"));
            }
        }
    }
    let Some(first) = variants.first() else {
        return found;
    };
    let steps = scenario.steps();
    let obligations = steps.iter().flat_map(|step| &step.obligations);
    let mut left: BTreeSet<u32> = obligations.map(|obligation| obligation.line).collect();
    for (bug, _) in BUGS {
        let wanted = RULE_CASES
            .iter()
            .any(|(_, it, id)| it == bug && *id == scenario.id.0);
        if left.is_empty() && !wanted {
            continue;
        }
        let habits = Habits {
            bug: Some(*bug),
            ..Habits::default()
        };
        let judged = played(&scenario, *first, habits, &places).await;
        found.played += 1;
        for finding in &judged.broken {
            left.remove(&finding.line);
        }
        let rules = judged.rules.into_iter().map(|finding| finding.judge);
        let proven = |rule: &String| {
            let mut cases = RULE_CASES.iter();
            cases.any(|case| *case == (rule.as_str(), *bug, scenario.id.0.as_str()))
        };
        found.rules.extend(rules.filter(proven));
    }
    let id = &scenario.id;
    let survivors = left.iter().map(|line| format!("{id}:{line}"));
    found.survivors.extend(survivors);
    found
}

/// Scenarios in which PASV and PORT are what is reported.
const OLD_COMMANDS_DEVIATE: [&str; 1] = ["client/data/epsv-preferred"];

/// For each rule a fault that breaks it, and the scenario in which it does.
const RULE_CASES: &[(&str, Bug, &str)] = &[
    (
        "truthful-exit",
        Bug::AlwaysSucceeds,
        "client/download/always-cut",
    ),
    (
        "password-protected",
        Bug::TlsIfPossible,
        "client/tls/auth-refused",
    ),
    ("data-protected", Bug::ClearData, "client/tls/pbsz-and-prot"),
    (
        "pbsz-before-prot",
        Bug::SkipsPbsz,
        "client/tls/pbsz-and-prot",
    ),
    (
        "session-reuse",
        Bug::NewTlsSession,
        "client/tls/session-reuse",
    ),
    (
        "own-server-only",
        Bug::ForeignAddress,
        "client/data/foreign-address",
    ),
    (
        "own-address-only",
        Bug::ForeignPort,
        "client/data/eprt-refused",
    ),
    (
        "one-command-at-a-time",
        Bug::Pipelines,
        "client/basic/download",
    ),
    (
        "waits-for-completion",
        Bug::CommandInTransfer,
        "client/download/slow-file",
    ),
    (
        "rest-before-transfer",
        Bug::CommandAfterRest,
        "client/resume/download",
    ),
    (
        "rnto-after-rnfr",
        Bug::CommandAfterRnfr,
        "client/basic/rename",
    ),
    (
        "port-for-each-transfer",
        Bug::SamePort,
        "client/basic/mirror-down",
    ),
    ("epsv-all", Bug::EpsvAllThenPasv, "client/basic/download"),
    (
        "extended-over-ipv6",
        Bug::OldCommandsOverIpv6,
        "client/data/ipv6",
    ),
    (
        "no-repeated-login",
        Bug::RetriesLogin,
        "client/login/wrong-password",
    ),
    ("ends-in-order", Bug::NoQuit, "client/basic/download"),
    ("command-lines", Bug::NulInArgument, "client/basic/download"),
    ("one-space", Bug::DoubleSpace, "client/basic/download"),
    ("host-first", Bug::HostAfterLogin, "client/basic/list"),
    ("host-without-port", Bug::HostWithPort, "client/basic/list"),
    (
        "no-telnet-options",
        Bug::TelnetOptions,
        "client/basic/download",
    ),
];

struct Judged {
    outcome: Outcome,
    reason: String,
    broken: Vec<Finding>,
    rules: Vec<Finding>,
}

impl Judged {
    /// What a conforming client is accused of.
    fn alarm(&self) -> Option<String> {
        if self.outcome != Outcome::Pass {
            let first = self.broken.first().map_or_else(String::new, |it| {
                format!("line {}: {} ({})", it.line, it.expected, it.observed)
            });
            return Some(format!("{} {first} {}", self.outcome.word(), self.reason));
        }
        let broken = self.rules.iter().find(|it| it.level <= Level::Practice)?;
        Some(format!("{}: {}", broken.judge, broken.observed))
    }
}

async fn played(
    scenario: &Arc<Scenario>,
    variant: Variant,
    habits: Habits,
    places: &Semaphore,
) -> Judged {
    let _place = places.acquire().await;
    // A conforming client may be slow on a busy machine; a faulty one may wait without end.
    let limits = Limits {
        task: Duration::from_secs(if habits.bug.is_some() { 6 } else { 60 }),
        timeout: 1,
    };
    let job = Job {
        scenario: Arc::clone(scenario),
        variant,
    };
    let client = Client::Scripted(habits);
    let played = play(job, &client, &limits, &CancelToken::never()).await;
    judged(&played)
}

fn judged(played: &Played) -> Judged {
    let conversations = Conversation::all(&played.transcript);
    let context = Context {
        scenario: &played.job.scenario,
        variant: played.job.variant,
        transcript: &played.transcript,
        conversations: &conversations,
        tasks: &played.tasks,
    };
    let verdict = judge(&context, played.stop.as_ref());
    Judged {
        outcome: verdict.outcome,
        reason: verdict.reason,
        broken: verdict.findings,
        rules: rule_findings(&context),
    }
}
