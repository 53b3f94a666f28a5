//! What was played is judged and becomes rows.

use super::options::Wish;
use super::progress::Progress;
use crate::catalogue::Catalogue;
use crate::judge::RunJudge;
use crate::judge::needs;
use crate::report::{self, Report, Row, SkippedRow, Tested, excerpt};
use crate::runner::{PREREQUISITES, Played, RunEvent, Skipped};
use crate::scenario::Connection;
use crate::subject::TargetFacts;
use crate::verdict::{Finding, Outcome};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// So many facts about a run are told.
const FACTS: usize = 100;

/// When a run began.
pub(super) struct Began {
    /// As seconds since 1970-01-01 UTC.
    pub(super) unix: u64,
    clock: Instant,
}

impl Began {
    pub(super) fn now() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            unix: unix.map_or(0, |since| since.as_secs()),
            clock: Instant::now(),
        }
    }
}

/// What is known of a run besides its rows.
pub(super) struct Run {
    pub(super) began: Began,
    /// Before its end.
    pub(super) interrupted: bool,
    pub(super) skipped: Vec<Skipped>,
    pub(super) invalid_scenarios: Vec<String>,
}

/// Where what was played arrives, one job after the other, and is judged.
pub(super) struct Collector<'a> {
    wish: &'a Wish,
    /// The server, as a URL without password.
    shown: &'a str,
    facts: &'a TargetFacts,
    judging: RunJudge,
    rows: Vec<Row>,
    /// What happened to the run as a whole.
    notices: Vec<String>,
    progress: Progress,
    /// Who else wants to see what was played.
    witness: &'a mut Witness<'a>,
}

/// Sees everything that was played, with what it came to, in the order of the plan.
pub(crate) type Witness<'a> = dyn FnMut(&Played, &Row) + Send + 'a;

impl<'a> Collector<'a> {
    pub(super) fn new(
        wish: &'a Wish,
        shown: &'a str,
        facts: &'a TargetFacts,
        jobs: usize,
        witness: &'a mut Witness<'a>,
    ) -> Self {
        Self {
            wish,
            shown,
            facts,
            judging: RunJudge::knowing(&facts.transcript),
            rows: Vec::new(),
            notices: Vec::new(),
            progress: Progress::new(jobs),
            witness,
        }
    }

    pub(super) fn hear(&mut self, event: RunEvent) {
        match event {
            RunEvent::Started(job) => self.progress.started(&job),
            RunEvent::Finished(played) => {
                let mut row = self.judge(&played);
                let before = self.place_of(&row);
                if before.is_some() {
                    no_longer(&mut row, self.rows.len());
                }
                (self.witness)(&played, &row);
                match before {
                    Some(before) => self.rows[before] = row,
                    None => {
                        self.progress.finished(row.verdict.outcome);
                        self.rows.push(row);
                    }
                }
            }
            RunEvent::Fact(fact) => {
                if self.notices.len() < FACTS {
                    self.notices.push(fact);
                }
            }
        }
    }

    /// Where the row of a prerequisite is that was played before: now it is lost.
    fn place_of(&self, row: &Row) -> Option<usize> {
        let key = |row: &Row| (row.verdict.scenario.clone(), row.verdict.variant.clone());
        let is_prerequisite = row.verdict.scenario.starts_with(PREREQUISITES);
        let mut rows = self.rows.iter();
        rows.position(|before| is_prerequisite && key(before) == key(row))
    }

    /// The prerequisites that were tried and do not hold, by scenario and variant, and why.
    pub(super) fn failed_prerequisites(&self) -> BTreeMap<(String, String), String> {
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
                ((it.scenario.clone(), it.variant.clone()), why)
            })
            .collect()
    }

    /// Everything that was found out.
    pub(super) fn report(self, run: Run) -> Report {
        self.progress.clear();
        let skipped = run.skipped.into_iter().map(|skipped| SkippedRow {
            scenario: skipped.scenario,
            variant: skipped.variant,
            reason: skipped.reason,
        });
        Report {
            schema: report::SCHEMA.into(),
            version: report::VERSION,
            ftpspec: env!("CARGO_PKG_VERSION").into(),
            target: Tested {
                url: self.shown.to_owned(),
                greeting: self.facts.greeting.clone(),
                features: self.facts.features.clone(),
                implemented: self
                    .judging
                    .features()
                    .implemented()
                    .map(str::to_owned)
                    .collect(),
                not_implemented: self
                    .judging
                    .features()
                    .not_implemented()
                    .map(str::to_owned)
                    .collect(),
            },
            started: run.began.unix,
            duration_ms: u64::try_from(run.began.clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            interrupted: run.interrupted,
            scenarios: self.rows,
            judges: self.judging.judges(),
            skipped: skipped.collect(),
            invalid_scenarios: run.invalid_scenarios,
            notices: self.notices,
            parts: self.wish.part.into_iter().collect(),
            filters: self.wish.filters(),
            baseline_errors: Vec::new(),
        }
    }

    fn judge(&mut self, played: &Played) -> Row {
        let scenario = &played.job.scenario;
        let variant = played.job.variant.to_string();
        let verdict =
            self.judging
                .judge(scenario, &variant, played.stop.as_ref(), &played.transcript);
        if let Some(directory) = &self.wish.transcripts {
            keep(directory, played);
        }
        // The first of the worst is what the outcome rests on.
        let excerpt = match verdict.findings.iter().min_by_key(|finding| finding.level) {
            Some(finding) => excerpt(&played.transcript, finding.event),
            None if verdict.outcome > Outcome::Warn => {
                // What failed, and not the clean-up after it.
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
            needs: needs(scenario, &variant).map(str::to_owned).collect(),
            duration_ms: u64::try_from(played.took.as_millis()).unwrap_or(u64::MAX),
            excerpt,
            reproduce: self.wish.reproduce(&scenario.id.0, &variant),
            // Said of what was observed, and of nothing else that failed in the same scenario.
            impact: match verdict.has_impact() {
                true => scenario.about.impact.clone(),
                false => String::new(),
            },
            known: None,
            verdict,
        }
    }
}

/// A prerequisite that held before and is lost now is the server's fault, even if it could not be
/// played.
fn no_longer(row: &mut Row, scenarios: usize) {
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
        format!("; it held when the run began, and does not any more after {scenarios} scenarios");
    for finding in &mut verdict.findings {
        finding.observed.push_str(&since);
    }
}

fn keep(directory: &Path, played: &Played) {
    let name =
        format!("{} {}", played.job.scenario.id.0, played.job.variant).replace(['/', ' '], "-");
    let path = directory.join(format!("{name}.jsonl"));
    if let Err(error) = crate::recording::save(&played.transcript, &path) {
        eprintln!(
            "check: failed to keep the transcript {}: {error}",
            path.display()
        );
    }
}
