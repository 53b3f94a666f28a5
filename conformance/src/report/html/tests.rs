#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use super::*;
use crate::catalogue::{Catalogue, RequirementSide};
use crate::report::tests::{finding, of_every_outcome, report};
use crate::verdict::{Accepted, Outcome};
use roxmltree::{Document, Node, ParsingOptions};
use rstest::rstest;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

fn parsed(text: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options).unwrap()
}

fn elements<'a>(page: &'a Document<'a>) -> impl Iterator<Item = Node<'a, 'a>> {
    page.descendants().filter(|node| node.is_element())
}

fn text_of(node: Node<'_, '_>) -> String {
    node.descendants()
        .filter_map(|node| node.is_text().then(|| node.text()).flatten())
        .collect()
}

/// Texts that try to break out of their element.
const HOSTILE: &str = "</code></details><script>alert(1)</script><img src=x onerror=1>\" onload='1' &amp; ]]> \
     \u{202e}\u{0}\u{1b}[2J\r\n http://evil.example/ @import url(x)";

/// The report with a text of our choice wherever it holds one of others, and words of its own where
/// only those can be.
fn saying(report: &Report, said: &str) -> Report {
    fn walk(value: &mut Value, said: &str) {
        match value {
            Value::String(text) => *text = said.to_owned(),
            Value::Array(values) => values.iter_mut().for_each(|value| walk(value, said)),
            Value::Object(fields) => {
                let free = fields.iter_mut().filter(|(name, _)| {
                    !["outcome", "level", "schema", "connection", "variant"]
                        .contains(&name.as_str())
                });
                free.for_each(|(_, value)| walk(value, said));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut value = serde_json::to_value(report).unwrap();
    walk(&mut value, said);
    serde_json::from_value(value).unwrap()
}

static PAGES: LazyLock<Vec<String>> = LazyLock::new(pages);

fn pages() -> Vec<String> {
    let every = of_every_outcome();
    let long = "x\u{202e}".repeat(1 << 17);
    let mut endless = every.clone();
    endless.target.greeting = long.clone();
    endless.target.features = Some([vec![long.clone()], vec!["y z".into(); 400]].concat());
    endless.target.implemented = (0..400).map(|at| format!("V{at}")).collect();
    endless.notices = vec![long.clone(); 3];
    let row = &mut endless.scenarios[1];
    row.verdict.scenario = long.clone();
    row.verdict.findings = vec![finding(&long); 7];
    row.excerpt = vec!["S: x".into(); 10_000];
    row.reproduce = long;
    vec![
        html(&Sanitized::of(&every), false),
        html(&Sanitized::of(&report(&[])), true),
        html(&Sanitized::of(&saying(&every, HOSTILE)), false),
        html(&Sanitized::of(&endless), true),
    ]
}

#[test]
fn the_verdict_comes_first_then_the_table_and_what_was_found() {
    let text = html(&Sanitized::of(&of_every_outcome()), false);
    // The style, the table and the catalogue are long, and are what they are elsewhere.
    let without = [
        ("<style>", "</style>"),
        ("<div class=\"columns\">", "</div>"),
        ("<h2 id=\"documents\">", "</section>"),
    ];
    let short = without.iter().fold(text, |text, (from, to)| {
        let (before, rest) = text.split_once(from).unwrap();
        let (_, after) = rest.split_once(to).unwrap();
        format!("{before}{from}…{to}{after}")
    });
    insta::assert_snapshot!("every_outcome", short.replace("><", ">\n<"));
}

#[test]
fn the_page_is_well_formed_whatever_a_server_says() {
    for text in PAGES.iter() {
        let page = parsed(text);
        assert!(text.len() < 4 << 20, "{}", text.len());
        for element in elements(&page) {
            let name = element.tag_name().name();
            assert!(KNOWN.contains(&name), "{name}");
            for attribute in element.attributes() {
                assert!(ATTRIBUTES.contains(&attribute.name()), "{attribute:?}");
                match attribute.name() {
                    "href" => assert!(attribute.value().starts_with('#'), "{attribute:?}"),
                    "style" => {
                        let grow = attribute.value().strip_prefix("flex-grow:").unwrap();
                        assert!(grow.parse::<u64>().is_ok());
                    }
                    _ => {}
                }
            }
        }
        let acts = |character: char| {
            (character.is_control() && character != '\n') || character == '\u{202e}'
        };
        assert!(!text.contains(acts));
    }
}

/// Every element there is: none that loads or runs anything.
const KNOWN: [&str; 41] = [
    "html", "head", "meta", "title", "style", "body", "a", "nav", "ul", "li", "main", "header",
    "footer", "section", "article", "div", "p", "span", "b", "q", "code", "pre", "h1", "h2", "h3",
    "h4", "dl", "dt", "dd", "details", "summary", "table", "caption", "thead", "tbody", "tr", "th",
    "td", "em", "strong", "small",
];

const ATTRIBUTES: [&str; 17] = [
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "id",
    "class",
    "href",
    "style",
    "scope",
    "open",
    "title",
    "tabindex",
    "role",
    "aria-label",
    "aria-labelledby",
    "aria-hidden",
];

#[test]
fn no_element_is_where_html_would_move_it() {
    // What a parser of XML takes and one of HTML rearranges: blocks in paragraphs, strangers in
    // lists and tables.
    let phrasing = ["a", "span", "code", "b", "q"];
    for text in PAGES.iter() {
        for element in elements(&parsed(text)) {
            let children = element.children().filter(Node::is_element);
            for child in children.map(|child| child.tag_name().name()) {
                let name = element.tag_name().name();
                let fits = match name {
                    "p" | "h1" | "h2" | "h3" | "h4" | "span" | "a" | "code" | "b" | "q" | "pre"
                    | "dt" | "td" | "th" => phrasing.contains(&child),
                    "summary" => child == "h3" || phrasing.contains(&child),
                    "ul" => child == "li",
                    "dl" => child == "div",
                    "table" => ["caption", "thead", "tbody"].contains(&child),
                    "thead" | "tbody" => child == "tr",
                    "tr" => ["th", "td"].contains(&child),
                    _ => true,
                };
                assert!(fits, "{child} in {name}");
                assert!(child != "a" || name != "a");
            }
        }
    }
}

#[test]
fn every_link_leads_somewhere_and_no_two_places_have_one_name() {
    for text in PAGES.iter() {
        let page = parsed(text);
        let mut ids = BTreeSet::new();
        for id in elements(&page).filter_map(|element| element.attribute("id")) {
            assert!(ids.insert(id), "{id} is there twice");
        }
        let named = ["href", "aria-labelledby"];
        let wanted = elements(&page)
            .flat_map(|element| element.attributes())
            .filter(|attribute| named.contains(&attribute.name()));
        for wanted in wanted {
            assert!(
                ids.contains(wanted.value().trim_start_matches('#')),
                "{wanted:?}"
            );
        }
    }
}

#[test]
fn every_requirement_scenario_and_judge_can_be_linked_to() {
    let report = of_every_outcome();
    let text = html(&Sanitized::of(&report), false);
    let page = parsed(&text);
    let ids: BTreeSet<&str> = elements(&page)
        .filter_map(|element| element.attribute("id"))
        .collect();
    let rules = Catalogue::built_in()
        .iter()
        .filter(|rule| rule.side == RequirementSide::Server);
    for rule in rules {
        assert!(
            ids.contains(format!("requirement/{}", rule.id).as_str()),
            "{}",
            rule.id
        );
    }
    for row in &report.scenarios {
        let id = format!("scenario/{}", row.verdict.scenario);
        assert!(ids.contains(id.as_str()), "{id}");
    }
    assert!(ids.contains("judge/reply-syntax"));
}

#[test]
fn the_page_can_be_heard_too() {
    for text in PAGES.iter() {
        let page = parsed(text);
        assert_eq!(page.root_element().attribute("lang"), Some("en"));
        let mut level = 0;
        for element in elements(&page) {
            match element.tag_name().name() {
                "title" => {
                    assert!(text_of(element).len() > "FTP conformance of ".len() || level == 0)
                }
                "th" => assert!(element.has_attribute("scope")),
                name @ ("h1" | "h2" | "h3" | "h4") => {
                    let this: u32 = name[1..].parse().unwrap();
                    assert!(
                        this <= level + 1,
                        "{name} after h{level}: {}",
                        text_of(element)
                    );
                    assert!(this > 1 || level == 0, "a second h1");
                    assert!(!text_of(element).trim().is_empty());
                    level = this;
                }
                _ => {}
            }
        }
        assert!(level > 0);
    }
}

/// The colours of the style, of one theme: light, dark or paper.
fn colours(theme: usize) -> BTreeMap<String, [f64; 3]> {
    let mut colours = BTreeMap::new();
    // Later blocks override the first one.
    for block in [
        STYLE.split(":root {").nth(1),
        STYLE.split(":root {").nth(theme),
    ] {
        let (block, _) = block.unwrap().split_once('}').unwrap();
        for (name, value) in block.split(';').filter_map(|line| line.split_once(':')) {
            let Some(hex) = value.trim().strip_prefix('#') else {
                continue;
            };
            let hex: String = match hex.len() {
                3 => hex.chars().flat_map(|digit| [digit, digit]).collect(),
                _ => hex.to_owned(),
            };
            let part =
                |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            colours.insert(name.trim().to_owned(), [part(0), part(2), part(4)]);
        }
    }
    colours
}

/// The contrast of two colours as WCAG 2.2 defines it.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let luminance = |colour: [f64; 3]| {
        let [red, green, blue] = colour.map(|part| match part {
            part if part <= 0.04045 => part / 12.92,
            part => ((part + 0.055) / 1.055).powf(2.4),
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[rstest]
#[case::light(1)]
#[case::dark(2)]
#[case::paper(3)]
fn every_text_has_enough_contrast_with_its_background(#[case] theme: usize) {
    let colours = colours(theme);
    for ground in ["--paper", "--raised", "--sunk", "--bad-wash"] {
        for ink in [
            "--ink",
            "--soft",
            "--accent",
            "--good",
            "--warn",
            "--bad",
            "--trouble",
        ] {
            let contrast = contrast(colours[ink], colours[ground]);
            assert!(contrast >= 4.5, "{ink} on {ground}: {contrast:.2}");
        }
    }
}

#[test]
fn the_style_needs_nothing_else() {
    for foreign in ["url(", "@import", "http:", "https:", "</", "&"] {
        assert!(!STYLE.contains(foreign), "{foreign}");
    }
}

#[rstest]
#[case(&[Outcome::Pass, Outcome::Unsupported, Outcome::Inconclusive], false, "Conforms", "")]
#[case(&[Outcome::Pass, Outcome::Warn], false, "Conforms, with 1 warning", "")]
#[case(&[Outcome::Warn, Outcome::Note], false, "Conforms, with 1 warning", "1 note")]
#[case(&[Outcome::Warn], true, "1 SHOULD requirement is broken", "")]
#[case(&[Outcome::Fail, Outcome::Warn], false, "1 MUST requirement is broken", "1 warning")]
#[case(&[Outcome::Misadvertised, Outcome::Fail], false, "1 MUST requirement is broken", "1 advertised feature is refused")]
#[case(&[Outcome::Blocked, Outcome::Pass], false, "1 scenario could not be tested", "")]
#[case(&[Outcome::Error], false, "1 scenario could not be played to the end", "")]
#[case(&[], false, "Nothing was played", "")]
fn the_verdict_is_said_in_words(
    #[case] outcomes: &[Outcome],
    #[case] strict: bool,
    #[case] words: &str,
    #[case] more: &str,
) {
    let mut report = report(outcomes);
    for (at, row) in report.scenarios.iter_mut().enumerate() {
        row.verdict.scenario = format!("rfc959/{at}");
    }
    let page = Page {
        report: &report,
        strict,
        anchors: Anchors::default(),
    };
    let verdict = page.verdict();
    assert_eq!(
        (verdict.words.as_str(), verdict.more.join(", ").as_str()),
        (words, more)
    );
    assert_eq!(
        verdict.tone == "bad",
        report.status(strict) != crate::report::RunStatus::AsExpected
    );
}

#[test]
fn a_known_deviation_fails_nothing_and_one_that_is_gone_does() {
    let mut report = report(&[Outcome::Fail, Outcome::Pass]);
    report.scenarios[0].known = Some(Accepted {
        reason: "ticket 7".into(),
    });
    let page = Page {
        report: &report,
        strict: false,
        anchors: Anchors::default(),
    };
    assert_eq!(page.verdict().words, "Conforms");
    let text = html(&Sanitized::of(&report), false);
    assert!(text.contains("<b>Accepted: </b>ticket 7"));

    report.scenarios[1].known = Some(Accepted {
        reason: "ticket 8".into(),
    });
    let page = Page {
        report: &report,
        strict: false,
        anchors: Anchors::default(),
    };
    assert_eq!(page.verdict().words, "1 known deviation no longer fails");
}

#[test]
fn the_same_finding_in_several_variants_is_one_card() {
    let mut report = report(&[Outcome::Fail, Outcome::Fail, Outcome::Fail, Outcome::Pass]);
    for (row, variant) in report
        .scenarios
        .iter_mut()
        .zip(["pasv", "epsv", "port", "eprt"])
    {
        row.verdict.variant = variant.parse().unwrap();
        if row.verdict.outcome == Outcome::Fail {
            row.verdict.findings = vec![finding(&format!("500 on {variant}"))];
        }
    }
    report.scenarios[2].verdict.findings[0].expected = "201".into();
    let text = html(&Sanitized::of(&report), false);
    let page = parsed(&text);
    let cards: Vec<_> = elements(&page)
        .filter(|element| element.tag_name().name() == "article")
        .collect();
    assert_eq!(cards.len(), 1);
    let card = text_of(cards[0]);
    for said in [
        "in pasv, epsv, port; holds in eprt",
        "In pasv, epsv",
        "500 on pasv",
        "500 on port",
    ] {
        assert!(card.contains(said), "{said} in {card}");
    }
    assert!(!card.contains("500 on epsv"), "{card}");
}

#[test]
fn scenarios_about_one_requirement_stand_together_the_worst_first() {
    let mut report = report(&[Outcome::Warn, Outcome::Note, Outcome::Fail]);
    for (row, (id, covers)) in report.scenarios.iter_mut().zip([
        ("rfc959/a", "959-5.4-noop-replies"),
        ("rfc959/b", "959-5.4-user-replies"),
        ("rfc959/c", "959-5.4-noop-replies"),
    ]) {
        row.verdict.scenario = id.into();
        row.covers = vec![covers.into()];
    }
    let text = html(&Sanitized::of(&report), false);
    let page = parsed(&text);
    let entries = elements(&page).filter(|element| element.attribute("class") == Some("entry"));
    let ids: Vec<_> = entries.filter_map(|entry| entry.attribute("id")).collect();
    assert_eq!(
        ids,
        [
            "scenario/rfc959/c",
            "scenario/rfc959/a",
            "scenario/rfc959/b"
        ]
    );
}
