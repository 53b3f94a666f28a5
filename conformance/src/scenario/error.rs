//! Diagnostics of a scenario file: message, place and suggestion.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// 1-based line.
    pub line: u32,
    /// Octet range within the whole text.
    pub span: Range<usize>,
    /// A suggestion.
    pub help: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The scenario cannot be played.
    Error,
    /// It can.
    Warning,
}

/// The diagnostics as a person reads them: the file, the line, a caret below the place, and what
/// was probably meant.
#[must_use]
pub fn render(path: &str, text: &str, diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut out = String::new();
    for diagnostic in diagnostics {
        let (level, span) = match diagnostic.severity {
            Severity::Error => (Level::ERROR, &diagnostic.span),
            Severity::Warning => (Level::WARNING, &diagnostic.span),
        };
        let (excerpt, within) = excerpt(text, span);
        let mut group = level.primary_title(diagnostic.message.as_str()).element(
            Snippet::source(excerpt)
                .path(path)
                .line_start(diagnostic.line as usize)
                .annotation(AnnotationKind::Primary.span(within)),
        );
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}

/// How many octets of a long line are shown before and after the place.
const AROUND: usize = 300;

/// The line a span begins in, and the span within it. A span may come from anywhere; it is bent to
/// fit the text.
fn excerpt<'a>(text: &'a str, span: &Range<usize>) -> (&'a str, Range<usize>) {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
    let from = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    // The first line of a long message is enough.
    let to = text[start..]
        .find('\n')
        .map_or(text.len(), |newline| start + newline);
    // Of such a long line only the part around the place is shown.
    let from = text.floor_char_boundary(from.max(start.saturating_sub(AROUND)));
    let to = text.ceil_char_boundary(to.min(start + AROUND));
    (&text[from..to], start - from..end.min(to) - from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::did_you_mean;
    use proptest::prelude::*;

    #[test]
    fn a_caret_is_below_the_place() {
        let text = "one\n> NOOP\n@alife\n";
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            message: "there is no statement `@alife`".into(),
            line: 3,
            span: 11..17,
            help: did_you_mean("@alife", ["@alive", "@silent"]),
        };
        insta::assert_snapshot!(render("a.ftpt", text, &[diagnostic], false), @r"
        error: there is no statement `@alife`
         --> a.ftpt:3:1
          |
        3 | @alife
          | ^^^^^^
          |
          = help: did you mean `@alive`?
        ");
    }

    proptest! {
        #[test]
        fn any_span_can_be_shown(text in any::<String>(), from in 0usize..40, to in 0usize..40) {
            let diagnostic = Diagnostic {
                severity: Severity::Warning,
                message: text.clone(),
                line: 1,
                span: from..to,
                help: Some(text.clone()),
            };
            prop_assert!(!render("a", &text, &[diagnostic], true).is_empty());
        }
    }
}
