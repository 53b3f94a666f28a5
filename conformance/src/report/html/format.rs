//! Formats numbers, times and levels, and truncates long texts.

use crate::scenario::Level;
use crate::text;
use crate::verdict::Outcome;
use maud::{Markup, html as markup};
use std::borrow::Cow;

/// Characters shown of a text.
const WIDTH: usize = 600;

/// The text, truncated.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    text::cut(text, WIDTH)
}

/// `1 warning`, `2 warnings`.
pub(super) fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// As RFC 2119 writes it.
pub(super) fn level(level: Level) -> &'static str {
    match level {
        Level::Must => "MUST",
        Level::Should => "SHOULD",
        Level::May => "MAY",
        Level::Practice => "practice",
    }
}

/// The CSS class that colours an outcome. Its word is always shown beside.
pub(super) fn tone(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "good",
        Outcome::Inconclusive => "other",
        Outcome::Unsupported => "none",
        Outcome::Note => "note",
        Outcome::Warn => "warn",
        Outcome::Blocked => "untestable",
        Outcome::Fail => "bad",
        Outcome::Misadvertised => "lie",
        Outcome::Error => "trouble",
    }
}

/// The meaning of an outcome, in words.
pub(super) fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "holds",
        Outcome::Inconclusive => "answered in another legal way, and nothing was left to test",
        Outcome::Note => "a MAY or a practice is not followed",
        Outcome::Unsupported => "an optional feature, absent and not advertised",
        Outcome::Warn => "a SHOULD is broken",
        Outcome::Blocked => "what it rests on failed",
        Outcome::Fail => "a MUST is broken",
        Outcome::Misadvertised => "advertised in FEAT, then refused",
        Outcome::Error => "an internal error, or the server is no longer reachable",
    }
}

/// An outcome as a coloured word.
pub(super) fn badge(outcome: Outcome) -> Markup {
    markup! { span class={ "badge " (tone(outcome)) } { (outcome.word()) } }
}

/// A number of milliseconds for people.
pub(super) fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A number of seconds since 1970-01-01 UTC as a date and time; `None` where the calendar ends.
pub(super) fn moment(unix: u64) -> Option<String> {
    let moment = jiff::Timestamp::from_second(i64::try_from(unix).ok()?).ok()?;
    Some(moment.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, Some("1970-01-01 00:00 UTC"))]
    #[case(1_795_423_471, Some("2026-11-23 08:44 UTC"))]
    #[case(u64::MAX, None)]
    fn a_moment_is_a_date_and_a_time(#[case] unix: u64, #[case] shown: Option<&str>) {
        assert_eq!(moment(unix).as_deref(), shown);
    }

    #[rstest]
    #[case(0, "0.0 s")]
    #[case(1_560, "1.5 s")]
    #[case(61_000, "1 min 1 s")]
    #[case(7_260_000, "2 h 1 min")]
    fn a_duration_is_as_exact_as_one_wants_to_know(#[case] milliseconds: u64, #[case] shown: &str) {
        assert_eq!(duration(milliseconds), shown);
    }
}
