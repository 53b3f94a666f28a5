//! `@repeat` … `@end`: nesting, and the number of statements that are played.

use super::super::turns::PLAYED_LIMIT;
use super::super::{Action, Scenario};
use super::{Line, Problem, Problems, SILENCE, SLOW_SILENCE};
use std::ops::Range;

/// The `@repeat` that is open.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    open: Option<Range<usize>>,
    is_empty: bool,
}

impl Nesting {
    pub(super) fn statement(&mut self, action: &Action, line: Line<'_>) -> Result<(), Problem> {
        match action {
            Action::Repeat(_) if self.open.is_some() => {
                let problem = Problem::new(line.span(), "a `@repeat` must not be inside another");
                Err(problem.help("`@end` ends the first one"))
            }
            Action::Repeat(_) => {
                self.open = Some(line.span());
                self.is_empty = true;
                Ok(())
            }
            Action::End => match self.open.take() {
                None => Err(Problem::new(line.span(), "`@end` ends no `@repeat`")),
                Some(span) if self.is_empty => Err(Problem::new(
                    span,
                    "there is nothing between `@repeat` and `@end`",
                )),
                Some(_) => Ok(()),
            },
            _ => {
                self.is_empty = false;
                Ok(())
            }
        }
    }

    /// A `@repeat` that is wrong: the `@end` that belongs to it is not.
    pub(super) fn broken(&mut self, line: Line<'_>) {
        self.open = Some(line.span());
        self.is_empty = false;
    }

    /// The dialogue is at its end.
    pub(super) fn end(self) -> Result<(), Problem> {
        match self.open {
            Some(span) => Err(Problem::new(span, "this `@repeat` has no `@end`")),
            None => Ok(()),
        }
    }
}

/// Whether the amount and the duration are within the limits.
pub(super) fn is_bounded(scenario: &Scenario, lines: &[Line<'_>], problems: &mut Problems) {
    let span_of = |is: fn(&Action) -> bool| {
        let step = scenario.steps.iter().rfind(|step| is(&step.action));
        let index = step.map_or(0, |step| step.line.saturating_sub(1)) as usize;
        lines.get(index).map_or(0..0, Line::span)
    };
    // Without a `@repeat` the size of the file is the limit.
    let repeats = |action: &Action| matches!(action, Action::Repeat(_));
    if scenario.steps.iter().any(|step| repeats(&step.action))
        && scenario.in_order().take(PLAYED_LIMIT + 1).count() > PLAYED_LIMIT
    {
        let message = format!("more than {PLAYED_LIMIT} statements are played in all turns");
        return problems.push(Problem::new(span_of(repeats), message));
    }
    let is_slow = scenario.about.profile.as_deref() == Some("slow");
    let limit = if is_slow { SLOW_SILENCE } else { SILENCE };
    if scenario.silence() > limit {
        let message = format!(
            "all `@silent` together take longer than {} s",
            limit.as_secs()
        );
        let problem = Problem::new(
            span_of(|action| matches!(action, Action::Silent(_))),
            message,
        );
        let help = (!is_slow).then(|| "`profile = \"slow\"` allows 30 minutes".to_owned());
        problems.push(problem.maybe_help(help));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is a failed test")]
    use super::super::tests::{FRONT, problems_in};
    use crate::scenario::{ScenarioId, parse};
    use rstest::rstest;

    #[rstest]
    #[case::long_silence(
        "@silent 61s",
        "all `@silent` together take longer than 60 s at `@silent 61s`"
    )]
    #[case::silence_in_each_turn(
        "@repeat 4\n@silent 20s\n@end",
        "all `@silent` together take longer than 60 s at `@silent 20s`"
    )]
    #[case::no_turns("@repeat\n@alive\n@end", "a number is missing at ``")]
    #[case::not_one_turn(
        "@repeat 0\n@alive\n@end",
        "the number of turns is from 1 to 1000 at `0`"
    )]
    #[case::endless(
        "@repeat 1001\n@alive\n@end",
        "the number of turns is from 1 to 1000 at `1001`"
    )]
    #[case::nested(
        "@repeat 2\n@alive\n@repeat 2\n@end",
        "a `@repeat` must not be inside another at `@repeat 2`"
    )]
    #[case::no_end("@repeat 2\n@alive", "this `@repeat` has no `@end` at `@repeat 2`")]
    #[case::nothing_to_end("@alive\n@end", "`@end` ends no `@repeat` at `@end`")]
    #[case::nothing_repeated(
        "@repeat 2\n@end",
        "there is nothing between `@repeat` and `@end` at `@repeat 2`"
    )]
    #[case::named_repeat(
        "B@repeat 2\n@alive\n@end",
        "`@repeat` is about statements of any connection at `@repeat`"
    )]
    fn a_broken_repeat_is_reported_once(#[case] dialogue: &str, #[case] expected: &str) {
        assert_eq!(problems_in(dialogue), [expected]);
    }

    #[test]
    fn long_waits_are_for_the_slow_profile() {
        let text = |profile: &str, dialogue: &str| {
            let front = FRONT.replace("level", &format!("profile = \"{profile}\"\nlevel"));
            parse(ScenarioId("test".into()), &format!("{front}{dialogue}"))
        };
        assert!(text("slow", "@silent 10s\n@silent 1790s").is_ok());
        assert_eq!(
            text("slow", "@silent 11s\n@silent 1790s")
                .unwrap_err()
                .len(),
            1
        );
        assert_eq!(text("security", "@silent 61s").unwrap_err().len(), 1);
    }

    #[test]
    fn a_dialogue_that_is_played_too_often_is_refused() {
        let many = format!("@repeat 1000\n{}@end", "> NOOP\n".repeat(10));
        let found = problems_in(&many);
        assert_eq!(
            found,
            ["more than 10000 statements are played in all turns at `@repeat 1000`"]
        );
    }
}
