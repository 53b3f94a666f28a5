//! How many commands a session gives in a second
//! ([`Limits::commands_per_second`](crate::Limits::commands_per_second)).

use std::time::Duration;

use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// The commands of the second that is counted.
#[derive(Debug)]
pub(super) struct Throttle {
    most: usize,
    began: Instant,
    commands: usize,
}

impl Throttle {
    /// A limit of `most` commands a second, at least one; `None` without a limit.
    pub(super) fn limited_to(most: usize, now: Instant) -> Option<Self> {
        (most != usize::MAX).then(|| Self {
            most: most.max(1),
            began: now,
            commands: 0,
        })
    }

    /// The time until which the next command has to wait, if it has to.
    pub(super) fn wait(&self, now: Instant) -> Option<Instant> {
        let end = self.began + SECOND;
        (self.commands >= self.most && now < end).then_some(end)
    }

    /// A command is done.
    pub(super) fn count(&mut self, now: Instant) {
        if now >= self.began + SECOND {
            self.began = now;
            self.commands = 0;
        }
        self.commands += 1;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_limit_of_commands_applies_to_each_second() {
        let now = Instant::now();
        let mut throttle = Throttle::limited_to(2, now).unwrap();
        for now in [now, now + SECOND] {
            for _ in 0..2 {
                assert_eq!(throttle.wait(now), None);
                throttle.count(now);
            }
            assert_eq!(throttle.wait(now), Some(now + SECOND));
            assert_eq!(throttle.wait(now + SECOND), None);
        }
    }

    #[test]
    fn a_pace_of_nothing_still_goes_on() {
        let now = Instant::now();
        let mut throttle = Throttle::limited_to(0, now).unwrap();
        assert_eq!(throttle.wait(now), None);
        throttle.count(now);
        assert_eq!(throttle.wait(now), Some(now + SECOND));
    }
}
