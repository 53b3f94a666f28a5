//! The faults of a plan in a session: what is injected in place of a command, and around its reply.

use super::super::faults::{Action, FaultEvent, reply_of};
use super::super::observer::{Channel, Leg, Sighting};
use super::output::{Item, shaped};
use super::{Effect, Session};
use crate::transcript::CloseKind;

/// A preliminary reply in place of the server's, which does not see the command.
const OPENING: &[u8] = b"150 Opening data connection.\r\n";
/// The completion of a transfer without a data connection.
const NO_CONNECTION: &[u8] = b"425 No data connection.\r\n";

/// What the plan does to a command.
pub(super) enum Injected {
    /// It is passed on; its reply is changed by these.
    Reply(Vec<Action>),
    /// It is not passed on: this is sent in place of its reply.
    Replaced(Vec<Item>),
}

impl Session {
    /// Counts an event of the control connection, and observes the faults it meets.
    pub(super) fn faults_at(&mut self, event: FaultEvent<'_>) -> Vec<Action> {
        let Some(faults) = &mut self.faults else {
            return Vec::new();
        };
        let met = faults.at(event);
        for fault in &met {
            let fault = fault.to_string();
            self.observer
                .see(Leg::Client, Channel::Control, &Sighting::Fault(&fault));
        }
        met.into_iter().map(|fault| fault.action).collect()
    }

    /// What is done to a command, or with the greeting, by these actions.
    pub(super) fn inject(&mut self, actions: Vec<Action>, transfer: bool) -> Injected {
        let mut replaced = None;
        for action in &actions {
            match action {
                Action::HangUp => {
                    return Injected::Replaced(vec![Item::Close(CloseKind::Clean)]);
                }
                Action::Idle(time) => {
                    if let Some(faults) = &mut self.faults {
                        faults.idle = Some(*time);
                    }
                }
                Action::Reply { code, text } => {
                    let mut items = shaped(reply_of(*code, text), &actions);
                    if *code == 421 {
                        items.push(Item::Close(CloseKind::Clean));
                    }
                    replaced = replaced.or(Some(items));
                }
                Action::Refuse | Action::NeverAccept if transfer => {
                    let mut items = vec![Item::Octets(OPENING.into())];
                    if *action == Action::NeverAccept {
                        let hold = self.faults.as_ref().map(|faults| faults.hold());
                        items.push(Item::Hold(hold.unwrap_or_default()));
                    }
                    items.push(Item::DropData);
                    items.extend(shaped(NO_CONNECTION.into(), &actions));
                    replaced = replaced.or(Some(items));
                }
                _ => {}
            }
        }
        match replaced {
            Some(items) => Injected::Replaced(items),
            None => Injected::Reply(actions),
        }
    }

    /// Applies the plan to the greeting, which is still to come, with so many sessions open.
    pub(crate) fn inject_at_connect(&mut self, sessions: usize) {
        let actions = self.faults_at(FaultEvent::Connect);
        let full =
            |action: &Action| matches!(action, Action::MaxSessions(most) if sessions > *most);
        if actions.iter().any(full) {
            let refusal = Item::Octets(b"421 Too many sessions.\r\n".to_vec());
            let close = Item::Close(CloseKind::Clean);
            return self.push_pending(Effect::Replaced(vec![refusal, close]));
        }
        match self.inject(actions, false) {
            Injected::Reply(actions) => self.armed = actions,
            Injected::Replaced(items) => {
                self.push_pending(Effect::Replaced(items));
                return;
            }
        }
        self.push_pending(Effect::None);
    }

    /// Whether the reply that is expected next is held until it is whole, to be changed.
    pub(super) fn changes_replies(&self) -> bool {
        self.faults.is_some() && self.pending.iter().any(|it| !it.armed.is_empty())
    }

    /// Follows the working directory, for the paths of faults.
    pub(super) fn enter(&mut self, pathname: &[u8]) {
        if let Some(faults) = &mut self.faults {
            faults.enter(pathname);
        }
    }
}
