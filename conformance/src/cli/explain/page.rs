//! A text with headings, for a terminal.

use anstyle::{AnsiColor, Style};
use std::fmt::{self, Write as _};

/// The text of an explanation. Colours are removed when it is printed to something else than a
/// terminal.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    coloured: bool,
}

/// The style of a heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Neutral.
    Plain,
    /// A correct example.
    Good,
    /// A wrong example.
    Bad,
}

impl Page {
    pub(super) fn coloured(coloured: bool) -> Self {
        Self {
            coloured,
            ..Self::default()
        }
    }

    /// A line after a blank one.
    pub(super) fn heading(&mut self, look: Look, text: &str) {
        let bold = Style::new().bold();
        let style = match look {
            Look::Plain => bold,
            Look::Good => bold.fg_color(Some(AnsiColor::Green.into())),
            Look::Bad => bold.fg_color(Some(AnsiColor::Red.into())),
        };
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let text = self.painted(text, style);
        self.line(format_args!("{text}"));
    }

    pub(super) fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    /// A name that `explain` accepts.
    pub(super) fn name(&self, name: &str) -> String {
        self.painted(name, AnsiColor::Cyan.on_default())
    }

    /// An indented block; comments are dimmed.
    pub(super) fn block(&mut self, text: &str) {
        for line in text.lines() {
            let line = if line.starts_with("--") || line.starts_with('#') {
                self.painted(line, Style::new().dimmed())
            } else {
                line.to_owned()
            };
            let line = format!("  {line}");
            self.line(format_args!("{}", line.trim_end()));
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn painted(&self, text: &str, style: Style) -> String {
        if self.coloured {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}
