//! What hooks decide about a session, and what is reported to them and the journal.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::interception::final_reply;
use super::{Connection, End};
use crate::dtp::Progress;
use crate::observe::hooks::Greeting;
use crate::observe::journal::{EventKind, Outcome, TransferFacts};
use crate::observe::sessions::SessionRecord;
use crate::pi::{Step, Transfer, TransferEnd};
use crate::storage::{Change, VirtualPath};
use crate::wire::{Completion, Reply, Verb};

impl Connection {
    /// Greets the client as the hooks decide.
    pub(super) async fn greet(&mut self) -> Result<(), End> {
        self.publish();
        let session = self.record.info();
        for hook in self.record.hooks().clone().iter() {
            match hook.connected(&session).await {
                Greeting::Usual => {}
                Greeting::Greeting(text) => {
                    self.reply(&Reply::text(220, &text));
                    return Ok(());
                }
                Greeting::Refuse(reply) => {
                    self.reply(&final_reply(reply));
                    return Err(End::Quit);
                }
            }
        }
        let greeting = self.session.greeting();
        self.reply(&greeting);
        Ok(())
    }

    /// Reports a login that was decided, and applies the hooks' text to the reply.
    pub(super) fn login_decided(&mut self, name: Vec<u8>, granted: bool, step: Step) -> Step {
        self.publish();
        self.record.note(|| match self.session.logged_in() {
            Some((user, _)) if granted => EventKind::LoggedIn {
                user: user.name.clone(),
            },
            _ => EventKind::LoginRefused { user: name.clone() },
        });
        if self.record.hooks().is_empty() {
            return step;
        }
        let session = self.record.info();
        let mut hooks = self.record.hooks().iter();
        let Some(text) = hooks.find_map(|hook| hook.login(&session, &name, granted)) else {
            return step;
        };
        let reworded = |completion: Completion| Completion(Reply::text(completion.0.code.0, &text));
        match step {
            Step::Reply(completion) => Step::Reply(reworded(completion)),
            Step::ReplyThen(completion, control) => Step::ReplyThen(reworded(completion), control),
            Step::Ask(_) | Step::Transfer(_) => step,
        }
    }

    /// The address to announce in a 227, if not the one the client connected to.
    pub(super) async fn public_address(&mut self) -> Result<Option<Ipv4Addr>, End> {
        if !self.record.hooks().is_empty() {
            self.flush().await?;
            let session = self.record.info();
            for hook in self.record.hooks().clone().iter() {
                if let Some(address) = hook.public_address(&session).await {
                    return Ok(Some(address));
                }
            }
        }
        Ok(self.shared().public_address())
    }

    /// Reports that a transfer starts.
    pub(super) fn transfer_started(&self, transfer: &Transfer) -> ObservedTransfer {
        let observed = ObservedTransfer {
            verb: transfer.verb,
            path: transfer.content.path().clone(),
            stores: transfer.content.is_upload(),
        };
        self.record.note(|| EventKind::TransferStarted {
            verb: observed.verb.row().name.to_owned(),
            path: observed.path.clone(),
        });
        observed
    }
}

/// A transfer, as the journal and the hooks are informed of it.
#[derive(Debug)]
pub(super) struct ObservedTransfer {
    verb: Verb,
    path: VirtualPath,
    stores: bool,
}

impl ObservedTransfer {
    /// STOU has made a file with this name.
    pub(super) fn set_name(&mut self, name: Option<&VirtualPath>) {
        if let Some(name) = name {
            self.path.clone_from(name);
        }
    }

    /// Reports that the transfer has ended; `None` if the session has.
    pub(super) fn ended(
        &self,
        record: &Arc<SessionRecord>,
        end: Option<&TransferEnd>,
        progress: &Progress,
    ) {
        if let Some(channel) = progress.channel()
            && let Some((by, how)) = channel.first_end()
        {
            record.note(|| EventKind::DataClosed {
                connection: channel.number(),
                by,
                how,
            });
        }
        record.note(|| {
            EventKind::TransferEnded(Box::new(TransferFacts {
                verb: self.verb.row().name.to_owned(),
                path: self.path.clone(),
                octets: progress.moved(),
                sha256: progress.sha256(),
                outcome: end.map_or(Outcome::SessionEnded, outcome),
            }))
        });
        if self.stores && matches!(end, Some(TransferEnd::Complete { .. })) {
            let path = self.path.clone();
            record.note(|| EventKind::Changed(Change::Stored { path }));
        }
    }
}

fn outcome(end: &TransferEnd) -> Outcome {
    match end {
        TransferEnd::Complete { .. } => Outcome::Complete,
        TransferEnd::NotOpened(error) => Outcome::NotOpened {
            error: error.to_string(),
        },
        TransferEnd::NoConnection => Outcome::NoConnection,
        TransferEnd::NoProtection => Outcome::NoProtection,
        TransferEnd::NotResumed(_) => Outcome::NotResumed,
        TransferEnd::OtherClient => Outcome::OtherClient,
        TransferEnd::ConnectionLost => Outcome::ConnectionLost,
        TransferEnd::Malformed(how) => Outcome::Malformed {
            error: format!("{how:?}"),
        },
        TransferEnd::Aborted => Outcome::Aborted,
        TransferEnd::StorageFailed(error) => Outcome::StorageFailed {
            error: error.to_string(),
        },
    }
}
