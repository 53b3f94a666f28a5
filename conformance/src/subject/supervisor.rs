//! Supervises the server under test while scenarios are played: detects its end, restarts it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::Target;
use crate::scenario::Variant;

/// Supervises the server under test while scenarios are played.
pub(crate) trait Supervisor: Send {
    /// How the server ended, as text, if it did since the last call.
    fn death(&mut self) -> Option<String>;

    /// How the server ended, if it no longer accepts connections; waits for a server that is about
    /// to end.
    fn last_words(&mut self) -> impl Future<Output = Option<String>> + Send {
        async { self.death() }
    }

    /// Restarts it, or waits until it answers again. Returns what was done.
    ///
    /// # Errors
    /// Why the server could not be restarted, as text.
    fn restart(&mut self) -> impl Future<Output = Result<String, String>> + Send;
}

/// The supervisor of a server that was not started by this process: it can only wait.
#[derive(Debug, Clone)]
pub(crate) struct Unmanaged {
    target: Arc<Target>,
    patience: Duration,
}

impl Unmanaged {
    /// Waits this long for the target to come back.
    pub(crate) fn new(target: &Arc<Target>, patience: Duration) -> Self {
        Self {
            target: target.clone(),
            patience,
        }
    }
}

/// The interval between attempts to reach a target that does not answer.
const BETWEEN: Duration = Duration::from_millis(100);

impl Supervisor for Unmanaged {
    fn death(&mut self) -> Option<String> {
        None
    }

    async fn restart(&mut self) -> Result<String, String> {
        let began = Instant::now();
        while began.elapsed() < self.patience {
            if answers(&self.target, self.patience).await {
                let seconds = began.elapsed().as_secs_f64();
                return Ok(format!(
                    "the target accepted no connection for {seconds:.1} s, and then did again"
                ));
            }
            sleep(BETWEEN).await;
        }
        Err("the target no longer answers".into())
    }
}

/// Whether the target accepts a connection.
pub(crate) async fn answers(target: &Target, patience: Duration) -> bool {
    let usual = Variant {
        protection: target.least_protection(),
        ipv6: target.address(false).is_none(),
        ..Variant::PLAIN
    };
    let Some(address) = target.address_for(usual.protection, usual.ipv6) else {
        return false;
    };
    let connected = timeout(patience, TcpStream::connect(address)).await;
    matches!(connected, Ok(Ok(_)))
}
