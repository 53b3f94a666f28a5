//! `report.md`, and the job summary of GitHub Actions: numbers first, then what is wrong, then the table of RFC 1123 §4.1.5.
//!
//! Whatever a server may have said stands in HTML elements or in fenced code, where nothing is Markdown: it cannot make
//! tables, links or mentions.

use super::tables::{Answer, FilledRow, documents, feature_truth, requirements_summary};
use super::tame::tamed;
use super::terminal::{judge_told, row_told};
use super::{Report, Row};
use crate::catalogue::{Registry, RequirementsSummary};
use crate::verdict::{Finding, JudgeVerdict, Known, Outcome};
use std::fmt::Write as _;

/// So many of what failed are told; a job summary has to stay below one megabyte.
const MOST: usize = 100;
/// Characters of a cell.
const WIDTH: usize = 200;

/// The report as Markdown for GitHub and GitLab. With `strict` a WARN is told as a failure, too.
#[must_use]
pub fn markdown(report: &Report, strict: bool) -> String {
    let report = tamed(report);
    let mut writer = Writer {
        text: String::new(),
        strict,
    };
    writer.head(&report);
    writer.failures(&report);
    writer.summary_table(&report);
    writer.features(&report);
    writer.documents(&report);
    writer.skipped(&report);
    writer.text
}

struct Writer {
    text: String,
    strict: bool,
}

impl Writer {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn head(&mut self, report: &Report) {
        let verdict = match report.exit_code(self.strict) {
            0 => "✅ as expected",
            1 => "❌ not as expected",
            2 => "❌ a scenario file cannot be read",
            4 => "❌ nothing was played",
            130 => "❌ interrupted",
            _ => "❌ the tester had trouble",
        };
        self.line(format!("## FTP conformance: {verdict}\n"));
        // A <p> is HTML up to the next empty line.
        self.line(format!(
            "<p>Target <code>{}</code>, ftpspec {}</p>\n",
            html(&report.target.url),
            html(&report.ftpspec)
        ));
        let counts: Vec<String> = Outcome::ALL
            .into_iter()
            .map(|outcome| (outcome, report.count(outcome)))
            .filter(|(_, count)| *count > 0)
            .map(|(outcome, count)| format!("**{count}** {}", outcome.word()))
            .collect();
        let seconds = report.took_ms as f64 / 1000.0;
        self.line(format!(
            "{} played in {seconds:.1} s: {}\n",
            report.scenarios.len(),
            counts.join(", ")
        ));
        let missing = report.missing_parts();
        if !report.parts.is_empty() && !missing.is_empty() {
            let parts: Vec<String> = report.parts.iter().map(ToString::to_string).collect();
            self.line(format!(
                "This is only part {} of the run.\n",
                parts.join(", ")
            ));
        }
        let known = report
            .scenarios
            .iter()
            .filter(|row| row.known.is_some() && !row.fails(self.strict))
            .count();
        if known > 0 {
            self.line(format!("A baseline excuses {known} of them.\n"));
        }
    }

    fn failures(&mut self, report: &Report) {
        let mut rows: Vec<&Row> = report
            .scenarios
            .iter()
            .filter(|row| row.fails(self.strict))
            .collect();
        // The worst first; those of one outcome in the order of the plan.
        rows.sort_by_key(|row| std::cmp::Reverse(row.verdict.outcome));
        let strict = self.strict;
        let fails = |row: &&JudgeVerdict| Known::fails(row.known.as_ref(), row.outcome, strict);
        let judges: Vec<&JudgeVerdict> = report.judges.iter().filter(fails).collect();
        if rows.is_empty() && judges.is_empty() {
            return;
        }
        self.line("### What is wrong\n");
        self.line(
            "<table>\n<tr><th></th><th>Requirement</th><th>Expected</th><th>Observed</th></tr>",
        );
        for row in rows.iter().take(MOST) {
            let finding = row
                .verdict
                .findings
                .iter()
                .min_by_key(|finding| finding.level);
            let about = format!(
                "{}<br><code>{}</code> [{}]",
                html(&row.title),
                html(&row.verdict.scenario),
                html(&row.verdict.variant)
            );
            let clause =
                finding.map_or_else(|| row.cites.join(", "), |finding| finding.clause.clone());
            let shown = if row.is_stale() {
                "STALE"
            } else {
                row.verdict.outcome.word()
            };
            self.failure(
                shown,
                &format!("{about}<br>{}", html(&clause)),
                finding,
                &row.verdict.reason,
            );
        }
        for row in &judges {
            let finding = row
                .findings
                .iter()
                .map(|located| &located.finding)
                .min_by_key(|finding| finding.level);
            let about = format!(
                "{}<br><code>{}</code>, in every transcript<br>{}",
                html(&row.statement),
                html(&row.judge),
                html(&row.clause)
            );
            self.failure(row.outcome.word(), &about, finding, "");
        }
        self.line("</table>\n");
        if rows.len() > MOST {
            self.line(format!(
                "… and {} more; report.json has them all.\n",
                rows.len() - MOST
            ));
        }
        let told = rows.iter().take(MOST).filter(|row| !row.is_stale());
        for row in told {
            let name = format!("{} [{}]", row.verdict.scenario, row.verdict.variant);
            self.details(&name, &row_told(row));
        }
        for row in &judges {
            self.details(&row.judge, &judge_told(row));
        }
    }

    fn failure(&mut self, outcome: &str, about: &str, finding: Option<&Finding>, reason: &str) {
        let (expected, observed) = finding.map_or(("", reason), |finding| {
            (&finding.expected, &finding.observed)
        });
        let cell = |text: &str| match text {
            "" => String::new(),
            text => format!("<code>{}</code>", html(&shortened(text))),
        };
        self.line(format!(
            "<tr><td>{outcome}</td><td>{about}</td><td>{}</td><td>{}</td></tr>",
            cell(expected),
            cell(observed)
        ));
    }

    /// Text that is folded away, in a fence longer than any in it.
    fn details(&mut self, name: &str, text: &str) {
        let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        self.line(format!(
            "<details><summary><code>{}</code></summary>\n",
            html(name)
        ));
        self.line(format!("{fence}text\n{}\n{fence}\n", text.trim_end()));
        self.line("</details>\n");
    }

    fn summary_table(&mut self, report: &Report) {
        if report.scenarios.is_empty() {
            return;
        }
        let groups = requirements_summary(report, RequirementsSummary::built_in());
        let rows = || groups.iter().flat_map(|group| &group.rows);
        let answers = [
            Answer::Kept,
            Answer::Broken,
            Answer::NotImplemented,
            Answer::NotTested,
            Answer::Unseen,
        ];
        let counts: Vec<String> = answers
            .into_iter()
            .map(|answer| {
                (
                    answer,
                    rows().filter(|filled| filled.answer == answer).count(),
                )
            })
            .filter(|(_, count)| *count > 0)
            .map(|(answer, count)| format!("{count} {}", answer.words()))
            .collect();
        self.line("### RFC 1123 §4.1.5, for servers\n");
        self.line(format!("{}\n", counts.join(", ")));
        if rows().any(|filled| filled.against) {
            self.line("| Feature | Section | Level | |\n|---|---|---|---|");
            for group in &groups {
                for filled in group.rows.iter().filter(|filled| filled.against) {
                    self.summary_row(group.heading, filled);
                }
            }
            self.line("");
        }
        self.line("<details><summary>The whole table</summary>\n");
        self.line("| Feature | Section | Level | |\n|---|---|---|---|");
        for group in &groups {
            for filled in &group.rows {
                self.summary_row(group.heading, filled);
            }
        }
        self.line("\n</details>\n");
    }

    fn summary_row(&mut self, heading: &str, filled: &FilledRow<'_>) {
        // All of this is data of our own.
        let row = filled.row;
        let footnote = row
            .only_where
            .as_ref()
            .map_or_else(String::new, |only| format!(" (where {only})"));
        let mark = match (filled.answer, filled.against) {
            (_, true) => "❌",
            (Answer::Kept, false) => "✅",
            (_, false) => "–",
        };
        let why = match (&row.unseen, filled.answer) {
            (Some(why), Answer::Unseen) => format!(": {why}"),
            _ => String::new(),
        };
        self.line(format!(
            "| {heading}: {}{footnote} | {} | {} | {mark} {}{why} |",
            row.feature,
            row.clause(),
            row.level.word(),
            filled.answer.words()
        ));
    }

    fn features(&mut self, report: &Report) {
        let truths = feature_truth(report, Registry::built_in());
        let misleading: Vec<_> = truths
            .iter()
            .filter(|truth| truth.truth.misleads())
            .collect();
        if misleading.is_empty() {
            return;
        }
        self.line("### FEAT is not true\n");
        self.line("<table>\n<tr><th>Feature</th><th>FEAT says</th><th></th></tr>");
        for truth in misleading {
            let advertised = truth
                .advertised
                .as_deref()
                .map_or_else(String::new, |line| {
                    format!("<code>{}</code>", html(&shortened(line)))
                });
            self.line(format!(
                "<tr><td>{}</td><td>{advertised}</td><td>{}</td></tr>",
                html(&truth.label),
                truth.truth.words()
            ));
        }
        self.line("</table>\n");
    }

    fn documents(&mut self, report: &Report) {
        let documents = documents(report, self.strict);
        if documents.is_empty() {
            return;
        }
        self.line("### By document\n");
        self.line("<table>\n<tr><th>Document</th><th>Played</th><th></th></tr>");
        for document in documents {
            let counts: Vec<String> = document
                .tally
                .iter()
                .map(|(outcome, count)| format!("{count} {}", outcome.word()))
                .collect();
            self.line(format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                html(&document.name),
                document.tally.all(),
                counts.join(", ")
            ));
        }
        self.line("</table>\n");
    }

    fn skipped(&mut self, report: &Report) {
        if report.skipped.is_empty() {
            return;
        }
        self.line(format!(
            "<details><summary>{} not played</summary>\n",
            report.skipped.len()
        ));
        self.line("<table>");
        for row in &report.skipped {
            let _ = writeln!(
                self.text,
                "<tr><td><code>{}</code> {}</td><td>{}</td></tr>",
                html(&row.scenario),
                html(&row.variant),
                html(&row.reason)
            );
        }
        self.line("</table>\n\n</details>");
    }
}

/// As text of an HTML element.
fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        Some((cut, _)) => format!("{} …", &text[..cut]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

    use super::*;
    use crate::report::tests::{finding, of_every_outcome, report};

    #[test]
    fn numbers_come_first_and_then_what_is_wrong() {
        let text = markdown(&of_every_outcome(), false);
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
        let hostile =
            "</code></td></table>\n\n# x\n```\n[l](http://evil) @you | <script>1</script>";
        report.scenarios[0].verdict.findings.push(finding(hostile));
        report.scenarios[0].wire = vec![format!("S: {hostile}")];
        report.target.url = hostile.into();
        report.target.features = Some(vec![hostile.into(), "SIZE <b>".into()]);
        report.target.not_implemented = vec!["SIZE".into()];
        let text = markdown(&report, false);
        assert!(!text.lines().any(|line| line.starts_with("# x")), "{text}");
        assert!(text.contains("SIZE &lt;b&gt;"), "{text}");
        // Outside fenced code there is no markup of theirs.
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
}
