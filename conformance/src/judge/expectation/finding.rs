//! What does not hold, as a finding: what it is about, what it is worth, and whether it has the
//! impact that the scenario describes.

use super::{NAME, Walk, words};
use crate::catalogue::Catalogue;
use crate::scenario::{Connection, Level, Step};
use crate::verdict::Finding;

impl Walk<'_> {
    /// `contradicts`: what was observed is the opposite of what is expected, and not merely
    /// something else.
    pub(super) fn find(
        &mut self,
        step: &Step,
        line: u32,
        event: usize,
        observed: String,
        contradicts: bool,
    ) {
        let observed = match self.turn {
            0 => observed,
            // One turn is enough: the next ones fail for the same reason.
            _ if self.judgement.findings.iter().any(|it| it.line == line) => return,
            turn => format!("in turn {turn}: {observed}"),
        };
        let expected = words::expected(step, line);
        let about = self.scenario.is_about(step.is_about(line));
        let place = (line, event);
        self.finding(step.connection.clone(), place, about, expected, observed);
        if let Some(finding) = self.judgement.findings.last_mut() {
            finding.shows_impact = self.scenario.has_impact(line, contradicts);
        }
    }

    pub(super) fn finding(
        &mut self,
        connection: Connection,
        (line, event): (u32, usize),
        about: Vec<String>,
        expected: String,
        observed: String,
    ) {
        let front = &self.scenario.about;
        self.judgement.findings.push(Finding {
            judge: NAME.into(),
            level: self.level(&about),
            requirement: front.title.clone(),
            clause: front.cites.join(", "),
            about,
            expected,
            observed,
            connection,
            line,
            event,
            shows_impact: false,
        });
    }

    /// What a failure that is about these requirements (all of the scenario's if none are named) is
    /// worth: what the scenario says, but no more than the strictest of them.
    fn level(&self, about: &[String]) -> Level {
        let front = &self.scenario.about;
        let about = if about.is_empty() {
            &front.covers
        } else {
            about
        };
        let known = about.iter().filter_map(|id| Catalogue::built_in().get(id));
        let strictest = known.map(|requirement| requirement.level).min();
        strictest.map_or(front.level, |strictest| front.level.max(strictest))
    }
}
