//! The report for the terminal: failures first, then the results by RFC.

mod findings;

pub(super) use findings::{entry_text, judge_text, reason_group_text, row_text};

use super::sanitize::Sanitized;
use super::tables::{
    Answer, absent, documents, entries, misleading_features, reason_groups, requirements_summary,
    slowest, summary_counts,
};
use super::{Report, RunStatus};
use crate::catalogue::{Registry, RequirementsSummary};
use crate::styled_text::StyledText;
use crate::text::{cut, joined};
use crate::verdict::{Accepted, Outcome};
use anstyle::AnsiColor;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::{Deref, DerefMut};

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
pub fn terminal(report: &Sanitized, look: Look) -> String {
    let report = report.report();
    let mut writer = Writer::new(look);
    writer.head(report);
    for outcome in DETAILED {
        let shown = |known: &Option<Accepted>, of| {
            of == outcome && (known.is_none() || of == Outcome::Error)
        };
        let rows = report.scenarios.iter();
        let rows = rows.filter(|row| shown(&row.known, row.verdict.outcome));
        if matches!(outcome, Outcome::Blocked | Outcome::Error) {
            for reason_group in reason_groups(rows) {
                writer.reason_group(&reason_group);
            }
        } else {
            for entry in entries(rows) {
                writer.entry(&entry);
            }
        }
        let judges = report.judges.iter();
        for row in judges.filter(|row| shown(&row.known, row.outcome)) {
            writer.judge(row);
        }
    }
    writer.brief(report, Outcome::Note, "MAY or practice not followed");
    writer.absent(report);
    writer.brief(
        report,
        Outcome::Inconclusive,
        "answered in another legal way, and nothing was left to test",
    );
    writer.known(report);
    writer.feat(report);
    writer.by_document(report);
    writer.requirements(report);
    writer.slowest(report);
    writer.summary(report);
    writer.styled.text
}

/// Outcomes that are shown in full, from the mildest to the worst: the worst is right above the
/// summary.
const DETAILED: [Outcome; 5] = [
    Outcome::Warn,
    Outcome::Blocked,
    Outcome::Misadvertised,
    Outcome::Fail,
    Outcome::Error,
];
/// Shorter runs, in milliseconds, have no table of slow scenarios.
const LONG: u64 = 10_000;

/// Characters of a text; the JSON has all of them.
const WIDTH: usize = 600;

fn shortened(text: &str) -> Cow<'_, str> {
    cut(text, WIDTH)
}

struct Writer {
    styled: StyledText,
    strict: bool,
}

impl Deref for Writer {
    type Target = StyledText;

    fn deref(&self) -> &StyledText {
        &self.styled
    }
}

impl DerefMut for Writer {
    fn deref_mut(&mut self) -> &mut StyledText {
        &mut self.styled
    }
}

impl Writer {
    fn new(look: Look) -> Self {
        Self {
            styled: StyledText::new(look.colour),
            strict: look.strict,
        }
    }

    fn head(&mut self, report: &Report) {
        let greeting = &report.target.greeting;
        let said = if greeting.is_empty() {
            String::new()
        } else {
            format!(" · {}", shortened(greeting))
        };
        self.line(format!(
            "ftpspec {} · {}{said}",
            report.ftpspec, report.target.url
        ));
        for path in &report.invalid_scenarios {
            let word = self.outcome(Outcome::Error);
            self.line(format!(
                "{word} {path} cannot be played; run `ftpspec lint {path}` for the reason"
            ));
        }
        self.line("");
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

    /// Optional features that are not there, one line each.
    fn absent(&mut self, report: &Report) {
        let absent = absent(report);
        if absent.is_empty() {
            return;
        }
        let word = self.outcome(Outcome::Unsupported);
        self.line(format!("{word} optional, absent and not advertised"));
        for (feature, scenarios) in absent {
            let mut named: Vec<&str> = scenarios.iter().copied().collect();
            named.truncate(2);
            let more = match scenarios.len() - named.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.line(format!("  {feature}: {}{more}", named.join(", ")));
        }
        self.line("");
    }

    /// The entries of the baseline, one line each; stale ones are marked.
    fn known(&mut self, report: &Report) {
        let rows = report.scenarios.iter().filter_map(|row| {
            let known = row.known.as_ref()?;
            let name = row.verdict.case().to_string();
            Some((name, row.verdict.outcome, known))
        });
        let judges = report
            .judges
            .iter()
            .filter_map(|row| Some((row.judge.clone(), row.outcome, row.known.as_ref()?)));
        let (stale, known): (Vec<_>, Vec<_>) = rows
            .chain(judges)
            .partition(|(_, outcome, known)| Accepted::is_stale(Some(known), *outcome));
        if !known.is_empty() {
            self.line("KNOWN: listed in the baseline and excused unless it is an ERROR");
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
        let misleading = misleading_features(report, Registry::built_in());
        if misleading.is_empty() {
            return;
        }
        self.line("FEAT is not true");
        for truth in misleading {
            let label = shortened(&truth.label);
            self.line(format!("  {label}: {}", truth.truth.words()));
        }
        self.line("");
    }

    /// One line for each document.
    fn by_document(&mut self, report: &Report) {
        let documents = documents(report, self.strict);
        if documents.is_empty() {
            return;
        }
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

    /// The table of RFC 1123 §4.1.5 in numbers, and its violations.
    fn requirements(&mut self, report: &Report) {
        let groups = requirements_summary(report, RequirementsSummary::built_in());
        let rows = || groups.iter().flat_map(|group| &group.rows);
        let counts = summary_counts(&groups);
        let not_tested = counts
            .iter()
            .find(|(answer, _)| *answer == Answer::NotTested);
        // A few scenarios cover little of the whole table.
        if not_tested.is_some_and(|(_, count)| count * 2 > rows().count()) {
            return;
        }
        let shown = counts
            .iter()
            .map(|(answer, count)| format!("{count} {}", answer.words()));
        self.line(format!(
            "RFC 1123 §4.1.5: {}",
            shown.collect::<Vec<_>>().join(", ")
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

    /// Where the time of a long run went.
    fn slowest(&mut self, report: &Report) {
        let slowest = slowest(report);
        if report.duration_ms < LONG || slowest.is_empty() {
            return;
        }
        self.line("Slowest");
        for row in slowest {
            self.line(format!(
                "  {:>5.1} s  {}",
                row.duration_ms as f64 / 1000.0,
                row.verdict.case()
            ));
        }
        self.line("");
    }

    fn summary(&mut self, report: &Report) {
        let mut line = format!(
            "{} in {:.1} s",
            report.played(),
            report.duration_ms as f64 / 1000.0
        );
        if !report.scenarios.is_empty() {
            let counts = Outcome::ALL
                .into_iter()
                .map(|outcome| (report.count(outcome), outcome));
            let counts = counts.filter(|(count, _)| *count > 0);
            let shown = counts.map(|(count, outcome)| format!("{count} {}", self.outcome(outcome)));
            let _ = write!(line, ": {}", shown.collect::<Vec<_>>().join(", "));
        }
        self.line(line);
        if !report.skipped.is_empty() {
            let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
            for skipped in &report.skipped {
                *reasons.entry(&skipped.reason).or_default() += 1;
            }
            for (reason, count) in reasons {
                self.line(format!("  {count} not played: {reason}"));
            }
        }
        for fact in &report.notices {
            self.line(format!("  note: {}", shortened(fact)));
        }
        let missing = report.missing_parts();
        if !missing.is_empty() {
            self.line(format!(
                "  only part {} of the run; not here: {}",
                joined(&report.parts),
                joined(&missing)
            ));
        }
        if self.strict && report.count(Outcome::Warn) > 0 {
            self.line("  --strict: a WARN fails the run");
        }
        let colour = match report.status(self.strict) {
            RunStatus::AsExpected => AnsiColor::Green,
            _ => AnsiColor::Red,
        };
        let conclusion = report.conclusion(self.strict);
        let conclusion = self.painted(&conclusion, colour.on_default().bold());
        self.line(conclusion);
    }
}

#[cfg(test)]
mod tests;
