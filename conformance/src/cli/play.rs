//! Runs a campaign on behalf of a verb: diagnostics, progress and interrupts.

use super::exit_code::CommandError;
use super::progress::Progress;
use super::signals::StopSignals;
use crate::campaign::{self, Event, OnEvent, Options};
use crate::report::Report;
use crate::runner::{CancelToken, Canceller};
use crate::scenario::render;
use anstream::{AutoStream, ColorChoice};
use std::io;

/// Plays and judges. Errors of scenario files and the progress go to stderr; `observer` sees every
/// event too. The first interrupt ends the run with clean-up, the second one without.
pub(super) async fn play(
    options: &Options,
    observer: &mut OnEvent<'_>,
) -> Result<Report, CommandError> {
    let (canceller, cancel) = CancelToken::cancellable();
    let mut canceller = Some(canceller);
    let mut progress = Progress::default();
    let report = campaign::run(options, cancel, &mut |event| {
        match &event {
            Event::InvalidScenario(broken) => {
                let colour = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
                let text = render(&broken.path, &broken.text, &broken.diagnostics, colour);
                eprintln!("{text}");
            }
            Event::Planned { jobs } => {
                progress = Progress::new(*jobs);
                if let Some(canceller) = canceller.take() {
                    cancel_on_signal(canceller);
                }
            }
            Event::Started(job) => progress.started(job),
            Event::Finished { row, repeated, .. } => {
                if !repeated {
                    progress.finished(row.verdict.outcome);
                }
            }
        }
        observer(event);
    })
    .await;
    progress.clear();
    Ok(report?)
}

/// Has to be called before the first connection that has to be cleaned up.
fn cancel_on_signal(canceller: Canceller) {
    let mut signals = match StopSignals::listen() {
        Ok(signals) => signals,
        Err(error) => return eprintln!("check: signals end the run without clean-up: {error}"),
    };
    tokio::spawn(async move {
        loop {
            signals.next().await;
            canceller.cancel();
            eprintln!("check: interrupted; cleaning up (interrupt again to skip the clean-up)");
        }
    });
}
