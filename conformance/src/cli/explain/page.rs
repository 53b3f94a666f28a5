//! A text with headings, for a terminal.

use crate::styled_text::StyledText;
use anstyle::{AnsiColor, Style};
use std::ops::{Deref, DerefMut};

/// The text of an explanation. Colours are removed when it is printed to something else than a
/// terminal.
#[derive(Debug)]
pub(super) struct Page(StyledText);

impl Deref for Page {
    type Target = StyledText;

    fn deref(&self) -> &StyledText {
        &self.0
    }
}

impl DerefMut for Page {
    fn deref_mut(&mut self) -> &mut StyledText {
        &mut self.0
    }
}

impl Page {
    pub(super) fn new(colour: bool) -> Self {
        Self(StyledText::new(colour))
    }

    /// A bold line after a blank one.
    pub(super) fn section(&mut self, text: &str) {
        self.styled_section(text, Style::new());
    }

    /// The heading of a correct example.
    pub(super) fn good(&mut self, text: &str) {
        self.styled_section(text, AnsiColor::Green.on_default());
    }

    /// The heading of a wrong example.
    pub(super) fn bad(&mut self, text: &str) {
        self.styled_section(text, AnsiColor::Red.on_default());
    }

    fn styled_section(&mut self, text: &str, style: Style) {
        if !self.text.is_empty() {
            self.line("");
        }
        let text = self.painted(text, style.bold());
        self.line(text);
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
            self.line(format!("  {line}"));
        }
    }
}
