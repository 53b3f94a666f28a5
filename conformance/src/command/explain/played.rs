//! What a scenario looks like when it is played: against the reference server, and against a server that lies in one
//! place.

use super::super::selftest::{harness, jobs};
use super::page::{Look, Page};
use crate::scenario::{Connection, Scenario, ScenarioId};
use crate::selftest::Harness;
use crate::selftest::mutants::{self, Mutant, Mutation};
use crate::transcript::{Transcript, redact};
use crate::verdict::{Finding, Outcome};
use std::time::Duration;

/// Nobody waits longer for an explanation.
const PATIENCE: Duration = Duration::from_secs(15);
/// Lines shown of one dialogue.
const MOST: usize = 40;
/// Of so many lies one is noticed where it is told; each may take a moment.
const LIES: usize = 5;
/// Characters shown of the statement a lie breaks.
const WIDTH: usize = 60;
/// Findings shown of one lie.
const FINDINGS: usize = 3;

/// What is shown of one scenario.
#[derive(Debug, Clone)]
pub(super) struct Examples {
    good: String,
    bad: Option<Bad>,
}

/// A lie, and what is reported of it.
#[derive(Debug, Clone)]
struct Bad {
    /// The statement of the scenario that it breaks.
    statement: String,
    lie: Mutation,
    dialogue: String,
    outcome: Outcome,
    findings: Vec<Finding>,
}

impl Examples {
    /// Plays the scenario of this id against the bundled server, and then against one that lies.
    ///
    /// # Errors
    /// Why there is nothing to show, in words.
    pub(super) async fn of(scenario: &ScenarioId) -> Result<Self, String> {
        let playing = async {
            let (embedded, harness) = harness().await?;
            let examples = Self::made(scenario, &harness).await;
            embedded.stop().await;
            examples
        };
        let late = format!("playing takes longer than {} s", PATIENCE.as_secs());
        tokio::time::timeout(PATIENCE, playing)
            .await
            .map_err(|_| late)?
    }

    async fn made(scenario: &ScenarioId, harness: &Harness) -> Result<Self, String> {
        let jobs = jobs(std::slice::from_ref(&scenario.0), harness);
        let job = jobs
            .first()
            .ok_or("the bundled server does not have what it needs here")?;
        let truth = harness.record(job).await;
        let (verdict, _) = harness.verdict(&truth);
        if verdict.outcome > Outcome::Unsupported {
            return Err(format!("it comes to {} here", verdict.outcome.word()));
        }
        let mut mutants = mutants::all(&job.scenario, &truth.transcript);
        mutants.sort_by_key(|mutant| (telling(mutant), std::cmp::Reverse(mutant.line)));
        let mut bad = None;
        for mutant in mutants.iter().take(LIES) {
            let told = harness.play_against(job, &mutant.transcript).await?;
            let (verdict, judges) = harness.verdict(&told);
            let judges = judges.into_iter().flat_map(|judge| judge.findings);
            let mut findings = verdict.findings;
            let mut outcome = verdict.outcome;
            if findings.is_empty() {
                // Some lies are noticed by the judges of every transcript.
                findings.extend(judges.map(|located| located.finding));
                outcome = Outcome::Fail;
            }
            if let Some(first) = findings.first() {
                bad = Some(Bad {
                    statement: statement(&job.scenario, mutant.line),
                    lie: mutant.mutation,
                    dialogue: dialogue(&told.transcript, first.event),
                    outcome,
                    findings,
                });
                break;
            }
        }
        Ok(Self {
            good: dialogue(&truth.transcript, usize::MAX),
            bad,
        })
    }

    /// As it is shown.
    pub(super) fn show(&self, page: &mut Page) {
        page.heading(Look::Good, "Good: what the reference server does");
        page.block(&self.good);
        let Some(bad) = &self.bad else { return };
        let lie = match bad.statement.as_str() {
            "" => format!("Bad: a server that {}", bad.lie),
            statement => format!("Bad: a server that, at `{statement}`, {}", bad.lie),
        };
        page.heading(Look::Bad, &lie);
        page.block(&bad.dialogue);
        page.heading(Look::Plain, &format!("Reported as {}", bad.outcome.word()));
        for finding in bad.findings.iter().take(FINDINGS) {
            page.line(format_args!(
                "  {}: {}",
                finding.clause, finding.requirement
            ));
            page.line(format_args!("  expected  {}", finding.expected));
            page.line(format_args!("  observed  {}", finding.observed));
        }
    }
}

/// How little a lie tells of what the scenario is about: the fewer the better.
fn telling(mutant: &Mutant) -> u8 {
    match mutant.mutation {
        Mutation::Short
        | Mutation::Changed
        | Mutation::Extra
        | Mutation::Doubled
        | Mutation::Misdated
        | Mutation::Plain
        | Mutation::StalePort => 0,
        Mutation::NoData => 1,
        Mutation::Code(_) | Mutation::Text | Mutation::StaysOpen | Mutation::NoHandshake => 2,
        Mutation::Unwished(_) => 3,
        Mutation::Twice | Mutation::Unasked => 4,
    }
}

/// A line of the file, cut to a length a person reads; nothing for what is in no line.
fn statement(scenario: &Scenario, line: u32) -> String {
    let index = usize::try_from(line).unwrap_or(usize::MAX).checked_sub(1);
    let text = index.and_then(|index| scenario.text.lines().nth(index));
    let text = text.unwrap_or_default();
    match text.char_indices().nth(WIDTH) {
        Some((cut, _)) => format!("{} …", &text[..cut]),
        None => text.to_owned(),
    }
}

/// What happened in the dialogue of the scenario up to `last`, without the login before it and the clean-up behind it.
fn dialogue(transcript: &Transcript, last: usize) -> String {
    let own = Connection::runner();
    let events = transcript.events.iter().enumerate();
    let shown = events.filter(|(index, event)| {
        (event.line > 0 && *index <= last || *index == last) && event.connection != own
    });
    let shown = Transcript {
        events: shown.map(|(_, event)| event.clone()).collect(),
        ..transcript.clone()
    };
    let text = redact(&shown);
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= MOST {
        return text;
    }
    let (head, tail) = (MOST / 2, lines.len() - MOST / 2);
    let left_out = format!("-- {} lines left out", tail - head);
    let parts = [&lines[..head], &[left_out.as_str()], &lines[tail..]];
    parts.concat().join("\n")
}
