//! What is wrong with a scenario file, where, and what was probably meant.

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
    pub span: std::ops::Range<usize>,
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
