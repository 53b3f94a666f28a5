//! A command that is answered while a transfer goes on: ABOR, STAT, and NOOP if that is set.
//!
//! Neither a hook that takes its time nor a fault that delays the reply holds the transfer up.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::faults::BETWEEN_OCTETS;
use super::interception::{Interception, final_reply};
use super::{Connection, End};
use crate::fault::{Action, apply_to_reply};
use crate::observe::hooks::{CommandAction, Request};
use crate::pi::DuringTransfer;
use crate::wire::{Completion, ControlEvent, Reply};

/// The one command that is being answered. The next one is read after it.
pub(super) enum Immediate {
    /// The hooks decide.
    Deciding(ControlEvent, Box<Interception>),
    /// The reply is sent as a fault prescribes.
    Answering(Answering),
}

/// A reply that is sent later, or octet by octet.
pub(super) struct Answering {
    octets: Vec<u8>,
    /// How many of `octets` were sent.
    sent: usize,
    bytewise: bool,
    pause: Pin<Box<Sleep>>,
    actions: Vec<Action>,
}

/// What comes of the command.
pub(super) enum Answer {
    /// The reply is given, or being sent.
    Given,
    /// The transfer ends, and the command is answered after its completion.
    Abort(Box<Abort>),
}

/// An ABOR that ends a transfer.
pub(super) struct Abort {
    /// Its reply.
    pub(super) completion: Completion,
    /// The command, and what the fault plan does to its reply; `None` without faults and hooks.
    pub(super) intercepted: Option<(Request, Vec<Action>)>,
}

impl Immediate {
    /// Waits until there is something to do: the hooks have decided, or the next octets of the
    /// reply are due.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CommandAction> {
        match self {
            Self::Deciding(_, interception) => match &mut interception.deciding {
                Some(deciding) => deciding.as_mut().poll(cx),
                None => Poll::Ready(CommandAction::Proceed),
            },
            Self::Answering(answering) => {
                (answering.pause.as_mut().poll(cx)).map(|()| CommandAction::Proceed)
            }
        }
    }
}

impl Connection {
    /// Begins to answer a command; `None` if a fault answers it at once.
    pub(super) fn begin_immediate(
        &mut self,
        event: ControlEvent,
    ) -> Result<Option<Immediate>, End> {
        let ControlEvent::Line(line) = &event else {
            return Ok(None);
        };
        let interception = Box::new(self.interception(line));
        for action in &interception.actions {
            match action {
                Action::HangUp => return Err(End::Lost),
                Action::Reply { code, text } => {
                    let reply = Reply::text(*code, text);
                    let answering = self.answer_immediately(&reply, interception.actions.clone());
                    if *code == 421 {
                        return Err(End::Quit);
                    }
                    return Ok(answering);
                }
                Action::Idle(time) => self.set_idle_limit(*time),
                _ => {}
            }
        }
        Ok(Some(Immediate::Deciding(event, interception)))
    }

    /// Goes on with a command that [is ready](Immediate::poll).
    pub(super) fn continue_answer(
        &mut self,
        slot: &mut Option<Immediate>,
        decision: CommandAction,
    ) -> Result<Answer, End> {
        let (event, interception) = match slot.take() {
            None => return Ok(Answer::Given),
            Some(Immediate::Answering(answering)) => {
                *slot = self.send_more(answering)?;
                return Ok(Answer::Given);
            }
            Some(Immediate::Deciding(event, interception)) => (event, *interception),
        };
        let Interception {
            request, actions, ..
        } = interception;
        let reply = match decision {
            CommandAction::Reply(reply) => final_reply(reply),
            CommandAction::Close(reply) => {
                let reply = final_reply(reply);
                self.reply_directly(&reply);
                self.call_after(&request, &reply);
                return Err(End::Quit);
            }
            CommandAction::Proceed => {
                let queued = !self.queue.is_empty();
                match self.session.during_transfer(&event, queued) {
                    DuringTransfer::Reply(completion) => completion.0,
                    DuringTransfer::Queue => {
                        self.queue.push(event);
                        return Ok(Answer::Given);
                    }
                    DuringTransfer::Abort(completion) => {
                        return Ok(Answer::Abort(Box::new(Abort {
                            completion,
                            intercepted: Some((request, actions)),
                        })));
                    }
                }
            }
        };
        *slot = self.answer_immediately(&reply, actions);
        self.call_after(&request, &reply);
        Ok(Answer::Given)
    }

    /// Says a reply that has nothing to do with the transfer or its faults.
    pub(super) fn reply_directly(&mut self, reply: &Reply) {
        let reply = &*self.session.translated(reply);
        reply.encode(&mut self.replies);
        self.record.note_reply(reply);
    }

    /// Sends a reply as the faults prescribe; returns what is left if that takes time.
    fn answer_immediately(&mut self, reply: &Reply, actions: Vec<Action>) -> Option<Immediate> {
        let reply = &*self.session.translated(reply);
        self.record.note_reply(reply);
        let mut octets = Vec::new();
        reply.encode(&mut octets);
        let octets = apply_to_reply(&octets, &actions);
        let bytewise = actions.contains(&Action::SplitBytewise);
        let delay = actions.iter().find_map(|action| match action {
            Action::Delay(time) => Some(*time),
            _ => None,
        });
        let later = bytewise || delay.is_some();
        if !later
            && !actions
                .iter()
                .any(|action| matches!(action, Action::Unsolicited421(_)))
        {
            self.replies.extend(octets);
            return None;
        }
        Some(Immediate::Answering(Answering {
            octets,
            sent: 0,
            bytewise,
            pause: Box::pin(sleep(delay.unwrap_or(Duration::ZERO))),
            actions,
        }))
    }

    /// Puts the octets that are due among those to be sent.
    fn send_more(&mut self, mut answering: Answering) -> Result<Option<Immediate>, End> {
        let due = if answering.bytewise {
            (answering.sent + 1).min(answering.octets.len())
        } else {
            answering.octets.len()
        };
        self.replies.extend(&answering.octets[answering.sent..due]);
        answering.sent = due;
        if due < answering.octets.len() {
            answering.pause = Box::pin(sleep(BETWEEN_OCTETS));
            return Ok(Some(Immediate::Answering(answering)));
        }
        for action in answering.actions {
            if let Action::Unsolicited421(text) = action {
                self.reply_directly(&Reply::text(421, text));
                return Err(End::Quit);
            }
        }
        Ok(None)
    }

    /// The transfer has ended before the command was answered: an answer that was begun is sent to
    /// its end, and a command that was not decided is carried out as the next one.
    pub(super) async fn after_the_transfer(&mut self, immediate: Immediate) -> Result<(), End> {
        match immediate {
            Immediate::Deciding(event, interception) => {
                self.queue.push_first(event);
                self.interception = Some(interception);
            }
            Immediate::Answering(mut answering) => loop {
                answering.pause.as_mut().await;
                match self.send_more(answering)? {
                    Some(Immediate::Answering(rest)) => answering = rest,
                    _ => break,
                }
                self.send().await?;
            },
        }
        Ok(())
    }
}
