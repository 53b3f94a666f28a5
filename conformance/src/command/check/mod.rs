//! `ftpspec check` and `ftpspec run`: scenarios are played, judged and reported.
//!
//! ```text
//!  Wish --server, probe, plan--> jobs --run_all--> Played --Desk--> rows --> Report --hand_over--> stdout
//! ```

mod desk;
mod out;
mod progress;
mod server;
mod wish;

pub use wish::Wish;

use super::serve::interrupted;
use super::{TROUBLE, USAGE};
use crate::report::Report;
use crate::runner::{Manner, plan, run_all};
use crate::target::probe;
pub(super) use desk::Witness;
use desk::{Began, Desk, Run};
use out::hand_over;
use server::Server;
use std::sync::Arc;
use std::time::Duration;

/// Plays, judges and reports; the report is on stdout, progress and trouble on stderr. The answer is an exit code.
pub async fn check(wish: Wish) -> i32 {
    match run(&wish, &mut |_, _| ()).await {
        Ok(report) => {
            hand_over(&report, &wish);
            report.exit_code(wish.strict)
        }
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

/// Plays and judges; `witness` sees what was played as well.
pub(super) async fn run<'a>(
    wish: &'a Wish,
    witness: &'a mut Witness<'a>,
) -> Result<Report, Failure> {
    let (suite, broken_files) = wish.suite()?;
    let selection = wish.selection()?;
    let timeouts = wish.timeouts()?;
    if let Some(directory) = &wish.transcripts {
        std::fs::create_dir_all(directory)
            .map_err(|error| usage(format!("{}: {error}", directory.display())))?;
    }
    let server = Server::of(wish).await?;
    let target = &server.target;
    let began = Began::now();
    let facts = probe(target, timeouts).await;
    if !facts.reachable {
        let why = facts.trouble.unwrap_or_default();
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
        .cloned()
        .map(Arc::new)
        .collect();
    let plan = plan(&scenarios, &selection, target, &facts);
    let manner = Manner {
        timeouts: timeouts.for_round_trip(facts.round_trip),
        deadline: Duration::from_secs(30).max(timeouts.reply * 6),
        run: server.run_name(began.unix),
    };
    let at_once = wish.jobs.unwrap_or_else(|| server.usual_jobs());
    let mut desk = Desk::new(wish, &server.shown, &facts, plan.jobs.len(), witness);
    let interrupted = tokio::select! {
        () = run_all(plan.jobs, target, &manner, at_once, |event| desk.hear(event)) => false,
        _ = interrupted() => true,
    };
    let report = desk.report(Run {
        began,
        interrupted,
        skipped: plan.skipped,
        broken_files,
    });
    server.stop().await;
    Ok(report)
}
