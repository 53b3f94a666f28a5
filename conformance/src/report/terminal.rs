//! The report a person reads: what matters first, and then how it stands by RFC.

use super::tables::{Answer, documents, feature_truth, requirements_summary};
use super::tame::{tame, tamed};
use super::{Report, Row};
use crate::catalogue::{Catalogue, Registry, RequirementsSummary};
use crate::scenario::Level;
use crate::verdict::{Finding, JudgeVerdict, Known, Outcome};
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
    // Of a greeting of several lines the first is shown.
    let greeting = tame(report.target.greeting.lines().next().unwrap_or_default()).into_owned();
    let report = &tamed(report);
    let mut writer = Writer {
        text: String::new(),
        look,
    };
    writer.head(report, &greeting);
    for outcome in DETAILED {
        for row in report.scenarios.iter().filter(|row| {
            row.verdict.outcome == outcome && (row.known.is_none() || outcome == Outcome::Error)
        }) {
            writer.scenario(row);
        }
        let judges = report.judges.iter();
        for row in judges.filter(|row| {
            row.outcome == outcome && (row.known.is_none() || outcome == Outcome::Error)
        }) {
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
    writer.known(report);
    writer.feat(report);
    writer.by_document(report);
    writer.requirements(report);
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

/// A scenario's row in full, without colours.
pub(super) fn row_told(row: &Row) -> String {
    let mut writer = Writer::plain();
    writer.scenario(row);
    writer.text
}

/// A judge's row in full, without colours.
pub(super) fn judge_told(row: &JudgeVerdict) -> String {
    let mut writer = Writer::plain();
    writer.judge(row);
    writer.text
}

struct Writer {
    text: String,
    look: Look,
}

impl Writer {
    fn plain() -> Self {
        Self {
            text: String::new(),
            look: Look::default(),
        }
    }

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

    fn head(&mut self, report: &Report, greeting: &str) {
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
        if !row.matters.is_empty() {
            self.line(format!("  means     {}", row.matters));
        }
        self.wire(&row.wire);
        self.line(format!("  again     {}", row.again));
        self.line("");
    }

    fn judge(&mut self, row: &JudgeVerdict) {
        let name = self.painted(&row.judge, Style::new().bold());
        let outcome = self.outcome(row.outcome);
        self.line(format!("{outcome} {name} (in every transcript)"));
        self.line(format!("  {}", row.statement));
        if !row.matters.is_empty() {
            self.line(format!("  means     {}", row.matters));
        }
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
        if self.more(row.count, worst_first.len().min(MOST)) {
            self.line("");
        }
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

    fn more(&mut self, found: usize, told: usize) -> bool {
        if found > told {
            self.line(format!(
                "  … and {} more; --format json tells more",
                found - told
            ));
        }
        found > told
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

    /// What a baseline knows, one line each; the stale ones say so.
    fn known(&mut self, report: &Report) {
        let rows = report.scenarios.iter().filter_map(|row| {
            let known = row.known.as_ref()?;
            let name = format!("{} [{}]", row.verdict.scenario, row.verdict.variant);
            Some((name, row.verdict.outcome, known))
        });
        let judges = report
            .judges
            .iter()
            .filter_map(|row| Some((row.judge.clone(), row.outcome, row.known.as_ref()?)));
        let (stale, known): (Vec<_>, Vec<_>) = rows
            .chain(judges)
            .partition(|(_, outcome, known)| Known::is_stale(Some(known), *outcome));
        if !known.is_empty() {
            self.line("KNOWN to the baseline, and excused unless it is an ERROR");
        }
        for (name, outcome, known) in known {
            let outcome = self.outcome(outcome);
            self.line(format!("  {outcome} {name}: {}", known.reason));
        }
        if !stale.is_empty() {
            let word = self.painted("STALE", AnsiColor::Red.on_default().bold());
            self.line(format!(
                "{word} in the baseline: the deviation is not there any more"
            ));
        }
        for (name, _, known) in stale {
            self.line(format!("  {name}: {}", known.reason));
        }
        if report.scenarios.iter().any(|row| row.known.is_some())
            || report.judges.iter().any(|row| row.known.is_some())
        {
            self.line("");
        }
    }

    /// Where FEAT is not true.
    fn feat(&mut self, report: &Report) {
        let truths = feature_truth(report, Registry::built_in());
        let misleading: Vec<_> = truths
            .iter()
            .filter(|truth| truth.truth.misleads())
            .collect();
        if misleading.is_empty() {
            return;
        }
        self.line("FEAT is not true");
        for truth in misleading {
            self.line(format!("  {}: {}", truth.label, truth.truth.words()));
        }
        self.line("");
    }

    /// One line for each document.
    fn by_document(&mut self, report: &Report) {
        let documents = documents(report, self.look.strict);
        let names = documents
            .iter()
            .map(|document| document.name.chars().count());
        let width = names.max().unwrap_or_default();
        for document in documents {
            let mut line = format!("  {:<width$}  {:>4}", document.name, document.tally.all());
            for (outcome, count) in document.tally.iter() {
                let _ = write!(line, "  {count} {}", self.outcome(outcome));
            }
            if document.known > 0 {
                let _ = write!(line, "  {} known", document.known);
            }
            self.line(line);
        }
        self.line("");
    }

    /// The table of RFC 1123 §4.1.5 in numbers, and what is against it.
    fn requirements(&mut self, report: &Report) {
        let groups = requirements_summary(report, RequirementsSummary::built_in());
        let rows = || groups.iter().flat_map(|group| &group.rows);
        let count = |answer| rows().filter(|filled| filled.answer == answer).count();
        // A few scenarios say little of the whole table.
        if count(Answer::NotTested) * 2 > rows().count() {
            return;
        }
        let answers = [
            Answer::Kept,
            Answer::Broken,
            Answer::NotImplemented,
            Answer::NotTested,
            Answer::Unseen,
        ];
        let told = answers
            .into_iter()
            .map(|answer| (answer, count(answer)))
            .filter(|(_, count)| *count > 0)
            .map(|(answer, count)| format!("{count} {}", answer.words()));
        self.line(format!(
            "RFC 1123 §4.1.5: {}",
            told.collect::<Vec<_>>().join(", ")
        ));
        for filled in rows().filter(|filled| filled.against) {
            self.line(format!(
                "  {}: {} ({}, {})",
                filled.row.feature,
                filled.answer.words(),
                filled.row.level.word(),
                filled.row.clause()
            ));
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
        let missing = report.missing_parts();
        if !missing.is_empty() {
            let shown = |parts: &[super::Part]| {
                let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                parts.join(", ")
            };
            self.line(format!(
                "  only part {} of the run; not here: {}",
                shown(&report.parts),
                shown(&missing)
            ));
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
    use crate::report::tests::{finding, of_every_outcome, report};

    #[test]
    fn a_failure_is_told_with_its_evidence_and_the_command_that_shows_it_again() {
        let mut report = report(&[Outcome::Pass, Outcome::Fail]);
        report.target.url = "ftp://127.0.0.1:2121".into();
        let row = &mut report.scenarios[1];
        row.wire = vec!["C: NOOP".into(), "S: 500 What?".into()];
        row.covers = vec!["959-5.4-greeting-code".into(), "gone".into()];
        row.verdict.findings.push(finding("500 What?"));
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

          RFC 959     2  1 PASS  1 FAIL

        2 played in 1.5 s: 1 PASS, 1 FAIL
        ");
    }

    #[test]
    fn what_matters_comes_first_and_then_how_it_stands() {
        let text = terminal(&of_every_outcome(), Look::default());
        insta::assert_snapshot!("every_outcome", text);
    }

    #[test]
    fn nothing_a_server_sends_acts_on_the_terminal() {
        let text = terminal(&of_every_outcome(), Look::default());
        let acting = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(acting, None);
        assert!(text.contains("\\u{1b}[0m"), "{text}");
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
