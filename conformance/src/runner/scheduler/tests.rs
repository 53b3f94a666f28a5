//! Runs against servers with few connections, servers that die, and cancelled runs.

use super::*;
use crate::runner::Canceller;
use crate::runner::testing::{Do, Fake, at_once, job, play_options};
use crate::subject::Unmanaged;
use std::net::SocketAddr;
use std::sync::Mutex;

/// The result of a run: how each job stopped, by number, and the facts.
#[derive(Debug, Default)]
struct Outcome {
    stops: Vec<(usize, Option<Stop>)>,
    facts: Vec<String>,
}

async fn run(
    jobs: Vec<Job>,
    server: &Fake,
    schedule: Schedule,
    keeper: &mut impl Supervisor,
) -> Outcome {
    let mut ran = Outcome::default();
    run_all(
        jobs,
        &server.target,
        &play_options(),
        schedule,
        keeper,
        |event| match event {
            RunEvent::Started(_) => {}
            RunEvent::Finished(played) => ran.stops.push((played.job.number, played.stop)),
            RunEvent::Fact(fact) => ran.facts.push(fact),
        },
    )
    .await;
    ran
}

fn jobs(dialogues: &[&str]) -> Vec<Job> {
    let numbered = |(number, dialogue): (usize, &&str)| Job {
        number,
        ..job("pasv", "", dialogue)
    };
    dialogues.iter().enumerate().map(numbered).collect()
}

const NOOP: &str = "> NOOP\n< 200";
const SYST: &str = "> SYST\n< 215";

fn unmanaged(server: &Fake) -> Unmanaged {
    Unmanaged::new(&server.target, Duration::ZERO)
}

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn nothing_special(_: &str) -> Option<Vec<Do>> {
    None
}

#[tokio::test]
async fn a_server_with_few_connections_gets_fewer_jobs_and_nothing_fails() {
    let server = Fake::start_at(anywhere(), 3, nothing_special).await;
    let jobs = jobs(&[NOOP; 8]);
    let ran = run(jobs, &server, at_once(8), &mut unmanaged(&server)).await;
    let stops: Vec<_> = (0..8).map(|number| (number, None)).collect();
    assert_eq!(ran.stops, stops, "{:?}", ran.facts);
    assert!(
        ran.facts.iter().any(|fact| fact.contains("421 too many")),
        "{:?}",
        ran.facts
    );
    assert!(server.has().is_empty(), "{:?}", server.has());
}

#[tokio::test]
async fn a_server_without_free_connections_is_no_failure_and_retries_end() {
    let server = Fake::start_at(anywhere(), 1, nothing_special).await;
    let jobs = jobs(&[NOOP; 5]);
    let ran = run(jobs, &server, at_once(2), &mut unmanaged(&server)).await;
    assert_eq!(ran.stops.len(), 5);
    let busy = |(_, stop): &(usize, Option<Stop>)| matches!(stop, Some(Stop::Busy(_)));
    assert!(ran.stops.iter().all(busy), "{:?}", ran.stops);
    let logins = server
        .heard()
        .iter()
        .filter(|line| line.starts_with("USER"))
        .count();
    // One job finds that out for all.
    assert!(logins < 3 * (MAX_REFUSALS_ALONE as usize + 2), "{logins}");
}

#[tokio::test]
async fn a_421_greeting_is_not_a_failure_of_the_server() {
    let server = Fake::start_at(anywhere(), 0, nothing_special).await;
    let mut greeting = job("pasv", "login = false", "< 220");
    greeting.number = 0;
    let ran = run(vec![greeting], &server, at_once(1), &mut unmanaged(&server)).await;
    assert!(matches!(&ran.stops[..], [(0, Some(Stop::Busy(why)))] if why.contains("421 too many")));
}

#[tokio::test]
async fn the_connection_limit_is_respected() {
    let server = Fake::start(nothing_special).await;
    let two_more = "B@login\n> NOOP\n< 200\nB> NOOP\nB< 200";
    let jobs = jobs(&[NOOP, NOOP, two_more, NOOP, NOOP]);
    let schedule = Schedule {
        connections: Some(2),
        ..at_once(8)
    };
    let ran = run(jobs, &server, schedule, &mut unmanaged(&server)).await;
    let Some(Stop::Prerequisite(why)) = &ran.stops[2].1 else {
        panic!("{:?}", ran.stops)
    };
    assert!(
        why.contains("needs 3") && why.contains("--max-connections"),
        "{why}"
    );
    let others = ran.stops.iter().filter(|(_, stop)| stop.is_none()).count();
    assert_eq!(others, 4, "{:?}", ran.stops);
    // A connection that is closing may still count.
    assert!(server.peak() <= 2 + 1, "{}", server.peak());
}

#[tokio::test]
async fn a_blocked_job_is_finished_without_contacting_the_server() {
    let server = Fake::start(nothing_special).await;
    let schedule = Schedule {
        blocked: BTreeMap::from([(1, "it is closed".to_owned())]),
        ..at_once(1)
    };
    let jobs = jobs(&[NOOP, SYST, NOOP]);
    let ran = run(jobs, &server, schedule, &mut unmanaged(&server)).await;
    let blocked = Some(Stop::Prerequisite("it is closed".into()));
    assert_eq!(ran.stops, [(0, None), (1, blocked), (2, None)]);
    assert!(!server.heard().contains(&"SYST".to_owned()));
}

fn dies_at_syst(line: &str) -> Option<Vec<Do>> {
    (line == "SYST").then(|| vec![Do::Die])
}

#[tokio::test]
async fn a_complete_report_is_made_when_the_server_dies() {
    let server = Fake::start(dies_at_syst).await;
    let jobs = jobs(&[NOOP, SYST, NOOP, NOOP]);
    let ran = run(jobs, &server, at_once(1), &mut unmanaged(&server)).await;
    assert_eq!(ran.stops[0], (0, None));
    let why: Vec<_> = ran.stops[1..]
        .iter()
        .map(|(_, stop)| match stop {
            Some(Stop::TargetGone(why)) => why.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(why[0].starts_with("while this was played: "), "{why:?}");
    assert!(why[1].starts_with("not played: ") && why[2].starts_with("not played: "));
}

/// Restarts the server at the same address each time it dies.
struct RestartingSupervisor {
    address: SocketAddr,
    servers: Vec<Fake>,
}

impl Supervisor for RestartingSupervisor {
    fn death(&mut self) -> Option<String> {
        None
    }

    async fn restart(&mut self) -> Result<String, String> {
        let server = Fake::start_at(self.address, usize::MAX, dies_at_syst).await;
        self.servers.push(server);
        Ok("it was restarted".into())
    }
}

fn restarting(server: &Fake) -> RestartingSupervisor {
    RestartingSupervisor {
        address: server.target.addresses[0],
        servers: Vec::new(),
    }
}

#[tokio::test]
async fn a_restarted_server_is_tested_to_the_end() {
    let server = Fake::start(dies_at_syst).await;
    let jobs = jobs(&[NOOP, SYST, NOOP, NOOP]);
    let ran = run(jobs, &server, at_once(1), &mut restarting(&server)).await;
    assert!(
        matches!(&ran.stops[1].1, Some(Stop::TargetGone(_))),
        "{ran:?}"
    );
    let others = ran.stops.iter().filter(|(_, stop)| stop.is_none()).count();
    assert_eq!(others, 3, "{ran:?}");
    let facts = [
        "/ftpspec-t-0001 could not be removed and is still on the server",
        "it was restarted",
    ];
    assert_eq!(ran.facts, facts);
}

#[tokio::test]
async fn a_server_that_keeps_dying_is_given_up() {
    let server = Fake::start(dies_at_syst).await;
    let mut restarting = restarting(&server);
    let jobs = jobs(&[SYST; 8]);
    let ran = run(jobs, &server, at_once(1), &mut restarting).await;
    assert_eq!(
        (ran.stops.len(), restarting.servers.len()),
        (8, MAX_SERVER_DEATHS)
    );
    let Some(Stop::TargetGone(why)) = &ran.stops[7].1 else {
        panic!("{ran:?}")
    };
    assert!(why.contains("died 4 times"), "{why}");
}

#[tokio::test]
async fn a_closed_connection_fails_its_scenario_only() {
    let rule = |line: &str| (line == "SYST").then(|| vec![Do::Say("421 idle\r\n"), Do::Close]);
    let server = Fake::start(rule).await;
    let jobs = jobs(&[SYST, "> SYST\n> NOOP\n< 215\n< 200", NOOP]);
    let ran = run(jobs, &server, at_once(1), &mut unmanaged(&server)).await;
    assert!(
        matches!(ran.stops[0].1, Some(Stop::Mismatch { .. })),
        "{ran:?}"
    );
    assert!(
        matches!(ran.stops[1].1, Some(Stop::Mismatch { .. })),
        "{ran:?}"
    );
    assert_eq!(ran.stops[2], (2, None));
    assert!(server.has().is_empty(), "{:?}", server.has());
}

#[tokio::test]
async fn a_job_that_timed_out_beside_others_is_played_again_alone() {
    for (jobs_at_once, again) in [(2, true), (1, false)] {
        let silent = std::sync::atomic::AtomicBool::new(true);
        let rule = move |line: &str| {
            let once = || silent.swap(false, std::sync::atomic::Ordering::Relaxed);
            (line == "SYST" && once()).then(Vec::new)
        };
        let server = Fake::start(rule).await;
        let jobs = jobs(&[SYST, NOOP, NOOP]);
        let ran = run(
            jobs,
            &server,
            at_once(jobs_at_once),
            &mut unmanaged(&server),
        )
        .await;
        assert_eq!(ran.stops.len(), 3, "{ran:?}");
        assert_eq!(ran.stops[0].1.is_none(), again, "{ran:?}");
        let mut facts = ran.facts.iter();
        let reported = facts.any(|fact| fact.contains("was not the same twice"));
        assert_eq!(reported, again, "{ran:?}");
    }
}

/// Cancels the run as soon as SYST is received, and never answers it.
fn cancel_at_syst(canceller: Canceller) -> impl Fn(&str) -> Option<Vec<Do>> {
    let canceller = Mutex::new(canceller);
    move |line| {
        (line == "SYST").then(|| {
            let canceller = canceller
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            canceller.cancel();
            vec![]
        })
    }
}

fn until(cancel: CancelToken) -> Schedule {
    Schedule {
        cancel,
        ..at_once(1)
    }
}

#[tokio::test]
async fn a_cancelled_run_cleans_up_and_reports_what_was_played() {
    let (canceller, cut) = CancelToken::cancellable();
    let server = Fake::start(cancel_at_syst(canceller)).await;
    let jobs = jobs(&[NOOP, SYST, NOOP]);
    let ran = run(jobs, &server, until(cut), &mut unmanaged(&server)).await;
    assert_eq!(ran.stops, [(0, None)]);
    assert!(ran.facts.is_empty(), "{:?}", ran.facts);
    assert!(server.has().is_empty(), "{:?}", server.has());
}

#[tokio::test]
async fn a_directory_that_cannot_be_removed_is_reported_also_when_cancelled() {
    for dialogue in [NOOP, SYST] {
        let (canceller, cut) = CancelToken::cancellable();
        let cutting = cancel_at_syst(canceller);
        let rule = move |line: &str| match line == "RMD ftpspec-t-0000" {
            true => Some(vec![Do::Say("550 no\r\n")]),
            false => cutting(line),
        };
        let server = Fake::start(rule).await;
        let ran = run(
            jobs(&[dialogue]),
            &server,
            until(cut),
            &mut unmanaged(&server),
        )
        .await;
        let facts = ["/ftpspec-t-0000 could not be removed and is still on the server"];
        assert_eq!(ran.facts, facts, "{dialogue}");
    }
}

#[tokio::test]
async fn a_directory_being_created_during_cancellation_is_removed() {
    let (canceller, cut) = CancelToken::cancellable();
    let canceller = Mutex::new(canceller);
    // Creates the directory and does not reply.
    let rule = move |line: &str| {
        (line == "PWD").then(|| {
            let canceller = canceller
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            canceller.cancel();
            vec![]
        })
    };
    let server = Fake::start(rule).await;
    let ran = run(jobs(&[NOOP]), &server, until(cut), &mut unmanaged(&server)).await;
    assert!(ran.stops.is_empty(), "{ran:?}");
    assert!(server.heard().contains(&"RMD ftpspec-t-0000".to_owned()));
}
