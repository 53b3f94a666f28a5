//! One control connection of a session.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};

use super::super::observer::{Channel, Leg, Observer, Sighting};
use super::super::stream::Stream;
use crate::transcript::CloseKind;

/// A control connection of the session.
pub(super) struct Control {
    pub(super) leg: Leg,
    pub(super) stream: Stream,
    /// What is still to be sent.
    pub(super) out: VecDeque<u8>,
    /// How this side ended its direction.
    pub(super) ended: Option<CloseKind>,
    /// Whether we have ended ours.
    pub(super) closed: bool,
}

impl Control {
    pub(super) fn new(leg: Leg, stream: Stream) -> Self {
        Self {
            leg,
            stream,
            out: VecDeque::new(),
            ended: None,
            closed: false,
        }
    }

    /// Ready when everything has been sent.
    pub(super) fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        observer: &dyn Observer,
    ) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let part = self.out.make_contiguous();
            let written = std::task::ready!(self.stream.poll_write(context, part))?;
            observer.see(
                self.leg,
                Channel::Control,
                &Sighting::Sent(&part[..written]),
            );
            self.out.drain(..written);
        }
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        self.stream.poll_flush(context)
    }
}
