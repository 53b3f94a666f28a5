//! Which events belong to a step: those of its line and connection, and of its turn in a `@repeat`.

use super::{Here, Walk};
use crate::transcript::{Event, EventKind};

impl<'a> Walk<'a> {
    /// The place of the last step that was played, if the dialogue stopped at this line.
    pub(super) fn last_place(&self, line: u32) -> (u32, u32) {
        let begun = self.scenario.repeated(line).and_then(|lines| {
            let events = self.context.transcript.events.iter().zip(&self.turns);
            let inside = events.filter(|(event, _)| lines.contains(&event.line));
            inside.map(|(_, turn)| *turn).max()
        });
        (begun.map_or(0, |turn| turn.max(1)), line)
    }

    /// Whether a place (turn and line) is not after another one.
    pub(super) fn is_up_to(&self, place: (u32, u32), other: (u32, u32)) -> bool {
        let repeat = self.repeats.iter().find(|lines| lines.contains(&place.1));
        match repeat {
            Some(lines) if lines.contains(&other.1) => place <= other,
            _ => place.1 <= other.1,
        }
    }

    /// The events of the step's connection up to the step.
    pub(super) fn own_events<'w>(
        &'w self,
        here: &'w Here<'_>,
    ) -> impl Iterator<Item = (usize, &'a Event)> + use<'w, 'a> {
        let place = (self.turn, here.step.line);
        let events = self.context.transcript.events.iter().enumerate();
        events.filter(move |(index, event)| {
            event.connection == here.step.connection
                && self.is_up_to((self.turns[*index], event.line), place)
        })
    }

    /// Where the line has no events that explain anything: the end of the connection before it, if
    /// there was one.
    pub(super) fn before(&self, here: &Here<'_>, otherwise: &str) -> (usize, String) {
        let last = self.own_events(here).last();
        let (index, observed) = match last {
            Some((index, event)) if matches!(event.what, EventKind::Closed(_)) => {
                (index, self.shows(index))
            }
            Some((index, _)) => (index, None),
            None => (0, None),
        };
        let otherwise = if otherwise.is_empty() {
            "nothing came of it"
        } else {
            otherwise
        };
        (index, observed.unwrap_or_else(|| otherwise.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use crate::scenario::Level;
    use rstest::rstest;

    const REPEATED: &str =
        "@repeat 3\n> MKD a${turn}\n< 257 \"${made}\"*\n> CWD ${made}\n< 250\n@end\n> PWD\n< 257";

    /// The dialogue of [`REPEATED`] with these replies to the second CWD and to PWD.
    fn dialogue<'a>(second: &'a str, last: &'a str) -> Vec<&'a str> {
        let mut dialogue = Vec::new();
        for answer in ["5:S: 250 x", second, "5:S: 250 x"] {
            dialogue.extend([
                "1:turn",
                "2:C: MKD",
                "3:S: 257 \"/a\" x",
                "4:C: CWD /a",
                answer,
            ]);
        }
        dialogue.extend(["7:C: PWD", last]);
        dialogue.extend(["0:C: NOOP", "S: 200 x", "C: QUIT", "S: 221 x", "closed"]);
        dialogue
    }

    #[rstest]
    #[case::holds("5:S: 250 x", "8:S: 257 x", None)]
    #[case::one_turn("5:S: 550 x", "8:S: 257 x", Some((5, "in turn 2: 550 x")))]
    #[case::after_the_turns("5:S: 250 x", "8:S: 550 x", Some((8, "550 x")))]
    #[case::a_turn_without_reply("5:silence", "8:S: 257 x", Some((5, "in turn 2: no reply within 5000 ms")))]
    fn each_turn_is_held_against_its_own_events(
        #[case] second: &str,
        #[case] last: &str,
        #[case] wanted: Option<(u32, &str)>,
    ) {
        let found = found(REPEATED, &dialogue(second, last));
        let wanted = wanted.map(|(line, observed)| (Level::Must, line, observed.to_owned()));
        assert_eq!(found, wanted.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn what_is_wrong_in_every_turn_is_found_once() {
        let steps = "@repeat 2\n> NOOP\n< 200\n@end";
        let turn = ["1:turn", "2:C: NOOP", "3:S: 500 x"];
        let end = ["0:C: NOOP", "S: 200 x", "C: QUIT", "S: 221 x", "closed"];
        let dialogue = [&turn[..], &turn, &end].concat();
        assert_eq!(
            found(steps, &dialogue),
            [(Level::Must, 3, "in turn 1: 500 x".to_owned())]
        );
    }
}
