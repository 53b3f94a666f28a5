//! What comes between a command and the server-PI: faults of the plan, and hooks.
//!
//! Every command passes here, also those that are answered while a transfer goes on. The order is
//! the same for all: a fault that takes the place of the command, the hooks before it, the command,
//! the faults of its reply, and the hooks after it.

use std::future::poll_fn;
use std::task::Poll;

use super::{Connection, End};
use crate::fault::Action;
use crate::observe::hooks::{BoxFuture, CommandAction, Request};
use crate::wire::{ControlEvent, Reply};

/// What is known of a command before it is carried out.
pub(super) struct Interception {
    /// The command, for the hooks.
    pub(super) request: Request,
    /// What the fault plan does to it.
    pub(super) actions: Vec<Action>,
    /// What the hooks decide; `None` without hooks.
    pub(super) deciding: Option<BoxFuture<'static, CommandAction>>,
}

impl Connection {
    /// Whether there are faults or hooks.
    pub(super) fn is_intercepted(&self) -> bool {
        self.faults.is_some() || !self.record.hooks().is_empty()
    }

    /// Greets the client, with what faults and hooks do to it.
    pub(super) async fn greet_intercepted(&mut self) -> Result<(), End> {
        if !self.faults_at_connect().await? {
            self.greet().await?;
        }
        self.end_faults().await
    }

    /// Counts a command for the fault plan, and asks the hooks about it; they begin to decide when
    /// they are polled.
    pub(super) fn interception(&mut self, line: &[u8]) -> Interception {
        let actions = self.faults_of(line);
        self.publish();
        let request = Request::new(line);
        let hooks = self.record.hooks().clone();
        let deciding = (!hooks.is_empty()).then(|| {
            let (session, request) = (self.record.info(), request.clone());
            Box::pin(async move {
                for hook in hooks.iter() {
                    let action = hook.before(&session, &request).await;
                    if action != CommandAction::Proceed {
                        return action;
                    }
                }
                CommandAction::Proceed
            }) as BoxFuture<'static, CommandAction>
        });
        Interception {
            request,
            actions,
            deciding,
        }
    }

    /// Carries out a command, with what faults and hooks do to it.
    pub(super) async fn intercept(&mut self, event: ControlEvent) -> Result<(), End> {
        let ControlEvent::Line(line) = &event else {
            let step = self.session.receive(event);
            return self.carry_out(step).await;
        };
        let begun = self.interception.take();
        let Interception {
            request,
            actions,
            deciding,
        } = match begun {
            Some(begun) => *begun,
            None => self.interception(line),
        };
        if self.arm(actions).await? {
            return Ok(());
        }
        let action = match deciding {
            Some(deciding) => self.decided(deciding).await?,
            None => CommandAction::Proceed,
        };
        let outcome = match action {
            CommandAction::Proceed => {
                self.apply_directory();
                let step = self.session.receive(event);
                self.carry_out(step).await
            }
            CommandAction::Reply(reply) => {
                self.session.passed_over();
                self.reply(&final_reply(reply));
                Ok(())
            }
            CommandAction::Close(reply) => {
                self.reply(&final_reply(reply));
                Err(End::Quit)
            }
        };
        self.publish();
        if let Some(reply) = self.answered.take() {
            self.call_after(&request, &reply);
        }
        outcome?;
        self.end_faults().await
    }

    /// Waits for a decision of a hook or an authenticator. Replies before it wait for the end of a
    /// batch of commands, but not for the decision.
    pub(super) async fn decided<T>(&mut self, mut deciding: BoxFuture<'_, T>) -> Result<T, End> {
        match poll_fn(|cx| Poll::Ready(deciding.as_mut().poll(cx))).await {
            Poll::Ready(decision) => Ok(decision),
            Poll::Pending => {
                self.flush().await?;
                Ok(deciding.await)
            }
        }
    }

    /// Calls the hooks after a command.
    pub(super) fn call_after(&self, request: &Request, reply: &Reply) {
        let session = self.record.info();
        for hook in self.record.hooks().iter() {
            hook.after(&session, request, reply);
        }
    }
}

/// The reply of a hook. A command gets exactly one completion reply (RFC 959 §4.2): a code that is
/// not one becomes 451.
pub(super) fn final_reply(reply: Reply) -> Reply {
    if (200..=599).contains(&reply.code.0) {
        return reply;
    }
    tracing::error!(
        code = reply.code.0,
        "a hook gave a reply that does not complete a command"
    );
    Reply::line(451, "The command was refused.")
}
