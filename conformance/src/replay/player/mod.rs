//! Plays the client's side of a recording against a live server. It sends what was recorded, in the
//! recorded order, and decides nothing: [`compare`](super::compare) finds the differences.

mod control;
mod data;
mod session;
mod substitute;

pub use substitute::Credentials;

use std::time::Duration;

use tokio::time::Instant;

use super::compare::Played;
use super::dialogue::{Exchange, Session};
use crate::subject::{Target, TlsMode};
use session::Playing;
use substitute::is_masked;

/// Recorded pauses that are longer are shortened to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How a recording is played.
#[derive(Debug, Clone)]
pub(crate) struct Playback {
    /// Who logs in.
    pub(crate) credentials: Credentials,
    /// How long nothing may happen while something is waited for.
    pub(crate) patience: Duration,
    /// Whether the client's pauses are as they were recorded.
    pub(crate) recorded_pace: bool,
}

/// Why a recording cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlayError {
    /// It has no session.
    #[error("the recording has no session: nothing was said on a control connection")]
    NoSession,
    /// A secret is needed.
    #[error(
        "the recording logs in as {user}, and a recording never has the password: give it in the \
         URL (ftp://user:password@host) or with --user"
    )]
    NoPassword {
        /// The recorded user name.
        user: String,
    },
    /// ACCT is needed.
    #[error("the recording sends ACCT, and a recording never has its argument: give --account")]
    NoAccount,
    /// TLS begins in another way.
    #[error("the recording {recorded}: the URL has to begin with {scheme}://")]
    Scheme {
        /// What it does.
        recorded: &'static str,
        /// The scheme that fits.
        scheme: &'static str,
    },
    /// There is no server.
    #[error("{0}")]
    Unreachable(String),
}

/// Plays every session, each event in the recorded order.
///
/// # Errors
/// [`PlayError`], before anything is sent, or when the first connection cannot be made.
pub(crate) async fn play(
    sessions: &[Session],
    target: &Target,
    playback: &Playback,
) -> Result<Vec<Played>, PlayError> {
    check(sessions, target, &playback.credentials)?;
    let mut order: Vec<(usize, usize, usize)> = Vec::new();
    for (number, session) in sessions.iter().enumerate() {
        let places = session.events.iter().enumerate();
        order.extend(places.map(|(index, (place, _))| (*place, number, index)));
    }
    order.sort_unstable();
    let mut playing: Vec<Playing<'_>> = sessions
        .iter()
        .map(|session| Playing::new(session, target, playback))
        .collect();
    let mut reached = false;
    let mut before: Option<u64> = None;
    for (_, number, index) in order {
        let (_, event) = &sessions[number].events[index];
        if playback.recorded_pace {
            let gap = Duration::from_micros(event.at.saturating_sub(before.unwrap_or(event.at)));
            before = Some(event.at.max(before.unwrap_or(0)));
            playing[number]
                .pause(Instant::now() + gap.min(LONGEST_PAUSE))
                .await;
        }
        playing[number].step(index).await;
        if !reached && let Some(problem) = playing[number].unreachable() {
            return Err(PlayError::Unreachable(problem.to_owned()));
        }
        reached = true;
    }
    let mut played = Vec::new();
    for session in playing {
        played.push(session.finish().await);
    }
    Ok(played)
}

/// What would make every session fail, before anything is sent.
fn check(
    sessions: &[Session],
    target: &Target,
    credentials: &Credentials,
) -> Result<(), PlayError> {
    if sessions.is_empty() {
        return Err(PlayError::NoSession);
    }
    let implicit = sessions.iter().any(Session::is_implicit);
    let is_implicit = target.tls == TlsMode::Implicit;
    if implicit && !is_implicit {
        return Err(PlayError::Scheme {
            recorded: "begins with TLS",
            scheme: "ftps",
        });
    }
    if !implicit && is_implicit {
        return Err(PlayError::Scheme {
            recorded: "begins in clear",
            scheme: "ftp",
        });
    }
    for exchange in sessions.iter().flat_map(|session| &session.exchanges) {
        let Some(argument) = masked_argument(exchange) else {
            continue;
        };
        if argument == Masked::Account && credentials.account.is_none() {
            return Err(PlayError::NoAccount);
        }
        if argument == Masked::Password && credentials.password.is_none() {
            let user = user_names(sessions).find(|user| !is_anonymous(user));
            if let Some(user) = user {
                return Err(PlayError::NoPassword { user });
            }
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Masked {
    Password,
    Account,
}

/// What is missing from a command of the recording that the server accepted. A refused login is
/// refused again with any other secret.
fn masked_argument(exchange: &Exchange) -> Option<Masked> {
    let command = exchange.command.as_ref()?;
    let refused = exchange.completion().is_some_and(|it| it.class() >= 4);
    if refused || !is_masked(command.argument.as_deref()?) {
        return None;
    }
    match command.verb.as_str() {
        "PASS" => Some(Masked::Password),
        "ACCT" => Some(Masked::Account),
        _ => None,
    }
}

fn user_names(sessions: &[Session]) -> impl Iterator<Item = String> {
    let exchanges = sessions.iter().flat_map(|session| &session.exchanges);
    let users = exchanges.filter(|exchange| exchange.verb() == "USER");
    users.filter_map(|exchange| {
        let argument = exchange.command.as_ref()?.argument.as_deref()?;
        Some(String::from_utf8_lossy(argument).into_owned())
    })
}

/// Whether any password is usually accepted (RFC 1635).
fn is_anonymous(user: &str) -> bool {
    ["anonymous", "ftp"]
        .iter()
        .any(|name| user.eq_ignore_ascii_case(name))
}
