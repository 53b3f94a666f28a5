//! Which faults are injected at an event: the counters of a running server.

use std::sync::{Mutex, PoisonError};

use super::{Fault, Plan, Trigger};
use crate::storage::VirtualPath;
use crate::wire::{CommandLine, Verb, matches};

/// How often a fault matched an event, and how often it was injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCount {
    /// Events that matched.
    pub seen: u64,
    /// How often it was injected.
    pub injected: u64,
}

/// A plan with its counters, for a running server or for a proxy in front of one.
#[derive(Debug)]
pub struct Faults {
    plan: Plan,
    counts: Mutex<Vec<FaultCount>>,
}

/// A fault to be injected.
#[derive(Debug, Clone, Copy)]
pub struct Injection<'a> {
    /// Its number in the plan, counted from 1.
    pub number: usize,
    /// The fault.
    pub fault: &'a Fault,
}

/// What happens now.
#[derive(Debug, Clone, Copy)]
pub enum FaultEvent<'a> {
    /// A control connection has come.
    Connect,
    /// The TLS handshake of a control connection begins.
    Handshake,
    /// A line of the control connection, without its line end.
    Line(&'a [u8]),
}

impl Faults {
    /// `None` for an empty plan, which then costs nothing.
    #[must_use]
    pub fn new(plan: Plan) -> Option<Self> {
        let counts = Mutex::new(vec![FaultCount::default(); plan.faults.len()]);
        (!plan.faults.is_empty()).then_some(Self { plan, counts })
    }

    /// The counts of each fault, in the order of the plan.
    #[must_use]
    pub fn counts(&self) -> Vec<FaultCount> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }

    /// Counts the event, and returns the faults to be injected. `user` is the name last given with
    /// USER, and is updated by this line; `locate` resolves a pathname.
    pub fn injections(
        &self,
        event: FaultEvent<'_>,
        session: u64,
        user: &mut Vec<u8>,
        locate: impl FnOnce(&[u8]) -> Option<VirtualPath>,
    ) -> Vec<Injection<'_>> {
        let command = match event {
            FaultEvent::Line(line) => match CommandLine::split(line) {
                Ok(command) => Some(command),
                Err(_) => return Vec::new(),
            },
            FaultEvent::Connect | FaultEvent::Handshake => None,
        };
        if let Some(command) = command.filter(|command| command.verb == Verb::User) {
            *user = command.argument.unwrap_or_default().to_vec();
        }
        let candidates = self.plan.faults.iter().enumerate().filter(|(_, fault)| {
            let what = match (event, command) {
                (FaultEvent::Connect, _) => fault.what == Trigger::Connect,
                (FaultEvent::Handshake, _) => fault.what == Trigger::Handshake,
                (FaultEvent::Line(_), command) => {
                    command.is_some_and(|command| fault.what.is_of(command.verb))
                }
            };
            what && fault.session.is_none_or(|number| number == session)
                && (fault.user.as_ref()).is_none_or(|name| name.as_bytes() == user.as_slice())
        });
        let candidates: Vec<(usize, &Fault)> = candidates.collect();
        let path = if candidates.iter().any(|(_, fault)| fault.path.is_some()) {
            command.and_then(|command| locate(pathname(command)))
        } else {
            None
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut injections = Vec::new();
        for (index, fault) in candidates {
            if !fault
                .path
                .as_ref()
                .is_none_or(|pattern| fits(pattern, path.as_ref()))
            {
                continue;
            }
            let count = &mut counts[index];
            count.seen += 1;
            if fault.occurrence.holds(count.seen)
                && fault.times.is_none_or(|times| count.injected < times)
            {
                count.injected += 1;
                tracing::debug!(session, %fault, "a fault injections");
                let number = index + 1;
                injections.push(Injection { number, fault });
            }
        }
        injections
    }
}

/// The pathname of a command: its argument, without a time before it or options.
fn pathname(command: CommandLine<'_>) -> &[u8] {
    let argument = command.argument.unwrap_or_default();
    let behind_a_space = |octets: &'_ [u8]| memchr::memchr(b' ', octets).map(|space| space + 1);
    match command.verb {
        Verb::Mfmt | Verb::Mfct | Verb::Mff => {
            &argument[behind_a_space(argument).unwrap_or_default()..]
        }
        Verb::List | Verb::Nlst if argument.starts_with(b"-") => {
            &argument[behind_a_space(argument).unwrap_or(argument.len())..]
        }
        _ => argument,
    }
}

fn fits(pattern: &str, path: Option<&VirtualPath>) -> bool {
    path.is_some_and(|path| {
        let held = if pattern.starts_with('/') {
            path.as_bytes()
        } else {
            path.name().unwrap_or_default()
        };
        matches(pattern.as_bytes(), held)
    })
}
