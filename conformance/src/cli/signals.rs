//! The signals that ask this program to stop.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP. From [`listen`](Self::listen) on they no longer end the process, and
/// none is lost: one that comes before [`next`](Self::next) is called is returned by it.
#[derive(Debug)]
pub(super) struct StopSignals {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
    /// `None` where the program was started by `nohup`.
    #[cfg(unix)]
    hangup: Option<Signal>,
}

impl StopSignals {
    /// Installs the handlers. Call it before anything is visible that has to be cleaned up.
    ///
    /// # Errors
    /// The system refuses a handler.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(unix)]
            hangup: match hangup_is_ignored() {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
        })
    }

    /// Waits for the next of the signals.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }

    /// Waits for Ctrl-C.
    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

/// Whether SIGHUP was ignored when the program started: a handler would undo `nohup`. Only Linux
/// says.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        // Signal 1 is the lowest bit.
        .is_some_and(|mask| mask & 1 == 1)
}
