//! What the grammar cannot see.
use super::{Diagnostic, Scenario};

/// What a scenario is checked against.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// Every requirement id.
    pub requirements: std::collections::BTreeSet<String>,
    /// Every verb of the registry.
    pub verbs: std::collections::BTreeSet<String>,
}
/// What is wrong beyond the grammar.
#[must_use]
pub fn lint(scenario: &Scenario, knowledge: &Knowledge) -> Vec<Diagnostic> {
    let _ = (scenario, knowledge);
    unimplemented!("helper A")
}
