//! A text with headings, for a terminal.

use anstyle::{AnsiColor, Style};
use std::fmt::{self, Write as _};

/// What is explained, as it is written. Colours are taken away again where there is no terminal.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    coloured: bool,
}

/// How a heading looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A heading.
    Plain,
    /// What is right.
    Good,
    /// What is wrong.
    Bad,
}

impl Page {
    pub(super) fn coloured(coloured: bool) -> Self {
        Self {
            coloured,
            ..Self::default()
        }
    }

    /// A line of its own, behind a blank one.
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

    /// A name that can be explained too.
    pub(super) fn name(&self, name: &str) -> String {
        self.painted(name, AnsiColor::Cyan.on_default())
    }

    /// Lines of somebody else's, set in; comments recede.
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
