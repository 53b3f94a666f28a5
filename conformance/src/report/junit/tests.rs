#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use super::*;
use crate::report::tests::{of_every_outcome, report};
use roxmltree::{Document, Node};

fn cases<'a>(document: &'a Document<'_>) -> Vec<Node<'a, 'a>> {
    document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"))
        .collect()
}

#[test]
fn a_suite_is_a_document_and_a_case_a_scenario_in_a_variant() {
    insta::assert_snapshot!(
        "every_outcome",
        junit(&Sanitized::of(&of_every_outcome()), false)
    );
}

/// What `junit-10.xsd` of Jenkins' xUnit plug-in allows: elements, the order they come in, and
/// their attributes.
#[test]
fn it_holds_only_what_the_schema_of_jenkins_allows() {
    let seconds = regex::Regex::new(r"^[0-9]+\.[0-9]{3}$").unwrap();
    let text = junit(&Sanitized::of(&of_every_outcome()), true);
    let document = Document::parse(&text).unwrap();
    let allowed: [(&str, &[&str], &[&str]); 8] = [
        (
            "testsuites",
            &["testsuite"],
            &["name", "tests", "failures", "errors", "time"],
        ),
        (
            "testsuite",
            &["properties", "testcase"],
            &["name", "tests", "failures", "errors", "skipped", "time"],
        ),
        ("properties", &["property"], &[]),
        ("property", &[], &["name", "value"]),
        (
            "testcase",
            &["skipped", "error", "failure"],
            &["name", "classname", "time"],
        ),
        ("failure", &[], &["type", "message"]),
        ("error", &[], &["type", "message"]),
        ("skipped", &[], &["message"]),
    ];
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        let (_, children, attributes) = allowed.iter().find(|(known, ..)| *known == name).unwrap();
        assert!(
            node.attributes()
                .all(|attribute| attributes.contains(&attribute.name())),
            "{node:?}"
        );
        assert_eq!(node.attributes().count(), attributes.len(), "{node:?}");
        let order: Vec<usize> = node
            .children()
            .filter(Node::is_element)
            .map(|child| {
                children
                    .iter()
                    .position(|known| child.has_tag_name(*known))
                    .unwrap()
            })
            .collect();
        assert!(order.is_sorted(), "{node:?}");
        if let Some(time) = node.attribute("time") {
            assert!(seconds.is_match(time), "{time}");
        }
    }
}

#[test]
fn the_counts_are_those_of_the_cases() {
    let text = junit(&Sanitized::of(&of_every_outcome()), true);
    let document = Document::parse(&text).unwrap();
    let root = document.root_element();
    let count = |node: Node<'_, '_>, tag: &str| {
        node.descendants()
            .filter(|node| node.has_tag_name(tag))
            .count()
    };
    for node in document
        .descendants()
        .filter(|node| node.has_tag_name("testsuite"))
        .chain([root])
    {
        let count_of = |name: &str| node.attribute(name).unwrap().parse::<usize>().unwrap();
        assert_eq!(count_of("tests"), count(node, "testcase"));
        assert_eq!(count_of("failures"), count(node, "failure"));
        assert_eq!(count_of("errors"), count(node, "error"));
    }
    assert!(count(root, "failure") > 3 && count(root, "error") > 0 && count(root, "skipped") > 2);
}

#[test]
fn what_a_server_sends_stays_text() {
    let mut report = report(&[Outcome::Fail]);
    let hostile = "]]></failure><evil a='b' c=\"d\">&amp;\u{0}\u{1b}[2J\u{fffe}\r\nnext";
    report.scenarios[0]
        .verdict
        .findings
        .push(crate::report::tests::finding(hostile));
    report.scenarios[0].excerpt = vec![format!("S: 200 {hostile}")];
    report.target.url = hostile.into();
    let text = junit(&Sanitized::of(&report), false);
    let document = Document::parse(&text).unwrap();
    assert!(
        document
            .descendants()
            .all(|node| !node.has_tag_name("evil"))
    );
    let case = cases(&document)[0];
    let failure = case
        .children()
        .find(|node| node.has_tag_name("failure"))
        .unwrap();
    let shown = r#"]]></failure><evil a='b' c="d">&amp;\u{0}\u{1b}[2J\u{fffe}\r\nnext"#;
    assert_eq!(
        failure.attribute("message").unwrap(),
        format!("expected 200, observed {shown}")
    );
    assert!(
        failure
            .text()
            .unwrap()
            .contains(&format!("S: 200 {shown}\n"))
    );
}

#[test]
fn what_a_baseline_knows_is_skipped_with_its_reason_until_it_is_stale() {
    let mut report = report(&[Outcome::Fail, Outcome::Pass]);
    for row in &mut report.scenarios {
        row.known = Some(Accepted {
            reason: "ticket 7".into(),
        });
    }
    let text = junit(&Sanitized::of(&report), false);
    let document = Document::parse(&text).unwrap();
    let ends: Vec<_> = cases(&document)
        .iter()
        .filter_map(|case| case.first_element_child())
        .collect();
    assert_eq!(
        ends[0].attribute("message"),
        Some("FAIL that is known: ticket 7")
    );
    assert_eq!(
        (ends[1].tag_name().name(), ends[1].attribute("type")),
        ("failure", Some("STALE"))
    );
}
