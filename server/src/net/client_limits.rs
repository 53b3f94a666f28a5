//! Counts over all control connections: connections by address, and logins by user.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;

/// How long wrong passwords from an address are remembered, counted from the last.
const MEMORY: Duration = Duration::from_mins(10);
/// Addresses without a session that are remembered. With more, all of those are forgotten.
const MOST_REMEMBERED: usize = 1 << 16;

/// Why a control connection is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// [`Limits::sessions`].
    Sessions,
    /// [`Limits::sessions_per_address`].
    SessionsOfAddress,
    /// [`Limits::connections_per_second`].
    TooOften,
}

impl Refusal {
    /// The text of the 421: it says which limit it was.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Sessions => "Too many connections, try again later.",
            Self::SessionsOfAddress => "Too many connections from your address.",
            Self::TooOften => "Too many connections from your address in one second.",
        }
    }
}

/// The counts. Only what has a limit is counted.
#[derive(Debug, Default)]
pub(super) struct ClientLimits(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    origins: HashMap<IpAddr, Origin>,
    users: HashMap<Box<str>, usize>,
    /// With this many addresses, those whose counts have no effect any more are removed.
    sweep_at: usize,
}

/// What is known of an address.
#[derive(Debug, Default)]
struct Origin {
    sessions: usize,
    /// The second that is counted, by its beginning, and the connections in it.
    second: Option<(Instant, usize)>,
    /// Wrong passwords, and when the last came.
    failures: Option<(Instant, u32)>,
}

impl ClientLimits {
    /// Admits a client, or refuses it. If [addresses are counted](Limits::counts_addresses), every
    /// `Ok` is to be followed by a [`leave`](Self::leave).
    pub(super) fn admit(&self, from: IpAddr, limits: &Limits, now: Instant) -> Result<(), Refusal> {
        if !limits.counts_addresses() {
            return Ok(());
        }
        let mut counts = self.counts();
        let origin = counts.origin(from, now);
        let (_, in_second) = origin
            .second
            .filter(|(began, _)| now.duration_since(*began) < Duration::from_secs(1))
            .unwrap_or((now, 0));
        if in_second >= limits.connections_per_second {
            return Err(Refusal::TooOften);
        }
        match &mut origin.second {
            Some((_, count)) if in_second > 0 => *count += 1,
            second => *second = Some((now, 1)),
        }
        if origin.sessions >= limits.sessions_per_address {
            return Err(Refusal::SessionsOfAddress);
        }
        origin.sessions += 1;
        Ok(())
    }

    /// A client that was admitted has left.
    pub(super) fn leave(&self, from: IpAddr) {
        let mut counts = self.counts();
        let key = network_of(from);
        if let Some(origin) = counts.origins.get_mut(&key) {
            origin.sessions = origin.sessions.saturating_sub(1);
            if !origin.matters(Instant::now()) {
                counts.origins.remove(&key);
            }
        }
    }

    /// Counts a wrong password; returns the delay of the reply. It doubles with each wrong password
    /// from this address.
    pub(super) fn failed_login(&self, from: IpAddr, limits: &Limits, now: Instant) -> Duration {
        if limits.login_delay.is_zero() {
            return Duration::ZERO;
        }
        let mut counts = self.counts();
        let origin = counts.origin(from, now);
        let before = origin
            .failures
            .filter(|(last, _)| now.duration_since(*last) < MEMORY)
            .map_or(0, |(_, failures)| failures);
        origin.failures = Some((now, before.saturating_add(1)));
        let factor = 1_u32.checked_shl(before).unwrap_or(u32::MAX);
        limits
            .login_delay
            .saturating_mul(factor)
            .min(limits.longest_login_delay)
    }

    /// Counts a login, unless the user has too many. Every `true` is to be followed by a
    /// [`log_out`](Self::log_out).
    pub(super) fn log_in(&self, user: &str, most: usize) -> bool {
        let mut counts = self.counts();
        let sessions = counts.users.get(user).copied().unwrap_or(0);
        if sessions >= most {
            return false;
        }
        counts.users.insert(user.into(), sessions + 1);
        true
    }

    /// A user who was logged in has left.
    pub(super) fn log_out(&self, user: &str) {
        let mut counts = self.counts();
        match counts.users.get_mut(user) {
            Some(sessions) if *sessions > 1 => *sessions -= 1,
            _ => {
                counts.users.remove(user);
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn origin(&mut self, from: IpAddr, now: Instant) -> &mut Origin {
        if self.origins.len() >= self.sweep_at.max(1024) {
            self.origins.retain(|_, origin| origin.matters(now));
            if self.origins.len() >= MOST_REMEMBERED {
                self.origins.retain(|_, origin| origin.sessions > 0);
            }
            self.sweep_at = self.origins.len() * 2;
        }
        self.origins.entry(network_of(from)).or_default()
    }
}

impl Origin {
    /// Whether the counts have an effect.
    fn matters(&self, now: Instant) -> bool {
        let since = |then: Instant| now.duration_since(then);
        self.sessions > 0
            || self
                .second
                .is_some_and(|(began, _)| since(began) < Duration::from_secs(1))
            || self.failures.is_some_and(|(last, _)| since(last) < MEMORY)
    }
}

/// A host with one IPv6 address usually has its whole /64; but all link-local addresses have the
/// same prefix.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) if address.is_unicast_link_local() => IpAddr::V6(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn each_address_has_its_own_count() {
        let (guard, now) = (ClientLimits::default(), Instant::now());
        let limits = Limits {
            sessions_per_address: 1,
            ..Limits::default()
        };
        let [one, near, far] =
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        guard.admit(one, &limits, now).unwrap();
        let refused = guard.admit(near, &limits, now);
        assert_eq!(refused, Err(Refusal::SessionsOfAddress));
        guard.admit(far, &limits, now).unwrap();
        guard.admit(HERE, &limits, now).unwrap();
        let mapped = "::ffff:127.0.0.1".parse().unwrap();
        assert!(guard.admit(mapped, &limits, now).is_err());
        guard.leave(one);
        guard.admit(near, &limits, now).unwrap();
    }

    #[test]
    fn hosts_of_one_link_are_counted_one_by_one() {
        let (guard, now) = (ClientLimits::default(), Instant::now());
        let limits = Limits {
            sessions_per_address: 1,
            ..Limits::default()
        };
        for host in ["fe80::1", "fe80::2"] {
            let host = host.parse().unwrap();
            guard.admit(host, &limits, now).unwrap();
            guard.admit(host, &limits, now).unwrap_err();
        }
    }

    #[test]
    fn a_second_later_one_may_connect_again() {
        let (guard, now) = (ClientLimits::default(), Instant::now());
        let limits = Limits {
            connections_per_second: 2,
            ..Limits::default()
        };
        guard.admit(HERE, &limits, now).unwrap();
        guard.admit(HERE, &limits, now).unwrap();
        assert_eq!(guard.admit(HERE, &limits, now), Err(Refusal::TooOften));
        guard
            .admit(HERE, &limits, now + Duration::from_secs(1))
            .unwrap();
    }

    #[test]
    fn delays_double_up_to_the_longest_and_are_forgotten() {
        let (guard, now) = (ClientLimits::default(), Instant::now());
        let limits = Limits {
            login_delay: Duration::from_secs(1),
            longest_login_delay: Duration::from_secs(5),
            ..Limits::default()
        };
        let delays = [0; 40].map(|_| guard.failed_login(HERE, &limits, now).as_secs());
        assert_eq!(delays[..5], [1, 2, 4, 5, 5]);
        assert_eq!(delays[39], 5);
        let later = now + MEMORY;
        assert_eq!(guard.failed_login(HERE, &limits, later).as_secs(), 1);
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let (guard, now) = (ClientLimits::default(), Instant::now());
        let limits = Limits {
            login_delay: Duration::from_secs(1),
            ..Limits::default()
        };
        for address in 0..200_000_u32 {
            guard.failed_login(IpAddr::V4(address.into()), &limits, now);
        }
        assert!(guard.counts().origins.len() <= 2 * MOST_REMEMBERED);
    }

    #[test]
    fn a_user_without_sessions_leaves_no_trace() {
        let guard = ClientLimits::default();
        assert!(guard.log_in("a", 1));
        assert!(!guard.log_in("a", 1));
        assert!(guard.log_in("b", 1));
        guard.log_out("a");
        assert!(guard.log_in("a", 1));
        guard.log_out("a");
        guard.log_out("b");
        assert!(guard.counts().users.is_empty());
    }
}
