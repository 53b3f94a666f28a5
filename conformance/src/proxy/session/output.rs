//! What is still to be sent to the client, in order: octets, and what a fault plan puts between
//! them.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::super::faults::{Action, apply_to_reply, reply_of};
use crate::transcript::CloseKind;

/// Between the segments of a reply that is sent octet by octet.
const BETWEEN_OCTETS: Duration = Duration::from_millis(2);

/// A part of what is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// These octets.
    Octets(Vec<u8>),
    /// Nothing for this long.
    Pause(Duration),
    /// Nothing for this long, or until ABOR comes.
    Hold(Duration),
    /// The data connection is given up.
    DropData,
    /// The end of the session, in this way.
    Close(CloseKind),
}

/// Items that wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Output {
    items: VecDeque<Item>,
    /// Octets in them.
    octets: usize,
    /// When the pause at the front ends.
    until: Option<Instant>,
}

impl Output {
    /// Octets that wait.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// When more can be sent, if time has to pass before.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    pub(super) fn push(&mut self, item: Item) {
        if let Item::Octets(octets) = &item {
            self.octets += octets.len();
        }
        self.items.push_back(item);
    }

    /// Takes all items.
    pub(super) fn take(&mut self) -> VecDeque<Item> {
        self.octets = 0;
        self.until = None;
        std::mem::take(&mut self.items)
    }

    /// The next item whose time has come; never a pause.
    pub(super) fn next(&mut self, now: Instant) -> Option<Item> {
        loop {
            if let Item::Pause(time) | Item::Hold(time) = self.items.front()? {
                let until = *self.until.get_or_insert(now + *time);
                if now < until {
                    return None;
                }
                self.until = None;
                self.items.pop_front();
                continue;
            }
            let item = self.items.pop_front();
            if let Some(Item::Octets(octets)) = &item {
                self.octets -= octets.len();
            }
            return item;
        }
    }

    /// Nothing is held any more: ABOR has come.
    pub(super) fn end_holds(&mut self) {
        if matches!(self.items.front(), Some(Item::Hold(_))) {
            self.until = None;
        }
        for item in &mut self.items {
            if let Item::Hold(time) = item {
                *time = Duration::ZERO;
            }
        }
    }
}

/// One whole completion reply, as `actions` change it.
pub(super) fn shaped(reply: Vec<u8>, actions: &[Action]) -> Vec<Item> {
    if actions.is_empty() {
        return vec![Item::Octets(reply)];
    }
    let octets = apply_to_reply(&reply, actions);
    let mut items = Vec::new();
    for action in actions {
        if let Action::Delay(time) = action {
            items.push(Item::Pause(*time));
        }
    }
    if actions.contains(&Action::SplitBytewise) {
        for octet in octets {
            items.push(Item::Octets(vec![octet]));
            items.push(Item::Pause(BETWEEN_OCTETS));
        }
    } else if !octets.is_empty() {
        items.push(Item::Octets(octets));
    }
    for action in actions {
        if let Action::Unsolicited421(text) = action {
            items.push(Item::Octets(reply_of(421, text)));
            items.push(Item::Close(CloseKind::Clean));
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_holds_back_what_follows_it_and_abor_ends_a_hold() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let octets = |octet| Item::Octets(vec![octet]);
        let mut output = Output::default();
        let items = [octets(1), Item::Pause(second), octets(2)];
        let held = [Item::Hold(second), octets(3)];
        items
            .into_iter()
            .chain(held)
            .for_each(|item| output.push(item));
        assert_eq!(output.octets(), 3);
        assert_eq!(output.next(start), Some(octets(1)));
        assert_eq!(output.next(start), None);
        assert_eq!(output.until(), Some(start + second));
        assert_eq!(output.next(start + second), Some(octets(2)));
        assert_eq!(output.next(start + second), None);
        output.end_holds();
        assert_eq!(output.next(start + second), Some(octets(3)));
        assert!(output.is_empty() && output.octets() == 0);
    }
}
