//! `report.md`, and the job summary of GitHub Actions: numbers first, then what is wrong, then the
//! table of RFC 1123 §4.1.5.
//!
//! Text of a server is only in HTML elements or in fenced code, where nothing is
//! Markdown: it cannot make tables, links or mentions.

use super::Sanitized;
use super::tables::{
    Answer, FilledRow, Group, ReasonGroup, documents, entries, misleading_features, reason_groups,
    requirements_summary, slowest, summary_counts,
};
use super::terminal::{entry_text, judge_text, reason_group_text};
use super::{Report, Row, RunStatus};
use crate::catalogue::{Registry, RequirementsSummary};
use crate::text::{cut, joined};
use crate::verdict::{Accepted, Finding, JudgeVerdict, Outcome};
use std::borrow::Cow;
use std::fmt::Write as _;

/// How many failures are shown; a job summary has to stay below 1 MiB.
const MOST: usize = 100;
/// Characters of a cell.
const WIDTH: usize = 200;

/// The report as Markdown for GitHub and GitLab. With `strict` a WARN is a failure, too.
#[must_use]
pub fn markdown(report: &Sanitized, strict: bool) -> String {
    let report = report.report();
    let mut writer = Writer {
        text: String::new(),
        strict,
    };
    writer.head(report);
    writer.failures(report);
    writer.summary_table(report);
    writer.features(report);
    writer.documents(report);
    writer.slowest(report);
    writer.skipped(report);
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
        let mark = match report.status(self.strict) {
            RunStatus::AsExpected => "✅",
            _ => "❌",
        };
        let conclusion = report.conclusion(self.strict);
        self.line(format!("## {mark} FTP conformance: {conclusion}\n"));
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
        let seconds = report.duration_ms as f64 / 1000.0;
        self.line(format!(
            "{} in {seconds:.1} s: {}\n",
            report.played(),
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
        for fact in report.notices.iter().take(MOST) {
            self.line(format!("<p>Note: {}</p>\n", html(&shortened(fact))));
        }
    }

    fn failures(&mut self, report: &Report) {
        let failing = || {
            let rows = report.scenarios.iter();
            rows.filter(|row| row.fails(self.strict))
        };
        let unjudged =
            |row: &&Row| matches!(row.verdict.outcome, Outcome::Error | Outcome::Blocked);
        let reason_groups = reason_groups(failing().filter(unjudged));
        let mut entries = entries(failing().filter(|row| !unjudged(row)));
        // The worst first; those of one outcome in the order of the plan.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.outcome));
        let strict = self.strict;
        let fails = |row: &&JudgeVerdict| Accepted::fails(row.known.as_ref(), row.outcome, strict);
        let judges: Vec<&JudgeVerdict> = report.judges.iter().filter(fails).collect();
        if reason_groups.is_empty() && entries.is_empty() && judges.is_empty() {
            return;
        }
        self.line("### What is wrong\n");
        self.line(
            "<table>\n<tr><th></th><th>Requirement</th><th>Expected</th><th>Observed</th></tr>",
        );
        for reason_group in reason_groups.iter().take(MOST) {
            self.reason_group(reason_group);
        }
        for entry in entries.iter().take(MOST) {
            self.entry(entry);
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
        let left_out =
            reason_groups.len().saturating_sub(MOST) + entries.len().saturating_sub(MOST);
        if left_out > 0 {
            self.line(format!(
                "… and {left_out} more; report.json has them all.\n"
            ));
        }
        for reason_group in reason_groups.iter().take(MOST) {
            let verdict = &reason_group.rows[0].verdict;
            let name = match reason_group.rows.len() {
                1 => verdict.case().to_string(),
                _ => format!(
                    "{}: {}",
                    reason_group.scale(),
                    shortened(reason_group.reason)
                ),
            };
            self.details(&name, &reason_group_text(reason_group));
        }
        for entry in entries.iter().take(MOST).filter(|entry| !is_stale(entry)) {
            let id = &entry.rows[0].verdict.scenario;
            let name = format!("{id} [{}]", joined(&entry.variants()));
            self.details(&name, &entry_text(entry));
        }
        for row in &judges {
            self.details(&row.judge, &judge_text(row));
        }
    }

    fn entry(&mut self, entry: &Group<'_>) {
        let row = entry.representative();
        let grouped_findings = entry.grouped_findings();
        let finding = grouped_findings
            .first()
            .map(|grouped_finding| grouped_finding.finding);
        let clause = finding.map_or_else(|| row.cites.join(", "), |finding| finding.clause.clone());
        let about = format!(
            "{}<br><code>{}</code> [{}]<br>{}",
            html(&row.title),
            html(&row.verdict.scenario),
            joined(&entry.variants()),
            html(&clause)
        );
        let shown = match is_stale(entry) {
            true => "STALE",
            false => entry.outcome.word(),
        };
        self.failure(shown, &about, finding, &row.verdict.reason);
    }

    fn reason_group(&mut self, reason_group: &ReasonGroup<'_>) {
        let row = reason_group.representative();
        let about = match reason_group.rows.len() {
            1 => format!(
                "{}<br><code>{}</code> [{}]<br>{}",
                html(&row.title),
                html(&row.verdict.scenario),
                row.verdict.variant,
                html(&row.cites.join(", "))
            ),
            _ => reason_group.scale(),
        };
        self.failure(
            reason_group.outcome.word(),
            &about,
            None,
            reason_group.reason,
        );
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
        let counts: Vec<String> = summary_counts(&groups)
            .into_iter()
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
        let misleading = misleading_features(report, Registry::built_in());
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
                html(&shortened(&truth.label)),
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

    fn slowest(&mut self, report: &Report) {
        let slowest = slowest(report);
        if slowest.is_empty() {
            return;
        }
        self.line("<details><summary>What took longest</summary>\n");
        self.line("<table>");
        for row in slowest {
            self.line(format!(
                "<tr><td><code>{}</code> [{}]</td><td align=\"right\">{:.1} s</td></tr>",
                html(&row.verdict.scenario),
                row.verdict.variant,
                row.duration_ms as f64 / 1000.0
            ));
        }
        self.line("</table>\n\n</details>\n");
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
                row.variant.map(|it| it.to_string()).unwrap_or_default(),
                html(&row.reason)
            );
        }
        self.line("</table>\n\n</details>");
    }
}

/// Whether a baseline knows a deviation that is not there any more.
fn is_stale(entry: &Group<'_>) -> bool {
    entry.rows.iter().any(|row| row.is_stale())
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

fn shortened(text: &str) -> Cow<'_, str> {
    cut(text, WIDTH)
}

#[cfg(test)]
mod tests;
