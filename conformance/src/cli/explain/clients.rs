//! Scenarios and rules for clients.

use super::page::Page;
use super::rule;
use crate::catalogue::{Catalogue, Requirement};
use crate::client::judge::RULES;
use crate::client::suite::Suite;
use crate::coverage::word;

/// Writes the explanation of a scenario or rule for clients. Whether there is one of this name.
pub(super) fn explain(id: &str, page: &mut Page) -> bool {
    let suite = Suite::embedded();
    let mut scenarios = suite.scenarios.iter();
    if let Some(scenario) = scenarios.find(|it| it.id.0 == id.trim_end_matches(".ftpt")) {
        let about = &scenario.about;
        let heading = format!("{}  {}", scenario.id, word(about.level));
        page.section(&heading);
        page.line(&about.title);
        page.line(about.cites.join(", "));
        page.line(format!("Impact of a failure: {}", about.impact));
        requirements(about.covers.iter().map(String::as_str), page);
        let variants = scenario.variants();
        let variants: Vec<_> = variants.iter().map(ToString::to_string).collect();
        page.section("Variants");
        page.line(format!("  {}", variants.join(", ")));
        page.section(
            "Statements (@given and @fault make the server, @task is given to the client)",
        );
        let body = scenario.text.splitn(3, "+++\n").nth(2);
        page.block(body.unwrap_or_default());
        return true;
    }
    let Some(row) = RULES.iter().find(|row| row.name == id) else {
        return false;
    };
    page.section(&format!("{}  {}", row.name, word(row.level)));
    page.line(format!("{}.", row.statement));
    page.line(format!("{}, in every session of a client", row.clause));
    page.line(format!("Impact of a failure: {}", row.impact));
    requirements(row.covers.iter().copied(), page);
    true
}

fn requirements<'a>(ids: impl Iterator<Item = &'a str>, page: &mut Page) {
    let known: Vec<&Requirement> = ids.filter_map(|id| Catalogue::built_in().get(id)).collect();
    if !known.is_empty() {
        page.section("Requirements");
    }
    for requirement in known {
        rule(requirement, page);
    }
}

/// The names of scenarios and rules for clients that cover a requirement.
pub(super) fn covering(id: &str) -> Vec<String> {
    let suite = Suite::embedded();
    let scenarios = suite
        .covered()
        .filter(|(_, covers)| covers.iter().any(|it| it == id));
    let rules = RULES.iter().filter(|rule| rule.covers.contains(&id));
    let rules = rules.map(|rule| rule.name.to_owned());
    rules
        .chain(scenarios.map(|(name, _)| name.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::scenario("client/download/close", "@fault when RETR nth 1 do close at 65536")]
    #[case::variants("client/download/close", "passive, active, passive ipv6, passive tls")]
    #[case::rule(
        "rest-before-transfer",
        "RFC 3659 §5.3; RFC 959 §4.1.3, in every session"
    )]
    fn scenarios_and_rules_are_explained(#[case] id: &str, #[case] part: &str) {
        let mut page = Page::new(false);
        assert!(explain(id, &mut page));
        let text = page.text.clone();
        assert!(text.contains(part), "{text}");
    }

    #[test]
    fn what_covers_a_requirement_is_found() {
        let names = covering("c959-4.1.3-rnto-after-rnfr");
        assert!(names.contains(&"rnto-after-rnfr".to_owned()), "{names:?}");
        assert!(
            names.contains(&"client/basic/rename".to_owned()),
            "{names:?}"
        );
        assert!(!explain("no-such-name", &mut Page::new(false)));
    }
}
