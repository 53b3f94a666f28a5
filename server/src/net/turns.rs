//! Turns for jobs whose time grows with the size of files: a limited number at a time, users in
//! rotation.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Gives out a number of turns. Users who wait get them in rotation, however many jobs each has,
/// and no single user gets the last one: the next user does not wait for the jobs of another.
#[derive(Debug)]
pub(crate) struct Turns {
    /// The most of one user.
    of_user: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    running: HashMap<Box<str>, usize>,
    /// Each user once, with the jobs in the order they came; the next to get a turn is in front.
    waiting: VecDeque<(Box<str>, VecDeque<oneshot::Sender<Turn>>)>,
}

/// Permission for one job; returned when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    user: Box<str>,
}

impl Turns {
    /// This many turns at a time; a single one is shared by all users.
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            of_user: at_once.saturating_sub(1).max(1),
            state: Mutex::new(State {
                free: at_once,
                running: HashMap::new(),
                waiting: VecDeque::new(),
            }),
        }
    }

    /// Waits for a turn of this user. Dropped, it waits no longer.
    pub(crate) async fn take(self: &Arc<Self>, user: &str) -> Turn {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.state();
            match state.waiting.iter_mut().find(|(name, _)| **name == *user) {
                Some((_, jobs)) => {
                    // Those that no longer wait.
                    jobs.retain(|job| !job.is_closed());
                    jobs.push_back(sender);
                }
                None => state
                    .waiting
                    .push_back((user.into(), VecDeque::from([sender]))),
            }
        }
        self.grant();
        match receiver.await {
            Ok(turn) => turn,
            // A sender is dropped only where nobody waits any more.
            Err(_) => std::future::pending().await,
        }
    }

    /// Gives free turns to those who wait.
    fn grant(self: &Arc<Self>) {
        while let Some((job, user)) = self.next() {
            let turn = Turn {
                turns: Arc::clone(self),
                user,
            };
            // One that was given up just now gives the turn back as it is dropped; no lock is held
            // here.
            let _ = job.send(turn);
        }
    }

    /// The next job, whose turn is counted.
    fn next(&self) -> Option<(oneshot::Sender<Turn>, Box<str>)> {
        let mut guard = self.state();
        let state = &mut *guard;
        loop {
            if state.free == 0 {
                return None;
            }
            let running = &state.running;
            let may = |user: &str| running.get(user).is_none_or(|count| *count < self.of_user);
            let index = state.waiting.iter().position(|(user, _)| may(user))?;
            let (user, mut jobs) = state.waiting.remove(index)?;
            let job = jobs.pop_front();
            if !jobs.is_empty() {
                state.waiting.push_back((user.clone(), jobs));
            }
            if let Some(job) = job.filter(|job| !job.is_closed()) {
                state.free -= 1;
                *state.running.entry(user.clone()).or_default() += 1;
                return Some((job, user));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let mut state = self.turns.state();
            state.free += 1;
            match state.running.get_mut(&self.user) {
                Some(count) if *count > 1 => *count -= 1,
                _ => {
                    state.running.remove(&self.user);
                }
            }
        }
        self.turns.grant();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    fn poll(taking: Pin<&mut impl Future<Output = Turn>>) -> Option<Turn> {
        match taking.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_user_never_has_all_turns() {
        let turns = Arc::new(Turns::new(3));
        let mut many: Vec<_> = (0..5).map(|_| Box::pin(turns.take("many"))).collect();
        let got = many.iter_mut().filter_map(|taking| poll(taking.as_mut()));
        let got: Vec<_> = got.collect();
        assert_eq!(got.len(), 2);
        let other = poll(pin!(turns.take("other")));
        assert!(other.is_some());
    }

    #[test]
    fn waiting_users_get_their_turns_in_order() {
        let turns = Arc::new(Turns::new(1));
        let first = poll(pin!(turns.take("many")));
        assert!(first.is_some());
        let mut many: Vec<_> = (0..5).map(|_| Box::pin(turns.take("many"))).collect();
        assert!(
            many.iter_mut()
                .all(|taking| poll(taking.as_mut()).is_none())
        );
        let mut other = pin!(turns.take("other"));
        assert!(poll(other.as_mut()).is_none());
        drop(first);
        let second = poll(many[0].as_mut());
        assert!(second.is_some() && poll(other.as_mut()).is_none());
        drop(second);
        // Four jobs of the first user came before it.
        assert!(poll(other.as_mut()).is_some());
    }

    #[test]
    fn a_turn_is_not_lost_with_the_user_that_waited_for_it() {
        let turns = Arc::new(Turns::new(1));
        let first = poll(pin!(turns.take("a")));
        for _ in 0..3 {
            let mut given_up = Box::pin(turns.take("a"));
            assert!(poll(given_up.as_mut()).is_none());
        }
        let mut granted_unseen = Box::pin(turns.take("a"));
        assert!(poll(granted_unseen.as_mut()).is_none());
        drop(first);
        drop(granted_unseen);
        assert!(poll(pin!(turns.take("b"))).is_some());
        let state = turns.state();
        assert!(state.free == 1 && state.running.is_empty() && state.waiting.is_empty());
    }
}
