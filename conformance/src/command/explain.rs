//! `ftpspec explain`: what a scenario, a requirement or a command is about, and where that stands.

use std::fmt::Write as _;

use super::{NOTHING, OK};
use crate::catalogue::{Catalogue, Entry, Gate, Kind, Registry, Requirement, RequirementSide};
use crate::check::{JUDGES, Judge};
use crate::coverage::word;
use crate::scenario::Scenario;
use crate::suite::Suite;

/// So many similar ids are proposed.
const PROPOSED: usize = 5;

/// Explains a scenario id, a requirement id or a verb. Returns the exit code: 0, or 4 if nothing is called so.
#[must_use]
pub fn explain(id: &str) -> i32 {
    let suite = Suite::embedded();
    let knowledge = Sources {
        suite: &suite,
        catalogue: Catalogue::built_in(),
        registry: Registry::built_in(),
    };
    match knowledge.explanation(id) {
        Ok(text) => {
            anstream::print!("{text}");
            OK
        }
        Err(similar) => {
            anstream::eprintln!("explain: no scenario, requirement or command is called `{id}`");
            for id in similar {
                anstream::eprintln!("  did you mean `{id}`?");
            }
            NOTHING
        }
    }
}

/// Where explanations come from.
struct Sources<'a> {
    suite: &'a Suite,
    catalogue: &'a Catalogue,
    registry: &'a Registry,
}

impl Sources<'_> {
    fn explanation(&self, id: &str) -> Result<String, Vec<String>> {
        if let Some(scenario) = self.suite.get(id.trim_end_matches(".ftpt")) {
            return Ok(self.scenario(scenario));
        }
        if let Some(requirement) = self.catalogue.get(id) {
            return Ok(self.requirement(requirement));
        }
        if let Some(entry) = self.registry.get(id) {
            return Ok(self.command(entry));
        }
        Err(self.similar(id))
    }

    /// A scenario: its claim, the rules it is about, and the dialogue, which shows how it has to look.
    fn scenario(&self, scenario: &Scenario) -> String {
        let about = &scenario.about;
        let mut text = String::new();
        line(
            &mut text,
            format_args!("{}  {}", scenario.id, word(about.level)),
        );
        line(&mut text, format_args!("{}", about.title));
        line(&mut text, format_args!("{}\n", about.cites.join(", ")));
        for id in &about.covers {
            if let Some(requirement) = self.catalogue.get(id) {
                rule(&mut text, requirement);
            }
        }
        if !about.needs.is_empty() {
            let needs = about.needs.join(", ");
            line(
                &mut text,
                format_args!("\nA server without {needs} is not asked to pass it."),
            );
        }
        if let Some(profile) = &about.profile {
            line(
                &mut text,
                format_args!("\nIt is only played when asked for: --profile {profile}."),
            );
        }
        text.push('\n');
        text.push_str(dialogue(scenario));
        text
    }

    fn requirement(&self, requirement: &Requirement) -> String {
        let mut text = String::new();
        rule(&mut text, requirement);
        if requirement.side == RequirementSide::Client {
            line(&mut text, format_args!("It binds clients."));
        }
        if let Gate::Feature(feature) = &requirement.gate {
            line(
                &mut text,
                format_args!("It applies where {feature} is there."),
            );
        }
        let mut covering = self
            .suite
            .scenarios
            .iter()
            .filter(|scenario| scenario.about.covers.contains(&requirement.id))
            .peekable();
        let claims = |judge: &&Judge| judge.covers.contains(&requirement.id.as_str());
        for judge in JUDGES.iter().filter(claims) {
            let (name, statement) = (judge.name, judge.statement);
            line(
                &mut text,
                format_args!("\nIn every transcript {name} looks for it: {statement}."),
            );
        }
        let Some(first) = covering.peek().copied() else {
            line(&mut text, format_args!("\nNo scenario covers it."));
            if let Some(reason) = &requirement.untestable {
                line(
                    &mut text,
                    format_args!("It cannot be tested from outside: {reason}."),
                );
            }
            return text;
        };
        line(&mut text, format_args!("\nScenarios that cover it:"));
        for scenario in covering {
            line(
                &mut text,
                format_args!("  {}  {}", scenario.id, scenario.about.title),
            );
        }
        line(
            &mut text,
            format_args!("\nHow it has to look ({}):\n", first.id),
        );
        text.push_str(dialogue(first));
        text
    }

    fn command(&self, entry: &Entry) -> String {
        let mut text = String::new();
        let kind = match entry.kind {
            Kind::Access => "access control",
            Kind::Parameter => "transfer parameter",
            Kind::Service => "service",
        };
        let level = word(entry.level);
        line(&mut text, format_args!("{}", entry.syntax));
        line(
            &mut text,
            format_args!("{kind} command, {level} ({})", entry.level_source),
        );
        line(&mut text, format_args!("{}", entry.sources.join(", ")));
        if let Some(label) = &entry.feat {
            line(&mut text, format_args!("FEAT says `{label}`"));
        }
        text.push('\n');
        let lists = [
            ("preliminary", &entry.preliminary),
            ("during", &entry.during),
            ("success", &entry.success),
            ("intermediate", &entry.intermediate),
            ("refused after the preliminary reply", &entry.after),
            ("refused", &entry.refusal),
        ];
        for (name, codes) in lists.into_iter().filter(|(_, codes)| !codes.is_empty()) {
            line(&mut text, format_args!("{}  {name}", shown(codes)));
        }
        for class in &entry.any {
            line(&mut text, format_args!("{class}yz  any of them"));
        }
        line(&mut text, format_args!("\nAs good, by other clauses:"));
        for group in entry.secondary.iter().chain(&self.registry.general) {
            line(
                &mut text,
                format_args!("{}  {}", shown(&group.codes), group.source),
            );
        }
        let about = |requirement: &&Requirement| requirement.commands.contains(&entry.verb);
        let mut requirements = self.catalogue.iter().filter(about).peekable();
        if requirements.peek().is_some() {
            line(&mut text, format_args!("\nRequirements:"));
        }
        for requirement in requirements {
            rule(&mut text, requirement);
        }
        text
    }

    /// Ids that contain the words, or are not far from them.
    fn similar(&self, id: &str) -> Vec<String> {
        let id = id.to_lowercase();
        let scenarios = self
            .suite
            .scenarios
            .iter()
            .map(|scenario| scenario.id.0.as_str());
        let all = scenarios
            .chain(self.catalogue.ids())
            .chain(self.registry.verbs());
        let mut scored: Vec<(usize, &str)> = all
            .filter_map(|candidate| {
                let lower = candidate.to_lowercase();
                let score = if lower.contains(&id) {
                    lower.len() - id.len()
                } else {
                    // The id without its directory is what people remember.
                    let name = lower.rsplit('/').next().unwrap_or(&lower);
                    let distance = strsim::damerau_levenshtein(&lower, &id)
                        .min(strsim::damerau_levenshtein(name, &id));
                    if distance > id.len() / 3 {
                        return None;
                    }
                    100 + distance
                };
                Some((score, candidate))
            })
            .collect();
        scored.sort_unstable();
        scored
            .into_iter()
            .take(PROPOSED)
            .map(|(_, candidate)| candidate.to_owned())
            .collect()
    }
}

fn rule(text: &mut String, requirement: &Requirement) {
    let level = word(requirement.level);
    line(
        text,
        format_args!("{}  {level}  {}", requirement.id, requirement.clause),
    );
    line(text, format_args!("  {}", requirement.statement));
}

/// The file without its front matter, which is told in words above it.
fn dialogue(scenario: &Scenario) -> &str {
    let behind = scenario
        .text
        .strip_prefix("+++")
        .and_then(|text| text.split_once("\n+++"));
    behind.map_or(&scenario.text, |(_, dialogue)| dialogue.trim_start())
}

fn shown(codes: &[u16]) -> String {
    codes
        .iter()
        .map(u16::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;

    fn explanation(id: &str) -> Result<String, Vec<String>> {
        let suite = Suite::embedded();
        let catalogue = Catalogue::built_in();
        let registry = Registry::built_in();
        Sources {
            suite: &suite,
            catalogue,
            registry,
        }
        .explanation(id)
    }

    #[test]
    fn a_scenario_of_a_profile_says_how_to_ask_for_it() {
        let text = explanation("rfc2577/port-below-1024").unwrap();
        assert!(text.contains("--profile security"), "{text}");
        let text = explanation("sanity/enter").unwrap();
        assert!(!text.contains("--profile"), "{text}");
    }

    #[test]
    fn a_command_is_its_syntax_its_replies_and_its_requirements() {
        let text = explanation("stou").unwrap();
        assert!(
            text.starts_with("STOU\nservice command, MAY (RFC 1123 §4.1.2.13)\n"),
            "{text}"
        );
        assert!(text.contains("125 150  preliminary\n"), "{text}");
        assert!(
            text.contains("421  RFC 959 §4.2.1: may be a reply to any command\n"),
            "{text}"
        );
        assert!(text.contains("1123-4.1.2.9"), "{text}");
    }

    #[test]
    fn a_requirement_is_shown_with_a_dialogue_that_fulfils_it() {
        let suite = Suite::embedded();
        let scenario = &suite.scenarios[0];
        let text = explanation(&scenario.about.covers[0]).unwrap();
        assert!(text.contains(&scenario.id.0), "{text}");
        assert!(text.contains("How it has to look"), "{text}");
        assert!(!text.contains("+++"), "{text}");
    }

    #[test]
    fn every_scenario_and_every_requirement_can_be_explained() {
        let suite = Suite::embedded();
        let (catalogue, registry) = (Catalogue::built_in(), Registry::built_in());
        let sources = Sources {
            suite: &suite,
            catalogue,
            registry,
        };
        let scenarios = suite
            .scenarios
            .iter()
            .map(|scenario| scenario.id.0.as_str());
        for id in scenarios.chain(catalogue.ids()).chain(registry.verbs()) {
            assert!(
                sources
                    .explanation(id)
                    .is_ok_and(|text| text.lines().count() > 1),
                "{id}"
            );
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_corrected() {
        assert_eq!(
            explanation("STRO").unwrap_err().first().map(String::as_str),
            Some("STOR")
        );
        assert_eq!(
            explanation("greeting-cod").unwrap_err()[0],
            "959-5.4-greeting-code"
        );
        assert!(explanation("qqqqqqqqqq").unwrap_err().is_empty());
    }
}
