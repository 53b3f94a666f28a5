//! Limits the memory that a run uses for what servers send.
//!
//! Received octets are kept until they are judged. A correct server needs little: contents that a
//! scenario expects are not stored ([`Data`](crate::data::Data)), and replies and listings are
//! short. So every job may hold a little, one at a time may hold much, and no job more than
//! [`OF_ONE`]. A job that needs more waits before it reads on. The oldest running job never waits,
//! so that the others, whose results may wait for it, cannot block it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::transcript::{Excess, Limit};

/// The octets that every job may hold.
const OF_EACH: u64 = 1 << 20;
/// The octets that one job may hold, beyond what its scenario expects.
const OF_ONE: u64 = 24 << 20;
/// The number of jobs, besides the oldest, that may hold that much.
const LARGE: usize = 1;

/// The budget of all jobs of one run.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    large: Arc<Semaphore>,
    oldest: watch::Receiver<usize>,
}

impl Budget {
    /// The budget of a run that publishes its oldest job.
    pub(crate) fn new(oldest: watch::Receiver<usize>) -> Self {
        Self {
            large: Arc::new(Semaphore::new(LARGE)),
            oldest,
        }
    }
}

/// Permission to hold much; returned when dropped.
#[derive(Debug)]
pub(crate) struct Large(#[expect(dead_code, reason = "it is only held")] OwnedSemaphorePermit);

/// The share of one job.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// The budget of the run, and the index of the job in the run.
    of: Option<(Budget, usize)>,
    held: AtomicU64,
    /// Octets allowed beyond [`OF_ONE`] because the scenario expects them.
    allowed: AtomicU64,
    large: Mutex<Option<Large>>,
    waits: Mutex<Waits>,
}

#[derive(Debug, Default)]
struct Waits {
    over: Duration,
    since: Option<Instant>,
}

/// A wait that ends when this is dropped.
struct Waiting<'a>(&'a Share);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waits = self.0.waits();
        if let Some(since) = waits.since.take() {
            waits.over += since.elapsed();
        }
    }
}

impl Share {
    pub(super) fn of(budget: Budget, place: usize) -> Self {
        Self {
            of: Some((budget, place)),
            ..Self::default()
        }
    }

    /// Allows further octets that the scenario expects.
    pub(super) fn allow(&self, octets: u64) {
        self.allowed.fetch_add(octets, Ordering::Relaxed);
    }

    /// Counts octets, and waits until they may be held; returns the duration of the wait.
    pub(super) async fn hold(&self, octets: u64) -> Result<Duration, Excess> {
        let held = self.held.fetch_add(octets, Ordering::Relaxed) + octets;
        let most = OF_ONE + self.allowed.load(Ordering::Relaxed);
        if held > most {
            return Err(Excess {
                limit: Limit::Scenario,
                most,
            });
        }
        let Some((budget, place)) = &self.of else {
            return Ok(Duration::ZERO);
        };
        if held <= OF_EACH || self.large().is_some() {
            return Ok(Duration::ZERO);
        }
        let before = self.waited();
        self.waits().since = Some(Instant::now());
        let waiting = Waiting(self);
        let mut oldest = budget.oldest.clone();
        tokio::select! {
            biased;
            // Its sender lives as long as the run.
            _ = oldest.wait_for(|oldest| oldest == place) => {}
            permit = budget.large.clone().acquire_owned() => {
                *self.large() = permit.ok().map(Large);
            }
        }
        drop(waiting);
        Ok(self.waited().saturating_sub(before))
    }

    /// The octets held.
    pub(super) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// The total time the job has waited so far.
    pub(super) fn waited(&self) -> Duration {
        let waits = self.waits();
        waits.over + waits.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// The permission, if it was needed; it must be kept as long as the octets.
    pub(super) fn take_large(&self) -> Option<Large> {
        self.large().take()
    }

    fn large(&self) -> MutexGuard<'_, Option<Large>> {
        self.large.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    #[tokio::test]
    async fn only_one_job_and_the_oldest_may_hold_much() {
        let (says, oldest) = watch::channel(0);
        let budget = Budget::new(oldest);
        let share = |place| Share::of(budget.clone(), place);
        let (first, second, third, fourth) = (share(0), share(1), share(2), share(3));
        second.hold(OF_EACH + 1).await.unwrap();
        first.hold(OF_EACH + 1).await.unwrap();
        assert!(second.large().is_some() && first.large().is_none());
        fourth.hold(OF_EACH).await.unwrap();
        let mut waiting = std::pin::pin!(third.hold(OF_EACH + 1));
        assert!(!is_done(waiting.as_mut()).await);
        // Held until the result is judged.
        let kept = second.take_large();
        drop(second);
        assert!(!is_done(waiting.as_mut()).await);
        drop(kept);
        waiting.await.unwrap();
        says.send(3).unwrap();
        fourth.hold(1).await.unwrap();
    }

    /// Whether the future is ready after one poll.
    async fn is_done<F: Future + Unpin>(mut future: F) -> bool {
        std::future::poll_fn(|context| {
            let polled = std::pin::Pin::new(&mut future).poll(context);
            std::task::Poll::Ready(polled.is_ready())
        })
        .await
    }

    #[tokio::test]
    async fn no_job_holds_more_than_its_scenario_expects() {
        let share = Share::default();
        share.hold(OF_ONE).await.unwrap();
        let excess = Excess {
            limit: Limit::Scenario,
            most: OF_ONE,
        };
        assert_eq!(share.hold(1).await, Err(excess));
        share.allow(2);
        share.hold(1).await.unwrap();
    }
}
