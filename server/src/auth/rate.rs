//! Rate limits of transfers.

use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The number of pieces per second: small enough to flow, large enough to cost little.
const PIECES_PER_SECOND: u64 = 8;
/// The largest piece in octets.
const LARGEST_PIECE: u64 = 256 << 10;

/// A limit in octets per second for all transfers that share it: a token bucket that holds one
/// piece.
///
/// It has no clock. The caller reports moved octets and gets the time to wait before the next:
///
/// ```
/// use ftpspec_server::auth::Rate;
/// use std::time::{Duration, Instant};
///
/// let (rate, now) = (Rate::per_second(1000.try_into()?), Instant::now());
/// assert_eq!(rate.moved(100, now), Duration::from_millis(100));
/// assert_eq!(rate.moved(100, now), Duration::from_millis(200)); // somebody else, at the same time
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Rate {
    octets: NonZeroU64,
    /// The time at which all moved octets are paid for.
    even: Mutex<Option<Instant>>,
}

impl Rate {
    /// A rate in octets per second.
    #[must_use]
    pub fn per_second(octets: NonZeroU64) -> Self {
        Self {
            octets,
            even: Mutex::new(None),
        }
    }

    /// The octets that may be moved without a wait between them; never 0.
    #[must_use]
    pub fn piece(&self) -> usize {
        let piece = (self.octets.get() / PIECES_PER_SECOND).clamp(1, LARGEST_PIECE);
        usize::try_from(piece).unwrap_or(usize::MAX)
    }

    /// Reports octets moved at `now`, and returns the time to wait. Unused time does not
    /// accumulate.
    pub fn moved(&self, octets: usize, now: Instant) -> Duration {
        let nanoseconds = octets as u128 * 1_000_000_000 / u128::from(self.octets.get());
        let cost = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let mut even = self.even.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = even.map_or(now, |even| even.max(now));
        // Beyond the range of the clock the difference does not matter.
        let end = begin.checked_add(cost).unwrap_or(begin);
        *even = Some(end);
        end.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_was_not_used_is_not_saved_up() {
        let (rate, now) = (Rate::per_second(10.try_into().unwrap()), Instant::now());
        assert_eq!(rate.moved(1, now), Duration::from_millis(100));
        let later = now + Duration::from_hours(1);
        assert_eq!(rate.moved(20, later), Duration::from_secs(2));
    }

    #[test]
    fn over_time_no_more_than_the_rate_is_moved() {
        let (rate, begin) = (Rate::per_second(1000.try_into().unwrap()), Instant::now());
        let mut now = begin;
        for _ in 0..100 {
            now += rate.moved(rate.piece(), now);
        }
        let moved = 100 * rate.piece() as u32;
        assert_eq!(now - begin, Duration::from_secs(1) * moved / 1000);
    }

    #[test]
    fn no_rate_is_too_low_or_too_high() {
        let (slow, fast) = (
            Rate::per_second(NonZeroU64::MIN),
            Rate::per_second(NonZeroU64::MAX),
        );
        assert_eq!((slow.piece(), fast.piece()), (1, 256 << 10));
        let now = Instant::now();
        assert_eq!(slow.moved(1, now), Duration::from_secs(1));
        assert_eq!(fast.moved(usize::MAX, now), Duration::from_secs(1));
        let _ = slow.moved(usize::MAX, now);
        let _ = slow.moved(usize::MAX, now);
    }
}
