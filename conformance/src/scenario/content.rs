//! Octets a scenario sends, expects or prepares.
use super::Variables;

/// Pieces joined by `+`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content(pub Vec<Piece>);
/// One piece and the part of it that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where the octets come from.
    pub source: Source,
    /// `[a..b]`
    pub slice: Option<Slice>,
}
/// `[from..to]`, either end open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// First octet.
    pub from: Option<u64>,
    /// Behind the last octet.
    pub to: Option<u64>,
}
/// Where the octets of a piece come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Octets as written (escapes resolved), with `${name}` still in them.
    Literal(Vec<u8>),
    /// `pattern(N)`
    Pattern(u64),
    /// `repeat("…", N)`
    Repeat(Vec<u8>, u64),
    /// A variable.
    Variable(String),
}
impl Content {
    /// The octets; the name of the first unknown variable otherwise.
    pub fn octets(&self, variables: &Variables) -> Result<Vec<u8>, String> {
        let _ = variables;
        unimplemented!("helper A")
    }
}
