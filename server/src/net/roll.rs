//! Who is logged in, for SITE WHO.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use crate::pi::Attendee;

/// The most sessions one reply lists.
const LONGEST_LIST: usize = 1000;

/// The sessions that have logged in. A name is held weakly: the session lets go of it when it logs out.
#[derive(Debug, Default)]
pub(crate) struct Roll(Mutex<BTreeMap<u64, Entry>>);

#[derive(Debug)]
struct Entry {
    user: Weak<str>,
    peer: IpAddr,
    since: Instant,
}

impl Roll {
    /// A session has logged in.
    pub(crate) fn enter(&self, number: u64, user: Weak<str>, peer: IpAddr) {
        let since = Instant::now();
        self.entries().insert(number, Entry { user, peer, since });
    }

    /// A session has ended.
    pub(crate) fn leave(&self, number: u64) {
        self.entries().remove(&number);
    }

    /// Who is logged in: session `own`, and the `others` if they are asked for.
    pub(crate) fn call(&self, own: u64, others: bool) -> Vec<Attendee> {
        let entries = self.entries();
        let asked = entries
            .iter()
            .filter(|(number, _)| others || **number == own);
        asked
            .filter_map(|(number, entry)| {
                Some(Attendee {
                    number: *number,
                    user: entry.user.upgrade()?,
                    peer: entry.peer,
                    logged_in: entry.since.elapsed(),
                    own: *number == own,
                })
            })
            .take(LONGEST_LIST)
            .collect()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    fn called(roll: &Roll, own: u64, others: bool) -> Vec<(u64, String, bool)> {
        let called = roll.call(own, others);
        let shown = called
            .into_iter()
            .map(|who| (who.number, who.user.to_string(), who.own));
        shown.collect()
    }

    #[test]
    fn who_has_logged_in_and_not_out_is_there() {
        let roll = Roll::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        roll.enter(2, Arc::downgrade(&b), Ipv4Addr::LOCALHOST.into());
        roll.enter(1, Arc::downgrade(&a), Ipv4Addr::LOCALHOST.into());
        let all = [(1, "a".to_owned(), false), (2, "b".to_owned(), true)];
        assert_eq!(called(&roll, 2, true), all);
        assert_eq!(called(&roll, 2, false), all[1..]);
        drop(a);
        assert_eq!(called(&roll, 2, true), all[1..]);
        roll.leave(2);
        assert_eq!(called(&roll, 2, true), []);
    }
}
