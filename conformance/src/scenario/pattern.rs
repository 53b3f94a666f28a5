//! Patterns of reply codes and texts, and the variables they fill.
use std::collections::BTreeMap;

/// The codes that hold, as in `125 | 150` or `2yz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes(pub Vec<CodePattern>);
impl Codes {
    /// Whether one of them fits.
    #[must_use]
    pub fn matches(&self, code: u16) -> bool {
        let _ = code;
        unimplemented!("helper A")
    }
}
/// Three digits, `None` where any digit fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodePattern(pub [Option<u8>; 3]);
/// A glob or a regular expression, as written.
#[derive(Debug, Clone)]
pub struct TextPattern {
    /// As it stands in the file, `/…/` included.
    pub source: String,
}
impl TextPattern {
    /// Whether the text fits; captures are set in `variables` only if it does.
    pub fn matches(&self, text: &str, variables: &mut Variables) -> bool {
        let _ = (text, variables);
        unimplemented!("helper A")
    }
}
/// Variables by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(pub BTreeMap<String, String>);
impl Variables {
    /// Text with each `${name}` replaced; the name of the first unknown variable otherwise.
    pub fn expand(&self, text: &str) -> Result<String, String> {
        let _ = text;
        unimplemented!("helper A")
    }
}
