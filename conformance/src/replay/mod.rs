//! Replays recordings: the client's side against a live server, and the server's side for any
//! client.
//!
//! ```text
//!  Transcript --Session::all--> sessions --player--> what happened --compare--> differences
//!                                  +--matcher--> decisions --server--> any client
//! ```

mod compare;
mod dialogue;
mod double;
mod drift;
mod matcher;
mod player;
mod server;

pub use compare::{Difference, Strictness, Subject};
pub use double::{Deviations, ReplayServer};
pub(crate) use drift::{DriftWatcher, Expected, drift};
pub use matcher::Deviation;
pub use player::{Credentials, PlayError};
pub(crate) use server::{Settings, StandIn, Unexpected};

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::driver::Trust;
use crate::recording::{self, RecordingError};
use crate::subject::{Target, TargetError};
use crate::transcript::{Leg, Transcript};
use compare::compare;
use dialogue::Session;
use player::{Playback, play};

/// How long nothing may happen while something is waited for, unless another time is given.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A recorded session, or several: what `ftpspec record` wrote, or a transcript of any other seat.
///
/// ```no_run
/// use ftpspec::Recording;
///
/// # fn fetch(_url: &str) {}
/// let server = Recording::open("tests/session.jsonl")?.replay_server()?;
/// fetch(server.url()); // the client that is tested
/// server.finish()?; // what it did that was not recorded, and what it did not do
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Recording {
    transcript: Transcript,
}

/// How a recording is replayed against a live server.
#[derive(Debug, Clone)]
pub struct Against {
    /// What has to be equal.
    pub strictness: Strictness,
    /// Who logs in; what the URL names comes first.
    pub credentials: Credentials,
    /// The authorities that may have issued the server's certificate, in PEM; `None` accepts any
    /// certificate.
    pub ca_pem: Option<Vec<u8>>,
    /// How long nothing may happen while something is waited for.
    pub patience: Duration,
    /// Whether the client's pauses are as they were recorded, each at most a minute.
    pub recorded_pace: bool,
}

impl Default for Against {
    fn default() -> Self {
        Self {
            strictness: Strictness::default(),
            credentials: Credentials::default(),
            ca_pem: None,
            patience: PATIENCE,
            recorded_pace: false,
        }
    }
}

/// What came of a replay against a live server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Sessions of the recording.
    pub sessions: usize,
    /// Commands that were sent.
    pub commands: usize,
    /// Transfers that were not refused.
    pub transfers: usize,
    /// What differs from the recording.
    pub differences: Vec<Difference>,
}

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The server's URL is wrong.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The authorities cannot be read.
    #[error("{0}")]
    Trust(String),
    /// It cannot be played.
    #[error(transparent)]
    Play(#[from] PlayError),
}

impl Recording {
    /// Reads a recording, also one that was not written to its end.
    ///
    /// # Errors
    /// It cannot be read, or is not a transcript of a version this program knows.
    pub fn open(file: impl AsRef<Path>) -> Result<Self, ReplayError> {
        let transcript = recording::open(file.as_ref())?;
        Ok(Self { transcript })
    }

    /// What was recorded.
    #[must_use]
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Plays the client's side against a live server, `ftp://[user:password@]host[:port]`, and
    /// compares what happens with the recording.
    ///
    /// # Errors
    /// Nothing could be played: a secret is missing, or the server cannot be reached.
    pub async fn replay_against(
        &self,
        url: &str,
        options: &Against,
    ) -> Result<Replayed, ReplayError> {
        replay_against(std::slice::from_ref(self), url, options).await
    }
}

/// The sessions of recordings as the server's side plays them.
pub(crate) fn sessions_of_server(recordings: &[Recording]) -> Vec<Session> {
    sessions(recordings, Leg::Client)
}

fn sessions(recordings: &[Recording], leg: Leg) -> Vec<Session> {
    let transcripts: Vec<&Transcript> = recordings.iter().map(Recording::transcript).collect();
    Session::merged(&transcripts, leg)
}

/// Plays the client's side of several recordings that were made at the same time, such as those of a
/// mirror with parallel sessions; see [`Recording::replay_against`].
///
/// # Errors
/// As there.
pub(crate) async fn replay_against(
    recordings: &[Recording],
    url: &str,
    options: &Against,
) -> Result<Replayed, ReplayError> {
    let mut target = Target::from_url(url, &[]).await?;
    if let Some(pem) = &options.ca_pem {
        target.trust = Trust::from_pem(pem).map_err(ReplayError::Trust)?;
    }
    let sessions = sessions(recordings, Leg::Server);
    let playback = Playback {
        credentials: options.credentials.clone().or_of_url(url, &target),
        patience: options.patience,
        recorded_pace: options.recorded_pace,
    };
    let played = play(&sessions, &target, &playback).await?;
    let pairs = || sessions.iter().zip(&played).zip(1..);
    let differences = pairs().flat_map(|((recorded, played), number)| {
        compare(number, recorded, played, options.strictness)
    });
    let sent = |session: &Session| {
        session
            .exchanges
            .iter()
            .filter(|it| it.command.is_some())
            .count()
    };
    let transferred = |session: &Session| {
        let transfers = session.exchanges.iter().filter(|it| it.is_transfer());
        transfers.filter(|it| !it.is_refused()).count()
    };
    Ok(Replayed {
        sessions: sessions.len(),
        commands: played.iter().map(|played| sent(&played.session)).sum(),
        transfers: played
            .iter()
            .map(|played| transferred(&played.session))
            .sum(),
        differences: differences.collect(),
    })
}

impl From<Transcript> for Recording {
    fn from(transcript: Transcript) -> Self {
        Self { transcript }
    }
}

#[cfg(test)]
mod tests;
