//! The report a person reads: what matters first, and then how it stands by RFC.

use super::{Report, Row};
use crate::catalogue::Catalogue;
use crate::scenario::Level;
use crate::verdict::{Finding, JudgeVerdict, Outcome};
use anstyle::{AnsiColor, Style};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How the report looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// With colours.
    pub colour: bool,
    /// A broken SHOULD fails the run.
    pub strict: bool,
}

/// The report as text.
#[must_use]
pub fn terminal(report: &Report, look: Look) -> String {
    let mut writer = Writer {
        text: String::new(),
        look,
    };
    writer.head(report);
    for outcome in DETAILED {
        for row in report
            .scenarios
            .iter()
            .filter(|row| row.verdict.outcome == outcome)
        {
            writer.scenario(row);
        }
        for row in report.judges.iter().filter(|row| row.outcome == outcome) {
            writer.judge(row);
        }
    }
    writer.brief(report, Outcome::Note, "MAY or practice not followed");
    writer.brief(
        report,
        Outcome::Unsupported,
        "optional, absent and not advertised",
    );
    writer.brief(
        report,
        Outcome::NotApplicable,
        "answered in another legal way, and nothing was left to test",
    );
    writer.by_document(report);
    writer.summary(report);
    writer.text
}

/// Outcomes that are told in full, from the mildest to the worst: the worst stands right above the summary.
const DETAILED: [Outcome; 5] = [
    Outcome::Warn,
    Outcome::NotTestable,
    Outcome::FalseAd,
    Outcome::Fail,
    Outcome::Error,
];
/// Findings told of one scenario, sightings of one judge.
const MOST: usize = 5;

struct Writer {
    text: String,
    look: Look,
}

impl Writer {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref().trim_end());
        self.text.push('\n');
    }

    fn painted(&self, text: &str, style: Style) -> String {
        if self.look.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    fn outcome(&self, outcome: Outcome) -> String {
        let colour = match outcome {
            Outcome::Pass => AnsiColor::Green,
            Outcome::NotApplicable | Outcome::Note | Outcome::Unsupported => AnsiColor::Blue,
            Outcome::Warn => AnsiColor::Yellow,
            Outcome::NotTestable | Outcome::Fail | Outcome::FalseAd | Outcome::Error => {
                AnsiColor::Red
            }
        };
        self.painted(outcome.word(), colour.on_default().bold())
    }

    fn head(&mut self, report: &Report) {
        let greeting = report.target.greeting.lines().next().unwrap_or_default();
        let said = if greeting.is_empty() {
            String::new()
        } else {
            format!(" · {greeting}")
        };
        self.line(format!(
            "ftpspec {} · {}{said}",
            report.ftpspec, report.target.url
        ));
        for path in &report.broken_files {
            let word = self.outcome(Outcome::Error);
            self.line(format!(
                "{word} {path} cannot be played; `ftpspec lint {path}` tells why"
            ));
        }
        self.line("");
    }

    fn scenario(&mut self, row: &Row) {
        let verdict = &row.verdict;
        let id = self.painted(&verdict.scenario, Style::new().bold());
        let outcome = self.outcome(verdict.outcome);
        self.line(format!(
            "{outcome} {id} [{}] {}",
            verdict.variant,
            level(row.level)
        ));
        self.line(format!("  {}", row.title));
        for rule in row
            .covers
            .iter()
            .filter_map(|id| Catalogue::built_in().get(id))
        {
            self.line(format!(
                "  rule      {} ({}, {})",
                rule.statement, rule.clause, rule.id
            ));
        }
        if !verdict.reason.is_empty() {
            self.line(format!("  because   {}", verdict.reason));
        }
        for finding in verdict.findings.iter().take(MOST) {
            self.finding(finding);
        }
        self.more(verdict.findings.len(), MOST);
        self.wire(&row.wire);
        self.line(format!("  again     {}", row.again));
        self.line("");
    }

    fn judge(&mut self, row: &JudgeVerdict) {
        let name = self.painted(&row.judge, Style::new().bold());
        let outcome = self.outcome(row.outcome);
        self.line(format!("{outcome} {name} (in every transcript)"));
        self.line(format!("  {}", row.statement));
        let mut worst_first: Vec<_> = row.findings.iter().collect();
        worst_first.sort_by_key(|sighting| sighting.finding.level);
        for sighting in worst_first.iter().take(MOST) {
            self.finding(&sighting.finding);
            self.line(format!(
                "  seen in   {} [{}]",
                sighting.scenario, sighting.variant
            ));
            self.wire(&sighting.wire);
            self.line("");
        }
        self.more(row.count, worst_first.len().min(MOST));
    }

    fn finding(&mut self, finding: &Finding) {
        self.line(format!(
            "  {}: {} ({})",
            finding.clause,
            finding.requirement,
            level(finding.level)
        ));
        self.line(format!("  expected  {}", finding.expected));
        self.line(format!("  observed  {}", finding.observed));
        if finding.line > 0 {
            self.line(format!("  at        line {}", finding.line));
        }
    }

    fn more(&mut self, found: usize, told: usize) {
        if found > told {
            self.line(format!(
                "  … and {} more; --format json tells more",
                found - told
            ));
        }
    }

    fn wire(&mut self, wire: &[String]) {
        for (index, line) in wire.iter().enumerate() {
            let label = if index == 0 { "wire" } else { "" };
            let line = self.painted(line, Style::new().dimmed());
            self.line(format!("  {label:<9} {line}"));
        }
    }

    fn brief(&mut self, report: &Report, outcome: Outcome, meaning: &str) {
        let mut by_id: BTreeMap<&str, &str> = BTreeMap::new();
        for row in report
            .scenarios
            .iter()
            .filter(|row| row.verdict.outcome == outcome)
        {
            by_id.insert(&row.verdict.scenario, &row.title);
        }
        if by_id.is_empty() {
            return;
        }
        let word = self.outcome(outcome);
        self.line(format!("{word} {meaning}"));
        for (id, title) in by_id {
            self.line(format!("  {id}: {title}"));
        }
        self.line("");
    }

    /// One line for each directory of scenarios.
    fn by_document(&mut self, report: &Report) {
        let mut rows: BTreeMap<&str, BTreeMap<Outcome, usize>> = BTreeMap::new();
        for row in &report.scenarios {
            let id = row.verdict.scenario.as_str();
            let document = id.rsplit_once('/').map_or(id, |(directory, _)| directory);
            *rows
                .entry(document)
                .or_default()
                .entry(row.verdict.outcome)
                .or_default() += 1;
        }
        for row in &report.judges {
            *rows
                .entry("every transcript")
                .or_default()
                .entry(row.outcome)
                .or_default() += 1;
        }
        let width = rows.keys().map(|name| name.len()).max().unwrap_or_default();
        for (document, outcomes) in rows {
            let played: usize = outcomes.values().sum();
            let mut line = format!("  {document:<width$}  {played:>4}");
            for (outcome, count) in outcomes {
                let _ = write!(line, "  {count} {}", self.outcome(outcome));
            }
            self.line(line);
        }
        self.line("");
    }

    fn summary(&mut self, report: &Report) {
        let mut parts = Vec::new();
        for outcome in Outcome::ALL {
            let count = report.count(outcome);
            if count > 0 {
                parts.push(format!("{count} {}", self.outcome(outcome)));
            }
        }
        let seconds = report.took_ms as f64 / 1000.0;
        let end = if report.interrupted {
            ", interrupted"
        } else {
            ""
        };
        self.line(format!(
            "{} played in {seconds:.1} s{end}: {}",
            report.scenarios.len(),
            parts.join(", ")
        ));
        if !report.skipped.is_empty() {
            let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
            for skipped in &report.skipped {
                *reasons.entry(&skipped.reason).or_default() += 1;
            }
            for (reason, count) in reasons {
                self.line(format!("  {count} not played: {reason}"));
            }
        }
        for fact in &report.facts {
            self.line(format!("  note: {fact}"));
        }
        if self.look.strict && report.count(Outcome::Warn) > 0 {
            self.line("  --strict: a WARN fails the run");
        }
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Must => "must",
        Level::Should => "should",
        Level::May => "may",
        Level::Practice => "practice",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;
    use crate::scenario::Connection;

    #[test]
    fn a_failure_is_told_with_its_evidence_and_the_command_that_shows_it_again() {
        let mut report = report(&[Outcome::Pass, Outcome::Fail]);
        report.target.url = "ftp://127.0.0.1:2121".into();
        let row = &mut report.scenarios[1];
        row.wire = vec!["C: NOOP".into(), "S: 500 What?".into()];
        row.covers = vec!["959-5.4-greeting-code".into(), "gone".into()];
        row.verdict.findings.push(Finding {
            judge: "expectation".into(),
            level: Level::Must,
            requirement: "NOOP is answered 200".into(),
            clause: "RFC 959 §4.1.3".into(),
            expected: "200".into(),
            observed: "500 What?".into(),
            connection: Connection::main(),
            line: 8,
            event: 3,
        });
        insta::assert_snapshot!(terminal(&report, Look::default()), @r"
        ftpspec 0.0.0 · ftp://127.0.0.1:2121

        FAIL rfc959/noop-200 [pasv] must
          NOOP is answered 200
          rule      A new control connection is answered with 220, or 120 now and 220 when ready, or 421 if service is refused. (RFC 959 §5.4, 959-5.4-greeting-code)
          RFC 959 §4.1.3: NOOP is answered 200 (must)
          expected  200
          observed  500 What?
          at        line 8
          wire      C: NOOP
                    S: 500 What?
          again     ftpspec check --select rfc959/noop-200

          rfc959     2  1 PASS  1 FAIL

        2 played in 1.5 s: 1 PASS, 1 FAIL
        ");
    }

    #[test]
    fn colours_come_only_when_asked_for() {
        let report = report(&[Outcome::Fail]);
        assert!(!terminal(&report, Look::default()).contains('\u{1b}'));
        assert!(
            terminal(
                &report,
                Look {
                    colour: true,
                    strict: false
                }
            )
            .contains('\u{1b}')
        );
    }
}
