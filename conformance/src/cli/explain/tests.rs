#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use super::*;

fn explanation(id: &str) -> Result<String, Vec<String>> {
    let suite = Suite::embedded();
    let mut page = Page::new(false);
    Sources::of(&suite).explain(id, &mut page)?;
    Ok(page.text.clone())
}

async fn example(id: &str) -> String {
    let suite = Suite::embedded();
    let mut page = Page::new(false);
    let scenario = Sources::of(&suite).explain(id, &mut page).unwrap().unwrap();
    let mut page = Page::new(false);
    Examples::of(&scenario.id).await.unwrap().show(&mut page);
    page.text.clone()
}

#[tokio::test]
async fn a_scenario_is_shown_with_a_good_and_a_bad_dialogue() {
    let text = example("rfc3659/rest-retr-offset").await;
    insta::assert_snapshot!(text, @r#"
    Good: what the reference server does
      C: TYPE I
      S: 200 Type is Image.
      C: PASV
      S: 227 Entering Passive Mode (<host-port>)
      -- data connection (PASV)
      C: REST 4
      S: 350 Restarting at octet 4.
      C: RETR numbers.bin
      S: 150 Opening data connection, type Image.
      D< 456789
      -- data connection closed by the server
      S: 226 Transfer complete.

    Bad: a server that, at `@receive "456789"`, changes an octet
      C: TYPE I
      S: 200 Type is Image.
      C: PASV
      S: 227 Entering Passive Mode (<host-port>)
      -- data connection (PASV)
      C: REST 4
      S: 350 Restarting at octet 4.
      C: RETR numbers.bin
      S: 150 Opening data connection, type Image.
      D< 456689
      -- data connection closed by the server

    Reported as FAIL
      RFC 3659 §5.3: RETR after REST starts at the marker
      expected  the data "456789"
      observed  6 octets, different from octet 3 on: 456689
    "#);
}

#[tokio::test]
async fn a_scenario_without_data_is_broken_by_a_wrong_code() {
    let text = example("rfc3659/size-missing-550").await;
    let (good, bad) = text.split_once("Bad: ").unwrap();
    assert!(good.contains("S: 550"), "{good}");
    assert!(bad.contains("at `< 4yz | 5yz`, answers 250"), "{bad}");
    assert!(bad.contains("Reported as WARN"), "{bad}");
    assert!(bad.contains("  observed  250"), "{bad}");
}

#[tokio::test]
async fn a_requirement_is_shown_by_its_first_scenario() {
    let suite = Suite::embedded();
    let id = &suite.get("rfc959/noop-says-200").unwrap().about.covers[0];
    assert!(example(id).await.contains("Good: "), "{id}");
}

#[test]
fn a_scenario_of_a_profile_names_the_option() {
    let text = explanation("rfc2577/port-below-1024").unwrap();
    assert!(text.contains("--profile security"), "{text}");
    let text = explanation("sanity/enter").unwrap();
    assert!(!text.contains("--profile"), "{text}");
}

#[test]
fn a_scenario_is_shown_with_its_impact() {
    let text = explanation("rfc3659/rest-retr-offset.ftpt").unwrap();
    assert!(text.contains("Impact of a failure: "), "{text}");
}

#[test]
fn a_judge_is_shown_with_examples_and_requirements() {
    let text = explanation("reply-syntax").unwrap();
    for part in [
        "RFC 959 §4.2, in every transcript\n",
        "Impact of a failure: ",
        "  ends a reply with a bare LF\n",
        "959-4.2-three-digit-code",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_command_is_shown_with_replies_requirements_and_scenarios() {
    let text = explanation("stou").unwrap();
    assert!(
        text.starts_with("STOU\nservice command, MAY (RFC 1123 §4.1.2.13)\n"),
        "{text}"
    );
    for part in [
        "  125 150  preliminary\n",
        "  421  RFC 959 §4.2.1: may be a reply to any command\n",
        "1123-4.1.2.9",
        "rfc1123/stou-is-unique",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_requirement_is_shown_with_the_scenarios_that_cover_it() {
    let suite = Suite::embedded();
    let scenario = &suite.scenarios[0];
    let text = explanation(&scenario.about.covers[0]).unwrap();
    assert!(text.contains(&scenario.id.0), "{text}");
    assert!(!text.contains("+++"), "{text}");
}

#[test]
fn an_untestable_requirement_is_shown_with_the_reason() {
    let suite = Suite::embedded();
    let covered = |requirement: &&Requirement| {
        let id = &requirement.id;
        let scenarios = suite.scenarios.iter();
        JUDGES
            .iter()
            .any(|judge| judge.covers.contains(&id.as_str()))
            || scenarios.clone().any(|it| it.about.covers.contains(id))
    };
    let mut requirements = Catalogue::built_in().iter();
    let untestable = requirements
        .find(|it| it.untestable.is_some() && !covered(it))
        .unwrap();
    let text = explanation(&untestable.id).unwrap();
    let reason = untestable.untestable.as_deref().unwrap();
    assert!(text.contains(reason), "{text}");
}

#[test]
fn every_name_can_be_explained() {
    let suite = Suite::embedded();
    let sources = Sources::of(&suite);
    let scenarios = suite.scenarios.iter().map(|it| it.id.0.as_str());
    let judges = JUDGES.iter().map(|judge| judge.name);
    let (catalogue, registry) = (sources.catalogue, sources.registry);
    for id in scenarios
        .chain(catalogue.ids())
        .chain(judges)
        .chain(registry.verbs())
    {
        let mut page = Page::new(false);
        assert!(sources.explain(id, &mut page).is_ok(), "{id}");
        assert!(page.text.clone().lines().count() > 1, "{id}");
    }
}

#[test]
fn the_text_without_colours_is_the_same() {
    let suite = Suite::embedded();
    let mut page = Page::new(true);
    assert!(Sources::of(&suite).explain("NOOP", &mut page).is_ok());
    let coloured = page.text.clone();
    assert!(coloured.contains('\u{1b}'), "{coloured}");
    let stripped = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(stripped, explanation("NOOP").unwrap());
}

#[test]
fn a_mistyped_name_gets_suggestions() {
    assert_eq!(
        explanation("STRO").unwrap_err().first().map(String::as_str),
        Some("STOR")
    );
    assert_eq!(
        explanation("greeting-cod").unwrap_err()[0],
        "959-5.4-greeting-code"
    );
    assert_eq!(explanation("reply-sintax").unwrap_err()[0], "reply-syntax");
    assert!(explanation("qqqqqqqqqq").unwrap_err().is_empty());
}
