//! Which client plays which session of the recordings. Pure.

use super::{Decision, Deviation, Matcher};
use crate::replay::dialogue::Session;
use crate::transcript::Command;

/// Deviations that are noted.
const MOST_DEVIATIONS: usize = 100;

/// The sessions of the recordings, given out in the order in which clients connect. When a client
/// leaves its session, it may turn out to play another: one that nobody plays, or that of a client
/// which has done nothing that would not fit its own as well.
#[derive(Debug)]
pub(crate) struct Cast {
    /// As they were recorded.
    fresh: Vec<Matcher>,
    parts: Vec<Part>,
    deviations: Vec<Deviation>,
}

#[derive(Debug)]
struct Part {
    matcher: Matcher,
    /// Whether a client plays it, or has played it.
    client: Option<usize>,
    history: Vec<Command>,
    /// Whether clients of other sessions have done some of it, or its client some of others: then
    /// the history alone does not lead here.
    is_shared: bool,
}

impl Cast {
    /// Nobody has connected.
    pub(crate) fn new(sessions: &[Session]) -> Self {
        let fresh: Vec<Matcher> = sessions
            .iter()
            .zip(1..)
            .map(|(session, number)| Matcher::new(number, session))
            .collect();
        let part = |matcher: &Matcher| Part {
            matcher: matcher.clone(),
            client: None,
            history: Vec::new(),
            is_shared: false,
        };
        Self {
            parts: fresh.iter().map(part).collect(),
            fresh,
            deviations: Vec::new(),
        }
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Gives this client the next session; `None` if there is none left.
    pub(crate) fn join(&mut self, client: usize) -> Option<&Matcher> {
        let part = self.parts.iter_mut().find(|part| part.client.is_none())?;
        part.client = Some(client);
        Some(&part.matcher)
    }

    /// What follows from a command of this client.
    pub(crate) fn decide(&mut self, client: usize, command: &Command) -> Option<Decision> {
        let own = self.part_of(client)?;
        let part = &mut self.parts[own];
        let decision = part.matcher.decide(command);
        if !matches!(decision, Decision::Refuse(..)) {
            part.history.push(command.clone());
            return Some(decision);
        }
        for other in 0..self.parts.len() {
            if other != own
                && let Some(decision) = self.swapped(own, other, command)
            {
                return Some(decision);
            }
        }
        // Part of another session of the same recordings, as with a mirror whose files are given
        // out to whichever connection is free.
        let mut borrower = self.parts[own].matcher.clone();
        let others = self.parts.iter_mut().enumerate();
        let lent = others
            .filter(|(other, _)| *other != own)
            .find_map(|(_, part)| {
                let lent = part.matcher.lend(command, &mut borrower)?;
                part.is_shared = true;
                Some(lent)
            });
        if lent.is_some() {
            self.parts[own].matcher = borrower;
            self.parts[own].is_shared = true;
            return lent;
        }
        if let Decision::Refuse(_, deviation) = &decision {
            self.add((**deviation).clone());
        }
        Some(decision)
    }

    /// Notes what was found outside of commands.
    pub(crate) fn note(&mut self, client: usize, came: String, problem: String) {
        if let Some(part) = self.part_of(client) {
            let deviation = self.parts[part].matcher.deviation(came, problem);
            self.add(deviation);
        }
    }

    fn add(&mut self, deviation: Deviation) {
        if self.deviations.len() < MOST_DEVIATIONS {
            self.deviations.push(deviation);
        }
    }

    /// Whether more deviations are not noted: the client plays something else.
    pub(crate) fn is_lost(&self) -> bool {
        self.deviations.len() >= MOST_DEVIATIONS
    }

    /// What clients did that the recordings do not have, and what they did not do.
    pub(crate) fn deviations(&self) -> Vec<Deviation> {
        let mut all = self.deviations.clone();
        let unfinished = self.parts.iter().filter_map(|part| {
            let mut deviation = part.matcher.unfinished()?;
            if part.client.is_none() && part.matcher.is_untouched() {
                deviation.problem = "no client came for this session of the recording".into();
            }
            Some(deviation)
        });
        all.extend(unfinished);
        all
    }

    fn part_of(&self, client: usize) -> Option<usize> {
        self.parts
            .iter()
            .position(|part| part.client == Some(client))
    }

    /// Exchanges two sessions where both clients' commands so far fit, and this one too.
    fn swapped(&mut self, own: usize, other: usize, command: &Command) -> Option<Decision> {
        if self.parts[own].is_shared || self.parts[other].is_shared {
            return None;
        }
        let mut mine = self.fresh[other].clone();
        let fits = |matcher: &mut Matcher, history: &[Command]| {
            let mut history = history.iter();
            history.all(|command| !matches!(matcher.decide(command), Decision::Refuse(..)))
        };
        if !fits(&mut mine, &self.parts[own].history) {
            return None;
        }
        let decision = mine.decide(command);
        if matches!(decision, Decision::Refuse(..)) {
            return None;
        }
        let mut theirs = self.fresh[own].clone();
        if !fits(&mut theirs, &self.parts[other].history) {
            return None;
        }
        let (client, history) = (
            self.parts[own].client.take(),
            std::mem::take(&mut self.parts[own].history),
        );
        self.parts[own] = Part {
            matcher: theirs,
            client: self.parts[other].client.take(),
            history: std::mem::take(&mut self.parts[other].history),
            is_shared: false,
        };
        self.parts[other] = Part {
            matcher: mine,
            client,
            history,
            is_shared: false,
        };
        self.parts[other].history.push(command.clone());
        Some(decision)
    }
}
