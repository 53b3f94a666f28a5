//! One job from connecting to clean-up. Never hangs, never panics into the run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::player::Player;
use super::{Job, Played, Stop};
use crate::driver::{Recorder, Timeouts};
use crate::subject::{Target, unguessable};
use crate::transcript::{Event, EventKind};

/// How jobs are played.
#[derive(Debug, Clone)]
pub struct PlayOptions {
    /// How long each wait may take.
    pub timeouts: Timeouts,
    /// How long one dialogue may take, whatever its waits, besides what its statements are allowed
    /// ([`Timeouts::statement`]).
    pub deadline: Duration,
    /// Part of the names of the directories that are made; the same one gives the same names again.
    /// Against a server that may hold files of somebody else it must be one that nobody can guess,
    /// like the default.
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

    /// The part of a directory's name that [`PlayOptions::run`] is, if the directory belongs to this
    /// job.
    pub(crate) fn run_of(directory: &str, job: &Job) -> Option<String> {
        let name = directory.rsplit('/').next()?.strip_prefix("ftpspec-")?;
        let run = name.strip_suffix(&format!("-{:04}", job.number))?;
        Some(run.to_owned())
    }
}

/// Whether a run is to end before its time. Its clones say the same.
#[derive(Debug, Clone)]
pub struct CancelToken(Option<watch::Receiver<Haste>>);

/// Whoever has it can end a run: players leave their dialogues, clean up, and no further job begins.
#[derive(Debug)]
pub struct Canceller(watch::Sender<Haste>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Haste {
    None,
    /// With clean-up.
    Some,
    /// Without.
    Utmost,
}

impl CancelToken {
    /// A run that goes on to its end.
    #[must_use]
    pub fn never() -> Self {
        Self(None)
    }

    /// A run that somebody may end.
    #[must_use]
    pub fn some_time() -> (Canceller, Self) {
        let (sender, receiver) = watch::channel(Haste::None);
        (Canceller(sender), Self(Some(receiver)))
    }

    /// Whether it is to end now.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|receiver| *receiver.borrow() > Haste::None)
    }

    /// Waits until it is to end.
    pub(super) async fn made(&mut self) {
        self.wait_for(Haste::Some).await;
    }

    /// Waits until nobody has time to clean up any more.
    pub(super) async fn made_again(&mut self) {
        self.wait_for(Haste::Utmost).await;
    }

    async fn wait_for(&mut self, haste: Haste) {
        let made = match &mut self.0 {
            Some(receiver) => receiver.wait_for(|it| *it >= haste).await.is_ok(),
            None => false,
        };
        if !made {
            std::future::pending::<()>().await;
        }
    }
}

impl Canceller {
    /// Ends the run; when called again, without further clean-up.
    pub fn cut(&self) {
        self.0.send_modify(|haste| {
            *haste = match haste {
                Haste::None => Haste::Some,
                Haste::Some | Haste::Utmost => Haste::Utmost,
            };
        });
    }
}

/// Plays one job. Clean-up follows whatever happens, with a time limit of its own.
pub async fn play(job: Job, target: &Arc<Target>, manner: &PlayOptions) -> Played {
    let played = play_into(
        Recorder::default(),
        job,
        target,
        manner,
        CancelToken::never(),
    )
    .await;
    played.0
}

/// [`play`], writing into a recorder the caller keeps a clone of. Tells whether the dialogue was cut.
pub(super) async fn play_into(
    recorder: Recorder,
    job: Job,
    target: &Arc<Target>,
    manner: &PlayOptions,
    mut cut: CancelToken,
) -> (Played, bool) {
    let began = Instant::now();
    let mut player = Player::new(
        job.clone(),
        target.clone(),
        manner.timeouts,
        recorder.clone(),
    );
    let silence = job.scenario.silence().min(manner.timeouts.longest_silence);
    let playing = player.play(manner.directory(&job));
    let more = silence.saturating_add(manner.timeouts.for_statements(&job.scenario));
    let playing = recorder.timeout(manner.deadline.saturating_add(more), playing);
    let played = tokio::select! {
        played = playing => Some(played),
        () = cut.made() => None,
    };
    let was_cut = played.is_none();
    let stop = match played {
        Some(Ok(played)) => played.err(),
        Some(Err(_)) => Some(Stop::TimedOut {
            line: recorder.line(),
        }),
        None => Some(Stop::Trouble("interrupted".into())),
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

/// The 421 that greeted a connection, if one was: the server had no room for it (RFC 959 §5.4).
fn turned_away(events: &[Event]) -> Option<String> {
    let mut fresh = BTreeSet::new();
    events.iter().find_map(|event| match &event.what {
        EventKind::Connected { .. } => {
            fresh.insert(&event.connection);
            None
        }
        EventKind::FromServer { octets } if fresh.remove(&event.connection) => {
            let text = String::from_utf8_lossy(octets);
            let first = text.lines().next().unwrap_or_default();
            let words = || format!("greeting: {}", first.chars().take(120).collect::<String>());
            octets.starts_with(b"421").then(words)
        }
        _ => None,
    })
}

/// What the recorder holds, as the result of the job.
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
