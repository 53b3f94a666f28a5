#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use super::*;
use crate::report::tests::{finding, of_every_outcome, report};

#[test]
fn numbers_come_first_and_then_what_is_wrong() {
    let text = markdown(&Sanitized::of(&of_every_outcome()), false);
    // The whole table is long, and has a test of its own.
    let (before, rest) = text
        .split_once("<details><summary>The whole table</summary>")
        .unwrap();
    let (_, after) = rest.split_once("</details>").unwrap();
    insta::assert_snapshot!("every_outcome", format!("{before}…{after}"));
}

#[test]
fn what_a_server_sends_is_no_markdown_and_no_html() {
    let mut report = report(&[Outcome::Fail]);
    let hostile = "</code></td></table>\n\n# x\n```\n[l](http://evil) @you | <script>1</script>";
    report.scenarios[0].verdict.findings.push(finding(hostile));
    report.scenarios[0].excerpt = vec![format!("S: {hostile}")];
    report.target.url = hostile.into();
    report.target.features = Some(vec![hostile.into(), "SIZE <b>".into()]);
    report.target.not_implemented = vec!["SIZE".into()];
    let text = markdown(&Sanitized::of(&report), false);
    assert!(!text.lines().any(|line| line.starts_with("# x")), "{text}");
    assert!(text.contains("SIZE &lt;b&gt;"), "{text}");
    // Outside fenced code there is no markup from the server.
    let mut fence: Option<&str> = None;
    let mut html_block = false;
    for line in text.lines() {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match fence {
            Some(open) if ticks == open && line == ticks => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                html_block = (html_block || line.starts_with('<')) && !line.is_empty();
                assert!(
                    !line.contains("<script>") && !line.contains("</code></td></table>"),
                    "{line}"
                );
                assert!(html_block || !line.contains("evil"), "{line}");
            }
        }
    }
    assert_eq!(fence, None);
}
