//! Commands that came during a transfer and wait for its end.

use std::collections::VecDeque;

use crate::wire::ControlEvent;

/// Events of a control connection, in order.
///
/// Equal ones in a row are kept once, with their number. So a client that keeps its control
/// connection alive with a NOOP every few seconds does not fill the queue of a long transfer, and
/// its ABOR is still read.
#[derive(Debug, Default)]
pub(super) struct Waiting(VecDeque<(ControlEvent, u32)>);

impl Waiting {
    pub(super) fn push(&mut self, event: ControlEvent) {
        match self.0.back_mut() {
            Some((last, times)) if *last == event && *times < u32::MAX => *times += 1,
            _ => self.0.push_back((event, 1)),
        }
    }

    /// Puts an event before all others.
    pub(super) fn push_first(&mut self, event: ControlEvent) {
        self.0.push_front((event, 1));
    }

    pub(super) fn pop(&mut self) -> Option<ControlEvent> {
        let (first, times) = self.0.front_mut()?;
        if *times > 1 {
            *times -= 1;
            return Some(first.clone());
        }
        self.0.pop_front().map(|(event, _)| event)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are; equal ones in a row count once. For
    /// [`Limits::queued_commands`](crate::Limits).
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_comes_back_in_order_and_a_row_of_equal_ones_takes_one_place() {
        let line = |text: &str| ControlEvent::Line(text.as_bytes().to_vec());
        let commands = ["NOOP", "NOOP", "PWD", "NOOP", "NOOP", "NOOP"].map(line);
        let mut waiting = Waiting::default();
        for command in commands.clone() {
            waiting.push(command);
        }
        assert_eq!(waiting.len(), 3);
        let back: Vec<_> = std::iter::from_fn(|| waiting.pop()).collect();
        assert_eq!(back, commands);
        assert!(waiting.is_empty());
    }
}
