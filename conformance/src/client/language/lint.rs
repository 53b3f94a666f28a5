//! What the grammar cannot see: ids, faults, settings, files that no expectation can be about.

use super::{Clause, FileClause, Obligation, Scenario, StatementKind};
use crate::catalogue::{Requirement, RequirementSide};
use crate::scenario::{Diagnostic, Level, Severity};
use std::collections::BTreeSet;

/// The longest `impact`, in characters.
const IMPACT: usize = 200;

/// The key and the value of a setting of the server.
type Setting<'a> = (&'a str, &'a str);

/// What a scenario is checked against.
#[derive(Clone, Copy)]
pub(crate) struct Knowledge<'a> {
    /// The requirement with an id.
    pub requirement: &'a dyn Fn(&str) -> Option<&'a Requirement>,
    /// Whether a line is a fault, with the reason if it is not.
    pub fault: &'a dyn Fn(&str) -> Result<(), String>,
    /// Whether a server can have these settings, with the reason if it cannot.
    pub settings: &'a dyn Fn(&[Setting<'_>]) -> Result<(), String>,
}

/// Everything that is wrong with a scenario that can be read.
#[must_use]
pub(crate) fn lint(scenario: &Scenario, knowledge: &Knowledge<'_>) -> Vec<Diagnostic> {
    let mut linter = Linter {
        scenario,
        found: Vec::new(),
    };
    linter.front_matter(knowledge);
    linter.server(knowledge);
    linter.tasks();
    linter.found.sort_by_key(|found| found.span.start);
    linter.found
}

struct Linter<'a> {
    scenario: &'a Scenario,
    found: Vec<Diagnostic>,
}

impl<'a> Linter<'a> {
    fn error(&mut self, line: u32, message: impl Into<String>) {
        let lines = self.scenario.text.split_inclusive('\n');
        let before = lines.take(line.saturating_sub(1) as usize);
        let start: usize = before.map(str::len).sum();
        let rest = self.scenario.text.get(start..).unwrap_or_default();
        let length = rest.lines().next().map_or(0, |line| line.trim_end().len());
        self.found.push(Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            line,
            span: start..start + length,
            help: None,
        });
    }

    /// The line of the front matter that has this text.
    fn line_of(&self, text: &str) -> u32 {
        let lines = self.scenario.text.lines();
        let at = lines.into_iter().position(|line| line.contains(text));
        u32::try_from(at.unwrap_or(0) + 1).unwrap_or(u32::MAX)
    }

    fn front_matter(&mut self, knowledge: &Knowledge<'_>) {
        let about = &self.scenario.about;
        let mut strictest: Option<Level> = None;
        for id in &about.covers {
            match (knowledge.requirement)(id) {
                None => self.error(self.line_of(id), format!("there is no requirement `{id}`")),
                Some(it) if it.side == RequirementSide::Server => {
                    let message = format!("the requirement `{id}` is about servers");
                    self.error(self.line_of(id), message);
                }
                Some(it) => strictest = Some(strictest.map_or(it.level, |at| at.min(it.level))),
            }
        }
        if strictest.is_some_and(|strictest| about.level < strictest) {
            let message = "the level is above that of every requirement it covers";
            self.error(self.line_of("level"), message);
        }
        if about.title.ends_with('.') {
            self.error(self.line_of("title"), "the title has no full stop");
        }
        let impact = &about.impact;
        if !impact.is_empty() && (!impact.ends_with('.') || impact.chars().count() > IMPACT) {
            let message = "the impact is one sentence with a full stop, of 200 characters at most";
            self.error(self.line_of("impact"), message);
        }
        if self.scenario.variants().is_empty() {
            self.error(self.line_of("needs"), "no variant meets these needs");
        }
        let ids = self.scenario.statements.iter().filter_map(|statement| {
            let StatementKind::About(ids) = &statement.kind else {
                return None;
            };
            let unknown = ids.iter().find(|id| !about.covers.contains(id))?;
            Some((statement.line, unknown.clone()))
        });
        for (line, id) in ids.collect::<Vec<_>>() {
            self.error(
                line,
                format!("`{id}` is not among what the scenario covers"),
            );
        }
    }

    fn server(&mut self, knowledge: &Knowledge<'_>) {
        let mut last = 0;
        for statement in &self.scenario.statements {
            match &statement.kind {
                StatementKind::Fault(line) => {
                    if let Err(reason) = (knowledge.fault)(line) {
                        self.error(statement.line, reason);
                    }
                }
                StatementKind::Server(..) => last = statement.line,
                _ => {}
            }
        }
        let settings: Vec<_> = self.scenario.settings().collect();
        if last > 0
            && let Err(reason) = (knowledge.settings)(&settings)
        {
            self.error(last, reason);
        }
    }

    fn tasks(&mut self) {
        let steps = self.scenario.steps();
        if steps.is_empty() {
            self.error(1, "the scenario gives the client no task");
        }
        for statement in &self.scenario.statements {
            let first = steps.first().is_some_and(|step| statement.line > step.line);
            let late = match statement.kind {
                StatementKind::Given(_) | StatementKind::Fault(_) => first,
                StatementKind::Server(..) | StatementKind::Login(..) => first,
                _ => false,
            };
            let early = matches!(
                statement.kind,
                StatementKind::Expect(_) | StatementKind::Should(_)
            ) && !first;
            if late {
                self.error(statement.line, "this is stated before the first `@task`");
            }
            if early && !steps.is_empty() {
                self.error(statement.line, "an expectation is after a `@task`");
            }
        }
        for step in &steps {
            if step.obligations.is_empty() {
                self.error(step.line, "nothing is expected of this task");
            }
            for obligation in &step.obligations {
                self.obligation(obligation);
            }
        }
    }

    fn obligation(&mut self, obligation: &Obligation<'a>) {
        let names = |files: &mut dyn Iterator<Item = &'a super::File>| {
            files
                .map(|file| file.name.as_str())
                .collect::<BTreeSet<_>>()
        };
        let given = names(&mut self.scenario.given());
        let local = names(&mut self.scenario.local());
        for clause in obligation.clauses {
            let (name, other, side) = match clause {
                Clause::Local(name, FileClause::Complete) => (name, &given, "@given"),
                Clause::Remote(name, FileClause::Complete) => (name, &local, "@local"),
                _ => continue,
            };
            if !other.contains(name.as_str()) {
                let message = format!("no `{side}` names `{name}`, so it is never complete");
                self.error(obligation.line, message);
            }
        }
    }
}
