//! `@repeat N` … `@end`: the order in which statements are played, and the turn of each event.

use super::{Action, Scenario, Step, Variables};
use crate::data::Data;
use crate::transcript::{Event, EventKind, ObservationKind};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The largest number of turns of one `@repeat`.
pub(super) const TURNS_LIMIT: u32 = 1000;

/// The largest number of statements that are played, each counted in every turn.
pub(super) const PLAYED_LIMIT: usize = 10_000;

/// A statement in one of its turns.
#[derive(Debug, Clone, Copy)]
pub struct PlayedStep<'a> {
    /// The statement. A `@repeat` comes once at the beginning of each turn, an `@end` never.
    pub step: &'a Step,
    /// 0 outside of `@repeat`, otherwise counted from 1.
    pub turn: u32,
}

impl Scenario {
    /// The statements in the order in which they are played: those of a `@repeat` once per turn.
    pub fn in_order(&self) -> impl Iterator<Item = PlayedStep<'_>> {
        let (mut at, mut first, mut turn, mut turns) = (0, 0, 0, 0);
        std::iter::from_fn(move || {
            loop {
                let step = self.steps.get(at)?;
                match step.action {
                    Action::Repeat(count) if turn == 0 => (first, turn, turns) = (at, 1, count),
                    Action::End if turn < turns => {
                        turn += 1;
                        at = first;
                        continue;
                    }
                    Action::End => {
                        turn = 0;
                        at += 1;
                        continue;
                    }
                    _ => {}
                }
                at += 1;
                return Some(PlayedStep { step, turn });
            }
        })
    }

    /// The lines of each `@repeat`, from `@repeat` to `@end`, in order.
    #[must_use]
    pub fn repeats(&self) -> Vec<RangeInclusive<u32>> {
        let mut begin = 0;
        let mut repeats = Vec::new();
        for step in &self.steps {
            match step.action {
                Action::Repeat(_) => begin = step.line,
                Action::End => repeats.push(begin..=step.line),
                _ => {}
            }
        }
        repeats
    }

    /// The lines of the `@repeat` that this line is in.
    #[must_use]
    pub fn repeated(&self, line: u32) -> Option<RangeInclusive<u32>> {
        let mut repeats = self.repeats().into_iter();
        repeats.find(|lines| lines.contains(&line))
    }

    /// The sum of all `@silent`, in every turn.
    #[must_use]
    pub fn silence(&self) -> Duration {
        let silent = self.in_order().filter_map(|place| match place.step.action {
            Action::Silent(duration) => Some(duration),
            _ => None,
        });
        silent.fold(Duration::ZERO, Duration::saturating_add)
    }

    /// The turn in which each of these events happened; 0 for what happened outside of a `@repeat`.
    #[must_use]
    pub fn turns_of(&self, events: &[Event]) -> Vec<u32> {
        let repeats = self.repeats().into_iter();
        let mut repeats: Vec<_> = repeats.map(|lines| (lines, 0)).collect();
        let turn_of = |event: &Event| {
            let (lines, turn) = repeats
                .iter_mut()
                .find(|(lines, _)| lines.contains(&event.line))?;
            if event.line == *lines.start() && is_new_turn(&event.what) {
                *turn += 1;
            }
            Some(*turn)
        };
        let turns = events.iter().map(turn_of);
        turns.map(Option::unwrap_or_default).collect()
    }
}

/// What is recorded at the line of `@repeat` when a turn begins.
pub(crate) fn new_turn(turn: u32) -> EventKind {
    EventKind::Observed {
        kind: ObservationKind::Turn,
        fact: format!("@repeat: turn {turn}"),
        octets: Data::default(),
        ok: true,
    }
}

fn is_new_turn(what: &EventKind) -> bool {
    matches!(
        what,
        EventKind::Observed {
            kind: ObservationKind::Turn,
            ..
        }
    )
}

/// The values that variables had before a `@repeat`: what a turn captures is forgotten when the
/// next one begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct BeforeTurns(Variables);

impl BeforeTurns {
    /// A turn begins: `${turn}` is its number.
    pub(crate) fn begin(&mut self, turn: u32, variables: &mut Variables) {
        match turn {
            1 => self.0 = variables.clone(),
            _ => *variables = self.0.clone(),
        }
        variables.set("turn", turn.to_string());
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::*;
    use crate::scenario::{ScenarioId, parse};

    fn scenario(dialogue: &str) -> Scenario {
        let front = "+++\ntitle = \"t\"\ncites = [\"RFC 959 §5.4\"]\nlevel = \"must\"\n+++\n";
        parse(ScenarioId("a/b".into()), &format!("{front}{dialogue}\n")).unwrap()
    }

    const TWICE: &str = "> A\n< 200\n@repeat 2\n> B\n< 200\n@end\n> C\n< 200";

    #[test]
    fn statements_of_a_repeat_are_played_once_in_each_turn() {
        let scenario = scenario(TWICE);
        let played = scenario.in_order().map(|place| {
            let text = place.step.to_string();
            format!("{}{text}", place.turn)
        });
        let wanted = [
            "0> A",
            "0< 200",
            "1@repeat 2",
            "1> B",
            "1< 200",
            "2@repeat 2",
            "2> B",
            "2< 200",
            "0> C",
            "0< 200",
        ];
        assert_eq!(played.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn an_event_belongs_to_the_turn_that_began_before_it() {
        let scenario = scenario(TWICE);
        let event = |line, what| Event::at_line(line, what);
        let sent = || EventKind::from_client(b"B\r\n");
        let events = [
            event(0, sent()),
            event(8, new_turn(1)),
            event(9, sent()),
            event(8, new_turn(2)),
            event(9, sent()),
            event(12, sent()),
        ];
        assert_eq!(scenario.turns_of(&events), [0, 1, 1, 2, 2, 0]);
        assert_eq!(scenario.repeated(9), Some(8..=11));
        assert_eq!(scenario.repeated(12), None);
    }

    #[test]
    fn what_a_turn_captures_is_forgotten_in_the_next() {
        let mut variables = Variables::default();
        variables.set("kept", "1");
        let mut before = BeforeTurns::default();
        before.begin(1, &mut variables);
        variables.set("captured", "x");
        before.begin(2, &mut variables);
        assert_eq!(variables.get("captured"), None);
        assert_eq!(variables.get("kept"), Some("1"));
        assert_eq!(variables.get("turn"), Some("2"));
    }

    #[test]
    fn silences_are_added_up_in_every_turn() {
        let scenario = scenario("@repeat 3\n@silent 2s\n@end\n@silent 500ms");
        assert_eq!(scenario.silence(), Duration::from_millis(6500));
    }
}
