//! Judges what was played and adds it to the report, one scenario at a time.

use super::{Event, OnEvent, Options};
use crate::catalogue::Catalogue;
use crate::judge::RunJudge;
use crate::judge::needs;
use crate::report::{self, Report, Row, SkippedRow, Tested, excerpt};
use crate::runner::{PREREQUISITES, Played, RunEvent, Skipped};
use crate::scenario::{Connection, TestCase};
use crate::subject::TargetFacts;
use crate::verdict::{Finding, Outcome};
use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The number of notices a report keeps.
const NOTICES: usize = 100;

/// When a run started.
pub(super) struct StartTime {
    /// Seconds since 1970-01-01 UTC.
    unix: u64,
    clock: Instant,
}

impl StartTime {
    pub(super) fn now() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            unix: unix.map_or(0, |since| since.as_secs()),
            clock: Instant::now(),
        }
    }
}

/// The report of a run in progress. Transcripts are dropped as soon as they are judged.
pub(super) struct Collector<'a, 'b> {
    options: &'a Options,
    facts: &'a TargetFacts,
    judge: RunJudge,
    rows: Vec<Row>,
    /// What happened to the run as a whole.
    notices: Vec<String>,
    on_event: &'a mut OnEvent<'b>,
}

impl<'a, 'b> Collector<'a, 'b> {
    pub(super) fn new(
        options: &'a Options,
        facts: &'a TargetFacts,
        on_event: &'a mut OnEvent<'b>,
    ) -> Self {
        Self {
            options,
            facts,
            judge: RunJudge::knowing(&facts.transcript),
            rows: Vec::new(),
            notices: Vec::new(),
            on_event,
        }
    }

    pub(super) fn receive(&mut self, event: RunEvent) {
        match event {
            RunEvent::Started(job) => (self.on_event)(Event::Started(&job)),
            RunEvent::Finished(played) => self.finished(&played),
            RunEvent::Fact(notice) => self.notice(notice),
        }
    }

    pub(super) fn notice(&mut self, notice: String) {
        if self.notices.len() < NOTICES {
            self.notices.push(notice);
        }
    }

    fn finished(&mut self, played: &Played) {
        let mut row = self.judge(played);
        let earlier = self.earlier_row(&row);
        if earlier.is_some() {
            mark_as_lost(&mut row, self.rows.len());
        }
        (self.on_event)(Event::Finished {
            played,
            row: &row,
            repeated: earlier.is_some(),
        });
        match earlier {
            Some(earlier) => self.rows[earlier] = row,
            None => self.rows.push(row),
        }
    }

    /// The index of the row of the same prerequisite, which held before.
    fn earlier_row(&self, row: &Row) -> Option<usize> {
        let case = row.verdict.case();
        let is_prerequisite = case.scenario.starts_with(PREREQUISITES);
        let mut rows = self.rows.iter();
        rows.position(|before| is_prerequisite && before.verdict.case() == case)
    }

    /// The prerequisites that failed, by scenario and variant, with the reason.
    pub(super) fn failed_prerequisites(&self) -> BTreeMap<TestCase, String> {
        let verdicts = self.rows.iter().map(|row| &row.verdict);
        verdicts
            .filter(|it| it.scenario.starts_with(PREREQUISITES) && it.outcome > Outcome::Warn)
            .map(|it| {
                let why = match it.findings.first() {
                    Some(finding) if it.reason.is_empty() => {
                        format!(
                            "expected {}, observed {}",
                            finding.expected, finding.observed
                        )
                    }
                    _ => it.reason.clone(),
                };
                (it.case(), why)
            })
            .collect()
    }

    /// The report of the rows and notices so far; `name` is the name of the server.
    pub(super) fn finish(self, name: String, started: &StartTime) -> Report {
        let features = self.judge.features();
        Report {
            schema: report::SCHEMA.into(),
            version: report::VERSION,
            ftpspec: env!("CARGO_PKG_VERSION").into(),
            target: Tested {
                url: name,
                greeting: self.facts.greeting.clone(),
                features: self.facts.features.clone(),
                implemented: features.implemented().map(str::to_owned).collect(),
                not_implemented: features.not_implemented().map(str::to_owned).collect(),
            },
            started: started.unix,
            duration_ms: u64::try_from(started.clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            interrupted: false,
            scenarios: self.rows,
            judges: self.judge.judges(),
            skipped: Vec::new(),
            invalid_scenarios: Vec::new(),
            notices: self.notices,
            parts: self.options.criteria.partition.into_iter().collect(),
            filters: self.options.filters(),
            baseline_errors: Vec::new(),
        }
    }

    fn judge(&mut self, played: &Played) -> Row {
        let scenario = &played.job.scenario;
        let variant = played.job.variant;
        let stop = played.stop.as_ref();
        let verdict = self
            .judge
            .judge(scenario, variant, stop, &played.transcript);
        // The first of the worst findings determines the outcome.
        let excerpt = match verdict.findings.iter().min_by_key(|finding| finding.level) {
            Some(finding) => excerpt(&played.transcript, finding.event),
            None if verdict.outcome > Outcome::Warn => {
                // The end of the dialogue, without the clean-up after it.
                excerpt(&played.transcript, played.ended.saturating_sub(1))
            }
            None => Vec::new(),
        };
        Row {
            title: scenario.about.title.clone(),
            level: scenario.about.level,
            cites: scenario.about.cites.clone(),
            covers: scenario.about.covers.clone(),
            commands: Catalogue::built_in().commands(&scenario.about.covers),
            needs: needs(scenario, variant).collect(),
            duration_ms: u64::try_from(played.took.as_millis()).unwrap_or(u64::MAX),
            excerpt,
            reproduce: self.options.reproduce(&scenario.id.0, variant),
            // The impact describes the claim of the scenario, not other failures in it.
            impact: match verdict.has_impact() {
                true => scenario.about.impact.clone(),
                false => String::new(),
            },
            known: None,
            verdict,
        }
    }
}

/// Marks a prerequisite that held at the start of the run and does not hold any more. That is a
/// failure of the server, even if the prerequisite could not be played.
fn mark_as_lost(row: &mut Row, scenarios: usize) {
    let verdict = &mut row.verdict;
    if verdict.outcome == Outcome::Blocked {
        verdict.outcome = Outcome::Fail;
        verdict.findings.push(Finding {
            judge: "expectation".into(),
            level: row.level,
            requirement: row.title.clone(),
            clause: row.cites.join(", "),
            about: Vec::new(),
            expected: "what the server did when the run began".into(),
            observed: std::mem::take(&mut verdict.reason),
            connection: Connection::runner(),
            line: 0,
            event: 0,
            shows_impact: false,
        });
    }
    let since =
        format!("; it held when the run began, and no longer holds after {scenarios} scenarios");
    for finding in &mut verdict.findings {
        finding.observed.push_str(&since);
    }
}

impl From<Skipped> for SkippedRow {
    fn from(skipped: Skipped) -> Self {
        Self {
            scenario: skipped.scenario,
            variant: skipped.variant,
            reason: skipped.reason.to_string(),
        }
    }
}
