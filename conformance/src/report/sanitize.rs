//! Makes untrusted text in a report harmless.
//!
//! A report contains text from servers, and a report read from a file may contain anything.
//! Every renderer starts from a sanitized report and adds the escaping of its format (XML, HTML).

use super::{BaselineFault, Report, Row, SkippedRow, Tested};
use crate::scenario::Need;
use crate::verdict::{Accepted, BrokenRule, Finding, JudgeVerdict, Located, Verdict};
use std::borrow::Cow;

/// A report in which every text is sanitized; what renderers start from.
#[derive(Debug)]
pub struct Sanitized(Report);

impl Sanitized {
    /// A sanitized copy of a report. Of a greeting of several lines only the first is kept.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let mut report = report.clone();
        let greeting = report.target.greeting.lines().next();
        report.target.greeting = greeting.unwrap_or_default().to_owned();
        report.sanitize();
        Self(report)
    }

    /// The sanitized report.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.0
    }
}

/// Sanitizes every text of a value. The patterns name every field, so that a new one cannot be
/// forgotten.
trait Sanitize {
    fn sanitize(&mut self);
}

impl Sanitize for String {
    fn sanitize(&mut self) {
        if let Cow::Owned(sanitized) = sanitize(self) {
            *self = sanitized;
        }
    }
}

impl<T: Sanitize> Sanitize for Vec<T> {
    fn sanitize(&mut self) {
        self.iter_mut().for_each(T::sanitize);
    }
}

impl<T: Sanitize> Sanitize for Option<T> {
    fn sanitize(&mut self) {
        self.iter_mut().for_each(T::sanitize);
    }
}

impl Sanitize for Need {
    fn sanitize(&mut self) {
        if let Self::Feature(label) = self {
            label.sanitize();
        }
    }
}

/// Implements [`Sanitize`] for structs: the fields with text, and those without.
macro_rules! sanitize_fields {
    ($($kind:ident { $($text:ident)* ; $($other:ident)* })*) => {$(
        impl Sanitize for $kind {
            fn sanitize(&mut self) {
                let Self { $($text,)* $($other: _,)* } = self;
                $($text.sanitize();)*
            }
        }
    )*};
}

sanitize_fields! {
    Report {
        schema ftpspec target scenarios judges skipped invalid_scenarios notices baseline_errors;
        version started duration_ms interrupted parts filters
    }
    Tested { url greeting features implemented not_implemented; }
    Row {
        verdict title cites covers commands needs excerpt reproduce impact known;
        level duration_ms
    }
    Verdict { scenario reason lacks findings unjudged; variant outcome }
    Finding { judge requirement clause about expected observed; level connection line event shows_impact }
    Accepted { reason; }
    JudgeVerdict { judge statement impact clause findings rules known; outcome count }
    Located { scenario finding excerpt; variant }
    BrokenRule { requirement; outcome count }
    SkippedRow { scenario reason; variant }
    BaselineFault { file entry message; line fault }
}

/// The text on one line and without characters that do something: control characters (terminal
/// escape sequences, and what XML 1.0 forbids) and those that change the direction of what follows
/// are shown as escapes.
fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut sanitized = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts(character) {
            sanitized.extend(character.escape_default());
        } else {
            sanitized.push(character);
        }
    }
    Cow::Owned(sanitized)
}

fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Line and paragraph separators, directions (Unicode TR 9), and what XML 1.0 §2.2 has
            // no place for.
            '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;
    use crate::verdict::Outcome;

    #[test]
    fn what_acts_on_a_terminal_is_shown_instead() {
        assert_eq!(
            sanitize("\u{1b}[2J200 \r\nok\u{9b}\u{7}"),
            "\\u{1b}[2J200 \\r\\nok\\u{9b}\\u{7}"
        );
        assert_eq!(
            sanitize("a\u{202e}b\u{ffff}\0"),
            "a\\u{202e}b\\u{ffff}\\u{0}"
        );
        assert!(matches!(sanitize("220 Grüße, ☃"), Cow::Borrowed(_)));
    }

    #[test]
    fn no_text_of_a_report_is_forgotten() {
        let mut report = report(&[Outcome::Fail]);
        report.target.greeting = "\u{1b}]0;x\u{7}".into();
        report.target.features = Some(vec!["\u{1b}c".into()]);
        report.scenarios[0].excerpt = vec!["S: \u{1b}[0m".into()];
        report.scenarios[0].verdict.reason = "\u{1b}".into();
        report.invalid_scenarios = vec!["\u{1b}".into()];
        let text = format!("{:?}", Sanitized::of(&report));
        // Debug would show an escape character as `\u{1b}`, and one that was sanitized as
        // `\\u{1b}`.
        assert_eq!(text.matches("\\\\u{1b}").count(), 5, "{text}");
        assert_eq!(text.matches("\\u{1b}").count(), 5);
    }
}
