//! Plays one job, from connecting to clean-up. Every wait is limited, and no panic reaches the run.

use crate::text::first_line;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::player::Player;
use super::{Job, Played, Stop};
use crate::driver::{Recorder, Timeouts};
use crate::subject::{Target, unguessable};
use crate::transcript::{Event, EventKind};

/// Options for playing jobs.
#[derive(Debug, Clone)]
pub struct PlayOptions {
    /// The limits of single waits.
    pub timeouts: Timeouts,
    /// The limit of one dialogue as a whole, in addition to the time allowed for its statements
    /// ([`Timeouts::statement`]).
    pub deadline: Duration,
    /// Part of the names of the created directories; the same value gives the same names again.
    /// Against a server that may hold other files it must be unguessable, like the default.
    pub run: String,
}

impl Default for PlayOptions {
    fn default() -> Self {
        Self {
            timeouts: Timeouts::default(),
            deadline: Duration::from_secs(30),
            run: unguessable(),
        }
    }
}

impl PlayOptions {
    /// The name of the directory a job works in.
    #[must_use]
    pub fn directory(&self, job: &Job) -> String {
        format!("ftpspec-{}-{:04}", self.run, job.number)
    }

    /// The [`PlayOptions::run`] in a directory's name, if the directory belongs to this job.
    pub(crate) fn run_of(directory: &str, job: &Job) -> Option<String> {
        let name = directory.rsplit('/').next()?.strip_prefix("ftpspec-")?;
        let run = name.strip_suffix(&format!("-{:04}", job.number))?;
        Some(run.to_owned())
    }
}

/// Reports whether a run was cancelled. Clones share the state.
#[derive(Debug, Clone)]
pub struct CancelToken(Option<watch::Receiver<Cancelled>>);

/// Cancels a run: players leave their dialogues and clean up, and no further job begins.
#[derive(Debug)]
pub struct Canceller(watch::Sender<Cancelled>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cancelled {
    No,
    /// Cancelled; players clean up.
    CleanUp,
    /// Cancelled again; players do not clean up.
    AtOnce,
}

impl CancelToken {
    /// A token that is never cancelled.
    #[must_use]
    pub fn never() -> Self {
        Self(None)
    }

    /// A token, and the handle that cancels it.
    #[must_use]
    pub fn cancellable() -> (Canceller, Self) {
        let (sender, receiver) = watch::channel(Cancelled::No);
        (Canceller(sender), Self(Some(receiver)))
    }

    /// Whether the run was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|receiver| *receiver.borrow() > Cancelled::No)
    }

    /// Waits until the run is cancelled.
    pub(super) async fn cancelled(&mut self) {
        self.wait_for(Cancelled::CleanUp).await;
    }

    /// Waits until the run is cancelled a second time, without clean-up.
    pub(super) async fn cancelled_at_once(&mut self) {
        self.wait_for(Cancelled::AtOnce).await;
    }

    async fn wait_for(&mut self, level: Cancelled) {
        let cancelled = match &mut self.0 {
            Some(receiver) => receiver.wait_for(|it| *it >= level).await.is_ok(),
            None => false,
        };
        if !cancelled {
            std::future::pending::<()>().await;
        }
    }
}

impl Canceller {
    /// Cancels the run; a second call also ends the clean-up.
    pub fn cancel(&self) {
        self.0.send_modify(|level| {
            *level = match level {
                Cancelled::No => Cancelled::CleanUp,
                Cancelled::CleanUp | Cancelled::AtOnce => Cancelled::AtOnce,
            };
        });
    }
}

/// Plays one job. Clean-up always follows, with a time limit of its own.
pub async fn play(job: Job, target: &Arc<Target>, options: &PlayOptions) -> Played {
    let played = play_into(
        Recorder::default(),
        job,
        target,
        options,
        CancelToken::never(),
    )
    .await;
    played.0
}

/// Like [`play`], with the caller's recorder. Also returns whether the dialogue was cancelled.
pub(super) async fn play_into(
    recorder: Recorder,
    job: Job,
    target: &Arc<Target>,
    options: &PlayOptions,
    mut cut: CancelToken,
) -> (Played, bool) {
    let began = Instant::now();
    let mut player = Player::new(
        job.clone(),
        target.clone(),
        options.timeouts,
        recorder.clone(),
    );
    let silence = job.scenario.silence().min(options.timeouts.longest_silence);
    let playing = player.play(options.directory(&job));
    let more = silence.saturating_add(options.timeouts.for_statements(&job.scenario));
    let playing = recorder.timeout(options.deadline.saturating_add(more), playing);
    let played = tokio::select! {
        played = playing => Some(played),
        () = cut.cancelled() => None,
    };
    let was_cut = played.is_none();
    let stop = match played {
        Some(Ok(played)) => played.err(),
        Some(Err(_)) => Some(Stop::TimedOut {
            line: recorder.line(),
        }),
        None => Some(Stop::Internal("interrupted".into())),
    };
    let ended = recorder.count();
    let left = player.leave().await;
    let mut played = finished(&recorder, job, stop, began);
    played.ended = ended;
    played.left = left;
    if played.stop.is_some()
        && !was_cut
        && let Some(words) = turned_away(&played.transcript.events)
    {
        played.stop = Some(Stop::Busy(words));
    }
    (played, was_cut)
}

/// The text of a 421 greeting, if there was one: the server takes no further connection (RFC 959
/// §5.4).
fn turned_away(events: &[Event]) -> Option<String> {
    let mut fresh = BTreeSet::new();
    events.iter().find_map(|event| match &event.what {
        EventKind::Connected { .. } => {
            fresh.insert(&event.connection);
            None
        }
        EventKind::FromServer { octets } if fresh.remove(&event.connection) => {
            let text = String::from_utf8_lossy(octets);
            let words = || format!("greeting: {}", first_line(&text));
            octets.starts_with(b"421").then(words)
        }
        _ => None,
    })
}

/// The result of the job, from what was recorded.
pub(super) fn finished(
    recorder: &Recorder,
    job: Job,
    stop: Option<Stop>,
    began: Instant,
) -> Played {
    let transcript = recorder.finish(&job.scenario.id.0, &job.variant.to_string());
    Played {
        job,
        ended: transcript.events.len(),
        transcript,
        stop,
        took: began.elapsed(),
        left: None,
    }
}
