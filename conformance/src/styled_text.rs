//! Text for a terminal, line by line, with or without colours.

use crate::verdict::Outcome;
use anstyle::{AnsiColor, Style};

/// A text that is being written.
#[derive(Debug, Default)]
pub(crate) struct StyledText {
    /// The lines so far.
    pub(crate) text: String,
    /// Whether styles are written.
    pub(crate) colour: bool,
}

impl StyledText {
    pub(crate) fn new(colour: bool) -> Self {
        let text = String::new();
        Self { text, colour }
    }

    /// Adds a line without trailing spaces.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref().trim_end());
        self.text.push('\n');
    }

    /// Adds a line in bold.
    pub(crate) fn heading(&mut self, text: &str) {
        self.line(self.painted(text, Style::new().bold()));
    }

    pub(crate) fn painted(&self, text: &str, style: Style) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// The word of an outcome in its colour.
    pub(crate) fn outcome(&self, outcome: Outcome) -> String {
        let colour = match outcome {
            Outcome::Pass => AnsiColor::Green,
            Outcome::Inconclusive | Outcome::Note | Outcome::Unsupported => AnsiColor::Blue,
            Outcome::Warn => AnsiColor::Yellow,
            Outcome::Blocked | Outcome::Fail | Outcome::Misadvertised | Outcome::Error => {
                AnsiColor::Red
            }
        };
        self.painted(outcome.word(), colour.on_default().bold())
    }
}
