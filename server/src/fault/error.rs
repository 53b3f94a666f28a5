//! Why a line is not a fault.

use std::fmt;
use std::ops::Range;

/// Why a line is not a fault. Its text shows the line and marks the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
    /// Where, in octets of [`line`](Self::line).
    pub at: Range<usize>,
    /// The line.
    pub line: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.line.get(..self.at.start).unwrap_or_default();
        let column = before.chars().count();
        let marked = self.line.get(self.at.clone()).unwrap_or_default();
        let width = marked.chars().count().max(1);
        write!(f, "column {}: {}", column + 1, self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean `{suggestion}`?")?;
        }
        write!(f, "\n  {}\n  {:column$}{:^<width$}", self.line, "", "")
    }
}

impl std::error::Error for ParseError {}
