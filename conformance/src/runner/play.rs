//! One job from connecting to clean-up. Never hangs, never panics into the run.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::time::timeout;

use super::player::Player;
use super::{Job, Played, Stop};
use crate::driver::{Recorder, Timeouts};
use crate::target::Target;

/// How jobs are played.
#[derive(Debug, Clone)]
pub struct Manner {
    /// How long each wait may take.
    pub timeouts: Timeouts,
    /// How long one dialogue may take, whatever its waits.
    pub deadline: Duration,
    /// Part of the names of the directories that are made; the same one gives the same names again.
    pub run: String,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            timeouts: Timeouts::default(),
            deadline: Duration::from_secs(30),
            run: unlike_any_other(),
        }
    }
}

/// A name for a run, so that what an earlier one had to leave behind is not in the way.
fn unlike_any_other() -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("{:x}-{:x}", now.as_millis(), std::process::id())
}

impl Manner {
    /// The name of the directory a job works in.
    #[must_use]
    pub fn directory(&self, job: &Job) -> String {
        format!("ftpspec-{}-{:04}", self.run, job.number)
    }
}

/// Plays one job. Clean-up follows whatever happens, with a time limit of its own.
pub async fn play(job: Job, target: &Arc<Target>, manner: &Manner) -> Played {
    play_into(Recorder::default(), job, target, manner).await
}

/// [`play`], writing into a recorder the caller keeps a clone of.
pub(super) async fn play_into(
    recorder: Recorder,
    job: Job,
    target: &Arc<Target>,
    manner: &Manner,
) -> Played {
    let began = Instant::now();
    let mut player = Player::new(
        job.clone(),
        target.clone(),
        manner.timeouts,
        recorder.clone(),
    );
    let played = timeout(manner.deadline, player.play(manner.directory(&job))).await;
    let stop = match played {
        Ok(played) => played.err(),
        Err(_) => Some(Stop::TimedOut {
            line: recorder.line(),
        }),
    };
    if let Some(workshop) = player.leave().await {
        workshop.clean_up().await;
    }
    finished(&recorder, job, stop, began)
}

/// What the recorder holds, as the result of the job.
pub(super) fn finished(
    recorder: &Recorder,
    job: Job,
    stop: Option<Stop>,
    began: Instant,
) -> Played {
    let transcript = recorder.transcript(&job.scenario.id.0, &job.variant.to_string());
    Played {
        job,
        transcript,
        stop,
        took: began.elapsed(),
    }
}
