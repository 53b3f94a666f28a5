//! Whatever a server sends, every report format stays valid and contains nothing active.

use super::tests::of_every_outcome;
use super::{Look, Report, Sanitized, excerpt, html, json, junit, markdown, read, terminal};
use crate::transcript::{Event, EventKind, Transcript};
use proptest::prelude::*;
use roxmltree::{Document, ParsingOptions};

/// Characters that end an element in one of the formats.
const ENDS: [&[u8]; 16] = [
    b"]]>",
    b"</failure>",
    b"</code></td></table>\n\n",
    b"<!--",
    b"-->",
    b"<script>",
    b"&#0;",
    b"&amp;",
    b"\n```\n",
    b"````",
    b"\r",
    b"\r\n250 x",
    b"\x1b]0;x\x07",
    b"\xff\xfe",
    b"\xe2\x80\xae",
    b"\xed\xa0\x80",
];

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(&ENDS[..]).prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..40),
        (any::<u8>(), 0..3_000_usize).prop_map(|(octet, count)| vec![octet; count]),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// A report with this text in every field that a server controls.
fn saying(said: &[u8]) -> Report {
    let mut report = of_every_outcome();
    let event = Event::at_line(1, EventKind::from_server(said));
    let excerpt = excerpt(
        &Transcript {
            events: vec![event],
            ..Transcript::default()
        },
        0,
    );
    let text = String::from_utf8_lossy(said).into_owned();
    report.target.greeting.clone_from(&text);
    report.target.features = Some(vec![text.clone(), format!("SIZE {text}")]);
    report.notices = vec![text.clone()];
    for row in &mut report.scenarios {
        row.excerpt.clone_from(&excerpt);
        row.verdict.reason.clone_from(&text);
        for finding in &mut row.verdict.findings {
            finding.observed.clone_from(&text);
        }
    }
    for judge in &mut report.judges {
        for sighting in &mut judge.findings {
            sighting.finding.observed.clone_from(&text);
            sighting.excerpt.clone_from(&excerpt);
        }
    }
    report
}

/// Its elements, in their order, without texts.
fn shape(text: &str) -> Vec<String> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).expect("it is well-formed");
    let elements = document.descendants().filter(|node| node.is_element());
    elements
        .map(|node| node.tag_name().name().to_owned())
        .collect()
}

fn acts(text: &str) -> bool {
    text.chars()
        .any(|it| (it.is_control() && it != '\n') || it == '\u{202e}')
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_a_server_sends_every_form_keeps_its_shape(said in octets()) {
        let (calm, report) = (saying(b"200 x\r\n"), saying(&said));
        let look = Look::default();
        for text in [terminal(&Sanitized::of(&report), look), markdown(&Sanitized::of(&report), false), junit(&Sanitized::of(&report), false), html(&Sanitized::of(&report), false)] {
            prop_assert!(!acts(&text));
            // Bounds the lines; the longest ones are our own tables.
            prop_assert!(text.len() < 500_000, "{}", text.len());
        }
        prop_assert_eq!(shape(&junit(&Sanitized::of(&report), false)), shape(&junit(&Sanitized::of(&calm), false)));
        // What is long is cut, and a table of features may be sorted otherwise: the page is whole
        // all the same.
        let page = shape(&html(&Sanitized::of(&report), false));
        prop_assert!(!page.iter().any(|name| name == "script" || name == "img"));
        for line in terminal(&Sanitized::of(&report), look).lines() {
            prop_assert!(line.chars().count() < 1000, "{line}");
        }
        // The same lines, whatever their content.
        let lines = |text: &str| text.lines().filter(|line| line.starts_with("  again  ")).count();
        prop_assert_eq!(lines(&terminal(&Sanitized::of(&report), look)), lines(&terminal(&Sanitized::of(&calm), look)));
        let headings = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
        prop_assert_eq!(headings(&markdown(&Sanitized::of(&report), false)), headings(&markdown(&Sanitized::of(&calm), false)));
        let reproduce = read(&json(&report)).expect("it is what we wrote");
        prop_assert_eq!(&reproduce.target.greeting, &report.target.greeting);
    }
}
