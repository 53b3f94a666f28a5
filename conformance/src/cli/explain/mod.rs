//! `ftpspec explain`: explains a scenario, a requirement, a judge or a command, with dialogues.

mod clients;
mod page;
mod played;

use super::exit_code::{CommandError, ExitCode};
use super::output::finish;
use crate::catalogue::{
    Catalogue, CommandRecord, Gate, Kind, Registry, Requirement, RequirementSide,
};
use crate::coverage::word;
use crate::judge::{JUDGES, Judge};
use crate::scenario::Scenario;
use crate::selftest::VIOLATIONS;
use crate::suite::Suite;
use crate::suite::suggest::similar;
use crate::text::joined;
use clap::Args;
use page::Page;
use played::Examples;

pub(super) const HELP: &str = "\
A scenario is shown with its requirements and clauses, the impact of a failure,
and two dialogues: one with the bundled server, and one with a server that
deviates in one place, with the resulting report. A requirement is shown with
what tests it, or why it cannot be tested; a judge with what it reports; a
command with its replies, requirements and scenarios. `ftpspec check --help`
explains the outcomes.

Examples:
  ftpspec explain rfc3659/rest-retr-offset
  ftpspec explain 959-5.4-greeting-code
  ftpspec explain reply-syntax
  ftpspec explain client/download/close
  ftpspec explain STOU";

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A scenario id, a requirement id, the name of a judge or a verb.
    id: String,
}

impl Explain {
    /// Prints the explanation. A scenario is played, against the bundled server and a mutant.
    pub(super) async fn run(self) -> Result<ExitCode, CommandError> {
        let id = &self.id;
        let suite = Suite::embedded();
        let sources = Sources::of(&suite);
        let mut page = Page::new(true);
        if clients::explain(id, &mut page) {
            return finish(&page.text, ExitCode::Success);
        }
        let example = sources.explain(id, &mut page).map_err(|similar| {
            let similar = similar.iter().map(|id| format!("  did you mean `{id}`?\n"));
            CommandError::nothing_selected(format!(
                "explain: no scenario, requirement, judge or command is named `{id}`\n\
                 {}`ftpspec list` shows the scenarios, `ftpspec coverage rfc959` the requirements \
                 of a document.",
                similar.collect::<String>()
            ))
        })?;
        if let Some(scenario) = example {
            match Examples::of(&scenario.id).await {
                Ok(examples) => examples.show(&mut page),
                Err(why) => anstream::eprintln!("explain: no example available: {why}"),
            }
        }
        finish(&page.text, ExitCode::Success)
    }
}

/// Where explanations come from.
struct Sources<'a> {
    suite: &'a Suite,
    catalogue: &'a Catalogue,
    registry: &'a Registry,
}

impl<'a> Sources<'a> {
    fn of(suite: &'a Suite) -> Self {
        Self {
            suite,
            catalogue: Catalogue::built_in(),
            registry: Registry::built_in(),
        }
    }

    /// Writes the explanation of `id` and returns the scenario that demonstrates it. The error is a
    /// list of similar names.
    fn explain(&self, id: &str, page: &mut Page) -> Result<Option<&'a Scenario>, Vec<String>> {
        if let Some(scenario) = self.suite.get(id.trim_end_matches(".ftpt")) {
            self.scenario(scenario, page);
            return Ok(Some(scenario));
        }
        if let Some(requirement) = self.catalogue.get(id) {
            return Ok(self.requirement(requirement, page));
        }
        if let Some(judge) = JUDGES.iter().find(|judge| judge.name == id) {
            self.judge(judge, page);
            return Ok(None);
        }
        if let Some(entry) = self.registry.get(id) {
            self.command(entry, page);
            return Ok(None);
        }
        Err(self.similar(id))
    }

    /// A scenario: its claim, its impact, its requirements and the dialogue.
    fn scenario(&self, scenario: &Scenario, page: &mut Page) {
        let about = &scenario.about;
        let level = word(about.level);
        page.section(&format!("{}  {level}", scenario.id));
        page.line(&about.title);
        page.line(about.cites.join(", "));
        if !about.impact.is_empty() {
            page.line(format!("Impact of a failure: {}", about.impact));
        }
        page.section("Requirements");
        let covered = about.covers.iter();
        for requirement in covered.filter_map(|id| self.catalogue.get(id)) {
            rule(requirement, page);
        }
        if !about.needs.is_empty() {
            let needs = joined(&about.needs);
            page.line(format!("\nWithout {needs} it is not played: UNSUPPORTED."));
        }
        if let Some(profile) = &about.profile {
            page.line(format!("\nOnly played with --profile {profile}."));
        }
        page.section("Dialogue (> is sent, < is the expected reply, @ is another action)");
        page.block(dialogue(scenario));
    }

    /// A requirement and what tests it. Returns the first scenario that does.
    fn requirement(&self, requirement: &Requirement, page: &mut Page) -> Option<&'a Scenario> {
        rule(requirement, page);
        if requirement.side == RequirementSide::Client {
            page.line("It applies to clients.");
            let covering = clients::covering(&requirement.id);
            if !covering.is_empty() {
                page.section("Rules and scenarios for clients that check it");
            }
            for name in &covering {
                let name = page.name(name);
                page.line(format!("  {name}"));
            }
            if !covering.is_empty() {
                return None;
            }
        }
        if let Gate::Feature(feature) = &requirement.gate {
            page.line(format!("It applies to servers with {feature}."));
        }
        let claims = |judge: &&Judge| judge.covers.contains(&requirement.id.as_str());
        let judges: Vec<_> = JUDGES.iter().filter(claims).collect();
        let covering: Vec<_> = self
            .suite
            .scenarios
            .iter()
            .filter(|scenario| scenario.about.covers.contains(&requirement.id))
            .collect();
        if !judges.is_empty() {
            page.section("Judges that check it in every transcript");
        }
        for judge in &judges {
            let name = page.name(judge.name);
            page.line(format!("  {name}  {}", judge.statement));
        }
        if !covering.is_empty() {
            page.section("Scenarios that cover it");
            list(&covering, page);
        }
        let first = covering.first().copied();
        match (first, &requirement.untestable) {
            (Some(first), _) => {
                page.section(&format!("Dialogue of {}", first.id));
                page.block(dialogue(first));
            }
            (None, Some(reason)) => {
                page.line(format!("\nIt cannot be tested from outside: {reason}."))
            }
            (None, None) if judges.is_empty() => {
                page.line("\nNothing in the suite tests it yet.");
            }
            (None, None) => {}
        }
        first
    }

    /// An always-on judge: its rule, its requirements and what it reports.
    fn judge(&self, judge: &Judge, page: &mut Page) {
        page.section(judge.name);
        page.line(format!("{}.", judge.statement));
        page.line(format!("{}, in every transcript", judge.clause));
        page.line(format!("Impact of a failure: {}", judge.impact));
        page.bad("It reports, for example, a server that");
        for offence in VIOLATIONS.iter().filter(|it| it.judge == judge.name) {
            page.line(format!("  {}", offence.what));
        }
        page.section("Requirements");
        let covered = judge.covers.iter();
        for requirement in covered.filter_map(|id| self.catalogue.get(id)) {
            rule(requirement, page);
        }
    }

    /// A command: its syntax, replies, requirements and scenarios.
    fn command(&self, entry: &CommandRecord, page: &mut Page) {
        let kind = match entry.kind {
            Kind::Access => "access control",
            Kind::Parameter => "transfer parameter",
            Kind::Service => "service",
        };
        let level = word(entry.level);
        page.section(&entry.syntax);
        page.line(format!("{kind} command, {level} ({})", entry.level_source));
        page.line(entry.sources.join(", "));
        if let Some(label) = &entry.feat {
            page.line(format!("FEAT label `{label}`"));
        }
        page.section("Replies");
        let lists = [
            ("preliminary", &entry.preliminary),
            ("during", &entry.during),
            ("success", &entry.success),
            ("intermediate", &entry.intermediate),
            ("refused after the preliminary reply", &entry.after),
            ("refused", &entry.refusal),
        ];
        for (name, codes) in lists.into_iter().filter(|(_, codes)| !codes.is_empty()) {
            page.line(format!("  {}  {name}", code_list(codes)));
        }
        for class in &entry.any {
            page.line(format!("  {class}yz  any code of the class"));
        }
        page.section("Also allowed, by other clauses");
        for group in entry.secondary.iter().chain(&self.registry.general) {
            page.line(format!("  {}  {}", code_list(&group.codes), group.source));
        }
        let about = |requirement: &&Requirement| requirement.commands.contains(&entry.verb);
        let requirements: Vec<_> = self.catalogue.iter().filter(about).collect();
        if !requirements.is_empty() {
            page.section("Requirements");
        }
        for requirement in &requirements {
            rule(requirement, page);
        }
        let covers = |scenario: &&Scenario| {
            let mut covered = requirements.iter();
            covered.any(|requirement| scenario.about.covers.contains(&requirement.id))
        };
        let scenarios: Vec<_> = self.suite.scenarios.iter().filter(covers).collect();
        if !scenarios.is_empty() {
            page.section("Scenarios");
            list(&scenarios, page);
        }
    }

    /// Names similar to `id`.
    fn similar(&self, id: &str) -> Vec<String> {
        let scenarios = self.suite.scenarios.iter();
        let all = scenarios
            .map(|scenario| scenario.id.0.as_str())
            .chain(self.catalogue.ids())
            .chain(JUDGES.iter().map(|judge| judge.name))
            .chain(self.registry.verbs());
        let similar = similar(id, all).into_iter();
        similar.map(str::to_owned).collect()
    }
}

fn rule(requirement: &Requirement, page: &mut Page) {
    let level = word(requirement.level);
    let id = page.name(&requirement.id);
    page.line(format!("{id}  {level}  {}", requirement.clause));
    page.line(format!("  {}", requirement.statement));
}

/// Scenarios as a table.
fn list(scenarios: &[&Scenario], page: &mut Page) {
    let widths = scenarios.iter().map(|scenario| scenario.id.0.len());
    let width = widths.max().unwrap_or(0);
    for scenario in scenarios {
        let id = page.name(&format!("{:width$}", scenario.id.0));
        page.line(format!("  {id}  {}", scenario.about.title));
    }
}

/// The text of a scenario without its front matter.
fn dialogue(scenario: &Scenario) -> &str {
    let without_front = scenario
        .text
        .strip_prefix("+++")
        .and_then(|text| text.split_once("\n+++"));
    without_front.map_or(&scenario.text, |(_, dialogue)| dialogue.trim_start())
}

fn code_list(codes: &[u16]) -> String {
    codes
        .iter()
        .map(u16::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests;
