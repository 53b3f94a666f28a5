//! `!about` names what the scenario covers.

use super::super::error::did_you_mean;
use super::{Linter, Step};

impl<'a> Linter<'a> {
    pub(super) fn about(&mut self, step: &'a Step) {
        let covers = &self.scenario.about.covers;
        for bound in &step.about {
            for id in bound.requirements.iter().filter(|id| !covers.contains(id)) {
                let text = &self.scenario.text;
                let from = self.line(bound.line).start;
                // The line of the `!about` itself is one of the next; a comment may stand between.
                let at = text[from..].find(id.as_str()).map(|at| from + at);
                let span = at.map_or_else(|| self.line(bound.line), |at| at..at + id.len());
                let help = did_you_mean(id, covers.iter().map(String::as_str));
                self.error(span, format!("the scenario does not cover `{id}`"), help);
            }
        }
    }
}
