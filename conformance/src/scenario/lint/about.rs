//! `!about` names what the scenario covers, and `impact` is said of the statements it is true of.

use super::{Linter, Step};
use crate::text::did_you_mean;

impl<'a> Linter<'a> {
    /// An impact beside a failure that does not show it accuses a server of what it
    /// does not do.
    pub(super) fn impact(&mut self) {
        let scenario = self.scenario;
        let mut marks = scenario.steps.iter().flat_map(|step| &step.impact);
        let (first, described) = (marks.next(), !scenario.about.impact.is_empty());
        if let (Some(mark), false) = (first, described) {
            let message = "the front matter has no `impact` for this `!impact`";
            self.error(self.line(mark.line), message, None);
        }
        if first.is_none() && described && scenario.judged().nth(1).is_some() {
            let help = "`!impact` after a statement: a failure there has this impact".to_owned();
            let message = "of which failures is this true? no statement says `!impact`";
            self.warning(self.in_front(&scenario.about.impact), message, Some(help));
        }
    }

    pub(super) fn about(&mut self, step: &'a Step) {
        let covers = &self.scenario.about.covers;
        for bound in &step.about {
            for id in bound.requirements.iter().filter(|id| !covers.contains(id)) {
                let text = &self.scenario.text;
                let from = self.line(bound.line).start;
                // The line of the `!about` itself is one of the next; a comment may be between
                // them.
                let at = text[from..].find(id.as_str()).map(|at| from + at);
                let span = at.map_or_else(|| self.line(bound.line), |at| at..at + id.len());
                let help = did_you_mean(id, covers.iter().map(String::as_str));
                self.error(span, format!("the scenario does not cover `{id}`"), help);
            }
        }
    }
}
