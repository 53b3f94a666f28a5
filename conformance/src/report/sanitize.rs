//! Makes untrusted text in a report harmless.
//!
//! A report contains text from servers, and a report read from a file may contain anything.
//! Every renderer starts from a sanitized report and adds the escaping of its format (XML, HTML).

use super::Report;
use serde_json::Value;
use std::borrow::Cow;

/// The report with every text in it [`sanitize`].
pub(super) fn sanitized(report: &Report) -> Report {
    let mut value =
        serde_json::to_value(report).expect("a report holds only strings, numbers and lists");
    walk(&mut value);
    serde_json::from_value(value)
        .expect("texts stay texts, and words of ours have nothing to sanitize")
}

fn walk(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(sanitized) = sanitize(text) {
                *text = sanitized;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(walk),
        Value::Object(fields) => fields.values_mut().for_each(walk),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text on one line and without characters that do something: control characters (terminal
/// escape sequences, and what XML 1.0 forbids) and those that change the direction of what follows
/// are shown as escapes.
pub(super) fn sanitize(text: &str) -> Cow<'_, str> {
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

/// The text, truncated to this number of characters.
pub(super) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    match text.char_indices().nth(width) {
        Some((end, _)) => Cow::Owned(format!("{} …", &text[..end])),
        None => Cow::Borrowed(text),
    }
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
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut(&"ü".repeat(40), 40).chars().count(), 40);
        assert_eq!(cut(&"ü".repeat(1 << 20), 40).chars().count(), 42);
    }

    #[test]
    fn no_text_of_a_report_is_forgotten() {
        let mut report = report(&[Outcome::Fail]);
        report.target.greeting = "\u{1b}]0;x\u{7}".into();
        report.target.features = Some(vec!["\u{1b}c".into()]);
        report.scenarios[0].excerpt = vec!["S: \u{1b}[0m".into()];
        report.scenarios[0].verdict.reason = "\u{1b}".into();
        report.invalid_scenarios = vec!["\u{1b}".into()];
        let text = format!("{:?}", sanitized(&report));
        // Debug would show an escape character as `\u{1b}`, and one that was sanitized as `\\u{1b}`.
        assert_eq!(text.matches("\\\\u{1b}").count(), 5, "{text}");
        assert_eq!(text.matches("\\u{1b}").count(), 5);
    }
}
